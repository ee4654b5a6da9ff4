/* A session's cells: what lives on between them, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/protocol.h"
#include "tests/unit/python_probe.h"

enum { CELLS_MAX = 16 };

/* Cells in one session; the list ends with NULL. */
static struct probe cells[CELLS_MAX];

static size_t count_of(const char *const *codes)
{
	size_t count = 0;

	while (codes[count])
		count++;
	assert_true(count <= CELLS_MAX);
	return count;
}

static int run_cells(const char *const *codes)
{
	struct probe_job jobs[CELLS_MAX];
	size_t count = count_of(codes);

	for (size_t i = 0; i < count; i++)
		jobs[i] = (struct probe_job){ .kind = JOB_CELL, .code = codes[i] };
	return probe_run(jobs, count, cells);
}

static void free_cells(const char *const *codes)
{
	for (size_t i = count_of(codes); i-- > 0;)
		probe_free(&cells[i]);
}

#define CELLS(...) static const char *const codes[] = { __VA_ARGS__, NULL }

static void test_names_live_on(void **state)
{
	CELLS("import math as m\nx = 5\ndef f(): return x", "x += 1", "f() + m.floor(1.5)",
	      "class A: pass", "A().__class__.__module__", "__name__",
	      "import __main__; __main__.x");

	(void)state;
	run_cells(codes);
	assert_field(&cells[0], FIELD_RESULT, NULL);
	assert_field(&cells[2], FIELD_RESULT, "7");
	assert_field(&cells[4], FIELD_RESULT, "'__main__'");
	assert_field(&cells[5], FIELD_RESULT, "'__main__'");
	assert_field(&cells[6], FIELD_RESULT, "6");
	free_cells(codes);
}

static void test_underscore(void **state)
{
	CELLS("6 * 7", "_", "None", "_ + 1", "print('x')", "_", "for _ in range(3): pass", "9", "_",
	      "del _", "_");

	(void)state;
	run_cells(codes);
	assert_field(&cells[1], FIELD_RESULT, "42");
	assert_field(&cells[3], FIELD_RESULT, "43");
	assert_field(&cells[5], FIELD_RESULT, "43");
	assert_field(&cells[8], FIELD_RESULT, "2"); /* the program's own name hides it */
	assert_field(&cells[10], FIELD_RESULT, "2");
	free_cells(codes);
}

static void test_exceptions_end_the_cell_only(void **state)
{
	CELLS("x = 1\ndef f(a):\n    return 1 / a", "f(0)", "x", "import sys; sys.exit(3)", "x",
	      "exit()", "quit('text')", "raise KeyboardInterrupt", "raise SystemExit", "x = = 1",
	      "x + 1");

	(void)state;
	assert_int_equal(run_cells(codes), 0);
	assert_field(&cells[1], FIELD_EXCEPTION_TYPE, "ZeroDivisionError");
	assert_int_equal(probe_number(&cells[1], FIELD_EXCEPTION_LINE), 1);
	assert_has(cells[1].err, "  File \"<cell 2>\", line 1, in <module>\n    f(0)\n");
	assert_has(cells[1].err, "  File \"<cell 1>\", line 3, in f\n    return 1 / a\n");
	assert_field(&cells[2], FIELD_RESULT, "1");
	assert_int_equal(probe_number(&cells[3], FIELD_ENDED_BY), ENDED_BY_EXIT);
	assert_int_equal(cells[3].exit_code, 3);
	assert_field(&cells[4], FIELD_RESULT, "1");
	assert_int_equal(cells[5].exit_code, 0);
	assert_int_equal(probe_number(&cells[5], FIELD_ENDED_BY), ENDED_BY_EXIT);
	assert_int_equal(cells[6].exit_code, 1);
	assert_string_equal(cells[6].err, "text\n");
	assert_field(&cells[7], FIELD_EXCEPTION_TYPE, "KeyboardInterrupt");
	assert_int_equal(cells[8].exit_code, 0);
	assert_has(cells[9].err, "  File \"<cell 10>\", line 1\n    x = = 1\n");
	assert_field(&cells[10], FIELD_RESULT, "2");
	free_cells(codes);
}

