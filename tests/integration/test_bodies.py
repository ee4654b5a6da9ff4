"""What a request brings: JSON that is large, strange or misspelt, and files of any size."""

import hashlib
import io
import json
import os
import socket
import struct
import sys
import tarfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import Answer, Host, Session, call, connect, needs_host, read

MIB = 1 << 20


def raw(method, path, body=None, headers=None):
    connection = connect()
    try:
        connection.request(method, path, body, headers or {"Content-Type": "application/json"})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


class Unknown(unittest.TestCase):
    """A native call refuses what it does not know, and says what it does."""

    def refused(self, method, path, body, field, nearest):
        got = call(method, path, body)
        self.assertEqual(got.status, 422, got)
        errors = {error["field"]: error["message"] for error in got.json["errors"]}
        self.assertIn(field, errors, got)
        self.assertIn(f'"{nearest}"', errors[field], got)

    def test_the_nearest_name_is_given(self):
        self.refused("POST", "/api/v1/execute", {"code": "1", "time_out": 1}, "time_out", "timeout")
        self.refused("POST", "/api/v1/execute", {"cod": "1"}, "cod", "code")
        self.refused("POST", "/api/v1/sessions", {"profil": "repl"}, "profil", "profile")
        self.refused("POST", "/api/v1/execute", {"code": "1", "limits": {"wall": 5}}, "limits.wall", "wall_ms")
        with Session() as session:
            self.refused("POST", session.path + "/execute", {"code": "1", "detached": True}, "detached", "detach")
            self.refused("POST", session.path + "/run", {"cmd": "true", "std_in": ""}, "std_in", "stdin")
            self.refused("POST", session.path + "/reset", {"file": True}, "file", "files")
            self.refused("POST", session.path + "/files/rename", {"from": "a", "to": "b", "replaces": True}, "replaces", "replace")
            self.refused("POST", session.path + "/evaluate", {"code": "1", "cases": [{"stdout": "", "out": ""}]}, "cases[0].out", "stdout")
            self.assertEqual(session.call("POST", "/undo", {"x": 1}).status, 422)

    def test_no_session_is_made(self):
        self.assertEqual(call("POST", "/api/v1/sessions", {"id": "misspelt-one", "idle": 5}).status, 422)
        self.assertEqual(call("GET", "/api/v1/sessions/misspelt-one").status, 404)

    def test_the_dialects_ignore_what_they_do_not_know(self):
        self.assertEqual(call("POST", "/api/execute", {"code": "print(1)", "language": "python", "x": [1]}).json["output"], "1\n")

    def test_names_are_read_however_they_are_written(self):
        got = raw("POST", "/api/v1/execute", r'{"\u0063ode": "print(1)", "code": "print(\u0032)"}')
        self.assertEqual((got.status, got.json["stdout"]), (200, "2\n"), got)


class Large(unittest.TestCase):
    def test_too_many_values(self):
        body = b'{"code":"1","x":[' + b",".join([b"{}"] * 1_300_000) + b"]}"
        got = raw("POST", "/api/v1/execute", body)
        self.assertEqual(got.status, 413, got)
        self.assertIn("values", got.json["detail"])

    @needs_host
    @unittest.skipIf(os.environ.get("VIVARIUM_SANITIZED"), "a sanitizer keeps what was freed")
    def test_no_body_takes_more_than_eight_times_its_size(self):
        host = Host()

        def memory(field):
            status = dict(line.split(":", 1) for line in read(f"/proc/{host.pid('fcgi-app')}/status").splitlines() if ":" in line)
            return int(status[field].split()[0]) * 1024

        bodies = {
            "values": b'{"code":"1","x":[' + b",".join([b"{}"] * 1_300_000) + b"]}",
            "values that are not too many": b'{"code":"1","x":[' + b",".join([b'{"a":[]}'] * 33_000) + b"]}",
            "members": b'{"code":"1",' + b",".join(b'"m%d":1' % i for i in range(90_000)) + b"}",
            "one text": json.dumps({"code": "1", "x": "y" * 4_000_000}).encode(),
            "escapes": b'{"code":"1","x":"' + b"\\u00e9" * 600_000 + b'"}',
            "files": json.dumps({"code": "1", "files": {f"f{i}": "x" * 3900 for i in range(1000)}}).encode(),
            "cases": json.dumps({"code": "1", "entry_point": "f", "io_cases": [{"input": "x" * 3900, "output": "1"}] * 1000}).encode(),
        }
        for name, body in bodies.items():
            with self.subTest(name):
                self.assertLessEqual(len(body), 4 * MIB)
                before = memory("VmRSS")
                with open(f"/proc/{host.pid('fcgi-app')}/clear_refs", "w") as clear:
                    clear.write("5")  # the peak from here on
                path = "/evaluate_code" if name == "cases" else "/api/v1/execute"
                raw("POST", path, body)
                self.assertLess(memory("VmHWM") - before, 8 * len(body) + MIB, name)
                self.assertLess(memory("VmRSS") - before, 8 * MIB, name)


