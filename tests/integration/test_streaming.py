"""Runs as streams of events, input while they run, cells that are looked at and followed later."""

import base64
import json
import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import PATIENCE, Answer, Session, call, connect, wait_until

EVENTS = {"Accept": "text/event-stream"}


class Stream:
    """A stream of events, read as it comes. Each event is (name, id, data)."""

    def __init__(self, method, path, body=None, headers=None, timeout=PATIENCE):
        self.connection = connect(timeout=timeout)
        headers = {**EVENTS, **(headers or {})}
        if body is not None:
            headers["Content-Type"] = "application/json"
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)
        # getresponse() would close a connection whose answer has no length
        self.socket = self.connection.sock
        self.response = self.connection.getresponse()
        self.status = self.response.status
        self.headers = self.response.headers

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.response.close()
        self.connection.close()

    def __iter__(self):
        name = number = data = None
        for line in self.response:
            line = line.decode().rstrip("\n")
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("id: "):
                number = line[4:]
            elif line.startswith("data: "):
                data = json.loads(line[6:])
            elif not line and name:
                yield name, number, data
                name = number = data = None

    def answer(self):
        return Answer(self.status, self.headers, self.response.read())


def text_of(events, kind="stdout"):
    return "".join(data["text"] for name, _, data in events if name == kind)


class OneShots(unittest.TestCase):
    def stream(self, code, **more):
        return Stream("POST", "/api/v1/execute", {"code": code, **more})

    def test_the_events_of_a_run(self):
        with self.stream("import sys\nprint('out', flush=True)\nprint('err', file=sys.stderr, flush=True)\n") as stream:
            self.assertEqual(stream.status, 200)
            self.assertTrue(stream.headers["Content-Type"].startswith("text/event-stream"))
            self.assertIsNone(stream.headers["Content-Length"])
            self.assertTrue(stream.headers["X-Request-Id"])
            events = list(stream)
        self.assertEqual([name for name, _, _ in events], ["start", "stdout", "stderr", "result"])
        self.assertEqual([number for _, number, _ in events], ["0.0", "0.1", "0.2", "0.3"])
        self.assertEqual(events[0][2], {"session_id": None, "execution": None})
        self.assertEqual(events[1][2], {"text": "out\n"})
        self.assertEqual(events[2][2], {"text": "err\n"})
        result = events[3][2]
        self.assertEqual((result["status"], result["stdout"], result["stderr"]), ("success", "", ""))

    def test_a_print_shows_while_the_program_sleeps(self):
        with self.stream("import time\nprint('now', time.time(), flush=True)\ntime.sleep(3)") as stream:
            for name, _, data in stream:
                if name == "stdout":
                    late = time.time() - float(data["text"].split()[1])
                    break
            self.assertLess(late, 1.0)  # the machine may be busy; the 3 s it is not

    def test_text_is_cut_between_characters(self):
        code = ("import os, time\nfor byte in 'a\u00e9\u20ac\U0001f600'.encode():\n"
                "    os.write(1, bytes([byte]))\n    time.sleep(0.02)\nos.write(1, b'\\xf0\\x9f')\n")
        with self.stream(code) as stream:
            events = list(stream)
        texts = [data["text"] for name, _, data in events if name == "stdout"]
        self.assertEqual("".join(texts), "a\u00e9\u20ac\U0001f600\ufffd")
        self.assertNotIn("\ufffd", "".join(texts[:-1]))

    def test_an_error_before_the_start_is_an_ordinary_problem(self):
        for body, status in (({"code": ""}, 422), ({"code": "1", "timeout": 10**4}, 422), ({"code": "1", "profile": "none"}, 422)):
            with self.subTest(body), Stream("POST", "/api/v1/execute", body) as stream:
                answer = stream.answer()
                self.assertEqual(answer.status, status, answer)
                self.assertEqual(answer.headers["Content-Type"], "application/problem+json")

    def test_files_go_in_and_out(self):
        with self.stream("open('b.txt', 'w').write(open('a.txt').read() * 2)", files={"a.txt": "ab"}, return_files=["b.txt"]) as stream:
            events = list(stream)
        self.assertEqual(events[-1][2]["files"], {"b.txt": "abab"})

    def test_limits_hold(self):
        with self.stream("while True: print('x' * 1000)", timeout=1) as stream:
            events = list(stream)
        result = events[-1][2]
        self.assertEqual(events[-1][0], "result")
        self.assertIn(result["reason"], ("wall_time", "cpu_time", "output"), result)

    def test_what_was_displayed_is_an_event_and_an_output(self):
        png = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()
        code = f"import base64\nclass P:\n    def _repr_png_(self): return base64.b64decode('{png}')\ndisplay(P())"
        with self.stream(code) as stream:
            events = list(stream)
        shown = [data for name, _, data in events if name == "display"]
        self.assertEqual(len(shown), 1, events)
        self.assertEqual((shown[0]["type"], shown[0]["data"]["image/png"]), ("display_data", png))
        self.assertEqual(shown[0]["metadata"], {})
        result = call("POST", "/api/v1/execute", {"code": code}).json
        self.assertEqual([output["data"].get("image/png") for output in result["outputs"]], [png], result)

    def test_the_client_leaves(self):
        with Session() as session:
            session.execute("pass")
        stream = self.stream("import time\nprint('on', flush=True)\ntime.sleep(25)")
        for name, _, _ in stream:
            if name == "stdout":
                break
        counters = lambda: call("GET", "/api/v1/info").json["counters"]
        self.assertGreater(counters()["running"], 0)
        stream.close()
        wait_until(lambda: counters()["running"] == 0, "the run ends when its client leaves", 20)

    def test_a_slow_reader_makes_the_program_wait(self):
        code = "import os\nblock = b'x' * 65536\nfor i in range(320): os.write(1, block)\n"  # 20 MB
        with self.stream(code, timeout=60) as stream:
            time.sleep(2)
            length = sum(len(data["text"]) for name, _, data in stream if name == "stdout")
        self.assertEqual(length, 320 * 65536)


