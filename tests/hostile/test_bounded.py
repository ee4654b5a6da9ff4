"""Programs and clients that use up what no limit seems to count, and what one client can take
from the others. Figures are read on the host: its kernel memory, its disks, the groups' files."""

import http.client
import io
import json
import os
import statistics
import sys
import tarfile
import tempfile
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import PATIENCE, STATE, URL, Host, NothingLeft, Service, Session, begin, call, find_marked, fresh_mark, mark_code, needs_host, read, run, wait_until

MIB = 1 << 20


def kernel_memory():
    """Bytes that the kernel has for itself and cannot give back."""
    lines = dict(line.split(":") for line in read("/proc/meminfo").splitlines())
    return int(lines["SUnreclaim"].split()[0]) * 1024


def flushes():
    """How often the machine's disks were told to write their caches."""
    return sum(int(fields[18]) for fields in map(str.split, read("/proc/diskstats").splitlines()) if len(fields) > 18)


class KernelMemory(NothingLeft):
    def test_record_locks(self):
        code = ("import fcntl, os, struct, sys\n"
                "file = open('/tmp/locked', 'w')\n"
                "for kind in (fcntl.F_SETLK, 37):  # and F_OFD_SETLK\n"
                "    for i in range(150000):\n"
                "        fcntl.fcntl(file, kind, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 2 * i, 1, 0))\n"
                "print('tried')\n"
                "sys.stdout.flush()\n"
                "import time; time.sleep(1)\n")
        with Session() as session:
            before = kernel_memory()
            got = session.execute(code)
            self.assertEqual(got["stdout"], "tried\n", got)
            self.assertLess(kernel_memory() - before, 20 * MIB)

    def test_sqlite(self):
        """It takes record locks for everything."""
        code = ("import sqlite3, threading\n"
                "first, second = (sqlite3.connect('data.db', timeout=20, check_same_thread=False) for _ in range(2))\n"
                "first.execute('create table t (n)'); first.commit()\n"
                "def add(connection):\n"
                "    for i in range(50):\n"
                "        with connection: connection.execute('insert into t values (?)', (i,))\n"
                "threads = [threading.Thread(target=add, args=(c,)) for c in (first, second)]\n"
                "[t.start() for t in threads]; [t.join() for t in threads]\n"
                "print(first.execute('select count(*), sum(n) from t').fetchone(), second.execute('pragma integrity_check').fetchone())\n")
        got = run(code)
        self.assertEqual(got["stdout"], "(100, 2450) ('ok',)\n", got)

    def test_file_locks_exclude(self):
        code = ("import fcntl\n"
                "a, b = open('/tmp/x', 'w'), open('/tmp/x', 'w')\n"
                "fcntl.flock(a, fcntl.LOCK_EX)\n"
                "try: fcntl.flock(b, fcntl.LOCK_EX | fcntl.LOCK_NB); print('both')\n"
                "except BlockingIOError: print('one')\n")
        self.assertEqual(run(code)["stdout"], "one\n")

    def test_socket_filters(self):
        """Each would be a program in the kernel's memory, compiled."""
        code = ("import ctypes, socket, struct\n"
                "instructions = struct.pack('HBBI', 6, 0, 0, 0xffff) * 100\n"
                "buffer = ctypes.create_string_buffer(instructions)\n"
                "program = struct.pack('HxxxxxxQ', 100, ctypes.addressof(buffer))\n"
                "a, b = socket.socketpair()\n"
                "for option in (26, 50, 51, 52):  # SO_ATTACH_FILTER, _BPF, _REUSEPORT_CBPF, _EBPF\n"
                "    try: a.setsockopt(socket.SOL_SOCKET, option, program); print('attached', option)\n"
                "    except PermissionError: print('refused')\n")
        self.assertEqual(run(code)["stdout"], "refused\n" * 4)

    def test_socket_options_that_programs_use(self):
        code = ("import asyncio, socket\n"
                "a, b = socket.socketpair()\n"
                "a.settimeout(1); a.setblocking(False)\n"
                "for option in (socket.SO_SNDBUF, socket.SO_RCVBUF, socket.SO_KEEPALIVE, socket.SO_REUSEADDR):\n"
                "    a.setsockopt(socket.SOL_SOCKET, option, 1)\n"
                "a.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes(8))\n"
                "async def main():\n"
                "    reader, writer = await asyncio.open_connection(sock=b)\n"
                "    a.send(b'x\\n'); return await reader.readline()\n"
                "print(asyncio.run(main()))\n")
        self.assertEqual(run(code)["stdout"], "b'x\\n'\n")


