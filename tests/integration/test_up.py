"""scripts/up and scripts/down: start, start again, a daemon that dies, stop, stop after a crash."""

import concurrent.futures
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
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


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


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

    def pids(self):
        return {name: self.pid(name) for name in DAEMONS}

    def wait_retired(self):
        """Until the daemons before the last take-over have ended."""
        end = time.monotonic() + 100
        while read(f"{self.state}/status").split()[1:] != ["serving"]:
            if time.monotonic() > end:
                raise AssertionError("still: " + read(f"{self.state}/status"))
            time.sleep(0.05)

    def call(self, method, path, body=None):
        """(status, document)"""
        request = urllib.request.Request(self.url + path, None if body is None else json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or "null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or "null")

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

    def test_state_is_roots(self):
        """Nothing that root writes or runs lies where another user could replace it."""
        for folder, folders, names in os.walk(self.service.state):
            folders[:] = [name for name in folders if (folder, name) not in ((self.service.state, "nginx"), (self.service.state, "user_files"))]
            for name in names + folders:
                found = os.lstat(os.path.join(folder, name))
                if name not in ("nginx-access.log", "executor.sock"):
                    self.assertEqual(found.st_uid, 0, name)
                if not stat.S_ISLNK(found.st_mode) and not stat.S_ISSOCK(found.st_mode):
                    self.assertEqual(found.st_mode & 0o022, 0, name)
                if name.endswith(".log"):
                    self.assertEqual(found.st_mode & 0o777, 0o640, name)

    def test_every_line_of_the_logs_has_its_time(self):
        self.service.run("print(1)")
        self.service.call("GET", "/nothing/here?secret=1")
        for name in (*DAEMONS, "supervise", "nginx-access"):
            for line in read(f"{self.service.state}/log/{name}.log").splitlines():
                self.assertRegex(line, r"^20\d\d[-/]\d\d[-/]\d\d[ T]\d\d:\d\d:\d\d", name)
        end = time.monotonic() + 20
        while not (asked := read(f"{self.service.state}/log/nginx-access.log").splitlines()) and time.monotonic() < end:
            time.sleep(0.05)  # it is written when the answer has gone
        asked = asked[-1]
        self.assertIn('"GET /nothing/here" 404', asked)
        self.assertNotIn("secret", asked)

    def test_second_up_changes_nothing_where_nothing_has_changed(self):
        status, session = self.service.call("POST", "/api/v1/sessions", {})
        self.assertEqual(status, 201)
        before = self.service.pids()
        done = self.service.up(VIVARIUM_NO_BUILD="")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("building", done.stdout)
        self.assertEqual(self.service.pids(), before)
        self.assertEqual(self.service.call("DELETE", "/api/v1/sessions/" + session["id"])[0], 204)

    def test_taken_over_without_a_refused_request(self):
        """Two take-overs under load: new executor and application, nginx reloaded."""
        over, answers = threading.Event(), []

        def load():
            while not over.is_set():
                try:
                    answers.append(self.service.call("POST", "/api/v1/execute", {"code": "print(1)"})[0])
                except OSError as error:
                    answers.append(error)

        threads = [threading.Thread(target=load) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            before = self.service.pids()
            for running in ("11", "12"):
                done = self.service.up(EXECUTOR_RUNNING=running)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertEqual(self.service.call("GET", "/api/v1/info")[1]["counters"]["limit_running"], int(running))
            self.service.wait_retired()
        finally:
            over.set()
            for thread in threads:
                thread.join()
        self.assertGreater(len(answers), 20)
        self.assertEqual([answer for answer in answers if answer != 200], [])
        after = self.service.pids()
        self.assertEqual(after["nginx"], before["nginx"])
        self.assertFalse([name for name in ("executor", "fcgi-app") if after[name] == before[name] or alive(before[name])])
        self.assertFalse([name for name in os.listdir(self.service.state) if name.endswith(".old.pid")])
        # Given once, kept: also when the next start is not told.
        self.assertIn("EXECUTOR_RUNNING=12\n", read(self.service.state + "/settings"))
        self.assertEqual(self.service.up().returncode, 0)
        self.assertEqual(self.service.pids(), after)
        # An empty value forgets it.
        self.assertEqual(self.service.up(EXECUTOR_RUNNING="").returncode, 0)
        self.assertNotIn("EXECUTOR_RUNNING", read(self.service.state + "/settings"))
        self.service.wait_retired()

    def test_what_runs_is_answered_by_whom_it_was_sent_to(self):
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.service.call("POST", "/api/v1/execute", {"code": "import time; time.sleep(20); print('late')"})))
        thread.start()
        time.sleep(0.5)
        self.assertEqual(script("up", "--detach", "--no-install", "--restart", "--state-dir", self.service.state).returncode, 0)
        self.assertEqual(answers, [])
        thread.join()
        self.assertEqual((answers[0][0], answers[0][1]["stdout"]), (200, "late\n"))
        self.service.wait_retired()

    def test_nothing_wrong_is_taken_over(self):
        """A wrong setting, a wrong file, an executor that does not serve: what runs goes on."""
        before, settings = self.service.pids(), self.service.state + "/settings"
        kept = read(settings)
        for name, value, said in (("EXECUTOR_RUNNING", "1025", "EXECUTOR_RUNNING"), ("EXECUTOR_RUNING", "3", "EXECUTOR_RUNING"), ("FCGI_APP_THREAD", "3", "FCGI_APP_THREAD"),
                                  ("RATE_LIMIT", "abc", "RATE_LIMIT"), ("RATE_LIMITS", "1r/s", "RATE_LIMITS"), ("NGINX_WORKERS", "1", "NGINX_WORKERS"),
                                  ("LISTEN_ADDRESS", "999.1.1.1", "nginx refuses"), ("VIVARIUM_LOG_BYTES", "1k", "VIVARIUM_LOG_BYTES"),
                                  ("EXECUTOR_ZYGOTE_PATH", "/bin/true", "what ran before goes on")):
            with self.subTest(setting=name, value=value):
                done = self.service.up(**{name: value})
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(said, done.stderr)
                self.assertEqual(self.service.pids(), before)
                self.assertEqual(self.service.run("print(1)"), "1\n")
                if name != "EXECUTOR_ZYGOTE_PATH":
                    self.assertEqual(read(settings), kept)
        for line, said in (("EXECUTOR_RUNNING 3", "line"), ("SOMETHING=3", "SOMETHING")):
            with open(settings, "a", encoding="utf-8") as file:
                file.write(line + "\n")
            done = self.service.up()
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(said, done.stderr)
            with open(settings, "w", encoding="utf-8") as file:
                file.write(kept)
        self.assertEqual(self.service.pids(), before)
        self.assertEqual(self.service.up().returncode, 0)

    def test_two_at_once(self):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            done = list(pool.map(lambda _: self.service.up(), range(3)))
        self.assertEqual([one.returncode for one in done], [0, 0, 0], [one.stderr for one in done])
        self.assertTrue(any("waiting: another scripts/up" in one.stdout for one in done))
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

    def test_up_finds_what_no_pid_file_names(self):
        pids = self.start()
        os.kill(pids[0], signal.SIGKILL)
        for name in os.listdir(self.service.state):
            if name.endswith(".pid"):
                os.unlink(f"{self.service.state}/{name}")
        done = self.service.up()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("ending what is left", done.stdout)
        self.assertFalse([pid for pid in pids if alive(pid)])
        self.assertTrue(self.service.healthy())

    def test_logs_are_bounded(self):
        self.assertEqual(self.service.up(VIVARIUM_LOG_BYTES="10000").returncode, 0)
        log = self.service.state + "/log/fcgi-app.log"
        end = time.monotonic() + 60
        while not os.path.exists(log + ".1"):
            self.assertLess(time.monotonic(), end, "the log was not moved")
            for _ in range(10):
                self.service.healthy()
        self.assertLess(os.path.getsize(log), 10000)
        self.assertEqual(os.stat(log + ".1").st_mode & 0o777, 0o640)

    def test_folder_of_another_user(self):
        """He could have root run what he likes."""
        for owner, mode in ((65534, 0o755), (0, 0o777), (0, 0o1777)):
            folder = self.service.work + "/other"
            os.makedirs(folder + "/state")
            for path in (folder + "/state", folder) if mode != 0o1777 else (folder + "/state",):
                os.chown(path, owner, 0)
                os.chmod(path, mode)
            done = script("up", "--detach", "--no-install", "--port", str(self.service.port), "--state-dir", folder + "/state")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(folder, done.stderr)
            self.assertEqual(os.listdir(folder + "/state"), [])
            shutil.rmtree(folder)

    def test_the_tree_stays_its_owners(self):
        """As under sudo: root starts what another user has cloned, and may build there."""
        tree = self.service.work + "/tree"
        os.mkdir(tree)
        subprocess.run(f"tar -c --exclude=./.git --exclude='./build-*' --exclude=./build/run --exclude=./build/client-venv --exclude=node_modules . | tar -x -C {tree} && touch -r configure {tree}/configure"
                       f" && rm {tree}/build/bin/executor && chown -R nobody {tree}", shell=True, check=True, cwd=ROOT)
        done = subprocess.run([tree + "/scripts/up", "--detach", "--no-install", "--port", str(self.service.port)], capture_output=True, text=True, timeout=400,
                              stdin=subprocess.DEVNULL, check=False,
                              env={**{k: v for k, v in os.environ.items() if k != "VIVARIUM_NO_BUILD"}, "CCACHE_DISABLE": "1"})  # nobody has no home
        state = f"/var/lib/vivarium-{self.service.port}"
        self.addCleanup(shutil.rmtree, state, True)
        self.addCleanup(script, "down", "--state-dir", state)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertTrue(self.service.healthy())
        self.assertTrue(os.path.exists(tree + "/build/bin/executor"))
        found = subprocess.run(["find", tree, "-uid", "0"], capture_output=True, text=True, check=True)
        self.assertEqual(found.stdout, "")
        self.assertEqual(read(tree + "/build/last-state-dir").strip(), state)

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
