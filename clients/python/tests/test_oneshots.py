from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import vivarium


def test_output_result_and_usage(client: Any) -> None:
    result = client.execute("import sys\nprint(input())\nprint('no', file=sys.stderr)\n6 * 7", stdin="yes\n")
    assert result.ok and result.status == "success" and result.reason is None
    assert (result.stdout, result.stderr, result.result) == ("yes\n", "no\n", "42")
    assert result.return_code == 0 and result.signal is None and result.session_id is None
    assert 0 < result.execution_time < 10
    assert result.usage.memory_peak_bytes > 0
    assert result.check() is result


def test_an_exception_is_a_result(client: Any) -> None:
    result = client.execute("def f(x):\n    return 1 / x\n\nf(0)")
    assert not result.ok and (result.status, result.reason, result.return_code) == ("error", "exception", 1)
    assert result.exception.type == "ZeroDivisionError"
    assert result.exception.line == 2
    assert result.exception.traceback[-1] == "ZeroDivisionError: division by zero"
    with pytest.raises(vivarium.RunFailed, match="ZeroDivisionError: division by zero") as raised:
        result.check()
    assert raised.value.result is result


@pytest.mark.parametrize(
    ("code", "status", "reason", "summary"),
    [
        ("import sys; sys.exit(3)", "error", "exit", "exited with code 3"),
        ("while True: pass", "timeout", "wall_time", "timeout: wall_time"),
        ("import ctypes; ctypes.string_at(0)", "failed", "crash", "failed: crash, signal 11"),
        ("x = [bytearray(1 << 20) for i in range(1 << 14)]", "failed", "memory", "failed: memory"),
    ],
)
def test_other_ends(client: Any, code: str, status: str, reason: str, summary: str) -> None:
    result = client.execute(code, timeout=1)
    assert (result.status, result.reason, result.summary()) == (status, reason, summary)


def test_files_go_in_and_come_back(client: Any, tmp_path: Path) -> None:
    local = tmp_path / "local.bin"
    local.write_bytes(b"\xff\x00")
    result = client.execute(
        "open('out.txt', 'w').write(open('in/a.txt').read() * 2)\n"
        "open('raw.bin', 'wb').write(open('b.bin', 'rb').read() + open('c.bin', 'rb').read())\n"
        "import os; os.mkdir('folder')",
        files={"in/a.txt": "ä", "b.bin": b"\x00\xff", "c.bin": local},
        return_files=["out.txt", "raw.bin", "none.txt", "folder"],
    ).check()
    assert result.files["out.txt"] == "ää".encode()
    assert result.files["raw.bin"] == b"\x00\xff\xff\x00"
    assert result.files["none.txt"] is None
    assert result.files["folder"] is None
    assert set(result.file_errors) == {"folder"}


def test_limits(client: Any) -> None:
    result = client.execute("print('x' * 5000)", limits={"output_bytes": 1000})
    assert result.reason == "output" and len(result.stdout) == 1000 and result.stdout_truncated


def test_a_wrong_field_is_named(client: Any) -> None:
    with pytest.raises(vivarium.InvalidField) as raised:
        client.execute("1", memory_mb=1 << 15)
    error = raised.value
    assert error.status == 422 and error.title == "Unprocessable Content"
    assert [one.field for one in error.errors] == ["memory_mb"]
    assert "expected at most" in error.errors[0].message and "memory_mb" in error.detail
    assert error.request_id


def test_an_environment(client: Any) -> None:
    assert client.execute("1", environment="base").ok
    with pytest.raises(vivarium.InvalidField, match="environment: expected one of"):
        client.execute("1", environment="none")


def test_an_unknown_option_is_no_request(client: Any) -> None:
    with pytest.raises(TypeError, match=r"'tiemout' is no option here.*timeout"):
        client.execute("1", tiemout=3)


def test_info_and_health(client: Any) -> None:
    info = client.info()
    assert info.name == "Vivarium" and info.python_version.startswith("3.")
    assert info.profiles["native"]["wall_ms"] == 30000
    assert set(info.isolation.values()) == {"holds"} and "base" in info.environments
    assert client.live() == "live" and client.ready() == "ready"
