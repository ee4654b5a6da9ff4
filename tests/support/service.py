"""What the end-to-end tests share: calls of the service under test, sessions, and a look at
the machine it runs on.

VIVARIUM_URL names the service. VIVARIUM_STATE_DIR is its state folder (see scripts/up); without
it, as for a service in containers, what looks at the machine is skipped.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
URL = os.environ.get("VIVARIUM_URL", "http://127.0.0.1:5000")
STATE = os.environ.get("VIVARIUM_STATE_DIR", "")
# The package environment of runs and sessions that name none; its profile's by default.
ENVIRONMENT = {"environment": os.environ["VIVARIUM_ENVIRONMENT"]} if os.environ.get("VIVARIUM_ENVIRONMENT") else {}
PATIENCE = 60  # seconds that a busy machine may need for anything


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


def connect(url=URL, timeout=PATIENCE):
    parts = urllib.parse.urlsplit(url)
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)


def call(method, path, body=None, url=URL, timeout=PATIENCE):
    """One request; a body that is not None goes as JSON."""
    connection = connect(url, timeout)
    try:
        if body is None:
            connection.request(method, path)
        else:
            connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def run(code, url=URL, **more):
    """A one-shot's result."""
    answer = call("POST", "/api/v1/execute", {"code": code, **ENVIRONMENT, **more}, url)
    if answer.status != 200:
        raise AssertionError(f"the run was refused: {answer!r}")
    return answer.json


def begin(method, path, body, url=URL):
    """Send a request and do not wait: the connection, to be read or closed."""
    connection = connect(url)
    connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
    return connection


def finish(connection):
    try:
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def wait_until(condition, what, seconds=PATIENCE):
    """The condition's value as soon as it is true."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(0.02)


class Session:
    """A native session; use in a with statement, or close() it."""

    def __init__(self, url=URL, **more):
        self.url = url
        answer = call("POST", "/api/v1/sessions", {**ENVIRONMENT, **more}, url)
        if answer.status != 201:
            raise AssertionError(f"no session: {answer!r}")
        self.description = answer.json
        self.id = self.description["id"]
        self.path = "/api/v1/sessions/" + self.id

    def call(self, method, what, body=None):
        return call(method, self.path + what, body, self.url)

    def execute(self, code, **more):
        answer = self.call("POST", "/execute", {"code": code, **more})
        if answer.status != 200:
            raise AssertionError(f"the cell was refused: {answer!r}")
        return answer.json

    def begin(self, code, **more):
        return begin("POST", self.path + "/execute", {"code": code, **more}, self.url)

    def value(self, expression):
        """The repr of an expression in it; the cell must go well."""
        got = self.execute(expression)
        if got["status"] != "success":
            raise AssertionError(f"{expression}: {got}")
        return got["result"]

    def show(self):
        answer = self.call("GET", "")
        if answer.status != 200:
            raise AssertionError(f"cannot be shown: {answer!r}")
        return answer.json

    def close(self):
        return call("DELETE", self.path, None, self.url)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- the machine below ----------------------------------------------------------------------


def mark_code(mark):
    """A line of Python that gives its process an open file of that name, to be found by find_marked()."""
    return f"__import__('os').memfd_create({mark!r})\n"


def fresh_mark():
    return "m" + os.urandom(6).hex()


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def state_of(pid):
    return read(f"/proc/{pid}/stat").rpartition(")")[2].split()[:1]


def find_marked(mark):
    """Pids of living processes that are marked so, or have it among their arguments, in any pid namespace."""
    return [pid for pid in pids() if has_mark(pid, mark) and state_of(pid) not in ([], ["Z"])]


def has_mark(pid, mark):
    if mark in read(f"/proc/{pid}/cmdline"):
        return True
    try:
        return any(mark in os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))
    except OSError:  # it has just ended
        return False


class Host:
    """One service seen from outside: its daemons, sandboxes, groups, mounts, descriptors."""

    def __init__(self, state=STATE):
        self.state = state

    def pid(self, name):
        text = read(f"{self.state}/{name}.pid").split()
        return int(text[0]) if text else 0

    def group(self):
        for line in read(self.state + "/executor.conf").splitlines():
            if line.startswith("cgroup_name = "):
                return line.partition("= ")[2]
        raise AssertionError("executor.conf names no control group")

    def sandbox_groups(self):
        """Folders of sandboxes' control groups, one a controller."""
        found = []
        for folder, folders, _ in os.walk("/sys/fs/cgroup"):
            if os.path.basename(folder) == self.group():
                found += [os.path.join(folder, name) for name in folders if name.startswith("sandbox-")]
                folders.clear()
        return found

    def group_members(self, folder):
        return [int(pid) for pid in read(folder + "/cgroup.procs").split()]

    def sandboxes(self):
        """{name: pids} of all sandboxes that exist."""
        found = {}
        for folder in self.sandbox_groups():
            found.setdefault(os.path.basename(folder), set()).update(self.group_members(folder))
        return found

    def uid_base(self, pid=None):
        """Where the uids of this executor's sandboxes begin; as its zygotes have it."""
        settings = dict(item.partition("=")[::2] for item in read(f"/proc/{pid or self.pid('executor')}/environ").split("\0"))
        return int(settings.get("EXECUTOR_UID_BASE", 1879048192))

    def uid_processes(self, base):
        """Processes with one of the uids of the sandboxes above `base`."""
        found = []
        for pid in pids():
            for line in read(f"/proc/{pid}/status").splitlines():
                if line.startswith("Uid:") and base <= int(line.split()[1]) < base + 2049 * 16:
                    found.append(pid)
        return found

    def zombies(self):
        """Dead children of the executor that it has not reaped."""
        executor = str(self.pid("executor"))
        return [pid for pid in pids() if (stat := read(f"/proc/{pid}/stat").rpartition(")")[2].split())[:2] == ["Z", executor]]

    def descriptors(self, name):
        """Without the connections between the daemons, of which they keep some for the next request."""
        kept = {f"socket:[{fields[6]}]" for fields in map(str.split, read("/proc/net/unix").splitlines())
                if len(fields) == 8 and fields[7].startswith(self.state) and fields[5] == "03"}
        folder = f"/proc/{self.pid(name)}/fd"
        count = 0
        for number in os.listdir(folder):
            try:
                count += os.readlink(f"{folder}/{number}") not in kept
            except OSError:
                pass  # closed meanwhile
        return count

    def mounts(self, name="executor"):
        return len(read(f"/proc/{self.pid(name)}/mountinfo").splitlines())

    def inventory(self):
        """What must be the same before and after; the pool is full when it is taken."""
        return {"sandboxes": len(self.sandboxes()), "groups": len(self.sandbox_groups()), "processes": len(self.uid_processes(self.uid_base())),
                "zombies": len(self.zombies()), "executor's descriptors": self.descriptors("executor"),
                "mounts": self.mounts(), "mounts outside": len(read("/proc/self/mountinfo").splitlines())}

    def steady(self, url=URL):
        """The inventory once nothing changes any more."""
        last, since = None, 0.0
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            now = self.inventory()
            # groups between two uses are removed once no sandbox has ended for a second
            if now != last or not all(self.sandboxes().values()):
                last, since = now, time.monotonic()
            elif time.monotonic() - since > 0.4:
                return now
            time.sleep(0.05)
        raise AssertionError(f"the machine does not come to rest: {last}")


