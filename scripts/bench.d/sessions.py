"""Sessions: how soon a new one answers, what a checkpoint and a restore cost, what an idle
one weighs. Warm executions are measured by wrk, like everything in bench.py."""

import glob
import http.client
import json
import re
import time
import urllib.parse

WARM_SESSIONS = 64
IDLE_SESSIONS = 200


class Client:
    def __init__(self, url):
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=60)

    def exchange(self, method, path, body=None, content_type="application/octet-stream"):
        """The answer's bytes and how long it took, in microseconds."""
        began = time.perf_counter()
        self.connection.request(method, path, body, {"Content-Type": content_type})
        answer = self.connection.getresponse()
        content = answer.read()
        took = (time.perf_counter() - began) * 1e6
        if answer.status >= 300:
            raise SystemExit(f"bench: {method} {path}: {answer.status} {content[:200]!r}")
        return content, took

    def call(self, method, path, body=None):
        text, took = self.exchange(method, path, json.dumps(body) if body is not None else None, "application/json")
        return (json.loads(text) if text else None), took

    def make(self, name, **more):
        return self.call("POST", "/api/v1/sessions", {"id": name, **more})[1]

    def execute(self, name, code):
        return self.call("POST", f"/api/v1/sessions/{name}/execute", {"code": code})

    def delete(self, name):
        self.call("DELETE", f"/api/v1/sessions/{name}")


def repeated(url, seconds, once):
    """once(client, number) gives microseconds; over and over for so many seconds."""
    client, times, end = Client(url), [], time.monotonic() + seconds
    while time.monotonic() < end or len(times) < 3:
        times.append(once(client, len(times)))
    times.sort()
    return {"p50_us": times[len(times) // 2], "p99_us": times[min(len(times) - 1, int(len(times) * 0.99))],
            "per_second": len(times) / max(sum(times) / 1e6, 1e-9), "requests": len(times)}


def new_session(client, number):
    name = f"bench-new-{number}"
    took = client.make(name) + client.execute(name, "1+1")[1]
    client.delete(name)
    return took


def with_one_session(url, seconds, once):
    client = Client(url)
    client.make("bench-one")
    client.execute("bench-one", "x = 1")
    try:
        return repeated(url, seconds, once)
    finally:
        client.delete("bench-one")


def after_change(client, _number):
    """A cell right behind one that changed something: it waits for the checkpoint."""
    client.execute("bench-one", "x = 1")
    return client.execute("bench-one", "1+1")[1]


def after_look(client, _number):
    client.execute("bench-one", "1+1")
    return client.execute("bench-one", "1+1")[1]


def restore(client, _number):
    answer, took = client.execute("bench-one", "import os; os._exit(1)")
    if answer["state"] != "restored":
        raise SystemExit(f"bench: a session was {answer['state']}, not restored")
    return took


def make_warm(url):
    client = Client(url)
    for number in range(1, WARM_SESSIONS + 1):
        client.make(f"bench-warm-{number}")


def delete_warm(url):
    client = Client(url)
    for number in range(1, WARM_SESSIONS + 1):
        client.delete(f"bench-warm-{number}")


def sandbox_memory():
    """PSS in bytes of all processes in sandboxes (of every service on this machine), and
    how many sandboxes these are."""
    total, sandboxes = 0, set()
    for path in glob.glob("/proc/[0-9]*"):
        try:
            with open(path + "/cgroup", encoding="ascii") as file:
                found = re.search(r"/(vivarium[^/\s]*/sandbox-\d+)", file.read())
            if not found:
                continue
            with open(path + "/smaps_rollup", encoding="ascii") as file:
                total += int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M).group(1)) * 1024
            sandboxes.add(found.group(1))
        except OSError:
            continue
    return total, len(sandboxes)


def touch_memory(sessions):
    """A virtual machine gets memory from its host at first use, which is slow, and not ours."""
    memory = bytearray(sessions << 24)
    memory[::4096] = b"x" * len(memory[::4096])


def idle_memory(url, count=IDLE_SESSIONS, **more):
    """PSS an idle session, and how long making the 10th and the last took, in microseconds. It is
    what the processes in all sandboxes have more, for each session that is made."""
    client, times = Client(url), []
    touch_memory(count)
    time.sleep(3)  # what was deleted before is being taken apart
    before, _ = sandbox_memory()
    for number in range(count):
        times.append(client.make(f"bench-idle-{number}", **more) + client.execute(f"bench-idle-{number}", f"x = {number}")[1])
    time.sleep(2)  # the last checkpoints are being made
    after, _ = sandbox_memory()
    for number in range(count):
        client.delete(f"bench-idle-{number}")
    early, late = sorted(times[5:15]), sorted(times[-10:])
    return {"pss_bytes": (after - before) / count, "tenth_us": early[5], "last_us": late[5]}
