/* A script ends as with `python3 FILE`: same output, same errors, same code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/python_probe.h"

#ifndef PYTHON_PROGRAM
#define PYTHON_PROGRAM "/usr/bin/python3"
#endif

#define SCRIPT(text)                                                                               \
	{                                                                                          \
		.kind = JOB_SCRIPT, .code = text, .length = sizeof(text) - 1                       \
	}
#define SCRIPT_WITH_INPUT(text, input)                                                             \
	{                                                                                          \
		.kind = JOB_SCRIPT, .code = text, .length = sizeof(text) - 1, .stdin_text = input  \
	}

static const struct probe_job scripts[] = {
	SCRIPT(""),
	SCRIPT("\n\n# nothing\n"),
	SCRIPT("print(1)"),
	SCRIPT("print(__name__, __doc__, sorted(k for k in globals() if k != '__file__' and "
	       "k != '__cached__'))"),
	SCRIPT("\"\"\"A text.\"\"\"\nprint(__doc__)"),
	SCRIPT("'only a text'"),
	SCRIPT("import sys\nprint(sys.argv[1:], sys.flags.isolated, sys.flags.utf8_mode, "
	       "sys.executable, sys.prefix, sys.stdout.encoding, sys.stdout.errors, "
	       "sys.stdin.errors, sys.stderr.errors, sys.dont_write_bytecode)"),
	SCRIPT("import sys\nprint([p for p in sys.path if p != '/workspace'])"),
	SCRIPT("x = 1\nx / 0"),
	SCRIPT("1 / 0"),
	SCRIPT("def f(n):\n    if n:\n        return f(n - 1)\n    raise KeyError('deep', "
	       "n)\n\nf(5)\n"),
	SCRIPT("def f(): f()\nf()"),
	SCRIPT("try:\n    1 / 0\nexcept Exception as error:\n    raise ValueError('second') from "
	       "error"),
	SCRIPT("try:\n    1 / 0\nexcept Exception:\n    [][1]"),
	SCRIPT("import json\njson.loads('{')"),
	SCRIPT("raise BaseException('bare')"),
	SCRIPT("raise GeneratorExit"),
	SCRIPT("raise OSError(2, 'No such file', 'name')"),
	SCRIPT("assert 1 == 2, 'message\\nin two lines'"),
	SCRIPT("undefined_name"),
	SCRIPT("x = = 3"),
	SCRIPT("print('a'\nx = 1\n"),
	SCRIPT("def f():\n\tx\n        y\n"),
	SCRIPT("x = 'unterminated"),
	SCRIPT("return 5"),
	SCRIPT("yield 5"),
	SCRIPT("await x"),
	SCRIPT("x = 1\nlambda: (yield)\nawait x"),
	SCRIPT("from __future__ import annotations\ndef f(x: missing): "
	       "pass\nprint(f.__annotations__)"),
	SCRIPT("from __future__ import nonsense"),
	SCRIPT("print('before')\nfrom __future__ import annotations\n"),
	SCRIPT("import sys\nsys.exit()"),
	SCRIPT("import sys\nsys.exit(7)"),
	SCRIPT("import sys\nsys.exit(-1)"),
	SCRIPT("import sys\nsys.exit(256 + 3)"),
	SCRIPT("import sys\nsys.exit(True)"),
	SCRIPT("import sys\nsys.exit('a text')"),
	SCRIPT("import sys\nsys.exit(['a', 'list'])"),
	SCRIPT("import sys\nsys.exit(None)"),
	SCRIPT("raise SystemExit"),
	SCRIPT("raise SystemExit(1, 2)"),
	SCRIPT("print('bye')\nexit(4)"),
	SCRIPT("class E(SystemExit): pass\nraise E(5)"),
	SCRIPT("import os\nprint('lost')\nos._exit(9)"),
	SCRIPT("import sys\nprint('kept', flush=True)\nsys.stdout = None\nprint('lost')\n"),
	SCRIPT("import sys\nsys.stdout = sys.stderr\nprint('to stderr')"),
	SCRIPT("import sys, io\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer, "
	       "'latin-1')\nprint('\xc3\xa9')"),
	SCRIPT("import os\nos.close(1)\nprint('lost')"),
	SCRIPT("import sys\nsys.stdout.close()\n"),
	SCRIPT("import sys, io\nsys.stderr = io.StringIO()\n1/0"),
	SCRIPT("import sys\nsys.excepthook = lambda *a: print('hook', a[0].__name__, a[1])\n1/0"),
	SCRIPT("import sys\ndel sys.excepthook\n1/0"),
	SCRIPT("import sys\nsys.__excepthook__(ValueError, ValueError('shown'), None)"),
	SCRIPT("import atexit\natexit.register(print, 'first')\natexit.register(print, 'second')"),
	SCRIPT("import atexit\natexit.register(print, 'still')\nraise ValueError"),
	SCRIPT("import atexit, sys\natexit.register(lambda: print(type(sys.last_value)))\n1/0"),
	SCRIPT("class D:\n    def __del__(self): print('del', type(self).__name__)\nd = D()\ne = "
	       "[D()]\ne.append(e)"),
	SCRIPT("import os\nclass D:\n    def __del__(self): print('del', os.path.sep, helper())\n"
	       "def helper(): return 5\nd = D()"),
	SCRIPT("import sys\nsys.unraisablehook = lambda u: print('hook', u.exc_type.__name__)\n"
	       "class D:\n    def __del__(self): 1/0\nD()"),
	SCRIPT("import threading\nt = threading.Thread(target=print, args=('thread',))\nt.start()"),
	SCRIPT("import threading, time\ndef f():\n    time.sleep(0.05)\n    print('late')\n"
	       "threading.Thread(target=f).start()\nprint('main')"),
	SCRIPT("import threading, time\nthreading.Thread(target=time.sleep, args=(9,), "
	       "daemon=True).start()\n"
	       "print('main')"),
	SCRIPT("import threading\ndef f():\n    1/0\nt = threading.Thread(target=f, "
	       "name='T')\nt.start()\nt.join()"),
	SCRIPT("import threading, sys\nt = threading.Thread(target=sys.exit, "
	       "args=(3,))\nt.start()\nt.join()"),
	SCRIPT("import threading\nthreading.excepthook = lambda a: print('hook', a.exc_type)\n"
	       "t = threading.Thread(target=int, args=('x',))\nt.start()\nt.join()"),
	SCRIPT("import concurrent.futures as c\ne = c.ThreadPoolExecutor(2)\ne.submit(print, "
	       "'pool')\n"),
	SCRIPT("import logging\nlogging.basicConfig(level=10)\nlogging.info('logged %d', 5)"),
	SCRIPT("import logging, sys\nh = logging.handlers = "
	       "__import__('logging.handlers').handlers."
	       "MemoryHandler(100, target=logging.StreamHandler(sys.stdout))\n"
	       "logging.getLogger().addHandler(h)\nlogging.error('flushed at the end')"),
	SCRIPT("import warnings\nwarnings.warn('careful')"),
	SCRIPT("print(1 is 1)"),
	SCRIPT("import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return "
	       "5\nprint(asyncio.run(f()))"),
	SCRIPT("import asyncio\nasync def f(): pass\nf()\nprint('x')"),
	SCRIPT("import weakref\nclass A: pass\na = A()\nweakref.finalize(a, print, 'finalized')"),
	SCRIPT("import os\npid = os.fork()\nif pid == 0:\n    print('child')\n    raise "
	       "SystemExit(3)\n"
	       "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"),
	SCRIPT("import os\npid = os.fork()\nif pid == 0:\n    1/0\n"
	       "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"),
	SCRIPT("import os, atexit\nprint('once')\natexit.register(print, 'both')\nimport "
	       "sys\nsys.stdout.flush()\n"
	       "pid = os.fork()\nif pid: os.waitpid(pid, 0)"),
	SCRIPT("import multiprocessing as m\nm.set_start_method('fork')\n"
	       "def f(q): q.send('from the child')\na, b = m.Pipe()\np = m.Process(target=f, "
	       "args=(b,))\n"
	       "p.start()\nprint(a.recv())\np.join()\nprint(p.exitcode)"),
	SCRIPT("import pickle\nclass P:\n    def __init__(self): self.x = "
	       "1\nprint(pickle.loads(pickle.dumps(P())).x)"),
	SCRIPT("import dataclasses, typing\n@dataclasses.dataclass\nclass P:\n    x: 'int'\n"
	       "print(P(1), typing.get_type_hints(P))"),
	SCRIPT("import sys\nprint(sys.modules['__main__'].__dict__ is globals())\nx = 5\nimport "
	       "__main__\nprint(__main__.x)"),
	SCRIPT("import inspect\ndef f():\n    return 1 # here\nprint(inspect.getsource(f))"),
	SCRIPT("import signal\nprint(signal.getsignal(signal.SIGINT), "
	       "signal.getsignal(signal.SIGPIPE), "
	       "signal.getsignal(signal.SIGTERM), signal.pthread_sigmask(signal.SIG_BLOCK, []))"),
	SCRIPT("import gc\nprint(gc.isenabled(), gc.get_threshold(), gc.garbage)"),
	SCRIPT("import sys\nprint(sys.getrecursionlimit(), sys.gettrace(), "
	       "sys.getswitchinterval())"),
	SCRIPT("print(\"crlf\")\r\nfor i in range(2):\r\n    print(i)\r\n1/0\r\n"),
	SCRIPT("\xef\xbb\xbfprint('bom')\n1/0"),
	SCRIPT("# -*- coding: latin-1 -*-\nprint('caf\xe9')\n1/0 # \xe9"),
	SCRIPT("\xf0\x9d\x93\x90 = 5\nprint('\xf0\x9f\xa7\xaa', \xf0\x9d\x93\x90)"),
	SCRIPT("print('\\udfff')"),
	SCRIPT("print('\\udc80')"),
	SCRIPT("x = 5; y = 6; print(x + y)"),
	SCRIPT("if True:\n    print('suite')"),
	SCRIPT("x = [\n1,\n2]\nprint(x\n)"),
	SCRIPT("f = lambda: 5\nf(\n)\n"),
	SCRIPT("print('''a\nprint(1)\n''')"),
	SCRIPT("x = 'a\\\nb'\nprint(x)"),
	SCRIPT("(y := 5)\nprint(y)\n"),
	SCRIPT("[print(i) for i in range(2)]"),
	SCRIPT("class C:\n    x = 1\n    print(x)\n\nC.x"),
	SCRIPT("@lambda f: f\ndef g(): print('g')\ng()"),
	SCRIPT("try:\n    pass\nfinally:\n    print('f')"),
	SCRIPT_WITH_INPUT("print(input('? '), input())", "one\ntwo\n"),
	SCRIPT_WITH_INPUT("import sys\nprint(sys.stdin.read())", "abc\xff\n\nd"),
	SCRIPT_WITH_INPUT("import sys\nfor line in sys.stdin: print(repr(line))", "a\r\nb\n"),
	SCRIPT("input()"),
	SCRIPT("import code\ncode.interact()"),
	SCRIPT("help()"),
	SCRIPT("import traceback\ntry:\n    1/0\nexcept Exception:\n    traceback.print_exc()"),
	SCRIPT("import traceback\ndef f(): traceback.print_stack()\nf()"),
	SCRIPT("import sys\nprint(sys._getframe().f_back, "
	       "sys._getframe().f_code.co_filename[-7:])"),
	SCRIPT("import sys\nsys.settrace(lambda *a: None)\nprint(1)\n"),
	SCRIPT("import sys\nsys.stdout.write('no newline')"),
	SCRIPT("exec('1/0')"),
	SCRIPT("eval('1 +')"),
	SCRIPT("x = "
	       "a"
	       ".b"
	       ".b"
	       ".b"),
};

/* Where versions say it in other words than their own traceback module does. */
static const struct bound_script {
	int from, before; /* minor versions */
	struct probe_job job;
} bound_scripts[] = {
	{ 11, 99, SCRIPT("class E(Exception):\n    pass\n\n\nraise E") },
	{ 11, 99,
	  SCRIPT("class A:\n    class E(Exception):\n        pass\nraise A.E('qualified')") },
	{ 11, 99,
	  SCRIPT("class E(Exception):\n    def __str__(self):\n        raise TypeError\n"
		 "raise E") },
	{ 11, 99, SCRIPT("raise ExceptionGroup('group', [ValueError(1), TypeError('t')])") },
	{ 11, 99, SCRIPT("e = ValueError('noted')\ne.add_note('a note')\nraise e") },
	{ 9, 12, SCRIPT("import sys\nsys.exit(10 ** 30)") },
	{ 9, 13,
	  SCRIPT("class D:\n    def __del__(self): raise ValueError('in del')\n"
		 "    __del__.__qualname__ = 'x'\nD()\nprint('after')") },
};

