"""Judging: the workspace dialect's evaluate_code, the native evaluate, and submissions that want
to pass without being right."""

import os
import sys
import threading
import time
import unittest
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import STATE, Host, Session, begin, call, finish

ADD = "def add(a, b):\n    return a + b\n"
TIMEOUT = 120  # an evaluation may take long on a busy machine


def code_answer(**body):
    return call("POST", "/evaluate_code", body, timeout=TIMEOUT)


def cases(*pairs):
    return [{"input": given, "output": wanted} for given, wanted in pairs]


class Judging(unittest.TestCase):
    """What both kinds of tests below use."""

    def judge(self, code, entry_point, *pairs, **more):
        got = code_answer(code=code, entry_point=entry_point, io_cases=cases(*pairs), **more)
        self.assertEqual(got.status, 200, got)
        results = got.json["case_results"]
        self.assertEqual([(r["case"], r["input"]) for r in results], [(i, given) for i, (given, _) in enumerate(pairs)])
        self.assertEqual(got.json["passed"], bool(results) and all(r["passed"] for r in results))
        return got.json

    def verdicts(self, *arguments, **more):
        return [r["passed"] for r in self.judge(*arguments, **more)["case_results"]]

    def one(self, code, entry_point, given, wanted):
        return self.judge(code, entry_point, (given, wanted))["case_results"][0]


