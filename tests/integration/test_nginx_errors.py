"""Every answer that nginx makes by itself is a problem document, never an HTML page.

Runs an nginx of its own, from the rendered configuration, in front of an application
that is absent, silent, or closes at once: so also the errors that a healthy service
never shows are seen.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Nginx:
    """nginx/render's configuration with `changes` made to its text, serving."""

    def __init__(self, changes=(), **environment):
        self.port = free_port()
        self.state = tempfile.mkdtemp(prefix="vivarium-nginx-", dir="/tmp")
        os.chmod(self.state, 0o755)
        self.app = os.path.join(self.state, "app.sock")
        folder = os.path.join(self.state, "nginx")
        os.mkdir(folder)
        shutil.chown(folder, "www-data", "www-data")
        text = subprocess.run([ROOT + "/nginx/render", self.state, self.app], check=True, capture_output=True, text=True,
                              env={"PATH": os.environ["PATH"], "PORT": str(self.port), **environment}).stdout
        for old, new in changes:
            assert old in text, f"the configuration has no {old!r}"
            text = text.replace(old, new)
        with open(folder + "/nginx.conf", "w", encoding="utf-8") as file:
            file.write(text)
        self.log = open(self.state + "/error.log", "wb")
        self.process = subprocess.Popen(["setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups", "nginx", "-e", "stderr", "-p", folder,
                                         "-c", folder + "/nginx.conf"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("nginx does not start: " + open(self.state + "/error.log", encoding="utf-8").read())

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()
        shutil.rmtree(self.state)

    def ask(self, data):
        """Send bytes, read to the end: status, headers (lower case), body."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as s:
            got = b""
            try:
                s.sendall(data)
            except OSError:
                pass  # refused before the end: the answer is there all the same
            try:
                while piece := s.recv(65536):
                    got += piece
            except ConnectionResetError:
                pass
        head, _, body = got.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = dict((k.strip().lower(), v.strip()) for k, _, v in (line.partition(":") for line in lines[1:]))
        return int(lines[0].split()[1]), headers, body


class Problems(unittest.TestCase):
    def problem(self, nginx, status, data):
        got, headers, body = nginx.ask(data)
        self.assertEqual(got, status, body)
        self.assertEqual(headers.get("content-type"), "application/problem+json")
        self.assertRegex(headers.get("x-request-id", ""), "^[0-9a-f]{32}$")
        if not data.startswith(b"HEAD"):
            document = json.loads(body)
            self.assertEqual(document["status"], status)
            for key in ("type", "title", "detail"):
                self.assertTrue(document[key])
        return headers

    def get(self, path, more=b""):
        return b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + more + b"\r\n"

    def post(self, more, body=b""):
        return b"POST /api/execute HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + more + b"\r\n" + body


class WithoutApplication(Problems):
    @classmethod
    def setUpClass(cls):
        cls.nginx = Nginx()

    @classmethod
    def tearDownClass(cls):
        cls.nginx.close()

    def test_malformed_request_lines(self):
        for line in (b"nonsense\r\n\r\n", b"get /api/ HTTP/1.1\r\n\r\n", b"GET /api/%zz HTTP/1.1\r\n\r\n", b"GET /api/%00 HTTP/1.1\r\n\r\n", b"GET /../x HTTP/1.1\r\n\r\n",
                     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + b"\x55" * 180 + b"\r\n\r\n", bytes(range(1, 256)) + b"\r\n\r\n"):
            with self.subTest(line=line[:20]):
                self.problem(self.nginx, 400, line)

    def test_malformed_headers(self):
        for header in (b"X-A: a\0b\r\n", b"X A: 1\r\n", b"Host: twice\r\n", b"Transfer-Encoding : chunked\r\n"):
            with self.subTest(header=header):
                self.problem(self.nginx, 400, self.get(b"/api/", header))

    def test_no_host(self):
        self.problem(self.nginx, 400, b"GET /api/ HTTP/1.1\r\nConnection: close\r\n\r\n")

    def test_malformed_bodies(self):
        for header, body in ((b"Content-Length: -1\r\n", b""), (b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abcd"), (b"Content-Length: 0x3\r\n", b"abc"),
                             (b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", b"0\r\n\r\n"), (b"Transfer-Encoding: chunked\r\n", b"zz\r\nabc\r\n0\r\n\r\n"),
                             (b"Transfer-Encoding: chunked\r\n", b"FFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n")):
            with self.subTest(header=header):
                self.problem(self.nginx, 400, self.post(header, body))

    def test_unknown_transfer_coding(self):
        self.problem(self.nginx, 501, self.post(b"Transfer-Encoding: xchunked\r\n"))

    def test_unknown_path(self):
        for path in (b"/nope", b"/.git/config", b"/.env", b"/nginx.conf", b"//api/execute", b"/.problem", b"//evil.example/%0d%0aX-Injected:1"):
            with self.subTest(path=path):
                headers = self.problem(self.nginx, 404, self.get(path))
                self.assertNotIn("location", headers)
                self.assertNotIn("x-injected", headers)

    def test_no_redirect(self):
        for path in (b"/api", b"/executor", b"/execute", b"/reset", b"/docs", b"/api/files/..", b"/\\evil.example", b"//evil.example"):
            with self.subTest(path=path):
                status, headers, _ = self.nginx.ask(self.get(path))
                self.assertIn(status, (404, 502))
                self.assertNotIn("location", headers)

    def test_head_has_no_body(self):
        self.problem(self.nginx, 404, self.get(b"/nope").replace(b"GET", b"HEAD"))
        self.assertEqual(self.nginx.ask(self.get(b"/nope").replace(b"GET", b"HEAD"))[2], b"")

    def test_refused_methods(self):
        for method in (b"TRACE", b"TRACK", b"CONNECT", b"PROPFIND", b"A" * 5000):
            with self.subTest(method=method[:10]):
                headers = self.problem(self.nginx, 405, self.get(b"/api/execute").replace(b"GET", method))
                self.assertIn("POST", headers["allow"])

    def test_body_too_large(self):
        self.problem(self.nginx, 413, self.post(b"Content-Length: 52428800\r\n"))
        self.problem(self.nginx, 413, self.post(b"Expect: 100-continue\r\nContent-Length: 52428800\r\n"))

    def test_request_line_too_long(self):
        self.problem(self.nginx, 414, self.get(b"/api/" + b"a" * 63500))
        self.problem(self.nginx, 414, self.get(b"/api/" + b"a" * 635000))

    def test_headers_too_large(self):
        self.problem(self.nginx, 431, self.get(b"/api/", b"X-Big: " + b"h" * 65536 + b"\r\n"))
        self.problem(self.nginx, 500, self.get(b"/api/", b"X-Big: " + b"h" * 40000 + b"\r\nX-More: " + b"h" * 40000 + b"\r\n"))
        self.problem(self.nginx, 431, self.get(b"/api/", b"X-A: 1\r\n" * 20000))

    def test_unknown_version(self):
        self.problem(self.nginx, 505, b"GET /api/ HTTP/9.9\r\nHost: localhost\r\n\r\n")

    def test_application_away(self):
        headers = self.problem(self.nginx, 502, self.get(b"/api/health"))
        self.assertTrue(headers["retry-after"])

    def test_http_1_0(self):
        self.problem(self.nginx, 502, b"GET /api/health HTTP/1.0\r\n\r\n")

    def test_sane_request_id_is_kept(self):
        for given, kept in ((b"abc-1.2_3", True), (b"a" * 128, True), (b"a" * 129, False), (b"a b", False), (b"<x>", False), (b"-x", False)):
            with self.subTest(given=given):
                headers = self.nginx.ask(self.get(b"/nope", b"X-Request-Id: " + given + b"\r\n"))[1]
                self.assertEqual(headers["x-request-id"] == given.decode(), kept)


class OddApplications(Problems):
    """The same with an application that does not behave, and with rare settings."""

    def start(self, changes=(), **environment):
        nginx = Nginx(changes, **environment)
        self.addCleanup(nginx.close)
        return nginx

    def listen(self, nginx):
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(nginx.app)
        os.chmod(nginx.app, 0o666)
        listener.listen(100)
        return listener

    def test_silent_application(self):
        nginx = self.start([("fastcgi_read_timeout 95s", "fastcgi_read_timeout 1s")])
        self.listen(nginx)
        self.problem(nginx, 504, self.get(b"/api/"))

    def test_fastcgi_record_never_overflows(self):
        """Headers that nginx lets through must fit the one record that holds them."""
        nginx = self.start([("fastcgi_read_timeout 95s", "fastcgi_read_timeout 1s")])
        self.listen(nginx)
        for name in (b"a:\r\n", b"X-A: 1\r\n", b"b: " + b"c" * 4000 + b"\r\n"):
            for count in (20000, 8000, 6500, 6000, 5000, 3000, 2000, 6, 5):
                data = self.get(b"/api/?" + b"q" * 7000, name * count)
                if len(data) > 200000:
                    continue
                with self.subTest(name=name[:4], count=count):
                    self.assertIn(nginx.ask(data)[0], (414, 431, 504))

    def test_far_clients_get_no_executor(self):
        nginx = self.start([("127.0.0.0/8 1;", "127.0.0.0/8 0;")])
        for path in (b"/executor/", b"/executor/execute", b"/%65xecutor/execute", b"/api/../executor/execute", b"/executor%2fexecute"):
            with self.subTest(path=path):
                self.problem(nginx, 403, self.get(path, b"X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n"))

    def test_rate_limit(self):
        nginx = self.start(RATE_LIMIT="1r/m", RATE_BURST="2")
        self.listen(nginx).close()
        for _ in range(3):
            self.problem(nginx, 502, self.get(b"/api/"))
        headers = self.problem(nginx, 429, self.get(b"/api/"))
        self.assertTrue(headers["retry-after"])

    def test_connections_of_a_client(self):
        nginx = self.start(CLIENT_CONNECTIONS="3")
        listener = self.listen(nginx)
        waiting = []
        for _ in range(3):  # of which the application has heard
            waiting.append(socket.create_connection(("127.0.0.1", nginx.port), timeout=10))
            waiting[-1].sendall(self.get(b"/api/"))
            self.addCleanup(listener.accept()[0].close)
        headers = self.problem(nginx, 429, self.get(b"/api/"))
        self.assertTrue(headers["retry-after"])
        waiting.pop().close()
        deadline = time.monotonic() + 20
        status = 429
        while status == 429 and time.monotonic() < deadline:
            with socket.create_connection(("127.0.0.1", nginx.port), timeout=10) as s:
                s.sendall(self.get(b"/nope"))
                status = int(s.recv(4096).split()[1])
        self.assertEqual(status, 404)
        for connection in waiting:
            connection.close()

    def test_uploads_at_once(self):
        """A body waits in a file until it is whole: so many are let in, whoever they are for."""
        nginx = self.start(CLIENT_UPLOADS="3", UPLOADS="4")
        waiting = []

        def upload(address, length=b"Content-Length: 60000000"):
            connection = socket.create_connection(("127.0.0.1", nginx.port), timeout=10, source_address=(address, 0))
            self.addCleanup(connection.close)
            connection.sendall(b"PUT /api/v1/sessions/x/files/y HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n" + length + b"\r\n\r\n")
            waiting.append(connection)
            return int(connection.recv(4096).split()[1])

        self.assertEqual([upload("127.0.0.1") for _ in range(2)], [100, 100])
        self.assertEqual(upload("127.0.0.1", b"Transfer-Encoding: chunked"), 100)
        self.assertEqual(upload("127.0.0.1"), 429)
        self.assertEqual([upload("127.0.0.2") for _ in range(2)], [100, 429])
        waiting[0].close()
        deadline = time.monotonic() + 20
        while (status := upload("127.0.0.2")) == 429 and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual(status, 100)
        self.problem(nginx, 502, self.get(b"/api/v1/sessions/x/files/y"))  # what brings no body does not count

    def test_legacy_ports(self):
        other = free_port()
        nginx = self.start(LEGACY_PORTS=str(other))
        nginx.port = other
        self.problem(nginx, 404, self.get(b"/nope"))

    def test_ports_that_name_a_dialect(self):
        """Which path reaches the application, by what it is sent."""
        a, executor, c = free_port(), free_port(), free_port()
        nginx = self.start(LEGACY_PORTS=f"{a}:a {executor}:a-executor {c}:c")
        listener = self.listen(nginx)
        for port, path, wanted in ((a, b"/execute", b"/api/execute"), (a, b"/", b"/api/"), (a, b"/files?x=%2f", b"/api/files?x=%2f"), (a, b"/api/execute", b"/api/execute"),
                                   (a, b"/apix", b"/api/apix"), (executor, b"/execute", b"/executor/execute"), (executor, b"/executor/", b"/executor/"), (c, b"/run", b"/run")):
            with self.subTest(port=port, path=path):
                with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
                    s.sendall(self.get(path))
                    connection = listener.accept()[0]
                    connection.settimeout(10)
                    sent = b""
                    while b"REQUEST_ID" not in sent:
                        sent += connection.recv(65536)
                    connection.close()
                self.assertIn(b"REQUEST_URI" + wanted + b"\x0c\x00SCRIPT_NAME", sent.replace(b"\x0b\x00SCRIPT_NAME", b"\x0c\x00SCRIPT_NAME"))

    def test_what_was_asked_for_is_logged(self):
        nginx = self.start()
        for request, logged in ((self.get(b"/api/none?key=secret"), '"GET /api/none" 502'), (b"DELETE /no/such HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", '"DELETE /no/such" 404'), (b"nonsense\r\n\r\n", '"-" 400')):
            nginx.ask(request)
            lines, end = [], time.monotonic() + 10
            while not any(logged in line for line in lines):  # it is written after the answer
                self.assertLess(time.monotonic(), end, (logged, lines))
                with open(nginx.state + "/nginx/access.log", encoding="utf-8") as file:
                    lines = file.read().splitlines()
            self.assertFalse([line for line in lines if "secret" in line])

    def test_follows_the_application(self):
        """The application's own limits are met first, and it has threads left for all that is kept."""
        for threads, body in ((128, 4194304), (8, 1048576), (1, 1000)):
            done = subprocess.run([ROOT + "/nginx/render", "/tmp/x", "/tmp/x/s"], check=True, capture_output=True, text=True,
                                  env={"PATH": os.environ["PATH"], "FCGI_APP_THREADS": str(threads), "FCGI_APP_BODY_BYTES": str(body)})
            number = lambda pattern: int(re.search(pattern, done.stdout).group(1))  # noqa: E731
            self.assertGreater(number(r"client_max_body_size (\d+);"), body)
            self.assertLessEqual(number(r"keepalive (\d+);") * number(r"worker_processes (\d+);"), max(threads // 2, 4))

    def test_render_refuses_what_is_no_setting(self):
        for name, value in (("PORT", "0"), ("LEGACY_PORTS", "80:f"), ("LEGACY_PORTS", "80 80"), ("RATE_LIMITS", "1r/s"), ("PORT", "65536"), ("PORT", "80;"), ("LEGACY_PORTS", "80 x"), ("RATE_LIMIT", "1r/s;"), ("LISTEN_ADDRESS", "a\nb"), ("FCGI_APP_BODY_BYTES", "1m"), ("FCGI_APP_THREADS", "0")):
            with self.subTest(name=name, value=value):
                done = subprocess.run([ROOT + "/nginx/render", "/tmp/x", "/tmp/x/s"], env={"PATH": os.environ["PATH"], name: value}, capture_output=True, text=True)
                self.assertNotEqual(done.returncode, 0)
                self.assertRegex(done.stderr, "^nginx/render: .*(not|twice|unknown)")


if __name__ == "__main__":
    unittest.main()
