/* Which cells are said to have changed nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/protocol.h"
#include "tests/unit/python_probe.h"

enum { CELLS_MAX = 24 };

static struct probe cells[CELLS_MAX];

/* Cells in one session; `codes` ends with NULL. */
static size_t run_cells(const char *const *codes)
{
	struct probe_job jobs[CELLS_MAX] = { 0 };
	size_t count = 0;

	for (; codes[count]; count++) {
		assert_true(count < CELLS_MAX);
		jobs[count] = (struct probe_job){ .kind = JOB_CELL, .code = codes[count] };
	}
	assert_int_equal(probe_run(jobs, count, cells), 0);
	return count;
}

static void free_cells(size_t count)
{
	while (count-- > 0)
		probe_free(&cells[count]);
}

static bool is_pure(const struct probe *cell)
{
	uint64_t value = probe_number(cell, FIELD_PURE);

	assert_true(value == 1 || value == UINT64_MAX); /* not there */
	return value == 1;
}

/* Is the cell pure after `before`? */
static bool is_pure_after(const char *before, const char *code)
{
	const char *const codes[] = { before, code, NULL };

	size_t count = run_cells(codes);
	bool pure = is_pure(&cells[1]);

	assert_false(is_pure(&cells[0]));
	if (pure)
		assert_int_equal(probe_number(&cells[1], FIELD_ENDED_BY), ENDED_NORMALLY);
	free_cells(count);
	return pure;
}

static const char names[] =
	"i = 5; f = 1.5; z = 2j; t = 'text'; b = b'bytes'; n = None; yes = True\n"
	"l = [1, [2, 'x']]; p = (1, 2); d = {'a': 1, 2: [3]}; s = {1, 2}; fs = frozenset(s)\n"
	"r = range(3); e = []; long = [0] * 1000\n"
	"deep = [[[[[1]]]]]\n"
	"around = []; around.append(around)\n"
	"class N(int):\n"
	"    def __repr__(self): i.append(1); return 'N'\n"
	"    def __index__(self): return 1\n"
	"    def __radd__(self, other): return 1\n"
	"class T(str): pass\n"
	"class A:\n"
	"    def __eq__(self, other): return True\n"
	"    def __hash__(self): return 1\n"
	"    def __radd__(self, other): return 1\n"
	"    def __del__(self): print('gone')\n"
	"a = A(); number = N(1); text = T('x'); holds = [1, A()]; key = {A(): 1}; value = {1: "
	"A()}\n"
	"in_set = {A()}; in_tuple = (1, (2, A()))\n"
	"def g(): return 1\n"
	"globals()['del'] = [1]; globals()['lambda'] = 1; globals()['await'] = 1\n"
	"globals()['yield'] = 1; globals()['__debug__'] = 1\n"
	"_x = 1; _ = 1";

static void test_pure(void **state)
{
	static const char *const codes[] = {
		"1+1",
		"1",
		"-1.5e-3 + .5 + 1. + 0xff + 1_000 + 2j",
		"'text'",
		"\"it's\"",
		"b'x' + b",
		"'a\\n\\\\'",
		"'\xc3\xa9'",
		"None",
		"True",
		"i",
		"f",
		"z",
		"t",
		"b",
		"n",
		"yes",
		"l",
		"p",
		"d",
		"s",
		"fs",
		"r",
		"e",
		"i + f * -i ** 2 // 3 % 7 / 5",
		"i << 2 | 1 & 3 ^ 7 >> 1",
		"i < 3 <= 4 != 5 == i >= 1",
		"not i",
		"i and f or t",
		"i if f else t",
		"n is None",
		"n is not None",
		"i is n",
		"l[0] is not n",
		"i in l",
		"i not in p",
		"l[0]",
		"l[1][1]",
		"l[1:]",
		"l[:-1]",
		"l[::2]",
		"d['a']",
		"d[2][0]",
		"t[0]",
		"(i, f)",
		"()",
		"i,",
		"[i, [f]]",
		"{i: f, 'k': [t]}",
		"{i, f}",
		"{}",
		"[*l, *r]",
		"{**d, 'b': 2}",
		"d | {1: 2}",
		"s & fs",
		"l + l",
		"l * 2",
		"t % i if n else 0",
		"'%s %r' % (l, d)",
		"(i + 1) * 2",
		"1+1 \t\n\n",
		"[i,\t f]",
		"i==5",
		"yes is n",
		NULL,
	};

	(void)state;
	for (size_t i = 0; codes[i]; i++) {
		if (!is_pure_after(names, codes[i]))
			fail_msg("%s is not said to be pure", codes[i]);
	}
}

