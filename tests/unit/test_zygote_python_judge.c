/* Judging: arguments, results as data, expected values, the comparison. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/protocol.h"
#include "tests/unit/python_probe.h"

/* ---- jobs ---------------------------------------------------------------------------- */

static struct probe_job make_job(enum job_kind kind, const struct buffer *payload)
{
	return (struct probe_job){ .kind = kind,
				   .code = payload->length ? (const char *)payload->data : "",
				   .length = payload->length };
}

static void put(struct buffer *list, unsigned tag, const char *text)
{
	assert_int_equal(fields_put_text(list, tag, text), 0);
}

/* LOAD, CALL and, with an output, EXPECT in one process. */
static void run_submission(const char *code, const char *entry, const char *input,
			   const char *output, struct probe *ret_probes)
{
	AUTO_BUFFER call = BUFFER_INIT(0), expect = BUFFER_INIT(0);

	put(&call, FIELD_ENTRY_POINT, entry);
	put(&call, FIELD_CASE_INPUT, input);
	put(&expect, FIELD_CASE_OUTPUT, output);

	struct probe_job jobs[] = { { .kind = JOB_LOAD, .code = code },
				    make_job(JOB_CALL, &call),
				    make_job(JOB_EXPECT, &expect) };
	probe_run(jobs, output ? 3 : 2, ret_probes);
}

static void free_probes(struct probe *probes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		probe_free(&probes[i]);
}

/* What came of one case. */
struct verdict {
	uint64_t ended_by, passed, index, needs_names;
	char *got, *expected, *message;
};

static char *member_text(const struct field_view *list, unsigned tag)
{
	struct field_view field;

	return fields_find(list->value, list->length, tag, &field) == 1 ? field_text(&field) : NULL;
}

static void free_verdict(struct verdict *verdict)
{
	free(verdict->got);
	free(verdict->expected);
	free(verdict->message);
	*verdict = (struct verdict){ 0 };
}

/* PREPARE or COMPARE; the first result. */
static void run_cases(enum job_kind kind, const struct buffer *cases, struct verdict *ret_verdict)
{
	struct probe_job job = make_job(kind, cases);
	struct probe probe;
	struct field_view result = { 0 };

	probe_run(&job, 1, &probe);
	assert_true(probe.returned);
	*ret_verdict = (struct verdict){ .ended_by = probe_number(&probe, FIELD_ENDED_BY) };
	if (fields_find(probe.report.data, probe.report.length, FIELD_CASE_RESULT, &result) == 1) {
		assert_int_equal(fields_check(result.value, result.length), 0);
		ret_verdict->passed = fields_number(result.value, result.length, FIELD_PASSED, 99);
		ret_verdict->index = fields_number(result.value, result.length, FIELD_INDEX, 99);
		ret_verdict->needs_names =
			fields_number(result.value, result.length, FIELD_NEEDS_NAMES, 0);
		ret_verdict->got = member_text(&result, FIELD_GOT);
		ret_verdict->expected = member_text(&result, FIELD_EXPECTED);
		ret_verdict->message = member_text(&result, FIELD_MESSAGE);
	}
	probe_free(&probe);
}

static void put_case(struct buffer *cases, const struct buffer *one)
{
	assert_int_equal(fields_put_bytes(cases, FIELD_CASE, one->data, one->length), 0);
}

static void run_case(enum job_kind kind, const struct buffer *one, struct verdict *ret_verdict)
{
	AUTO_BUFFER cases = BUFFER_INIT(0);

	put_case(&cases, one);
	run_cases(kind, &cases, ret_verdict);
}

/* Fields of a report into a case. */
static void copy_field(struct buffer *one, const struct probe *probe, unsigned tag)
{
	struct field_view field;

	if (fields_find(probe->report.data, probe->report.length, tag, &field) == 1)
		assert_int_equal(fields_put_bytes(one, tag, field.value, field.length), 0);
}

static void judge(const char *code, const char *entry, const char *input, const char *output,
		  const char *tolerance, struct verdict *ret_verdict)
{
	AUTO_BUFFER one = BUFFER_INIT(0);
	struct probe probes[2];

	run_submission(code, entry, input, NULL, probes);
	if (!probes[1].returned || probe_number(&probes[1], FIELD_ENDED_BY) != ENDED_NORMALLY)
		fail_msg("%s\n%s(%s)\n%s%s", code, entry, input, probes[0].err, probes[1].err);
	fields_put_number(&one, FIELD_INDEX, 7);
	copy_field(&one, &probes[1], FIELD_DATA);
	copy_field(&one, &probes[1], FIELD_REPR);
	put(&one, FIELD_CASE_OUTPUT, output);
	put(&one, FIELD_TOLERANCE, tolerance);
	run_case(JOB_COMPARE, &one, ret_verdict);
	assert_int_equal(ret_verdict->index, 7);
	free_probes(probes, 2);
}

#define GIVES "def f(*args, **names):\n    return "

static void check(const char *code, const char *output, const char *tolerance, bool passes)
{
	struct verdict verdict;

	judge(code, "f", "", output, tolerance, &verdict);
	if (verdict.passed != passes)
		fail_msg("%s\nagainst %s: got %s, expected %s, message %s", code, output,
			 verdict.got, verdict.expected, verdict.message);
	free_verdict(&verdict);
}

static void check_shown(const char *code, const char *output, const char *got, const char *expected)
{
	struct verdict verdict;

	judge(code, "f", "", output, NULL, &verdict);
	assert_string_equal(verdict.got, got);
	assert_string_equal(verdict.expected, expected);
	free_verdict(&verdict);
}

/* ---- loading -------------------------------------------------------------------------- */

