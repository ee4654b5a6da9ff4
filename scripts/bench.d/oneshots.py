"""One-shots in other ways than one after the other: with pauses, in bursts, beside idle
sessions; what CPU time one takes; sandboxes without Python's part."""

import glob
import http.client
import json
import os
import threading
import time
import urllib.parse

import sessions

IDLE_SESSIONS = 200
BURST = 32
TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")
REQUEST = {"method": "POST", "path": "/api/v1/execute", "body": json.dumps({"code": "print(1)"})}


def of(times, seconds):
    times.sort()
    return {"p50_us": times[len(times) // 2], "p99_us": times[min(len(times) - 1, int(len(times) * 0.99))],
            "per_second": len(times) / max(seconds, 1e-9), "requests": len(times)}


class OneShots:
    """A kept connection that sends one request over and over."""

    def __init__(self, url, request=None):
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=60)
        self.request = request or REQUEST

    def once(self):
        """Microseconds."""
        began = time.perf_counter()
        self.connection.request(self.request["method"], self.request["path"], self.request.get("body"), {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        answer.read()
        if answer.status >= 300:
            raise SystemExit(f"bench: a one-shot was answered with {answer.status}")
        return (time.perf_counter() - began) * 1e6


def spaced(url, seconds, pause_ms, request=None):
    """One at a time with pauses: what is made ahead has gone cold meanwhile."""
    client, times, end = OneShots(url, request), [], time.monotonic() + seconds
    while time.monotonic() < end or len(times) < 3:
        time.sleep(pause_ms / 1000)
        times.append(client.once())
    return of(times, seconds)


def last_of_burst(clients):
    """All at once: microseconds until the last has its answer."""
    ready = threading.Barrier(len(clients) + 1)
    failed = []

    def go(client):
        ready.wait()
        try:
            client.once()
        except (OSError, SystemExit) as error:
            failed.append(error)

    threads = [threading.Thread(target=go, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    if failed:
        raise SystemExit(f"bench: of a burst {len(failed)} failed: {failed[0]}")
    return (time.perf_counter() - began) * 1e6


def bursts(url, seconds, rest):
    """Time to the last answer of each burst, after `rest` seconds of nothing."""
    clients, times, end = [OneShots(url) for _ in range(BURST)], [], time.monotonic() + seconds
    while time.monotonic() < end or len(times) < 3:
        time.sleep(rest)
        times.append(last_of_burst(clients))
    return of(times, sum(times) / 1e6 / BURST)


def beside_idle(url, measure):
    """What measure() gives while many sessions are idle."""
    client = sessions.Client(url)
    for number in range(IDLE_SESSIONS):
        client.make(f"bench-beside-{number}")
    try:
        return measure()
    finally:
        for number in range(IDLE_SESSIONS):
            client.delete(f"bench-beside-{number}")


def sandbox_only(client, number):
    """A sandbox made and given up: no code runs in it."""
    name = f"bench-sandbox-{number}"
    took = client.make(name)
    began = time.perf_counter()
    client.delete(name)
    return took + (time.perf_counter() - began) * 1e6


# -- CPU time ----------------------------------------------------------------------------------


def kernel_ticks():
    """Of all kernel threads: children of process 2."""
    total = 0
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == "2":
            total += int(fields[11]) + int(fields[12])
    return total


def cpu_ticks():
    """User and system time of the whole machine, and of that the kernel threads'."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _idle, _wait, irq, soft = map(int, file.readline().split()[1:8])
    return {"user": user + nice, "system": system + irq + soft, "kernel_threads": kernel_ticks()}


def cpu_of(measure):
    """What measure() gives, with the CPU time of each of its requests in microseconds. It is
    the whole machine's, the load's own too, so nothing else should run."""
    before = cpu_ticks()
    got = measure()
    after = cpu_ticks()
    for key, ticks in before.items():
        got[f"cpu_{key}_us"] = (after[key] - ticks) * TICK_US / max(got["requests"], 1)
    return got
