"""Sessions: what lives on between cells, and every call there is for them."""

import os
import sys
import threading
import time
import unittest
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import PATIENCE, STATE, Session, begin, call, find_marked, finish, fresh_mark, mark_code, needs_host, wait_until


class WithSession(unittest.TestCase):
    def setUp(self):
        self.session = Session()
        self.addCleanup(self.session.close)

    def runs(self):
        return self.session.show()["state"] == "running"

    def in_background(self, code, before="", **more):
        """Start a cell, `before` and then `code`, and wait until it is at the code, or near:
        until it has used some CPU time."""
        used = self.session.show()["usage"]["cpu_ms"]
        connection = self.session.begin(before + "\nfor _ in range(10 ** 6): pass\n" + code, **more)
        self.addCleanup(connection.close)
        wait_until(lambda: self.session.show()["usage"]["cpu_ms"] > used + 10 and self.runs(), "the cell runs")
        return connection


class Namespace(WithSession):
    def test_variables_imports_functions_and_classes(self):
        cell = self.session.execute
        cell("import math\nx = 20\ndef double(n): return n * 2\nclass Point:\n    def __init__(self, x): self.x = x")
        self.assertEqual(self.session.value("Point(double(x) + math.floor(2.9)).x"), "42")

    def test_last_result(self):
        self.assertEqual(self.session.value("6 * 7"), "42")
        self.assertEqual(self.session.value("_ + 1"), "43")
        self.assertIsNone(self.session.value("x = 5"))
        self.assertEqual(self.session.value("_"), "43")

    def test_main_module(self):
        self.assertEqual(self.session.value("__name__"), "'__main__'")
        self.session.execute("import dataclasses, pickle, typing\n@dataclasses.dataclass\nclass Box:\n    n: 'int'")
        self.assertEqual(self.session.value("pickle.loads(pickle.dumps(Box(5))), typing.get_type_hints(Box)"), "(Box(n=5), {'n': <class 'int'>})")

    def test_traceback_shows_earlier_cells(self):
        self.session.execute("def divide(n):\n    return 1 / n  # the culprit")
        got = self.session.execute("divide(0)")
        self.assertEqual((got["status"], got["reason"], got["state"]), ("error", "exception", "kept"))
        self.assertIn("return 1 / n  # the culprit", got["stderr"])
        self.assertEqual(got["exception"]["type"], "ZeroDivisionError")

    def test_top_level_await(self):
        got = self.session.execute("import asyncio\nawait asyncio.sleep(0.01)\nawait asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2))")
        self.assertEqual(got["result"], "[1, 2]", got)

    def test_exit_ends_the_cell_only(self):
        self.session.execute("x = 1")
        for code in ("exit(4)", "quit(4)", "import sys; sys.exit(4)", "raise SystemExit(4)"):
            got = self.session.execute(code)
            self.assertEqual((got["reason"], got["return_code"], got["state"]), ("exit", 4, "kept"), code)
        self.assertEqual(self.session.value("x"), "1")

    def test_stdin_is_each_cells_own(self):
        self.assertEqual(self.session.execute("a = input()", stdin="one\ntwo\n")["status"], "success")
        got = self.session.execute("b = input()", stdin="three\n")
        self.assertEqual(self.session.value("a, b"), "('one', 'three')", got)
        self.assertEqual(self.session.execute("input()")["exception"]["type"], "EOFError")

    def test_files_stay(self):
        self.session.execute("open('note', 'w').write('kept')\nf = open('note')")
        self.assertEqual(self.session.value("f.read(), open('/workspace/note').read()"), "('kept', 'kept')")

    def test_output_of_a_cell_is_its_own(self):
        self.assertEqual(self.session.execute("import sys; sys.stdout.write('no line end')")["stdout"], "no line end")
        self.assertEqual(self.session.execute("print('next')")["stdout"], "next\n")
        self.assertEqual(self.session.execute("pass")["stdout"], "")

    def test_a_thread_of_c_code(self):
        """What it prints between two cells that only look comes out with the next."""
        self.session.execute("import ctypes, sys\n@ctypes.CFUNCTYPE(None, ctypes.c_void_p)\ndef call(value): sys.stdout.write('called')\n"
                             "class Event(ctypes.Structure):\n    _fields_ = [('value', ctypes.c_void_p), ('signal', ctypes.c_int), ('notify', ctypes.c_int),\n"
                             "                ('function', type(call)), ('rest', ctypes.c_char * 64)]\n"
                             "event, timer, libc = Event(None, 0, 2, call), ctypes.c_void_p(), ctypes.CDLL(None)\n"
                             "assert not libc.timer_create(1, ctypes.byref(event), ctypes.byref(timer))\n"
                             "assert not libc.timer_settime(timer, 0, (ctypes.c_long * 4)(0, 0, 0, 200000000), None)")
        wait_until(lambda: self.session.execute("1")["stdout"] == "called", "it is called", 20)

    @needs_host
    def test_writing_between_cells_is_nobodys_work(self):
        """A thread that goes on writing waits; the executor does not read for nothing."""
        def executor_cpu():
            with open(os.path.join(STATE, "executor.pid"), encoding="ascii") as file:
                pid = file.read().split()[0]
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        with Session() as session:
            session.execute("import threading\ndef write():\n    while True: print('x' * 1000)\n"
                            "threading.Thread(target=write, daemon=True).start()")

            def used_in_a_second():
                before = executor_cpu()
                time.sleep(1)
                return executor_cpu() - before

            wait_until(lambda: used_in_a_second() < 0.2, "the executor rests", 10)
            self.assertEqual(session.value("1 + 1"), "2")

    def test_threads_live_on(self):
        self.session.execute("import threading\nasked, told = threading.Event(), threading.Event()\n"
                             "def serve():\n    asked.wait()\n    told.set()\nthreading.Thread(target=serve, daemon=True).start()")
        self.assertEqual(self.session.value("asked.set(), told.wait(20)"), "(None, True)")

    def test_much_data(self):
        self.session.execute("data = bytearray(100 << 20)")
        for i in range(5):
            self.assertEqual(self.session.execute(f"data[{i}] = {i}")["state"], "kept")
        self.assertEqual(self.session.value("len(data), list(data[:5])"), f"({100 << 20}, [0, 1, 2, 3, 4])")
        got = self.session.execute("import os; os._exit(1)")
        self.assertEqual(got["state"], "restored", got)
        self.assertEqual(self.session.value("len(data), list(data[:5])"), f"({100 << 20}, [0, 1, 2, 3, 4])")