class Cells(unittest.TestCase):
    def setUp(self):
        self.session = Session()
        self.addCleanup(self.session.close)

    def stream(self, code, **more):
        return Stream("POST", self.session.path + "/execute", {"code": code, **more})

    def follow(self, execution, after=None):
        return Stream("GET", f"{self.session.path}/cells/{execution}", None, {"Last-Event-ID": after} if after else {})

    def cell(self, execution):
        answer = self.session.call("GET", f"/cells/{execution}")
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def test_ids_and_result(self):
        self.session.execute("x = 1")
        with self.stream("print('a')\nx + 1") as stream:
            events = list(stream)
        self.assertEqual([(name, number) for name, number, _ in events], [("start", "2.0"), ("stdout", "2.1"), ("result", "2.2")])
        self.assertEqual(events[0][2], {"session_id": self.session.id, "execution": 2})
        self.assertEqual((events[-1][2]["result"], events[-1][2]["execution"]), ("2", 2))

    def test_a_command_is_streamed(self):
        with Stream("POST", self.session.path + "/run", {"cmd": "echo one; sleep 0.2; echo two >&2"}) as stream:
            events = list(stream)
        self.assertEqual((text_of(events), text_of(events, "stderr"), events[-1][0]), ("one\n", "two\n", "result"))

    def test_an_interrupt_while_streaming(self):
        with self.stream("import time\nprint('on', flush=True)\ntime.sleep(30)") as stream:
            events = []
            for event in stream:
                events.append(event)
                if event[0] == "stdout" and len(events) == 2:
                    self.assertEqual(self.session.call("POST", "/interrupt").status, 200)
        self.assertEqual(events[-1][2]["exception"]["type"], "KeyboardInterrupt")

    def test_a_detached_cell_is_followed_from_its_first_event_or_a_later_one(self):
        code = "import time\nfor i in range(4):\n    print(i, flush=True)\n    time.sleep(0.3)\n'end'"
        stream = self.stream(code, detach=True)
        name, _, data = next(iter(stream))
        self.assertEqual(name, "start")
        number = data["execution"]
        stream.close()
        with self.follow(number) as followed:
            events = list(followed)
        self.assertEqual(text_of(events), "0\n1\n2\n3\n")
        self.assertEqual((events[0][0], events[-1][0], events[-1][2]["result"]), ("start", "result", "'end'"))
        second = next(event for event in events if event[0] == "stdout")
        with self.follow(number, second[1]) as followed:
            later = list(followed)
        self.assertEqual([event[1] for event in later if event[0] == "stdout"], [event[1] for event in events if event[0] == "stdout"][1:])
        kept = self.cell(number)
        self.assertEqual((kept["stdout"], kept["status"], kept["running"], kept["execution"]), ("0\n1\n2\n3\n", "success", False, number))
        self.assertEqual(kept["code"], code)

    def test_a_cell_that_runs_is_shown_as_far_as_it_is(self):
        with self.stream("import time\nprint('so far', flush=True)\ntime.sleep(30)", detach=True) as stream:
            for name, _, _ in stream:
                if name == "stdout":
                    break
            shown = self.cell(1)
            self.assertEqual((shown["stdout"], shown["status"], shown["running"]), ("so far\n", None, True))
            cells = self.session.call("GET", "/cells").json["cells"]
            self.assertEqual([(cell["execution"], cell["running"], cell["stdout"]) for cell in cells], [(1, True, "so far\n")])
        self.assertEqual(self.session.call("POST", "/interrupt").status, 200)
        wait_until(lambda: not self.cell(1)["running"], "the cell ends")
        self.assertEqual(self.cell(1)["exception"]["type"], "KeyboardInterrupt")

    def test_leaving_interrupts_a_cell_unless_somebody_comes_back(self):
        stream = self.stream("import time\nprint('on', flush=True)\ntime.sleep(2)\nprint('done')")
        for name, number, _ in stream:
            if name == "stdout":
                break
        stream.close()
        with self.follow(1, number) as followed:
            events = list(followed)
        self.assertEqual((text_of(events), events[-1][2]["status"]), ("done\n", "success"))

        stream = self.stream("print('on', flush=True)\ntime.sleep(25)")
        for name, _, _ in stream:
            if name == "stdout":
                break
        stream.close()
        wait_until(lambda: not self.cell(2)["running"], "the cell that was left is interrupted", 20)
        self.assertLess(self.cell(2)["execution_time"], 15)

    def test_cells_that_there_are_not(self):
        for path, status in (("/cells/7", 404), ("/cells/0", 422), ("/cells/x", 422), ("/cells/-1", 422)):
            self.assertEqual(self.session.call("GET", path).status, status, path)
        self.assertEqual(self.session.call("GET", "/cells").json, {"id": self.session.id, "cells": []})

    def test_a_long_run_is_allowed_where_it_is_streamed_or_detached(self):
        body = {"code": "1", "timeout": 100}
        self.assertEqual(self.session.call("POST", "/execute", body).status, 422)
        with self.stream("1", timeout=100) as stream:
            self.assertEqual(list(stream)[-1][2]["result"], "1")
        with self.stream("1", timeout=100000) as stream:
            answer = stream.answer()
            self.assertEqual((answer.status, answer.json["errors"][0]["field"]), (422, "timeout"), answer)
        self.assertEqual(self.session.call("POST", "/execute", {**body, "detach": True}).status, 200)