def needs_host(test):
    return unittest.skipUnless(STATE and os.geteuid() == 0, "needs root and VIVARIUM_STATE_DIR, the state folder of a service on this machine")(test)


class NothingLeft(unittest.TestCase):
    """Every test of such a class must leave the machine as it found it."""

    def setUp(self):
        if not STATE:
            return
        self.host = Host()
        if ENVIRONMENT:  # started by its first use
            run("1")
            # both its zygotes, which import for a second, and all its sandboxes, beside base's eight of each
            ready = lambda counters: (counters["zygotes_warm"], counters["pool_ready"]) == (8 + 2, 8 + 4)  # noqa: E731
            wait_until(lambda: ready(call("GET", "/api/v1/info").json["counters"]), "its zygotes and sandboxes are ready")
        before = self.host.steady()

        def compare():
            after = None
            end = time.monotonic() + PATIENCE
            while time.monotonic() < end:
                after = self.host.inventory()
                if after == before:
                    return
                time.sleep(0.1)
            self.fail(f"something is left: {before} before, {after} after")

        self.addCleanup(compare)


# ---- a service of one's own -----------------------------------------------------------------


class Service:
    """A service in a folder and at a port of its own, with settings from the environment."""

    def __init__(self, **settings):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.work = tempfile.mkdtemp(prefix="vivarium-own-", dir="/tmp")
        os.chmod(self.work, 0o755)
        self.state = self.work + "/state"
        self.url = f"http://127.0.0.1:{self.port}"
        self.host = Host(self.state)
        self.environment = {"EXECUTOR_ZYGOTES": "2", "EXECUTOR_POOL": "3", **settings}
        done = self.script("up", "--detach", "--no-install", "--port", str(self.port), "--state-dir", self.state)
        if done.returncode:
            self.close()
            raise AssertionError("scripts/up: " + done.stdout + done.stderr)

    def script(self, name, *arguments):
        return subprocess.run([f"{ROOT}/scripts/{name}", *arguments], capture_output=True, text=True, timeout=240, stdin=subprocess.DEVNULL,
                              env={**{k: v for k, v in os.environ.items() if k != "EXECUTOR_UID_BASE"}, **self.environment})

    def healthy(self):
        try:
            return call("GET", "/api/health", url=self.url, timeout=5).status == 200
        except OSError:
            return False

    def wait_healthy(self):
        wait_until(self.healthy, "healthy")

    def kill(self, name, number=signal.SIGKILL):
        """Signal one daemon; returns its pid."""
        pid = self.host.pid(name)
        os.kill(pid, number)
        return pid

    def wait_replaced(self, name, pid):
        wait_until(lambda: self.host.pid(name) not in (0, pid), f"another {name} runs")

    def close(self):
        self.script("down", "--state-dir", self.state)
        shutil.rmtree(self.work, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
