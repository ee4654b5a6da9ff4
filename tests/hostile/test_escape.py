"""Programs that look for a way out: descriptors, processes, files, memory of others, the host.

What is meant for an attacker to find is made here first (a canary file on the host, a neighbour's
secret), so that a wall that gives way is seen.
"""

import ast
import os
import secrets
import stat
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import ENVIRONMENT, STATE, Host, NothingLeft, Session, call, find_marked, fresh_mark, mark_code, needs_host, read, run, wait_until

DESCRIPTORS = """
import os
found = {}
for name in os.listdir('/proc/self/fd'):
    try: found[int(name)] = os.readlink('/proc/self/fd/' + name)
    except OSError: pass  # the listing's own
print([text for n, text in sorted(found.items()) if n > 2], [found.get(n, '').split(':')[0] for n in range(3)], sep='\\n')
"""


class Descriptors(unittest.TestCase):
    def check(self, text):
        more, standard = text.splitlines()
        self.assertEqual(more, "[]")
        self.assertTrue(set(ast.literal_eval(standard)) <= {"pipe", "/dev/null"}, standard)

    def test_one_shot(self):
        for given in ({}, {"stdin": "x" * 100000}):
            self.check(run(DESCRIPTORS, **given)["stdout"])

    def test_session_after_all_kinds_of_cells(self):
        with Session() as session:
            for code in ("x = 1", "1 / 0", "import os; os._exit(1)", "while True: pass", "input()"):
                session.execute(code, timeout=1, stdin="some\n")
                self.check(session.execute(DESCRIPTORS)["stdout"])
            session.call("POST", "/undo")
            self.check(session.execute(DESCRIPTORS)["stdout"])
            session.call("POST", "/reset")
            self.check(session.execute(DESCRIPTORS)["stdout"])

    def test_children_of_both(self):
        self.check(run("import subprocess, sys\nprint(subprocess.run([sys.executable or 'python3', '-c', " + repr(DESCRIPTORS) + "], capture_output=True, text=True).stdout, end='')")["stdout"])

    def test_nothing_of_another_run_is_mapped(self):
        got = run("import re\nprint(sorted({line.split(None, 5)[5].strip() for line in open('/proc/self/maps') if len(line.split(None, 5)) > 5}))")
        for path in ast.literal_eval(got["stdout"]):
            self.assertRegex(path, r"^(/usr/lib/|/lib/|/opt/|/memfd:(mailbox|zygote) |\[(heap|stack|vdso|vvar|vsyscall|anon.*|vvar_vclock)\]$|/dev/zero)", path)

    def test_nothing_is_writable_and_executable(self):
        got = run("for line in open('/proc/self/maps'):\n    if 'wx' in line.split()[1]: print(line, end='')")
        self.assertEqual((got["stdout"], got["status"]), ("", "success"), got)

    def test_standard_streams_of_a_cell_do_not_reach_the_next(self):
        """A descriptor that a program kept open does not let it write into a later cell's output."""
        with Session() as session:
            session.execute("import os, threading, time\nkept = os.dup(1)\nif os.fork() == 0:\n    os.setsid()\n    while True:\n        time.sleep(0.01)\n        os.write(kept, b'stray')")
            with Session() as other:
                self.assertEqual(other.execute("import time; time.sleep(0.2); print('x')")["stdout"], "x\n")
            self.assertEqual(session.value("1"), "1")