class Dialect(Judging):
    def test_add(self):
        got = code_answer(id="", code=ADD, entry_point="add", io_cases=cases(("a=1, b=2", "3"), ("a=-1, b=1", "0")))
        self.assertEqual(got.status, 200, got)
        self.assertLessEqual({"passed", "case_results", "error"}, set(got.json))
        self.assertEqual((got.json["passed"], got.json["error"]), (True, None))
        for index, (given, value) in enumerate((("a=1, b=2", 3), ("a=-1, b=1", 0))):
            result = got.json["case_results"][index]
            self.assertEqual(set(result["usage"]), {"wall_ms", "cpu_ms", "memory_peak_bytes"})
            del result["usage"]
            self.assertEqual(result, {"case": index, "input": given, "passed": True, "got": value, "expected": value, "error": None})

    def test_a_wrong_answer(self):
        answer = self.judge(ADD, "add", ("a=1, b=2", "3"), ("a=1, b=2", "4"), ("a=2, b=2", "4"))
        self.assertEqual([r["passed"] for r in answer["case_results"]], [True, False, True])
        wrong = answer["case_results"][1]
        self.assertEqual((wrong["got"], wrong["expected"], wrong["error"], answer["error"]), (3, 4, None, None))

    def test_keyword_values(self):
        code = "def show(**values): return sorted(values.items())\ndef first(text, rest): return text\n"
        self.assertEqual(self.verdicts(code, "first",
                                       ("text='a, b=2', rest=[1, (2, 3)]", "'a, b=2'"),
                                       ("text=\"it's (\", rest={'k': '='}", "\"it's (\""),
                                       ("text = {'a': [1, 2]} , rest=None", "{'a': [1, 2]}"),
                                       ("rest=-1, text=b'x'", "b'x'"),
                                       ("text=(), rest='''x, y=1'''", "()")), [True] * 5)
        self.assertTrue(self.one(code, "show", "a=1, b='x'", "[('a', 1), ('b', 'x')]")["passed"])

    def test_one_literal(self):
        code = "def same(x): return x\ndef size(x): return len(x)\n"
        self.assertEqual(self.verdicts(code, "size", ("[1, 2, 3]", "3"), ("'a=1, b=2'", "8"), ("{'a': 1}", "1"), ("(1, 2)", "2")), [True] * 4)
        self.assertEqual(self.verdicts(code, "same", ("-5", "-5"), ("None", "None"), ("1.5", "1.5"), ("'x'", "'x'")), [True] * 4)

    def test_a_method(self):
        code = "class Solution:\n    def __init__(self): self.base = 10\n    def add(self, a, b): return self.base + a + b\n"
        self.assertEqual(self.verdicts(code, "Solution().add", ("a=1, b=2", "13"), ("a=0, b=0", "10"), ("a=0, b=0", "0")), [True, True, False])

    def test_values_as_json(self):
        code = "def same(x): return x\n"
        for literal, value in (("1", 1), ("-2.5", -2.5), ("'h\u00e9\\n\"'", "h\u00e9\n\""), ("True", True), ("[1, [2], 'x', None]", [1, [2], "x", None]),
                               ("{'a': {'b': [1]}}", {"a": {"b": [1]}})):
            result = self.one(code, "same", literal, literal)
            self.assertEqual((result["passed"], result["got"], result["expected"]), (True, value, value), literal)
        for literal, text in (("{3}", "{3}"), ("2j", "2j"), ("b'x'", "b'x'")):
            result = self.one(code, "same", literal, literal)
            self.assertEqual((result["passed"], result["got"], result["expected"]), (True, text, text), literal)
        result = self.one("def f(x): return float('inf')", "f", "0", "1")
        self.assertEqual((result["passed"], result["got"]), (False, "inf"))

    def test_none_that_was_got(self):
        result = self.one("def f(x): pass", "f", "0", "1")
        self.assertEqual((result["passed"], result["got"], result["expected"], result["error"]), (False, None, 1, None))
        self.assertTrue(self.one("def f(x): pass", "f", "0", "None")["passed"])

    def test_kinds_are_told_apart_as_python_does(self):
        code = "def same(x): return x\n"
        self.assertEqual(self.verdicts(code, "same", ("(1, 2)", "[1, 2]"), ("1", "1.0"), ("True", "1"), ("'1'", "1"), ("{1, 2}", "{2, 1}")),
                         [False, True, True, False, True])

    def test_outputs_that_are_expressions(self):
        code = "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: int\n    y: int\ndef make(x, y): return Point(x, y)\ndef power(x): return 10 ** x\n"
        self.assertEqual(self.verdicts(code, "make", ("x=1, y=2", "Point(1, 2)"), ("x=1, y=2", "Point(2, 1)")), [True, False])
        self.assertEqual(self.verdicts(code, "power", ("3", "10 ** 3"), ("3", "sum([999, 1])")), [True, True])
        result = self.one(code, "power", "3", "no_such_name")
        self.assertFalse(result["passed"])
        self.assertIn("no_such_name", result["error"])

    def test_exceptions(self):
        code = "def f(x):\n    if x: raise ValueError('no ' + str(x))\n    return 1 / x\n"
        first, second = self.judge(code, "f", ("0", "0"), ("7", "0"))["case_results"]
        self.assertEqual((first["passed"], first["got"], first["error"]), (False, None, "ZeroDivisionError: division by zero"))
        self.assertEqual((second["passed"], second["error"]), (False, "ValueError: no 7"))
        self.assertIn("TypeError", self.one(ADD, "add", "a=1", "1")["error"])

    def test_timeout(self):
        result, after = self.judge("def f(x):\n    while x: pass\n    return 5\n", "f", ("1", "5"), ("0", "5"))["case_results"]
        self.assertEqual((result["passed"], result["got"], result["error"]), (False, None, "Timeout"))
        self.assertTrue(after["passed"], after)

    def test_memory(self):
        result = self.one("def f(x):\n    y = [bytearray(1 << 20) for i in range(1 << 12)]\n    return 1\n", "f", "0", "1")
        self.assertFalse(result["passed"])
        self.assertIn("emory", result["error"])

    def test_code_that_does_not_compile(self):
        answer = self.judge("def f(x:\n    return 1\n", "f", ("1", "1"), ("2", "1"))
        self.assertTrue(answer["error"].startswith("SyntaxError"), answer)
        self.assertEqual([(r["passed"], r["got"], r["error"]) for r in answer["case_results"]], [(False, None, answer["error"])] * 2)

    def test_code_that_does_not_load(self):
        for code, error in (("1 / 0\ndef f(x): return x\n", "ZeroDivisionError: division by zero"), ("import no_such_module_at_all\n", "ModuleNotFoundError"),
                            ("def f(x): return x\nraise SystemExit(0)\n", None), ("while True: pass\n", "Timeout"), ("import os; os._exit(0)\n", None)):
            answer = self.judge(code, "f", ("1", "1"))
            self.assertFalse(answer["passed"], code)
            self.assertTrue(answer["error"], code)
            self.assertEqual(answer["case_results"][0]["error"], answer["error"])
            if error:
                self.assertIn(error, answer["error"])

    def test_entry_points(self):
        for entry_point in ("sub", "add(", "add.nothing", "1", "import os", "Solution().add"):
            answer = self.judge(ADD, entry_point, ("a=1, b=2", "3"))
            self.assertFalse(answer["passed"], entry_point)
            self.assertTrue(answer["error"] or answer["case_results"][0]["error"], entry_point)
        self.assertEqual(self.verdicts(ADD, "lambda a, b: add(a, b) + 1", ("a=1, b=2", "4")), [True])

    def test_inputs_that_are_none(self):
        for given in ("a=1, b=", "a=open('x')", "[1, 2", "a=1; b=2", "__import__('os')"):
            result = self.one(ADD, "add", given, "3")
            self.assertEqual((result["passed"], result["got"]), (False, None), given)
            self.assertTrue(result["error"], given)

    def test_order(self):
        code = "import time\ndef f(x):\n    time.sleep(x)\n    return x\n"
        answer = self.judge(code, "f", *((str(x), str(x)) for x in (0.6, 0, 0.3, 0, 0.1)))
        self.assertTrue(answer["passed"], answer)
        self.assertEqual([r["got"] for r in answer["case_results"]], [0.6, 0, 0.3, 0, 0.1])
        self.assertGreater(answer["case_results"][0]["usage"]["wall_ms"], 500)
        self.assertLess(answer["case_results"][1]["usage"]["wall_ms"], 500)

    def test_many_cases(self):
        answer = self.judge(ADD, "add", *((f"a={i}, b=1", str(i + 1 - (i == 77))) for i in range(200)))
        self.assertEqual([i for i, r in enumerate(answer["case_results"]) if not r["passed"]], [77])

    def test_no_cases(self):
        for more in ({}, {"entry_point": "", "io_cases": []}, {"io_cases": None}):
            got = code_answer(code=ADD, **more)
            self.assertEqual((got.status, got.json), (200, {"passed": False, "case_results": [], "error": "There are no cases: nothing was tested."}))
        got = code_answer(code="x = (", io_cases=[])
        self.assertEqual((got.status, got.json["passed"], got.json["case_results"]), (200, False, []))
        self.assertTrue(got.json["error"].startswith("SyntaxError"), got)

    def test_programs(self):
        got = code_answer(code="print(int(input()) * 2)", io_cases=[{"stdin": "4\n", "stdout": "8\n"}, {"stdin": "5\n", "stdout": "8\n"}, {"stdin": "x", "stdout": "8\n"}])
        self.assertEqual(got.status, 200, got)
        self.assertEqual([r["passed"] for r in got.json["case_results"]], [True, False, False], got)
        self.assertIn("ValueError", got.json["case_results"][2]["error"])

    def test_wrong_fields(self):
        good = {"code": ADD, "entry_point": "add", "io_cases": cases(("a=1, b=2", "3"))}
        for change, field in (({"code": None}, "code"), ({"code": 5}, "code"), ({"code": ""}, "code"), ({"entry_point": 5}, "entry_point"), ({"entry_point": None}, "entry_point"),
                              ({"entry_point": ""}, "entry_point"), ({"io_cases": {}}, "io_cases"), ({"io_cases": [5]}, "io_cases[0]"), ({"id": "../x"}, "id"), ({"id": 5}, "id"),
                              ({"io_cases": good["io_cases"] + [{"input": 1, "output": "1"}]}, "io_cases[1].input"),
                              ({"io_cases": [{"input": "1", "output": "1", "tolerance": "x"}]}, "io_cases[0].tolerance"),
                              ({"io_cases": [{"input": "1", "output": "1\0"}]}, "io_cases[0].output")):
            got = code_answer(**{**good, **change})
            self.assertEqual((got.status, got.json["errors"][0]["field"]), (400, field), got)
            self.assertIn(field, got.json["detail"])
        got = code_answer(code=ADD, entry_point="add", io_cases=cases(*[("a=1, b=2", "3")] * 1001))
        self.assertIn(got.status, (400, 413))
        self.assertIn("1000", got.json["detail"])
        self.assertEqual(code_answer(**good, language="python", anything={"else": 1}).json["passed"], True)

    def test_files_of_the_session(self):
        session = str(uuid.uuid4())
        self.addCleanup(call, "DELETE", "/api/v1/sessions/" + session)
        code = "import helper\ndef f(x): return helper.twice(x)\n"
        answer = self.judge(code, "f", ("2", "4"), id=session)  # no such session is no error, no such file is
        self.assertIn("ModuleNotFoundError", answer["error"])
        call("POST", "/write_file", {"id": session, "rel_path": "helper.py", "content": "def twice(x): return 2 * x\n"})
        self.assertEqual(self.verdicts(code, "f", ("2", "4"), ("3", "7"), id=session), [True, False])
        call("POST", "/write_file", {"id": session, "rel_path": "d/data.txt", "content": "7"})
        self.assertEqual(self.verdicts("def f(x): return int(open('d/data.txt').read())", "f", ("0", "7"), id=session), [True])

    def test_files_do_not_keep_cases_from_being_forks(self):
        """Each fork has a process id of its own, a case that gets a new sandbox has always the same."""
        session = str(uuid.uuid4())
        self.addCleanup(call, "DELETE", "/api/v1/sessions/" + session)
        for name in ("helper.py", "sub/data.txt"):
            call("POST", "/write_file", {"id": session, "rel_path": name, "content": "N = 1\n"})
        code = "import helper, os\ndef f(x):\n    open('sub/data.txt').read()\n    return os.getpid()"
        answer = self.judge(code, "f", *[("0", "0")] * 40, id=session)
        self.assertGreaterEqual(len({r["got"] for r in answer["case_results"]}), 10, answer)

    def test_the_session_is_left_alone(self):
        session = str(uuid.uuid4())
        self.addCleanup(call, "DELETE", "/api/v1/sessions/" + session)
        call("POST", "/write_file", {"id": session, "rel_path": "kept", "content": "as it was"})
        code = "open('kept', 'w').write('changed')\nopen('made', 'w').write('x')\ndef f(x): return open('kept').read()"
        self.assertEqual(self.verdicts(code, "f", ("0", "'changed'"), id=session), [True])
        self.assertEqual(call("GET", f"/read_file?id={session}&rel_path=kept").json["content"], "as it was")
        self.assertEqual(call("GET", f"/read_file?id={session}&rel_path=made").status, 404)

    def test_cases_do_not_see_each_other(self):
        code = "import os\nseen = []\ndef f(x):\n    seen.append(x)\n    os.environ['X'] = os.environ.get('X', '') + 'x'\n    return [len(seen), os.environ['X']]\n"
        self.assertEqual(self.verdicts(code, "f", *[("1", "[1, 'x']")] * 4), [True] * 4)
        code = "import os\ndef f(x):\n    before = [p for d in ('.', '/tmp', '/dev/shm') for p in os.listdir(d) if p.startswith('mark')]\n    for d in ('.', '/tmp', '/dev/shm'):\n        open(d + '/mark', 'w').write('x')\n    return before\n"
        self.assertEqual(self.verdicts(code, "f", *[("1", "[]")] * 4), [True] * 4)

    def test_what_is_left_running_reaches_no_other_case(self):
        code = ("import os, time\ndef f(x):\n    if x == 1 and os.fork() == 0:\n        while True: open('mark', 'w').write('x')\n"
                "    time.sleep(0.2)\n    return x if x == 1 else os.path.exists('mark')\n")
        self.assertEqual(self.verdicts(code, "f", ("1", "1"), ("2", "False"), ("3", "False")), [True] * 3)