static void test_impure(void **state)
{
	static const char *const codes[] = {
		/* not one plain expression */
		"",
		"\n",
		"pass",
		"x = 1",
		"i += 1",
		"i <<= 1",
		"i **= 2",
		"l[0] = 1",
		"i: 1",
		"i: t",
		"(i): t",
		"del i",
		"del [i]",
		"del(i)",
		"global i",
		"1; i",
		"1\ni",
		"i\n\n1",
		"# text",
		"1 # text",
		" 1",
		"import json",
		"\xef\xbb\xbf"
		"1",
		"(1\n+ 1)",
		"1 + \\\n1",
		"if i: f",
		"assert -i",
		"raise",
		"yield",
		"yield -i",
		/* what calls or binds */
		"g()",
		"g ()",
		"print(1)",
		"A()",
		"(g)()",
		"l[0:g()]",
		"(y := 1)",
		"[y := 1]",
		"l[y:=1]",
		"[j for j in l]",
		"{j for j in l}",
		"{j: j for j in l}",
		"(j for j in l)",
		"lambda: 1",
		"[lambda: 1]",
		"await i",
		"await -i",
		"[await g()]",
		"i.real",
		"1.0.real",
		"1..real",
		"1 .real",
		"0x1.real",
		"f'{i}'",
		"f'{i:{f}}'",
		"F'x'",
		"r'x'",
		"rb'x'",
		"u'x'",
		"'''x'''",
		"\"\"\"x\"\"\"",
		"'a' 'b'",
		"'\\x41'",
		"'\\N{BULLET}'",
		"'\\d'",
		"...",
		"l @ l",
		/* what the compiler warns of */
		"i is 1",
		"i is -1",
		"1 is i",
		"i is (1)",
		"i is 'x'",
		"i is not 1",
		"(1) is i",
		"i < 1 is i",
		"-True is i",
		"i is True",
		"i or 1[0]",
		"1if i else 2",
		"~yes",
		/* names */
		"_",
		"_x",
		"__name__",
		"__debug__",
		"__builtins__",
		"print",
		"len",
		"list[int]",
		"missing",
		"\xc3\xa9",
		"\xef\xac\x81",
		"g",
		"A",
		"a",
		"number",
		"text",
		"holds",
		"key",
		"value",
		"in_set",
		"in_tuple",
		"long",
		"deep",
		"around",
		"1 + a",
		"i + number",
		"t * number",
		"a == 1",
		"i in holds",
		"l[number]",
		"d[a]",
		"t % a",
		"[*holds]",
		/* exceptions */
		"1/0",
		"d['missing']",
		"l['x']",
		"1 +",
		"(1",
		"1)",
		"'x",
		"i + t",
		"l[9]",
		"{l}",
		"1 2",
		"i f",
		"9 if else",
		"0777",
		"1_",
		"b'\xc3\xa9'",
		"10 ** 5000",
		NULL,
	};

	(void)state;
	for (size_t i = 0; codes[i]; i++) {
		if (is_pure_after(names, codes[i]))
			fail_msg("%s is said to be pure", codes[i]);
	}
}

