"""One-shot runs: what comes back, and every limit with its own reason."""

import concurrent.futures
import hashlib
import os
import re
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import PATIENCE, Service, Session, begin, call, connect, find_marked, finish, fresh_mark, mark_code, needs_host, run, wait_until


class Results(unittest.TestCase):
    def test_streams_result_and_usage(self):
        got = run("import os, sys\nprint('out', flush=True)\nprint('err', file=sys.stderr)\nos.write(1, b'raw\\n')\n6 * 7")
        self.assertEqual((got["status"], got["reason"], got["return_code"], got["signal"]), ("success", None, 0, None))
        self.assertEqual((got["stdout"], got["stderr"], got["result"]), ("out\nraw\n", "err\n", "42"))
        self.assertIsNone(got["exception"])
        self.assertIsNone(got["session_id"])
        self.assertEqual(got["truncated"], {"stdout": False, "stderr": False})
        self.assertGreater(got["usage"]["memory_peak_bytes"], 100000)
        self.assertGreater(got["usage"]["cpu_ms"], 0)
        self.assertGreaterEqual(got["usage"]["wall_ms"], got["execution_time"] * 1000 - 0.01)

    def test_output_of_children_and_c_code_is_captured(self):
        got = run("import ctypes, os, subprocess\nsubprocess.run(['/bin/echo', 'child'])\nlibc = ctypes.CDLL(None)\n"
                  "libc.puts(b'from C')\nlibc.fflush(None)\nprint('python', flush=True)\nos.system('echo shell >&2')")
        self.assertEqual(got["stdout"], "child\nfrom C\npython\n")
        self.assertEqual(got["stderr"], "shell\n")

    def test_output_that_is_no_text(self):
        got = run("import sys\nsys.stdout.buffer.write(b'a\\xff\\x00\\xc3b')")
        self.assertEqual(got["stdout"], "a\ufffd\0\ufffdb")

    def test_exception(self):
        got = run("def f():\n    return 1 / 0\n\nf()")
        self.assertEqual((got["status"], got["reason"], got["return_code"]), ("error", "exception", 1))
        self.assertEqual((got["exception"]["type"], got["exception"]["message"], got["exception"]["line"]), ("ZeroDivisionError", "division by zero", 2))
        text = "\n".join(got["exception"]["traceback"])
        self.assertIn("return 1 / 0", text)
        self.assertEqual(re.findall(r'File "([^"]*)"', text), ["main.py", "main.py"])  # no frame of ours
        self.assertEqual(got["stderr"].strip(), text.strip())

    def test_syntax_error(self):
        got = run("x = (1,\nprint(2)\n)y")
        self.assertEqual((got["status"], got["reason"], got["exception"]["type"]), ("error", "exception", "SyntaxError"))
        self.assertEqual(got["stdout"], "")

    def test_exit_codes(self):
        for code, wanted in (("import sys; sys.exit(3)", 3), ("raise SystemExit", 0), ("import os; os._exit(7)", 7), ("exit('no')", 1)):
            with self.subTest(code):
                got = run(code)
                self.assertEqual((got["return_code"], got["reason"]), (wanted, "exit" if wanted else None))
        self.assertEqual(run("exit('no')")["stderr"], "no\n")

    def test_stdin(self):
        got = run("import sys\nprint(input(), '|', sys.stdin.read())\ntry: input()\nexcept EOFError: print('end')", stdin="first\nsecond\nthird")
        self.assertEqual(got["stdout"], "first | second\nthird\nend\n")

    def test_long_stdin(self):
        text = "line of text\n" * 60000
        got = run("import sys, hashlib\nprint(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())", stdin=text)
        self.assertEqual(got["stdout"].strip(), hashlib.sha256(text.encode()).hexdigest())

    def test_stdin_that_is_not_read(self):
        self.assertEqual(run("print('done')", stdin="x" * 500000)["stdout"], "done\n")

    def test_runs_know_nothing_of_each_other(self):
        run("open('/tmp/here', 'w').write('x'); open('/workspace/here', 'w').write('x'); import builtins; builtins.here = 1")
        for _ in range(12):  # more than are waiting in the pool
            got = run("import os, builtins\nprint(os.listdir('/tmp'), os.listdir('/workspace'), hasattr(builtins, 'here'))")
            self.assertEqual(got["stdout"], "[] [] False\n")

    def test_long_runs_hold_up_nobody(self):
        """They have all that was ready; who comes after them does not wait until they come back."""
        with concurrent.futures.ThreadPoolExecutor(12) as threads:
            long = [threads.submit(run, "import time; time.sleep(3)") for _ in range(12)]
            short = [run("print(1)")["stdout"] for _ in range(5)]
            self.assertEqual(short, ["1\n"] * 5)
            self.assertFalse(any(one.done() for one in long))
            self.assertEqual({one.result()["status"] for one in long}, {"success"})

    def test_sessions_begin_beside_runs_without_end(self):
        stop = threading.Event()

        def go_on():
            while not stop.is_set():
                self.assertEqual(run("print(1)")["stdout"], "1\n")

        with concurrent.futures.ThreadPoolExecutor(6) as threads:
            runs = [threads.submit(go_on) for _ in range(6)]
            try:
                for _ in range(5):
                    with Session() as session:
                        self.assertEqual(session.value("6 * 7"), "42")
            finally:
                stop.set()
            for one in runs:
                one.result()

    def test_consecutive_runs_differ_in_layout_and_seed(self):
        for _ in range(3):
            got = [run("print(id(object()), hash('x'))")["stdout"].split() for _ in range(4)]
            for i in range(2):
                self.assertEqual(len({words[i] for words in got}), 4, got)

    def test_randomness_differs(self):
        code = "import os, random, uuid\nprint(random.random(), os.urandom(8).hex(), uuid.uuid4())"
        answers = [run(code)["stdout"].split() for _ in range(16)]
        for i in range(3):
            self.assertEqual(len({words[i] for words in answers}), len(answers))