class Processes(NothingLeft):
    def test_kinds_of_processes_that_want_to_stay(self):
        mark = fresh_mark()
        name = mark_code(mark).rstrip()
        kinds = {
            "orphan": f"if os.fork() == 0:\n    {name}\n    while True: time.sleep(1)",
            "double fork": f"if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        {name}\n        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n        while True: time.sleep(1)\n    os._exit(0)",
            "stopped": f"if os.fork() == 0:\n    {name}\n    os.kill(os.getpid(), signal.SIGSTOP)",
            "zombies": "for i in range(20):\n    if os.fork() == 0: os._exit(0)",
            "chain": f"def chain(n):\n    if os.fork() == 0:\n        {name}\n        if n: chain(n - 1)\n        time.sleep(1000)\nchain(15)",
            "shell daemon": f"os.system('setsid sh -c \": {mark}; while :; do sleep 1; done\" >/dev/null 2>&1 </dev/null &')",
            "thread": f"threading.Thread(target=lambda: [time.sleep(1) for i in range(1000)], daemon=False).start()\nos._exit(0)",
            "respawner": f"def again():\n    while True:\n        if os.fork() == 0:\n            {name}\n            time.sleep(0.002)\n            os.setsid()\n        else: os._exit(0)\nif os.fork() == 0: again()",
            "traps": f"for n in range(1, 65):\n    try: signal.signal(n, lambda *a: os.fork())\n    except (OSError, ValueError): pass\nif os.fork() == 0:\n    {name}\n    while True: time.sleep(1)",
            "vfork and exec": "import subprocess\nfor i in range(8): subprocess.Popen(['/bin/sleep', '1000'], start_new_session=True)",
        }
        for kind, code in kinds.items():
            code = "import os, signal, sys, threading, time\n" + code + "\nprint('parent', flush=True)\nos._exit(0)"
            with self.subTest(kind + " of a one-shot"):
                self.assertEqual(run(code, timeout=5)["status"], "success")
                wait_until(lambda: not find_marked(mark), "it is dead", 5)
            with self.subTest(kind + " of a session"), Session() as session:
                session.execute("x = 1")
                session.execute(code)
                self.assertEqual(session.value("x"), "1")
            wait_until(lambda: not find_marked(mark), "it is dead", 5)

    def test_no_debugging(self):
        got = run("import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
                  "pid = os.fork()\nif pid == 0:\n    import time; time.sleep(5); os._exit(0)\n"
                  "def call(*a):\n    ctypes.set_errno(0)\n    return libc.syscall(*[ctypes.c_long(n) for n in a]), ctypes.get_errno()\n"
                  "import platform\nx86 = platform.machine() == 'x86_64'\n"
                  "print([call(n, *a) for n, a in (((101, 310, 311) if x86 else (117, 270, 271))[i:i+1] + ((16, pid, 0, 0) if i == 0 else (pid, 0, 0, 0, 0, 0),) for i in range(3))])\n"
                  "print([call(*a) for a in ((438, 0, 0, 0), (424, -1, 9, 0, 0))])")
        lines = got["stdout"].splitlines()
        self.assertEqual(lines[0], "[(-1, 1), (-1, 1), (-1, 1)]", got)
        self.assertTrue(lines[1].startswith("[(-1, 1), (-1, 9)"), got)  # pidfd_getfd is refused, pidfd_send_signal is not

    def test_other_processes_do_not_show(self):
        with Session() as session:
            session.execute("x = 1")  # there is an init, and a checkpoint of our own uid
            got = session.execute("import os\npids = [int(p) for p in os.listdir('/proc') if p.isdigit()]\n"
                                  "print(1 in pids, os.path.exists('/proc/1'))")
            self.assertEqual(got["stdout"].split()[:2], ["False", "False"])
            got = session.execute("pids = [int(p) for p in os.listdir('/proc') if p.isdigit()]\nfound = []\nfor pid in range(1, 5000):\n    for name in ('environ', 'mem', 'maps', 'root', 'cwd', 'fd', 'cmdline', 'ns/net'):\n"
                                  "        if pid in pids: continue\n        try: os.stat(f'/proc/{pid}/{name}'); found.append((pid, name))\n        except OSError: pass\nprint(found)")
            self.assertEqual(got["stdout"], "[]\n")

    def test_memory_of_others(self):
        got = run("import os\npid = os.fork()\nif pid == 0:\n    import time; time.sleep(5); os._exit(0)\n"
                  "import glob\nprint([p for p in glob.glob('/proc/[0-9]*/mem') if p.split('/')[2] not in (str(os.getpid()), str(pid))])")
        self.assertEqual(got["stdout"], "[]\n")