static void test_first_cell(void **state)
{
	static const char *const codes[] = { "1", "1", "1/0", "1", NULL };
	size_t count = run_cells(codes);

	(void)state;
	assert_false(is_pure(&cells[0])); /* it has made __main__ */
	assert_true(is_pure(&cells[1]));
	assert_false(is_pure(&cells[2]));
	assert_true(is_pure(&cells[3]));
	free_cells(count);
}

static void test_lengths(void **state)
{
	char code[1200];

	(void)state;
	for (size_t length = 1023; length <= 1026; length++) {
		memset(code, '1', sizeof code);
		for (size_t i = 1; i < length; i += 2)
			code[i] = '|';
		code[length - 1] = '1';
		code[length] = '\0';
		assert_int_equal(is_pure_after("x = 1", code), length <= 1024);
	}
	assert_true(is_pure_after("x = 1", "(((((((((((((((((((((1)))))))))))))))))))))"));
	assert_false(is_pure_after("x = 1", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1"
					    "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"));
}

/* The program's code would run, or could see that the cell did. */
static void test_onlookers(void **state)
{
	static const char *const before[] = {
		"import sys\nsys.settrace(lambda *a: None)",
		"import sys\nsys.setprofile(lambda *a: None)",
		"import sys\nsys.addaudithook(lambda *a: None)",
		"import threading\nend = threading.Event()\n"
		"threading.Thread(target=end.wait, daemon=True).start()",
		"import signal\nsignal.signal(signal.SIGALRM, lambda *a: None); None",
		"import signal\nsignal.signal(signal.SIGINT, lambda *a: None); None",
		"import signal\nsignal.signal(signal.SIGRTMAX, signal.SIG_IGN); None",
		"import io, sys\nclass S(io.StringIO): pass\nsys.stdin = S()",
		"import io, sys\nsys.stdout = io.StringIO()",
		"import io, sys\nsys.__stderr__ = io.StringIO()",
		"import sys\nsys.stdout.flush = lambda: None",
		"import sys\nsys.stdout.buffer.flush = lambda: None",
		"import io, sys\nsys.stdout.__init__(io.BytesIO())",
		"import sys, weakref\nw = weakref.ref(sys.stdin, print)",
		"import sys, weakref\nw = weakref.ref(sys.stdin.buffer.raw, print)",
		"import sys\nclass A:\n    def __del__(self): print('gone')\n"
		"sys.stdin.mode = A()",
		"import sys\nclass A:\n    def __del__(self): print('gone')\n"
		"sys.stdin.buffer.raw.name = A()",
		"class A:\n    def __del__(self): print('gone')\nA()",
		"class A:\n    def __del__(self): print('gone')\n[1, A()]",
		"import builtins\nbuiltins._ = lambda text: text",
		"import weakref\nx = {1}\nw = weakref.ref(x, print)\nx",
		"class K(str):\n    def __eq__(self, other): print('asked'); return False\n"
		"    def __hash__(self): return hash('x')\nx = 1\nglobals()[K('x')] = 1",
		"class K(str):\n    def __eq__(self, other): print('asked'); return False\n"
		"    def __hash__(self): return hash('_')\nimport builtins\n"
		"builtins.__dict__[K('_')] = 1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
		if (is_pure_after(before[i], "1"))
			fail_msg("%s: 1 is said to be pure", before[i]);
	}
	/* and these do not matter */
	assert_true(is_pure_after("import sys\nsys.displayhook = print", "1"));
	assert_true(is_pure_after("import gc\ngc.disable()", "1"));
	assert_true(is_pure_after("import signal\nh = signal.signal(signal.SIGALRM, print)\n"
				  "signal.signal(signal.SIGALRM, h); None",
				  "1"));
	assert_true(is_pure_after("import threading\nt = threading.Thread(target=print)\n"
				  "t.start(); t.join()",
				  "1"));
}