class Deaths(unittest.TestCase):
    def test_signals(self):
        for code, number in (("import ctypes; ctypes.string_at(0)", 11), ("import os; os.abort()", 6), ("import os; os.kill(os.getpid(), 9)", 9),
                             ("import os; os.kill(os.getpid(), 15)", 15)):
            with self.subTest(code):
                got = run("print('before', flush=True)\n" + code)
                self.assertEqual((got["status"], got["reason"], got["signal"], got["return_code"]), ("failed", "crash", number, -number))
                self.assertEqual(got["stdout"], "before\n")

    def test_every_descriptor_closed(self):
        got = run("import os\nprint('before', flush=True)\nos.closerange(0, 4096)\n1 + 1")
        self.assertEqual((got["status"], got["stdout"], got["result"]), ("success", "before\n", "2"))

    def test_another_program_takes_over(self):
        got = run("import os; os.execv('/bin/sh', ['sh', '-c', 'echo shell; exit 5'])")
        self.assertEqual((got["stdout"], got["return_code"], got["reason"]), ("shell\n", 5, "exit"))

    def test_threads_that_stay(self):
        got = run("import threading, time\nthreading.Thread(target=time.sleep, args=(100,), daemon=True).start()\nprint('x')")
        self.assertEqual((got["status"], got["stdout"]), ("success", "x\n"))
        self.assertLess(got["execution_time"], 50)