static void test_sources_of_earlier_cells(void **state)
{
	CELLS("def f():\n    return 1 # the source\n", "import linecache; linecache.checkcache()",
	      "import inspect\nprint(inspect.getsource(f), end='')",
	      "import pickle, dataclasses, typing\n@dataclasses.dataclass\nclass P:\n    x: 'int' "
	      "= 1",
	      "pickle.loads(pickle.dumps(P(2)))", "typing.get_type_hints(P)",
	      "import warnings\nwarnings.warn('careful')");

	(void)state;
	run_cells(codes);
	assert_string_equal(cells[2].out, "def f():\n    return 1 # the source\n");
	assert_field(&cells[4], FIELD_RESULT, "P(x=2)");
	assert_field(&cells[5], FIELD_RESULT, "{'x': <class 'int'>}");
	assert_string_equal(cells[6].err,
			    "<cell 7>:2: UserWarning: careful\n  warnings.warn('careful')\n");
	free_cells(codes);
}

static void test_multiprocessing(void **state)
{
	CELLS("import multiprocessing as m\nclass A:\n    def __init__(self, x): self.x = x\n"
	      "def f(a): return A(a.x + 1)",
	      "with m.get_context('fork').Pool(1) as p:\n    r = p.map(f, [A(1)])\nr[0].x",
	      "import os\npid = os.fork()\nif pid == 0:\n    print('who')\nelse:\n    "
	      "os.waitpid(pid, 0)",
	      "'again'");

	(void)state;
	run_cells(codes);
	assert_field(&cells[1], FIELD_RESULT, "2");
	assert_field(&cells[2], FIELD_RESULT, NULL);
	assert_string_equal(cells[2].out, "who\n");
	assert_field(&cells[3], FIELD_RESULT, "'again'");
	free_cells(codes);
}

static void test_await(void **state)
{
	CELLS("import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x",
	      "await f(5)", "y = await f(6)\ny", "[await f(i) for i in range(3)]",
	      "async def g():\n    await f(1)\n    1 / 0\nawait g()",
	      "task = asyncio.get_event_loop().create_task(f('left behind'))", "await f(1)",
	      "task.result()", "asyncio.run(f('own loop'))", "await f('loop again')",
	      "await f(1)\nimport sys; sys.exit(5)", "async def h():\n    sys.exit(6)\nawait h()",
	      "async with asyncio.Lock(): z = 3\nz", "x = 1\nf(1)\nNone");

	(void)state;
	run_cells(codes);
	assert_field(&cells[1], FIELD_RESULT, "5");
	assert_field(&cells[2], FIELD_RESULT, "6");
	assert_field(&cells[3], FIELD_RESULT, "[0, 1, 2]");
	assert_field(&cells[4], FIELD_EXCEPTION_TYPE, "ZeroDivisionError");
	assert_int_equal(probe_number(&cells[4], FIELD_EXCEPTION_LINE), 3);
	assert_has(
		cells[4].err,
		"Traceback (most recent call last):\n  File \"<cell 5>\", line 4, in <module>\n");
	assert_lacks(cells[4].err, "asyncio");
	assert_field(&cells[7], FIELD_RESULT, "'left behind'");
	assert_field(&cells[8], FIELD_RESULT, "'own loop'");
	assert_field(&cells[9], FIELD_RESULT, "'loop again'");
	assert_int_equal(cells[10].exit_code, 5);
	assert_int_equal(cells[11].exit_code, 6);
	assert_string_equal(cells[11].err, "");
	assert_field(&cells[12], FIELD_RESULT, "3");
	assert_has(cells[13].err, "was never awaited");
	free_cells(codes);
}

static void test_future_flags_live_on(void **state)
{
	CELLS("from __future__ import annotations", "def f(x: missing): pass", "f.__annotations__");

	(void)state;
	run_cells(codes);
	assert_field(&cells[2], FIELD_RESULT, "{'x': 'missing'}");
	free_cells(codes);
}

static void test_input(void **state)
{
	const struct probe_job jobs[] = {
		{ .kind = JOB_CELL, .code = "input()", .stdin_text = "one\nunread\n" },
		{ .kind = JOB_CELL, .code = "input(), input()", .stdin_text = "two\nthree" },
		{ .kind = JOB_CELL, .code = "input()" },
		{ .kind = JOB_CELL, .code = "import sys; sys.stdin.close()", .stdin_text = "x" },
		{ .kind = JOB_CELL, .code = "sys.stdin.read()", .stdin_text = "four" },
		{ .kind = JOB_CELL, .code = "import io\nsys.stdin = io.StringIO('mine')" },
		{ .kind = JOB_CELL, .code = "input()", .stdin_text = "five" },
	};

	(void)state;
	probe_run(jobs, sizeof jobs / sizeof *jobs, cells);
	assert_field(&cells[0], FIELD_RESULT, "'one'");
	assert_field(&cells[1], FIELD_RESULT, "('two', 'three')");
	assert_field(&cells[2], FIELD_EXCEPTION_TYPE, "EOFError");
	assert_field(&cells[4], FIELD_RESULT, "'four'");
	assert_field(&cells[6], FIELD_RESULT, "'mine'");
	for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++)
		probe_free(&cells[i]);
}

