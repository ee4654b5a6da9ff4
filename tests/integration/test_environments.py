"""Package environments: built, tried, swapped in and removed under a running service."""

import glob
import os
import subprocess
import sys
import tempfile
import unittest
import uuid
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import ROOT, STATE, URL, Service, Session, call, needs_host, run, wait_until

TOOL = os.path.join(ROOT, "scripts", "vivarium-env")
WHEELS = tempfile.TemporaryDirectory(prefix="wheels-")
MODULES = {  # distribution, version: its files
    ("tiny", "1.0"): {"tiny/__init__.py": "version = '1.0'\nwarmed = []\n", "tiny/later.py": "value = 'of 1.0'\n"},
    ("tiny", "2.0"): {"tiny/__init__.py": "version = '2.0'\nwarmed = []\n", "tiny/later.py": "value = 'of 2.0'\n"},
    ("tiny", "3.0"): {"tiny/__init__.py": "raise RuntimeError('3.0 does not work')\n"},
    ("crashes", "1.0"): {"crashes.py": "import ctypes\nctypes.string_at(0)\n"},
    ("leaves", "1.0"): {"leaves.py": "import os\nos._exit(7)\n"},
    ("threads", "1.0"): {"threads.py": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"},
    ("harmless", "1.0"): {"harmless.py": "value = 1\n"},
}


def make_wheels(folder):
    for (name, version), files in MODULES.items():
        info = f"{name}-{version}.dist-info"
        files = {**files, f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
                 f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
        with zipfile.ZipFile(os.path.join(folder, f"{name}-{version}-py3-none-any.whl"), "w") as wheel:
            for path, text in files.items():
                wheel.writestr(path, text)
            wheel.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in files) + f"{info}/RECORD,,\n")