class Names(unittest.TestCase):
    """What a program can have written into the kernel's log, and read about the host."""

    def test_nothing_of_proc_is_written_but_the_name(self):
        code = ("import ctypes, os\n"
                "ctypes.CDLL(None).prctl(15, b'by prctl', 0, 0, 0)\n"
                "print(open('/proc/self/comm').read(), end='')\n"
                "open('/proc/self/comm', 'w').write('by file')\n"
                "print(open('/proc/self/comm').read(), end='')\n"
                "for folder, _, names in os.walk('/proc/self/'):\n"
                "    for name in names:\n"
                "        try: os.close(os.open(folder + '/' + name, os.O_WRONLY | os.O_NOFOLLOW)); print(os.path.join(folder, name))\n"
                "        except OSError: pass\n")
        self.assertEqual(run(code)["stdout"], "by prctl\nby file\n/proc/self/comm\n")

    def test_who_ends_first_when_memory_is_short(self):
        """Not for the program to say, neither downwards nor upwards."""
        code = ("import os\nfor pid in (os.getpid(), os.fork() or os.getpid()):\n"
                "    for score in ('0', '-1000', '1000'):\n"
                "        try: open(f'/proc/{pid}/oom_score_adj', 'w').write(score); print('wrote')\n"
                "        except OSError: pass\n"
                "    print(open(f'/proc/{pid}/oom_score_adj').read().strip(), flush=True)\n"
                "os._exit(0)\n")
        self.assertEqual(set(run(code)["stdout"].split()), {"500"})

    def test_scores_of_checkpoints(self):
        with Session() as session:
            session.execute("import os\nx = 1")
            own = "open('/proc/self/oom_score_adj').read().strip()"
            others = "{open(f'/proc/{pid}/oom_score_adj').read().strip() for pid in os.listdir('/proc') if pid.isdigit() and int(pid) != os.getpid()}"
            for end in ("pass", "os._exit(1)"):
                self.assertIn(session.execute(end)["state"], ("kept", "restored"))
                self.assertEqual(session.value(f"{own}, {others}"), "('500', {'1000'})")

    def test_where_the_service_lies(self):
        got = run("print(open('/proc/self/maps').read() + open('/proc/self/mountinfo').read())\nimport os; print(os.readlink('/proc/self/exe'))")
        shown = "".join(line for line in got["stdout"].splitlines() if " /opt/" not in line)  # an environment's folder shows
        self.assertNotIn(STATE or "/nowhere", shown)
        self.assertIn("/memfd:zygote", got["stdout"])


class Disk(unittest.TestCase):
    @needs_host
    def test_flushing_what_is_only_read(self):
        code = ("import mmap, os, sys\n"
                "fd = os.open(os.__file__, os.O_RDONLY)\n"
                "m = mmap.mmap(fd, 4096, mmap.MAP_SHARED, mmap.PROT_READ)\n"
                "for i in range(2000): os.fsync(fd); os.fdatasync(fd); m.flush()\n"
                "os.sync(); print('flushed')\n")
        before = flushes()
        self.assertEqual(run(code)["stdout"], "flushed\n")
        self.assertLess(flushes() - before, 1000)

    @needs_host
    def test_reading(self):
        """All sandboxes together, from a disk: what is not in the page cache."""
        controllers = read("/sys/fs/cgroup/cgroup.controllers").split()
        if not os.path.exists("/sys/fs/cgroup/blkio/blkio.throttle.read_bps_device") and "io" not in controllers:
            self.skipTest("no controller of I/O")
        with tempfile.TemporaryDirectory(prefix="bounded-", dir="/opt") as folder:
            os.chmod(folder, 0o755)
            if os.major(os.stat(folder).st_dev) == 0:
                self.skipTest("/opt is on no disk")
            with open(folder + "/large", "wb") as file:
                for _ in range(96):
                    file.write(os.urandom(MIB))
                file.flush()
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            code = (f"import os, time\nfd = os.open({folder + '/large'!r}, os.O_RDONLY)\nbegan, count = time.monotonic(), 0\n"
                    "while time.monotonic() - began < 3: count += len(os.read(fd, 1 << 18))\n"
                    "print(count, time.monotonic() - began)")
            with Service(EXECUTOR_ROOT_PATHS=folder, EXECUTOR_SANDBOXES_DISK_BYTES_PER_S=str(8 * MIB)) as service:
                got = run(code, url=service.url)
                self.assertEqual(got["status"], "success", got)
                count, seconds = got["stdout"].split()
                self.assertGreater(int(count), MIB, got)
                self.assertLess(int(count), 2 * 8 * MIB * float(seconds) + 4 * MIB, got)