static void test_streams_are_mended(void **state)
{
	CELLS("import sys; sys.stdout = sys.stderr = sys.stdin = None", "print('one')",
	      "sys.stdout.close(); sys.stderr.close()", "print('two'); 1/0", "sys.stdout.detach()",
	      "print('three')", "import os; os.close(1); print('lost')", "print('four')",
	      "import io; kept = sys.stdout; sys.stdout = io.StringIO(); print('mine')",
	      "print('too'); kept.write(sys.stdout.getvalue())", "del sys.stdout", "print('five')",
	      "print('no newline', end='')", "1");

	(void)state;
	assert_int_equal(run_cells(codes), 0);
	assert_string_equal(cells[1].out, "one\n");
	assert_string_equal(cells[3].out, "two\n");
	assert_has(cells[3].err, "ZeroDivisionError");
	assert_string_equal(cells[5].out, "three\n");
	assert_string_equal(cells[6].out, "");
	assert_string_equal(cells[7].out, "four\n");
	assert_string_equal(cells[8].out, "");
	assert_string_equal(cells[9].out, "mine\ntoo\n");
	assert_string_equal(cells[11].out, "five\n");
	assert_string_equal(cells[12].out, "no newline");
	free_cells(codes);
}

static void test_interrupt(void **state)
{
	const struct probe_job jobs[] = {
		{ .kind = JOB_CELL,
		  .code = "x = 1\nwhile True: x += 1",
		  .interrupt_after_ms = 100 },
		{ .kind = JOB_CELL, .code = "x > 1" },
		{ .kind = JOB_CELL,
		  .code = "import time\ntime.sleep(20)",
		  .interrupt_after_ms = 100 },
		{ .kind = JOB_CELL,
		  .code = "import signal\n"
			  "signal.signal(signal.SIGINT, lambda *a: 1/0)\n"
			  "signal.pthread_sigmask(signal.SIG_BLOCK, [2])" },
		{ .kind = JOB_CELL, .code = "time.sleep(20)", .interrupt_after_ms = 100 },
		{ .kind = JOB_CELL,
		  .code = "import asyncio\nawait asyncio.sleep(20)",
		  .interrupt_after_ms = 300 },
		{ .kind = JOB_CELL,
		  .code = "async def f():\n    await asyncio.sleep(0)\n    return 5\nawait f()" },
		{ .kind = JOB_CELL,
		  .code = "signal.pthread_sigmask(signal.SIG_BLOCK, [2])\n"
			  "import os\nos.kill(os.getpid(), 2)" },
		{ .kind = JOB_CELL, .code = "'not interrupted'" },
		{ .kind = JOB_CELL,
		  .code = "signal.signal(signal.SIGINT, lambda *a: print('own'))\n"
			  "os.kill(os.getpid(), 2)\n" },
	};

	(void)state;
	probe_run(jobs, sizeof jobs / sizeof *jobs, cells);
	for (size_t i = 0; i < 6; i++) {
		if (i != 1 && i != 3)
			assert_field(&cells[i], FIELD_EXCEPTION_TYPE, "KeyboardInterrupt");
	}
	assert_field(&cells[1], FIELD_RESULT, "True");
	assert_field(&cells[6], FIELD_RESULT, "5");
	assert_field(&cells[8], FIELD_RESULT, "'not interrupted'");
	assert_string_equal(cells[9].out, "own\n");
	for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++)
		probe_free(&cells[i]);
}