class Calls(WithSession):
    def test_description(self):
        shown = self.session.show()
        self.assertEqual(uuid.UUID(self.session.id).version, 4)
        self.assertEqual((shown["id"], shown["profile"], shown["state"], shown["executions"]), (self.session.id, "native", "idle", 0))
        self.assertLess(shown["created"], shown["expires"])
        self.assertEqual(shown["limits"]["memory_bytes"], 128 << 20)
        self.session.execute("x = bytearray(20 << 20)")
        after = self.session.show()
        self.assertEqual(after["executions"], 1)
        self.assertGreater(after["usage"]["memory_bytes"], 20 << 20)
        self.assertGreaterEqual(after["last_used"], shown["last_used"])

    def test_list(self):
        got = call("GET", "/api/v1/sessions")
        self.assertEqual(got.status, 200)
        self.assertEqual([s["profile"] for s in got.json["sessions"] if s["id"] == self.session.id], ["native"])

    def test_ids_of_the_client(self):
        name = "A-client.made_id" + fresh_mark()
        with Session(id=name) as own:
            self.assertEqual(own.id, name)
            got = call("POST", "/api/v1/sessions", {"id": name})
            self.assertEqual((got.status, got.headers["Content-Type"]), (409, "application/problem+json"))
            self.assertEqual(own.value("1"), "1")
        for wrong in ("", "-x", "a/b", "a b", "x" * 129, ".."):
            self.assertEqual(call("POST", "/api/v1/sessions", {"id": wrong}).status, 422, wrong)

    def test_location(self):
        got = call("POST", "/api/v1/sessions", {})
        self.addCleanup(call, "DELETE", got.headers["Location"])
        self.assertEqual(call("GET", got.headers["Location"]).json["id"], got.json["id"])

    def test_unknown_sessions(self):
        nobody = "/api/v1/sessions/" + str(uuid.uuid4())
        for method, what, body in (("GET", "", None), ("DELETE", "", None), ("POST", "/execute", {"code": "1"}), ("POST", "/interrupt", None),
                                   ("POST", "/reset", None), ("POST", "/undo", None), ("GET", "/variables", None), ("GET", "/history", None)):
            with self.subTest(method + what):
                got = call(method, nobody + what, body)
                self.assertEqual((got.status, got.json["status"]), (404, 404))

    def test_delete(self):
        self.assertEqual(self.session.close().status, 204)
        self.assertEqual(self.session.close().status, 404)
        self.assertEqual(self.session.call("POST", "/execute", {"code": "1"}).status, 404)

    def test_variables(self):
        self.session.execute("import os\nnumber = 42\ntext = 'x' * 100000\n_hidden = 1\ndef f(): pass\n"
                             "class Bad:\n    def __repr__(self): raise RuntimeError\nbad = Bad()")
        got = self.session.call("GET", "/variables")
        self.assertEqual(got.status, 200, got)
        found = {v["name"]: v for v in got.json["variables"]}
        self.assertEqual((found["number"]["type"], found["number"]["repr"]), ("int", "42"))
        self.assertGreater(found["text"]["size"], 100000)
        self.assertLess(len(found["text"]["repr"]), 5000)
        self.assertIn("bad", found)
        self.assertEqual(self.session.value("number"), "42")
        self.assertEqual(self.session.show()["executions"], 2)  # looking is no cell

    def test_history(self):
        self.session.execute("x = 1")
        self.session.execute("x + 1")
        self.session.execute("1 / 0")
        self.session.execute("import os; os._exit(1)")
        cells = self.session.call("GET", "/history").json["history"]
        self.assertEqual([c["execution"] for c in cells], [1, 2, 3, 4])
        self.assertEqual([c["code"] for c in cells], ["x = 1", "x + 1", "1 / 0", "import os; os._exit(1)"])
        self.assertEqual([c["status"] for c in cells], ["success", "success", "error", "error"])
        self.assertEqual([c["reason"] for c in cells], [None, None, "exception", "exit"])
        self.assertEqual([c["state"] for c in cells], ["kept", "kept", "kept", "restored"])
        self.assertEqual(cells[1]["result"], "2")

    def test_history_is_bounded(self):
        for i in range(103):
            self.session.execute(f"{i}")
        cells = self.session.call("GET", "/history").json["history"]
        self.assertEqual([cells[0]["execution"], cells[-1]["execution"], len(cells)], [4, 103, 100])

    def test_reset(self):
        self.session.execute("x = 1; import math; open('file', 'w').write('kept')")
        self.assertEqual(self.session.call("POST", "/reset").status, 200)
        self.assertEqual(self.session.value("'x' in globals(), 'math' in globals(), open('file').read()"), "(False, False, 'kept')")
        self.assertEqual(self.session.call("POST", "/undo").status, 200)  # the cell above
        self.assertEqual(self.session.call("POST", "/undo").status, 409)  # not past the reset

    def test_reset_with_files(self):
        self.session.execute("import os\nos.makedirs('a/b/c'); open('a/b/c/d', 'w').close()\nos.symlink('/etc', 'link')")
        self.assertEqual(self.session.call("POST", "/reset", {"files": True}).status, 200)
        self.assertEqual(self.session.value("__import__('os').listdir('/workspace')"), "[]")

    def test_undo(self):
        for i in range(1, 6):
            self.session.execute(f"x = {i}")
        levels = []
        for wanted in ("4", "3", "2"):
            got = self.session.call("POST", "/undo")
            self.assertEqual(got.status, 200, got)
            levels.append(got.json["undo_levels"])
            # looked at from outside: a cell would be one more to undo
            seen = {v["name"]: v["repr"] for v in self.session.call("GET", "/variables").json["variables"]}
            self.assertEqual(seen["x"], wanted)
        self.assertEqual(levels, [2, 1, 0])
        self.assertEqual(self.session.call("POST", "/undo").status, 409)
        self.assertEqual(self.session.value("x"), "2")

    def test_undo_to_the_beginning(self):
        self.assertEqual(self.session.call("POST", "/undo").status, 409)
        self.session.execute("x = 1")
        self.assertEqual(self.session.call("POST", "/undo").status, 200)
        self.assertEqual(self.session.execute("x")["exception"]["type"], "NameError")

    def test_undo_and_the_last_result(self):
        for code in ("x = 1", "5", "None", "6"):
            self.session.execute(code)
        self.session.call("POST", "/undo")  # 6
        self.session.call("POST", "/undo")  # None
        self.assertEqual(self.session.value("x, _"), "(1, 5)")
        self.session.call("POST", "/undo")
        self.session.execute("x = 2")
        self.session.call("POST", "/undo")
        self.assertEqual(self.session.value("x, _"), "(1, 5)")

    def test_undo_of_a_failed_cell(self):
        self.session.execute("x = [1]")
        self.session.execute("x.append(2)\n1 / 0")
        self.assertEqual(self.session.value("x"), "[1, 2]")  # as in any interpreter
        self.session.call("POST", "/undo")
        self.session.call("POST", "/undo")
        self.assertEqual(self.session.value("x"), "[1]")

    def test_undo_after_a_restore(self):
        self.session.execute("x = 1")
        self.session.execute("x = 2")
        self.assertEqual(self.session.execute("import os; os._exit(3)")["state"], "restored")
        self.assertEqual(self.session.call("POST", "/undo").status, 200)
        self.assertEqual(self.session.value("x"), "1")

    def test_interrupt(self):
        self.session.execute("x = 1")
        for code in ("while True: pass", "import time; time.sleep(25)"):
            connection = self.in_background(code, before="x = 2")
            self.assertEqual(self.session.call("POST", "/interrupt").status, 200)
            got = finish(connection).json
            self.assertEqual((got["status"], got["reason"], got["state"]), ("error", "interrupted", "kept"))
            self.assertEqual(got["exception"]["type"], "KeyboardInterrupt")
            self.assertEqual(self.session.value("x"), "2")

    def test_interrupt_that_is_ignored(self):
        self.session.execute("x = 1")
        connection = self.in_background("while True: pass", before="import signal\nsignal.signal(2, signal.SIG_IGN)\nx = 2")
        began = time.monotonic()
        self.session.call("POST", "/interrupt")
        got = finish(connection).json
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual((got["reason"], got["state"]), ("interrupted", "restored"))
        self.assertEqual(self.session.value("x"), "1")

    def test_interrupt_of_nothing(self):
        self.assertEqual(self.session.call("POST", "/interrupt").status, 409)