static void test_collector_rests(void **state)
{
	static const char *const codes[] = {
		"import gc\nseen = [0]\n"
		"def count(phase, info): seen[0] += phase == 'start'\n"
		"gc.callbacks.append(count)\ngc.set_threshold(1)",
		"seen[0]",
		"[[], [[]], {1: [1]}]",
		"[[], [[]], {1: [1]}]",
		"seen[0]",
		"gc.isenabled()",
		"gc.disable()",
		"1",
		"gc.isenabled()",
		"gc.enable()",
		"1/0",
		"'' * 2",
		"gc.isenabled()",
		NULL,
	};
	size_t count = run_cells(codes);
	AUTO_FREE char *first = probe_text(&cells[1], FIELD_RESULT);

	(void)state;
	for (size_t i = 1; i <= 4; i++)
		assert_true(is_pure(&cells[i]));
	assert_non_null(first);
	assert_string_not_equal(first, "0");
	assert_field(&cells[4], FIELD_RESULT, first);
	assert_field(&cells[5], FIELD_RESULT, "True");
	assert_true(is_pure(&cells[7]));
	assert_field(&cells[8], FIELD_RESULT, "False");
	assert_field(&cells[12], FIELD_RESULT, "True");
	free_cells(count);
}

/* A pure cell keeps `_`, and a woken copy of the session says the same of cells. */
static void test_copy(void **state)
{
	const struct probe_job jobs[] = {
		{ .kind = JOB_CELL, .code = "x = 20" },
		{ .kind = JOB_CELL, .code = "x + 1" },
		{ .kind = JOB_CELL, .code = "_ * 2", .in_copy = true },
		{ .kind = JOB_CELL, .code = "x", .in_copy = true },
		{ .kind = JOB_CELL, .code = "import sys\nsys.addaudithook(lambda *a: None)" },
		{ .kind = JOB_CELL, .code = "x", .in_copy = true },
	};

	(void)state;
	probe_run(jobs, sizeof jobs / sizeof *jobs, cells);
	assert_true(is_pure(&cells[1]));
	assert_false(is_pure(&cells[2]));
	assert_field(&cells[2], FIELD_RESULT, "42");
	assert_true(is_pure(&cells[3]));
	assert_false(is_pure(&cells[5]));
	free_cells(sizeof jobs / sizeof *jobs);
}

/* What was looked at before a pure cell is not looked at again before the next:
 * unless something of the program's has run in between. */
static void test_after_pure_cells(void **state)
{
	static const struct {
		struct probe_job job;
		bool pure;
	} steps[] = {
		{ { .kind = JOB_CELL, .code = "import os, sys; x = 1" }, false },
		{ { .kind = JOB_CELL, .code = "x" }, true },
		{ { .kind = JOB_CELL, .code = "x, x" }, true },
		{ { .kind = JOB_CELL, .code = "sys.stdout.note = 1" }, false },
		{ { .kind = JOB_CELL, .code = "x" }, false },
		{ { .kind = JOB_CELL, .code = "del sys.stdout.note" }, false },
		{ { .kind = JOB_CELL, .code = "x" }, true },
		{ { .kind = JOB_CELL, .code = "x + 1" }, true },
		/* raising runs much */
		{ { .kind = JOB_CELL, .code = "x / 0" }, false },
		{ { .kind = JOB_CELL, .code = "x" }, true },
		/* looking at the names runs their repr() */
		{ { .kind = JOB_CELL,
		    .code = "class A:\n"
			    "    def __repr__(self): sys.stderr.note = 1; return ''\n"
			    "a = A()" },
		  false },
		{ { .kind = JOB_CELL, .code = "x" }, true },
		{ { .kind = JOB_VARIABLES, .code = "" }, false },
		{ { .kind = JOB_CELL, .code = "x" }, false },
		/* a copy runs the hooks of a fork */
		{ { .kind = JOB_CELL,
		    .code = "del sys.stderr.note\n"
			    "def hook(): sys.stdin.note = 1\n"
			    "os.register_at_fork(after_in_child=hook)" },
		  false },
		{ { .kind = JOB_CELL, .code = "x" }, true },
		{ { .kind = JOB_CELL, .code = "x", .in_copy = true }, false },
	};
	struct probe_job jobs[sizeof steps / sizeof *steps];

	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		jobs[i] = steps[i].job;
	probe_run(jobs, sizeof steps / sizeof *steps, cells);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		assert_int_equal(is_pure(&cells[i]), steps[i].pure);
	free_cells(sizeof steps / sizeof *steps);
}

