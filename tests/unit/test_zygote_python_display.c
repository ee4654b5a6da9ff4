/* display() and what is shown without a call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/protocol.h"
#include "tests/unit/python_probe.h"

static void run_kind(enum job_kind kind, const char *code, struct probe *ret_probe)
{
	probe_run(&(struct probe_job){ .kind = kind, .code = code }, 1, ret_probe);
}

static void run(const char *code, struct probe *ret_probe)
{
	run_kind(JOB_SCRIPT, code, ret_probe);
}

static const char header[] = "class A:\n    def __repr__(self): return 'an A'\n"
			     "    def _repr_html_(self): return '<b>A</b>'\n"
			     "    def _repr_png_(self): return b'\\x89PNG'\n";

#define DATA(data) "display {\"type\": \"display_data\", \"data\": {" data "}, \"metadata\": {}}\n"
#define A_HTML "\"text/html\": \"<b>A</b>\""
#define A_PNG "\"image/png\": \"iVBORw==\""
#define A_PLAIN "\"text/plain\": \"an A\""

/* What a call of display() tells the executor. */
static const struct {
	const char *code, *told;
} calls[] = {
	{ "display(A())", DATA(A_HTML ", " A_PNG ", " A_PLAIN) },
	{ "display(1, 'x')", DATA("\"text/plain\": \"1\"") DATA("\"text/plain\": \"'x'\"") },
	{ "display(A(), include=['text/html'])", DATA(A_HTML) },
	{ "display(A(), exclude={'image/png'})", DATA(A_HTML ", " A_PLAIN) },
	{ "display(A)", DATA("\"text/plain\": \"<class '__main__.A'>\"") },
	{ "display({'text/html': '\xc3\xa4\"'}, raw=True)",
	  DATA("\"text/html\": \"\xc3\xa4\\\"\"") },
	{ "class B:\n"
	  "    def __repr__(self): return 'B'\n"
	  "    def _repr_html_(self): return None\n"
	  "    def _repr_svg_(self): return '<svg/>', {'width': 1}\n"
	  "display(B())",
	  "display {\"type\": \"display_data\", \"data\": {\"image/svg+xml\": \"<svg/>\", "
	  "\"text/plain\": \"B\"}, \"metadata\": {\"image/svg+xml\": {\"width\": 1}}}\n" },
	{ "class B:\n"
	  "    def _repr_mimebundle_(self, include=None, exclude=None):\n"
	  "        return {'text/plain': 'mine', 'text/html': 'bundle'}, {'text/html': {'a': 1}}\n"
	  "    def _repr_html_(self): 1/0\n"
	  "    def _repr_json_(self): return {'k': [1, None]}\n"
	  "display(B(), metadata={'b': 2})",
	  "display {\"type\": \"display_data\", \"data\": {\"text/plain\": \"mine\", "
	  "\"text/html\": "
	  "\"bundle\", \"application/json\": {\"k\": [1, null]}}, \"metadata\": {\"text/html\": "
	  "{\"a\": 1}, \"b\": 2}}\n" },
	{ "class B:\n    def _ipython_display_(self): print('by itself')\ndisplay(B())", "" },
	{ "from unittest.mock import MagicMock\nm = MagicMock(name='m')\nm.__repr__ = lambda s: "
	  "'m'\n"
	  "display(m, include='text/html')",
	  DATA("") },
	{ "display()", "" },
	{ "display('\\ud800')", DATA("\"text/plain\": \"'\\\\ud800'\"") },
	{ "display({'text/html': '\\ud800'}, raw=True)", DATA("\"text/html\": \"?\"") },
};

static void test_calls(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		struct probe probe;
		char code[2048];

		snprintf(code, sizeof code, "%s%s", header, calls[i].code);
		run(code, &probe);
		if (strcmp(probe.told, calls[i].told) != 0 || strcmp(probe.err, "") != 0)
			fail_msg("%s\ntells %s\nnot   %s\n%s", calls[i].code, probe.told,
				 calls[i].told, probe.err);
		probe_free(&probe);
	}
}