class Limits(unittest.TestCase):
    def test_downwards(self):
        with Session(limits={"memory_bytes": 64 << 20, "wall_ms": 1000, "processes": 8, "output_bytes": 10}, idle_timeout=100) as own:
            limits = own.show()["limits"]
            self.assertEqual((limits["memory_bytes"], limits["wall_ms"], limits["processes"], limits["idle_ms"]), (64 << 20, 1000, 8, 100000))
            got = own.execute("print('0123456789abc')")
            self.assertEqual((got["stdout"], got["reason"], got["state"]), ("0123456789", "output", "kept"))
            got = own.execute("while True: pass")
            self.assertEqual((got["reason"], got["state"]), ("wall_time", "kept"))
            self.assertLess(got["execution_time"], 3)

    def test_not_upwards(self):
        for limits in ({"memory_bytes": 1 << 40}, {"wall_ms": 3600000}, {"processes": 65}, {"memory_bytes": 0}, {"nothing": 1}, {"wall_ms": "x"}):
            with self.subTest(limits):
                got = call("POST", "/api/v1/sessions", {"limits": limits})
                self.assertEqual(got.status, 422, got)
                self.assertIn(next(iter(limits)), got.json["errors"][0]["field"])
        for body, field in (({"idle_timeout": 100000}, "idle_timeout"), ({"limits": {"idle_ms": 10 ** 9}}, "limits.idle_ms"),
                            ({"limits": {"idle_ms": 0}}, "limits.idle_ms"), ({"limits": {"lifetime_ms": 10 ** 12}}, "limits.lifetime_ms"),
                            ({"limits": {"undo_depth": 4}}, "limits.undo_depth"), ({"limits": {"undo_depth": -1}}, "limits.undo_depth"),
                            ({"limits": {"idle_ms": 5000}, "idle_timeout": 5}, "idle_timeout")):
            with self.subTest(body):
                got = call("POST", "/api/v1/sessions", body)
                self.assertEqual((got.status, [error["field"] for error in got.json["errors"]]), (422, [field]))
        self.assertIn("at most 3600", call("POST", "/api/v1/sessions", {"idle_timeout": 100000}).json["detail"])

    def test_lives_as_long_as_it_may(self):
        for limits in ({"idle_ms": 1000}, {"lifetime_ms": 1000}):
            with self.subTest(limits), Session(limits=limits) as own:
                self.assertEqual(own.show()["limits"][next(iter(limits))], 1000)
                self.assertLess(own.show()["expires"], time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 10)))
                time.sleep(1.2)  # without asking, which would count as a use
                self.assertEqual(own.call("GET", "").status, 404)

    def test_undoes_as_much_as_it_may(self):
        with Session(limits={"undo_depth": 1}) as own:
            for cell in ("x = 1", "x = 2", "x = 3"):
                own.execute(cell)
            self.assertEqual(own.call("POST", "/undo").json["undo_levels"], 0)
            self.assertEqual(own.call("POST", "/undo").status, 409)
            self.assertEqual(own.value("x"), "2")
        with Session(limits={"undo_depth": 0}) as own:
            own.execute("x = 1")
            self.assertEqual(own.call("POST", "/undo").status, 409)
            self.assertEqual(own.execute("import os; os._exit(1)")["state"], "restored")
            self.assertEqual(own.value("x"), "1")

    def test_cpu_time(self):
        with Session(limits={"cpu_ms": 300}) as own:
            own.execute("x = 1")
            began = time.monotonic()
            got = own.execute("while True: pass")
            self.assertEqual((got["status"], got["reason"], got["state"]), ("timeout", "cpu_time", "kept"))
            self.assertLess(time.monotonic() - began, 10)
            self.assertLess(got["usage"]["cpu_ms"], 1500)
            got = own.execute("import os, signal\nsignal.signal(2, signal.SIG_IGN)\nfor i in range(3): os.fork()\nwhile True: pass")
            self.assertEqual((got["reason"], got["state"]), ("cpu_time", "restored"))
            self.assertEqual(own.execute("import time; time.sleep(0.5); x")["result"], "1")  # sleeping is no CPU time

    def test_a_time_out_of_one_cell(self):
        with Session() as own:
            got = own.execute("while True: pass", timeout=1)
            self.assertEqual((got["status"], got["reason"], got["state"]), ("timeout", "wall_time", "kept"))
            self.assertEqual(own.call("POST", "/execute", {"code": "1", "timeout": 31}).status, 422)

    def test_memory_of_the_session_as_a_whole(self):
        with Session(limits={"memory_bytes": 64 << 20}) as own:
            own.execute("x = bytearray(20 << 20)")
            got = own.execute("y = [bytearray(1 << 20) for i in range(100)]")
            self.assertEqual((got["status"], got["reason"]), ("failed", "memory"))
            self.assertIn(got["state"], ("restored", "lost"))
            self.assertTrue(got["note"])
            wanted = "20971520" if got["state"] == "restored" else "None"
            self.assertEqual(own.value("len(x) if 'x' in globals() else None"), None if wanted == "None" else wanted)

    def test_workspace(self):
        with Session(limits={"workspace_bytes": 4 << 20, "workspace_inodes": 64}) as own:
            got = own.execute("open('big', 'wb').write(bytes(5 << 20))")
            self.assertEqual((got["status"], got["reason"]), ("failed", "disk"))
            got = own.execute("import os\nos.remove('big')\nfor i in range(100): open(f'f{i}', 'w').close()")
            self.assertEqual((got["status"], got["reason"]), ("failed", "disk"))
            own.call("POST", "/reset", {"files": True})
            self.assertEqual(own.value("open('small', 'w').write('x' * 1000)"), "1000")


