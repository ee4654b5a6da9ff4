"""Programs that ring the interpreter's seccomp notification themselves, and that scribble over its mailbox.

Whatever a program says there, it harms nobody but its own run: the executor stays alive and
quick, another session notices nothing, and the session in question goes on.
"""

import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import STATE, Host, NothingLeft, Session, call, find_marked, finish, fresh_mark, mark_code, run, wait_until

# The calls that are the seccomp notification, or may be taken for one, by architecture.
RING = """
import ctypes, os, platform, random, signal, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
NUMBERS = {'x86_64': (216, 180), 'aarch64': (234, 42)}[platform.machine()]
def ring(note, flags=0, number=NUMBERS[0]):
    return libc.syscall(ctypes.c_long(number), ctypes.c_long(note), ctypes.c_long(flags), ctypes.c_long(0), ctypes.c_long(0), ctypes.c_long(0))
NOTES = [*range(12), 64, 127, 2**31 - 1, 2**31, 2**32 + 1, 2**32 + 2, 2**63 - 1, -1, -2]
FLAGS = [0, 1, 2, 3, 4, 255, -1, 2**32]
"""

MAILBOX = """
import ctypes, os, random, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
boxes = []
for line in open('/proc/self/maps'):
    words = line.split()
    if 'mailbox' in line or words[1][3] == 's':
        start, end = (int(n, 16) for n in words[0].split('-'))
        boxes.append((start, end - start))
assert boxes, 'there is no shared mapping'
"""


class Watched(NothingLeft):
    """Beside every attack another session works, and the health is looked at."""

    def setUp(self):
        super().setUp()
        self.executor = Host().pid("executor") if STATE else None
        self.neighbour = Session()
        self.neighbour.execute("secret = 42")
        self.stop = threading.Event()
        self.slowest, self.wrong = 0.0, []
        self.watch = threading.Thread(target=self.look)
        self.watch.start()
        self.addCleanup(self.check)

    def look(self):
        while not self.stop.wait(0.05):
            began = time.monotonic()
            try:
                if call("GET", "/api/health").status != 200 or self.neighbour.value("secret") != "42":
                    self.wrong.append("not healthy")
            except Exception as error:  # pylint: disable=broad-except
                self.wrong.append(repr(error))
            self.slowest = max(self.slowest, time.monotonic() - began)

    def check(self):
        self.stop.set()
        self.watch.join()
        self.neighbour.close()
        self.assertEqual(self.wrong, [])
        self.assertLess(self.slowest, 2)
        if STATE:
            self.assertEqual(Host().pid("executor"), self.executor)
        self.assertEqual(run("print('ok')")["stdout"], "ok\n")

    def attack_session(self, code, timeout=2, patience=20, reset=False):
        """Run the code as a cell that follows good ones; afterwards the session must work, with
        what it had before or, said so, without."""
        with Session() as session:
            session.execute("before = 1")
            session.execute("before = 2")
            got = session.execute(code, timeout=timeout)
            self.assertIn(got["status"], ("success", "error", "timeout", "failed"))
            if reset:  # its processes go on falsifying what the session says
                self.assertEqual(session.call("POST", "/reset").status, 200)
                got["state"] = "lost"
            began = time.monotonic()
            after = session.execute("before if 'before' in globals() else None")
            states = {got["state"], after["state"]}
            if "lost" not in states:
                self.assertEqual(after["result"], "2", (got, after))
            wait_until(lambda: session.execute("6 * 7")["result"] == "42", "the session works")
            self.assertLess(time.monotonic() - began, patience)
            session.execute("x = 5")
            self.assertEqual(session.value("x"), "5")
            self.assertEqual(session.execute("import os; os._exit(1)")["return_code"], 1)
            self.assertEqual(session.value("1"), "1")
        return got, after