class Input(unittest.TestCase):
    def setUp(self):
        self.session = Session()
        self.addCleanup(self.session.close)

    def give(self, data=None, **more):
        return self.session.call("POST", "/stdin", {**({} if data is None else {"data": data}), **more})

    def test_a_conversation(self):
        code = "for i in range(3): print('got', input('? '))"
        with Stream("POST", self.session.path + "/execute", {"code": code, "interactive": True}) as stream:
            events = []
            for event in stream:
                events.append(event)
                if event[0] == "input":
                    self.assertEqual(event[2], {"prompt": "? ", "password": False})
                    self.assertEqual(self.give(f"answer {len(events)}\n").status, 204)
        self.assertEqual([event[0] for event in events].count("input"), 3)
        self.assertEqual(text_of(events).count("got answer"), 3, events)
        self.assertEqual(events[-1][2]["status"], "success")

    def test_the_end_of_the_input(self):
        code = "import sys\nprint(sys.stdin.read())\ninput()"
        with Stream("POST", self.session.path + "/execute", {"code": code, "interactive": True}) as stream:
            events = []
            for event in stream:
                events.append(event)
                if event[0] == "input":
                    self.assertEqual(self.give("last", eof=True).status, 204)
        self.assertEqual(text_of(events), "last\n", events)
        self.assertEqual(events[-1][2]["exception"]["type"], "EOFError")

    def test_nobody_asks(self):
        self.assertEqual(self.give("x\n").status, 409)
        self.assertEqual(self.give().status, 422)
        got = self.session.call("POST", "/execute", {"code": "1", "interactive": True, "stdin": "x"})
        self.assertEqual((got.status, got.json["errors"][0]["field"]), (422, "stdin"))


class Many(unittest.TestCase):
    def test_other_calls_get_through_beside_streams_that_wait(self):
        count = 60
        started, stop = [], threading.Event()

        def watch():
            with Stream("POST", "/api/v1/execute", {"code": "import time\nprint('on', flush=True)\ntime.sleep(8)", "timeout": 60}) as stream:
                started.append(1)
                for name, _, _ in stream:
                    if stop.is_set():
                        return

        threads = [threading.Thread(target=watch) for _ in range(count)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: len(started) >= 8, "streams begin")
            times = []
            for _ in range(20):
                begin = time.monotonic()
                self.assertEqual(call("GET", "/api/v1/health/live").status, 200)
                times.append(time.monotonic() - begin)
            self.assertLess(sorted(times)[10], 0.1)
        finally:
            stop.set()
            for thread in threads:
                thread.join()


if __name__ == "__main__":
    unittest.main()