class Limits(unittest.TestCase):
    def check(self, code, status, reason, **more):
        got = run(code, **more)
        self.assertEqual((got["status"], got["reason"]), (status, reason), got)
        return got

    def test_wall_time(self):
        for code in ("while True: pass", "import time; time.sleep(100)", "import os; r, w = os.pipe(); os.read(r, 1)",
                     "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"
                     "def loop():\n    while True: pass\nwhile True:\n    try: loop()\n    except BaseException: pass"):
            with self.subTest(code):
                got = self.check("print('begun', flush=True)\n" + code, "timeout", "wall_time", timeout=1)
                self.assertEqual(got["stdout"], "begun\n")
                self.assertGreaterEqual(got["execution_time"], 1)
                self.assertLess(got["execution_time"], 3)

    def test_stopped_processes_are_no_way_out(self):
        self.check("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", "timeout", "wall_time", timeout=1)

    def test_memory_error(self):
        got = self.check("print('begun')\nbytearray(1 << 40)", "failed", "memory")
        self.assertEqual((got["exception"]["type"], got["stdout"]), ("MemoryError", "begun\n"))

    def test_memory_error_that_is_caught(self):
        got = run("try: bytearray(1 << 40)\nexcept MemoryError: print('caught')")
        self.assertEqual((got["status"], got["stdout"]), ("success", "caught\n"))

    def test_memory(self):
        got = self.check("print('begun', flush=True)\nx = []\nwhile True: x.append(bytearray(1 << 20))", "failed", "memory", memory_mb=64)
        self.assertEqual(got["stdout"], "begun\n")
        self.assertLessEqual(got["usage"]["memory_peak_bytes"], 64 << 20)
        self.assertGreater(got["usage"]["memory_peak_bytes"], 50 << 20)

    def test_memory_of_children_counts(self):
        self.check("import os\nfor i in range(4):\n    if os.fork() == 0:\n        x = bytearray(40 << 20)\n        import time; time.sleep(100)\n"
                   "x = [bytearray(1 << 20) for i in range(100)]\nwhile True: x.append(bytearray(1 << 20))", "failed", "memory", memory_mb=128, timeout=20)

    def test_memory_within_the_limit(self):
        self.assertEqual(run("len(bytearray(50 << 20))", memory_mb=100)["result"], str(50 << 20))

    def test_output(self):
        limit = 1 << 20
        got = self.check("import sys\nwhile True: sys.stdout.write('0123456789')", "failed", "output")
        self.assertEqual(got["stdout"], ("0123456789" * (limit // 10 + 1))[:limit])
        self.assertEqual(got["truncated"], {"stdout": True, "stderr": False})

    def test_output_of_both_streams_together(self):
        got = self.check("import os\nwhile True:\n    os.write(1, b'a' * 1000)\n    os.write(2, b'b' * 1000)", "failed", "output")
        self.assertEqual(len(got["stdout"]) + len(got["stderr"]), 1 << 20)
        self.assertTrue(got["stderr"])

    def test_output_that_just_fits(self):
        got = run("import sys\nsys.stdout.write('x' * (1 << 20))")
        self.assertEqual((got["status"], len(got["stdout"]), got["truncated"]["stdout"]), ("success", 1 << 20, False))

    def test_a_character_is_not_cut_in_half(self):
        got = self.check("import sys\nsys.stdout.write('a')\nwhile True: sys.stdout.write('\\u20ac' * 1000)", "failed", "output")
        self.assertEqual(set(got["stdout"]), {"a", "\u20ac"})

    def test_processes(self):
        got = self.check("import os, time\nn = 0\nwhile True:\n    if os.fork() == 0: time.sleep(100)\n    n += 1\n    print(n, flush=True)",
                         "failed", "processes", timeout=20)
        self.assertGreaterEqual(int(got["stdout"].split()[-1]), 60)
        self.assertLess(int(got["stdout"].split()[-1]), 80)

    def test_threads(self):
        self.check("import threading\nwhile True: threading.Thread(target=threading.Event().wait, daemon=True).start()", "failed", "processes", timeout=20)

    def test_fork_bomb(self):
        got = run("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", timeout=2)
        self.assertEqual((got["status"], got["reason"]), ("timeout", "wall_time"))

    def test_open_files(self):
        got = run("import os\nkept = []\ntry:\n    while True: kept.append(open('/dev/null'))\nexcept OSError as error: print(len(kept), error.errno)")
        count, error = got["stdout"].split()
        self.assertEqual((got["status"], error), ("success", "24"))
        self.assertEqual(int(count), 253)

    def test_file_size(self):
        got = self.check("f = open('big', 'wb')\nwhile True: f.write(bytes(1 << 20))", "failed", "disk")
        self.assertIn("[Errno 27]", got["exception"]["message"])

    def test_workspace_bytes(self):
        got = self.check("for i in range(10):\n    with open(f'/tmp/{i}', 'wb') as f:\n        for j in range(16): f.write(bytes(1 << 20))\n    print(i)",
                         "failed", "disk")
        self.assertEqual(got["stdout"].split(), ["0", "1", "2", "3"])  # 64 MiB

    def test_workspace_inodes(self):
        got = self.check("import os\nn = 0\ntry:\n    while True:\n        os.mkdir(f'd{n}')\n        n += 1\nfinally: print(n)", "failed", "disk")
        self.assertGreater(int(got["stdout"]), 8000)
        self.assertLessEqual(int(got["stdout"]), 8192)

    def test_only_downwards(self):
        for body in ({"memory_mb": 129}, {"memory_mb": 0}, {"timeout": 31}, {"timeout": 0}, {"timeout": -1}, {"memory_mb": -5}, {"timeout": "x"}):
            with self.subTest(body):
                got = call("POST", "/api/v1/execute", {"code": "1", **body})
                self.assertEqual(got.status, 422, got)
                self.assertIn(next(iter(body)).split("_")[0], got.json["errors"][0]["field"])


class Wishes(unittest.TestCase):
    """Limits in a request: only downwards, and refused by the name that the client gave."""

    def test_lowered(self):
        got = run("while True: pass", limits={"wall_ms": 300})
        self.assertEqual(got["reason"], "wall_time")
        self.assertLess(got["execution_time"], 2)
        self.assertEqual(run("print('x' * 100)", limits={"output_bytes": 10})["stdout"], "x" * 10)
        self.assertEqual(run("import resource\nresource.getrlimit(resource.RLIMIT_NOFILE)[0]", limits={"open_files": 20})["result"], "20")
        self.assertEqual(run("open('f', 'wb').write(bytes(1 << 20))", limits={"workspace_bytes": 1 << 16})["exception"]["type"], "OSError")
        self.assertEqual(run("1", limits={"memory_bytes": 32 << 20, "cpu_ms": None}, timeout=2)["status"], "success")

    def test_refused_by_name(self):
        for body, field, expected in (({"memory_mb": 129}, "memory_mb", "at most 128"), ({"memory_mb": 1}, "memory_mb", "at least 16"),
                                      ({"profile": "repl", "timeout": 20}, "timeout", "at most 10"),
                                      ({"limits": {"memory_bytes": 1 << 40}}, "limits.memory_bytes", "at most 134217728"),
                                      ({"limits": {"wall_ms": 0}}, "limits.wall_ms", "at least 1"), ({"limits": {"wall_ms": 1.5}}, "limits.wall_ms", "whole number"),
                                      ({"limits": {"idle_ms": 5}}, "limits.idle_ms", "sessions"), ({"limits": {"nothing": 5}}, "limits.nothing", "not known here"),
                                      ({"limits": {"wall_ms": 5}, "timeout": 1}, "timeout", "limits.wall_ms"), ({"limits": 5}, "limits", "an object")):
            with self.subTest(body):
                got = call("POST", "/api/v1/execute", {"code": "1", **body})
                self.assertEqual((got.status, got.json["errors"][0]["field"]), (422, field))
                self.assertIn(expected, got.json["errors"][0]["message"])


class Refusals(unittest.TestCase):
    def test_what_is_wrong_is_named(self):
        for body, field in (({}, "code"), ({"code": ""}, "code"), ({"code": 5}, "code"), ({"code": "1", "stdin": 3}, "stdin"),
                            ({"code": "1", "profile": "none"}, "profile"), ({"code": "1", "language": "c"}, "language")):
            with self.subTest(body):
                got = call("POST", "/api/v1/execute", body)
                self.assertEqual((got.status, got.headers["Content-Type"]), (422, "application/problem+json"), got)
                self.assertEqual(got.json["errors"][0]["field"], field)


@needs_host
class Busy(unittest.TestCase):
    """A service that runs one program at a time and lets one wait."""

    @classmethod
    def setUpClass(cls):
        cls.service = Service(EXECUTOR_RUNNING="1", EXECUTOR_QUEUE="1", EXECUTOR_QUEUE_MS="1500")
        cls.addClassCleanup(cls.service.close)

    def begin(self, code, **more):
        connection = begin("POST", "/api/v1/execute", {"code": code, **more}, self.service.url)
        self.addCleanup(connection.close)
        return connection

    def occupy(self):
        mark = fresh_mark()
        connection = self.begin(mark_code(mark) + "import time; time.sleep(20)")
        wait_until(lambda: find_marked(mark), "the program runs")
        return mark, connection

    def test_full_queue_and_waiting_time(self):
        _, first = self.occupy()
        began = time.monotonic()
        answers = []

        def ask():
            got = call("POST", "/api/v1/execute", {"code": "1"}, self.service.url)
            answers.append((time.monotonic() - began, got))

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        first.close()
        for _, got in answers:
            self.assertEqual(got.status, 503, got)
            self.assertGreaterEqual(int(got.headers["Retry-After"]), 1)
            self.assertEqual(got.json["status"], 503)
        (soon, _), (late, _) = sorted(answers, key=lambda pair: pair[0])
        self.assertLess(soon, 1.4)  # no place to wait
        self.assertGreaterEqual(late, 1.5)  # waited for its time
        wait_until(lambda: call("POST", "/api/v1/execute", {"code": "1"}, self.service.url).status == 200, "serves again")

    def test_a_place_is_free_as_soon_as_the_client_hangs_up(self):
        mark, first = self.occupy()
        second = self.begin("'second'")
        first.close()
        self.assertEqual(finish(second).json["result"], "'second'")
        wait_until(lambda: not find_marked(mark), "the program is dead")


@needs_host
class HangingUp(unittest.TestCase):
    def test_the_program_dies(self):
        for code in ("while True: pass", "import time; time.sleep(25)", "import signal, time\nsignal.signal(2, signal.SIG_IGN)\ntime.sleep(25)",
                     "while True: print('x' * 50, flush=True); import time; time.sleep(0.01)",
                     "import os\nif os.fork() == 0: os.setsid()\nimport time; time.sleep(25)"):
            with self.subTest(code):
                mark = fresh_mark()
                connection = begin("POST", "/api/v1/execute", {"code": mark_code(mark) + code})
                wait_until(lambda: find_marked(mark), "the program runs")
                connection.close()
                began = time.monotonic()
                wait_until(lambda: not find_marked(mark), "the program is dead", 10)
                self.assertLess(time.monotonic() - began, 5)

    def test_a_request_that_breaks_off(self):
        connection = connect()
        connection.putrequest("POST", "/api/v1/execute")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b'{"code": "1')
        connection.close()
        self.assertEqual(run("1")["result"], "1")