class OneShots(Watched):
    def test_each_note_from_the_main_thread(self):
        for note in (0, 1, 2, 3, 6, -1):
            for flags in (0, 3):
                with self.subTest(note=note, flags=flags):
                    got = run(RING + "if os.fork() == 0:\n    time.sleep(0.1)\n    os.kill(os.getppid(), 9)\n    os._exit(0)\n"
                              f"print('said', flush=True)\nring({note}, {flags})\nprint('answered')", timeout=3)
                    self.assertEqual(got["stdout"], "said\n", got)
                    # NOTE_DONE: the end of the run, with nothing reported
                    self.assertEqual(got["status"], "success" if note == 2 else "failed", got)

    def test_every_note_from_children(self):
        got = run(RING + "n = 0\nfor note in NOTES:\n    for flags in FLAGS[:2]:\n        if os.fork() == 0:\n            ring(note, flags)\n            print('answered', note, flags, flush=True)\n"
                  "            os._exit(0)\ntime.sleep(0.3)\nprint('done')", timeout=5)
        self.assertEqual((got["status"], got["stdout"]), ("success", "done\n"))

    def test_every_note_from_threads(self):
        got = run(RING + "def go(note, flags):\n    ring(note, flags); print('answered', note, flags, flush=True)\n"
                  "for note in NOTES:\n    threading.Thread(target=go, args=(note, 1), daemon=True).start()\ntime.sleep(0.3)\nprint('done')", timeout=5)
        self.assertEqual((got["status"], got["stdout"]), ("success", "done\n"))

    def test_a_storm_of_children_that_are_killed(self):
        got = run(RING + "import itertools\nfor note, flags in itertools.cycle([(n, f) for n in NOTES for f in FLAGS]):\n    pid = os.fork()\n    if pid == 0:\n        ring(note, flags)\n        os._exit(0)\n"
                  "    os.kill(pid, 9)\n    os.waitpid(pid, 0)", timeout=2)
        self.assertEqual((got["status"], got["reason"]), ("timeout", "wall_time"))

    def test_a_storm_of_rings_that_are_broken_off(self):
        got = run(RING + "signal.signal(signal.SIGALRM, lambda *a: None)\nfor i in range(30):\n    if os.fork() == 0:\n        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)\n"
                  "        while True: ring(random.choice(NOTES), random.choice(FLAGS))\ntime.sleep(100)", timeout=2)
        self.assertEqual((got["status"], got["reason"]), ("timeout", "wall_time"))

    def test_filters_of_its_own(self):
        """Each takes memory of the kernel: the interpreter can put on a few, others none."""
        code = RING + """
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
allow = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7fff0000))
program = Program(1, ctypes.addressof(allow))
def add():
    return sum(libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0 for i in range(200))
alone = []
thread = threading.Thread(target=lambda: alone.append(add())); thread.start(); thread.join()
child = os.fork()
if child == 0: os._exit(add())
print(alone, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), add() <= 4, ctypes.get_errno())
"""
        self.assertEqual(run(code)["stdout"], "[0] 0 True 1\n")

    def test_the_old_number_is_none(self):
        got = run(RING + "print([ring(n, 1, NUMBERS[1]) for n in range(4)], ctypes.get_errno())")
        self.assertEqual(got["stdout"], "[-1, -1, -1, -1] 38\n")

    def test_a_verdict_cannot_be_talked_away(self):
        """A child that says "done, all is well" while its parent is over a limit."""
        forge = RING + "if os.fork() == 0:\n    os.setsid()\n    while True:\n        if os.fork() == 0:\n            ring(2, 1)\n            os._exit(0)\n        time.sleep(0.05)\n"
        got = run(forge + "while True: pass", timeout=1)
        self.assertEqual((got["status"], got["reason"]), ("timeout", "wall_time"))
        got = run(forge + "x = []\nwhile True: x.append(bytearray(1 << 20))", timeout=20)
        self.assertEqual((got["status"], got["reason"]), ("failed", "memory"))


