"""A session's files: how long putting and getting one takes, of 1 kB and of 1 MB."""

import os

import sessions

SIZES = {"1k": 1000, "1m": 1000000}
NAME = "bench-files"


def put(client, number, size):
    content = os.urandom(16) * (size // 16)
    return client.exchange("PUT", f"/api/v1/sessions/{NAME}/files/{size}-{number % 8}.bin", content)[1]


def get(client, size):
    content, took = client.exchange("GET", f"/api/v1/sessions/{NAME}/files/{size}-0.bin")
    if len(content) != size // 16 * 16:
        raise SystemExit(f"bench: got {len(content)} bytes of a file of {size}")
    return took


def with_files(url, seconds, size, puts):
    client = sessions.Client(url)
    client.make(NAME)
    try:
        put(client, 0, size)
        return sessions.repeated(url, seconds, lambda c, n: put(c, n, size) if puts else get(c, size))
    finally:
        client.delete(NAME)
