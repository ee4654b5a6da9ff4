"""Submissions that leave notes in one judged case to find them in another. A note is the case's
own number, so every other one that is found is a trace."""

import os
import sys
import unittest
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import call

CASES = 12  # more than there are workers

# Each defines leave(number) and find() -> an iterable of numbers.
CHANNELS = {
    "a shared mapping": """
import mmap
m = mmap.mmap(-1, 4096)
def leave(n): m[n] = 1
def find(): return [i for i in range(4096) if m[i]]
""",
    "a read-only mapping that is made writable": """
import ctypes, mmap
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
at = libc.mmap(None, 4096, 1, 0x21, -1, 0)
def leave(n):
    libc.mprotect(ctypes.c_void_p(at), 4096, 3)
    (ctypes.c_char * 4096).from_address(at)[n] = b"x"
def find(): return [i for i, c in enumerate(ctypes.string_at(at, 4096)) if c]
""",
    "a pipe": """
import os
r, w = os.pipe()
os.set_blocking(r, False)
def leave(n): os.write(w, bytes([n]))
def find():
    try: found = os.read(r, 4096)
    except BlockingIOError: return []
    os.write(w, found)
    return found
""",
    "a socket pair": """
import socket
a, b = socket.socketpair()
b.setblocking(False)
def leave(n): a.send(bytes([n]))
def find():
    try: return b.recv(4096)
    except BlockingIOError: return []
""",
    "a memory file": """
import os
fd = os.memfd_create("notes")
os.ftruncate(fd, 256)
def leave(n): os.pwrite(fd, b"x", n)
def find(): return [i for i, c in enumerate(os.pread(fd, 256, 0)) if c]
""",
    "the offset of an open file": """
import os
fd = os.open("/usr/bin/env", os.O_RDONLY)
def leave(n): os.lseek(fd, os.lseek(fd, 0, 1) + (1 << n), 0)
def find(): return [i for i in range(32) if os.lseek(fd, 0, 1) >> i & 1]
""",
    "the standard descriptors' flags": """
import fcntl
def leave(n): fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | fcntl.O_NONBLOCK if hasattr(fcntl, "O_NONBLOCK") else 0o4001)
def find(): return [255] if fcntl.fcntl(1, fcntl.F_GETFL) & 0o4000 else []
""",
    "files": """
import os
places = ["/workspace", "/tmp", "/dev/shm", "/workspace/deep/er"]
def leave(n):
    os.makedirs(places[3], exist_ok=True)
    for place in places: open(f"{place}/{n}", "w").close()
def find(): return [int(name) for place in places if os.path.isdir(place) for name in os.listdir(place) if name.isdigit()]
""",
    "files made while loading": """
open("notes", "w").close()
def leave(n): open("notes", "a").write(f"{n}\\n")
def find(): return map(int, open("notes").read().split())
""",
    "a thread of the submission": """
import threading
def leave(n): seen.add(n)
def find(): return seen
seen = set()
threading.Thread(target=lambda: threading.Event().wait(), daemon=True).start()
""",
    "a daemon": """
import os, subprocess, sys
def leave(n):
    subprocess.Popen([sys.executable, "-c", f"import os, time; os.setsid(); time.sleep(60)  # note {n}."], start_new_session=True)
def find():
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try: text = open(f"/proc/{pid}/cmdline").read()
        except OSError: continue
        if "# note " in text and int(pid) != os.getpid(): found.append(int(text.split("# note ")[1].split(".")[0]))
    return found
""",
    "the memory of the process that is forked": """
import ctypes, os
cell = (ctypes.c_uint8 * 256)()
at, mother = ctypes.addressof(cell), os.getpid()
def leave(n):
    try:
        with open(f"/proc/{mother}/mem", "r+b", buffering=0) as memory:
            if os.getpid() != mother:
                memory.seek(at + n); memory.write(b"x")
    except OSError: pass
def find(): return [i for i in range(256) if cell[i]]
""",
    "signals to the process that is forked": """
import os, signal
count = 0
mother = os.getpid()
def note(*_):
    global count
    count += 1
signal.signal(signal.SIGUSR1, note)
def leave(n):
    if os.getpid() != mother:
        try: os.kill(mother, signal.SIGUSR1)
        except OSError: pass
def find(): return [255] if count else []
""",
    "the memory that is shared with the service": """
import ctypes, re
def areas():
    for line in open("/proc/self/maps"):
        if " rw-s " in line:
            yield [int(x, 16) for x in line.split()[0].split("-")]
def leave(n):
    for start, end in areas():
        for at in range(start + 8192, end - 8192, 1 << 16): ctypes.memset(at + n, 0xa5, 1)
def find():
    return [n for start, end in areas() for at in range(start + 8192, end - 8192, 1 << 16) for n in range(64) if ctypes.string_at(at + n, 1) == b"\\xa5"]
""",
    "extended attributes": """
import os
def leave(n):
    for place in ("/workspace", "/tmp", "/dev/shm"):
        try: os.setxattr(place, f"user.{n}", b"x" * 2000)
        except OSError: pass
def names(place):
    try: return os.listxattr(place)
    except OSError: return []
def find(): return [int(a.split(".")[1]) for place in ("/workspace", "/tmp", "/dev/shm") for a in names(place) if a.startswith("user.")]
""",
    "the times of a folder": """
import os
def leave(n): os.utime("/workspace", (n, n))
def find(): return [t for t in [int(os.stat("/workspace").st_mtime)] if t < 4096]
""",
    "the mode of a folder": """
import os
def leave(n): os.chmod("/tmp", n)
def find(): return [m for m in [os.stat("/tmp").st_mode & 0o7777] if m != 0o1777]
""",
    "the numbers of files that are gone": """
import os, tempfile
def number():
    with tempfile.TemporaryFile(dir="/tmp") as file: return os.fstat(file.fileno()).st_ino
first = os.stat("/workspace").st_ino
def leave(n):
    for _ in range(64): number()
def find(): return [255] if number() > first + 60 else []
""",
    "the numbers of processes that are gone": """
import os
mother = os.getpid()
def number():
    pid = os.fork()
    if not pid: os._exit(0)
    os.waitpid(pid, 0)
    return pid
def leave(n):
    for _ in range(40): number()
def find(): return [255] if number() > mother + 40 else []
""",
    "the priority of the process that is forked": """
import os
mother = os.getpid()
def leave(n):
    for which, who in ((os.PRIO_PROCESS, mother), (os.PRIO_PGRP, mother), (os.PRIO_USER, 0), (os.PRIO_USER, 1000)):
        try: os.setpriority(which, who, 7)
        except OSError: pass
def find(): return [255] if os.getpriority(os.PRIO_PROCESS, 0) else []
""",
    "the scheduler of the process that is forked": """
import os
mother = os.getpid()
def leave(n):
    for call in (lambda: os.sched_setaffinity(mother, {min(os.sched_getaffinity(0))}), lambda: os.sched_setscheduler(mother, os.SCHED_BATCH, os.sched_param(0))):
        try: call()
        except OSError: pass
cpus = os.sched_getaffinity(0)
def find(): return [255] if os.sched_getscheduler(0) or os.sched_getaffinity(0) != cpus else []
""",
    "the limits of the process that is forked": """
import os, resource
mother, limit = os.getpid(), resource.getrlimit(resource.RLIMIT_NOFILE)
def leave(n):
    try: resource.prlimit(mother, resource.RLIMIT_NOFILE, (50, 50))
    except OSError: pass
def find(): return [255] if resource.getrlimit(resource.RLIMIT_NOFILE) != limit else []
""",
    "a pipe made by a hook": """
import os
ends = []
os.register_at_fork(before=lambda: ends or ends.extend(os.pipe()))
def leave(n):
    if ends: os.write(ends[1], bytes([n]))
def find():
    if not ends: return []
    os.set_blocking(ends[0], False)
    try: found = os.read(ends[0], 4096)
    except BlockingIOError: return []
    os.write(ends[1], found)
    return found
""",
    "the times at which hooks run": """
import gc, os, time
times, mother, loaded = [], os.getpid(), time.monotonic()
def note(*_):
    if os.getpid() == mother: times.append(time.monotonic())
os.register_at_fork(before=note, after_in_parent=note)
gc.callbacks.append(note)
gc.set_threshold(1, 1, 1)
def leave(n): time.sleep(0.3)
def find(): return [255] if any(t - loaded > 0.25 for t in times) else []
""",
    "hooks that hang or kill": """
import os, time
os.register_at_fork(before=lambda: time.sleep(60), after_in_child=lambda: os.kill(os.getpid(), 9))
def leave(n): pass
def find(): return []
""",
    "the end of the process that is forked": """
import fcntl, os
mother = os.getpid()
def leave(n):
    if os.getpid() == mother: return
    r, w = os.pipe()
    fcntl.fcntl(r, 10, 9)  # F_SETSIG
    for call in (lambda: os.kill(mother, 19), lambda: os.kill(mother, 9), lambda: os.killpg(mother, 9), lambda: os.pidfd_open(mother),
                 lambda: fcntl.fcntl(r, fcntl.F_SETOWN, mother), lambda: fcntl.fcntl(r, fcntl.F_SETOWN, -mother)):
        try: call()
        except OSError: pass
    fcntl.fcntl(r, fcntl.F_SETFL, fcntl.fcntl(r, fcntl.F_GETFL) | fcntl.FASYNC)
    os.write(w, b"x")
def find(): return []
""",
}