class Order(WithSession):
    def test_cells_run_in_order_of_arrival(self):
        self.session.execute("order = []")
        connections = []
        holder = self.in_background("import time; time.sleep(0.5); order.append(0)")
        for i in range(1, 8):
            connections.append(self.session.begin(f"order.append({i})"))
            time.sleep(0.03)  # each through nginx and the application before the next
        for connection in [holder, *connections]:
            self.assertEqual(finish(connection).json["status"], "success")
        self.assertEqual(self.session.value("order"), "[0, 1, 2, 3, 4, 5, 6, 7]")

    def test_waiting_has_an_end(self):
        holder = self.in_background("import time; time.sleep(3)")
        got = self.session.call("POST", "/execute", {"code": "1", "timeout": 1})
        self.assertEqual(got.status, 409, got)
        self.assertEqual(finish(holder).json["status"], "success")
        self.assertEqual(self.session.value("1"), "1")

    def test_many_at_once(self):
        self.session.execute("n = 0")
        def add():
            for _ in range(10):
                self.session.execute("n += 1")
        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(self.session.value("n"), "40")

    def test_delete_while_a_cell_runs(self):
        holder = self.in_background("while True: pass", before="import signal\nsignal.signal(2, signal.SIG_IGN)")
        waiting = self.session.begin("1")
        began = time.monotonic()
        self.assertEqual(self.session.close().status, 204)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(finish(holder).status, 404)
        self.assertEqual(finish(waiting).status, 404)


