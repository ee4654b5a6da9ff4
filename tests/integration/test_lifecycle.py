"""The ends of sessions and daemons: idle time, lifetime, SIGTERM, kill -9, and what is left after each."""

import os
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import PATIENCE, Host, NothingLeft, Service, Session, call, find_marked, finish, fresh_mark, mark_code, needs_host, read, run, wait_until


def gone(session):
    return session.call("GET", "").status == 404


class Idle(unittest.TestCase):
    def test_eviction_to_the_second(self):
        with Session(idle_timeout=1) as session:
            began = time.monotonic()
            while not gone(session):
                self.assertLess(time.monotonic() - began, 5)
                time.sleep(0.02)
            self.assertGreaterEqual(time.monotonic() - began, 0.9)
            self.assertLess(time.monotonic() - began, 2)

    def test_not_in_batches(self):
        """Each at its own time."""
        ends = {}
        sessions = []
        for i in range(4):
            sessions.append(Session(idle_timeout=1))
            began = time.monotonic()
            sessions[i].began_at = began
            time.sleep(0.2)
        while len(ends) < 4:
            for i, session in enumerate(sessions):
                if i not in ends and gone(session):
                    ends[i] = time.monotonic() - session.began_at
            self.assertLess(time.monotonic() - sessions[3].began_at, 10)
            time.sleep(0.02)
        for took in ends.values():
            self.assertGreaterEqual(took, 0.9)
            self.assertLess(took, 2)

    def test_a_cell_is_no_idle_time(self):
        with Session(idle_timeout=1) as session:
            self.assertEqual(session.execute("import time; time.sleep(1.8); 1")["result"], "1")
            self.assertEqual(session.value("2"), "2")

    def test_use_puts_it_off(self):
        with Session(idle_timeout=1) as session:
            for i in range(4):
                time.sleep(0.5)
                self.assertEqual(session.value("1"), "1")


class ManySessions(NothingLeft):
    def test_created_used_and_deleted_one_after_another(self):
        for i in range(60):
            with Session() as session:
                self.assertEqual(session.value(f"{i} * 2"), str(i * 2))

    def test_left_to_idle_out(self):
        sessions = [Session(idle_timeout=2) for _ in range(30)]
        for session in sessions:
            session.execute("x = 1")
        wait_until(lambda: all(gone(session) for session in sessions), "all have ended", 30)

    def test_all_kinds_of_ends(self):
        sessions = [Session() for _ in range(12)]
        self.addCleanup(lambda: [session.close() for session in sessions])
        for i, session in enumerate(sessions):
            session.execute("import os; x = 1")
            session.execute(("os._exit(1)", "os.abort()", "os.fork()", "open('f', 'w').write('x' * 1000000)", "1 / 0", "y = bytearray(1 << 20)")[i % 6])
            if i % 3 == 0:
                session.call("POST", "/undo")
            if i % 4 == 0:
                session.call("POST", "/reset", {"files": True})
        for session in sessions:
            self.assertEqual(session.close().status, 204)

    def test_one_shots(self):
        def several():
            for code in ("print(1)", "1 / 0", "import os; os._exit(2)", "import os; os.fork()", "import ctypes; ctypes.string_at(0)", "open('f', 'w').write('x')") * 5:
                run(code)
        threads = [threading.Thread(target=several) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)


