"""Programs that plant something for the next one-shot of their sandbox, which a sandbox serves
several of. Either the next program finds nothing, or there is none: the sandbox is ended."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import NothingLeft, Session, run

# What a program can tell of its sandbox. The time stamp of its folder is the sandbox's: it
# was made once, and only chmod and the like are seen by it.
LOOK = """
import os as _os, json as _json
_s = _os.stat('/workspace')
_me = {'sandbox': _s.st_mtime_ns, 'uid': _os.getuid()}
"""
# Everything that a program finds at its start and could have been left by another.
FIND = LOOK + r"""
import glob, resource, signal, sys, time
_me['files'] = [sorted(_os.listdir(d)) for d in ('/workspace', '/tmp', '/dev/shm')]
_me['modes'] = [(_os.stat(d).st_mode, _os.stat(d).st_uid == _os.getuid(), _os.stat(d).st_nlink, _os.stat(d).st_size)
                for d in ('/workspace', '/tmp', '/dev/shm')]
_me['free'] = [(s.f_blocks - s.f_bfree, s.f_files - s.f_ffree) for s in [_os.statvfs('/workspace')]]
_me['processes'] = sorted(int(p) for p in _os.listdir('/proc') if p.isdigit() and int(p) != _os.getpid())
_me['descriptors'] = [_os.readlink('/proc/self/fd/%d' % n).split(':')[0] for n in range(3)]
_me['flags'] = [__import__('fcntl').fcntl(n, 3) for n in range(3)]
_me['more'] = [n for n in _os.listdir('/proc/self/fd') if int(n) > 3]
_me['limits'] = [resource.getrlimit(n) for n in range(16)]
_me['signals'] = [str(signal.getsignal(n)) for n in (2, 10, 12, 14, 15, 17, 21, 27)], sorted(signal.sigpending()), sorted(
    signal.pthread_sigmask(signal.SIG_BLOCK, []))