class Native(Judging):
    def setUp(self):
        self.session = Session()
        self.addCleanup(self.session.close)

    def evaluate(self, code, given, **more):
        got = call("POST", self.session.path + "/evaluate", {"code": code, "cases": given, **more}, timeout=TIMEOUT)
        self.assertEqual(got.status, 200, got)
        return got.json

    def test_add(self):
        answer = self.evaluate(ADD + "print('loaded')\n", cases(("a=1, b=2", "3")), entry_point="add")
        self.assertEqual((answer["passed"], answer["error"]), (True, None), answer)
        result = answer["case_results"][0]
        self.assertEqual({k: result[k] for k in ("case", "input", "passed", "got", "expected", "error", "status", "reason", "exception")},
                         {"case": 0, "input": "a=1, b=2", "passed": True, "got": 3, "expected": 3, "error": None, "status": "success", "reason": None, "exception": None})
        self.assertEqual(set(result["usage"]), {"wall_ms", "cpu_ms", "memory_peak_bytes"})

    def test_details(self):
        code = "def f(x):\n    print('before', x)\n    return 1 / x\n"
        good, bad = self.evaluate(code, cases(("1", "1"), ("0", "1")), entry_point="f")["case_results"]
        self.assertEqual((good["passed"], good["stdout"], good["status"]), (True, "before 1\n", "success"))
        self.assertEqual((bad["passed"], bad["stdout"], bad["status"], bad["reason"]), (False, "before 0\n", "error", "exception"))
        self.assertEqual((bad["exception"]["type"], bad["exception"]["message"], bad["exception"]["line"]), ("ZeroDivisionError", "division by zero", 3))
        self.assertIn("    return 1 / x", bad["exception"]["traceback"])

    def test_timeout(self):
        began = time.monotonic()
        code = "import time\ndef f(x):\n    while x == 1: pass\n    time.sleep(x)\n    return x\n"
        loop, sleep, good = self.evaluate(code, cases(("1", "1"), ("20", "20"), ("0", "0")), entry_point="f", timeout=1)["case_results"]
        self.assertEqual((loop["passed"], loop["error"], loop["status"]), (False, "Timeout", "timeout"))
        self.assertIn(loop["reason"], ("wall_time", "cpu_time"))
        self.assertEqual((sleep["error"], sleep["reason"]), ("Timeout", "wall_time"))
        self.assertTrue(good["passed"], good)
        self.assertLess(time.monotonic() - began, 20)

    def test_a_session_with_lower_limits(self):
        with Session(limits={"wall_ms": 1500}) as session:
            path = session.path + "/evaluate"
            body = {"code": "def f(x):\n    while x: pass\n", "entry_point": "f", "cases": cases(("0", "None"), ("1", "1"))}
            got = call("POST", path, body, timeout=TIMEOUT)
            self.assertEqual([r["passed"] for r in got.json["case_results"]], [True, False], got)
            self.assertEqual(got.json["case_results"][1]["error"], "Timeout")
            self.assertEqual(call("POST", path, {**body, "timeout": 5}).status, 422)

    def test_tolerance(self):
        code = "def f(x): return x + 0.0001\ndef g(x): return {'a': [x + 0.0001, 'text'], 'b': 1}\n"
        close = [{"input": "1.0", "output": "1.0", "tolerance": t} for t in (0.001, 0.00001, 0)]
        self.assertEqual([r["passed"] for r in self.evaluate(code, close, entry_point="f")["case_results"]], [True, False, False])
        self.assertTrue(self.evaluate(code, cases(("1.0", "1.0")), entry_point="f", tolerance=0.001)["passed"])
        self.assertFalse(self.evaluate(code, cases(("1.0", "1.0")), entry_point="f")["passed"])
        self.assertTrue(self.evaluate(code, cases(("1.0", "{'a': [1.0, 'text'], 'b': 1}")), entry_point="g", tolerance=0.001)["passed"])
        self.assertFalse(self.evaluate(code, cases(("1.0", "{'a': [1.0, 'other'], 'b': 1}")), entry_point="g", tolerance=0.001)["passed"])
        nan = "def f(x): return float('nan')\n"
        self.assertFalse(self.evaluate(nan, cases(("1.0", "1.0")), entry_point="f", tolerance=1000)["passed"])

    def test_programs(self):
        code = "import sys\nif __name__ == '__main__':\n    print(sum(map(int, sys.stdin.read().split())))\n"
        given = [{"stdin": "1 2 3\n", "stdout": "6\n"}, {"stdin": "1 2 3\n", "stdout": "7\n"}, {"stdin": "", "stdout": "0\n"}, {"stdout": "0\n"}]
        answer = self.evaluate(code, given)
        self.assertEqual([r["passed"] for r in answer["case_results"]], [True, False, True, True], answer)
        self.assertEqual(answer["case_results"][1]["stdout"], "6\n")

    def test_programs_with_tolerance(self):
        given = [{"stdin": "", "stdout": "0.33\n", "tolerance": 0.01}, {"stdin": "", "stdout": "0.33\n", "tolerance": 0.0001}, {"stdin": "", "stdout": "0.33\n"}]
        self.assertEqual([r["passed"] for r in self.evaluate("print(1 / 3)", given)["case_results"]], [True, False, False])

    def test_both_kinds(self):
        code = ADD + "if __name__ == '__main__':\n    print(add(*map(int, input().split())))\n"
        answer = self.evaluate(code, [{"input": "a=1, b=2", "output": "3"}, {"stdin": "1 2\n", "stdout": "3\n"}], entry_point="add")
        self.assertEqual([r["passed"] for r in answer["case_results"]], [True, True], answer)

    def test_code_that_does_not_compile(self):
        answer = self.evaluate("def f(:\n", cases(("1", "1")), entry_point="f")
        self.assertFalse(answer["passed"])
        self.assertTrue(answer["error"].startswith("SyntaxError"), answer)
        self.assertEqual(answer["case_results"][0]["error"], answer["error"])
        self.assertEqual(answer["exception"]["type"], "SyntaxError")

    def test_wrong_fields(self):
        good = {"code": ADD, "entry_point": "add", "cases": cases(("a=1, b=2", "3"))}
        for change, field in (({"code": None}, "code"), ({"cases": None}, "cases"), ({"cases": []}, "cases"), ({"cases": "x"}, "cases"), ({"entry_point": None}, "entry_point"),
                              ({"timeout": 31}, "timeout"), ({"timeout": 0.5}, "timeout"), ({"timeout": "5"}, "timeout"), ({"tolerance": -1}, "tolerance"), ({"tolerance": True}, "tolerance"),
                              ({"cases": [{"input": "1", "output": 1}]}, "cases[0].output"), ({"cases": [{"stdin": "x"}]}, "cases[0].stdout"), ({"cases": [{}]}, "cases[0].input"),
                              ({"cases": [{"input": "1", "stdout": "1"}]}, "cases[0].input"), ({"cases": [{"stdout": "1"}, {"stdout": "", "tolerance": []}]}, "cases[1].tolerance")):
            got = self.session.call("POST", "/evaluate", {**good, **change})
            self.assertEqual((got.status, got.json["errors"][0]["field"]), (422, field), got)
        got = self.session.call("POST", "/evaluate", {**good, "cases": cases(*[("a=1, b=2", "3")] * 1001)})
        self.assertIn(got.status, (413, 422))

    def test_no_session(self):
        body = {"code": ADD, "entry_point": "add", "cases": cases(("a=1, b=2", "3"))}
        self.assertEqual(call("POST", f"/api/v1/sessions/{uuid.uuid4()}/evaluate", body).status, 404)
        self.assertEqual(call("POST", "/api/v1/sessions/-x/evaluate", body).status, 422)

    def test_files_and_variables_of_the_session(self):
        made = self.session.call("POST", "/run", {"cmd": "mkdir -p pkg; echo 'def twice(x): return 2 * x' > helper.py; echo 'N = 5' > pkg/__init__.py"})
        self.assertEqual(made.status, 200)
        self.session.execute("secret = 7")
        code = "import helper, pkg\ndef f(x): return [helper.twice(x), pkg.N, 'secret' in globals()]\n"
        answer = self.evaluate(code, cases(("4", "[8, 5, False]")), entry_point="f")
        self.assertTrue(answer["passed"], answer)
        self.assertEqual(self.session.value("secret"), "7")
        self.assertEqual(self.session.value("'helper' in dir()"), "False")

    def test_beside_a_running_cell(self):
        connection = self.session.begin("import time; time.sleep(8)", timeout=10)
        self.addCleanup(connection.close)
        began = time.monotonic()
        self.assertTrue(self.evaluate(ADD, cases(("a=1, b=2", "3")), entry_point="add")["passed"])
        self.assertLess(time.monotonic() - began, 7)