@needs_host
class HangingUp(WithSession):
    def test_interrupts_the_cell(self):
        self.session.execute("x = 1")
        mark = fresh_mark()
        connection = self.session.begin(mark_code(mark) + "x = 2\nwhile True: pass")
        wait_until(lambda: find_marked(mark) and self.runs(), "the cell runs")
        connection.close()
        wait_until(lambda: not self.runs(), "the cell ends", 10)
        self.assertEqual(self.session.value("x"), "2")

    def test_a_cell_that_ignores_it(self):
        self.session.execute("x = 1")
        mark = fresh_mark()
        connection = self.session.begin("import signal\nsignal.signal(2, signal.SIG_IGN)\nx = 2\n" + mark_code(mark) + "while True: pass")
        wait_until(lambda: find_marked(mark), "the cell runs")
        connection.close()
        wait_until(lambda: not find_marked(mark), "the interpreter is dead", 10)
        self.assertEqual(self.session.value("x"), "1")
        self.assertEqual(self.session.call("GET", "/history").json["history"][-2]["state"], "restored")

    def test_detached(self):
        connection = self.session.begin("import time; time.sleep(0.7); x = 3", detach=True)
        wait_until(self.runs, "the cell runs")
        connection.close()
        wait_until(lambda: not self.runs(), "the cell ends", 10)
        self.assertEqual(self.session.value("x"), "3")

    def test_a_waiting_cell_is_forgotten(self):
        holder = self.in_background("import time; time.sleep(1); x = 1")
        connection = self.session.begin("x = 2")
        time.sleep(0.2)  # it arrives, or does not: x must stay 1 either way
        connection.close()
        finish(holder)
        self.assertEqual(self.session.value("x"), "1")