@needs_host
class AllTogether(unittest.TestCase):
    def limit(self, controller, *names):
        """Of the group in which all sandboxes are, by either version of cgroups."""
        for base in (f"/sys/fs/cgroup/{controller}", "/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
            for folder, folders, files in os.walk(base):
                if os.path.basename(folder) == Host().group():
                    return [read(f"{folder}/{name}").strip() for name in names if name in files][0]
        raise AssertionError("there is no group")

    def test_memory(self):
        total = int(read("/proc/meminfo").split()[1]) * 1024
        self.assertLess(int(self.limit("memory", "memory.limit_in_bytes", "memory.max")), total * 0.8)

    def test_processes(self):
        self.assertLessEqual(int(self.limit("pids", "pids.max")), int(read("/proc/sys/kernel/pid_max")) // 2)


def stranger(code, address="127.0.0.77", **more):
    """A one-shot from another client address: seconds, and the result."""
    parts = urllib.parse.urlsplit(URL)
    began = time.monotonic()
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE, source_address=(address, 0))
    try:
        connection.request("POST", "/api/v1/execute", json.dumps({"code": code, **more}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise AssertionError(f"{answer.status} {body!r}")
        return time.monotonic() - began, json.loads(body)
    finally:
        connection.close()


class Share(NothingLeft):
    LOOPS = 30

    def test_loops_of_one_client(self):
        """Whoever has used little CPU goes before those that have used much."""
        loops = [begin("POST", "/api/v1/execute", {"code": "while True: pass", "timeout": 12}) for _ in range(self.LOOPS)]
        try:
            wait_until(lambda: call("GET", "/api/v1/info").json["counters"]["running"] >= self.LOOPS, "the loops run")
            took = []
            for _ in range(20):
                seconds, got = stranger("print(1)")
                self.assertEqual(got["stdout"], "1\n", got)
                took.append(seconds)
            self.assertLess(statistics.median(took), 0.1, took)
            self.assertLess(max(took), 1, took)
            seconds, got = stranger("import time\nwhile time.process_time() < 0.2: pass\nprint('done')", timeout=3)
            self.assertEqual((got["status"], got["stdout"]), ("success", "done\n"), got)
            self.assertLess(seconds, 3)
        finally:
            for connection in loops:
                connection.close()

    def test_calls_that_run_no_code_get_through(self):
        """Also where a query is so long that it is cut, within an escape, before the path is looked up."""
        cut = "?x=" + "a" * (2047 - len("/api/v1/execute?x=") - 1) + "%41"
        for query in ("", cut):
            sleepers = [begin("POST", "/api/v1/execute" + query, {"code": "import time; time.sleep(4)"}) for _ in range(140)]
            try:
                wait_until(lambda: call("GET", "/api/v1/info").json["counters"]["running"] >= 40, "they run")
                took = []
                for _ in range(10):
                    began = time.monotonic()
                    self.assertEqual(call("GET", "/api/v1/health/live").status, 200)
                    took.append(time.monotonic() - began)
                self.assertLess(statistics.median(took), 0.1, (query[:4], took))
                self.assertLess(max(took), 1, (query[:4], took))
            finally:
                for connection in sleepers:
                    connection.close()

    @needs_host
    def test_what_is_left_between_cells(self):
        """Threads and children that a cell left go on, at a small share of a CPU."""
        leave = ("import os, threading\ndef spin():\n    while True: pass\n"
                 "threading.Thread(target=spin, daemon=True).start()\nif os.fork() == 0: spin()\n")
        with Session() as session:
            before = set(Host().sandboxes())
            self.assertEqual(session.execute("1")["status"], "success")
            self.assertEqual(session.execute(leave)["status"], "success")
            usage = lambda: session.show()["usage"]["cpu_ms"]  # noqa: E731
            wait_until(lambda: self.rate(usage) < 120, "held to a share of the CPU")
            self.assertEqual(session.value("1 + 1"), "2")
            self.assertTrue(before)

    def rate(self, usage):
        """Milliseconds of CPU a second."""
        first, began = usage(), time.monotonic()
        time.sleep(2)
        return (usage() - first) / (time.monotonic() - began)

    def test_a_client_does_not_take_all_places(self):
        most = call("GET", "/api/v1/info").json["counters"]
        self.assertLess(most["limit_running_per_client"], most["limit_running"], most)


class Leftovers(NothingLeft):
    """What a cell that met a limit had started ends with it, whether it yields or not."""

    LOOP = "\nwhile True: pass\n"

    def limited(self, session, code, mark, state, **more):
        got = session.execute(code, **{"timeout": 1, **more})
        self.assertEqual((got["status"], got["state"]), ("timeout" if "wall" in got["reason"] else got["status"], state), got)
        self.assertEqual(find_marked(mark), [], got)
        return got

    def test_children(self):
        mark = fresh_mark()
        child = f"import os, time\nif os.fork() == 0:\n    os.setsid()\n    {mark_code(mark).rstrip()}\n    while True: time.sleep(1)\n"
        with Session() as session:
            session.execute("x = 1")
            got = self.limited(session, child + "x = 2" + self.LOOP, mark, "kept")
            self.assertIn("processes that it had started were ended", got["note"])
            self.assertEqual(session.value("x"), "2")
            self.assertEqual(session.execute("if os.fork() == 0: os._exit(0)")["status"], "success")  # it may fork again

    def test_children_of_earlier_cells_stay(self):
        early, late = fresh_mark(), fresh_mark()
        child = "import os, time\nif os.fork() == 0:\n    {}\n    while True: time.sleep(1)\n"
        with Session() as session:
            session.execute(child.format(mark_code(early).rstrip()))
            wait_until(lambda: find_marked(early), "the first child runs")
            self.limited(session, child.format(mark_code(late).rstrip()) + self.LOOP, late, "kept")
            self.assertEqual(len(find_marked(early)), 1)
            got = session.execute(self.LOOP, timeout=1)
            self.assertNotIn("processes", got["note"])

    def test_threads(self):
        with Session() as session:
            session.execute("import threading, time\nx = 1")
            got = session.execute("x = 2\nthreading.Thread(target=lambda: time.sleep(1000), daemon=True).start()" + self.LOOP, timeout=1)
            self.assertEqual((got["status"], got["state"]), ("timeout", "restored"), got)
            self.assertIn("threads running", got["note"])
            self.assertEqual(session.value("x, threading.active_count()"), "(1, 1)")

    def test_threads_of_earlier_cells_stay(self):
        with Session() as session:
            session.execute("import threading, time\nthreading.Thread(target=lambda: time.sleep(1000), daemon=True).start()")
            got = session.execute("x = 2" + self.LOOP, timeout=1)
            self.assertEqual((got["status"], got["state"]), ("timeout", "kept"), got)
            self.assertEqual(session.value("x, threading.active_count()"), "(2, 2)")

    def test_threads_that_are_joined(self):
        code = ("import concurrent.futures, time\nx = 2\n"
                "with concurrent.futures.ThreadPoolExecutor(4) as pool:\n"
                "    list(pool.map(time.sleep, [0.01] * 8))\n")
        with Session() as session:
            got = session.execute(code + self.LOOP, timeout=1)
            self.assertEqual((got["status"], got["state"]), ("timeout", "kept"), got)
            self.assertIn("kept as they were", got["note"])

    def test_a_fork_bomb(self):
        mark = fresh_mark()
        with Session() as session:
            got = self.limited(session, f"import os, time\nwhile True:\n    if os.fork() == 0:\n        {mark_code(mark).rstrip()}\n        time.sleep(1000)\n", mark, "kept", timeout=20)
            self.assertEqual((got["reason"], got["note"]), ("processes", "The cell met a limit, so the processes that it had started were ended."))
            self.assertEqual(session.value("1 + 1"), "2")


def send(method, path, body, url=URL):
    """One request with a body of bytes: its status and answer."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, {"Content-Type": "application/octet-stream"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def archive(files):
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return whole.getvalue()


class Files(NothingLeft):
    """Whoever writes a page of a workspace is charged with it. What clients bring is counted
    before it is written, as memory of the sandbox and against what all may have."""

    def counted(self, url=URL):
        return call("GET", "/api/v1/info", url=url).json["counters"]["files_bytes"]

    def put(self, session, name, size):
        return send("PUT", f"{session.path}/files/{name}", bytes(size), session.url)

    def assertCounted(self, low, high, before=0):
        self.assertTrue(low <= self.counted() - before <= high, self.counted() - before)

    def test_counted_once_and_given_back(self):
        before = self.counted()
        with Session() as session:
            session.execute("import os\nx = 1")
            for _ in range(20):  # the same file again and again
                self.assertIn(self.put(session, "a", 8 * MIB)[0], (200, 201))
            self.assertCounted(8 * MIB, 8 * MIB + 65536, before)
            self.assertEqual(self.put(session, "b", 4 * MIB)[0], 201)
            self.assertCounted(12 * MIB, 12 * MIB + 65536, before)
            session.execute("os.remove('a')")  # the program itself
            session.execute("1")
            self.assertCounted(4 * MIB, 4 * MIB + 65536, before)
            session.call("DELETE", "/files/b")
            session.execute("1")
            self.assertCounted(0, 65536, before)
            self.assertEqual(send("PUT", session.path + "/files.tar", archive({"deep/er/c": bytes(MIB), "d": bytes(MIB)}))[0], 204)
            self.assertCounted(2 * MIB, 2 * MIB + 65536, before)
            self.assertEqual(session.call("POST", "/reset", {"files": True}).status, 200)
            self.assertCounted(0, 65536, before)
            self.assertEqual(self.put(session, "e", 8 * MIB)[0], 201)
        wait_until(lambda: self.counted() <= before, "given back with the session")

    def test_they_are_memory_of_the_sandbox(self):
        grow = "x = bytearray({} << 20)\nprint('fits')"
        with Session(limits={"memory_bytes": 96 * MIB}) as session:
            self.assertEqual(session.execute(grow.format(64))["stdout"], "fits\n")
            session.execute("del x")
            session.call("POST", "/reset")
            self.assertEqual(self.put(session, "a", 48 * MIB)[0], 201)
            self.assertEqual(session.execute(grow.format(64))["reason"], "memory")
            self.assertEqual(session.execute(grow.format(16))["stdout"], "fits\n")
            status, text = self.put(session, "b", 15 * MIB)
            self.assertEqual(status, 201, text)
            session.execute("y = bytearray(8 << 20)")
            status, text = self.put(session, "c", 60 * MIB)
            self.assertIn(status, (413, 507), text)
            session.execute("import os\nos.remove('a')\nos.remove('b')")
            self.assertEqual(session.execute(grow.format(64))["stdout"], "fits\n")

    def refused(self, *answer):
        status, text = answer
        self.assertEqual((status, "sandboxes_files_bytes" in text), (507, True), text)

    @needs_host
    def test_all_together(self):
        """Each way by which files come, where those of one session leave next to nothing."""
        text, mine = "x" * MIB, "w" + os.urandom(4).hex()
        judged = {"code": "def f(): return 1", "entry_point": "f", "cases": [{"input": "", "output": "1"}]}
        with Service(EXECUTOR_SANDBOXES_FILES_BYTES=str(32 * MIB)) as service, Session(service.url) as first, Session(service.url) as second:
            def post(path, body):
                answer = call("POST", path, body, service.url)
                return answer.status, answer.body.decode()

            self.assertEqual(post("/write_file", {"id": mine, "rel_path": "a", "content": text})[0], 200)
            self.assertEqual(second.call("POST", "/execute", {"code": "open('own', 'wb').write(bytes(2 << 20))"}).status, 200)
            self.assertEqual(self.put(first, "a", 30 * MIB)[0], 201)
            sessions = call("GET", "/api/v1/info", url=service.url).json["counters"]["sessions"]
            self.refused(*self.put(second, "b", 2 * MIB))
            self.refused(*send("PUT", second.path + "/files.tar", archive({"b": bytes(2 * MIB)}), service.url))
            self.refused(*post("/api/v1/sessions", {"files": {"a": text, "b": text}}))
            self.refused(*post("/api/v1/execute", {"code": "1", "files": {"a": text, "b": text}}))
            self.refused(*post("/write_file", {"id": mine, "rel_path": "b", "content": text}))
            self.refused(*post("/fork_session", {"id": mine}))
            self.refused(*post(second.path + "/evaluate", judged))
            self.assertEqual(call("GET", "/api/v1/info", url=service.url).json["counters"]["sessions"], sessions)
            self.assertEqual([file["path"] for file in second.call("GET", "/files").json["files"]], ["own"])
            self.assertEqual(first.call("DELETE", "/files/a").status, 204)
            self.assertEqual(self.put(second, "b", 20 * MIB)[0], 201)  # there is room again
            self.assertEqual(post("/fork_session", {"id": mine})[0], 200)
            self.assertEqual(post("/api/v1/execute", {"code": "1", "files": {"a": text, "b": text}})[0], 200)
            self.assertEqual(json.loads(post(second.path + "/evaluate", judged)[1]).get("detail", "")[:16], "There is no room")


if __name__ == "__main__":
    unittest.main()
