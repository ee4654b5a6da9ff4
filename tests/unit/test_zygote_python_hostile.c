/* Programs that work against the runner: a failure is never reported as a
 * success, and the interpreter does not crash of what is ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/protocol.h"
#include "tests/unit/python_probe.h"

static int run(const char *code, struct probe *ret_probe)
{
	return probe_run(&(struct probe_job){ .kind = JOB_SCRIPT, .code = code }, 1, ret_probe);
}

/* It ends with an exception of that type, and the process with 1. */
static void check_failure(const char *code, const char *type, const char *in_stderr)
{
	struct probe probe;
	int status = run(code, &probe);

	if (!probe.returned || probe.exit_code != 1 ||
	    probe_number(&probe, FIELD_ENDED_BY) != ENDED_BY_EXCEPTION)
		fail_msg("%s\nreturned %d, exit code %d, status %x\n%s", code, probe.returned,
			 probe.exit_code, (unsigned)status, probe.err);
	assert_field(&probe, FIELD_EXCEPTION_TYPE, type);
	if (in_stderr)
		assert_has(probe.err, in_stderr);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
	probe_free(&probe);
}

static void test_patched_runner(void **state)
{
	static const char code[] =
		"import builtins, json, traceback, io, sys, linecache\n"
		"def fake(*a, **k): return '{\"status\": \"forged\", \"stdout\": \"forged\"}'\n"
		"json.dumps = json.dump = fake\n"
		"traceback.format_exc = traceback.print_exc = traceback.format_exception = fake\n"
		"traceback.TracebackException = linecache.getline = linecache.getlines = fake\n"
		"sys.exit = lambda *a: None\n"
		"sys.excepthook = lambda *a: None\n"
		"for n in ('repr', 'len', 'isinstance', 'print', 'str', 'open', 'exit', 'quit', "
		"'getattr', 'type', 'list', 'tuple', 'set', 'dict', 'sorted', 'compile'):\n"
		"    setattr(builtins, n, fake)\n"
		"raise RuntimeError('real failure')\n";
	struct probe probe;

	(void)state;
	run(code, &probe);
	assert_int_equal(probe.exit_code, 1);
	assert_field(&probe, FIELD_EXCEPTION_TYPE, "RuntimeError");
	assert_field(&probe, FIELD_EXCEPTION_MESSAGE, "real failure");
	AUTO_FREE char *text = probe_text(&probe, FIELD_TRACEBACK);
	assert_has(text, "RuntimeError: real failure\n");
	assert_lacks(text, "forged");
	assert_lacks(probe.err, "forged");
	probe_free(&probe);
}

static void test_streams(void **state)
{
	struct probe probe;

	(void)state;
	check_failure("import sys\nclass Evil:\n    def __getattr__(self, n): raise SystemExit(0)\n"
		      "sys.stdout = sys.stderr = Evil()\n1/0\n",
		      "ZeroDivisionError", "ZeroDivisionError: division by zero\n");
	check_failure("import sys\nsys.stdout.close(); sys.stderr.close()\nprint('x')\n",
		      "ValueError", "ValueError: I/O operation on closed file");
	check_failure("import sys\nsys.stdout = sys.stderr = None\n1/0", "ZeroDivisionError",
		      "ZeroDivisionError");
	check_failure("import sys\ndel sys.stdout, sys.stderr\n1/0", "ZeroDivisionError",
		      "ZeroDivisionError");
	check_failure("import sys\nsys.stderr = 5\n1/0", "ZeroDivisionError", "ZeroDivisionError");
	check_failure("import os\nos.closerange(0, 100)\n1/0", "ZeroDivisionError", NULL);

	run("import sys\nprint('kept', flush=True)\nsys.stdout = sys.stderr = sys.stdin = "
	    "None\nprint('lost')",
	    &probe);
	assert_string_equal(probe.out, "kept\n");
	assert_int_equal(probe.exit_code, 0);
	probe_free(&probe);
}

