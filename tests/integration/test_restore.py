"""Sessions never die of what their code did: after each of these the next cell finds all variables."""

import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import Session, call, find_marked, finish, fresh_mark, mark_code, needs_host, wait_until

IGNORE_ALL = "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"


class Restore(unittest.TestCase):
    def setUp(self):
        self.session = Session()
        self.addCleanup(self.session.close)
        self.session.execute("import math, os\nx = {'list': [1, 2]}\nclass Kept: pass\nkept = Kept()\nopen('file', 'w').write('before')")

    def check_alive(self, value="{'list': [1, 2]}"):
        got = self.session.execute("kept.y = math.pi\nx, type(kept).__name__")
        self.assertEqual(got["result"], f"({value}, 'Kept')", got)
        self.assertEqual(got["state"], "kept")

    def check(self, code, state="restored", wanted=None, **more):
        """A cell that changes x and then does something bad; its answer."""
        began = time.monotonic()
        got = self.session.execute("x['list'].append(3)\nprint('begun', flush=True)\n" + code, **more)
        self.assertEqual(got["state"], state, got)
        self.assertTrue(got["stdout"].startswith("begun\n"))
        self.assertTrue(got["note"])
        if wanted:
            self.assertEqual((got["status"], got["reason"]), wanted, got)
        self.check_alive("{'list': [1, 2]}" if state == "restored" else "{'list': [1, 2, 3]}")
        self.took = time.monotonic() - began
        return got

    def test_infinite_loop(self):
        self.check("while True: pass", "kept", ("timeout", "wall_time"), timeout=2)
        self.assertLess(self.took, 2.5)

    def test_sleep(self):
        self.check("import time; time.sleep(25)", "kept", ("timeout", "wall_time"), timeout=1)

    def test_loop_in_c_code(self):
        self.check("import itertools; sum(itertools.repeat(1))", "restored", ("timeout", "wall_time"), timeout=1)

    def test_ignored_interrupt(self):
        self.check("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass", "restored", ("timeout", "wall_time"), timeout=1)
        self.assertLess(self.took, 2)

    def test_caught_interrupt(self):
        self.check("def loop():\n    while True: pass\nwhile True:\n    try: loop()\n    except BaseException: pass", "restored", ("timeout", "wall_time"), timeout=1)

    def test_every_signal_ignored(self):
        self.check(IGNORE_ALL + "while True: pass", "restored", ("timeout", "wall_time"), timeout=1)

    def test_every_signal_blocked(self):
        self.check("import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\nwhile True: pass", "restored",
                   ("timeout", "wall_time"), timeout=1)

    def test_os_exit(self):
        got = self.check("os._exit(1)", "restored", ("error", "exit"))
        self.assertEqual(got["return_code"], 1)
        self.check("os._exit(0)")

    def test_segmentation_fault(self):
        got = self.check("import ctypes; ctypes.string_at(0)", "restored", ("failed", "crash"))
        self.assertEqual(got["signal"], 11)

    def test_abort(self):
        self.assertEqual(self.check("os.abort()")["signal"], 6)

    def test_killed_by_itself(self):
        got = self.check("os.kill(os.getpid(), 9)", "restored", ("failed", "crash"))
        self.assertEqual(got["signal"], 9)

    def test_stopped_by_itself(self):
        self.check("import signal; os.kill(os.getpid(), signal.SIGSTOP)", "restored", ("timeout", "wall_time"), timeout=1)

    def test_own_process_group(self):
        self.check("os.killpg(0, 9)", "restored", ("failed", "crash"))

    def test_everything_that_can_be_signalled(self):
        # the checkpoints have the program's own uid
        for target in ("-1", "0"):
            got = self.session.execute(f"try: os.kill({target}, 9)\nexcept OSError as e: print(e.errno)")
            self.assertIn(got["state"], ("kept", "restored"))
            self.check_alive()

    def test_fork_bomb(self):
        began = time.monotonic()
        got = self.session.execute("while True:\n    try: os.fork()\n    except OSError: pass", timeout=2)
        self.assertEqual((got["status"], got["reason"]), ("timeout", "wall_time"))
        self.assertIn(got["state"], ("kept", "restored"))  # if it can be interrupted
        self.check_alive()
        self.assertLess(time.monotonic() - began, 4)

    def test_fork_bomb_that_leaves(self):
        got = self.session.execute("for i in range(40):\n    if os.fork() == 0:\n        os.setsid()\n        while True: pass", timeout=5)
        self.assertEqual(got["status"], "success")
        self.check_alive()  # beside 40 loops
        self.assertEqual(self.session.call("POST", "/reset").status, 200)
        self.assertEqual(self.session.value("1"), "1")

    def test_stopped_children(self):
        self.check("import signal\nfor i in range(20):\n    if os.fork() == 0:\n        os.kill(os.getpid(), signal.SIGSTOP)\nos._exit(1)")

    def test_memory_bomb(self):
        got = self.session.execute("x['list'].append(3)\nbomb = []\nwhile True: bomb.append(bytearray(1 << 20))")
        self.assertEqual((got["status"], got["reason"]), ("failed", "memory"), got)
        self.assertIn(got["state"], ("restored", "lost"))
        if got["state"] == "restored":
            self.check_alive()
        else:  # honestly: nothing is there, and it goes on
            self.assertEqual(self.session.value("'x' in globals()"), "False")

    def test_memory_bomb_in_a_child(self):
        self.session.execute("if os.fork() == 0:\n    y = []\n    while True: y.append(bytearray(1 << 20))\nos.wait()")
        got = self.session.execute("1")
        self.assertEqual(got["result"], "1")

    def test_deep_recursion(self):
        got = self.session.execute("import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(): f()\nf()", timeout=20)
        self.assertNotEqual(got["status"], "success")
        self.check_alive()

    def test_every_descriptor_closed(self):
        got = self.session.execute("print('a', flush=True)\nos.closerange(0, 4096)\nprint('b', flush=True)")
        self.assertEqual(got["stdout"], "a\n", got)
        got = self.session.execute("print('c')\nimport sys; print('d', file=sys.stderr)")
        self.assertEqual((got["stdout"], got["stderr"]), ("c\n", "d\n"))
        self.check_alive()

    def test_descriptors_replaced(self):
        self.session.execute("other = os.open('other', os.O_RDWR | os.O_CREAT)\nfor n in (0, 1, 2): os.dup2(other, n)")
        self.assertEqual(self.session.execute("print('seen')")["stdout"], "seen\n")
        self.assertEqual(self.session.execute("input()", stdin="given\n")["result"], "'given'")

    def test_stdout_closed_or_replaced_in_python(self):
        self.session.execute("import sys, io\nsys.stdout.close()\nsys.stderr = None\nsys.stdin = io.StringIO('x')")
        self.assertEqual(self.session.value("40 + 2"), "42")
        self.session.execute("sys.stdout = sys.__stdout__ = io.StringIO()")
        self.check_alive()

    def test_another_program(self):
        got = self.check("os.execv('/bin/sh', ['sh', '-c', 'echo from the shell; exit 3'])")
        self.assertEqual((got["stdout"], got["return_code"]), ("begun\nfrom the shell\n", 3))

    def test_another_program_that_stays(self):
        self.check("os.execv('/bin/sleep', ['sleep', '25'])", "restored", ("timeout", "wall_time"), timeout=1)

    def test_dies_between_two_cells(self):
        self.session.execute("import threading, time\ngo = threading.Event()\n"
                             "threading.Thread(target=lambda: (go.wait(), time.sleep(0.05), os._exit(9)), daemon=True).start()")
        self.assertEqual(self.session.execute("go.set(); x['list'].append('late')")["state"], "kept")
        # its end is told with the cell that comes next
        wait_until(lambda: self.session.execute("'next'")["state"] == "restored", "it says that it was restored", 20)
        self.assertEqual(self.session.value("x['list'][:2], type(kept).__name__"), "([1, 2], 'Kept')")

    def test_threads_do_not_survive(self):
        self.session.execute("import threading, time\nn = 0\ndef count():\n    global n\n    while True:\n        n += 1\n        time.sleep(0.001)\n"
                             "threading.Thread(target=count, daemon=True).start()")
        self.assertEqual(self.session.execute("os._exit(1)")["state"], "restored")
        self.assertEqual(self.session.value("before = n; time.sleep(0.1); n - before"), "0")
        self.assertEqual(self.session.value("threading.active_count()"), "1")
        self.check_alive()

    def test_a_lock_that_a_thread_held(self):
        self.session.execute("import threading, time\nlock = threading.Lock()\ndef hold():\n    with lock: time.sleep(1000)\n"
                             "threading.Thread(target=hold, daemon=True).start()\nwhile not lock.locked(): time.sleep(0.001)")
        self.session.execute("os._exit(1)")
        self.check_alive()
        self.assertEqual(self.session.value("lock.acquire(timeout=0.01)"), "False")  # as after any fork

    def test_open_files(self):
        self.session.execute("f = open('data', 'w+')\nf.write('one ')\nf.flush()")
        self.session.execute("f.write('two '); f.flush(); os._exit(1)")
        self.assertEqual(self.session.value("f.write('three'), f.flush(), f.seek(0), f.read()[:4]"), "(5, None, 0, 'one ')")

    def test_children_of_the_cell_are_gone(self):
        self.session.execute("children = []\nfor i in range(5):\n    children.append(os.fork())\n    if not children[-1]:\n        import time; time.sleep(1000)")
        self.session.execute("os._exit(1)")
        self.assertEqual(self.session.value("len(children), [os.path.exists(f'/proc/{p}') for p in children]"), "(5, [False, False, False, False, False])")
        self.check_alive()

    def test_the_last_result(self):
        """What no checkpoint has is made again; None is not a result."""
        for number, more in (("5", "5"), ("6", "None"), ("7", "y = 0")):
            self.session.execute(number)
            self.session.execute(more)
            self.assertEqual(self.session.execute("os._exit(1)")["state"], "restored")
            self.assertEqual(self.session.value("_"), number)

    def test_a_long_cell_is_not_run_again(self):
        self.session.execute("n = 9")
        took = self.session.execute("0 * n**8**7")["usage"]["wall_ms"]
        self.assertEqual(self.session.execute("os._exit(1)")["state"], "restored")
        got = self.session.execute("_")
        self.assertEqual(got["result"], "0")
        self.assertLess(got["usage"]["wall_ms"], took / 2)

    def test_again_and_again(self):
        for i in range(12):
            self.assertEqual(self.session.execute(f"x['n'] = {i}")["state"], "kept")
            self.assertEqual(self.session.execute("x['n'] = -1; os._exit(1)")["state"], "restored")
            self.assertEqual(self.session.value("x['n']"), str(i))

    def test_bad_cells_in_a_row(self):
        for code in ("os._exit(1)", "os.abort()", "os.kill(os.getpid(), 9)", "os._exit(2)", "import ctypes; ctypes.string_at(0)") * 2:
            self.assertEqual(self.session.execute(code)["state"], "restored")
        self.check_alive()

    def test_before_any_good_cell(self):
        with Session() as fresh:
            got = fresh.execute("import os; os._exit(1)")
            self.assertEqual(got["state"], "restored")  # there was nothing to be lost
            self.assertEqual(fresh.value("1"), "1")

    def test_hooks_that_hang_the_copy(self):
        self.session.execute("import time\nos.register_at_fork(before=lambda: time.sleep(1000))")
        got = self.session.execute("1")
        self.assertIn(got["state"], ("restored", "lost", "kept"))
        self.assertEqual(got["result"], "1", got)

    def test_hooks_that_fail(self):
        self.session.execute("def bad(): raise RuntimeError\nos.register_at_fork(before=bad, after_in_child=bad, after_in_parent=bad)")
        self.check_alive()
        self.assertEqual(self.session.execute("os._exit(1)")["state"], "restored")
        self.check_alive()

    def test_state_the_interpreter_hides(self):
        self.session.execute("import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)\nimport gc; gc.disable()\n"
                             "import builtins; del builtins.compile; builtins.exec = None; sys.modules.clear()")
        self.assertEqual(self.session.execute("6 * 7")["result"], "42")

    def test_workspace_is_not_turned_back(self):
        self.session.execute("open('file', 'w').write('after'); os._exit(1)")
        self.assertEqual(self.session.value("open('file').read()"), "'after'")