class Sessions(Watched):
    def test_waiting_is_not_load(self):
        """An idle interpreter and its checkpoint sleep as ordinary processes do: the machine's load
        counts what waits uninterruptibly."""
        mark = fresh_mark()
        with Session() as session:
            session.execute(mark_code(mark) + "x = 1")
            session.execute("y = 1")

            def all_sleep():
                states = []
                for pid in find_marked(mark):
                    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                        states.append(stat.read().rpartition(")")[2].split()[0])
                return len(states) >= 2 and set(states) == {"S"}

            wait_until(all_sleep, "interpreter and checkpoint sleep")

    def test_stopped_again_and_again(self):
        """SIGSTOP ends the wait, and it begins anew: nothing said is lost or taken twice."""
        with Session() as session:
            session.execute("x = 0")
            session.execute("import os, signal, time\nif os.fork() == 0:\n    end = time.monotonic() + 4\n    while time.monotonic() < end:\n"
                            "        os.kill(os.getppid(), signal.SIGSTOP); os.kill(os.getppid(), signal.SIGCONT)\n        time.sleep(0.0002)\n    os._exit(0)")
            for i in range(60):
                got = session.execute("x += 1\nx")
                self.assertEqual((got["status"], got["result"]), ("success", str(i + 1)), got)

    def test_stopped_checkpoint(self):
        """What is stopped is woken all the same."""
        with Session() as session:
            session.execute("x = 7")
            session.execute("y = 8")
            session.execute("import os, signal\nfor pid in range(2, 200):\n    if pid != os.getpid():\n        try: os.kill(pid, signal.SIGSTOP)\n        except OSError: pass")
            self.assertEqual(session.execute("import os; os._exit(1)")["state"], "restored")
            self.assertEqual(session.value("x, y"), "(7, 8)")

    def test_the_same_serial_again(self):
        """A forged repetition is answered as the call was, or not at all: it does no harm."""
        got = run(RING + "signal.signal(signal.SIGALRM, lambda *a: None)\nsignal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)\n"
                  "for serial in range(40):\n    for note in range(1, 4):\n        if note != 2: libc.syscall(ctypes.c_long(NUMBERS[0]), ctypes.c_long(note), ctypes.c_long(0), ctypes.c_long(serial))\nprint('end')", timeout=5)
        self.assertEqual((got["status"], got["stdout"]), ("success", "end\n"), got)

    def test_done_too_early(self):
        for flags in (0, 1):
            self.attack_session(RING + f"print(ring(2, {flags}))\nwhile True: time.sleep(1)")

    def test_each_note_from_the_main_thread(self):
        for note in (0, 1, 3):
            got, _ = self.attack_session(RING + f"ring({note}, 3)", timeout=1)
            self.assertEqual(got["reason"], "wall_time")

    def test_every_note_from_children_and_threads(self):
        self.attack_session(RING + "for note in NOTES:\n    if os.fork() == 0:\n        ring(note, 1)\n        os._exit(0)\n    threading.Thread(target=ring, args=(note, 1), daemon=True).start()")

    def test_a_false_checkpoint(self):
        """Children that claim to be frozen copies, at the moment when one is expected."""
        got, after = self.attack_session(RING + "for i in range(24):\n    if os.fork() == 0:\n        signal.signal(signal.SIGALRM, lambda *a: None)\n        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)\n"
                                         "        while True:\n            if ring(3, 0) not in (-1,): break\n        while True: time.sleep(1)", patience=40)
        self.assertEqual(got["status"], "success")

    def test_a_false_copy_does_not_become_the_interpreter(self):
        """What was planted as a copy must not answer in the session's name."""
        with Session() as session:
            session.execute("x = 1")
            session.execute(RING + "for i in range(24):\n    if os.fork() == 0:\n        while ring(3, 0) != 3: pass\n        print('forged', flush=True)\n        ring(1, 1)\n        os._exit(0)")
            session.execute("x = 2")
            session.execute("import os; os._exit(1)")
            wait_until(lambda: session.execute("1 + 1")["result"] == "2", "the session works", 40)

    def test_ready_while_it_returns(self):
        self.attack_session(RING + "for i in range(24):\n    if os.fork() == 0:\n        os.setsid()\n        while True:\n            if os.fork() == 0: ring(1, 1)\n            time.sleep(0.001)\nos._exit(3)")

    def test_every_process_that_it_can_reach_is_killed(self):
        """The checkpoints have the program's uid; their ids can be guessed."""
        got, after = self.attack_session("import os, signal\nfor pid in range(2, 3000):\n    if pid != os.getpid():\n        try: os.kill(pid, signal.SIGKILL)\n        except OSError: pass")
        self.assertEqual(got["state"], "kept")
        with Session() as session:
            session.execute("x = 1")
            session.execute("import os\nfor pid in range(2, 3000):\n    if pid != os.getpid():\n        try: os.kill(pid, 9)\n        except OSError: pass\nos._exit(1)")
            self.assertEqual(session.value("1"), "1")

    def test_checkpoints_that_are_stopped(self):
        with Session() as session:
            session.execute("x = 1")
            got = session.execute("import os, signal\nfor pid in range(2, 3000):\n    if pid != os.getpid():\n        try: os.kill(pid, signal.SIGSTOP)\n        except OSError: pass\nos._exit(1)")
            self.assertIn(got["state"], ("restored", "lost"))
            wait_until(lambda: session.execute("1 + 1")["result"] == "2", "the session works", 40)

    def test_signals_to_the_first_process(self):
        got = run("import os, signal\nseen = set()\nfor n in signal.valid_signals():\n    try: os.kill(1, n); seen.add('sent')\n    except OSError as e: seen.add(e.errno)\nprint(seen)")
        self.assertEqual(got["stdout"], "{1}\n")  # EPERM


