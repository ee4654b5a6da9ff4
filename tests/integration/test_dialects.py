"""What existing clients of each dialect rely on, to the letter."""

import os
import sys
import unittest
import urllib.parse
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import Session, call


class Playground(unittest.TestCase):
    def execute(self, code, **more):
        got = call("POST", "/api/execute", {"code": code, "language": "python", **more})
        self.assertEqual(got.status, 200, got)
        return got.json

    def test_system_raises(self):
        got = self.execute("import os\nprint(os.system('true'))")
        self.assertEqual(got["output"], "")
        self.assertIn("PermissionError: [Errno 13] Permission denied", got["error"])

    def test_a_program_of_60_kb_is_saved_from_the_query(self):
        name = f"{uuid.uuid4().hex}.py"
        code = "x" * 60_000
        query = urllib.parse.urlencode({"code": code, "filename": name})
        got = call("POST", f"/api/save?{query}")
        self.assertEqual(got.status, 200, got)
        self.addCleanup(call, "DELETE", f"/api/delete/{name}")
        self.assertEqual(got.json, {"message": "File saved successfully", "filename": name})
        self.assertEqual(call("GET", f"/api/load/{name}").json["code"], code)


class Repl(unittest.TestCase):
    def test_its_sessions_have_their_own_limits_everywhere(self):
        session = f"repl-{uuid.uuid4().hex}"
        self.assertEqual(call("POST", f"/execute/{session}", {"code": "x = 1"}).status, 200)
        self.addCleanup(call, "DELETE", f"/api/v1/sessions/{session}")
        got = call("POST", "/run", {"id": session, "cmd": "echo here"})
        self.assertEqual((got.status, got.json["stdout"]), (200, "here\n"), got)
        got = call("POST", "/evaluate_code", {"id": session, "code": "def f(): return 1", "entry_point": "f",
                                              "io_cases": [{"input": "", "output": "1"}]})
        self.assertEqual((got.status, got.json["passed"]), (200, True), got)

    def test_a_session_with_short_limits_is_judged_with_them(self):
        with Session(limits={"wall_ms": 300, "cpu_ms": 300}) as session:
            got = session.call("POST", "/evaluate", {"code": "def f():\n    while True: pass", "entry_point": "f",
                                                     "cases": [{"input": "", "output": "1"}]})
            self.assertEqual((got.status, got.json["case_results"][0]["error"]), (200, "Timeout"), got)
            self.assertLess(got.json["case_results"][0]["usage"]["wall_ms"], 2000)
            got = session.call("POST", "/execute", {"code": "1", "timeout": 20})
            self.assertEqual((got.status, got.json["errors"][0]["field"]), (422, "timeout"), got)


class Workspaces(unittest.TestCase):
    def setUp(self):
        self.session_id = str(uuid.uuid4())
        got = call("POST", "/write_file", {"id": self.session_id, "rel_path": "a.txt", "content": "a"})
        self.assertEqual(got.status, 200, got)
        self.addCleanup(call, "DELETE", f"/api/v1/sessions/{self.session_id}")

    def evaluate(self, code, cases):
        got = call("POST", "/evaluate_code", {"id": self.session_id, "code": code, "entry_point": "f", "io_cases": cases})
        self.assertEqual(got.status, 200, got)
        return got.json

    def test_a_case_without_its_half_fails_alone(self):
        got = self.evaluate("def f(a): return a", [{"input": "a=1", "output": "1"}, {"input": "a=1"},
                                                   {"output": "1"}, {}, {"input": "a=2", "output": "2"}])
        self.assertEqual([result["passed"] for result in got["case_results"]], [True, False, False, False, True], got)
        self.assertEqual([result["case"] for result in got["case_results"]], [0, 1, 2, 3, 4])
        self.assertIn("output is missing", got["case_results"][1]["error"])
        self.assertIn("input is missing", got["case_results"][2]["error"])
        self.assertFalse(got["passed"])
        self.assertIsNone(got["error"])

    def test_only_wrong_cases(self):
        got = self.evaluate("def f(a): return a", [{"input": "a=1"}, {}])
        self.assertEqual([result["passed"] for result in got["case_results"]], [False, False], got)

    def test_names_that_are_not_taken_are_ignored(self):
        got = self.evaluate("def f(a): return a", [{"input": "a=1, b=2, c='x'", "output": "1"}])
        self.assertTrue(got["passed"], got)

    def test_an_empty_command(self):
        got = call("POST", "/run", {"id": self.session_id, "cmd": ""})
        self.assertEqual((got.status, got.json["stdout"], got.json["stderr"], got.json["id"]), (200, "", "", self.session_id), got)
        got = call("POST", "/run", {"id": str(uuid.uuid4()), "cmd": ""})
        self.assertEqual((got.status, got.json["detail"]), (400, "Session does not exist"), got)

    def test_a_child_that_is_killed_for_memory_is_named(self):
        got = call("POST", "/run", {"id": self.session_id, "cmd": "python3 -c 'bytearray(1 << 30)[::4096] = b\"x\" * (1 << 18)' ; echo on"})
        self.assertEqual((got.status, got.json["stdout"]), (200, "on\n"), got)
        self.assertIn("emory", got.json["stderr"])


class Strict(unittest.TestCase):
    def execute(self, code, **more):
        got = call("POST", "/execute", {"code": code, **more})
        self.assertEqual(got.status, 200, got)
        self.assertEqual(list(got.json), ["id", "stdout", "stderr", "error"])
        return got.json

    def test_the_end_of_the_process_is_an_error(self):
        for code, error in (("import os; os._exit(1)", "Exited with code 1"),
                            ("import sys; sys.exit(3)", "Exited with code 3"),
                            ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "Crashed: Segmentation fault")):
            with self.subTest(code):
                got = self.execute(code)
                self.assertEqual((got["error"], got["stdout"], got["stderr"]), (error, None, None), got)

    def test_ids_that_cannot_be(self):
        for wrong in ("", "a b/c", "-x", "x" * 200):
            with self.subTest(wrong):
                got = self.execute("1", id=wrong)
                self.assertEqual((got["error"], got["id"]), ("session not found", wrong))

    def test_no_id_is_an_empty_one(self):
        ids = []
        try:
            for _ in range(60):
                got = self.execute("1")
                if got["error"]:
                    self.assertEqual((got["error"], got["id"]), ("max sessions reached", ""))
                    break
                ids.append(got["id"])
            else:
                self.fail("there is no end of sessions")
        finally:
            for session in ids:
                call("DELETE", f"/api/v1/sessions/strict.{session}")


if __name__ == "__main__":
    unittest.main()