# These go to another process: alone, there is nothing to find.
NEED_ANOTHER = {"the memory of the process that is forked", "signals to the process that is forked", "the priority of the process that is forked",
                "the scheduler of the process that is forked", "the limits of the process that is forked", "the end of the process that is forked",
                "a pipe made by a hook", "the times at which hooks run", "hooks that hang or kill"}

TAIL = """
def control(number):
    import time
    leave(number)
    for _ in range(200):
        if set(find()): return True
        time.sleep(0.01)
    return False

def f(number):
    others = sorted(set(find()) - {number})
    leave(number)
    return others
"""


def judge(code, entry_point, pairs):
    body = {"id": "", "code": code, "entry_point": entry_point, "io_cases": [{"input": given, "output": wanted} for given, wanted in pairs]}
    return call("POST", "/evaluate_code", body, timeout=120)


class Notes(unittest.TestCase):
    pass


def add(name, code):
    def test(self):
        if name not in NEED_ANOTHER and name != "extended attributes":
            got = judge(code + TAIL, "control", [("9", "True")])
            self.assertTrue(got.json["passed"], ("the channel itself does not work", got.json))
        got = judge(code + TAIL, "f", [(str(n), "[]") for n in range(1, CASES + 1)])
        self.assertEqual(got.status, 200, got)
        self.assertIsNone(got.json["error"], got.json)
        for result in got.json["case_results"]:
            self.assertEqual((result["got"], result["error"], result["passed"]), ([], None, True), result)

    setattr(Notes, "test_" + name.replace(" ", "_").replace("'", "").replace("-", "_"), test)