static void test_exceptions(void **state)
{
	(void)state;
	check_failure("class R(Exception):\n    def __repr__(self): return repr(self)\n"
		      "    __str__ = __repr__\nraise R()\n",
		      "R", "R");
	check_failure("class R(Exception):\n    def __str__(self): return 5\nraise R()\n", "R",
		      "R");
	check_failure(
		"class R(Exception):\n    def __str__(self): raise SystemExit(0)\nraise R()\n", "R",
		"R");
	check_failure(
		"class R(Exception):\n    def __getattribute__(self, n): raise SystemExit(0)\n"
		"raise R()\n",
		"R", "R");
	check_failure("class M(type):\n    def __getattribute__(self, n): raise SystemExit(0)\n"
		      "class R(Exception, metaclass=M): pass\nraise R()\n",
		      "R", NULL);
	check_failure("class M(type):\n    __module__ = property(lambda s: 1/0)\n"
		      "class R(Exception, metaclass=M): pass\nraise R()\n",
		      "R", NULL);
	check_failure(
		"e = Exception()\ne.__context__ = e2 = Exception()\ne2.__context__ = e\nraise e",
		"Exception", "Exception");
	check_failure("raise KeyboardInterrupt\n", "KeyboardInterrupt", "KeyboardInterrupt\n");
	check_failure("raise GeneratorExit\n", "GeneratorExit", "GeneratorExit\n");
	check_failure("import sys\nsys.excepthook = lambda *a: None\nraise ValueError('x')\n",
		      "ValueError", NULL);
	check_failure("import sys\nsys.excepthook = sys.exit\nraise ValueError('x')\n",
		      "ValueError", NULL);
	check_failure("import sys\nsys.excepthook = 5\nraise ValueError('x')\n", "ValueError",
		      "Original exception was:\n");
	check_failure("def f(): f()\nf()", "RecursionError",
		      "RecursionError: maximum recursion depth");
	check_failure("import sys\nsys.setrecursionlimit(5)\ndef f(): f()\nf()", "RecursionError",
		      NULL);
	check_failure(
		"class E(SyntaxError): pass\ne = E('own', ('main.py', 10 ** 30, 5, 'x'))\nraise e",
		"E", NULL);
	check_failure("e = SyntaxError()\ne.filename = 'main.py'\ne.lineno = -5\nraise e",
		      "SyntaxError", NULL);
	check_failure("e = SyntaxError()\ne.msg = 5\ne.lineno = 'x'\ne.offset = []\nraise e",
		      "SyntaxError", NULL);
}

static void test_deep_sources(void **state)
{
	static const struct {
		const char *before, *repeated, *after;
		int count;
	} sources[] = {
		{ "x = ", "(", "", 100000 },
		{ "x = a", ".b", "", 60000 },
		{ "a", ".b", "", 60000 },
		{ "x = ", "-", "1", 90000 },
		{ "", "[", "", 90000 },
		{ "x = 1", " + 1", "", 90000 },
		{ "f", "()", "", 60000 },
		{ "lambda", ": lambda", "", 60000 },
		{ "x = ", "9", "", 200000 },
		{ "if x:\n    pass\n", "elif x:\n    pass\n", "", 3000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
		AUTO_BUFFER code = BUFFER_INIT(0);
		struct probe probe;

		buffer_append(&code, sources[i].before, strlen(sources[i].before));
		for (int n = 0; n < sources[i].count; n++)
			buffer_append(&code, sources[i].repeated, strlen(sources[i].repeated));
		buffer_append(&code, sources[i].after, strlen(sources[i].after) + 1);

		int status = run((char *)code.data, &probe);
		if (!probe.returned || !WIFEXITED(status))
			fail_msg("%.20s...: status %x\n%.300s", (char *)code.data, (unsigned)status,
				 probe.err);
		probe_free(&probe);
	}
}

/* A process that the program made must not answer for it. */
static void test_forks(void **state)
{
	static const char *const codes[] = {
		"import os\nif os.fork() == 0: 1/0\nos.wait()",
		"import os\npid = os.fork()\nif pid == 0: raise SystemExit(5)\nos.waitpid(pid, 0)",
		"import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)\n",
		"import os\nclass A:\n    def __repr__(self):\n        if os.fork(): os.wait()\n"
		"        return 'A'\nA()",
		"import os, sys\ndef hook(*a):\n    if os.fork(): os.wait()\nsys.excepthook = "
		"hook\n1/0",
		"import os, atexit\nowner = os.getpid()\n"
		"atexit.register(lambda: os.getpid() == owner and os.fork() and os.wait())",
		"import os\nclass D:\n    def __del__(self):\n        if os.fork(): os.wait()\nd = "
		"D()",
	};

	(void)state;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		struct probe probe;
		int status = run(codes[i], &probe);

		assert_true(probe.returned);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), probe.exit_code);
		probe_free(&probe);
	}
}

