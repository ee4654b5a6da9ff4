"""What a program prints is in the answer: all of it, once, in order, however it ends."""

import base64
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from service import Session, run
from test_streaming import Stream, text_of

# what a program does -> (status, reason) of the answer
HARD_ENDS = {
    "while True: pass": ("timeout", "wall_time"),
    "import time; time.sleep(60)": ("timeout", "wall_time"),
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass": ("timeout", "wall_time"),
    "import os; os._exit(3)": ("error", "exit"),
    "import os; os.abort()": ("failed", "crash"),
    "import ctypes; ctypes.string_at(0)": ("failed", "crash"),
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": ("failed", "crash"),
    "x = []\nwhile True: x.append(bytearray(1 << 20))": ("failed", "memory"),
    "import os; os.execv('/bin/true', ['true'])": ("success", None),
}
PRINTED = "print('one', flush=True)\nprint('two')\nimport sys\nsys.stdout.buffer.write(b'three ')\nprint('\xe4', end='')\nsys.stderr.write('four')\n"
OUT, ERR = "one\ntwo\nthree \xe4", "four"


class HardEnds(unittest.TestCase):
    def test_oneshots(self):
        for code, wanted in HARD_ENDS.items():
            with self.subTest(code=code):
                got = run(PRINTED + code, timeout=1)
                self.assertEqual((got["status"], got["reason"], got["stdout"], got["stderr"]), (*wanted, OUT, ERR), got)

    def test_sessions(self):
        session = Session()
        self.addCleanup(session.close)
        for code, wanted in HARD_ENDS.items():
            if "execv" in code:  # a session's interpreter is gone then: an end of its own kind
                continue
            with self.subTest(code=code):
                got = session.execute(PRINTED + code, timeout=1)
                self.assertEqual((got["status"], got["stdout"]), (wanted[0], OUT), got)
                self.assertTrue(got["stderr"].startswith(ERR), got)  # then a KeyboardInterrupt, perhaps
                self.assertEqual(session.execute("print('next')")["stdout"], "next\n")

    def test_nothing_twice(self):
        """Killed at any moment, the numbers that were printed are all there, once, in order."""
        for pause in ("", "; time.sleep(0.0005)", "; n % 50 or sys.stdout.flush()"):
            got = run(f"import itertools, sys, time\nfor n in itertools.count(): print(n){pause}", timeout=1)
            lines = got["stdout"].split("\n")[:-1]
            self.assertGreater(len(lines), 50, pause)
            self.assertEqual(lines, [str(n) for n in range(len(lines))], pause)

    def test_nothing_twice_after_a_kill(self):
        """Killed while it writes, when it has not counted what it has written."""
        for _ in range(20):
            got = run("import os, random, threading, time\ndef kill():\n"
                      "    time.sleep(0.001 + random.random() / 20)\n    os.kill(os.getpid(), 9)\n"
                      "threading.Thread(target=kill).start()\nfor n in range(100000): print(n)\ntime.sleep(5)")
            self.assertEqual((got["status"], got["reason"]), ("failed", "crash"))
            lines = got["stdout"].split("\n")
            last = lines.pop()
            self.assertEqual(lines, [str(n) for n in range(len(lines))])
            self.assertTrue(str(len(lines)).startswith(last), last)


class Streams(unittest.TestCase):
    def test_much(self):
        got = run("for i in range(100000): print(i)")
        self.assertEqual(got["stdout"], "".join(f"{i}\n" for i in range(100000)))

    def test_redirected_text_is_not_output(self):
        got = run("import os\nf = os.open('f', os.O_CREAT | os.O_RDWR)\nos.dup2(f, 1)\nprint('to the file')\nos._exit(0)")
        self.assertEqual(got["stdout"], "")

    def test_children_inherit_unflushed_text(self):
        got = run("import os\nprint('before')\nif os.fork() == 0:\n    print('child')\nelse:\n    os.wait()\n    print('parent')")
        self.assertEqual(got["stdout"], "before\nchild\nbefore\nparent\n")

    def test_pool_of_processes(self):
        got = run("from multiprocessing import get_context\ndef f(n): print('in', n, flush=True); return n * n\n"
                  "print('start')\nwith get_context('fork').Pool(2) as p: print(p.map(f, range(4)))")
        self.assertEqual(sorted(line for line in got["stdout"].split("\n") if line.startswith("in")), [f"in {n}" for n in range(4)], got)
        self.assertIn("[0, 1, 4, 9]", got["stdout"])

    def test_woken_checkpoint_begins_empty(self):
        session = Session()
        self.addCleanup(session.close)
        session.execute("x = 1\nprint('first')")
        got = session.execute("print('second')\nimport os; os._exit(1)")
        self.assertEqual((got["state"], got["stdout"]), ("restored", "second\n"))
        self.assertEqual(session.execute("print('third', x)")["stdout"], "third 1\n")