/* What is wrong, and the beginning of what is said of it. */
static const char *const wrong[][2] = {
	{ "display(1, color=2)",
	  "TypeError: display() got an unexpected keyword argument 'color'" },
	{ "display({'text/html': 1}, raw=True)",
	  "TypeError: display: text/html must be str or bytes" },
	{ "display({'html': ''}, raw=True)", "TypeError: display: 'html' is no MIME type" },
	{ "display(1, raw=True)", "TypeError: display: raw data is a dict of MIME types" },
	{ "display({'application/json': float('nan')}, raw=True)", "ValueError" },
	{ "display({'text/html': 'x' * (2 << 20)}, raw=True)",
	  "ValueError: display: the output has 2097219 bytes, and may have at most 2097152" },
	{ "for i in range(65): display(i)",
	  "ValueError: display: at most 64 outputs can be shown" },
	{ "for i in range(9): display({'text/html': 'x' * (1 << 20)}, raw=True)",
	  "ValueError: display: all outputs together may have at most 8388608 bytes" },
};

static void test_wrong_calls(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct probe probe;

		run(wrong[i][0], &probe);
		assert_int_equal(probe_number(&probe, FIELD_ENDED_BY), ENDED_BY_EXCEPTION);
		assert_has(probe.err, wrong[i][1]);
		probe_free(&probe);
	}
}

/* A representation that fails is said so; the others are shown, and the program goes on. */
static void test_failing_representation(void **state)
{
	struct probe probe;

	(void)state;
	run("class A:\n    def __repr__(self): return 'A'\n    def _repr_html_(self): 1/0\n"
	    "    def _repr_latex_(self): return '$a$'\ndisplay(A())\nprint('on')",
	    &probe);
	assert_has(probe.err, "ZeroDivisionError");
	assert_has(probe.err, "in _repr_html_");
	assert_string_equal(probe.told, DATA("\"text/latex\": \"$a$\", \"text/plain\": \"A\""));
	assert_string_equal(probe.out, "on\n");
	probe_free(&probe);
}

static void test_results(void **state)
{
	static const enum job_kind kinds[] = { JOB_SCRIPT, JOB_CELL };
	struct probe probe;
	char code[1024];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		snprintf(code, sizeof code, "%sA()", header);
		run_kind(kinds[i], code, &probe);
		assert_field(&probe, FIELD_RESULT, "an A");
		assert_string_equal(probe.told,
				    "display {\"type\": \"execute_result\", \"data\": {" A_HTML
				    ", " A_PNG ", " A_PLAIN "}, \"metadata\": {}}\n");
		probe_free(&probe);
	}
	/* nothing more than a repr */
	snprintf(code, sizeof code, "%sclass B: pass\nB", header);
	run_kind(JOB_CELL, code, &probe);
	assert_string_equal(probe.told, "");
	probe_free(&probe);
	run_kind(JOB_CELL, "[1]", &probe);
	assert_string_equal(probe.told, "");
	probe_free(&probe);
}

/* From a thread it comes when the main thread can, a child prints it. */
static void test_threads_and_children(void **state)
{
	struct probe probe;

	(void)state;
	run("import threading\nt = threading.Thread(target=display, args=(1,))\nt.start()\n"
	    "t.join()\ndisplay(2)",
	    &probe);
	assert_string_equal(probe.told,
			    DATA("\"text/plain\": \"1\"") DATA("\"text/plain\": \"2\""));
	probe_free(&probe);
	run("import os\nif os.fork() == 0:\n    display(1)\nelse: os.wait()", &probe);
	assert_string_equal(probe.told, "");
	assert_string_equal(probe.out, "1\n");
	probe_free(&probe);
}

/* What was printed before is flushed before. */
static void test_order(void **state)
{
	struct probe probe;

	(void)state;
	run("import os\nprint('before')\ndisplay(1)\nprint('after')\nos._exit(0)", &probe);
	assert_string_equal(probe.out, "before\n");
	assert_string_equal(probe.left, "after\n");
	probe_free(&probe);
}