class Busy(Judging):
    """More at once than there are places to run."""

    def executor(self):
        return Host().pid("executor") if STATE else None

    def test_many_evaluations_at_once(self):
        """Workers still wait for a place when their evaluation comes to its end."""
        before = self.executor()
        code = "import time\ndef f(x):\n    time.sleep(0.1)\n    return x\n"
        body = {"code": code, "entry_point": "f", "io_cases": cases(*[(str(i), str(i)) for i in range(5)])}
        for _ in range(2):
            begun = [begin("POST", "/evaluate_code", body) for _ in range(16)]
            for connection in begun[::4]:
                connection.close()
            for i, connection in enumerate(begun):
                if i % 4:
                    got = finish(connection)
                    self.assertIn(got.status, (200, 429, 503), got)
                    if got.status == 200:
                        self.assertTrue(got.json["passed"], got)
        self.assertTrue(self.judge(ADD, "add", ("a=1, b=2", "3"))["passed"])
        self.assertEqual(self.executor(), before)

    def test_output_is_not_kept(self):
        """What cases print beyond what is shown takes no memory of the service."""
        if not STATE or os.environ.get("VIVARIUM_SANITIZED"):
            self.skipTest("the service runs elsewhere, or under a sanitizer, which keeps what was freed")

        def memory():
            with open(f"/proc/{self.executor()}/status", encoding="ascii") as status:
                return int(next(line.split()[1] for line in status if line.startswith("VmRSS")))

        begun = begin("POST", "/evaluate_code", {"code": "def f(x):\n    print('x' * 900000)\n    return x\n", "entry_point": "f", "io_cases": cases(*[("1", "1")] * 200)})
        before, most, done = memory(), 0, threading.Event()

        def look():
            nonlocal most
            while not done.wait(0.05):
                most = max(most, memory())

        thread = threading.Thread(target=look)
        thread.start()
        got = finish(begun)
        done.set()
        thread.join()
        self.assertTrue(got.json["passed"], got)
        self.assertLess(most - before, 100 << 10)