class Files(unittest.TestCase):
    def test_canary_on_the_host(self):
        secret = secrets.token_hex(16)
        with tempfile.NamedTemporaryFile("w", prefix="canary-", dir="/tmp") as file, tempfile.NamedTemporaryFile("w", prefix="canary-", dir="/var/tmp") as other:
            for f in (file, other):
                f.write(secret)
                f.flush()
                os.chmod(f.name, 0o666)
            paths = [file.name, other.name, "/etc/shadow", "/etc/ssh", "/root", "/boot", "/sys", "/sys/fs/cgroup", "/run/docker.sock", "/var/run/docker.sock",
                     "/proc/1/root", "/proc/kcore", "/proc/keys", "/proc/kallsyms", "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/dev/mem", "/dev/sda", "/dev/kmsg",
                     STATE or "/nothing", (STATE or "/nothing") + "/executor.sock", "/work"]
            got = run(f"import os\nfor p in {paths!r}:\n    for q in (p, '/proc/self/root' + p, '/proc/self/cwd/../..' + p, '/workspace/../' + p):\n"
                      "        try: os.lstat(q); print(q)\n        except OSError: pass\n"
                      "for top, folders, files in os.walk('/'):\n    if top.startswith('/proc') or top.startswith('/usr'): folders.clear(); continue\n"
                      f"    for name in files:\n        try:\n            if {secret!r} in open(os.path.join(top, name), errors='replace').read(10000): print('read', top, name)\n        except OSError: pass\n"
                      f"for p in {paths[:2]!r}:\n    try: os.remove(p); print('removed', p)\n    except OSError: pass\n")
            self.assertEqual(got["stdout"], "", got)
            for f in (file, other):
                self.assertEqual(read(f.name), secret)

    def test_environment(self):
        got = run("import os\nprint(sorted(os.environ))\nprint(open('/proc/self/environ').read())\nprint(open('/proc/self/cmdline').read(), os.uname().nodename, open('/proc/self/cgroup').read())\n"
                  "import resource\nprint(open('/etc/passwd').read(), os.listdir('/etc'))")
        text = got["stdout"]
        for word in ("EXECUTOR_", "VIVARIUM_", "SUDO", "SSH", "USER_FILES", os.uname().nodename, *((STATE, Host().group()) if STATE else ())):
            self.assertNotIn(word, text)
        names = ast.literal_eval(text.splitlines()[0])
        self.assertEqual([n for n in names if n not in ("HOME", "LANG", "PATH", "TMPDIR", *(("VIRTUAL_ENV", "MPLBACKEND", "MPLCONFIGDIR") if ENVIRONMENT else ())) and not n.endswith("_NUM_THREADS")], [])

    def test_devices_links_and_set_uid(self):
        got = run("""
import os, stat
def attempt(name, f):
    try: f(); print(name, 'worked')
    except OSError as e: pass
attempt('block device', lambda: os.mknod('/workspace/b', stat.S_IFBLK | 0o666, os.makedev(8, 0)))
attempt('character device', lambda: os.mknod('/tmp/c', stat.S_IFCHR | 0o666, os.makedev(1, 1)))
attempt('hard link', lambda: os.link('/usr/bin/env', '/workspace/env'))
attempt('hard link of our own program', lambda: os.link('/proc/self/exe', '/workspace/exe'))
attempt('overwrite our own program', lambda: open('/proc/self/exe', 'r+b'))
attempt('owner', lambda: (open('/workspace/f', 'w').close(), os.chown('/workspace/f', 0, 0)))
attempt('mount point', lambda: os.rename('/workspace', '/w'))
attempt('chroot', lambda: os.chroot('/tmp'))
for folder in ('/', '/usr', '/etc', '/dev', '/proc', '/home', '/var', '/run', '/usr/lib/python3', '/lib'):
    attempt('write to ' + folder, lambda: open(folder + '/probe', 'w'))
    attempt('mode of ' + folder, lambda: os.chmod(folder, 0o777))
    attempt('time of ' + folder, lambda: os.utime(folder))
for d in ('/proc/sys', '/proc/sysrq-trigger', '/proc/self/uid_map', '/proc/self/gid_map', '/proc/self/setgroups', '/proc/self/loginuid'):
    attempt('open ' + d, lambda: os.write(os.open(d, os.O_WRONLY), b'0 0 1'))
attempt('lower score', lambda: os.write(os.open('/proc/self/oom_score_adj', os.O_WRONLY), b'-1000'))
import shutil
shutil.copy('/usr/bin/id', '/workspace/id')
os.chmod('/workspace/id', 0o6755)
print(os.popen('/workspace/id -u').read().strip() == str(os.getuid()))
print([p for p in ('/usr/bin/su', '/usr/bin/passwd', '/usr/bin/mount') if os.path.exists(p) and os.system(p + ' -c id root </dev/null >/dev/null 2>&1') == 0])
""")
        self.assertEqual(got["stdout"], "True\n[]\n", got)

    def test_links_out_of_the_workspace_while_it_is_emptied(self):
        """The executor empties the folder as root: it must not follow anything."""
        with tempfile.TemporaryDirectory(prefix="canary-", dir="/tmp") as folder:
            with open(folder + "/marker", "w", encoding="ascii") as file:
                file.write("here")
            os.chmod(folder, 0o777)
            with Session() as session:
                session.execute(f"import os, stat\nos.symlink('/', 'root'); os.symlink({folder!r}, 'canary'); os.symlink('..', 'up'); os.symlink('loop', 'loop')\n"
                                "os.mkfifo('fifo'); os.mkdir('locked'); open('locked/f', 'w').close(); os.chmod('locked', 0)\n"
                                "os.mkdir('.hidden'); open('.hidden/.f', 'w').close(); open('-rf', 'w').close(); open('new\\nline', 'w').close()\n"
                                "open(b'\\xff\\xfe', 'w').close(); open('n' * 255, 'w').close()\n"
                                "top = os.open('.', 0)\nfor i in range(1500):\n    os.mkdir('deep'); os.symlink('/tmp', 'out'); os.chdir('deep')\nos.fchdir(top)")
                began = time.monotonic()
                self.assertEqual(session.call("POST", "/reset", {"files": True}).status, 200)
                self.assertLess(time.monotonic() - began, 10)
                self.assertEqual(session.value("__import__('os').listdir('/workspace')"), "[]")
            self.assertEqual(read(folder + "/marker"), "here")
            self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o777)

    def test_sticky_folders_can_be_emptied(self):
        """In those, root without its capabilities may not remove what others own."""
        with Session() as session:
            session.execute("kept = 1\nimport os\nos.makedirs('a/b/c')\nfor f in ('.', 'a', 'a/b', 'a/b/c'): open(f + '/file', 'w').close(); os.chmod(f, 0o1777)")
            self.assertEqual(session.call("POST", "/reset", {"files": True}).status, 200)
            self.assertEqual(session.value("__import__('os').listdir('/workspace')"), "[]")
            self.assertEqual(session.execute("open('/workspace/new', 'w').write('x')")["result"], "1")

    def test_no_watch_on_what_is_shared(self):
        """Watches on /usr would tell what neighbours and the host do."""
        got = run("import ctypes, fcntl, os, platform\nlibc = ctypes.CDLL(None, use_errno=True)\n"
                  "print(libc.inotify_init1(0), ctypes.get_errno(), libc.inotify_add_watch(0, b'/usr/bin', 0xfff))\n"
                  "for command in (fcntl.F_NOTIFY, fcntl.F_SETLEASE, fcntl.F_NOTIFY | 1 << 32):\n"
                  "    print(libc.syscall(ctypes.c_long(72 if platform.machine() == 'x86_64' else 25), ctypes.c_long(os.open('/usr/bin', 0)), ctypes.c_long(command), ctypes.c_long(1)))")
        self.assertEqual(got["stdout"], "-1 1 -1\n-1\n-1\n-1\n", got)