/* A stand-in for matplotlib, which is not installed where the tests run: what we use of it. */
static const char figures[] =
	"import sys, types\n"
	"def module(name, **names):\n"
	"    m = sys.modules[name] = types.ModuleType(name)\n    vars(m).update(names)\n    return "
	"m\n"
	"class Figure:\n"
	"    axes, lines = [1], []\n"
	"    def __repr__(self): return 'fig'\n"
	"    def savefig(self, file, format, bbox_inches): file.write(('as ' + format).encode())\n"
	"class Manager:\n    def __init__(self):\n        self.canvas = "
	"types.SimpleNamespace(figure=Figure())\n"
	"class Gcf:\n    figs = {}\n"
	"    get_all_fig_managers = classmethod(lambda c: list(c.figs.values()))\n"
	"    destroy_all = classmethod(lambda c: c.figs.clear())\n"
	"    destroy_fig = classmethod(lambda c, f: [c.figs.pop(k) for k, m in "
	"list(c.figs.items()) "
	"if m.canvas.figure is f])\n"
	"plt = module('matplotlib.pyplot')\n"
	"mpl = module('matplotlib', rcParams={})\n"
	"module('matplotlib.figure', Figure=Figure)\n"
	"module('matplotlib._pylab_helpers', Gcf=Gcf)\n";

#define FIGURE(mime, data) DATA("\"" mime "\": \"" data "\", \"text/plain\": \"fig\"")

static void test_figures(void **state)
{
	const struct probe_job jobs[] = {
		{ .kind = JOB_CELL, .code = figures },
		{ .kind = JOB_CELL, .code = "Gcf.figs[1] = Manager(); Gcf.figs[2] = Manager()" },
		{ .kind = JOB_CELL, .code = "len(Gcf.figs)" },
		{ .kind = JOB_CELL,
		  .code = "Gcf.figs[1] = Manager(); plt.show(); print(len(Gcf.figs))" },
		{ .kind = JOB_CELL,
		  .code = "mpl.rcParams['savefig.format'] = 'svg'\nGcf.figs[1] = Manager()\n1/0" },
		{ .kind = JOB_CELL, .code = "f = Figure(); f.axes = []; display(f)" },
		{ .kind = JOB_CELL, .code = "display(Figure(), include=['image/png'])" },
		{ .kind = JOB_CELL,
		  .code = "plt.show.__signature__ = 0\nmpl.rcParams.clear()\n"
			  "Gcf.figs[1] = m = Manager()\nm.canvas.figure" },
	};
	static const char *const told[] = {
		"",
		FIGURE("image/png", "YXMgcG5n") FIGURE("image/png", "YXMgcG5n"),
		"",
		FIGURE("image/png", "YXMgcG5n"),
		FIGURE("image/svg+xml", "as svg"),
		DATA("\"text/plain\": \"fig\""),
		DATA("\"image/png\": \"YXMgcG5n\""),
		"display {\"type\": \"execute_result\", \"data\": {\"image/png\": \"YXMgcG5n\", "
		"\"text/plain\": \"fig\"}, \"metadata\": {}}\n",
	};
	enum { COUNT = sizeof jobs / sizeof *jobs };
	struct probe cells[COUNT];

	(void)state;
	probe_run(jobs, COUNT, cells);
	for (size_t i = 0; i < COUNT; i++)
		assert_string_equal(cells[i].told, told[i]);
	assert_field(&cells[2], FIELD_RESULT, "0");
	assert_string_equal(cells[3].out, "0\n");
	for (size_t i = 0; i < COUNT; i++)
		probe_free(&cells[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_wrong_calls),
		cmocka_unit_test(test_failing_representation),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_threads_and_children),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_figures),
	};

	return cmocka_run_group_tests(tests, probe_start, NULL);
}