def tool(*arguments, state=STATE, **more):
    return subprocess.run([TOOL, "--folder", os.path.join(state, "environments"), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, cwd="/", timeout=300, **more)


def add(name, requirements, *options, **more):
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(requirements)
        file.flush()
        return tool("add", name, file.name, "--wheels", WHEELS.name, *options, **more)


def environments(url=URL):
    return call("GET", "/api/v1/info", url=url).json["environments"]


def wait_for(name, package, url=URL):
    """The executor is told by the folder alone: a moment later it knows."""
    wait_until(lambda: package in environments(url).get(name, {}).get("packages", []), f"{name} with {package}")


def remove_all():
    for name in os.listdir(os.path.join(STATE, "environments")) if STATE else []:
        if name.startswith("t-"):
            tool("remove", name)


def setUpModule():
    if STATE:
        make_wheels(WHEELS.name)
        remove_all()


def tearDownModule():
    WHEELS.cleanup()
    if STATE:
        remove_all()
        wait_until(lambda: not any(name.startswith("t-") for name in environments()), "the environments of the tests are gone")


class Names(unittest.TestCase):
    def test_an_unknown_one_is_refused_with_those_there_are(self):
        for path in ("/api/v1/execute", "/api/v1/sessions"):
            answer = call("POST", path, {"code": "1", "environment": "no-such"} if path.endswith("execute") else {"environment": "no-such"})
            self.assertEqual((answer.status, answer.json["errors"][0]["field"]), (422, "environment"))
            self.assertIn("base", answer.json["detail"])

    def test_base_is_the_default(self):
        self.assertEqual(environments()["base"]["packages"], [])
        self.assertTrue(environments()["base"]["warm"])
        self.assertEqual(run("print(1)", environment="base")["stdout"], run("print(1)")["stdout"])
        with Session() as session:
            self.assertEqual(session.description["environment"], "base")

    def test_what_is_no_name(self):
        for value in ("", 7, ["base"], "ba\0se", "Base", "base "):
            self.assertEqual(call("POST", "/api/v1/execute", {"code": "1", "environment": value}).status, 422, value)


@needs_host
class Life(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        made = add("t-first", "tiny==1.0\n", "--description", "the first", "--variable", "TINY=yes", "--limit", "wall_ms=7000")
        if made.returncode:
            raise AssertionError(made.stdout)
        with tempfile.NamedTemporaryFile("w", suffix=".py") as warm_up:
            warm_up.write("import tiny\ntiny.warmed.append('warm')\n")
            warm_up.flush()
            made = add("t-second", "tiny==2.0\n", "--preload", "tiny", "--warm-up", warm_up.name)
        if made.returncode:
            raise AssertionError(made.stdout)
        wait_for("t-first", "tiny==1.0")
        wait_for("t-second", "tiny==2.0")

    def test_two_versions_side_by_side(self):
        code = "import sys; here = 'tiny' in sys.modules\nimport tiny\nprint(tiny.version, here, tiny.warmed)"
        for _ in range(3):
            self.assertEqual(run(code, environment="t-first")["stdout"], "1.0 False []\n")
            self.assertEqual(run(code, environment="t-second")["stdout"], "2.0 True ['warm']\n")
        with Session(environment="t-first") as first, Session(environment="t-second") as second:
            self.assertEqual((first.description["environment"], second.description["environment"]), ("t-first", "t-second"))
            self.assertEqual((first.value("__import__('tiny').version"), second.value("__import__('tiny').version")), ("'1.0'", "'2.0'"))

    def test_base_has_neither_and_says_where_it_is(self):
        got = run("import tiny.later")
        self.assertEqual(got["exception"]["type"], "ModuleNotFoundError")
        self.assertRegex(got["note"], r"^tiny is installed in other environments: (.*, )?t-first(, |$)")
        with Session() as session:
            self.assertIn("t-first", session.execute("import tiny")["note"])
        self.assertIsNone(run("import surely_nowhere")["note"])
        self.assertIsNone(run("raise ModuleNotFoundError('No module named ')")["note"])
        self.assertIsNone(run("raise ModuleNotFoundError(\"No module named 'tiny\")")["note"])

    def test_it_is_a_virtual_environment(self):
        got = run("import os, sys, subprocess\nprint(sys.prefix, sys.executable, os.environ['TINY'])\n"
                  "print(subprocess.run(['python3', '-c', 'import sys, tiny; print(sys.prefix, tiny.version)'], capture_output=True, text=True).stdout)", environment="t-first")
        self.assertEqual(got["stdout"].split(), ["/opt/t-first", "/opt/t-first/bin/python3", "yes", "/opt/t-first", "1.0"])
        with Session(environment="t-first") as session:
            self.assertEqual(session.call("POST", "/run", {"cmd": "python3 -c 'import tiny; print(tiny.version)'; echo $TINY; ls /opt"}).json["stdout"], "1.0\nyes\nt-first\n")
        self.assertIn("Read-only", run("try: open('/opt/t-first/x', 'w')\nexcept OSError as e: print(e)", environment="t-first")["stdout"])

    def test_info_and_limits(self):
        first = environments()["t-first"]
        self.assertEqual((first["description"], first["packages"]), ("the first", ["tiny==1.0"]))
        with Session(environment="t-first") as session:
            self.assertEqual(session.description["limits"]["wall_ms"], 7000)
        got = call("POST", "/api/v1/execute", {"code": "1", "environment": "t-first", "limits": {"wall_ms": 8000}})
        self.assertEqual(got.status, 422)

    def test_its_limits_hold(self):
        """More memory than the profile gives, and less time."""
        self.assertEqual(add("t-limits", "harmless\n", "--limit", "memory_bytes=402653184", "--limit", "wall_ms=400", "--limit", "processes=3").returncode, 0)
        self.addCleanup(tool, "remove", "t-limits")
        wait_for("t-limits", "harmless==1.0")
        much = "x = bytearray(250 << 20); print(len(x) >> 20)"
        self.assertEqual(run(much, environment="t-first")["reason"], "memory")
        self.assertEqual(run(much, environment="t-limits")["stdout"], "250\n")
        self.assertEqual(run("while True: pass", environment="t-limits")["reason"], "wall_time")
        forks = "import os, time\nfor _ in range(6):\n    if os.fork() == 0: time.sleep(60)"
        self.assertIn("BlockingIOError", run(forks, environment="t-limits")["stderr"])

    def test_undo_checkpoints_files_and_judging(self):
        with Session(environment="t-second") as session:
            session.execute("import tiny\nx = [tiny.version]")
            session.execute("x.append(2)")
            self.assertEqual(session.call("POST", "/undo", {}).status, 200)
            self.assertEqual(session.value("x"), "['2.0']")
            session.execute("import os; os._exit(3)")
            self.assertEqual(session.value("x"), "['2.0']")
            session.execute("import tiny\nopen('data.txt', 'w').write(tiny.version)")
            self.assertEqual(session.call("GET", "/files/data.txt").body, b"2.0")
            answer = session.call("POST", "/evaluate", {"code": "import tiny\ndef f(x): return tiny.version + x + open('data.txt').read()", "entry_point": "f",
                                                        "cases": [{"input": "'a'", "output": "'2.0a2.0'"}, {"input": "'b'", "output": "'2.0b2.0'"}]})
            self.assertTrue(answer.json["passed"], answer)

    def test_runs_are_random(self):
        code = "import random, tempfile, uuid\nprint(random.random(), tempfile.mktemp(), uuid.uuid4())"
        self.assertEqual(len({run(code, environment="t-second")["stdout"] for _ in range(6)}), 6)

    def test_list_and_show(self):
        self.assertRegex(tool("list").stdout, r"(?m)^t-first +1 .*the first$")
        shown = tool("show", "t-first").stdout
        self.assertIn("tiny==1.0 --hash=sha256:", shown)
        self.assertIn("there are: base", tool("show", "no-such").stdout)


@needs_host
class Change(unittest.TestCase):
    def test_a_new_version_and_who_has_the_old_one(self):
        self.addCleanup(tool, "remove", "t-change")
        self.assertEqual(add("t-change", "tiny==1.0\n", "--preload", "tiny").returncode, 0)
        wait_for("t-change", "tiny==1.0")
        with Session(environment="t-change") as session:
            self.assertEqual(session.value("__import__('tiny').version"), "'1.0'")
            self.assertEqual(add("t-change", "tiny==2.0\n").returncode, 0)
            wait_for("t-change", "tiny==2.0")
            self.assertEqual(run("import tiny; print(tiny.version)", environment="t-change")["stdout"], "2.0\n")
            self.assertEqual(session.value("__import__('tiny.later').later.value"), "'of 1.0'")  # read from the files now
            session.call("POST", "/reset", {})
            self.assertEqual(session.value("__import__('tiny').version"), "'1.0'")
            # a build that fails changes nothing
            failed = add("t-change", "tiny==3.0\n", "--preload", "tiny")
            self.assertEqual((failed.returncode, "t-change: tiny cannot be imported: RuntimeError: 3.0 does not work" in failed.stdout), (1, True), failed.stdout)
            self.assertEqual(run("import tiny; print(tiny.version)", environment="t-change")["stdout"], "2.0\n")
        self.assertEqual(tool("rebuild", "t-change", "--wheels", WHEELS.name).returncode, 0)
        self.assertEqual(run("import tiny; print(tiny.version)", environment="t-change")["stdout"], "2.0\n")

    def test_removed_while_a_session_lives(self):
        self.assertEqual(add("t-remove", "tiny==1.0\n").returncode, 0)
        wait_for("t-remove", "tiny==1.0")
        builds = lambda: glob.glob(os.path.join(STATE, "environments", ".builds", "t-remove-*"))
        with Session(environment="t-remove") as session:
            session.execute("x = 1")
            removed = tool("remove", "t-remove")
            self.assertIn("until the sessions that use it have ended", removed.stdout)
            wait_until(lambda: "t-remove" not in environments(), "the executor knows", 10)
            self.assertEqual(call("POST", "/api/v1/execute", {"code": "1", "environment": "t-remove"}).status, 422)
            self.assertEqual(session.execute("import tiny.later\nprint(tiny.later.value, x)")["stdout"], "of 1.0 1\n")
            session.execute("import os; os._exit(1)")
            self.assertEqual(session.value("tiny.version"), "'1.0'")
            self.assertEqual(len(builds()), 1)
        wait_until(lambda: (tool("remove", "no-such") or True) and (add("t-last", "harmless\n").returncode == 0) and not builds(), "its files are gone", 30)
        tool("remove", "t-last")


@needs_host
class Refusals(unittest.TestCase):
    def refused(self, *what, name="t-refused"):
        got = add(name, *what)
        self.assertEqual(got.returncode, 1, got.stdout)
        self.assertNotIn("t-refused", environments())
        self.assertEqual(run("print(6 * 7)")["stdout"], "42\n")
        return got.stdout.splitlines()[-1]

    def test_impossible_version(self):
        self.assertRegex(self.refused("tiny==99\n"), r"pip cannot install this: .*No matching distribution found for tiny==99")

    def test_wrong_hash(self):
        self.assertRegex(self.refused("tiny==1.0 --hash=sha256:" + "0" * 64 + "\n"), r"pip cannot install this: .*DO NOT MATCH THE HASHES")

    def test_crash_on_import(self):
        self.assertRegex(self.refused("crashes\nharmless\n", "--preload", "harmless,crashes"), r"importing crashes crashes Python: signal 11 \(Segmentation fault\)")

    def test_end_on_import(self):
        self.assertRegex(self.refused("leaves\n", "--preload", "leaves"), "importing leaves ends Python with exit status 7")

    def test_threads_on_import(self):
        self.assertRegex(self.refused("threads\nharmless\n", "--preload", "harmless threads"), "importing threads starts a thread, which no fork")

    def test_module_that_is_not_there(self):
        self.assertRegex(self.refused("harmless\n", "--preload", "nowhere"), "nowhere cannot be imported: ModuleNotFoundError: No module named 'nowhere'")

    def test_settings(self):
        for options, reason in ((("--preload", "a-b"), "is no name of a module"), (("--variable", "LD_PRELOAD=x"), "not yours to set"),
                                (("--limit", "wall_ms=-1"), "must be a number"), (("--limit", "nothing=1"), "is no setting"), (("--programs", "no-such-package-here"), "are not installed")):
            self.assertIn(reason, self.refused("harmless\n", *options))
        self.assertIn("is no name", self.refused("harmless\n", name="Base"))
        self.assertIn("is no name", self.refused("harmless\n", name="base"))
        self.assertIn("there is no example 't-refused' (there are: data, prolog)", tool("add", "t-refused").stdout)

    def test_what_is_typed_wrongly(self):
        """One line each, and no traceback."""
        with tempfile.TemporaryDirectory() as folder:
            binary = os.path.join(folder, "binary")
            with open(binary, "wb") as file:
                file.write(b"\xff\xfe\x9c")
            for arguments, reason in ((("add", "t-refused", folder), "has neither requirements.txt nor environment.conf"), (("add", "t-refused", binary), "is no text"),
                                      (("add", "t-refused", folder + "/none"), "there is no file"), (("add", "data", "--wheels", folder + "/none"), "there is no folder"),
                                      (("add", "data", "--warm-up", folder + "/none"), "there is no file"), (("add", "data", "--executor", "/none"), "there is no program /none"),
                                      (("show", "base"), "nothing that is built"), (("remove", "no-such"), "there is no environment 'no-such'; there are: base"),
                                      (("rebuild", "no-such"), "there is no environment")):
                got = tool(*arguments)
                self.assertEqual((got.returncode, len(got.stdout.splitlines())), (1, 1), got.stdout)
                self.assertIn(reason, got.stdout)
        self.assertIn("/proc/none: No such file", tool("--folder", "/proc/none", "add", "t-refused", TOOL).stdout)

    def test_requirements_in_several_files(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (("all.txt", "-r more/tiny.txt  # the first\nharmless\n"), ("more/tiny.txt", "--requirement=../last.txt\n"), ("last.txt", "tiny==1.0\n"),
                               ("loop.txt", "-r loop.txt\n")):
                os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
            self.assertIn("too many files", tool("add", "t-refused", os.path.join(folder, "loop.txt")).stdout)
            self.addCleanup(tool, "remove", "t-several")
            self.assertEqual(tool("add", "t-several", os.path.join(folder, "all.txt"), "--wheels", WHEELS.name).returncode, 0)
        self.assertIn("tiny==1.0", tool("show", "t-several").stdout)
        self.assertEqual(tool("rebuild", "t-several", "--upgrade", "--wheels", WHEELS.name).returncode, 0)  # without the files


    def test_programs_are_installed_when_asked(self):
        """By apt-get, which here only writes down how it is called."""
        with tempfile.TemporaryDirectory() as folder:
            fake = os.path.join(folder, "apt-get")
            for status in (0, 100):
                with open(fake, "w", encoding="utf-8") as file:
                    file.write(f"#!/bin/sh\necho \"$@ $DEBIAN_FRONTEND\" >>{folder}/calls\necho E: nothing to be had >&2\nexit {status}\n")
                os.chmod(fake, 0o755)
                got = add("t-refused", "harmless\n", "--programs", "coreutils,no-such-package-here", "--install-programs",
                          env={**os.environ, "PATH": folder + ":" + os.environ["PATH"]})
                with open(os.path.join(folder, "calls"), encoding="utf-8") as file:
                    calls = file.read().splitlines()
                os.unlink(os.path.join(folder, "calls"))
                self.assertEqual(calls[0], "update -qq noninteractive")
                if status:
                    self.assertRegex(got.stdout, "t-refused: apt-get update -qq: E: nothing to be had")
                else:  # it said that it had, and has not
                    self.assertEqual(calls[1], "install -y -qq --no-install-recommends no-such-package-here noninteractive")
                    self.assertRegex(got.stdout, "still not installed: no-such-package-here")
                self.assertEqual((got.returncode, len(calls)), (1, 1 if status else 2))
        self.assertNotIn("t-refused", environments())


@needs_host
class Pools(unittest.TestCase):
    """A service of its own, whose environments are started early, late, and ended when nobody uses them."""

    @classmethod
    def setUpClass(cls):
        cls.service = Service(EXECUTOR_ENVIRONMENTS_AT_START="t-early", EXECUTOR_ENVIRONMENT_IDLE_MS="600", EXECUTOR_NATIVE_ENVIRONMENT="t-late",
                              **{f"EXECUTOR_{profile}_ENVIRONMENT": "t-early" for profile in ("PLAYGROUND", "REPL", "WORKSPACE", "STRICT")})
        cls.addClassCleanup(cls.service.close)
        for name, requirements in (("t-early", "tiny==1.0\n"), ("t-late", "tiny==2.0\n"), ("t-other", "harmless\n")):
            made = add(name, requirements, "--preload", requirements.partition("=")[0].strip(), state=cls.service.state)
            if made.returncode:
                raise AssertionError(made.stdout)
        cls.url = cls.service.url
        wait_for("t-other", "harmless==1.0", cls.url)

    def warm(self, name):
        return environments(self.url)[name]["warm"]

    def wait_warm(self, name, warm=True):
        wait_until(lambda: self.warm(name) == warm, f"{name} is {'warm' if warm else 'ended'}")

    def zygotes(self):
        """Processes of the zygotes' uid, which no sandbox has."""
        base = self.service.host.uid_base()
        return len([pid for pid in self.service.host.uid_processes(base) if os.stat(f"/proc/{pid}").st_uid == base])

    def test_early_and_late(self):
        self.wait_warm("t-early")  # nobody has asked for it
        self.wait_warm("t-late", False)
        self.service.host.steady(self.url)  # an init has that uid too, until its own is mapped
        few = self.zygotes()
        self.assertEqual(run("import tiny; print(tiny.version)", self.url)["stdout"], "2.0\n")  # the native default
        self.assertTrue(self.warm("t-late"))
        self.assertGreater(self.zygotes(), few)
        self.wait_warm("t-late", False)
        wait_until(lambda: self.zygotes() == few, "its zygotes are gone")
        self.assertTrue(self.warm("t-early"))
        self.assertEqual(run("import tiny; print(tiny.version)", self.url)["stdout"], "2.0\n")  # started again

    def test_a_session_keeps_its_own(self):
        with Session(self.url, environment="t-late") as session:
            session.execute("x = 1")
            run("1", self.url, environment="t-other")
            self.wait_warm("t-other", False)  # used later, ended earlier
            self.assertTrue(self.warm("t-late"))
            self.assertEqual(session.value("x"), "1")
        self.wait_warm("t-late", False)

    def test_each_dialect_has_its_default(self):
        code = "import tiny\nprint(tiny.version)"
        ask = lambda path, body: call("POST", path, body, self.url).json  # noqa: E731
        self.assertIn("1.0", str(ask("/api/execute", {"code": code, "language": "python"})))
        self.assertIn("1.0", str(ask("/execute/some-session", {"code": code})))
        self.assertIn("1.0", str(ask("/execute", {"session_id": "strict-one", "code": code})))
        workspace = str(uuid.uuid4())
        ask("/write_file", {"id": workspace, "rel_path": "a.py", "content": code})
        self.assertIn("1.0", str(ask("/run", {"id": workspace, "cmd": "python3 a.py"})))
        self.assertIn("2.0", str(ask("/api/v1/execute", {"code": code})))
        with Session(self.url) as session:
            self.assertEqual(session.description["environment"], "t-late")

    def test_early_again_after_a_restart(self):
        pid = self.service.kill("executor")
        self.service.wait_replaced("executor", pid)
        self.service.wait_healthy()
        self.wait_warm("t-early")


@needs_host
class Folder(unittest.TestCase):
    def test_what_is_not_ours_is_left_alone(self):
        folder = os.path.join(STATE, "environments")
        os.symlink("/etc", os.path.join(folder, "t-outside"))
        os.symlink(".builds/../../etc", os.path.join(folder, "t-dots"))
        os.mkdir(os.path.join(folder, "t-folder"))
        try:
            self.assertEqual(add("t-real", "harmless\n").returncode, 0)  # and then all has been read
            wait_for("t-real", "harmless==1.0")
            self.assertEqual([name for name in environments() if name in ("t-outside", "t-dots", "t-folder")], [])
        finally:
            os.unlink(os.path.join(folder, "t-outside"))
            os.unlink(os.path.join(folder, "t-dots"))
            os.rmdir(os.path.join(folder, "t-folder"))
            tool("remove", "t-real")


if __name__ == "__main__":
    unittest.main()