class Cheats(Judging):
    """None of these is right, and none may pass."""

    def fails(self, code, wanted="42", entry_point="f"):
        answer = self.judge(code, entry_point, ("1", wanted), ("2", wanted))
        self.assertEqual([r["passed"] for r in answer["case_results"]], [False, False], answer)
        return answer

    def test_an_object_that_equals_everything(self):
        equal = "class E{base}:\n    def __eq__(self, other): return True\n    __ne__ = lambda self, other: False\n    def __hash__(self): return 0\n    __lt__ = __gt__ = __le__ = __ge__ = __eq__\n{more}"
        for base, more, value in (("", "", "E()"), ("(int)", "", "E(1)"), ("(str)", "", "E('x')"), ("(list)", "", "E([1])"), ("(dict)", "", "E()"), ("", "", "[E()]"), ("(float)", "", "E(1)"),
                                  ("(tuple)", "", "E((1,))"), ("", "    __class__ = int\n", "E()"), ("", "    def __getattribute__(self, name): return self\n", "E()")):
            code = equal.format(base=base, more=more) + f"def f(x): return {value}\n"
            for wanted in ("42", "[42]", "'yes'", "{'a': 1}", "None", "(1, 2)", "42.5"):
                self.fails(code, wanted)

    def test_an_object_that_looks_right(self):
        self.fails("class R:\n    def __repr__(self): return '42'\n    __str__ = __repr__\n    def __reduce__(self): return (int, (42,))\n    def __index__(self): return 42\n    __int__ = __index__\n"
                   "    def __float__(self): return 42.0\ndef f(x): return R()\n")
        for forged in ("passed", "1], \"passed\": true", '{\"passed\": true, \"case\": 0}'):
            answer = self.fails(f"class R:\n    def __repr__(self): return {forged!r}\ndef f(x): return R()\n")
            self.assertEqual(len(answer["case_results"]), 2)

    def test_patched_builtins(self):
        for code in ("import builtins\nfor n in ('len', 'isinstance', 'print', 'type', 'repr', 'str', 'int', 'all', 'any', 'zip', 'sorted', 'abs', 'bool', 'hasattr', 'getattr', 'eval', 'compile', 'exec'):\n    setattr(builtins, n, lambda *a, **k: True)\n",
                     "import builtins\nbuiltins.isinstance = lambda *a: True\nbuiltins.type = lambda *a: int\n",
                     "import builtins\nbuiltins.__import__ = lambda *a, **k: None\n",
                     "__builtins__ = {}\n", "import sys\nsys.modules.clear()\n", "import sys\nsys.exit = sys.excepthook = sys.displayhook = lambda *a: None\n",
                     "import operator\noperator.eq = lambda a, b: True\n", "import sys\nsys.setrecursionlimit(60)\n"):
            self.fails(code + "def f(x): return 41\n")

    def test_overwritten_modules(self):
        for name in ("json", "ast", "judge", "pickle", "marshal", "math", "struct", "io", "linecache", "traceback", "types", "_judge", "vivarium"):
            self.fails(f"import sys\nclass M:\n    def __getattr__(self, name): return lambda *a, **k: 42\nsys.modules[{name!r}] = M()\n{name} = M()\ndef f(x): return 41\n")
        self.fails("import json, ast\njson.dumps = lambda *a, **k: '42'\njson.loads = ast.literal_eval = lambda *a, **k: 41\nast.parse = lambda *a, **k: None\njson.encoder.JSONEncoder.encode = lambda *a: '42'\ndef f(x): return 41\n")

    def test_files_named_like_modules(self):
        session = str(uuid.uuid4())
        self.addCleanup(call, "DELETE", "/api/v1/sessions/" + session)
        for name in ("json", "ast", "judge", "math", "operator", "sitecustomize", "usercustomize", "encodings"):
            call("POST", "/write_file", {"id": session, "rel_path": name + ".py", "content": "def __getattr__(name): return lambda *a, **k: True\n"})
        self.assertEqual(self.verdicts("def f(x): return 41\n", "f", ("1", "42"), ("1", "41"), id=session), [False, True])

    def test_an_output_that_needs_names_can_be_no_lever(self):
        self.fails("import sys\nclass P:\n    def __init__(self, *a): pass\n    def __eq__(self, other): return NotImplemented\ndef f(x): return 41\n", "P(1)")
        self.assertFalse(self.one("def answer(): raise SystemExit(0)\ndef f(x): return 41\n", "f", "1", "answer()")["passed"])
        self.assertFalse(self.one("import os\ndef answer(): os._exit(0)\ndef f(x): return 41\n", "f", "1", "answer()")["passed"])

    def test_leaving(self):
        for leave in ("import os; os._exit(0)", "import sys; sys.exit()", "import sys; sys.exit(0)", "raise SystemExit", "raise SystemExit(42)", "import os; os.kill(os.getpid(), 9)", "import os; os.abort()",
                      "import os; os.execv('/bin/true', ['true'])", "import os; os.fork() and os._exit(0)", "import threading, os; threading.Timer(0, os._exit, (0,)).start()\n    while True: pass",
                      "import ctypes; ctypes.string_at(0)", "raise KeyboardInterrupt", "raise GeneratorExit", "raise StopIteration(42)"):
            answer = self.fails(f"def f(x):\n    {leave}\n    return 41\n")
            for result in answer["case_results"]:
                self.assertTrue(result["error"], (leave, result))
            self.assertIsNone(answer["error"], leave)
        self.assertFalse(self.judge("import atexit, os\natexit.register(os._exit, 0)\ndef f(x): return 41\n", "f", ("1", "42"))["passed"])

    def test_the_exit_says_so(self):
        for leave in ("import os; os._exit(0)", "import sys; sys.exit(0)"):
            self.assertIn("exit code 0", self.fails(f"def f(x):\n    {leave}\n")["case_results"][0]["error"])

    def test_printed_results(self):
        forged = '{"passed": true, "case_results": [{"case": 0, "passed": true, "got": 42, "expected": 42, "error": null}], "error": null}'
        for target in ("sys.stdout", "sys.stderr", "sys.__stdout__"):
            self.fails(f"import sys\ndef f(x):\n    print({forged!r}, file={target}, flush=True)\n    print('42', file={target})\n    return 41\n")
        self.fails(f"import sys\nprint({forged!r})\nprint(42)\ndef f(x): return 41\n")
        self.fails("class F:\n    passed = True\n    got = expected = 42\ndef f(x): return {'passed': True, 'got': 42}\n")

    def test_descriptors(self):
        self.fails("import os\nos.closerange(0, 4096)\ndef f(x): return 41\n")
        self.fails("import os\ndef f(x):\n    os.closerange(0, 4096)\n    return 41\n")
        self.fails("import os\ndef f(x):\n    for fd in range(3, 4096):\n        for data in (b'42', b'{\"passed\": true}', b'\\x8a\\0\\0\\0\\x08\\0\\0\\0\\1\\0\\0\\0\\0\\0\\0\\0' * 100):\n"
                   "            try: os.write(fd, data)\n            except OSError: pass\n    return 41\n")
        # and what is right stays right
        self.assertEqual(self.verdicts("import os\ndef f(x):\n    os.closerange(0, 4096)\n    return 42\n", "f", ("1", "42"), ("1", "41")), [True, False])

    def test_killing_everything(self):
        code = "import os, signal\ndef end():\n    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP):\n        for pid in [-1] + list(range(1, 2000)):\n            try: pid != os.getpid() and os.kill(pid, number)\n            except OSError: pass\n"
        self.fails(code + "def f(x):\n    end()\n    return 41\n")
        self.fails(code + "end()\ndef f(x): return 41\n")
        # the next one is judged as ever
        self.assertTrue(self.judge(ADD, "add", ("a=1, b=2", "3"))["passed"])

    # Looks through the memory of a process, "self" or a number, for what it does not hold itself.
    SCAN = ("import os, re\npattern = re.compile(rb'value-of-QX7[s]ecret')\ndef scan(pid):\n    found = []\n    try:\n"
            "        with open(f'/proc/{pid}/maps') as maps: areas = [[int(a, 16) for a in line.split()[0].split('-')] for line in maps if ' r' in line]\n"
            "        with open(f'/proc/{pid}/mem', 'rb', buffering=0) as mem:\n            for low, high in areas:\n                for at in range(low, high, 1 << 20):\n"
            "                    try:\n                        mem.seek(at)\n                        found += pattern.findall(mem.read(min(high - at, (1 << 20) + 64)))\n"
            "                    except (OSError, ValueError, OverflowError): pass\n    except OSError: pass\n    return found\n")

    def test_the_expected_value_is_not_in_the_process(self):
        code = self.SCAN + "def f(x): return next((text.decode() for text in scan('self')), 'not found')\n"
        for wanted in ("'value-of-QX7secret'", "'value-of-' + 'QX7secret'"):
            result = self.one(code, "f", "1", wanted)
            self.assertEqual((result["passed"], result["got"]), (False, "not found"), result)
        # it would have been found
        code = code.replace("def f(x):", "held = bytes.fromhex('76616c75652d6f662d515837736563726574')\ndef f(x):")
        self.assertTrue(self.one(code, "f", "1", "'value-of-QX7secret'")["passed"])

    def test_other_processes_show_nothing(self):
        code = self.SCAN + ("def f(x):\n    found = []\n    for pid in os.listdir('/proc'):\n        if not pid.isdigit() or int(pid) == os.getpid(): continue\n        found += scan(pid)\n"
                            "        for name in ('environ', 'cmdline', 'fd/0', 'fd/1', 'fd/3', 'fd/4', 'root/etc/passwd'):\n            try:\n"
                            "                fd = os.open(f'/proc/{pid}/{name}', os.O_RDONLY | os.O_NONBLOCK)\n                found += pattern.findall(os.read(fd, 1 << 16))\n                os.close(fd)\n"
                            "            except OSError: pass\n    return next((text.decode() for text in found), 'nothing')\n")
        self.assertEqual(self.verdicts(code, "f", ("1", "'value-of-QX7secret'"), ("1", "'nothing'")), [False, True])

    def test_threads_at_module_level(self):
        loop = "import threading, os, sys, time\ndef loop():\n    while True:\n        {body}\nthreading.Thread(target=loop, daemon={daemon}).start()\n"
        for body, daemon in (("pass", "True"), ("time.sleep(0.01)", "False"), ("sys.modules['__main__'].f = lambda x: 42; time.sleep(0)", "True"), ("print('42', flush=True); time.sleep(0.001)", "True")):
            answer = self.judge(loop.format(body=body, daemon=daemon) + "def f(x): return 41\n", "f", ("1", "43"))
            self.assertFalse(answer["passed"], answer)
        # a thread that is left behind must not keep a right answer from passing
        self.assertTrue(self.judge("import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\ndef f(x): return 42\n", "f", ("1", "42"))["passed"])

    def test_hooks(self):
        for code in ("import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)\n", "import sys\nsys.addaudithook(lambda *a: None)\n", "import gc\ngc.callbacks.append(lambda *a: None)\n",
                     "import signal\nfor n in range(1, 32):\n    try: signal.signal(n, signal.SIG_IGN)\n    except OSError: pass\n", "import os\nos.register_at_fork(after_in_child=lambda: os._exit(0))\n",
                     "import os\nos.register_at_fork(before=lambda: 1 / 0)\n", "import sys\nsys.meta_path.insert(0, None)\nsys.path[:] = []\n", "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))\n"):
            self.fails(code + "def f(x): return 41\n")

    def test_programs_that_print_too_early(self):
        got = code_answer(code="import os, sys\nprint('8')\nsys.stdout.flush()\nos._exit(3)\n", io_cases=[{"stdin": "", "stdout": "8\n"}])
        self.assertEqual((got.status, got.json["passed"]), (200, False), got)

    def test_after_all_that_the_service_is_well(self):
        self.assertTrue(self.judge(ADD, "add", ("a=1, b=2", "3"))["passed"])
        self.assertEqual(call("GET", "/api/health").status, 200)


if __name__ == "__main__":
    unittest.main()