for title, source in CHANNELS.items():
    add(title, source)


class Inputs(unittest.TestCase):
    def test_the_input_of_another_case(self):
        """Nothing of an earlier case's input is in the memory of a later one."""
        code = ("import re\nmarks = [chr(120) * 6 + '%03d' % n for n in range(100)]\n"
                "def f(mark):\n"
                "    found = set()\n"
                "    with open('/proc/self/mem', 'rb', 0) as memory:\n"
                "        for line in open('/proc/self/maps'):\n"
                "            start, end = (int(x, 16) for x in line.split()[0].split('-'))\n"
                "            if ' r' not in line or '[v' in line: continue\n"
                "            try: memory.seek(start); data = memory.read(end - start)\n"
                "            except (OSError, ValueError, OverflowError): continue\n"
                "            found |= set(re.findall(rb'secret-%d([0-9]{4})' % 77, data))\n"
                "    if mark[-4:].encode() not in found: return 'cannot see its own'\n"
                "    return sorted(x.decode() for x in found if x.decode() != mark[-4:])\n")
        got = judge(code, "f", [(repr(f"secret-77{n:04}"), "[]") for n in range(CASES)])
        self.assertIsNone(got.json["error"], got.json)
        for result in got.json["case_results"]:
            self.assertEqual((result["got"], result["error"]), ([], None), result)

    def test_expected_outputs(self):
        """What is expected is nowhere in the process that runs the code."""
        code = ("def f(x):\n"
                "    import re\n"
                "    own, seen = f'own-{x}23', False\n"
                "    with open('/proc/self/mem', 'rb', 0) as memory:\n"
                "        for line in open('/proc/self/maps'):\n"
                "            start, end = (int(x, 16) for x in line.split()[0].split('-'))\n"
                "            if ' r' not in line or '[v' in line: continue\n"
                "            try: memory.seek(start); data = memory.read(end - start)\n"
                "            except (OSError, ValueError, OverflowError): continue\n"
                "            if re.search(rb'wanted-%d[0-9]' % 55, data): return 'found'\n"
                "            seen = seen or re.search(rb'own-[0-9]23', data) is not None\n"
                "    return 'nothing' if seen else 'cannot see its own'\n")
        got = judge(code, "f", [("1", f"'wanted-55{n}'") for n in range(CASES)])
        for result in got.json["case_results"]:
            self.assertEqual((result["got"], result["error"], result["passed"]), ("nothing", None, False), result)


