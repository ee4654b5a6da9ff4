"""What a sandbox sees of the machine: the programs of the listed packages, and Python alone."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import run

PROMISED = ("awk bash cat cmp cp date diff echo env file find gawk grep gunzip gzip head id less ls mkdir mv python3 python rm sed sh sleep sort "
            "sqlite3 stat tail tar tr true uniq unzip wc which xargs").split()
ABSENT = "gcc cc make git curl wget node docker perl ssh mount su sudo passwd apt-get dpkg vim ps".split()


def shell(command):
    return run(f"import subprocess\nr = subprocess.run({command!r}, shell=True, capture_output=True, text=True)\nprint(r.stdout + r.stderr, end='')")["stdout"]


class Programs(unittest.TestCase):
    def test_what_a_shell_user_expects_is_there_and_nothing_else(self):
        found = shell(f"for p in {' '.join(PROMISED + ABSENT)}; do command -v $p >/dev/null && echo $p; done").split()
        self.assertEqual(found, PROMISED)
        self.assertLess(int(shell("ls /usr/bin /usr/sbin | wc -l")), 250)

    def test_every_program_finds_its_libraries(self):
        self.assertEqual(shell("for f in /usr/bin/*; do case $(head -c 4 $f | tail -c 3) in ELF) ldd $f | grep 'not found' && echo $f;; esac; done"), "")
        self.assertEqual(shell("for f in /usr/bin/* /usr/lib/python3*/* /usr/lib/python3*/lib-dynload/*; do test -e $f || echo $f; done | grep -v sitecustomize"), "")

    def test_they_work(self):
        self.assertEqual(shell("printf 'b 2\\na 1\\n' | sort | awk '{print $2}' | sed s/1/one/"), "one\n2\n")
        self.assertEqual(shell("echo 'select 6 * 7;' | sqlite3"), "42\n")
        self.assertIn("gzip compressed", shell("echo x >a; tar czf a.tgz a; file a.tgz"))
        self.assertEqual(shell("tar xzf a.tgz -O 2>/dev/null; echo text >a; gzip a; gunzip -c a.gz; python3 -c 'print(6 * 7)'"), "text\n42\n")

    def test_the_whole_standard_library_is_there(self):
        got = run("import importlib, sys\nbad = []\n"
                  "skip = {'antigravity', 'idlelib', 'tkinter', 'turtle', 'turtledemo', 'msilib', 'msvcrt', 'nt', 'winreg', 'winsound', 'lib2to3', 'ensurepip', 'this', 'distutils'}\n"
                  "for name in sorted(sys.stdlib_module_names):\n    if name.strip('_') in skip or name.startswith('_') : continue\n"
                  "    try: importlib.import_module(name)\n    except Exception as e: bad.append((name, repr(e)))\nprint(bad)")
        self.assertEqual(got["stdout"].strip(), "[]", got)

    def test_compiled_code_is_used(self):
        """The copies keep their times: else every import would compile its source anew."""
        self.assertEqual(run("import sys, subprocess\nprint(subprocess.run([sys.executable, '-v', '-c', 'import ftplib'], capture_output=True, text=True).stderr.count(\".py'\\n\"))")["stdout"], "0\n")

    def test_python_has_no_packages_of_the_host(self):
        got = run("from importlib.metadata import distributions\nimport sys\nprint([d.metadata['Name'] for d in distributions()], [p for p in sys.path if 'packages' in p and __import__('os').path.exists(p)])")
        self.assertEqual(got["stdout"], "[] []\n", got)
        self.assertEqual(run("import apt_pkg")["exception"]["type"], "ModuleNotFoundError")

    def test_no_program_has_the_set_uid_bit_and_nothing_can_be_written(self):
        self.assertEqual(shell("find / -xdev -perm /6000 2>/dev/null; find /usr -perm /222 ! -type l 2>/dev/null | grep -v '^/usr' ; touch /usr/x 2>&1 | grep -o 'Read-only file system'"), "Read-only file system\n")

    @unittest.skipUnless(os.path.exists("/usr/bin/gcc") or os.path.exists("/usr/bin/git"), "the host has none of them")
    def test_the_host_has_more(self):
        self.assertGreater(len(os.listdir("/usr/bin")), int(shell("ls /usr/bin | wc -l")))


if __name__ == "__main__":
    unittest.main()