/* The program's own at-fork hooks, around the forks of a session. */
static void test_fork_hooks(void **state)
{
	static const struct probe_job jobs[] = {
		{ .kind = JOB_CELL,
		  .code = "import os, random, threading, logging\n"
			  "random.seed(1)\nfirst = [random.random() for _ in "
			  "range(3)]\nrandom.seed(1)\n"
			  "calls = []\n"
			  "os.register_at_fork(before=lambda: calls.append('before'), "
			  "after_in_child=lambda: calls.append('child'), "
			  "after_in_parent=lambda: calls.append('parent'))\n"
			  "lock = logging._lock" },
		{ .kind = JOB_CELL,
		  .code = "pid = os.fork()\nif pid == 0: os._exit(len(calls))\n"
			  "os.waitpid(pid, 0)[1] >> 8, calls" },
		/* the library's own were kept for this moment */
		{ .kind = JOB_CELL,
		  .code = "r, w = os.pipe()\npid = os.fork()\n"
			  "if pid == 0:\n    os.write(w, repr(random.random() != "
			  "first[0]).encode())\n"
			  "    os._exit(0)\nos.waitpid(pid, 0)\nos.read(r, 9)" },
		{ .kind = JOB_CELL, .code = "lock.acquire(False) and not lock.release()" },
	};
	struct probe probes[4];

	(void)state;
	probe_run(jobs, 4, probes);
	assert_field(&probes[1], FIELD_RESULT, "(2, ['before', 'parent'])");
	assert_field(&probes[2], FIELD_RESULT, "b'True'");
	assert_field(&probes[3], FIELD_RESULT, "True");
	for (size_t i = 0; i < 4; i++)
		probe_free(&probes[i]);
}

static void test_crash_and_exit(void **state)
{
	struct probe probe;
	int status;

	(void)state;
	status = run("import os\nos._exit(0)", &probe);
	assert_false(probe.returned);
	assert_int_equal(status, 0);
	probe_free(&probe);

	status = run("import os\nos.kill(os.getpid(), 9)", &probe); /* cmocka catches SIGSEGV */
	assert_false(probe.returned);
	assert_true(WIFSIGNALED(status));
	probe_free(&probe);
}

static void test_audit_hook_of_the_program(void **state)
{
	static const struct probe_job jobs[] = {
		{ .kind = JOB_CELL, .code = "import sys\nx = 1\nsys.addaudithook(lambda *a: 1/0)" },
		{ .kind = JOB_CELL, .code = "x" },
		{ .kind = JOB_VARIABLES, .code = "" },
	};
	struct probe probes[3];

	(void)state;
	assert_int_equal(probe_run(jobs, 3, probes), 0);
	assert_int_equal(probes[1].exit_code, 1);
	assert_field(&probes[1], FIELD_EXCEPTION_TYPE, "ZeroDivisionError");
	for (size_t i = 0; i < 3; i++)
		probe_free(&probes[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patched_runner),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_deep_sources),
		cmocka_unit_test(test_forks),
		cmocka_unit_test(test_fork_hooks),
		cmocka_unit_test(test_crash_and_exit),
		cmocka_unit_test(test_audit_hook_of_the_program),
	};

	return cmocka_run_group_tests(tests, probe_start, NULL);
}
