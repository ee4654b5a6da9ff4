"""The files of a session: native calls, archives, commands, the workspace dialect, and programs
that change everything while it is read."""

import base64
import http.client
import io
import json
import os
import sys
import tarfile
import threading
import time
import unittest
import urllib.parse
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import Answer, Service, Session, call, connect, run


def raw(method, path, body=None, headers=None):
    connection = connect()
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


class WithSession(unittest.TestCase):
    def setUp(self):
        self.session = Session()
        self.addCleanup(self.session.close)
        self.files = self.session.path + "/files"

    def put(self, path, content, **headers):
        return raw("PUT", f"{self.files}/{path}", content, {name.replace("_", "-"): value for name, value in headers.items()})

    def get(self, path, **headers):
        return raw("GET", f"{self.files}/{path}", None, {name.replace("_", "-"): value for name, value in headers.items()})

    def list(self, query=""):
        got = raw("GET", self.files + query)
        self.assertEqual(got.status, 200, got)
        return {f["path"]: f for f in got.json["files"]}

    def shell(self, cmd, **more):
        got = self.session.call("POST", "/run", {"cmd": cmd, **more})
        self.assertEqual(got.status, 200, got)
        return got.json


class Files(WithSession):
    def test_put_and_get(self):
        content = bytes(range(256)) * 40
        got = self.put("a/b/data.bin", content)
        self.assertEqual((got.status, got.json), (201, {"path": "a/b/data.bin", "size": len(content)}))
        tag = got.headers["ETag"]
        got = self.get("a/b/data.bin")
        self.assertEqual((got.status, got.body, got.headers["ETag"], got.headers["Content-Type"]), (200, content, tag, "application/octet-stream"))
        self.assertEqual(self.session.value("len(open('/workspace/a/b/data.bin', 'rb').read())"), str(len(content)))
        self.assertEqual(self.put("a/b/data.bin", b"").status, 200)
        self.assertEqual(self.get("a/b/data.bin").body, b"")
        self.assertEqual(raw("DELETE", self.files + "/a/b/data.bin").status, 204)
        self.assertEqual(raw("DELETE", self.files + "/a/b/data.bin").status, 404)
        self.assertEqual(self.get("a/b/data.bin").status, 404)

    def test_they_belong_to_the_program(self):
        self.assertEqual(self.put("d/file.txt", b"x").status, 201)
        self.assertEqual(self.session.value("import os; [(os.stat(p).st_uid == os.getuid(), oct(os.stat(p).st_mode)) for p in ('d', 'd/file.txt')]"),
                         "[(True, '0o40755'), (True, '0o100644')]")
        self.session.execute("open('d/file.txt', 'a').write('y'); os.rename('d/file.txt', 'd/mine'); os.mkdir('own', 0o700); open('own/secret', 'w').write('s'); os.chmod('own/secret', 0o600)")
        self.assertEqual(self.get("d/mine").body, b"xy")
        self.assertEqual(self.get("own/secret").body, b"s")
        self.assertEqual(self.put("own/new", b"n").status, 201)

    def test_content_types(self):
        for name, expected in (("a.txt", "text/plain; charset=utf-8"), ("a.html", "text/html; charset=utf-8"), ("a.PNG", "image/png"), ("a.json", "application/json"), ("Makefile", "application/octet-stream")):
            self.put(name, b"<script>")
            got = self.get(name)
            self.assertEqual(got.headers["Content-Type"], expected)
            self.assertEqual(got.headers["X-Content-Type-Options"], "nosniff")
            self.assertIn("sandbox", got.headers["Content-Security-Policy"])

    def test_conditions(self):
        first = self.put("f", b"one").headers["ETag"]
        self.assertEqual(self.get("f", If_None_Match=first).status, 304)
        self.assertEqual(self.get("f", If_None_Match='"other", ' + first).body, b"")
        self.assertEqual(self.put("f", b"no", If_None_Match="*").status, 412)
        self.assertEqual(self.put("new", b"yes", If_None_Match="*").status, 201)
        second = self.put("f", b"two", If_Match=first).headers["ETag"]
        self.assertNotEqual(first, second)
        self.assertEqual(self.put("f", b"three", If_Match=first).status, 412)
        self.assertEqual(self.put("none", b"x", If_Match="*").status, 412)
        self.assertEqual(raw("DELETE", self.files + "/f", None, {"If-Match": first}).status, 412)
        self.assertEqual(self.get("f", If_Match=first).status, 412)
        self.assertEqual(self.get("f").body, b"two")
        self.session.execute("open('f', 'w').write('six')")
        self.assertEqual(self.put("f", b"three", If_Match=second).status, 412)

    def test_one_of_many_conditional_writers_wins(self):
        tag = self.put("f", b"start").headers["ETag"]
        statuses = []
        threads = [threading.Thread(target=lambda n=n: statuses.append(self.put("f", b"%d" % n, If_Match=tag).status)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(statuses), [200] + [412] * 11)

    def test_ranges(self):
        tag = self.put("f", b"0123456789").headers["ETag"]
        for header, status, body, where in (("bytes=2-4", 206, b"234", "bytes 2-4/10"), ("bytes=7-", 206, b"789", "bytes 7-9/10"), ("bytes=-2", 206, b"89", "bytes 8-9/10"),
                                            ("bytes=5-99", 206, b"56789", "bytes 5-9/10"), ("bytes=1-2,4-5", 200, b"0123456789", None), ("nonsense", 200, b"0123456789", None)):
            got = self.get("f", Range=header)
            self.assertEqual((got.status, got.body, got.headers["Content-Range"]), (status, body, where), header)
        got = self.get("f", Range="bytes=10-")
        self.assertEqual((got.status, got.headers["Content-Range"]), (416, "bytes */10"))
        self.assertEqual(self.get("f", Range="bytes=0-0", If_Range=tag).status, 206)
        self.assertEqual(self.get("f", Range="bytes=0-0", If_Range='"old"').status, 200)
        got = raw("HEAD", self.files + "/f")
        self.assertEqual((got.status, got.headers["Content-Length"], got.body), (200, "10", b""))

    def test_list(self):
        self.put("dir/sub/two", b"22")
        self.put("one", b"1")
        self.session.execute("import os; os.symlink('/etc/passwd', 'link'); os.mkfifo('pipe')")
        self.assertEqual({path: f["type"] for path, f in self.list().items()}, {"dir": "directory", "link": "symlink", "one": "file", "pipe": "other"})
        self.assertEqual(set(self.list("?path=dir")), {"dir/sub"})
        self.assertEqual(set(self.list("?recursive=true")), {"dir", "dir/sub", "dir/sub/two", "link", "one", "pipe"})
        self.assertEqual(self.list()["one"]["size"], 1)
        self.assertRegex(self.list()["one"]["modified"], r"^20\d\d-.*Z$")
        self.assertEqual(raw("GET", self.files + "?path=none").status, 404)
        self.assertEqual(raw("GET", self.files + "?path=one").status, 409)
        self.assertEqual(raw("GET", self.files + "?path=../..").status, 422)

    def test_rename(self):
        def rename(old, new, **more):
            return raw("POST", self.files + "/rename", json.dumps({"from": old, "to": new, **more}), {"Content-Type": "application/json"}).status

        self.put("a", b"a")
        self.put("b", b"b")
        self.assertEqual(rename("a", "b"), 409)
        self.assertEqual(rename("a", "b", replace=True), 200)
        self.assertEqual(rename("b", "x/y/z"), 200)
        self.assertEqual(self.get("x/y/z").body, b"a")
        self.assertEqual(rename("x", "x/y/w"), 409)
        self.assertEqual(rename("none", "other/none"), 404)
        self.assertEqual(rename("x", "w"), 200)
        self.assertEqual(rename("../x", "w2"), 422)
        self.assertEqual(rename("w", "/w2"), 422)
        self.assertEqual(set(self.list("?recursive=true")), {"w", "w/y", "w/y/z"})

    def test_folders(self):
        self.put("d/e/f", b"x")
        self.assertEqual(self.get("d").status, 409)
        self.assertEqual(self.put("d", b"x").status, 409)
        self.assertEqual(self.put("d/e/f/g", b"x").status, 409)
        self.assertEqual(raw("DELETE", self.files + "/d").status, 409)
        self.assertEqual(raw("DELETE", self.files + "/d?recursive=true").status, 204)
        self.assertEqual(self.list(), {})

    def test_paths(self):
        for path in ("/etc/passwd", "../x", "a/../../x", "", ".", "..", "a/", "a\0b", "x" * 256):
            for method in ("GET", "PUT", "DELETE"):
                quoted = urllib.parse.quote(path, safe="")
                self.assertIn(raw(method, f"{self.files}/{quoted}", b"x" if method == "PUT" else None).status, (400, 404, 422), path)
        for path in ("a b", "h\u00e9", "new\nline", "-rf", "%2e", "a:b", "..."):
            quoted = urllib.parse.quote(path, safe="")
            self.assertEqual(self.put(quoted, path.encode()).status, 201)
            self.assertEqual(self.get(quoted).body, path.encode())
        self.assertEqual(self.list(), self.list("?path=."))

    def test_no_session(self):
        files = f"/api/v1/sessions/{uuid.uuid4()}/files"
        for method, path in (("GET", ""), ("GET", "/a"), ("PUT", "/a"), ("DELETE", "/a"), ("GET", ".tar"), ("PUT", ".tar")):
            self.assertEqual(raw(method, files + path, b"x" if method == "PUT" else None).status, 404, (method, path))

    def test_limits(self):
        self.assertEqual(raw("PUT", self.files + "/f", b"x" * (65 << 20)).status, 413)
        self.shell("head -c 62M /dev/zero >big")
        self.assertEqual(self.put("more", b"x" * (3 << 20)).status, 413)
        self.assertNotIn("more", self.list())
        self.shell("rm big")
        self.assertEqual(self.put("more", b"x" * (3 << 20)).status, 201)

    def test_large_files_are_streamed(self):
        self.shell("head -c 40M /dev/zero >big; truncate -s 60M sparse")
        self.assertEqual(len(self.get("big").body), 40 << 20)
        self.assertEqual(self.get("sparse", Range="bytes=-1").body, b"\0")

    def test_given_when_made(self):
        with Session(files={"a/b": "text", "c": {"base64": base64.b64encode(b"\xff\0").decode()}}) as other:
            self.assertEqual(other.value("open('a/b').read(), open('c', 'rb').read()"), "('text', b'\\xff\\x00')")
        got = call("POST", "/api/v1/sessions", {"id": "given-" + self.session.id, "files": {"a": "1", "a/b": "2"}})
        self.assertEqual(got.status, 422, got)
        self.assertEqual(call("GET", "/api/v1/sessions/given-" + self.session.id).status, 404)


class OneShots(unittest.TestCase):
    def test_files_in_and_out(self):
        got = run("import os\nprint(open('in.txt').read(), open('d/x', 'rb').read())\nopen('out.txt', 'w').write('h\u00e9')\nopen('out.bin', 'wb').write(b'\\xff')\nos.mkdir('folder')",
                  files={"in.txt": "given", "d/x": {"base64": "AAE="}}, return_files=["out.txt", "out.bin", "in.txt", "none", "folder"])
        self.assertEqual(got["stdout"], "given b'\\x00\\x01'\n", got)
        self.assertEqual({name: got["files"][name] for name in ("out.txt", "out.bin", "in.txt", "none")},
                         {"out.txt": "h\u00e9", "out.bin": {"base64": "/w=="}, "in.txt": "given", "none": None})
        self.assertIn("error", got["files"]["folder"])

    def test_what_a_killed_program_left(self):
        got = run("open('f', 'w').write('before')\nwhile True: pass", timeout=1, return_files=["f"])
        self.assertEqual((got["reason"], got["files"]), ("wall_time", {"f": "before"}))

    def test_links_lead_nowhere(self):
        got = run("import os\nos.symlink('/etc/passwd', 'a'); os.symlink('/', 'b'); os.mkfifo('c')", return_files=["a", "b/etc/passwd", "c"])
        self.assertEqual({type(f) for f in got["files"].values()}, {dict}, got["files"])
        self.assertNotIn("root", json.dumps(got["files"]))

    def test_refused(self):
        for files in ({"../a": ""}, {"/a": ""}, {"a": 1}, {"a": {"base64": "x"}}, {"": ""}, {"a/": ""}, {"a": {}}, [], "a"):
            got = call("POST", "/api/v1/execute", {"code": "1", "files": files})
            self.assertEqual(got.status, 422, (files, got))
            self.assertTrue(got.json["errors"][0]["field"].startswith("files"))
        for wanted in (["../a"], [1], "a", {}, [None]):
            got = call("POST", "/api/v1/execute", {"code": "1", "return_files": wanted})
            self.assertEqual((got.status, got.json["errors"][0]["field"]), (422, "return_files"), (wanted, got))
        self.assertEqual(call("POST", "/api/v1/execute", {"code": "1", "files": {"a\0b": ""}}).status, 400)
        self.assertEqual(call("POST", "/api/v1/execute", {"code": "1", "files": {"a": "1", "a/b": "2"}}).status, 422)


class Archives(WithSession):
    def archive(self, *members):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            for member in members:
                info, content = member if isinstance(member, tuple) else (member, b"")
                info = tarfile.TarInfo(info) if isinstance(info, str) else info
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return data.getvalue()

    def put_archive(self, data, **headers):
        return raw("PUT", self.files + ".tar", data, headers)

    def test_out_and_in(self):
        deep = "/".join(["deep"] * 40) + "/" + "n" * 200
        self.put("a/b", b"one")
        self.put(deep, b"two")
        self.session.execute("import os\nos.symlink('/etc', 'link')\nos.mkfifo('pipe')\nopen('run.sh', 'w').write('exit 0')\nos.chmod('run.sh', 0o755)\nopen('empty', 'w')")
        got = raw("GET", self.files + ".tar")
        self.assertEqual((got.status, got.headers["Content-Type"]), (200, "application/x-tar"))
        with tarfile.open(fileobj=io.BytesIO(got.body)) as tar:
            self.assertEqual(tar.extractfile(deep).read(), b"two")
            self.assertEqual(tar.getmember("run.sh").mode, 0o755)
            self.assertFalse({"link", "pipe"} & set(tar.getnames()))
        with Session() as other:
            self.assertEqual(raw("PUT", other.path + "/files.tar", got.body).status, 204)
            self.assertEqual(raw("GET", f"{other.path}/files/{deep}").body, b"two")
            self.assertEqual(other.value("import os; os.access('run.sh', os.X_OK), os.access('empty', os.X_OK), open('a/b').read()"), "(True, False, 'one')")

    def test_formats(self):
        for format in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            data = io.BytesIO()
            name = f"f{format}/" + ("" if format == tarfile.USTAR_FORMAT else "x" * 150 + "/") + "y" * 90
            with tarfile.open(fileobj=data, mode="w", format=format) as tar:
                info = tarfile.TarInfo(name)
                info.size, info.mtime = 3, 1000000000
                tar.addfile(info, io.BytesIO(b"abc"))
            self.assertEqual(self.put_archive(data.getvalue()).status, 204, format)
            self.assertEqual(self.get(name).body, b"abc")
            self.assertEqual(self.get(name).headers["Last-Modified"], "Sun, 09 Sep 2001 01:46:40 GMT")

    def test_refused_whole(self):
        def link(kind, target):
            info = tarfile.TarInfo("evil")
            info.type, info.linkname = kind, target
            return info

        good = ("good", b"good")
        for why, data in (
            ("absolute", self.archive(good, ("/abs", b"x"))), ("climbing", self.archive(good, ("a/../../x", b"x"))), ("dots", self.archive(good, ("a/../x", b"x"))),
            ("a link", self.archive(good, link(tarfile.SYMTYPE, "/etc/passwd"))), ("a hard link", self.archive(good, link(tarfile.LNKTYPE, "good"))),
            ("a device", self.archive(good, link(tarfile.CHRTYPE, ""))), ("a FIFO", self.archive(good, link(tarfile.FIFOTYPE, ""))),
            ("a name twice", self.archive(good, ("./good", b"x"))), ("a file as a folder", self.archive(good, ("x/y", b"y"), ("x", b"x"))),
            ("nonsense", b"not a tar" * 200), ("cut", self.archive(good, ("more", b"x" * 2000))[:1800]), ("empty", b""), ("gzip", b"\x1f\x8b" + b"\0" * 600),
        ):
            with self.subTest(why):
                got = self.put_archive(data)
                self.assertEqual(got.status, 422, got)
                self.assertEqual(self.list(), {})
        self.assertEqual(self.put_archive(self.archive(good), **{"Content-Encoding": "gzip"}).status, 415)

    def test_over_what_is_there(self):
        self.put("keep", b"kept")
        self.put("file", b"old")
        self.put("folder/x", b"x")
        self.assertEqual(self.put_archive(self.archive(("file", b"new"))).status, 204)
        self.assertEqual((self.get("file").body, self.get("keep").body), (b"new", b"kept"))
        self.assertEqual(self.put_archive(self.archive(("folder", b"new"))).status, 409)
        self.session.execute("import os; os.symlink('/tmp', 'out')")
        self.assertIn(self.put_archive(self.archive(("out/planted", b"x"))).status, (409, 404))
        self.assertEqual(self.session.value("os.path.exists('/tmp/planted')"), "False")

    def test_holes_are_bounded(self):
        self.shell("for i in $(seq 40); do truncate -s 60M h$i; done")
        self.assertEqual(raw("GET", self.files + ".tar").status, 413)


class Commands(WithSession):
    def test_shell(self):
        self.put("data", b"3\n1\n2\n")
        got = self.shell("sort data | head -n 2; echo bad >&2; exit 7")
        self.assertEqual((got["stdout"], got["stderr"], got["return_code"], got["status"]), ("1\n2\n", "bad\n", 7, "error"))
        self.assertEqual(self.shell("python3 -c 'print(6*7)' && python -c 'import sys; print(sys.version_info >= (3, 9))'")["stdout"], "42\nTrue\n")
        self.assertEqual(self.shell("cat", stdin="given")["stdout"], "given")
        self.assertEqual(self.shell("pwd")["stdout"], "/workspace\n")

    def test_limits_and_the_session_after(self):
        self.session.execute("x = 41")
        began = time.monotonic()
        got = self.shell("echo before; sleep 60", timeout=1)
        self.assertEqual((got["reason"], got["stdout"]), ("wall_time", "before\n"))
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(self.session.value("x + 1"), "42")

    def test_refused(self):
        for body in ({}, {"cmd": ""}, {"cmd": 1}, {"cmd": "a\0b"}, {"cmd": "ls", "timeout": 31}):
            self.assertEqual(self.session.call("POST", "/run", body).status, 422, body)
        self.assertEqual(call("POST", f"/api/v1/sessions/{uuid.uuid4()}/run", {"cmd": "ls"}).status, 404)

    def test_length(self):
        text = ": " + "x" * (131071 - len(": ; echo end")) + "; echo end"  # the longest argument that the kernel takes
        self.assertEqual(self.shell(text)["stdout"], "end\n")
        answer = self.session.call("POST", "/run", {"cmd": text + " "})
        self.assertEqual((answer.status, answer.json["errors"][0]["field"]), (413, "cmd"))
        self.assertIn("131071", answer.json["detail"])


class ManyProcesses(unittest.TestCase):
    def test_a_command_ends_alone(self):
        with Service(EXECUTOR_NATIVE_PROCESSES="600", EXECUTOR_NATIVE_MEMORY_BYTES=str(512 << 20)) as service, Session(service.url) as session:
            session.execute("import subprocess\nchildren = [subprocess.Popen(['sleep', '1000']) for _ in range(400)]")
            self.assertEqual(session.call("POST", "/run", {"cmd": "sleep 1000 & echo done"}).json["stdout"], "done\n")
            self.assertEqual(session.value("sum(c.poll() is None for c in children)"), "400")


class Dialect(unittest.TestCase):
    """The workspace dialect, but for judging (test_judging.py)."""

    def setUp(self):
        self.session = str(uuid.uuid4())
        self.addCleanup(call, "DELETE", "/api/v1/sessions/" + self.session)

    def post(self, what, **body):
        return call("POST", "/" + what, {"id": self.session, **body})

    def write(self, path, content):
        return self.post("write_file", rel_path=path, content=content)

    def read(self, path, id=None):
        return call("GET", "/read_file?" + urllib.parse.urlencode({"id": id or self.session, "rel_path": path}))

    def test_ping(self):
        got = call("GET", "/")
        self.assertEqual((got.status, got.body), (200, b"ping"))
        self.assertTrue(got.headers["Content-Type"].startswith("text/plain"))

    def test_files(self):
        got = self.write("a/b.txt", "h\u00e9\n")
        self.assertEqual((got.status, got.json), (200, {"success": True, "id": self.session, "rel_path": "a/b.txt"}))
        got = self.read("a/b.txt")
        self.assertEqual((got.status, got.json), (200, {"content": "h\u00e9\n", "id": self.session, "rel_path": "a/b.txt"}))
        got = self.post("rename_file", old_path="a/b.txt", new_path="c/d.txt")
        self.assertEqual((got.status, got.json), (200, {"success": True, "id": self.session, "old_path": "a/b.txt", "new_path": "c/d.txt"}))
        self.assertEqual(self.post("rename_file", old_path="a/b.txt", new_path="e").status, 404)
        self.assertEqual(self.read("a/b.txt").status, 404)
        got = self.post("delete_file", rel_path="c/d.txt")
        self.assertEqual((got.status, got.json), (200, {"success": True, "id": self.session, "rel_path": "c/d.txt"}))
        self.assertEqual(self.post("delete_file", rel_path="c/d.txt").status, 404)
        self.assertEqual(self.post("delete_file", rel_path="c").status, 404)
        self.assertEqual(self.read("c").status, 404)

    def test_paths(self):
        self.write("f", "x")
        for path in ("/etc/passwd", "../x", "a/../../x", "", "a\0b", ".", ".."):
            self.assertEqual(self.write(path, "x").status, 400, path)
            self.assertEqual(self.read(path).status, 400, path)
            self.assertEqual(self.post("delete_file", rel_path=path).status, 400, path)
            self.assertEqual(self.post("rename_file", old_path="f", new_path=path).status, 400, path)
        self.assertEqual(self.read("f").json["content"], "x")

    def test_no_session(self):
        self.assertEqual(self.read("x").status, 404)
        self.assertEqual(self.post("delete_file", rel_path="x").status, 404)
        self.assertEqual(self.post("rename_file", old_path="x", new_path="y").status, 404)
        self.assertEqual(self.post("fork_session").status, 404)
        got = self.post("run", cmd="ls")
        self.assertEqual((got.status, got.json["detail"]), (400, "Session does not exist"))
        self.assertEqual(self.write("../x", "x").status, 400)
        self.assertEqual(self.post("run", cmd="ls").status, 400)  # a refused write makes no session

    def test_run(self):
        self.write("main.py", "import sys\nprint('out')\nprint('err', file=sys.stderr)")
        got = self.post("run", cmd="python main.py")
        self.assertEqual(got.status, 200)
        self.assertEqual((got.json["stdout"], got.json["stderr"], got.json["id"]), ("out\n", "err\n", self.session))

    def test_run_out_of_memory(self):
        self.write("f", "x")
        got = self.post("run", cmd="echo before; python3 -c 'x = bytearray(1 << 30)' 2>/dev/null; head -c 4M /dev/zero; echo after")
        self.assertEqual(got.status, 200, got)
        self.assertTrue(got.json["stdout"].startswith("before\n"))
        self.assertIn("limit", got.json["stderr"])

    def test_ids_are_shared(self):
        self.write("f.txt", "shared")
        got = call("POST", "/execute/" + self.session, {"code": "x = 5\nprint(open('f.txt').read())"})
        self.assertEqual(got.json, {"output": "shared\n", "error": None})
        self.assertEqual(call("GET", "/api/v1/sessions/" + self.session + "/files/f.txt").body, b"shared")

    def test_strict_sessions_are_their_own(self):
        made = call("POST", "/execute", {"code": "x = 1"}).json["id"]
        self.addCleanup(call, "DELETE", "/api/v1/sessions/strict." + made)
        self.addCleanup(call, "DELETE", "/api/v1/sessions/" + made)
        for method, path, body in (("GET", f"/api/v1/sessions/{made}", None), ("GET", f"/api/v1/sessions/{made}/files", None), ("POST", f"/api/v1/sessions/{made}/execute", {"code": "x"}),
                                   ("POST", "/fork_session", {"id": made}), ("GET", f"/read_file?id={made}&rel_path=x", None)):
            self.assertEqual(call(method, path, body).status, 404, path)
            self.assertIn(call(method, path.replace(made, "strict." + made), {"id": "strict." + made} if path == "/fork_session" else body).status,
                          (200,) if path == f"/api/v1/sessions/{made}" else (400, 422), path)
        self.assertEqual(call("POST", "/execute/strict." + made, {"code": "x"}).status, 400)
        # the same name elsewhere is another session, which may write
        self.assertEqual(call("POST", "/execute/" + made, {"code": "open('f', 'w').write('x')\nprint('x' in dir())"}).json, {"output": "False\n", "error": None})
        self.assertEqual(call("POST", "/execute", {"code": "print(x)", "id": made}).json["stdout"], "1\n")

    def test_fork(self):
        self.write("d/file", "one")
        self.post("run", cmd="chmod 750 d; chmod 700 d/file; touch -d 2001-02-03T04:05:06Z d/file; ln -s file d/in; ln -s ../../etc out; ln d/file twin; mkfifo pipe; truncate -s 30M holes")
        got = self.post("fork_session")
        self.assertEqual((got.status, list(got.json)), (200, ["new_id"]))
        new = got.json["new_id"]
        self.addCleanup(call, "DELETE", "/api/v1/sessions/" + new)
        self.assertEqual(uuid.UUID(new).version, 4)
        shown = call("POST", "/run", {"id": new, "cmd": "stat -c '%n %a %Y %h' d d/file; readlink d/in; ls -d out pipe; stat -c '%s %b' holes"}).json
        mtime = "981173106"
        lines = shown["stdout"].splitlines()
        self.assertEqual(lines[0].split()[:2], ["d", "750"])
        self.assertEqual(lines[1:], [f"d/file 700 {mtime} 2", "file", "31457280 0"], shown)
        call("POST", "/write_file", {"id": new, "rel_path": "d/file", "content": "two"})
        self.assertEqual((self.read("d/file").json["content"], self.read("d/file", new).json["content"]), ("one", "two"))


class Races(WithSession):
    """A program that swaps everything for everything else, as fast as it can, against clients."""

    SECONDS = float(os.environ.get("VIVARIUM_RACE_SECONDS", "8"))
    PROGRAM = """
import os, shutil, time, itertools, random, threading
end = time.monotonic() + {seconds}
kinds = (lambda n: os.symlink({marker!r}, n), lambda n: os.symlink(os.path.dirname({marker!r}), n), lambda n: os.symlink('/', n), lambda n: os.mkfifo(n),
         lambda n: os.mkdir(n), lambda n: os.makedirs(n + '/sub'), lambda n: open(n, 'w').write('plain'), lambda n: os.symlink(n, n), lambda n: os.symlink('..', n),
         lambda n: os.mkdir(n, 0), lambda n: os.link('f', n), lambda n: open(n, 'w').truncate(1 << 25))
def swap():
    number = random.random()
    for i in itertools.count():
        if time.monotonic() > end: break
        name, temporary = random.choice(('f', 'd', 'd/x', 'd/sub', 'g')), 't%s-%d' % (number, i)
        try:
            random.choice(kinds)(temporary)
            if random.random() < 0.5: os.rename(temporary, name)
            elif os.path.isdir(name) and not os.path.islink(name): os.rename(name, temporary + '-old')
            else: os.unlink(name)
        except OSError: pass
        if i % 20 == 0:
            for left in os.listdir('.'):
                if left.startswith('t'):
                    try: os.unlink(left)
                    except OSError:
                        try: os.chmod(left, 0o700)
                        except OSError: pass
                        shutil.rmtree(left, ignore_errors=True)
threads = [threading.Thread(target=swap) for _ in range(2)]
for t in threads: t.start()
for t in threads: t.join()
"""

    def test_nothing_escapes_hangs_or_breaks(self):
        secret = "marker-" + os.urandom(8).hex()
        marker = f"/tmp/vivarium-marker-{os.urandom(6).hex()}/secret"
        os.mkdir(os.path.dirname(marker), 0o777)
        os.chmod(os.path.dirname(marker), 0o777)
        with open(marker, "w", encoding="ascii") as file:
            file.write(secret)
        os.chmod(marker, 0o666)
        self.addCleanup(os.rmdir, os.path.dirname(marker))
        self.addCleanup(os.unlink, marker)
        bad, counts = [], {}
        end = time.monotonic() + self.SECONDS
        program = self.PROGRAM.format(seconds=min(self.SECONDS, 25), marker=marker)

        def swap():
            while time.monotonic() < end:
                self.session.call("POST", "/execute", {"code": program, "timeout": 30})

        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name in ("f", "d/x", "g"):
                info = tarfile.TarInfo(name)
                info.size = 5
                tar.addfile(info, io.BytesIO(b"plant"))
        rename = {"Content-Type": "application/json"}
        calls = [("GET", "/files/f", None, {}), ("GET", "/files/d/x", None, {}), ("PUT", "/files/f", b"plant", {}), ("PUT", "/files/d/x", b"plant", {}), ("PUT", "/files/d/secret", b"plant", {}),
                 ("DELETE", "/files/d/x", None, {}), ("DELETE", "/files/d/secret", None, {}), ("DELETE", "/files/d?recursive=true", None, {}), ("GET", "/files?recursive=true", None, {}), ("GET", "/files?path=d", None, {}),
                 ("POST", "/files/rename", json.dumps({"from": "f", "to": "d/secret", "replace": True}), rename), ("POST", "/files/rename", json.dumps({"from": "d/secret", "to": "g", "replace": True}), rename),
                 ("GET", "/files/d/secret", None, {}), ("GET", "/files.tar", None, {}), ("PUT", "/files.tar", archive.getvalue(), {})]

        def client(number):
            for step in range(10 ** 9):
                if time.monotonic() > end or bad:
                    return
                method, path, body, headers = calls[(step * 7 + number * 4) % len(calls)]
                began = time.monotonic()
                try:
                    got = raw(method, self.session.path + path, body, headers)
                except http.client.IncompleteRead:
                    continue  # the file became shorter while it was sent
                except OSError as error:
                    bad.append((method, path, repr(error)))
                    return
                counts[got.status] = counts.get(got.status, 0) + 1
                if got.status >= 500 or secret.encode() in got.body:
                    bad.append((method, path, got))
                if time.monotonic() - began > 20:
                    bad.append((method, path, "took too long"))

        threads = [threading.Thread(target=swap)] + [threading.Thread(target=client, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(bad, [], counts)
        with open(marker, encoding="ascii") as file:
            self.assertEqual(file.read(), secret)
        self.assertEqual(os.listdir(os.path.dirname(marker)), ["secret"])
        self.assertGreater(counts.get(200, 0), 10, counts)

    def test_fork_while_it_changes(self):
        connection = self.session.begin(self.PROGRAM.format(seconds=3, marker="/etc/passwd"), timeout=10)
        self.addCleanup(connection.close)
        end = time.monotonic() + 2.5
        made = 0
        while time.monotonic() < end:
            got = call("POST", "/fork_session", {"id": self.session.id})
            self.assertIn(got.status, (200, 413), got)
            if got.status == 200:
                made += 1
                call("DELETE", "/api/v1/sessions/" + got.json["new_id"])
        self.assertGreater(made, 0)

    def test_lease_does_not_hold_us_up(self):
        self.session.execute("import fcntl, os\nf = open('leased', 'w+')\ntry: fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_WRLCK)\nexcept OSError as e: print(e)")
        began = time.monotonic()
        self.assertIn(self.get("leased").status, (200, 409))
        self.assertLess(time.monotonic() - began, 5)


if __name__ == "__main__":
    unittest.main()
