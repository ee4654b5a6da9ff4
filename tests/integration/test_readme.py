"""README.md and docs/API.md say the truth: what they show as typed is typed, and the answers are theirs.

A fenced block "console" has commands after "$ " (a line that ends in a backslash goes on) and
below each its answer, in which "..." stands for anything and white space does not count. The
commands of a page run in one shell. A block "sh" has commands that start, stop or change the
service: each of its lines is tried elsewhere, and must begin as one of them does.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import ROOT, URL, call

EXAMPLE = "http://127.0.0.1:5000"
# By .ci/run, test_up.py, scripts/test.d/compose and scripts/test.d/data.
TRIED_ELSEWHERE = ("scripts/up", "scripts/down", "scripts/test", "scripts/bench", "scripts/format", "docker compose up", "scripts/vivarium-env", "EXECUTOR_", "RATE_LIMIT=", "LISTEN_ADDRESS=", "CORS_ORIGINS=")
MARK = "---- that was one command, with status"


def blocks(page):
    """(kind, text) of each fenced block."""
    with open(f"{ROOT}/{page}", encoding="utf-8") as file:
        return re.findall(r"^```(\w*)\n(.*?)^```$", file.read(), re.M | re.S)


def steps(text):
    """(command, answer) of a block "console"."""
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append([line[2:], []])
        elif found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1][0] += "\n" + line
        else:
            found[-1][1].append(line)
    return [(command, "\n".join(answer)) for command, answer in found]


def matches(wanted, got):
    squeeze = lambda text: re.sub(r"\s+", "", text)  # noqa: E731
    pattern = ".*?".join(re.escape(squeeze(part)) for part in wanted.split("..."))
    return re.fullmatch(pattern, squeeze(got), re.S) is not None


class Pages(unittest.TestCase):
    def try_page(self, page):
        commands, wanted = [], []
        for kind, text in blocks(page):
            if kind == "console":
                for command, answer in steps(text):
                    commands.append(command)
                    wanted.append(answer)
        self.assertTrue(commands)
        for session in set(re.findall(r'"id": "([a-z]+)"', "\n".join(commands))):
            call("DELETE", "/api/v1/sessions/" + session)
            self.addCleanup(call, "DELETE", "/api/v1/sessions/" + session)
        with tempfile.TemporaryDirectory() as folder:
            script = "".join(f"{command}\necho\necho '{MARK}' $?\n" for command in commands).replace(EXAMPLE, URL)
            done = subprocess.run(["bash"], input=script, capture_output=True, text=True, cwd=folder, timeout=300, check=True, env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})
        self.assertEqual(done.stderr, "")
        answers = re.split(rf"^{MARK} (\d+)\n", done.stdout, flags=re.M)
        for command, answer, got, status in zip(commands, wanted, answers[::2], answers[1::2]):
            with self.subTest(page=page, command=command):
                self.assertEqual(status, "0", got)
                self.assertTrue(matches(answer, got.replace(URL, EXAMPLE)), f"the page has\n{answer}\nand the answer is\n{got}")
        self.assertEqual(len(answers) // 2, len(commands))

    def test_readme(self):
        self.try_page("README.md")

    def test_api(self):
        self.try_page("docs/API.md")

    def test_other_commands_are_tried_elsewhere(self):
        for page in ("README.md", "CONTRIBUTING.md", "docs/API.md", "docs/ENVIRONMENTS.md", "docs/OPERATIONS.md", "docs/SETTINGS.md", "docs/PERFORMANCE.md"):
            for kind, text in blocks(page):
                self.assertIn(kind, ("", "sh", "console", "nginx", "c", "python"), page)
                if kind == "sh":
                    for line in re.sub(r"\\\n\s*", "", text).splitlines():
                        self.assertTrue(line.startswith(TRIED_ELSEWHERE), f"{page}: {line}")

    def test_length_and_links(self):
        with open(f"{ROOT}/README.md", encoding="utf-8") as file:
            self.assertLessEqual(len(file.readlines()), 200)
        for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", *("docs/" + name for name in os.listdir(ROOT + "/docs") if name.endswith(".md"))):
            with open(f"{ROOT}/{page}", encoding="utf-8") as file:
                text = file.read()
            for target in re.findall(r"\]\(([^)#: ]+)(?:#[^)]*)?\)", text):
                self.assertTrue(os.path.exists(os.path.normpath(f"{ROOT}/{os.path.dirname(page)}/{target}")), f"{page} links to {target}")
            for file, anchor in re.findall(r"\]\(([^):# ]*)#([^)]+)\)", text):
                path = os.path.normpath(f"{ROOT}/{os.path.dirname(page)}/{file}") if file else f"{ROOT}/{page}"
                with open(path, encoding="utf-8") as target:
                    anchors = [re.sub(r"[^\w\- ]", "", line.strip("# \n").lower()).replace(" ", "-") for line in target if line.startswith("#")]
                self.assertIn(anchor, anchors, f"{page} links to {file}#{anchor}")


if __name__ == "__main__":
    unittest.main()