@needs_host
class Records(unittest.TestCase):
    """What a process of the web server's account could send instead of nginx's requests."""

    def test_broken_records_end_their_connection_and_nothing_else(self):
        host = Host()
        pid = host.pid("fcgi-app")
        listening = {line.split()[6]: line.split()[7] for line in read("/proc/net/unix").splitlines() if len(line.split()) == 8}
        ours = [os.readlink(entry.path)[8:-1] for entry in os.scandir(f"/proc/{pid}/fd") if os.path.islink(entry.path)]
        path = next(listening[inode] for inode in ours if listening.get(inode, "").endswith(".sock") and "app" in listening[inode])

        def record(kind, content, request=1, length=None):
            return struct.pack(">BBHHBB", 1, kind, request, len(content) if length is None else length, 0, 0) + content

        begin = record(1, b"\0\1\1" + bytes(5))
        good = begin + record(4, b"\x0e\x03REQUEST_METHODGET") + record(4, b"\x0b\x01REQUEST_URI/") + record(4, b"")
        for sent in (b"\xff" * 100, begin + record(4, b"\xff\xff\xff\xff\xff\xff\xff\xffA") + record(4, b""),
                     begin + record(4, b"\1\xff\xff\xff\xfeA") + record(4, b""), begin + record(9, b"\xff\xff\xff\xff\1A", 0),
                     good + record(9, b"\xff\xff\xff\xff\xff\xff\xff\xff", 0), good + record(1, b"x"), begin * 3):
            with self.subTest(sent), socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(20)
                peer.connect(path)
                peer.sendall(sent)
                while peer.recv(4096):
                    pass  # until it hangs up
        self.assertEqual(call("GET", "/api/v1/health/live").status, 200)
        self.assertEqual(host.pid("fcgi-app"), pid)


class Uploads(unittest.TestCase):
    """Files and archives are streamed to where they go: the application's memory does not grow with them."""

    def setUp(self):
        self.session = Session()
        self.addCleanup(self.session.close)
        self.host = Host()

    def put(self, path, body):
        return raw("PUT", f"{self.session.path}/{path}", body, {"Content-Type": "application/octet-stream"})

    def memory(self):
        status = read(f"/proc/{self.host.pid('fcgi-app')}/status").splitlines()
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))

    def flat(self, work):
        """Do it, and see that anonymous memory stays where it was meanwhile."""
        if not self.host.state:
            return work()
        highest, done = [0], threading.Event()

        def look():
            while not done.wait(0.005):
                highest[0] = max(highest[0], self.memory())

        before = self.memory()
        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            return work()
        finally:
            done.set()
            watcher.join()
            self.assertLess(highest[0] - before, 4 * MIB)

    def test_a_large_file_both_ways(self):
        content = os.urandom(MIB) * 40
        got = self.flat(lambda: self.put("files/big.bin", content))
        self.assertEqual((got.status, got.json["size"]), (201, len(content)), got)
        back = self.flat(lambda: raw("GET", self.session.path + "/files/big.bin", None, {"Accept": "*/*"}))
        self.assertEqual((back.status, back.body == content), (200, True))
        seen = self.session.value("__import__('hashlib').sha256(open('big.bin', 'rb').read()).hexdigest()")
        self.assertEqual(seen, repr(hashlib.sha256(content).hexdigest()))

    def test_a_large_archive(self):
        out = io.BytesIO()
        content = os.urandom(MIB) * 15
        with tarfile.open(fileobj=out, mode="w") as archive:
            for name in ("a/one.bin", "two.bin"):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        got = self.flat(lambda: self.put("files.tar", out.getvalue()))
        self.assertEqual(got.status, 204, got)
        back = raw("GET", self.session.path + "/files/a/one.bin", None, {"Accept": "*/*"})
        self.assertEqual(back.body == content, True)
        whole = self.flat(lambda: raw("GET", self.session.path + "/files.tar", None, {"Accept": "*/*"}))
        self.assertGreater(len(whole.body), 2 * len(content))

    def test_one_limit_is_named(self):
        limit = call("GET", "/api/v1/info").json["limits"]["upload_bytes"]
        for path in ("files/too-big.bin", "files.tar"):
            for more in (1, 10 * MIB):
                got = self.put(path, bytes(limit + more))
                self.assertEqual((got.status, got.json["detail"]), (413, f"the body is larger than the {limit} bytes that are accepted"), path)
        limit = call("GET", "/api/v1/info").json["limits"]["body_bytes"]
        for more in (1, 10 * MIB):
            got = raw("POST", "/api/v1/execute", bytes(limit + more))
            self.assertEqual((got.status, got.json["detail"]), (413, f"the body is larger than the {limit} bytes that are accepted"))

    def test_a_full_workspace(self):
        with Session(limits={"workspace_bytes": 4 * MIB}) as small:
            got = raw("PUT", small.path + "/files/big.bin", bytes(8 * MIB))
            self.assertEqual((got.status, got.json["detail"]), (413, "the workspace is full"), got)
            self.assertEqual(small.call("GET", "/files").json["files"], [])
            self.assertEqual(small.value("1 + 1"), "2")

    def test_an_upload_that_breaks_off_changes_nothing(self):
        self.assertEqual(self.put("files/a.txt", b"old").status, 201)
        connection = connect()
        connection.putrequest("PUT", self.session.path + "/files/a.txt")
        connection.putheader("Content-Length", str(8 * MIB))
        connection.endheaders()
        connection.send(bytes(MIB))
        connection.close()
        self.assertEqual(raw("GET", self.session.path + "/files/a.txt", None, {"Accept": "*/*"}).body, b"old")
        self.assertEqual([f["path"] for f in self.session.call("GET", "/files").json["files"]], ["a.txt"])

    def test_a_file_keeps_its_mode(self):
        self.session.execute("import os\nopen('run.sh', 'w').write('echo one')\nos.chmod('run.sh', 0o755)")
        self.assertEqual(self.put("files/run.sh", b"#!/bin/sh\necho two\n").status, 200)
        self.assertEqual(self.session.value("oct(os.stat('run.sh').st_mode & 0o777)"), "'0o755'")


if __name__ == "__main__":
    unittest.main()
