from __future__ import annotations

import threading
import time
from typing import Any

import pytest

import vivarium
from conftest import URL


def wait_running(session_id: str) -> None:
    with vivarium.Client(URL) as other:
        end = time.monotonic() + 30
        while other.session(session_id).info().state != "running":
            assert time.monotonic() < end, "the cell does not begin"
            time.sleep(0.01)


def test_variables_live_on(session: Any) -> None:
    assert session.execute("x = 41").execution == 1
    result = session.execute("x + 1")
    assert (result.result, result.state, result.session_id, result.execution) == ("42", "kept", session.id, 2)
    assert [(one.name, one.type, one.repr) for one in session.variables()] == [("x", "int", "41")]
    assert [(one.execution, one.code, one.result) for one in session.history()] == [
        (1, "x = 41", None),
        (2, "x + 1", "42"),
    ]


def test_a_with_statement_ends_what_it_made(client: Any) -> None:
    with client.create_session("ends-with-its-block", idle_timeout=60, files={"a.txt": "a"}) as session:
        assert session.info().limits["idle_ms"] == 60000
        assert session.files.read_text("a.txt") == "a"
        with pytest.raises(vivarium.Conflict):
            client.create_session(session.id)
        with client.session(session.id) as same:
            same.execute("y = 1")
        assert session.execute("y").result == "1"
        assert session.id in [one.id for one in client.sessions()]
    with pytest.raises(vivarium.NotFound):
        session.info()
    with pytest.raises(vivarium.NotFound):
        session.delete()
    session.delete(missing_ok=True)


def test_a_session_that_ended_by_itself_is_no_error(client: Any) -> None:
    with client.create_session() as session:
        session.delete()


def test_undo_and_reset(session: Any) -> None:
    session.execute("x = 1")
    session.execute("x = 2")
    left = session.undo()
    assert session.execute("x").result == "1" and left >= 1
    session.files.write("kept.txt", "k")
    session.reset()
    assert session.variables() == [] and session.files.read("kept.txt") == b"k"
    session.reset(files=True)
    assert session.files.list().files == ()
    with pytest.raises(vivarium.Conflict):
        session.undo()


def test_interrupt(session: Any) -> None:
    with pytest.raises(vivarium.Conflict, match="No cell is running"):
        session.interrupt()
    session.execute("n = 0")

    def interrupt() -> None:
        wait_running(session.id)
        with vivarium.Client(URL) as other:
            other.session(session.id).interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    result = session.execute("while True: n += 1")
    thread.join()
    assert (result.status, result.reason) == ("error", "interrupted")
    assert int(session.execute("n").result) > 0


def test_commands(session: Any) -> None:
    session.files.write("words.txt", "b\na\n")
    result = session.run("sort words.txt; cat; exit 3", stdin="in\n")
    assert (result.stdout, result.return_code, result.reason) == ("a\nb\nin\n", 3, "exit")


def test_evaluate(session: Any) -> None:
    got = session.evaluate(
        "def div(a, b):\n    return a / b",
        [vivarium.Case(input="a=6, b=2", output="3"), {"input": "a=1, b=0", "output": "0"}],
        entry_point="div",
    )
    assert not got.passed and [one.passed for one in got.cases] == [True, False]
    assert got.cases[0].got == 3.0 and got.cases[1].error == "ZeroDivisionError: division by zero"
    case = vivarium.Case(stdin="0.2\n", stdout="0.3\n", tolerance=1e-9)
    got = session.evaluate("print(0.1 + float(input()))", [case])
    assert got.passed and got.error is None
    got = session.evaluate("def (", [vivarium.Case(input="1", output="1")], entry_point="f")
    assert not got.passed and got.exception.type == "SyntaxError" and got.error.startswith("SyntaxError")


def test_odd_ids_are_encoded(client: Any) -> None:
    for odd in ["a b/../c", "ä", "a?b"]:
        with pytest.raises(vivarium.InvalidField) as raised:
            client.session(odd).info()
        assert raised.value.errors[0].field == "id"
