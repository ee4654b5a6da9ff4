/* What the report says of a script: the last expression, exceptions, exits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/protocol.h"
#include "tests/unit/python_probe.h"

static void run(const char *code, struct probe *ret_probe)
{
	probe_run(&(struct probe_job){ .kind = JOB_SCRIPT, .code = code }, 1, ret_probe);
	assert_true(ret_probe->returned);
}

static void check_result(const char *code, const char *expected)
{
	struct probe probe;

	run(code, &probe);
	if (probe_number(&probe, FIELD_ENDED_BY) != ENDED_NORMALLY)
		fail_msg("%s\n%s", code, probe.err);
	assert_int_equal(probe_number(&probe, FIELD_EXIT_CODE), 0);
	AUTO_FREE char *result = probe_text(&probe, FIELD_RESULT);
	if (expected ? !result || strcmp(result, expected) != 0 : result != NULL)
		fail_msg("%s\ngives %s instead of %s", code, result ? result : "nothing",
			 expected ? expected : "nothing");
	assert_string_equal(probe.out, "");
	probe_free(&probe);
}

static void test_last_expression(void **state)
{
	(void)state;
	check_result("1 + 1", "2");
	check_result("x = 5\nx", "5");
	check_result("x = 5; x", "5");
	check_result("x = 5 ; (x,)", "(5,)");
	check_result("'text'", "'text'");
	check_result("42", "42");
	check_result("...", "Ellipsis");
	check_result("-1", "-1");
	check_result("not 1", "False");
	check_result("lambda_ = 3\nlambda_", "3");
	check_result("(lambda: 5)()", "5");
	check_result("a = b = 1\na == b", "True");
	check_result("a = 1\na <= 2", "True");
	check_result("a = 1\na != 2", "True");
	check_result("a = 1\na << 2", "4");
	check_result("{'a': 1}", "{'a': 1}");
	check_result("{'a': 1}['a']", "1");
	check_result("[1, 2, 3][1:]", "[2, 3]");
	check_result("(y := 7)", "7");
	check_result("dict(a=1)", "{'a': 1}");
	check_result("dict(\n    a=1,\n)", "{'a': 1}");
	check_result("dict(\na=1,\nb=2)", "{'a': 1, 'b': 2}");
	check_result("[\n1,\n2\n]", "[1, 2]");
	check_result("x = 1\nx # comment", "1");
	check_result("x = 1\nx\n\n# the end\n   # indented\n", "1");
	check_result("x = 1\nx # \"\"\" quotes", "1");
	check_result("'a' 'b'", "'ab'");
	check_result("'a;b'", "'a;b'");
	check_result("'a=b'", "'a=b'");
	check_result("f'{1 + 1}'", "'2'");
	check_result("d = {'k': 1}\nf\"{d['k']}=\"", "'1='");
	check_result("'''one\ntwo'''", "'one\\ntwo'");
	check_result("len('''\nx = 5\n''')", "7");
	check_result("'\\\\'", "'\\\\'");
	check_result("1 + \\\n2", "3");
	check_result("x = 1 \\\n+ 2\nx", "3");
	check_result("\xef\xbb\xbf'bom'", "'bom'");
	check_result("# coding: latin-1\n'\xe9'", "'\xc3\xa9'");
	check_result("x = 1\r\nx\r\n", "1");
	check_result("from __future__ import annotations\ndef f(x: y): pass\nf.__annotations__",
		     "{'x': 'y'}");
	check_result("def f():\n    return 3\nf()", "3");
	check_result("def f():\n    return 3\n\n\nf()\n", "3");
	check_result("''", "''");
	check_result("'\\0\\ud800'", "'\\x00\\ud800'");
	check_result("x = '\xe2\x82\xac'\nx", "'\xe2\x82\xac'");
}

static void test_no_expression(void **state)
{
	(void)state;
	check_result("", NULL);
	check_result("# nothing", NULL);
	check_result("x = 5", NULL);
	check_result("x: int = 5", NULL);
	check_result("x: int", NULL);
	check_result("x = 0\nx += 1", NULL);
	check_result("x = 1\nx <<= 1", NULL);
	check_result("None", NULL);
	check_result("[].sort()", NULL);
	check_result("def f(): 5", NULL);
	check_result("if 1: 5", NULL);
	check_result("if 1:\n    5\nelse:\n    6", NULL);
	check_result("for i in range(2): i", NULL);
	check_result("import os", NULL);
	check_result("5; x = 1", NULL);
	check_result("pass", NULL);
	check_result("f = lambda x=1: x", NULL);
	check_result("try:\n    5\nfinally:\n    6\n", NULL);
	check_result("class A:\n    5", NULL);
	check_result("x = '''\n5\n'''", NULL);
}

static void test_long_results(void **state)
{
	struct probe probe;
	AUTO_FREE char *result = NULL;

	(void)state;
	run("'\xc3\xa4' * 10 ** 6", &probe);
	result = probe_text(&probe, FIELD_RESULT);
	assert_true(strlen(result) <= 64 << 10);
	assert_true(strlen(result) > (64 << 10) - 8);
	assert_string_equal(result + strlen(result) - 3, "\xe2\x80\xa6");
	probe_free(&probe);

	/* not by way of the whole text: that would be 10 GB */
	free(result);
	run("x = ['a' * 1000] * 1000\nx = [x] * 1000\n[x] * 10", &probe);
	assert_int_equal(probe.exit_code, 0);
	result = probe_text(&probe, FIELD_RESULT);
	assert_has(result, "[[['aaaa");
	probe_free(&probe);
}