class Repl(unittest.TestCase):
    """Dialect B: the session's id in the path."""

    def setUp(self):
        self.name = "repl-" + fresh_mark()
        self.addCleanup(call, "POST", "/reset/" + self.name)

    def execute(self, code):
        got = call("POST", "/execute/" + self.name, {"code": code})
        self.assertEqual(got.status, 200, got)
        return got.json

    def test_state_and_errors(self):
        self.assertEqual(self.execute("x = 41\nprint('made')"), {"output": "made\n", "error": None})
        self.assertEqual(self.execute("print(x + 1)"), {"output": "42\n", "error": None})
        got = self.execute("print('before')\nunknown")
        self.assertEqual(got["output"], "before\n")
        self.assertIn("NameError", got["error"])
        self.assertEqual(self.execute("print(x)")["output"], "41\n")

    def test_reset(self):
        self.execute("x = 1")
        got = call("POST", "/reset/" + self.name)
        self.assertEqual((got.status, got.json), (200, {"message": "Namespace reset successfully", "sessionId": self.name}))
        self.assertIn("NameError", self.execute("x")["error"])
        self.assertEqual(call("POST", "/reset/never-" + self.name).status, 200)

    def test_refusals(self):
        for code in ("", "  \n\t "):
            got = call("POST", "/execute/" + self.name, {"code": code})
            self.assertEqual((got.status, type(got.json["detail"])), (400, str))
        self.assertEqual(call("POST", "/execute/-bad", {"code": "1"}).status, 400)

    def test_what_died_goes_on(self):
        self.execute("x = 7")
        self.assertTrue(self.execute("import os; os._exit(1)")["error"])
        self.assertEqual(self.execute("print(x)")["output"], "7\n")

    def test_sessions_are_apart(self):
        other = "repl-" + fresh_mark()
        self.addCleanup(call, "POST", "/reset/" + other)
        self.execute("secret = 5")
        got = call("POST", "/execute/" + other, {"code": "print('secret' in globals())"}).json
        self.assertEqual(got["output"], "False\n")