_me['timers'] = [signal.getitimer(n) for n in range(3)]
_me['nice'] = _os.getpriority(_os.PRIO_PROCESS, 0)
_me['cpus'] = sorted(_os.sched_getaffinity(0))
_me['scheduler'] = _os.sched_getscheduler(0)
_me['umask'], _me['folder'] = _os.umask(0o22), _os.getcwd()
_me['score'] = open('/proc/self/oom_score_adj').read()
_me['name'] = open('/proc/self/comm').read()
_me['session'] = _os.getsid(0) == _os.getpid(), _os.getpgrp() == _os.getpid(), _os.getppid()
_me['input'] = sys.stdin.read()
_me['environment'] = dict(_os.environ)
_me['modules'] = sorted(sys.modules)
_me['builtins'] = sorted(vars(__import__('builtins')))
_me['warnings'] = len(__import__('warnings').filters), sys.getrecursionlimit(), sys.getswitchinterval()
_me['sockets'] = [open('/proc/self/net/' + n).read() for n in ('unix', 'snmp', 'netstat')], open('/proc/self/net/sockstat').readline()
_me['mounts'] = [line.split()[2:] for line in open('/proc/self/mounts')]
time.sleep(0.05)
_me['later'] = sorted(signal.sigpending())
print(_json.dumps(_me))
"""

FORK = "import os, time\nif not os.fork():\n    "
PLANTS = {
    "a file": "open('/workspace/x', 'w').write('x')",
    "a file that is gone": "open('/workspace/x', 'w').close(); os.remove('/workspace/x')",
    "a file without a name": "os.open('/tmp', os.O_TMPFILE | os.O_RDWR, 0o600)",
    "a folder that is gone": "os.mkdir('/dev/shm/x'); os.rmdir('/dev/shm/x')",
    "a socket file": "os.mkfifo('/tmp/fifo')",
    "a locked folder": "os.chmod('/workspace', 0)",
    "a folder with a bit more": "os.chmod('/tmp', 0o777)",
    "an old folder": "os.utime('/dev/shm', (1, 1))",
    "shared memory": "from multiprocessing import shared_memory as m; s = m.SharedMemory(create=True, size=4096); s.close()",
    "a child": FORK + "time.sleep(60)",
    "a child's child": FORK + "os.setsid(); os.fork(); time.sleep(60)",
    "a stopped child": "import os, signal\np = os.fork()\nif not p: signal.pause()\nos.kill(p, 19)",
    "a dead child": FORK + "os._exit(0)",
    "a child that was waited for": FORK + "os._exit(0)\nos.wait()",
    "a thread": "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "a thread that has ended": "import threading\nt = threading.Thread(target=print); t.start(); t.join()",
    "a child that forks when its parent dies": "import os, signal, ctypes, time\nr, w = os.pipe()\nif not os.fork():\n"
        "    ctypes.CDLL(None).prctl(1, 10)\n    signal.signal(10, lambda *_: os.fork())\n    os.write(w, b'x')\n"
        "    while True: time.sleep(1)\nos.read(r, 1)",
    "signals": "import signal\nfor n in (10, 12, 15, 17): signal.signal(n, lambda *_: None)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [10, 12]); os.kill(os.getpid(), 10)",
    "timers": "import signal; signal.signal(14, signal.SIG_IGN); signal.setitimer(signal.ITIMER_REAL, 0.02, 0.001)",
    "a fork at the end": "import signal, ctypes\nsignal.signal(14, lambda *_: os.fork())\nsignal.setitimer(signal.ITIMER_REAL, 0.002, 0.0005)",
    "limits": "import resource\nfor n in (1, 4, 6, 7): resource.setrlimit(n, (100, 100))",
    "a low priority": "os.nice(19); os.sched_setaffinity(0, [0]); os.umask(0o777); os.chdir('/')",
    "a score": "open('/proc/self/oom_score_adj', 'w').write('1000')",
    "a name": "open('/proc/self/comm', 'w').write('planted')",
    "descriptors": "import fcntl\nfor n in range(3): fcntl.fcntl(n, 4, fcntl.fcntl(n, 3) | os.O_NONBLOCK | os.O_APPEND); "
        "fcntl.fcntl(n, 8, -1)\n[os.dup(1) for _ in range(50)]",
    "what is printed later": "sys.stdout.write('planted'); sys.stderr.write('planted')",
    "what is not read": "import os",
    "a changed interpreter": "import builtins, json, time\nbuiltins.print = None; builtins.planted = 1; json.dumps = None; "
        "time.sleep = None; sys.modules['planted'] = sys; os.environ['PLANTED'] = '1'; sys.setrecursionlimit(77)",
    "memory": "x = bytearray(60 << 20)",
    "a socket pair in flight": "import socket, array\na, b = socket.socketpair()\n"
        "a.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [a.fileno(), b.fileno()]))])",
    "names that are not there": "for i in range(20000): os.path.exists('/workspace/no%d' % i)",
    "an overwritten mailbox": "import ctypes\nfor line in open('/proc/self/maps'):\n"
        "    if 'mailbox' in line:\n        a, b = (int(x, 16) for x in line.split()[0].split('-'))\n"
        "        ctypes.memset(a + 4096, 255, b - a - 4096)",
    "an end of its own": "import ctypes\nprint('planted', flush=True)\nctypes.CDLL(None).syscall(216, 2, 1, 99999)",
    "a signal to all": "try: os.kill(-1, 9)\nexcept OSError: pass\ntry: os.kill(1, 9)\nexcept OSError: pass",
    "an exception": "raise SystemExit(3)",
    "a limit": "import resource\nwhile True: pass",
    "a crash": "import ctypes; ctypes.string_at(0)",
}
# These leave something for the kernel to tell of: no program may come after them.
TRACES = {"a file", "a file that is gone", "a file without a name", "a folder that is gone", "a socket file",
          "a locked folder", "a folder with a bit more", "an old folder", "shared memory", "a child", "a child's child",
          "a stopped child", "a dead child", "a child that was waited for", "a thread", "a thread that has ended",
          "a child that forks when its parent dies", "a limit", "a crash"}
VARY = {"sandbox", "uid"}  # of one's own; the rest must be the same everywhere


def look(stdout):
    return json.loads(stdout.splitlines()[-1])


class Planted(NothingLeft):
    def found(self, **more):
        got = run(FIND, **more)
        self.assertEqual((got["status"], got["stderr"]), ("success", ""), got)
        self.assertEqual(len(got["stdout"].splitlines()), 1, got["stdout"])
        found = look(got["stdout"])
        self.assertLess(got["usage"]["memory_peak_bytes"], 16 << 20, "the peak is another program's")
        return found

    shared = 0

    def try_plant(self, name, plant, clean):
        limits = {"timeout": 1} if name == "a limit" else {}
        head = "import os, sys\n" + LOOK + "print(_json.dumps(_me), file=sys.stderr, flush=True)\n"
        got = run(head + plant, stdin="planted", **limits)
        planted = json.loads(got["stderr"].splitlines()[0])
        for _ in range(9):  # more than go round
            found = self.found()
            for key in clean:
                self.assertEqual(found[key], clean[key], f"{key}, after {name}")
            if name in TRACES:
                self.assertNotEqual(found["sandbox"], planted["sandbox"], name + ": its sandbox goes on")
            if found["sandbox"] == planted["sandbox"]:
                self.shared += 1
                self.assertGreater(found["uid"], planted["uid"])

    def test_nothing_is_found(self):
        clean = {k: v for k, v in self.found().items() if k not in VARY}
        self.assertEqual(clean["files"], [[], [], []])
        self.assertEqual(clean["processes"], [])
        for name, plant in PLANTS.items():
            with self.subTest(name):
                self.try_plant(name, plant, clean)
        self.assertGreater(self.shared, (len(PLANTS) - len(TRACES)) // 3, "hardly any program came after a plant")

    def test_a_program_without_traces_makes_room(self):
        """Otherwise the tests above would not try what they are for."""
        looks = [look(run(LOOK + "print(_json.dumps(_me))")["stdout"]) for _ in range(40)]
        self.assertEqual(len({(n["sandbox"], n["uid"]) for n in looks}), 40, "no uid twice in a sandbox")
        self.assertLess(len({n["sandbox"] for n in looks}), 30)
        self.assertTrue(all(1000 <= n["uid"] < 1012 for n in looks))

    def test_sessions_are_new(self):
        for _ in range(5):
            run("print(1)")
            with Session() as session:
                self.assertEqual(session.value("__import__('os').getuid()"), "1000")

    def test_process_ids(self):
        """One's own says how many programs there were before, and a child's follows it."""
        for _ in range(5):
            got = run("import os; a = os.getpid(), os.getuid()\np = os.fork()\nif not p: os._exit(0)\nprint(a, p)")
            pid, uid, child = eval(got["stdout"].replace("(", "").replace(")", "").replace(" ", ", ").replace(",,", ","))
            self.assertEqual((pid, child), (uid - 998, uid - 997))


if __name__ == "__main__":
    unittest.main()
