"""run_unittest.py FILE: run one file of unittest tests, one line a test.

    PASS: integration/test_up TestUp.test_help (0.2 s)
    FAIL: ...       with the traceback below it
    SKIP: ...       with the reason

Exits 0 if none failed. A file that cannot be loaded, or has no test, is a failure.
"""

import importlib.util
import os
import sys
import time
import unittest


class Lines(unittest.TestResult):
    def __init__(self, prefix):
        super().__init__()
        self.prefix, self.started = prefix, 0.0
        self.bad = 0

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()

    def line(self, word, test, more=""):
        name = test.id()
        if isinstance(test, unittest.TestCase) or hasattr(test, "test_case"):
            name = name.partition(".")[2]
        else:  # setUpClass and its like, which nothing starts
            self.started = time.monotonic()
        print(f"{word}: {self.prefix} {name} ({time.monotonic() - self.started:.1f} s){more}", flush=True)

    def fail(self, test, error):
        self.bad += 1
        self.line("FAIL", test)
        text = self._exc_info_to_string(error, test)
        print("    " + text.rstrip().replace("\n", "\n    "), flush=True)

    def addSuccess(self, test):
        self.line("PASS", test)

    def addError(self, test, err):
        self.fail(test, err)

    def addFailure(self, test, err):
        self.fail(test, err)

    def addSkip(self, test, reason):
        self.line("SKIP", test, ": " + reason)

    def addExpectedFailure(self, test, err):
        self.line("PASS", test, ": failed as expected")

    def addUnexpectedSuccess(self, test):
        self.bad += 1
        self.line("FAIL", test, ": expected to fail")

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.fail(subtest, err)


def main():
    path = os.path.abspath(sys.argv[1])
    folder, file = os.path.split(path)
    prefix = f"{os.path.basename(folder)}/{file[:-3]}"
    sys.path.insert(0, folder)
    result = Lines(prefix)
    try:
        spec = importlib.util.spec_from_file_location(file[:-3], path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[file[:-3]] = module
        spec.loader.exec_module(module)
        tests = unittest.defaultTestLoader.loadTestsFromModule(module)
    except Exception as error:  # whatever the file does wrong, say so
        print(f"FAIL: {prefix} cannot be loaded: {error!r}", flush=True)
        return 1
    try:
        tests.run(result)
    except Exception as error:  # of the file's making, outside its tests
        print(f"FAIL: {prefix} ended before its time: {error!r}", flush=True)
        return 1
    if result.testsRun == 0 and not result.bad:
        print(f"FAIL: {prefix} has no test", flush=True)
        return 1
    return 1 if result.bad else 0


sys.exit(main())
