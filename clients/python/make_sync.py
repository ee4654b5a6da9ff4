"""Make src/vivarium/_sync.py from _async.py: the same code without the waiting.

make_sync.py writes it; make_sync.py --check only says whether it is up to date.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "src" / "vivarium"
HEADER = '''"""The synchronous client. Made from _async.py by make_sync.py: change that file, not this one."""
'''
WORDS = [
    (r"\basync (def|with|for) ", r"\1 "),
    (r"\bawait ", ""),
    (r"\(self\.read\(path\)\)", "self.read(path)"),
    (r"\b__a(enter|exit)__", r"__\1__"),
    (r"\b__anext__", "__next__"),
    (r"\bStopAsyncIteration\b", "StopIteration"),
    (r"\bAsyncIterator, Iterable\b", "Iterable, Iterator"),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\ba(iter_bytes|close|read|next)\b", r"\1"),
    (r"\b_io_async\b", "_io_sync"),
    (r"\ban `async with` statement", "a `with` statement"),
    (r"Several tasks may share", "Several threads may share"),
]


def synchronous(source: str) -> str:
    """The text of _sync.py."""
    body = source.partition('"""\n')[2]  # without the module's own words
    for pattern, replacement in WORDS:
        body = re.sub(pattern, replacement, body)
    formatted = subprocess.run(
        ["ruff", "format", "--stdin-filename", FOLDER / "_sync.py", "-"],
        input=HEADER + body,
        capture_output=True,
        text=True,
        check=True,
    )
    return formatted.stdout


def main() -> int:
    """Write it, or compare."""
    target = FOLDER / "_sync.py"
    text = synchronous((FOLDER / "_async.py").read_text())
    if sys.argv[1:] == ["--check"]:
        if target.read_text() == text:
            return 0
        print("_sync.py is not what make_sync.py makes of _async.py: run it", file=sys.stderr)
        return 1
    target.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