/* The input is each cell's own, and tracebacks have their lines. */
static void test_between_pure_cells(void **state)
{
	const struct probe_job jobs[] = {
		{ .kind = JOB_CELL, .code = "import signal, sys" },
		{ .kind = JOB_CELL, .code = "1" },
		{ .kind = JOB_CELL, .code = "2", .stdin_text = "unread" },
		{ .kind = JOB_CELL, .code = "sys.stdin.read()" },
		{ .kind = JOB_CELL, .code = "3" },
		{ .kind = JOB_CELL, .code = "4" },
		{ .kind = JOB_CELL, .code = "sys.stdin.read()", .stdin_text = "input" },
		{ .kind = JOB_CELL, .code = "5" },
		{ .kind = JOB_CELL, .code = "6" },
		{ .kind = JOB_CELL, .code = "sys.stdin.read()" },
		{ .kind = JOB_CELL, .code = "print('out', end='')" },
		{ .kind = JOB_CELL, .code = "7" },
		{ .kind = JOB_CELL, .code = "8 / 0" },
		{ .kind = JOB_CELL, .code = "9 +" },
	};

	(void)state;
	probe_run(jobs, sizeof jobs / sizeof *jobs, cells);
	assert_field(&cells[3], FIELD_RESULT, "''");
	assert_field(&cells[6], FIELD_RESULT, "'input'");
	assert_field(&cells[9], FIELD_RESULT, "''");
	assert_string_equal(cells[10].out, "out");
	assert_string_equal(cells[11].out, "");
	assert_non_null(strstr(cells[12].err, "\n    8 / 0\n"));
	assert_non_null(strstr(cells[13].err, "\n    9 +\n"));
	free_cells(sizeof jobs / sizeof *jobs);
}

static void test_streaming(void **state)
{
	const struct probe_job jobs[] = {
		{ .kind = JOB_CELL, .code = "x = 20", .streaming = true },
		{ .kind = JOB_CELL, .code = "x", .streaming = true },
		{ .kind = JOB_CELL, .code = "x" },
		{ .kind = JOB_CELL, .code = "x", .streaming = true, .restricted = true },
		{ .kind = JOB_VARIABLES, .code = "" },
	};

	(void)state;
	probe_run(jobs, sizeof jobs / sizeof *jobs, cells);
	for (size_t i = 1; i < sizeof jobs / sizeof *jobs; i++)
		assert_int_equal(is_pure(&cells[i]), jobs[i].kind == JOB_CELL);
	free_cells(sizeof jobs / sizeof *jobs);
}

static void test_scripts_say_nothing(void **state)
{
	const struct probe_job job = { .kind = JOB_SCRIPT, .code = "1+1" };

	(void)state;
	probe_run(&job, 1, cells);
	assert_false(is_pure(&cells[0]));
	free_cells(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pure),
		cmocka_unit_test(test_impure),
		cmocka_unit_test(test_first_cell),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_onlookers),
		cmocka_unit_test(test_collector_rests),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_after_pure_cells),
		cmocka_unit_test(test_between_pure_cells),
		cmocka_unit_test(test_streaming),
		cmocka_unit_test(test_scripts_say_nothing),
	};

	return cmocka_run_group_tests(tests, probe_start, NULL);
}
