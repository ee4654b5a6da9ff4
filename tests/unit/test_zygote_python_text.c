/* What is printed: nothing of it is lost, and sys.stdout is still what it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/protocol.h"
#include "tests/unit/python_probe.h"

static int run_as(struct probe_job job, struct probe *ret_probe)
{
	if (!job.code)
		return -1;
	return probe_run(&job, 1, ret_probe);
}

static int run(const char *code, struct probe *ret_probe)
{
	return run_as((struct probe_job){ .kind = JOB_SCRIPT, .code = code }, ret_probe);
}

/* What was printed before a hard end, flushed or not, in order. */
static void test_hard_ends(void **state)
{
	static const char *const ends[] = {
		"os._exit(3)",
		"os.kill(os.getpid(), 9)",
		"os.abort()",
		"import ctypes, signal; signal.signal(11, signal.SIG_DFL); ctypes.string_at(0)",
		"os.execv('/bin/true', ['true'])",
	};

	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		struct probe probe;
		char code[256];

		snprintf(
			code, sizeof code,
			"import os, sys\nprint('one', flush=True)\nprint('two', end='')\n"
			"sys.stdout.buffer.write(b' three')\nsys.stdout.write(' \\xe4\\udcff')\n%s",
			ends[i]);
		run(code, &probe);
		assert_string_equal(probe.out, "one\n");
		assert_string_equal(probe.left, "two three \xc3\xa4\xff");
		probe_free(&probe);
	}
}

/* All that is printed comes out once, in order, whatever is flushed when. */
static void test_much_text(void **state)
{
	static const char code[] = "import os, sys, hashlib\nh = hashlib.md5()\n"
				   "for i in range(60000):\n"
				   "    s = str(i) * (i % 13)\n"
				   "    if i % 5000 == 0: s = 'x' * (10000 + i)\n"
				   "    h.update(s.encode() + b'\\n')\n    print(s)\n"
				   "    if i % 777 == 0: sys.stdout.flush()\n"
				   "sys.stdout.flush()\nsys.stderr.write(h.hexdigest())\nsys."
				   "stderr.flush()\nos._exit(0)";
	struct probe probe, sum;
	char name[] = "/tmp/test_text_XXXXXX", script[512];
	int fd = mkstemp(name);

	(void)state;
	assert_true(fd >= 0);
	run(code, &probe);
	assert_string_equal(probe.left, "");
	assert_int_equal(write(fd, probe.out, probe.out_length), probe.out_length);
	close(fd);
	snprintf(script, sizeof script,
		 "import hashlib\nprint(hashlib.md5(open('%s', 'rb').read()).hexdigest(), end='')",
		 name);
	run(script, &sum);
	unlink(name);
	assert_int_equal(strlen(probe.err), 32);
	assert_string_equal(sum.out, probe.err);
	probe_free(&probe);
	probe_free(&sum);
}