class Watched(unittest.TestCase):
    """Somebody reads along: what is printed shows while the program sleeps."""

    def first_text(self, code):
        with Stream("POST", "/api/v1/execute", {"code": code + "\nimport time\ntime.sleep(8)"}) as stream:
            for name, _, data in stream:
                if name == "start":
                    began = time.monotonic()
                if name == "stdout":
                    self.assertLess(time.monotonic() - began, 5)
                    return data["text"]
        return None

    def test_a_line(self):
        self.assertEqual(self.first_text("print('line')"), "line\n")

    def test_part_of_a_line(self):
        self.assertEqual(self.first_text("print('part', end='')"), "part")

    def test_bytes(self):
        self.assertEqual(self.first_text("import sys\nsys.stdout.buffer.write(b'bytes')"), "bytes")

    def test_a_hard_end(self):
        with Stream("POST", "/api/v1/execute", {"code": "for n in range(5000): print(n)\nimport os; os._exit(3)"}) as stream:
            events = list(stream)
        self.assertEqual(text_of(events), "".join(f"{n}\n" for n in range(5000)))
        self.assertEqual(events[-1][2]["return_code"], 3)

    def test_a_question_that_is_interrupted(self):
        code = ("import getpass\ntry: getpass.getpass('Key: ')\nexcept KeyboardInterrupt: print('no')\n"
                "print(input('Name: '))")
        session = Session()
        self.addCleanup(session.close)
        asked = []
        with Stream("POST", session.path + "/execute", {"code": code, "interactive": True}) as stream:
            events = []
            for event in stream:
                events.append(event)
                if event[0] != "input":
                    continue
                asked.append((event[2]["prompt"], event[2]["password"]))
                if len(asked) == 1:
                    self.assertEqual(session.call("POST", "/interrupt", {}).status, 200)
                else:
                    self.assertEqual(session.call("POST", "/stdin", {"data": "Ada\n"}).status, 204)
        self.assertEqual(asked, [("Key: ", True), ("Name: ", False)])
        self.assertEqual(text_of(events), "Key: no\nName: Ada\n")


class Shown(unittest.TestCase):
    """display() and rich last values, as `outputs` has them."""

    PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
    CLASS = f"class Picture:\n    def __repr__(self): return 'a picture'\n    def _repr_png_(self): return {PIXEL!r}\n"

    def test_display(self):
        got = run(self.CLASS + "print('before')\ndisplay(Picture())\nprint('after')")
        self.assertEqual((got["stdout"], got["result"]), ("before\nafter\n", None))
        [output] = got["outputs"]
        self.assertEqual((output["type"], output["metadata"]), ("display_data", {}))
        self.assertEqual(output["data"]["text/plain"], "a picture")
        self.assertEqual(base64.b64decode(output["data"]["image/png"]), self.PIXEL)

    def test_last_value(self):
        session = Session()
        self.addCleanup(session.close)
        got = session.execute(self.CLASS + "Picture()")
        self.assertEqual(got["result"], "a picture")
        self.assertEqual([(o["type"], sorted(o["data"])) for o in got["outputs"]], [("execute_result", ["image/png", "text/plain"])])
        self.assertEqual(session.execute("1 + 1")["outputs"], [])

    def test_too_much(self):
        for code in ("for n in range(65): display(n)", "display({'text/html': 'x' * (2 << 20)}, raw=True)"):
            got = run(code)
            self.assertEqual((got["status"], got["exception"]["type"]), ("error", "ValueError"), got)
            self.assertTrue(got["exception"]["message"].startswith("display: "), got)

    def test_before_a_hard_end(self):
        got = run("display(1)\nimport os; os._exit(1)")
        self.assertEqual([o["data"] for o in got["outputs"]], [{"text/plain": "1"}])


if __name__ == "__main__":
    unittest.main()
