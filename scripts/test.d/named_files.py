"""named_files.py: every C file that a comment or a page of documentation names is there. Prints
those that are not."""

import os
import re
import subprocess
import sys

OTHERS = {"cmocka.h", "pylifecycle.c", "b.c"}  # libraries'; an example of a path


def main():
    files = subprocess.run(["git", "ls-files"], check=True, capture_output=True, text=True).stdout.split()
    here = {os.path.basename(file) for file in files} | OTHERS
    missing = 0
    for file in files:
        if not file.endswith((".c", ".h", ".md")):
            continue
        with open(file, encoding="utf-8") as opened:
            for number, line in enumerate(opened, 1):
                if "#include" in line:
                    continue
                for name in re.findall(r"(?<![/\w<-])((?:[a-z0-9_-]+/)*[a-z0-9_]+\.[ch])\b", line):
                    if os.path.basename(name) not in here and not name.startswith(("linux/", "sys/", "include/")):
                        print(f"{file}:{number} names {name}")
                        missing += 1
    sys.exit(missing > 0)


main()
