/* Interactive jobs: standard input is asked for as the program reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/protocol.h"
#include "tests/unit/python_probe.h"

/* A script, what is typed, what it prints and what it asks for. */
static const struct {
	const char *code, *typed, *out, *told;
} runs[] = {
	{ "for i in range(3): print(input('? '))", "a\nb\n\xc3\xa4\n", "? a\n? b\n? \xc3\xa4\n",
	  "input ? \ninput ? \ninput ? \n" },
	{ "import sys\nprint('name: ', end='')\nprint([sys.stdin.readline(), "
	  "sys.stdin.readline()])",
	  "x\ny\n", "name: ['x\\n', 'y\\n']\n", "input \ninput \n" },
	{ "import sys\nprint([line for line in sys.stdin])", "1\n2\n", "['1\\n', '2\\n']\n",
	  "input \ninput \ninput \n" },
	{ "import sys\nprint(repr(sys.stdin.read()), repr(sys.stdin.read()))", "1\n2\n3",
	  "'1\\n2\\n3' ''\n", "input \ninput \ninput \ninput \n" },
	{ "import sys\nprint(sys.stdin.buffer.readline(), sys.stdin.buffer.raw.read(2), "
	  "sys.stdin.buffer.raw.read())",
	  "1\n23\n4\n", "b'1\\n' b'23' b'\\n4\\n'\n", "input \ninput \ninput \ninput \n" },
	{ "import getpass\nprint(getpass.getpass(), getpass.getpass('Key: '))", "p\nk\n",
	  "Password: Key: p k\n", "input password Password: \ninput password Key: \n" },
	{ "try: input('once ')\nexcept EOFError as e: print(e)\n"
	  "try: input('twice ')\nexcept EOFError as e: print(e)",
	  "", "once EOF when reading a line\ntwice EOF when reading a line\n", "input once \n" },
	{ "try: input('? ')\nexcept KeyboardInterrupt: print('interrupted')\nprint(input('again "
	  "'))",
	  "!ok\n", "? interrupted\nagain ok\n", "input ? \ninput again \n" },
	{ "import signal\nsignal.signal(signal.SIGINT, lambda *a: print('handled'))\n"
	  "print(input('? '))",
	  "!ok\n", "? handled\nok\n", "input ? \n" },
	{ "import io, sys\nsys.stdin = io.StringIO('own\\n')\nprint(input('? '))", "not\n",
	  "? own\n", "" },
	{ "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n    x = "
	  "input('? ')\n"
	  "print(x)",
	  "a\n", "a\n", "input ? \n" },
	{ "print(input(1), input())", "a\nb\n", "1a b\n", "input 1\ninput \n" },
	{ "import os\nif os.fork() == 0:\n    try: input()\n    except OSError as e: print(e)\n"
	  "else:\n    os.wait()\n    print(input())",
	  "a\n", "only the program's first process can do that\na\n", "input \n" },
	{ "import threading\ndef f():\n    try: input('t')\n    except OSError as e: print(e)\n"
	  "t = threading.Thread(target=f)\nt.start()\nt.join()",
	  "a\n", "tonly the main thread can wait for input\n", "" },
};

static void test_runs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		struct probe probe;

		probe_run(&(struct probe_job){ .kind = JOB_SCRIPT,
					       .code = runs[i].code,
					       .typed = runs[i].typed },
			  1, &probe);
		if (strcmp(probe.out, runs[i].out) != 0 || strcmp(probe.told, runs[i].told) != 0)
			fail_msg("%s\nprints %s\nnot    %s\ntells  %s\nnot    %s\n%s", runs[i].code,
				 probe.out, runs[i].out, probe.told, runs[i].told, probe.err);
		probe_free(&probe);
	}
}

/* What was given with the job comes first. */
static void test_given_input(void **state)
{
	struct probe probe;

	(void)state;
	probe_run(&(struct probe_job){ .kind = JOB_SCRIPT,
				       .code = "print([input(), input(), input()])",
				       .stdin_text = "one\ntw",
				       .typed = "o\nthree\n" },
		  1, &probe);
	assert_string_equal(probe.out, "['one', 'two', 'three']\n");
	assert_string_equal(probe.told, "input \ninput \n");
	probe_free(&probe);
}

/* Each cell for itself: interactive or not, and after an end of file. */
static void test_cells(void **state)
{
	const struct probe_job jobs[] = {
		{ .kind = JOB_CELL, .code = "input('a ')", .typed = "1\n" },
		{ .kind = JOB_CELL, .code = "input('b ')" },
		{ .kind = JOB_CELL, .code = "input('c ')", .stdin_text = "given\n" },
		{ .kind = JOB_CELL, .code = "input('d ')", .typed = "" },
		{ .kind = JOB_CELL, .code = "input('e ')", .typed = "2\nrest\n" },
		{ .kind = JOB_CELL, .code = "input('f ')", .typed = "3\n" },
	};
	static const char *const results[] = { "'1'", NULL, "'given'", NULL, "'2'", "'3'" };
	static const char *const told[] = { "input a \n", "",           "",
					    "input d \n", "input e \n", "input f \n" };
	enum { COUNT = sizeof jobs / sizeof *jobs };
	struct probe cells[COUNT];

	(void)state;
	probe_run(jobs, COUNT, cells);
	for (size_t i = 0; i < COUNT; i++) {
		assert_field(&cells[i], FIELD_RESULT, results[i]);
		assert_string_equal(cells[i].told, told[i]);
		if (!results[i])
			assert_field(&cells[i], FIELD_EXCEPTION_TYPE, "EOFError");
		probe_free(&cells[i]);
	}
}

/* Without anybody who answers the functions are CPython's. */
static void test_not_interactive(void **state)
{
	struct probe probe;

	(void)state;
	probe_run(&(struct probe_job){ .kind = JOB_SCRIPT,
				       .code = "import sys\nprint(input('? '), input.__name__, "
					       "type(input).__name__, input.__doc__[:13], "
					       "sys.stdin, sys.stdin.buffer.raw.mode)",
				       .stdin_text = "x\n" },
		  1, &probe);
	assert_string_equal(probe.out,
			    "? x input builtin_function_or_method Read a string "
			    "<_io.TextIOWrapper name='<stdin>' mode='r' encoding='utf-8'> rb\n");
	assert_string_equal(probe.told, "");
	probe_free(&probe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_given_input),
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_not_interactive),
	};

	return cmocka_run_group_tests(tests, probe_start, NULL);
}