static void test_containers(void **state)
{
	(void)state;
	check_result("[1, 'a', b'b', (1,), (), [], {}, set(), {1}, frozenset(), frozenset({2}), "
		     "{1: [2]}, None, 1.5]",
		     "[1, 'a', b'b', (1,), (), [], {}, set(), {1}, frozenset(), frozenset({2}), "
		     "{1: [2]}, None, 1.5]");
	check_result("x = []\nx.append(x)\nx", "[[...]]");
	check_result("x = {}\nx[1] = x\nx", "{1: {...}}");
	check_result("x = []\nt = (x,)\nx.append(t)\nt", "([(...)],)");
	check_result("class L(list):\n    def __repr__(self): return 'mine'\n[L()]", "[mine]");
	check_result("x = [1, 2]\nclass C:\n    def __repr__(self):\n        x.clear()\n"
		     "        return 'C'\nx.insert(0, C())\nx",
		     "[C]");
}

static void test_exception(void **state)
{
	struct probe probe;

	(void)state;
	run("def f():\n    raise ValueError('wrong', 5)\n\n\nf()\n", &probe);
	assert_int_equal(probe.exit_code, 1);
	assert_int_equal(probe_number(&probe, FIELD_ENDED_BY), ENDED_BY_EXCEPTION);
	assert_int_equal(probe_number(&probe, FIELD_EXIT_CODE), 1);
	assert_int_equal(probe_number(&probe, FIELD_EXCEPTION_LINE), 2);
	assert_field(&probe, FIELD_EXCEPTION_TYPE, "ValueError");
	assert_field(&probe, FIELD_EXCEPTION_MESSAGE, "('wrong', 5)");
	assert_field(&probe, FIELD_RESULT, NULL);
	assert_field(&probe, FIELD_TRACEBACK, probe.err);
	assert_has(probe.err, "Traceback (most recent call last):\n"
			      "  File \"main.py\", line 5, in <module>\n    f()\n");
	probe_free(&probe);

	run("import json\njson.loads('{')", &probe);
	assert_field(&probe, FIELD_EXCEPTION_TYPE, "json.decoder.JSONDecodeError");
	assert_int_equal(probe_number(&probe, FIELD_EXCEPTION_LINE), 2);
	probe_free(&probe);

	run("class Mine(Exception): pass\nraise Mine", &probe);
	assert_field(&probe, FIELD_EXCEPTION_TYPE, "Mine");
	assert_field(&probe, FIELD_EXCEPTION_MESSAGE, "");
	probe_free(&probe);
}

static void test_syntax_error(void **state)
{
	struct probe probe;

	(void)state;
	run("x = 1\n\nx = = 2\n", &probe);
	assert_field(&probe, FIELD_EXCEPTION_TYPE, "SyntaxError");
	assert_field(&probe, FIELD_EXCEPTION_MESSAGE, "invalid syntax");
	assert_int_equal(probe_number(&probe, FIELD_EXCEPTION_LINE), 3);
	assert_has(probe.err, "    x = = 2\n");
	probe_free(&probe);

	run("print('not run')\nreturn 5", &probe);
	assert_string_equal(probe.out, "");
	assert_int_equal(probe_number(&probe, FIELD_EXCEPTION_LINE), 2);
	probe_free(&probe);

	probe_run(&(struct probe_job){ .kind = JOB_SCRIPT, .code = "x = 1\nx\0y", .length = 9 }, 1,
		  &probe);
	assert_field(&probe, FIELD_EXCEPTION_TYPE, "SyntaxError");
	assert_field(&probe, FIELD_EXCEPTION_MESSAGE, "source code cannot contain null bytes");
	assert_int_equal(probe_number(&probe, FIELD_EXCEPTION_LINE), 2);
	probe_free(&probe);
}

