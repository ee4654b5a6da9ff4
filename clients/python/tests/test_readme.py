"""README.md says the truth: what it shows as typed is typed, and prints what stands below it.

A block "python" goes on in the namespace of those before it, and the block "text" after it is what
it prints. A block "console" has commands after "$ ", a block "repl" is a whole dialogue. There "..."
stands for anything. A block "sh" is tried elsewhere: scripts/test.d/client installs the package.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from terminal import Terminal

import vivarium
from conftest import URL

README = Path(__file__).resolve().parents[1] / "README.md"
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README.read_text(), re.M | re.S)


def matches(wanted: str, got: str) -> bool:
    """Also where the columns have other widths."""
    pieces = [r"\s+".join(map(re.escape, piece.split(" "))) for piece in wanted.strip().split("...")]
    return re.fullmatch(".*?".join(pieces), got.strip(), re.S) is not None


def test_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVARIUM_URL", URL)
    namespace: dict[str, Any] = {}
    tried = 0
    for at, (kind, text) in enumerate(BLOCKS):
        if kind != "python":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(text, README.name, "exec"), namespace)
        following, wanted = BLOCKS[at + 1]
        assert following == "text" and printed.getvalue() == wanted, text
        tried += 1
    namespace["client"].close()
    assert tried > 8


def test_the_commands(tmp_path: Path) -> None:
    with contextlib.suppress(vivarium.NotFound), vivarium.Client(URL) as client:
        client.session("notes").delete()
    environment = {**os.environ, "VIVARIUM_URL": URL, "HOME": str(tmp_path)}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    tried = 0
    for text in (text for kind, text in BLOCKS if kind == "console"):
        for step in text.removeprefix("$ ").split("\n$ "):
            command, _, wanted = step.partition("\n")
            done = subprocess.run(
                ["bash", "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=tmp_path,
                env=environment,
                timeout=60,
                check=False,
            )
            assert matches(wanted, done.stdout), f"{command}\n{done.stdout}"
            tried += 1
    assert tried > 8


def test_the_dialogue(terminal: Callable[..., Terminal]) -> None:
    """What is typed is what follows a prompt; all else must be shown, in this order."""
    (text,) = [text for kind, text in BLOCKS if kind == "repl"]
    first, *lines = text.splitlines()
    one = terminal(*first.removeprefix("$ vivarium ").split())
    for line in lines:
        prompt, typed = re.fullmatch(r"(>>> |\.\.\. ?|who\? )?(.*)", line).groups()  # type: ignore[union-attr]
        if prompt:
            one.expect(re.escape(prompt.strip()) + " $")
            one.enter(typed)
        else:
            one.expect(".*".join(map(re.escape, line.split("..."))) + "\n")
    assert one.end() == 0