class Mailbox(Watched):
    def test_scribbling(self):
        attacks = {
            "zeros": "for at, n in boxes: ctypes.memset(at, 0, n)",
            "ones": "for at, n in boxes: ctypes.memset(at, 255, n)",
            "noise": "for at, n in boxes:\n    noise = os.urandom(n)\n    ctypes.memmove(at, noise, n)",
            "lengths": "for at, n in boxes:\n    for i in range(0, 4096, 4): ctypes.memmove(at + i, struct.pack('<I', 0xfffffff0), 4)",
            "just too long": "for at, n in boxes:\n    for i in range(0, 4096, 4): ctypes.memmove(at + i, struct.pack('<I', (2 << 20) + 1), 4)",
            "unmapped": "for at, n in boxes: print(libc.munmap(ctypes.c_void_p(at), ctypes.c_size_t(n)))",
            "unwritable": "for at, n in boxes: libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(n), 0)",
        }
        for name, attack in attacks.items():
            with self.subTest(name):
                got = run(MAILBOX + "print('begun', flush=True)\n" + attack)
                self.assertTrue(got["stdout"].startswith("begun\n"), got)
                self.attack_session(MAILBOX + attack)

    def test_a_forged_report(self):
        """A child rewrites the report again and again while the interpreter delivers it."""
        writer = MAILBOX + """
def field(tag, value): return struct.pack('<HHI', tag, 0, len(value)) + value
for seed in range(4):
    if os.fork() == 0:
        at = boxes[0][0]
        report = field(96, b"'forged'") + field(101, bytes(8)) + field(98, b'\\xff' * 1000) + struct.pack('<HHI', 97, 0, 0xffffffff)
        while True:
            ctypes.memmove(at + 4096 + (2 << 20), report, len(report))
            for i in range(36, 60, 4): ctypes.memmove(at + i, struct.pack('<I', random.choice((0, len(report), 2 << 20, 0xffffffff))), 4)
"""
        for _ in range(5):
            got = run(writer + "print('out')\n1 / 0", timeout=5)
            self.assertEqual(got["stdout"], "out\n")
            self.assertIn(got["status"], ("success", "error", "failed"))
        self.attack_session(writer, reset=True)

    def test_a_forged_job(self):
        """A child that rewrites the next cell's code before it is read: it only fools itself."""
        with Session() as session:
            session.execute("x = 1")
            session.execute(MAILBOX + "for seed in range(4):\n    if os.fork() == 0:\n        at = boxes[0][0]\n        while True:\n            ctypes.memmove(at, os.urandom(40), 40)\n            ctypes.memmove(at + 4096, b'import os; os._exit(5) #', 24)")
            for _ in range(5):
                session.execute("2 + 2", timeout=2)
            self.assertEqual(session.call("POST", "/reset").status, 200)
            self.assertEqual(session.value("2 + 2"), "4")

    def test_the_longest_report(self):
        got = run("x = 'y' * (5 << 20)\nx", timeout=10)
        self.assertEqual(got["status"], "success")
        got = run("raise Exception('z' * (5 << 20))", timeout=10)
        self.assertEqual((got["status"], got["reason"]), ("failed", "output"))  # its traceback