@needs_host
class Children(unittest.TestCase):
    def test_daemons_of_a_cell_end_with_its_restore_and_with_the_session(self):
        mark = fresh_mark()
        daemon = "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        " + mark_code(mark).rstrip() + "\n        while True: pass\n    os._exit(0)\n"
        with Session() as session:
            session.execute("x = 1")
            self.assertEqual(session.execute(daemon)["status"], "success")
            wait_until(lambda: find_marked(mark), "the daemon runs")
            self.assertEqual(session.execute("import os; os._exit(1)")["state"], "restored")
            self.assertFalse(find_marked(mark))
            self.assertEqual(session.value("x"), "1")
            session.execute(daemon)
            wait_until(lambda: find_marked(mark), "the daemon runs")
        wait_until(lambda: not find_marked(mark), "it ends with its session", 10)

    def test_process_limit_used_up(self):
        """The room for a checkpoint and a command is not the program's to take."""
        with Session() as session:
            session.execute("import threading, time\ntry:\n    while True: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
                            "except RuntimeError: x = 5")
            got = session.call("POST", "/run", {"cmd": "echo here"}).json
            self.assertEqual((got["status"], got["stdout"]), ("success", "here\n"), got)
            session.execute("y = 6")
            self.assertEqual(session.execute("import os; os._exit(1)")["state"], "restored")
            self.assertEqual(session.value("x, y"), "(5, 6)")

    def test_a_killed_interpreter(self):
        """As the kernel or an operator would do it, from outside, between two cells."""
        mark = fresh_mark()
        with Session() as session:
            session.execute(mark_code(mark) + "x = 1")
            session.execute("x")  # which nothing is left for to be run again
            for pid in wait_until(lambda: find_marked(mark), "it is found"):
                os.kill(pid, 9)  # the checkpoint too: it has the name as well

            def is_told():
                got = session.execute("1")
                self.assertEqual((got["result"], got["stderr"]), ("1", ""))
                return got["state"] in ("restored", "lost")

            wait_until(is_told, "it says what happened", 20)
            self.assertEqual(session.value("2"), "2")