@needs_host
class LimitsOnSessions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service(EXECUTOR_SESSIONS="6", EXECUTOR_SESSIONS_PER_CLIENT="4", EXECUTOR_STRICT_SESSIONS="2", EXECUTOR_NATIVE_LIFETIME_MS="3000",
                              IDLE_TIMEOUT_SECONDS="1", TIMEOUT_SECONDS="1", MEMORY_LIMIT_MB="40")
        cls.addClassCleanup(cls.service.close)

    def strict(self, code, **more):
        return call("POST", "/execute", {"code": code, **more}, self.service.url).json

    def test_per_client_and_lifetime(self):
        url = self.service.url
        began = time.monotonic()
        sessions = [Session(url) for _ in range(4)]
        got = call("POST", "/api/v1/sessions", {}, url)
        self.assertEqual(got.status, 429, got)
        self.assertGreaterEqual(int(got.headers["Retry-After"]), 1)
        sessions[0].close()
        sessions.append(Session(url))
        while not gone(sessions[1]):
            sessions[1].call("POST", "/execute", {"code": "1"})  # however busy it is
            self.assertLess(time.monotonic() - began, 10)
            time.sleep(0.05)
        self.assertGreater(time.monotonic() - began, 2.9)
        wait_until(lambda: all(gone(session) for session in sessions), "all have ended", 10)

    def test_settings_of_the_strict_dialect(self):
        wait_until(lambda: not call("GET", "/api/v1/sessions", None, self.service.url).json["sessions"], "no session", 20)
        one, two = self.strict("x = 1"), self.strict("x = 2")
        self.assertEqual(self.strict("x = 3")["error"], "max sessions reached")
        self.assertEqual(self.strict("bytearray(60 << 20)", id=one["id"])["error"], "memory limit exceeded")
        began = time.monotonic()
        self.assertEqual(self.strict("while True: pass", id=two["id"])["error"], "execution timeout")
        self.assertLess(time.monotonic() - began, 1.9)
        wait_until(lambda: self.strict("1", id=one["id"])["error"] == "session not found" or time.sleep(1.2), "it has idled out", 10)


