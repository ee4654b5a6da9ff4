/* The playground's courtesy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/protocol.h"
#include "tests/unit/python_probe.h"

static void run(const char *code, struct probe *ret_probe)
{
	probe_run(&(struct probe_job){ .kind = JOB_SCRIPT, .code = code, .restricted = true }, 1,
		  ret_probe);
	assert_true(ret_probe->returned);
}

static void check_refused(const char *code, const char *name)
{
	char message[128];
	struct probe probe;

	run(code, &probe);
	snprintf(message, sizeof message, "%s() is not available in this playground", name);
	if (probe.exit_code != 1)
		fail_msg("%s\nis not refused", code);
	assert_field(&probe, FIELD_EXCEPTION_TYPE, "PermissionError");
	assert_field(&probe, FIELD_EXCEPTION_MESSAGE, message);
	probe_free(&probe);
}

static void check_works(const char *code)
{
	struct probe probe;

	run(code, &probe);
	if (probe.exit_code != 0)
		fail_msg("%s\n%s", code, probe.err);
	probe_free(&probe);
}

static void test_refused(void **state)
{
	(void)state;
	check_refused("open('x')", "open");
	check_refused("with open('x', mode='w') as f: pass", "open");
	check_refused("eval('1')", "eval");
	check_refused("exec('x = 1')", "exec");
	check_refused("compile('1', 'x', 'eval')", "compile");
	check_refused("__import__('os')", "__import__");
	check_refused("__import__('os', globals(), locals(), ('path',), 0)", "__import__");
	check_refused("__import__(name='os')", "__import__");
	check_refused("f = __import__\nf('os')", "__import__");
	check_refused("list(map(__import__, ['os']))", "__import__");
	check_refused("__import__(*['os'])", "__import__");
	check_refused("def f():\n    return eval('1')\nf()", "eval");
	check_refused("class A:\n    x = open('y')", "open");
	check_refused("import threading\nerrors = []\ndef f():\n    try: open('x')\n"
		      "    except PermissionError as e: errors.append(e)\n"
		      "t = threading.Thread(target=f)\nt.start()\nt.join()\nraise errors[0]",
		      "open");
}

/* The kernel refuses the fork; without the exception only a status would say so. */
static void test_system_raises(void **state)
{
	struct probe probe;

	(void)state;
	run("import os\nos.system('true')", &probe);
	assert_int_equal(probe.exit_code, 1);
	assert_field(&probe, FIELD_EXCEPTION_TYPE, "PermissionError");
	assert_field(&probe, FIELD_EXCEPTION_MESSAGE, "[Errno 13] Permission denied");
	probe_free(&probe);
}

static void test_works(void **state)
{
	(void)state;
	check_works(
		"import os, sys\nimport os.path as p\nfrom math import *\nfrom json import loads\n"
		"import xml.dom.minidom\nfrom importlib import reload");
	check_works("def f():\n    import decimal\n    return decimal.Decimal(1)\nf()");
	check_works("class A:\n    import string");
	check_works("import datetime\ndatetime.datetime.strptime('2024', '%Y')");
	check_works("import time\ntime.strptime('2024', '%Y')");
	check_works("import pickle, "
		    "collections\npickle.loads(pickle.dumps(collections.OrderedDict(a=1)))");
	check_works("import collections\nP = collections.namedtuple('P', 'x y')\nP(1, 2)");
	check_works("import dataclasses, enum, typing\n@dataclasses.dataclass\nclass A:\n    x: "
		    "int = 1\n"
		    "class E(enum.Enum):\n    A = 1\nA(), E.A, typing.get_type_hints(A)");
	check_works("import re, random, itertools, functools, statistics, fractions, textwrap, "
		    "sqlite3, csv");
	check_works("import tempfile\nwith tempfile.TemporaryFile() as f: f.write(b'x')");
	check_works("import asyncio\nasync def f(): await asyncio.sleep(0)\nasyncio.run(f())");
	check_works("import unittest\nclass T(unittest.TestCase):\n    def test(self): pass\n"
		    "unittest.main(argv=['x'], exit=False)");
	check_works("import encodings.cp1250\n'x'.encode('cp1250'), b'xx'.decode('utf-16-le')");
	check_works("import codecs\ncodecs.lookup('koi8-r')");
	check_works(
		"print(len([1]), sum([1]), sorted([2, 1]), isinstance(1, int))\nhasattr(int, 'x')");
	check_works("try:\n    import no_such_module\nexcept ModuleNotFoundError: pass");
}

static void test_later_cells(void **state)
{
	static const struct probe_job jobs[] = {
		{ .kind = JOB_CELL, .code = "6 * 7", .restricted = true },
		{ .kind = JOB_CELL, .code = "_", .restricted = true },
		{ .kind = JOB_CELL, .code = "open('x')", .restricted = true },
		{ .kind = JOB_CELL, .code = "import math\nmath.floor(1.5)", .restricted = true },
	};
	struct probe probes[4];

	(void)state;
	probe_run(jobs, 4, probes);
	assert_field(&probes[1], FIELD_RESULT, "42");
	assert_field(&probes[2], FIELD_EXCEPTION_TYPE, "PermissionError");
	assert_field(&probes[3], FIELD_RESULT, "1");
	for (size_t i = 0; i < 4; i++)
		probe_free(&probes[i]);
}

static void test_many_imports_in_one_place(void **state)
{
	AUTO_BUFFER code = BUFFER_INIT(0);

	(void)state;
	/* operands above 255 take an extra instruction */
	for (int i = 0; i < 600; i++) {
		char line[64];
		int length = snprintf(line, sizeof line, "name_%d = 'text %d'\n", i, i);

		assert_int_equal(buffer_append(&code, line, (size_t)length), 0);
	}
	buffer_append(&code, "import colorsys\n", sizeof "import colorsys\n");
	check_works((char *)code.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_system_raises),
		cmocka_unit_test(test_works),
		cmocka_unit_test(test_later_cells),
		cmocka_unit_test(test_many_imports_in_one_place),
	};

	return cmocka_run_group_tests(tests, probe_start, NULL);
}