# The same with the files of a session, d0 to d31 and sub/d0 to sub/d31, each "original".
FILE_CHANNELS = {
    "a file's text": """
def leave(n): open(f"d{n}", "r+").write("changed!")
def find(): return [i for i in range(32) if open(f"d{i}").read() != "original"]
""",
    "a file's text, by a mapping": """
import mmap
def leave(n):
    with open(f"sub/d{n}", "r+b") as file, mmap.mmap(file.fileno(), 0) as m:
        m[0]
        m[0:1] = b"X"
def find(): return [i for i in range(32) if open(f"sub/d{i}").read() != "original"]
""",
    "a file's length": """
import os
def leave(n): os.truncate(f"d{n}", 3)
def find(): return [i for i in range(32) if os.stat(f"d{i}").st_size != 8]
""",
    "a file's mode": """
import os
def leave(n): os.chmod(f"sub/d{n}", 0o600)
def find(): return [i for i in range(32) if os.stat(f"sub/d{i}").st_mode & 0o777 == 0o600]
""",
    "a file's times": """
import os
def leave(n): os.utime(f"d{n}", (1, 1))
def find(): return [i for i in range(32) if os.stat(f"d{i}").st_atime == 1]
""",
    "reading a file": """
import os
before = [os.stat(f"d{i}").st_atime_ns for i in range(32)]
def leave(n): open(f"d{n}").read()
def find(): return [i for i in range(32) if os.stat(f"d{i}").st_atime_ns != before[i]]
""",
    "a file's name": """
import os
def leave(n): os.rename(f"sub/d{n}", f"sub/moved{n}")
def find(): return [i for i in range(32) if not os.path.exists(f"sub/d{i}")]
""",
    "a file's place": """
import os
def leave(n): os.rename(f"sub/d{n}", f"moved{n}")
def find(): return [i for i in range(32) if not os.path.exists(f"sub/d{i}")]
""",
    "a file that is gone": """
import os
def leave(n): os.unlink(f"sub/d{n}")
def find(): return [i for i in range(32) if not os.path.exists(f"sub/d{i}")]
""",
    "a second name": """
import os
def leave(n): os.link(f"sub/d{n}", f"sub/link{n}")
def find(): return [i for i in range(32) if os.stat(f"sub/d{i}").st_nlink > 1]
""",
    "a new file beside them": """
import os
def leave(n): open(f"sub/new{n}", "w").close(); os.unlink(f"sub/new{n}"); open(f"sub/new{n}", "w").close()
def find(): return [int(name[3:]) for name in os.listdir("sub") if name.startswith("new")]
""",
}


class SessionFiles(unittest.TestCase):
    """Cases share the copies of a session's files until one of them changes something."""

    @classmethod
    def setUpClass(cls):
        cls.session = str(uuid.uuid4())
        for folder in ("", "sub/"):
            for n in range(32):
                call("POST", "/write_file", {"id": cls.session, "rel_path": f"{folder}d{n}", "content": "original"})

    @classmethod
    def tearDownClass(cls):
        call("DELETE", "/api/v1/sessions/" + cls.session)

    def test_nothing_is_found(self):
        for name, code in FILE_CHANNELS.items():
            with self.subTest(name):
                code += ("\ndef f(n):\n    found = list(find())\n    leave(n)\n"
                         "    return found if n in list(find()) or name == 'reading a file' else 'cannot see its own'\n"
                         f"name = {name!r}\n")
                got = call("POST", "/evaluate_code", {"id": self.session, "code": code, "entry_point": "f", "io_cases": [{"input": str(n), "output": "[]"} for n in range(CASES)]})
                self.assertIsNone(got.json["error"], got.json)
                for result in got.json["case_results"]:
                    self.assertEqual((result["got"], result["error"]), ([], None), (name, result))


if __name__ == "__main__":
    unittest.main()