/* A restored session goes on as the one that was copied would have. */
static void test_copy(void **state)
{
	const struct probe_job jobs[] = {
		{ .kind = JOB_CELL,
		  .code = "import random, threading, time, asyncio\n"
			  "random.seed(5)\nrandom.gauss(0, 1)\nstate = random.getstate()\n"
			  "expected = [random.gauss(0, 1), "
			  "random.random()]\nrandom.setstate(state)\n"
			  "async def f():\n    await asyncio.sleep(0)\n    return 7\nawait f()\n"
			  "threading.Thread(target=time.sleep, args=(9,), daemon=True).start()" },
		{ .kind = JOB_CELL,
		  .code = "[random.gauss(0, 1), random.random()] == expected, "
			  "threading.active_count(), await f()",
		  .in_copy = true },
		{ .kind = JOB_CELL, .code = "_", .in_copy = true },
	};

	(void)state;
	probe_run(jobs, sizeof jobs / sizeof *jobs, cells);
	assert_field(&cells[1], FIELD_RESULT, "(True, 1, 7)");
	assert_field(&cells[2], FIELD_RESULT, "(True, 1, 7)");
	for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++)
		probe_free(&cells[i]);
}

/* One thread has nothing to be repaired; `random` goes on, also where it has been
 * loaded anew and has registered its hook itself. */
static void test_copy_of_one_thread(void **state)
{
	const struct probe_job jobs[] = {
		{ .kind = JOB_CELL,
		  .code = "import importlib, random, threading\n"
			  "def same(): return threading.main_thread().native_id == "
			  "threading.get_native_id()\n"
			  "random.seed(5)\nbefore = random.getstate()\nsame()" },
		{ .kind = JOB_CELL,
		  .code = "same(), random.getstate() == before",
		  .in_copy = true },
		{ .kind = JOB_CELL,
		  .code = "random = importlib.reload(random)\nrandom.seed(5)\n"
			  "before = random.getstate()" },
		{ .kind = JOB_CELL,
		  .code = "same(), random.getstate() == before",
		  .in_copy = true },
	};

	(void)state;
	probe_run(jobs, sizeof jobs / sizeof *jobs, cells);
	assert_field(&cells[0], FIELD_RESULT, "True");
	assert_field(&cells[1], FIELD_RESULT, "(True, True)");
	assert_field(&cells[3], FIELD_RESULT, "(True, True)");
	for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++)
		probe_free(&cells[i]);
}

static void test_output_of_c_code(void **state)
{
	CELLS("import ctypes\nctypes.CDLL(None).puts(b'from C')", "print('x')");

	(void)state;
	run_cells(codes);
	assert_string_equal(cells[0].out, "from C\n");
	assert_string_equal(cells[1].out, "x\n");
	free_cells(codes);
}

/* What a hostile cell leaves behind does not keep the next one from working. */
static void test_after_a_wreck(void **state)
{
	CELLS("import sys, builtins\nx = 41",
	      "for n in ('repr', 'len', 'isinstance', 'str', 'compile', 'exec', "
	      "'eval', 'open', '__import__', 'hasattr', 'getattr', 'type', 'issubclass'): "
	      "setattr(builtins, n, None)",
	      "x + 1", "1 / 0", "sys.displayhook = sys.excepthook = lambda *a: 1/0", "x", "{}[1]",
	      "del sys.modules['__main__']", "x", "del __builtins__", "x", "globals().clear()",
	      "print('again')");

	(void)state;
	assert_int_equal(run_cells(codes), 0);
	assert_field(&cells[2], FIELD_RESULT, "42");
	assert_field(&cells[3], FIELD_EXCEPTION_TYPE, "ZeroDivisionError");
	/* some versions need compile() for the source line */
	assert_has(cells[3].err, "  File \"<cell 4>\", line 1, in <module>\n");
	assert_has(cells[3].err, "ZeroDivisionError: division by zero\n");
	assert_field(&cells[5], FIELD_RESULT, "41");
	assert_field(&cells[6], FIELD_EXCEPTION_TYPE, "KeyError");
	assert_has(cells[6].err, "Error in sys.excepthook:\n");
	assert_field_has(&cells[6], FIELD_TRACEBACK, "KeyError: 1\n");
	assert_field(&cells[8], FIELD_RESULT, "41");
	assert_field(&cells[10], FIELD_RESULT, "41");
	assert_string_equal(cells[12].out, "again\n");
	free_cells(codes);
}

static size_t count_variables(const struct probe *probe)
{
	struct fields_reader reader;
	struct field_view field;
	size_t count = 0;

	fields_open(&reader, probe->report.data, probe->report.length);
	while (fields_next(&reader, &field) > 0)
		count += field.tag == FIELD_VARIABLE;
	return count;
}