class Strict(unittest.TestCase):
    """Dialect D: a server-made id, tight limits, nothing to write to."""

    def execute(self, code, id=None):
        got = call("POST", "/execute", {"code": code} if id is None else {"code": code, "id": id})
        self.assertEqual(got.status, 200, got)
        if id is None and got.json["id"]:
            self.addCleanup(call, "DELETE", "/api/v1/sessions/strict." + got.json["id"])
        return got.json

    def test_state(self):
        made = self.execute("x = 20")
        self.assertEqual(uuid.UUID(made["id"]).version, 4)
        self.assertEqual((made["stdout"], made["stderr"], made["error"]), (None, None, None))
        got = self.execute("print(x + 1)", made["id"])
        self.assertEqual(got, {"id": made["id"], "stdout": "21\n", "stderr": None, "error": None})

    def test_exceptions_are_no_errors(self):
        got = self.execute("print('a')\n1 / 0")
        self.assertEqual((got["stdout"], got["error"]), ("a\n", None))
        self.assertIn("ZeroDivisionError", got["stderr"])

    def test_time(self):
        made = self.execute("x = 1")
        began = time.monotonic()
        got = self.execute("print('a')\nwhile True: pass", made["id"])
        self.assertEqual(got, {"id": made["id"], "stdout": None, "stderr": None, "error": "execution timeout"})
        self.assertEqual(self.execute("print(x)", made["id"])["stdout"], "1\n")
        self.assertLess(time.monotonic() - began, 2.5)

    def test_memory(self):
        made = self.execute("x = 1")
        self.assertEqual(self.execute("bytearray(150 * 1024 * 1024)", made["id"])["error"], "memory limit exceeded")
        self.assertEqual(self.execute("print(len(bytearray(10 << 20)), x)", made["id"])["stdout"], f"{10 << 20} 1\n")

    def test_nothing_can_be_written(self):
        made = self.execute("import os, socket")["id"]
        for code, name in (("os.remove('file.txt')", ": 'file.txt'"), ("open('x', 'w')", ": 'x'"), ("open('/tmp/x', 'a')", ": '/tmp/x'"), ("os.mkdir('d')", ": 'd'"),
                           ("socket.socket()", ""), ("os.rename('a', 'b')", ": 'a' -> 'b'")):
            with self.subTest(code):
                got = self.execute(code, made)
                self.assertTrue(got["stderr"].rstrip().endswith("PermissionError: [Errno 13] Permission denied" + name), got)
        self.assertIn("PermissionError", self.execute("import urllib.request; urllib.request.urlopen('http://example.com')", made)["stderr"])

    def test_refusals(self):
        got = self.execute("1", str(uuid.uuid4()))
        self.assertEqual((got["error"], got["stdout"], got["stderr"]), ("session not found", None, None))
        self.assertEqual(call("POST", "/execute", {"code": ""}).status, 422)
        self.assertEqual(call("POST", "/execute", {"code": "1", "id": "a b"}).json["error"], "session not found")

    def test_other_dialects_have_no_way_in(self):
        """Its sessions may do less: not by another name for the same session."""
        made = self.execute("x = 1")["id"]
        for name in (made, "strict." + made):
            self.assertIn(call("POST", f"/api/v1/sessions/{name}/execute", {"code": "x"}).status, (404, 422))
            self.assertNotEqual(call("POST", "/execute/" + name, {"code": "x"}).json.get("output"), "1\n")
        call("POST", "/reset/" + made)
        with Session() as native:
            self.assertEqual(self.execute("1", native.id)["error"], "session not found")
        self.assertEqual(self.execute("print(x)", made)["stdout"], "1\n")

    def test_forty_sessions(self):
        made = []
        for _ in range(60):
            got = self.execute("1")
            if got["error"]:
                break
            made.append(got["id"])
        self.assertEqual((got["error"], got["id"]), ("max sessions reached", ""))
        self.assertLessEqual(len(made), 40)
        self.assertGreater(len(made), 20)  # others may use some
        self.assertEqual(self.execute("print(5)", made[0])["stdout"], "5\n")
        call("DELETE", "/api/v1/sessions/strict." + made[1])
        self.assertIsNone(self.execute("1")["error"])