static void test_load(void **state)
{
	static const char code[] = "import dataclasses, pickle, sys\n"
				   "@dataclasses.dataclass\n"
				   "class P:\n    x: 'int'\n"
				   "if __name__ == '__main__':\n    raise SystemExit(3)\n"
				   "def f():\n"
				   "    assert sys.modules['submission'].f is f\n"
				   "    return [__name__, pickle.loads(pickle.dumps(P(5))).x]\n"
				   "print('once', end='')\n";
	struct probe probes[2];

	(void)state;
	run_submission(code, "f", "", NULL, probes);
	assert_int_equal(probe_number(&probes[0], FIELD_ENDED_BY), ENDED_NORMALLY);
	assert_field(&probes[0], FIELD_RESULT, NULL);
	assert_string_equal(probes[0].out, "once");
	assert_string_equal(probes[1].out, "");
	assert_field(&probes[1], FIELD_DATA, "[\"submission\",5]");
	free_probes(probes, 2);
}

static void test_load_fails(void **state)
{
	struct probe probe;

	(void)state;
	probe_run(&(struct probe_job){ .kind = JOB_LOAD, .code = "x = 1\n1 / 0\n" }, 1, &probe);
	assert_int_equal(probe_number(&probe, FIELD_ENDED_BY), ENDED_BY_EXCEPTION);
	assert_field(&probe, FIELD_EXCEPTION_TYPE, "ZeroDivisionError");
	assert_int_equal(probe_number(&probe, FIELD_EXCEPTION_LINE), 2);
	assert_field_has(&probe, FIELD_TRACEBACK, "File \"main.py\", line 2, in <module>");
	probe_free(&probe);

	probe_run(&(struct probe_job){ .kind = JOB_LOAD, .code = "def f(:\n" }, 1, &probe);
	assert_field(&probe, FIELD_EXCEPTION_TYPE, "SyntaxError");
	probe_free(&probe);
}

/* ---- calling --------------------------------------------------------------------------- */

static void check_input(const char *input, const char *data)
{
	struct probe probes[2];

	run_submission("def f(*a, **k):\n    return [repr(a), repr(k)]\n", "f", input, NULL,
		       probes);
	if (data) {
		assert_field(&probes[1], FIELD_DATA, data);
	} else {
		if (probe_number(&probes[1], FIELD_ENDED_BY) != ENDED_BY_EXCEPTION)
			fail_msg("the input %s was taken", input);
		assert_field(&probes[1], FIELD_EXCEPTION_TYPE, "ValueError");
		assert_field_has(&probes[1], FIELD_EXCEPTION_MESSAGE, "the input cannot be used");
		assert_lacks(probes[1].err, "judge");
	}
	free_probes(probes, 2);
}

static const char echo[] = "def f(*a, **k):\n    return [repr(a), repr(k)]\n";

/* What PREPARE has read of it; empty if nothing. */
static void prepare_arguments(const char *input, struct buffer *arguments)
{
	AUTO_BUFFER one = BUFFER_INIT(0), cases = BUFFER_INIT(0);
	struct field_view result, field;
	struct probe probe;

	put(&one, FIELD_CASE_INPUT, input);
	put(&one, FIELD_CASE_OUTPUT, "1");
	put_case(&cases, &one);
	struct probe_job job = make_job(JOB_PREPARE, &cases);
	probe_run(&job, 1, &probe);
	assert_int_equal(
		fields_find(probe.report.data, probe.report.length, FIELD_CASE_RESULT, &result), 1);
	assert_false(fields_has(result.value, result.length, FIELD_MESSAGE));
	if (fields_find(result.value, result.length, FIELD_ARGUMENTS, &field) == 1)
		assert_int_equal(buffer_append(arguments, field.value, field.length), 0);
	probe_free(&probe);
}

/* CALL with arguments, and with a text that says something else. */
static void check_arguments(const void *arguments, size_t length, const char *text,
			    const char *data)
{
	AUTO_BUFFER call = BUFFER_INIT(0);
	struct probe probes[2];

	put(&call, FIELD_ENTRY_POINT, "f");
	put(&call, FIELD_CASE_INPUT, text);
	assert_int_equal(fields_put_bytes(&call, FIELD_ARGUMENTS, arguments, length), 0);
	struct probe_job jobs[] = { { .kind = JOB_LOAD, .code = echo }, make_job(JOB_CALL, &call) };
	probe_run(jobs, 2, probes);
	assert_field(&probes[1], FIELD_DATA, data);
	free_probes(probes, 2);
}

static void check_prepared(const char *input, const char *data)
{
	AUTO_BUFFER arguments = BUFFER_INIT(0);

	prepare_arguments(input, &arguments);
	check_arguments(arguments.data, arguments.length, "x=0", data);
}

static void test_prepared_inputs(void **state)
{
	AUTO_BUFFER none = BUFFER_INIT(0);

	(void)state;
	check_prepared("", "[\"()\",\"{}\"]");
	check_prepared("1, 2", "[\"((1, 2),)\",\"{}\"]");
	check_prepared("a='x', b={'k=': [1, (2,)]}, c=1-2j, d=b'x', e=None, f=True, g={1}, h=-0.0",
		       "[\"()\",\"{'a': 'x', 'b': {'k=': [1, (2,)]}, 'c': (1-2j), 'd': b'x', "
		       "'e': None, 'f': True, 'g': {1}, 'h': -0.0}\"]");
	prepare_arguments("a=x", &none);
	assert_int_equal(none.length, 0);
	/* what cannot be read is read from the text again */
	check_arguments("?", 1, "x=0", "[\"()\",\"{'x': 0}\"]");
	check_arguments("N", 1, "x=0", "[\"()\",\"{'x': 0}\"]");
	check_arguments("", 0, "x=0", "[\"()\",\"{'x': 0}\"]");
}