class Filling(NothingLeft):
    """All that can be filled ends at a limit, and is given back."""

    def test_every_writable_folder(self):
        got = run("import os\ntotal = 0\nfor folder in ('/workspace', '/tmp', '/dev/shm', '/var/tmp', '/run', '/home', '/dev', '/var', '/'):\n    try:\n        with open(folder + '/big', 'wb', 0) as f:\n"
                  "            while f.tell() < 1 << 30: total += f.write(bytes(1 << 18))\n    except OSError as e: pass\nprint(total)", timeout=20, memory_mb=128)
        if got["reason"] != "memory":
            self.assertLessEqual(int(got["stdout"]), 64 << 20)

    def test_names_without_content(self):
        got = run("import os, errno\nn = 0\ntry:\n    while True:\n        os.symlink('x' * 1000, f'/dev/shm/{n}')\n        n += 1\nexcept OSError as e: print(n, e.errno)", timeout=20)
        count, error = got["stdout"].split()
        self.assertEqual(error, "28")
        self.assertLessEqual(int(count), 8192)

    def test_memory_that_is_no_process(self):
        """memfds, pipes, socket pairs and deleted files are the sandbox's memory too."""
        for code in ("fd = os.memfd_create('x')\nwhile True: os.write(fd, bytes(1 << 20))",
                     "kept = []\nwhile True:\n    f = os.open('/tmp/x', os.O_RDWR | os.O_CREAT); os.unlink('/tmp/x')\n    os.write(f, bytes(4 << 20)); kept.append(f)",
                     "import fcntl, resource\nfor i in range(40):\n    if os.fork() == 0:\n        for j in range(100):\n            r, w = os.pipe(); os.set_blocking(w, False)\n            try: fcntl.fcntl(w, 1031, 1 << 20)\n            except OSError: pass\n"
                     "            try:\n                while True: os.write(w, bytes(65536))\n            except OSError: pass\n        time.sleep(100)\ntime.sleep(2)",
                     "import socket\nfor i in range(40):\n    if os.fork() == 0:\n        kept = []\n        for j in range(100):\n            a, b = socket.socketpair(); a.setblocking(False); a.setsockopt(1, 7, 1 << 30); kept.append((a, b))\n"
                     "            try:\n                while True: a.send(bytes(65536))\n            except OSError: pass\n        time.sleep(100)\ntime.sleep(2)",
                     "kept = [bytearray(1 << 20) for i in range(60)]\nfor i in range(50):\n    if os.fork() == 0:\n        for b in kept: b[::4096] = bytes(len(b) // 4096)\n        time.sleep(100)\ntime.sleep(2)"):
            with self.subTest(code[:40]):
                free = self.free_memory()
                got = run("import os, time\n" + code, timeout=4)
                self.assertLessEqual(got["usage"]["memory_peak_bytes"], 256 << 20 if ENVIRONMENT else 128 << 20)
                wait_until(lambda: self.free_memory() > free - (200 << 20), "the memory is free again")

    @staticmethod
    def free_memory():
        return int(next(line for line in read("/proc/meminfo").splitlines() if line.startswith("MemAvailable")).split()[1]) * 1024

    def test_huge_pages_are_the_machines(self):
        """Those set aside (vm.nr_hugepages) count towards no sandbox's memory."""
        got = run("import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nlibc.mmap.restype = ctypes.c_ssize_t\n"
                  "print(libc.memfd_create(b'x', 4), ctypes.get_errno(), libc.memfd_create(b'x', 4 | 21 << 26), libc.mmap(None, ctypes.c_size_t(2 << 20), 3, 0x40022, -1, 0), ctypes.get_errno())")
        self.assertEqual(got["stdout"], "-1 12 -1 -1 12\n")

    def test_queues_keys_and_shared_memory_do_not_exist(self):
        got = run("import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nprint(libc.shmget(0, 1 << 20, 0o1600), libc.semget(0, 10, 0o1600), libc.msgget(0, 0o1600), "
                  "libc.syscall(ctypes.c_long(250), 0, 0, 0, 0, 0), libc.syscall(ctypes.c_long(425), 8, 0))\n"
                  "import multiprocessing.shared_memory as s\nm = s.SharedMemory(create=True, size=1000); m.unlink(); print('posix works')")
        self.assertEqual(got["stdout"], "-1 -1 -1 -1 -1\nposix works\n")

    def test_timers_signals_and_locks(self):
        got = run("import ctypes, os\nlibc = ctypes.CDLL(None)\nn = 0\nt = ctypes.c_void_p()\nwhile libc.timer_create(0, None, ctypes.byref(t)) == 0 and n < 10 ** 6: n += 1\nprint(n)", timeout=5)
        self.assertLess(int(got["stdout"]), 1000)
        got = run("import fcntl, os\nf = open('/tmp/x', 'w')\nfor i in range(100000): fcntl.lockf(f, fcntl.LOCK_EX, 1, i * 2)", timeout=1)
        self.assertLessEqual(got["usage"]["memory_peak_bytes"], 128 << 20)