static int minor_version(void)
{
	const struct probe_job job = SCRIPT("import sys\nprint(sys.version_info.minor)");
	struct probe probe;

	probe_run(&job, 1, &probe);
	int minor = atoi(probe.out);
	probe_free(&probe);
	return minor;
}

/* The real one: python3 main.py, in an empty folder. */
struct real {
	int status;
	char *out, *err;
};

static void write_script(const char *directory, const struct probe_job *script)
{
	char path[256];
	snprintf(path, sizeof path, "%s/main.py", directory);
	AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, script->code, script->length), script->length);
}

/* The file's name in tracebacks is absolute: `text` without the directory. */
static char *without_directory(char *text, const char *directory)
{
	size_t length = strlen(directory);

	for (char *at = text; (at = strstr(at, directory));)
		memmove(at, at + length + 1, strlen(at + length + 1) + 1);
	return text;
}

static void run_real(const char *directory, const struct probe_job *script, struct real *ret_real)
{
	int fds[3] = { probe_input(script->stdin_text), probe_file(NULL), probe_file(NULL) };
	size_t length;

	write_script(directory, script);
	pid_t pid = fork();
	if (pid == 0) {
		for (int fd = 0; fd < 3; fd++)
			dup2(fds[fd], fd);
		if (chdir(directory) == 0) {
			setenv("LC_ALL", "C.UTF-8", 1);
			execl(PYTHON_PROGRAM, PYTHON_PROGRAM, "-I", "-B", "-X", "utf8", "main.py",
			      NULL);
		}
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &ret_real->status, 0), pid);
	ret_real->out = without_directory(probe_read(fds[1], &length), directory);
	ret_real->err = without_directory(probe_read(fds[2], &length), directory);
	for (int fd = 0; fd < 3; fd++)
		close(fds[fd]);
}

