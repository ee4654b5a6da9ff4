"""What a request brings: JSON that is large, strange or misspelt, and files of any size."""

import hashlib
import io
import json
import os
import sys
import tarfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import Answer, Host, Session, call, connect, needs_host, read, run

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
                self.assertLess(memory("VmRSS") - before, 4 * MIB, name)


if __name__ == "__main__":
    unittest.main()
