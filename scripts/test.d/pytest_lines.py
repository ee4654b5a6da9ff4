"""A plugin of pytest: one line a test, as scripts/test counts them.

    PASS: client/test_files test_conditions[sync] (0.2 s)
    FAIL: ...       with the traceback below it
    SKIP: ...       with the reason

For use with -p no:terminal. LINES_PREFIX in the environment is what stands before the slash.
"""

import os

PREFIX = os.environ.get("LINES_PREFIX", "pytest")


def line(word, node, seconds, more=""):
    file, _, name = node.partition("::")
    file = os.path.basename(file).removesuffix(".py")
    print(f"{word}: {PREFIX}/{file} {name.replace('::', '.')} ({seconds:.1f} s){more}", flush=True)


def fail(report):
    line("FAIL", report.nodeid, getattr(report, "duration", 0.0))
    text = "\n".join([report.longreprtext, *(f"{name}:\n{content}" for name, content in report.sections)])
    print("    " + text.rstrip().replace("\n", "\n    "), flush=True)


def pytest_collectreport(report):
    if report.failed:
        fail(report)


def pytest_runtest_logreport(report):
    if report.failed:
        fail(report)
    elif report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "failed as expected"
        line("SKIP", report.nodeid, report.duration, ": " + reason.removeprefix("Skipped: "))
    elif report.when == "call":
        line("PASS", report.nodeid, report.duration)


def pytest_sessionfinish(session):
    if session.testscollected == 0:
        print(f"FAIL: {PREFIX} has no test", flush=True)