/* Addresses differ from run to run. */
static void mask_addresses(char *text)
{
	char *to = text;

	for (char *from = text; *from;) {
		if (strncmp(from, "0x", 2) == 0) {
			from += 2;
			while (strchr("0123456789abcdef", *from) && *from)
				from++;
			*to++ = '@';
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

/* All that differ are shown, not only the first. */
static bool is_same(const char *directory, const struct probe_job *script)
{
	struct probe probe;
	struct real real;
	int status = probe_run(script, 1, &probe);

	run_real(directory, script, &real);
	mask_addresses(probe.out);
	mask_addresses(probe.err);
	mask_addresses(real.out);
	mask_addresses(real.err);

	bool same = strcmp(probe.out, real.out) == 0 && strcmp(probe.err, real.err) == 0 &&
		    status == real.status;
	if (!same)
		print_error("%s\n--- ours, status %x:\n%s--- stderr:\n%s--- python3, status %x:\n%s"
			    "--- stderr:\n%s\n",
			    script->code, (unsigned)status, probe.out, probe.err,
			    (unsigned)real.status, real.out, real.err);
	probe_free(&probe);
	free(real.out);
	free(real.err);
	return same;
}

static void test_same_as_python3(void **state)
{
	char directory[] = "/tmp/python-same-XXXXXX";
	char path[64];
	size_t different = 0;
	int minor = minor_version();

	(void)state;
	assert_non_null(mkdtemp(directory));
	/* our fork sees the main.py of the script before: it must not care */
	assert_int_equal(chdir(directory), 0);
	for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
		different += !is_same(directory, &scripts[i]);
	for (size_t i = 0; i < sizeof bound_scripts / sizeof *bound_scripts; i++) {
		const struct bound_script *script = &bound_scripts[i];

		if (minor >= script->from && minor < script->before)
			different += !is_same(directory, &script->job);
	}
	snprintf(path, sizeof path, "%s/main.py", directory);
	unlink(path);
	assert_int_equal(chdir("/"), 0);
	rmdir(directory);
	assert_int_equal(different, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_as_python3),
	};

	return cmocka_run_group_tests(tests, probe_start, NULL);
}