static void test_failing_repr(void **state)
{
	struct probe probe;

	(void)state;
	run("class A:\n    def __repr__(self): raise KeyError('in repr')\nA()", &probe);
	assert_int_equal(probe.exit_code, 1);
	assert_field(&probe, FIELD_EXCEPTION_TYPE, "KeyError");
	assert_field(&probe, FIELD_RESULT, NULL);
	assert_int_equal(probe_number(&probe, FIELD_EXCEPTION_LINE), 2);
	probe_free(&probe);

	run("class A:\n    def __repr__(self): raise SystemExit(4)\n[A()]", &probe);
	assert_int_equal(probe.exit_code, 4);
	assert_int_equal(probe_number(&probe, FIELD_ENDED_BY), ENDED_BY_EXIT);
	probe_free(&probe);
}

static void test_exit(void **state)
{
	struct probe probe;

	(void)state;
	run("import sys\nsys.exit(259)", &probe);
	assert_int_equal(probe.exit_code, 3);
	assert_int_equal(probe_number(&probe, FIELD_ENDED_BY), ENDED_BY_EXIT);
	assert_int_equal(probe_number(&probe, FIELD_EXIT_CODE), 3);
	assert_field(&probe, FIELD_TRACEBACK, NULL);
	assert_field(&probe, FIELD_EXCEPTION_TYPE, NULL);
	probe_free(&probe);
}

static void test_long_traceback(void **state)
{
	struct probe probe;

	(void)state;
	run("raise ValueError('begin ' + '\xc3\xa4' * 10 ** 6 + ' end')", &probe);
	AUTO_FREE char *text = probe_text(&probe, FIELD_TRACEBACK);
	assert_true(strlen(text) <= 64 << 10);
	assert_has(text, "Traceback (most recent call last):\n");
	assert_has(text, "begin ");
	assert_has(text, "bytes left out");
	assert_has(text, " end\n");
	assert_true(probe.err_length > 2000000);
	probe_free(&probe);
}

static void test_streaming(void **state)
{
	static const char code[] = "import os, sys\nsys.stdout.write('a\\n')\nos.write(1, b'b')\n"
				   "sys.stdout.write('c')\nos._exit(0)";
	struct probe probe;

	(void)state;
	probe_run(&(struct probe_job){ .kind = JOB_SCRIPT, .code = code, .streaming = true }, 1,
		  &probe);
	assert_string_equal(probe.out, "a\nb");
	assert_string_equal(probe.left, "c");
	probe_free(&probe);
	probe_run(&(struct probe_job){ .kind = JOB_SCRIPT, .code = code }, 1, &probe);
	assert_string_equal(probe.out, "b");
	assert_string_equal(probe.left, "a\nc");
	probe_free(&probe);
}

static void test_differs_between_forks(void **state)
{
	static const char code[] =
		"import random, tempfile, uuid\n"
		"print(random.random(), '|', next(tempfile._get_candidate_names()), '|', "
		"uuid.uuid4(), '|', id(object()), '|', id([]))";
	char parts[4][5][64];

	(void)state;
	for (int run_number = 0; run_number < 4; run_number++) {
		struct probe probe;

		run(code, &probe);
		assert_int_equal(sscanf(probe.out, "%63[^|]|%63[^|]|%63[^|]|%63[^|]|%63[^|]",
					parts[run_number][0], parts[run_number][1],
					parts[run_number][2], parts[run_number][3],
					parts[run_number][4]),
				 5);
		for (int before = 0; before < run_number; before++) {
			for (int part = 0; part < 5; part++)
				assert_string_not_equal(parts[before][part],
							parts[run_number][part]);
		}
		probe_free(&probe);
	}
}

static void test_network_names(void **state)
{
	static const char *const calls[] = {
		"getaddrinfo('localhost', 80)",      "gethostbyname('localhost')",
		"gethostbyname_ex('localhost')",     "gethostbyaddr('127.0.0.1')",
		"getnameinfo(('127.0.0.1', 80), 0)",
	};

	(void)state;
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		char code[128];
		struct probe probe;

		snprintf(code, sizeof code, "import socket\nsocket.%s", calls[i]);
		run(code, &probe);
		assert_field(&probe, FIELD_EXCEPTION_TYPE, "PermissionError");
		assert_field(&probe, FIELD_EXCEPTION_MESSAGE, "[Errno 13] Permission denied");
		probe_free(&probe);
	}
	check_result("import socket\nsocket.gethostname() != ''", "True");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_expression),
		cmocka_unit_test(test_no_expression),
		cmocka_unit_test(test_long_results),
		cmocka_unit_test(test_containers),
		cmocka_unit_test(test_exception),
		cmocka_unit_test(test_syntax_error),
		cmocka_unit_test(test_failing_repr),
		cmocka_unit_test(test_exit),
		cmocka_unit_test(test_long_traceback),
		cmocka_unit_test(test_streaming),
		cmocka_unit_test(test_differs_between_forks),
		cmocka_unit_test(test_network_names),
	};

	return cmocka_run_group_tests(tests, probe_start, NULL);
}
