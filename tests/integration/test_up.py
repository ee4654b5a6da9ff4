"""scripts/up and scripts/down: start, start again, a daemon that dies, stop, stop after a crash."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DAEMONS = ("executor", "fcgi-app", "nginx")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def script(name, *arguments, **environment):
    return subprocess.run([f"{ROOT}/scripts/{name}", *arguments], capture_output=True, text=True, timeout=240, stdin=subprocess.DEVNULL,
                          env={**os.environ, **environment})


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Service:
    """One service in a folder and at a port of its own."""

    def __init__(self):
        self.work = tempfile.mkdtemp(prefix="vivarium-up-", dir="/tmp")
        os.chmod(self.work, 0o755)
        self.state = self.work + "/state"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def up(self, **environment):
        return script("up", "--detach", "--no-install", "--port", str(self.port), "--state-dir", self.state, **environment)

    def down(self):
        return script("down", "--state-dir", self.state)

    def close(self):
        self.down()
        shutil.rmtree(self.work)

    def pid(self, name):
        with open(f"{self.state}/{name}.pid", encoding="ascii") as file:
            return int(file.read().split()[0])

    def healthy(self):
        try:
            with urllib.request.urlopen(self.url + "/api/health", timeout=5) as answer:
                return json.load(answer)["status"] == "healthy"
        except (OSError, ValueError, KeyError):
            return False

    def run(self, code):
        request = urllib.request.Request(self.url + "/api/v1/execute", json.dumps({"code": code}).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["stdout"]

    def wait_healthy(self, seconds):
        end = time.monotonic() + seconds
        while not self.healthy():
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True


class Options(unittest.TestCase):
    def test_help(self):
        for name in ("up", "down", "test", "bench"):
            done = script(name, "--help")
            self.assertEqual(done.returncode, 0)
            self.assertTrue(done.stdout.startswith(name), done.stdout)

    def test_wrong_options(self):
        for name, arguments in (("up", ["--no-such"]), ("up", ["--port", "0"]), ("up", ["--port", "x"]), ("up", ["--port", "65536"]), ("down", ["--no-such"]), ("test", ["no-such-part"])):
            with self.subTest(name=name, arguments=arguments):
                done = script(name, *arguments)
                self.assertNotEqual(done.returncode, 0)
                self.assertTrue(done.stderr)

    def test_state_folder_that_others_cannot_enter(self):
        with tempfile.TemporaryDirectory(dir="/tmp") as closed:
            done = script("up", "--detach", "--no-install", "--port", str(free_port()), "--state-dir", closed + "/state")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("other users cannot get into", done.stderr)

    def test_down_without_a_service(self):
        done = script("down", "--state-dir", "/tmp/no-such-vivarium")
        self.assertEqual(done.returncode, 0)


class Life(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.first = cls.service.up()

    @classmethod
    def tearDownClass(cls):
        cls.service.close()

    def setUp(self):
        self.assertEqual(self.first.returncode, 0, self.first.stdout + self.first.stderr)
        self.assertTrue(self.service.wait_healthy(20))

    def test_says_where_and_how_to_stop(self):
        self.assertIn(self.service.url, self.first.stdout)
        self.assertIn(f"scripts/down --state-dir {self.service.state}", self.first.stdout)

    def test_runs_a_program(self):
        self.assertEqual(self.service.run("print(6*7)"), "42\n")

    def test_who_runs_as_whom(self):
        import pwd
        uids = {name: os.stat(f"/proc/{self.service.pid(name)}").st_uid for name in DAEMONS}
        self.assertEqual(uids["nginx"], pwd.getpwnam("www-data").pw_uid)
        self.assertNotEqual(uids["fcgi-app"], 0)
        for name in ("nginx", "fcgi-app"):
            with open(f"/proc/{self.service.pid(name)}/status", encoding="ascii") as status:
                sets = dict(line.split(":\t") for line in status.read().splitlines() if line.startswith("Cap"))
            for kind in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
                self.assertEqual(int(sets[kind], 16), 0, (name, kind))

    def test_sockets_are_closed_to_others(self):
        for name in ("executor.sock", "fcgi-app.sock"):
            mode = os.stat(f"{self.service.state}/{name}").st_mode
            self.assertEqual(mode & 0o007, 0, name)
            with socket.socket(socket.AF_UNIX) as s:
                pid = os.fork()
                if pid == 0:
                    os.setgroups([])
                    os.setgid(54321)
                    os.setuid(54321)
                    try:
                        s.connect(f"{self.service.state}/{name}")
                        os._exit(1)
                    except PermissionError:
                        os._exit(0)
                    except OSError:
                        os._exit(2)
                self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, f"{name} is open to a stranger")

    def test_dead_daemons_are_restarted(self):
        for name in DAEMONS:
            with self.subTest(daemon=name):
                before = self.service.pid(name)
                os.kill(before, signal.SIGKILL)
                time.sleep(0.3)
                self.assertTrue(self.service.wait_healthy(20), f"not healthy after {name} was killed")
                self.assertNotEqual(self.service.pid(name), before)
                self.assertEqual(self.service.run("print(1)"), "1\n")
        with open(self.service.state + "/log/supervise.log", encoding="utf-8") as log:
            self.assertIn("executor (process", log.read())

    def test_second_up_restarts(self):
        before = [self.service.pid(name) for name in (*DAEMONS, "supervise")]
        done = self.service.up(VIVARIUM_NO_BUILD="")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("building", done.stdout)
        self.assertFalse([pid for pid in before if alive(pid)])
        self.assertTrue(self.service.healthy())

    def test_taken_port_is_refused(self):
        other = Service()
        self.addCleanup(other.close)
        other.port = self.service.port
        done = other.up()
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("another program", done.stderr)
        self.assertTrue(self.service.healthy())


class Ends(unittest.TestCase):
    def setUp(self):
        self.service = Service()
        self.addCleanup(self.service.close)

    def start(self):
        done = self.service.up()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return [self.service.pid(name) for name in ("supervise", *DAEMONS)]

    def test_down(self):
        pids = self.start()
        done = self.service.down()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertFalse([pid for pid in pids if alive(pid)])
        self.assertFalse([name for name in os.listdir(self.service.state) if name.endswith((".pid", ".sock"))])

    def test_down_after_the_supervisor_was_killed(self):
        pids = self.start()
        os.kill(pids[0], signal.SIGKILL)
        self.assertEqual(self.service.down().returncode, 0)
        self.assertFalse([pid for pid in pids if alive(pid)])

    def test_up_after_everything_was_killed(self):
        pids = self.start()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.start()
        self.assertTrue(self.service.healthy())

    def test_down_leaves_strangers_alone(self):
        """A pid in our file that now is another process's must not be killed."""
        stranger = subprocess.Popen(["sleep", "60"])
        self.addCleanup(stranger.wait)
        self.addCleanup(stranger.kill)
        os.makedirs(self.service.state)
        with open(self.service.state + "/executor.pid", "w", encoding="ascii") as file:
            file.write(f"{stranger.pid} 1\n")
        self.assertEqual(self.service.down().returncode, 0)
        self.assertIsNone(stranger.poll())

    def test_settings_that_are_wrong(self):
        done = self.service.up(EXECUTOR_RUNNING="many")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("EXECUTOR_RUNNING", done.stderr)
        self.assertEqual(self.service.up(LEGACY_PORTS="x").returncode, 1)


if __name__ == "__main__":
    unittest.main()