static void test_inputs(void **state)
{
	(void)state;
	check_input("", "[\"()\",\"{}\"]");
	check_input(" \n", "[\"()\",\"{}\"]");
	check_input("a=1, b=2", "[\"()\",\"{'a': 1, 'b': 2}\"]");
	check_input("a='x, b=(', b={'k=': [1, (2,)]}",
		    "[\"()\",\"{'a': 'x, b=(', 'b': {'k=': [1, (2,)]}}\"]");
	check_input("5", "[\"(5,)\",\"{}\"]");
	check_input("1, 2", "[\"((1, 2),)\",\"{}\"]");
	check_input("[1, 2]", "[\"([1, 2],)\",\"{}\"]");
	check_input(" 'a=1' ", "[\"('a=1',)\",\"{}\"]");
	check_input("a=-1, b=+2.5, c=1-2j, d=b'x', e=None, f=True, g={1}",
		    "[\"()\",\"{'a': -1, 'b': 2.5, 'c': (1-2j), 'd': b'x', 'e': None, 'f': True, "
		    "'g': {1}}\"]");
	check_input("a=[1,\n 2],\nb=3", "[\"()\",\"{'a': [1, 2], 'b': 3}\"]");
	check_input("set()", "[\"(set(),)\",\"{}\"]");
}