class Neighbours(NothingLeft):
    """Two sessions see nothing of each other, in any direction."""

    def setUp(self):
        super().setUp()
        self.sessions = [Session(), Session()]
        for session in self.sessions:
            self.addCleanup(session.close)

    def test_files(self):
        one, other = self.sessions
        one.execute("for d in ('/workspace', '/tmp', '/dev/shm'): open(d + '/secret', 'w').write('x')")
        self.assertEqual(other.value("import os; [os.listdir(d) for d in ('/workspace', '/tmp', '/dev/shm')]"), "[[], [], []]")

    def test_processes_and_signals(self):
        one, other = self.sessions
        mark = fresh_mark()
        one.execute("import os, time\n" + mark_code(mark) + "if os.fork() == 0:\n    while True: time.sleep(1)\nx = 1")
        got = other.execute("import os, signal\nsent = []\nfor pid in range(1, 5000):\n    if pid != os.getpid():\n        try: os.kill(pid, 0); sent.append(pid)\n        except OSError: pass\n"
                            "names = [os.readlink(f'/proc/{p}/fd/{fd}') for p in os.listdir('/proc') if p.isdigit() for fd in os.listdir(f'/proc/{p}/fd') if fd != '3']\nprint(len(sent), names)")
        self.assertNotIn(mark, got["stdout"])
        other.execute("for pid in range(2, 5000):\n    if pid != os.getpid():\n        try: os.kill(pid, 9)\n        except OSError: pass")
        self.assertEqual(one.value("x"), "1")
        if STATE:
            self.assertTrue(find_marked(mark))

    @needs_host
    def test_uids_and_namespaces_differ(self):
        marks = [fresh_mark(), fresh_mark()]
        for session, mark in zip(self.sessions, marks):
            session.execute(mark_code(mark))
        seen = []
        for mark in marks:
            pid = wait_until(lambda: find_marked(mark), "it is found")[0]
            seen.append({"uid": next(line.split()[1] for line in read(f"/proc/{pid}/status").splitlines() if line.startswith("Uid:")),
                         **{name: os.readlink(f"/proc/{pid}/ns/{name}") for name in ("user", "pid", "mnt", "net", "ipc", "uts", "cgroup")}})
        for name, value in seen[0].items():
            self.assertNotEqual(value, seen[1][name], name)
            if name != "uid":
                self.assertNotEqual(value, os.readlink(f"/proc/self/ns/{name}"), name)
        self.assertGreaterEqual(min(int(s["uid"]) for s in seen), 65536)

    def test_abstract_sockets_and_network(self):
        got = self.sessions[0].execute("import socket\nfor family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, 16, 17, 38, 40):\n    for kind in (1, 2, 3, 5):\n"
                                       "        try: socket.socket(family, kind); print('made', family, kind)\n        except PermissionError: pass\n"
                                       "a, b = socket.socketpair()\nfor f in (lambda: a.bind('\\0x'), lambda: a.connect('\\0x'), lambda: a.listen()):\n    try: f(); print('worked')\n    except OSError: pass\n"
                                       "print(open('/proc/net/dev').read().count(':') if __import__('os').path.exists('/proc/net/dev') else 0)")
        self.assertIn(got["stdout"], ("0\n", "1\n"))  # at most a loopback that is down

    def test_a_greedy_neighbour(self):
        """One that uses all its CPU, processes and memory leaves the other its share."""
        one, other = self.sessions
        other.execute("x = 1")
        connection = one.begin("import os\nfor i in range(30):\n    if os.fork() == 0:\n        while True: pass\nx = [bytearray(1 << 20) for i in range(50)]\nwhile True: pass", timeout=4)
        wait_until(lambda: one.show()["usage"]["cpu_ms"] > 300, "it is at work")
        worst = 0.0
        for _ in range(20):
            began = time.monotonic()
            self.assertEqual(other.value("sum(range(10000)) * x"), "49995000")
            worst = max(worst, time.monotonic() - began)
        connection.close()
        self.assertLess(worst, 1)

    def test_standard_input_is_nobody_elses(self):
        """The flags, owner and signal of an open file are those of all who have it."""
        look = "__import__('fcntl').fcntl(0, 3), __import__('fcntl').fcntl(0, 11)"
        one, other = self.sessions
        before = other.value(look)
        one.execute("import fcntl, os\nfcntl.fcntl(0, fcntl.F_SETFL, os.O_NONBLOCK | os.O_APPEND); fcntl.fcntl(0, 10, 42); fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())")
        self.assertNotEqual(one.value(look), before)
        self.assertEqual(other.value(look), before)
        self.assertEqual(run("print((" + look + "))")["stdout"].strip(), before)

    def test_hash_seeds_and_addresses_differ_between_runs(self):
        seen = {run("print(hash('x'), id(object()))")["stdout"] for _ in range(8)}
        self.assertGreater(len(seen), 1 if ENVIRONMENT else 2)  # it has two zygotes


class AfterAll(NothingLeft):
    def test_the_application_keeps_no_descriptor(self):
        """The other classes compare the executor's; this one is for fcgi-app."""
        if not STATE:
            self.skipTest("needs VIVARIUM_STATE_DIR")
        host = Host()
        for _ in range(3):
            run("1")
        before = host.descriptors("fcgi-app")
        for i in range(30):
            run("1 / 0")
            with Session() as session:
                session.execute("import os; os._exit(1)")
            call("POST", "/api/v1/execute", {"code": ""})
            call("GET", "/api/v1/sessions/none")
        wait_until(lambda: host.descriptors("fcgi-app") <= before + 2, "its descriptors are as before")