/* The variable of that name as "TYPE REPR"; the caller frees it. */
static char *variable(const struct probe *probe, const char *wanted)
{
	struct fields_reader reader;
	struct field_view field, name, type, repr;
	char *text = NULL;

	fields_open(&reader, probe->report.data, probe->report.length);
	while (!text && fields_next(&reader, &field) > 0) {
		assert_int_equal(fields_find(field.value, field.length, FIELD_NAME, &name), 1);
		if (name.length != strlen(wanted) || memcmp(name.value, wanted, name.length) != 0)
			continue;
		assert_int_equal(fields_find(field.value, field.length, FIELD_TYPE, &type), 1);
		assert_int_equal(fields_find(field.value, field.length, FIELD_REPR, &repr), 1);
		assert_true(asprintf(&text, "%.*s %.*s", (int)type.length, (const char *)type.value,
				     (int)repr.length, (const char *)repr.value) > 0);
		/* 0: its __sizeof__ fails */
		if (strcmp(wanted, "bad") != 0)
			assert_true(fields_number(field.value, field.length, FIELD_SIZE_BYTES, 0));
	}
	return text;
}

static void assert_variable(const struct probe *probe, const char *name, const char *expected)
{
	AUTO_FREE char *text = variable(probe, name);

	assert_non_null(text);
	assert_string_equal(text, expected);
}

static void test_variables(void **state)
{
	const struct probe_job jobs[] = {
		{ .kind = JOB_CELL,
		  .code = "import sys, collections\nx = 5\ntext = 'h\xc3\xa9'\n_private = 1\n"
			  "big = [0] * 10 ** 6\nhuge = 2 ** 10 ** 6\nself = []\nself.append(self)\n"
			  "queue = collections.deque(range(10 ** 5))\ncount = "
			  "collections.Counter('aab')\n"
			  "class A: pass\nclass Bad:\n    def __repr__(self): raise KeyError\n"
			  "    def __sizeof__(self): raise KeyError\n"
			  "bad = Bad()\nlong = 'x' * 1000\nwrong = '\\ud800'\n" },
		{ .kind = JOB_VARIABLES, .code = "" },
		{ .kind = JOB_CELL, .code = "del big\nx" },
		{ .kind = JOB_VARIABLES, .code = "" },
	};

	(void)state;
	probe_run(jobs, sizeof jobs / sizeof *jobs, cells);
	assert_variable(&cells[1], "x", "int 5");
	assert_variable(&cells[1], "text", "str 'h\xc3\xa9'");
	assert_variable(&cells[1], "sys", "module <module 'sys' (built-in)>");
	assert_variable(&cells[1], "huge", "int <int of 1000001 bits>");
	assert_variable(&cells[1], "self", "list [[...]]");
	assert_variable(&cells[1], "queue", "deque <collections.deque of 100000 items>");
	assert_variable(&cells[1], "count", "Counter Counter({'a': 2, 'b': 1})");
	assert_variable(&cells[1], "A", "type <class '__main__.A'>");
	assert_variable(&cells[1], "wrong", "str '\\ud800'");
	AUTO_FREE char *bad = variable(&cells[1], "bad");
	assert_null(strstr(bad, "0x"));
	assert_has(bad, "raises KeyError");
	AUTO_FREE char *text = variable(&cells[1], "long");
	assert_int_equal(strlen(text), strlen("str ") + 199 + strlen("\xe2\x80\xa6"));
	assert_null(variable(&cells[1], "_private"));
	assert_null(variable(&cells[1], "__name__"));
	assert_int_equal(count_variables(&cells[1]), 14);
	assert_int_equal(count_variables(&cells[3]), 13);
	assert_field(&cells[2], FIELD_RESULT, "5");
	for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++)
		probe_free(&cells[i]);
}

static void test_variables_before_any_cell(void **state)
{
	const struct probe_job job = { .kind = JOB_VARIABLES, .code = "" };

	(void)state;
	probe_run(&job, 1, cells);
	assert_int_equal(cells[0].report.length, 0);
	probe_free(&cells[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_live_on),
		cmocka_unit_test(test_underscore),
		cmocka_unit_test(test_exceptions_end_the_cell_only),
		cmocka_unit_test(test_sources_of_earlier_cells),
		cmocka_unit_test(test_multiprocessing),
		cmocka_unit_test(test_await),
		cmocka_unit_test(test_future_flags_live_on),
		cmocka_unit_test(test_input),
		cmocka_unit_test(test_streams_are_mended),
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_copy_of_one_thread),
		cmocka_unit_test(test_output_of_c_code),
		cmocka_unit_test(test_after_a_wreck),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_variables_before_any_cell),
	};

	return cmocka_run_group_tests(tests, probe_start, NULL);
}