/* Each pair prints what python3 prints. */
static void test_is_a_text_stream(void **state)
{
	static const char *const pairs[][2] = {
		{ "import io, sys\nprint(isinstance(sys.stdout, io.TextIOWrapper), "
		  "isinstance(sys.stdout.buffer, io.BufferedWriter), "
		  "type(sys.stdout.buffer.raw) is io.FileIO)",
		  "True True True\n" },
		{ "import sys\nprint(sys.stdout, repr(sys.stdout.buffer))",
		  "<_io.TextIOWrapper name='<stdout>' mode='w' encoding='utf-8'> "
		  "<_io.BufferedWriter name='<stdout>'>\n" },
		{ "import sys\no = sys.stdout\nprint(o.isatty(), o.fileno(), o.writable(), "
		  "o.readable(), o.closed, o.line_buffering, o.write_through, o.errors, "
		  "o.newlines, o.name, o.mode)",
		  "False 1 True False False False False surrogateescape None <stdout> w\n" },
		{ "import sys\nprint(sys.stderr.line_buffering, sys.stderr.write_through, "
		  "sys.stderr.errors)",
		  "True False backslashreplace\n" },
		{ "import sys\nprint(sys.stdout.write('\xc3\xa4\xe2\x82\xac'))",
		  "\xc3\xa4\xe2\x82\xac"
		  "2\n" },
		{ "import sys\nsys.stdout.reconfigure(encoding='latin-1', errors='replace')\n"
		  "print('\xc3\xa4\xe2\x82\xac', sys.stdout.encoding)",
		  "\xe4? latin-1\n" },
		{ "import sys\nprint('a')\nsys.stdout.reconfigure(newline='\\r\\n')\nprint('b')",
		  "a\nb\r\n" },
		{ "import sys\nsys.stdout.reconfigure(line_buffering=True, write_through=True)\n"
		  "print(sys.stdout.line_buffering, sys.stdout.write_through)\n"
		  "sys.stdout.reconfigure(write_through=False)\nprint(sys.stdout.write_through)",
		  "True True\nFalse\n" },
		{ "import os, sys\nsys.stdout.reconfigure(line_buffering=True)\nprint('a')\n"
		  "os.write(1, b'b')",
		  "a\nb" },
		{ "import sys\nb = sys.stdout.detach()\nb.write(b'raw')\nb.flush()\n"
		  "try: sys.stdout.write('x')\n"
		  "except ValueError as e: sys.stderr.write(str(e))\nsys.stdout = None",
		  "raw" },
		{ "import sys\nprint('a')\nraw = sys.stdout.buffer.detach()\nraw.write(b'b')\n"
		  "sys.stdout = None",
		  "a\nb" },
		{ "import io, sys\nprint('a')\n"
		  "sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='latin-1')\n"
		  "print('\xc3\xa4')",
		  "a\n\xe4\n" },
		{ "import sys\nsys.stdout.close()\n"
		  "try: print('x')\nexcept ValueError as e: sys.stderr.write(str(e))",
		  "" },
		{ "import sys\ntry: sys.stdout.write(b'x')\nexcept TypeError as e: print(e)",
		  "write() argument must be str, not bytes\n" },
		{ "import sys\ntry: sys.stdout.buffer.write('x')\nexcept TypeError as e: print(e)",
		  "a bytes-like object is required, not 'str'\n" },
		{ "import sys\nprint(sys.stdout.buffer.write(memoryview(b'abc')))", "abc3\n" },
		{ "import sys\nclass S(str): pass\nprint(S('sub'))\nsys.stdout.writelines(['a', "
		  "'b'])",
		  "sub\nab" },
		{ "import os\nprint('before')\nif os.fork() == 0:\n    print('child')\n"
		  "else:\n    os.wait()\n    print('parent')",
		  "before\nchild\nbefore\nparent\n" },
		{ "import os\nprint('before')\npid = os.fork()\n"
		  "if pid == 0: os._exit(0)\nos.wait()",
		  "before\n" },
		{ "import subprocess\nprint('a')\nsubprocess.run(['echo', 'b'])\nprint('c')",
		  "b\na\nc\n" },
		{ "import os\nf = os.open('/tmp', os.O_TMPFILE | os.O_RDWR)\nkept = os.dup(1)\n"
		  "os.dup2(f, 1)\nprint('to the file', flush=True)\nos.dup2(kept, 1)\n"
		  "print(os.pread(f, 100, 0))",
		  "b'to the file\\n'\n" },
		{ "import threading, sys\n"
		  "def work(n):\n    for i in range(2000): sys.stdout.write(f'{n} {i}\\n')\n"
		  "t = [threading.Thread(target=work, args=(n,)) for n in range(4)]\n"
		  "for x in t: x.start()\nfor x in t: x.join()\nsys.stdout.flush()\n"
		  "sys.stderr.write('done')",
		  NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct probe probe;

		run(pairs[i][0], &probe);
		if (pairs[i][1] && strcmp(probe.out, pairs[i][1]) != 0)
			fail_msg("%s\nprints \"%s\", not \"%s\" (%s)", pairs[i][0], probe.out,
				 pairs[i][1], probe.err);
		if (!pairs[i][1])
			assert_string_equal(probe.err, "done");
		assert_string_equal(probe.left, "");
		probe_free(&probe);
	}
}

/* Redirected text is not for the executor, and a child's is its own. */
static void test_text_of_others(void **state)
{
	struct probe probe;

	(void)state;
	run("import os\nf = os.open('/tmp', os.O_TMPFILE | os.O_RDWR)\nos.dup2(f, 1)\n"
	    "print('to the file')\nos._exit(0)",
	    &probe);
	assert_string_equal(probe.left, "");
	probe_free(&probe);
	run("import os\nprint('both')\npid = os.fork()\nif pid == 0:\n    print('child')\n"
	    "    os._exit(0)\nos.waitpid(pid, 0)\nprint('parent')\nos._exit(0)",
	    &probe);
	assert_string_equal(probe.out, "");
	assert_string_equal(probe.left, "both\nparent\n");
	probe_free(&probe);
}

/* A pipe that nobody reads: an interrupt gets through, and what was not written stays. */
static void test_interrupt_while_blocked(void **state)
{
	struct probe probe;

	(void)state;
	run_as(
		(struct probe_job){
			.kind = JOB_SCRIPT,
			.code = "import os, sys\nr, w = os.pipe()\nkept = os.dup(1)\nos.dup2(w, "
				"1)\n"
				"try:\n    while True: print('x' * 100)\n"
				"except KeyboardInterrupt:\n    os.dup2(kept, 1)\n"
				"    print('interrupted', file=sys.stderr)\n    os._exit(0)",
			.interrupt_after_ms = 300 },
		&probe);
	assert_string_equal(probe.err, "interrupted\n");
	probe_free(&probe);
}

/* What cannot be written fails as ever, and is not in a later cell's output. */
static void test_closed_descriptor(void **state)
{
	const struct probe_job jobs[] = {
		{ .kind = JOB_CELL, .code = "import os\nos.close(1)\nprint('lost')" },
		{ .kind = JOB_CELL, .code = "print('kept')" },
	};
	struct probe cells[2];

	(void)state;
	probe_run(jobs, 2, cells);
	assert_string_equal(cells[0].out, "");
	assert_string_equal(cells[1].out, "kept\n");
	assert_string_equal(cells[1].left, "");
	for (int i = 0; i < 2; i++)
		probe_free(&cells[i]);
}

/* A copy of the session begins with no text of anybody's. */
static void test_text_after_a_copy(void **state)
{
	const struct probe_job jobs[] = {
		{ .kind = JOB_CELL, .code = "print('one')" },
		{ .kind = JOB_CELL, .code = "print('two')", .in_copy = true },
		{ .kind = JOB_CELL, .code = "import os\nprint('three')\nos._exit(0)" },
	};
	struct probe cells[3];

	(void)state;
	probe_run(jobs, 3, cells);
	assert_string_equal(cells[0].out, "one\n");
	assert_string_equal(cells[1].out, "two\n");
	assert_string_equal(cells[2].out, "");
	assert_string_equal(cells[2].left, "three\n");
	for (int i = 0; i < 3; i++)
		probe_free(&cells[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hard_ends),
		cmocka_unit_test(test_much_text),
		cmocka_unit_test(test_is_a_text_stream),
		cmocka_unit_test(test_text_of_others),
		cmocka_unit_test(test_interrupt_while_blocked),
		cmocka_unit_test(test_closed_descriptor),
		cmocka_unit_test(test_text_after_a_copy),
	};

	return cmocka_run_group_tests(tests, probe_start, NULL);
}