static void test_wrong_inputs(void **state)
{
	/* clang-format off */
	static const char *const inputs[] = {
		"1) + (2", "1), (2", "a=1)(b=2", "a=1).x(b=2", "a=1) if 1 else f(b=2",
		"a=1)\nf(", "a=1, 2", "1, a=2", "a=1, a=2", "**{'a': 1}", "*[1]", "x", "a=x",
		"[x for x in (1,)]", "f()", "a=f()", "1 + 1", "lambda: 1", "'open", "a=", "f''",
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
		check_input(inputs[i], NULL);
}

static void test_entry_points(void **state)
{
	static const char code[] =
		"class Solution:\n    def add(self, a, b):\n        return a + b\n"
		"add = Solution().add\n"
		"async def wait(a):\n    return a * 2\n";
	struct probe probes[2];

	(void)state;
	run_submission(code, "add", "a=1, b=2", NULL, probes);
	assert_field(&probes[1], FIELD_DATA, "3");
	free_probes(probes, 2);
	run_submission(code, " Solution().add ", "a='x', b='y'", NULL, probes);
	assert_field(&probes[1], FIELD_DATA, "\"xy\"");
	free_probes(probes, 2);
	run_submission(code, "wait", "21", NULL, probes);
	assert_field(&probes[1], FIELD_DATA, "42");
	free_probes(probes, 2);
	run_submission(code, "missing", "", NULL, probes);
	assert_field(&probes[1], FIELD_EXCEPTION_TYPE, "NameError");
	assert_field(&probes[1], FIELD_DATA, NULL);
	free_probes(probes, 2);
	run_submission(code, "a b", "", NULL, probes);
	assert_field(&probes[1], FIELD_EXCEPTION_TYPE, "SyntaxError");
	free_probes(probes, 2);
	run_submission(code, "code_", "3", NULL, probes);
	assert_field(&probes[1], FIELD_EXCEPTION_TYPE, "NameError");
	free_probes(probes, 2);
}

static void test_exceptions(void **state)
{
	static const char top[] = "Traceback (most recent call last):\n"
				  "  File \"main.py\", line 4, in f\n";
	struct probe probes[2];

	(void)state;
	run_submission("def g(x):\n    return 1 / x\ndef f(x):\n    return g(x)\n", "f", "0", NULL,
		       probes);
	assert_int_equal(probe_number(&probes[1], FIELD_ENDED_BY), ENDED_BY_EXCEPTION);
	assert_field(&probes[1], FIELD_EXCEPTION_TYPE, "ZeroDivisionError");
	assert_field(&probes[1], FIELD_EXCEPTION_MESSAGE, "division by zero");
	assert_int_equal(probe_number(&probes[1], FIELD_EXCEPTION_LINE), 2);
	assert_true(strncmp(probes[1].err, top, strlen(top)) == 0);
	assert_field(&probes[1], FIELD_DATA, NULL);
	free_probes(probes, 2);

	run_submission("async def f():\n    raise KeyError('k')\n", "f", "", NULL, probes);
	assert_field(&probes[1], FIELD_EXCEPTION_TYPE, "KeyError");
	assert_lacks(probes[1].err, "asyncio");
	free_probes(probes, 2);

	run_submission("def f():\n    pass\n", "f", "1", NULL, probes);
	assert_field(&probes[1], FIELD_EXCEPTION_TYPE, "TypeError");
	assert_lacks(probes[1].err, "judge");
	free_probes(probes, 2);

	run_submission("import sys\ndef f():\n    sys.exit(4)\n", "f", "", NULL, probes);
	assert_int_equal(probe_number(&probes[1], FIELD_ENDED_BY), ENDED_BY_EXIT);
	assert_int_equal(probe_number(&probes[1], FIELD_EXIT_CODE), 4);
	assert_field(&probes[1], FIELD_DATA, NULL);
	free_probes(probes, 2);
}

static void test_names_that_are_not_taken(void **state)
{
	struct probe probes[2];
	static const struct {
		const char *code, *entry, *input, *data;
	} calls[] = {
		{ "def f(a):\n    return a\n", "f", "a=1, b=2", "1" },
		{ "def f(*, a, b=3):\n    return a + b\n", "f", "c=9, a=1", "4" },
		{ "def f(a, /, **more):\n    return more\n", "lambda **x: f(0, **x)", "b=2",
		  "{\"d\":[[\"b\",2]]}" },
		{ "class S:\n    def add(self, a):\n        return a\n", "S().add", "a=1, self=5",
		  "1" },
		{ "class P:\n    def __new__(cls, **x):\n        return 7\n"
		  "    def __init__(self, a):\n        pass\n",
		  "P", "a=1, b=2", "7" },
		{ "import functools\n@functools.lru_cache\ndef f(a):\n    return a\n", "f",
		  "a=1, b=2", "1" },
		{ "import inspect\ninspect.signature = None\ndef f(a):\n    return a\n", "f",
		  "a=1, b=2", "1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		run_submission(calls[i].code, calls[i].entry, calls[i].input, NULL, probes);
		if (probe_number(&probes[1], FIELD_ENDED_BY) != ENDED_NORMALLY)
			fail_msg("%s\n%s", calls[i].code, probes[1].err);
		assert_field(&probes[1], FIELD_DATA, calls[i].data);
		free_probes(probes, 2);
	}
	/* what is missing is missing */
	run_submission("def f(a):\n    return a\n", "f", "b=2", NULL, probes);
	assert_field(&probes[1], FIELD_EXCEPTION_TYPE, "TypeError");
	free_probes(probes, 2);
}

static void test_output_of_calls(void **state)
{
	struct probe probes[2];

	(void)state;
	run_submission("def f():\n    print('shown', end='')\n", "f", "", NULL, probes);
	assert_string_equal(probes[1].out, "shown");
	assert_field(&probes[1], FIELD_DATA, "null");
	free_probes(probes, 2);
}

/* ---- data ------------------------------------------------------------------------------ */

static void check_same(const char *expression)
{
	AUTO_FREE char *code = NULL;

	assert_true(asprintf(&code, GIVES "%s\n", expression) > 0);
	check(code, expression, NULL, true);
}

static void test_round_trips(void **state)
{
	/* clang-format off */
	static const char *const expressions[] = {
		"None", "True", "0", "-5", "2**63 - 1", "2**63", "-2**63", "10**5000", "-10**700",
		"1.5", "-0.0", "1e308 * 10", "5e-324", "1+2j", "complex(-0.0, 1e400)", "''",
		"'text \\x00 \\n \\\\ \"'", "'\\u00e9\\u20ac\\U0001f600'", "'\\ud800'",
		"'\\ud83d' + '\\ude00'", "b''", "b'\\x00\\xff'", "bytearray(b'ab')", "[]", "[1, 'a', None]",
		"[[1.5], [True]]", "()", "(1,)", "(1, (2, [3]))", "set()", "{1, 'a', (2,)}",
		"frozenset({1, 2})", "{frozenset({1})}", "{}", "{'a': 1, 2: [3], (4,): {}}",
		"range(3, 9, 2)", "list(range(100000))", "[0.5] * 1000", "[2**70] * 3",
		"[1, 2.5, 2**64, True]", "{'d': 1}", "{'t': [1]}", "[float(i) for i in range(99)]",
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof expressions / sizeof expressions[0]; i++)
		check_same(expressions[i]);
}

static void test_exactness(void **state)
{
	(void)state;
	check(GIVES "'\\ud83d' + '\\ude00'", "'\\U0001f600'", NULL, false);
	check(GIVES "(1,)", "[1]", NULL, false);
	check(GIVES "1", "True", NULL, true);
	check(GIVES "1.0", "1", NULL, true);
	check(GIVES "2**53 + 1", "float(2**53)", NULL, false);
	check(GIVES "float('nan')", "float('nan')", NULL, false);
	check(GIVES "[float('nan')]", "[float('nan')]", NULL, false);
	check(GIVES "'1'", "1", NULL, false);
	check(GIVES "None", "0", NULL, false);
	check(GIVES "[1, 2]", "[1, 2, 3]", NULL, false);
	check(GIVES "{1: 2}", "{1: 3}", NULL, false);
	check(GIVES "b'a'", "'a'", NULL, false);
	check(GIVES "[0, 1]", "range(2)", NULL, false);
	check(GIVES "0.1 + 0.2", "0.3", NULL, false);
}

static void test_subclasses(void **state)
{
	(void)state;
	check("import collections as c\n" GIVES "c.namedtuple('P', 'x y')(1, 2)", "(1, 2)", NULL,
	      true);
	check("import collections as c\n" GIVES "c.Counter('aab')", "{'a': 2, 'b': 1}", NULL, true);
	check("import collections as c\n" GIVES "c.defaultdict(list, a=[1])", "{'a': [1]}", NULL,
	      true);
	check("import collections as c\n" GIVES "c.OrderedDict(a=1)", "{'a': 1}", NULL, true);
	check("import enum\nclass E(enum.IntEnum):\n    A = 3\n" GIVES "[E.A]", "[3]", NULL, true);
	check("class S(str):\n    pass\n" GIVES "S('x')", "'x'", NULL, true);
	check("class L(list):\n    pass\n" GIVES "L([1])", "[1]", NULL, true);
	check("from fractions import Fraction\n" GIVES "Fraction(1, 2)", "0.5", NULL, true);
	check("from fractions import Fraction\n" GIVES "[Fraction(1, 3)]", "[1/3]", NULL, false);
	check("from decimal import Decimal\n" GIVES "Decimal('0.5')", "0.5", NULL, true);
	check("from decimal import Decimal\n" GIVES "Decimal('0.1')", "0.1", NULL, false);
	check("class A:\n    __module__ = 'numpy'\n    size = 2\n    tolist = lambda s: [1, "
	      "2]\n" GIVES "[A()]",
	      "[[1, 2]]", NULL, true);
	check("from decimal import Decimal\n" GIVES "Decimal('1E+999999999')", "1", NULL, false);
}

static void check_no_data(const char *code, const char *repr, const char *message)
{
	struct probe probes[2];

	run_submission(code, "f", "", NULL, probes);
	assert_int_equal(probe_number(&probes[1], FIELD_ENDED_BY), ENDED_NORMALLY);
	assert_field(&probes[1], FIELD_DATA, NULL);
	assert_field_has(&probes[1], FIELD_REPR, repr);
	assert_field(&probes[1], FIELD_MESSAGE, message);
	free_probes(probes, 2);
	check(code, "1", NULL, false);
}

static void test_no_data(void **state)
{
	static const char large[] = "the result is larger than 1 MiB";

	(void)state;
	check_no_data(GIVES "object()", "<object object at", NULL);
	check_no_data(GIVES "(x for x in [1])", "<generator object", NULL);
	check_no_data("def f():\n    x = []\n    x.append(x)\n    return x", "[[...]]", NULL);
	check_no_data("def f():\n    x = {}\n    x[1] = (x, x)\n    return x", "{...}", NULL);
	check_no_data(
		"def f():\n    x = []\n    for i in range(300):\n        x = [x]\n    return x",
		"[[[[", NULL);
	check_no_data(
		"def f():\n    x = []\n    for i in range(100):\n        x = [x, x]\n    return x",
		"[[[[", large);
	check_no_data(GIVES "'x' * (1 << 20)", "'xxx", large);
	check_no_data(GIVES "10**2000000", "<int object: its repr failed>", large);
	check_no_data("class A:\n    def __repr__(self):\n        1 / 0\n" GIVES "A()",
		      "<A object: its repr failed>", NULL);
	check_no_data("class A:\n    def __repr__(self):\n        raise SystemExit\n" GIVES "[A()]",
		      "<list object: its repr failed>", NULL);
}

/* ---- sloppy and hostile submissions ------------------------------------------------------ */

static void test_lies(void **state)
{
	(void)state;
	check("class A:\n    def __eq__(self, other):\n        return True\n" GIVES "A()", "1",
	      NULL, false);
	check("class I(int):\n    __index__ = __int__ = lambda s: 5\n    __eq__ = lambda s, o: "
	      "True\n"
	      "    __repr__ = __str__ = lambda s: '5'\n    __hash__ = int.__hash__\n" GIVES "I(4)",
	      "5", NULL, false);
	check("class D(dict):\n    def items(self):\n        return [('a', 1)]\n"
	      "    keys = values = __iter__ = items\n" GIVES "D()",
	      "{'a': 1}", NULL, false);
	check("class L(list):\n    def __iter__(self):\n        return iter([1])\n"
	      "    def __len__(self):\n        return 1\n" GIVES "L()",
	      "[1]", NULL, false);
	check("class F(float):\n    __repr__ = lambda s: '1.0'\n" GIVES "F(2)", "1.0", NULL, false);
	check("class M(type):\n    __eq__ = lambda s, o: True\n    __hash__ = lambda s: hash(int)\n"
	      "class A(metaclass=M):\n    pass\n" GIVES "A()",
	      "0", NULL, false);
}

static void test_patches(void **state)
{
	static const char builtins[] = "import builtins\n"
				       "def bad(*a, **k):\n    raise RuntimeError('patched')\n"
				       "for name in 'len isinstance type repr set map list int "
				       "eval compile str id'.split():\n"
				       "    setattr(builtins, name, bad)\n"
				       "def f(a):\n    return [a, {'k': (1, 2.5)}]\n";
	static const char modules[] = "import sys, json, ast, _ast, _json, math\n"
				      "for m in (json, ast, _ast, _json, math):\n"
				      "    for n in list(vars(m)):\n"
				      "        if not n.startswith('__'):\n"
				      "            setattr(m, n, None)\n"
				      "sys.modules.clear()\nsys.setrecursionlimit(60)\n"
				      "def f(a):\n    return [a, {'k': (1, 2.5)}]\n";
	struct verdict verdict;

	(void)state;
	judge(builtins, "f", "a='x'", "['x', {'k': (1, 2.5)}]", NULL, &verdict);
	assert_int_equal(verdict.passed, 1);
	free_verdict(&verdict);
	judge(modules, "f", "a=[1]", "[[1], {'k': (1, 2.5)}]", NULL, &verdict);
	assert_int_equal(verdict.passed, 1);
	free_verdict(&verdict);
}

static void check_hostile_data(const char *data, size_t length)
{
	AUTO_BUFFER one = BUFFER_INIT(0);
	struct verdict verdict;

	put(&one, FIELD_CASE_OUTPUT, "1");
	assert_int_equal(fields_put_bytes(&one, FIELD_DATA, data, length), 0);
	run_case(JOB_COMPARE, &one, &verdict);
	if (verdict.passed != 0 || !verdict.message ||
	    strcmp(verdict.message, "the result was not understood") != 0)
		fail_msg("%.60s: passed %d, message %s", data, (int)verdict.passed,
			 verdict.message);
	assert_string_equal(verdict.expected, "1");
	free_verdict(&verdict);
}

static void test_hostile_data(void **state)
{
	static const char *const texts[] = {
		"",
		"[",
		"[1",
		"1 2",
		"nope",
		"NaN",
		"Infinity",
		"{}",
		"{\"x\":1}",
		"{\"t\":1}",
		"{\"t\":[1],\"s\":[1]}",
		"{\"s\":[[1]]}",
		"{\"s\":[{\"d\":[]}]}",
		"{\"d\":[1]}",
		"{\"d\":[[1]]}",
		"{\"d\":[[[1],2]]}",
		"{\"d\":{}}",
		"{\"i\":1}",
		"{\"i\":\"0xzz\"}",
		"{\"f\":\"1.5\"}",
		"{\"f\":[]}",
		"{\"f\":1}",
		"{\"b\":\"0\"}",
		"{\"b\":1}",
		"{\"u\":\"00\"}",
		"{\"u\":\"ffffffff\"}",
		"{\"r\":[1,2]}",
		"{\"r\":[1,2,0]}",
		"{\"r\":[1,2,true]}",
		"{\"r\":[1,2,1.5]}",
		"{\"q\":[\"0x1\",\"0x0\"]}",
		"{\"q\":[\"0x1\"]}",
		"{\"q\":[1,2]}",
		"{\"m\":\"x\"}",
		"{\"m\":1}",
		"{\"c\":[1,2]}",
		"{\"c\":[1.5]}",
		"\"\xc3\xa9\"",
		"\xff",
		"{\"c\":[{\"c\":[1.0,1.0]},1.0]}",
		"[{\"t\":[{\"y\":1}]}]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		check_hostile_data(texts[i], strlen(texts[i]));
	check_hostile_data("1\0", 2);
}

/* `count` times `open`, then `close`. */
static void check_nested(const char *open, size_t count)
{
	AUTO_BUFFER text = BUFFER_INIT(0);

	for (size_t i = 0; i < count; i++)
		assert_int_equal(buffer_append(&text, open, strlen(open)), 0);
	check_hostile_data((const char *)text.data, text.length);
}

static void test_hostile_sizes(void **state)
{
	AUTO_BUFFER nested = BUFFER_INIT(0);

	(void)state;
	check_nested("[", 100000);
	check_nested("{\"t\":[", 50000);
	check_nested("9", 1 << 20);
	check_nested("        ", (1 << 17) + 1);
	for (int i = 0; i < 300; i++)
		buffer_append(&nested, "[", 1);
	for (int i = 0; i < 300; i++)
		buffer_append(&nested, "]", 1);
	check_hostile_data((const char *)nested.data, nested.length);
}

/* ---- tolerance ---------------------------------------------------------------------------- */

static void test_tolerance(void **state)
{
	(void)state;
	check(GIVES "0.1 + 0.2", "0.3", "1e-9", true);
	check(GIVES "0.1 + 0.2", "0.3", "0", false);
	check(GIVES "[0.1 + 0.2, 'x', (1, {'a': 2.0000001})]", "[0.3, 'x', (1, {'a': 2})]", "1e-6",
	      true);
	check(GIVES "[0.1 + 0.2]", "(0.3,)", "1e-6", false);
	check(GIVES "1000.5", "1000", "0.001", true);
	check(GIVES "0.5", "0", "0.1", false);
	check(GIVES "10", "11", "0.5", false);
	check(GIVES "10.0", "11", "0.5", true);
	check(GIVES "float('nan')", "1.0", "1e9", false);
	check(GIVES "float('nan')", "float('nan')", "1e9", false);
	check(GIVES "5.0", "float('inf')", "1", false);
	check(GIVES "float('inf')", "5.0", "1", false);
	check(GIVES "float('inf')", "float('inf')", "1", true);
	check(GIVES "1.0", "10**400", "1", false);
	check(GIVES "1+1.0000001j", "1+1j", "1e-5", true);
	check(GIVES "'0.30001'", "0.3", "1", false);
	check(GIVES "True", "1.5", "1", false);
	check(GIVES "{'a': 1.0}", "{'b': 1.0}", "1", false);
	check("from fractions import Fraction\n" GIVES "Fraction(1, 3)", "1/3", "1e-9", true);
}

static void test_wrong_tolerance(void **state)
{
	static const char *const texts[] = { "", "x", "-1", "nan", "inf", "1e999" };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		check(GIVES "1", "1", texts[i], false);
}

/* ---- programs ------------------------------------------------------------------------------ */

static void check_output(const char *expected, const char *content, const char *tolerance,
			 bool passes)
{
	AUTO_BUFFER one = BUFFER_INIT(0);
	struct verdict verdict;

	put(&one, FIELD_CASE_STDOUT, expected);
	put(&one, FIELD_CONTENT, content);
	put(&one, FIELD_TOLERANCE, tolerance);
	run_case(JOB_COMPARE, &one, &verdict);
	if (verdict.passed != passes)
		fail_msg("%s against %s: %s", content, expected, verdict.message);
	free_verdict(&verdict);
}

static void test_outputs(void **state)
{
	(void)state;
	check_output("1 2\n3\n", "1 2 3", NULL, true);
	check_output("1 2\n3\n", "  1\t2\r\n\n3", NULL, true);
	check_output("", " \n", NULL, true);
	check_output("1 2 3", "1 23", NULL, false);
	check_output("1 2 3", "1 2", NULL, false);
	check_output("1.0", "1.00", NULL, false);
	check_output("1.0", "1.00", "0", true);
	check_output("x 0.3", "x 0.30000000000000004", "1e-9", true);
	check_output("x 0.3", "y 0.3", "1e-9", false);
	check_output("1", "nan", "100", false);
	check_output("nan", "nan", "1", true);
	check_output("10", "1_0", "0", false);
	check_output("1", NULL, NULL, false);
	check_output("\xff", "\xfe", NULL, true); /* both are no text */
	check_output("a", "a", "x", false);
}

static void test_output_shown(void **state)
{
	AUTO_BUFFER one = BUFFER_INIT(0);
	struct verdict verdict;

	(void)state;
	put(&one, FIELD_CASE_STDOUT, "caf\xc3\xa9\n");
	put(&one, FIELD_CONTENT, "tea\n");
	run_case(JOB_COMPARE, &one, &verdict);
	assert_string_equal(verdict.expected, "\"caf\\u00e9\\n\"");
	assert_string_equal(verdict.got, "\"tea\\n\"");
	assert_int_equal(verdict.passed, 0);
	free_verdict(&verdict);
}

/* ---- what is shown -------------------------------------------------------------------------- */

static void test_shown(void **state)
{
	(void)state;
	check_shown(GIVES "{'a': [1, 2.5, None, True, 'x']}", "[]",
		    "{\"a\": [1, 2.5, null, true, \"x\"]}", "[]");
	check_shown(GIVES "(1, 2)", "3", "[1, 2]", "3");
	check_shown(GIVES "(1, 2)", "(1, 2)", "[1, 2]", "[1, 2]");
	check_shown(GIVES "(1, 2)", "[1, 2]", "\"(1, 2)\"", "\"[1, 2]\"");
	check_shown(GIVES "[{1}]", "b'x'", "\"[{1}]\"", "\"b'x'\"");
	check_shown(GIVES "{1: 2}", "float('nan')", "\"{1: 2}\"", "\"nan\"");
	check_shown(GIVES "'\\ud800x'", "1+2j", "\"\\ufffdx\"", "\"(1+2j)\"");
	check_shown(GIVES "2**70", "1", "1180591620717411303424", "1");
	check_shown("class A:\n    __repr__ = lambda s: 'A!'\n" GIVES "A()", "'A!'", "\"A!\"",
		    "\"'A!'\"");
}

static void test_shown_is_cut(void **state)
{
	static const char *const codes[] = {
		GIVES "[1] * 100000",
		GIVES "'\\U0001f600' * 20000",
		GIVES "{1: 'x' * 20000}",
	};
	struct verdict verdict;

	(void)state;
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		judge(codes[i], "f", "", "1", NULL, &verdict);
		size_t length = strlen(verdict.got);

		assert_in_range(length, 8 << 10, 16 << 10);
		assert_int_equal(verdict.got[0], '"');
		assert_string_equal(verdict.got + length - 7, "\\u2026\"");
		free_verdict(&verdict);
	}
	judge(GIVES "10**50000", "f", "", "1", NULL, &verdict);
	assert_string_equal(verdict.got, "\"<int too long to show>\"");
	free_verdict(&verdict);
}

/* ---- expected values -------------------------------------------------------------------------- */

static void check_prepare(const char *output, const char *tolerance, bool needs_names,
			  const char *message)
{
	AUTO_BUFFER one = BUFFER_INIT(0);
	struct verdict verdict;

	put(&one, FIELD_CASE_OUTPUT, output);
	put(&one, FIELD_TOLERANCE, tolerance);
	run_case(JOB_PREPARE, &one, &verdict);
	assert_int_equal(verdict.ended_by, ENDED_NORMALLY);
	assert_int_equal(verdict.needs_names, needs_names);
	if (message)
		assert_has(verdict.message ? verdict.message : "nothing", message);
	else
		assert_null(verdict.message);
	free_verdict(&verdict);
}

static void test_prepare(void **state)
{
	(void)state;
	check_prepare("[1, 2]", NULL, false, NULL);
	check_prepare(" 5 ", "0.1", false, NULL);
	check_prepare("list(range(5))", NULL, false, NULL);
	check_prepare("sum(x * x for x in range(3))", NULL, false, NULL);
	check_prepare("Point(1, 2)", NULL, true, NULL);
	check_prepare("math.pi", NULL, true, NULL);
	check_prepare("1 +", NULL, false, "the expected output cannot be evaluated: SyntaxError");
	check_prepare("", NULL, false, "the expected output cannot be evaluated: SyntaxError");
	check_prepare("1 / 0", NULL, false, "cannot be evaluated: ZeroDivisionError");
	check_prepare("exit(1)", NULL, false, "cannot be evaluated: SystemExit");
	check_prepare("len", NULL, false, "is no data that could be compared");
	check_prepare("...", NULL, false, "is no data that could be compared");
	check_prepare("'x' * (2 << 20)", NULL, false, "is larger than 1 MiB");
	check_prepare("1", "wide", false, "the tolerance must be");
	check_prepare(NULL, NULL, false, "there is no expected output");
}

/* The whole way of an output that needs the submission's names. */
static void check_names(const char *code, const char *output, bool passes)
{
	AUTO_BUFFER one = BUFFER_INIT(0);
	struct probe probes[3];
	struct verdict verdict;

	run_submission(code, "f", "", output, probes);
	assert_int_equal(probe_number(&probes[2], FIELD_ENDED_BY), ENDED_NORMALLY);
	copy_field(&one, &probes[1], FIELD_DATA);
	copy_field(&one, &probes[1], FIELD_REPR);
	copy_field(&one, &probes[2], FIELD_EXPECTED_DATA);
	copy_field(&one, &probes[2], FIELD_EQUAL);
	if (probe_number(&probes[2], FIELD_EQUAL) != UINT64_MAX)
		put(&one, FIELD_CASE_OUTPUT, output);
	run_case(JOB_COMPARE, &one, &verdict);
	if (verdict.passed != passes)
		fail_msg("%s\nagainst %s: %s", code, output, verdict.message);
	assert_non_null(verdict.got);
	assert_non_null(verdict.expected);
	free_verdict(&verdict);
	free_probes(probes, 3);
}

static void test_names(void **state)
{
	static const char point[] = "import dataclasses, math\n@dataclasses.dataclass\n"
				    "class P:\n    x: int\n";

	(void)state;
	AUTO_FREE char *gives_point = NULL, *gives_pi = NULL;
	assert_true(asprintf(&gives_point, "%s" GIVES "P(1)", point) > 0);
	assert_true(asprintf(&gives_pi, "%s" GIVES "math.pi", point) > 0);
	check_names(gives_point, "P(1)", true);
	check_names(gives_point, "P(2)", false);
	check_names(gives_point, "P(1).x", false);
	check_names(gives_pi, "math.pi", true);
	check_names(gives_pi, "math.e", false);
	check_names(gives_pi, "P(1)", false);
	check_names("class A:\n    def __eq__(self, o):\n        1 / 0\n" GIVES "A()", "A()",
		    false);
}

static void test_expect_fails(void **state)
{
	AUTO_BUFFER expect = BUFFER_INIT(0);
	struct probe probes[3];

	(void)state;
	run_submission(GIVES "1", "f", "", "missing", probes);
	assert_field(&probes[2], FIELD_EXCEPTION_TYPE, "NameError");
	assert_field(&probes[2], FIELD_EXPECTED_DATA, NULL);
	free_probes(probes, 3);

	run_submission(GIVES "1 / 0", "f", "", "1", probes);
	assert_field(&probes[2], FIELD_EXCEPTION_TYPE, "RuntimeError");
	free_probes(probes, 3);

	run_submission("class A:\n    def __eq__(self, o):\n        raise KeyError('k')\n" GIVES
		       "A()",
		       "f", "", "A()", probes);
	assert_int_equal(probe_number(&probes[2], FIELD_EQUAL), 0);
	assert_field(&probes[2], FIELD_MESSAGE, "got == expected raised KeyError: 'k'");
	free_probes(probes, 3);
}

/* EQUAL is the program's own word: it counts for nothing where it was not asked. */
static void test_equal_is_not_believed(void **state)
{
	AUTO_BUFFER repr = BUFFER_INIT(0), data = BUFFER_INIT(0), nothing = BUFFER_INIT(0);
	struct verdict verdict;

	(void)state;
	put(&repr, FIELD_CASE_OUTPUT, "1");
	put(&repr, FIELD_REPR, "<A>");
	fields_put_number(&repr, FIELD_EQUAL, 1);
	run_case(JOB_COMPARE, &repr, &verdict);
	assert_int_equal(verdict.passed, 0);
	free_verdict(&verdict);

	put(&data, FIELD_EXPECTED_DATA, "1");
	put(&data, FIELD_DATA, "2");
	fields_put_number(&data, FIELD_EQUAL, 1);
	run_case(JOB_COMPARE, &data, &verdict);
	assert_int_equal(verdict.passed, 0);
	free_verdict(&verdict);

	put(&nothing, FIELD_CASE_OUTPUT, "P(1)");
	fields_put_number(&nothing, FIELD_EQUAL, 1);
	run_case(JOB_COMPARE, &nothing, &verdict);
	assert_int_equal(verdict.passed, 0);
	assert_string_equal(verdict.message, "there is no result");
	free_verdict(&verdict);
}

/* ---- payloads ------------------------------------------------------------------------------ */

static void test_many_cases(void **state)
{
	AUTO_BUFFER cases = BUFFER_INIT(0);
	struct probe probe;
	struct fields_reader reader;
	struct field_view field;
	uint64_t count = 0;

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		AUTO_BUFFER one = BUFFER_INIT(0);

		fields_put_number(&one, FIELD_INDEX, i);
		put(&one, FIELD_CASE_OUTPUT, "[1] * 900");
		put(&one, FIELD_DATA, i % 2 ? "[1]" : "[1,2,3]");
		put_case(&cases, &one);
	}
	struct probe_job job = make_job(JOB_COMPARE, &cases);
	probe_run(&job, 1, &probe);
	fields_open(&reader, probe.report.data, probe.report.length);
	while (fields_next(&reader, &field) > 0) {
		if (field.tag != FIELD_CASE_RESULT)
			continue;
		AUTO_FREE char *shown = member_text(&field, FIELD_EXPECTED);
		assert_non_null(shown);
		assert_int_equal(fields_number(field.value, field.length, FIELD_INDEX, 99999),
				 count);
		assert_int_equal(fields_number(field.value, field.length, FIELD_PASSED, 99), 0);
		count++;
	}
	assert_int_equal(count, 2000);
	assert_int_equal(probe_number(&probe, FIELD_ENDED_BY), ENDED_NORMALLY);
	probe_free(&probe);
}

static void test_malformed(void **state)
{
	static const enum job_kind kinds[] = { JOB_CALL, JOB_EXPECT, JOB_PREPARE, JOB_COMPARE };
	struct probe probe;

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		probe_run(&(struct probe_job){ .kind = kinds[i], .code = "no fields" }, 1, &probe);
		assert_true(probe.returned);
		assert_int_equal(probe_number(&probe, FIELD_ENDED_BY), ENDED_BY_EXCEPTION);
		probe_free(&probe);
	}

	AUTO_BUFFER cases = BUFFER_INIT(0);
	struct verdict verdict;
	put(&cases, FIELD_CASE, "no list");
	run_cases(JOB_COMPARE, &cases, &verdict);
	assert_int_equal(verdict.ended_by, ENDED_BY_EXCEPTION);
	assert_null(verdict.got);
	free_verdict(&verdict);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_load_fails),
		cmocka_unit_test(test_inputs),
		cmocka_unit_test(test_prepared_inputs),
		cmocka_unit_test(test_wrong_inputs),
		cmocka_unit_test(test_entry_points),
		cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_names_that_are_not_taken),
		cmocka_unit_test(test_output_of_calls),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_exactness),
		cmocka_unit_test(test_subclasses),
		cmocka_unit_test(test_no_data),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_patches),
		cmocka_unit_test(test_hostile_data),
		cmocka_unit_test(test_hostile_sizes),
		cmocka_unit_test(test_tolerance),
		cmocka_unit_test(test_wrong_tolerance),
		cmocka_unit_test(test_outputs),
		cmocka_unit_test(test_output_shown),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_shown_is_cut),
		cmocka_unit_test(test_prepare),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_expect_fails),
		cmocka_unit_test(test_equal_is_not_believed),
		cmocka_unit_test(test_many_cases),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, probe_start, NULL);
}