@needs_host
class Daemons(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.addClassCleanup(cls.service.close)

    def setUp(self):
        self.service.wait_healthy()
        self.url, self.host = self.service.url, self.service.host
        self.base = self.host.uid_base()

    def busy_session(self):
        """A session in the middle of a cell, with a daemon of its own; their marks."""
        session = Session(self.url)
        loud, quiet = fresh_mark(), fresh_mark()
        session.execute("x = 42\nimport os\nif os.fork() == 0:\n    os.setsid()\n    " + mark_code(quiet).rstrip() + "\n    import time\n    while True: time.sleep(1)")
        connection = session.begin(mark_code(loud) + "while True: pass")
        self.addCleanup(connection.close)
        wait_until(lambda: find_marked(loud) and find_marked(quiet), "both run")
        return session, loud, quiet, connection

    def check_nothing_of(self, *marks):
        wait_until(lambda: not any(find_marked(mark) for mark in marks), "they are dead", 20)

    def check_only_the_pool(self):
        """What a fresh executor has: its zygotes and its pool, nothing older."""
        wait_until(lambda: len(self.host.sandboxes()) == 3, "just the pool is there", 30)
        members = set().union(*self.host.sandboxes().values())
        executor = self.host.pid("executor")

        def strangers():
            return [pid for pid in self.host.uid_processes(self.base) if pid not in members and f"PPid:\t{executor}\n" not in read(f"/proc/{pid}/status")]

        wait_until(lambda: not strangers() or members.clear() or members.update(*self.host.sandboxes().values()), "no process without a group", 30)
        for line in read("/proc/self/mountinfo").splitlines():
            self.assertNotIn(self.service.state, line)

    def test_executor_killed(self):
        session, loud, quiet, connection = self.busy_session()
        others = [Session(self.url) for _ in range(3)]
        pid = self.service.kill("executor")
        self.assertEqual(finish(connection).status, 503)
        self.service.wait_replaced("executor", pid)
        self.service.wait_healthy()
        for old in (session, *others):
            got = old.call("POST", "/execute", {"code": "x"})
            self.assertEqual(got.status, 404, got)
            self.assertEqual(call("POST", "/execute", {"id": old.id, "code": "x"}, self.url).json["error"], "session not found")
        self.check_nothing_of(loud, quiet)
        self.check_only_the_pool()
        self.assertEqual(run("1 + 1", self.url)["result"], "2")

    def test_executor_asked_to_stop(self):
        session, loud, quiet, connection = self.busy_session()
        pid = self.service.kill("executor", signal.SIGTERM)
        wait_until(lambda: session.call("POST", "/execute", {"code": "1"}).status == 503, "it takes nothing new")
        os.kill(pid, signal.SIGTERM)  # the second: at once
        self.assertIn(finish(connection).status, (404, 503))
        self.service.wait_replaced("executor", pid)
        self.assertIn(f"executor (process {pid}) ended with status 0", read(self.service.state + "/log/supervise.log"))
        self.service.wait_healthy()
        self.check_nothing_of(loud, quiet)
        self.check_only_the_pool()

    def test_what_runs_may_finish(self):
        with Session(self.url) as session:
            connection = session.begin("import time; time.sleep(1); 'finished'")
            wait_until(lambda: session.show()["state"] == "running", "the cell runs")
            pid = self.service.kill("executor", signal.SIGTERM)
            self.assertEqual(finish(connection).json["result"], "'finished'")
        self.service.wait_replaced("executor", pid)
        self.service.wait_healthy()
        self.check_only_the_pool()

    def test_application_killed(self):
        with Session(self.url) as session:
            session.execute("x = 42")
            pid = self.service.kill("fcgi-app")
            self.service.wait_replaced("fcgi-app", pid)
            self.service.wait_healthy()
            self.assertEqual(session.value("x"), "42")
            self.assertEqual([s["id"] for s in call("GET", "/api/v1/sessions", None, self.url).json["sessions"]], [session.id])

    def test_application_killed_while_a_cell_runs(self):
        session, loud, _, connection = self.busy_session()
        with session:
            pid = self.service.kill("fcgi-app")
            self.assertIn(finish(connection).status, (502, 503, 504))
            self.service.wait_replaced("fcgi-app", pid)
            self.service.wait_healthy()
            # its client is gone, so the cell was interrupted
            wait_until(lambda: session.show()["state"] == "idle", "the cell has ended", 20)
            self.assertEqual(session.value("x"), "42")

    def zygotes(self):
        executor = self.host.pid("executor")
        members = set().union(*self.host.sandboxes().values())
        return [pid for pid in self.host.uid_processes(self.base) if pid not in members and f"PPid:\t{executor}\n" in read(f"/proc/{pid}/status")]

    def test_a_second_one_and_a_doctor(self):
        """Neither disturbs the one that serves: its sessions, its sandboxes, its socket."""
        state = self.service.state
        daemon = self.host.pid("executor")

        def start(*arguments):
            return subprocess.run([state + "/bin/executor", "--config", state + "/executor.conf", *arguments],
                                  capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False)

        with Session(self.url) as session:
            session.execute("x = 5")
            second = start()
            self.assertEqual(second.returncode, 3, second)
            self.assertIn(f"process {daemon} holds", second.stderr)
            doctor = start("--doctor")
            self.assertEqual(doctor.returncode, 0, doctor)
            self.assertIn("holds", doctor.stdout)
            self.assertEqual(session.value("x"), "5")
            self.assertEqual(run("print('ok')", self.url)["stdout"], "ok\n")
        self.assertEqual(self.host.pid("executor"), daemon)

    def test_a_zygote_that_hangs(self):
        """It is replaced, and what waited for it is made by another."""
        hung = self.zygotes()[0]
        os.kill(hung, signal.SIGSTOP)
        for _ in range(12):
            run("print('ok')", self.url)
        wait_until(lambda: hung not in self.zygotes(), "it is replaced", 40)
        wait_until(lambda: run("print('ok')", self.url)["stdout"] == "ok\n", "it serves")

    def test_zygotes_killed(self):
        """They are replaced, and what they bore lives on."""
        with Session(self.url) as session:
            session.execute("x = 42")
            zygotes = self.zygotes()
            self.assertTrue(zygotes)
            for pid in zygotes:
                os.kill(pid, signal.SIGKILL)
            self.assertEqual(session.value("x"), "42")
            wait_until(lambda: run("1 + 1", self.url)["result"] == "2", "runs go on")
            for _ in range(6):
                self.assertEqual(run("1 + 1", self.url)["result"], "2")
            self.assertEqual(session.value("x"), "42")

    def test_an_init_killed(self):
        """From outside: the session goes on, empty, and says so."""
        with Session(self.url) as session:
            mark = fresh_mark()
            session.execute(mark_code(mark) + "x = 42")
            pid = wait_until(lambda: find_marked(mark), "it is found")[0]
            init = int(next(line for line in read(f"/proc/{pid}/status").splitlines() if line.startswith("PPid:")).split()[1])
            os.kill(init, signal.SIGKILL)
            self.check_nothing_of(mark)
            got = session.execute("'x' in globals()")
            self.assertEqual((got["result"], got["state"]), ("False", "lost"), got)
            self.assertEqual(session.value("1"), "1")
