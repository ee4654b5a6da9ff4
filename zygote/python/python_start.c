#include "zygote/python/python.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/owned.h"
#include "zygote/python/python_fork.h"
#include "zygote/python/python_host.h"
#include "zygote/python/python_run.h"
#include "zygote/python/python_main.h"
#include "zygote/python/python_object.h"
#include "zygote/python/python_report.h"
#include "zygote/python/python_source.h"
#include "zygote/python/python_stdio.h"

static PyStatus preinitialise(void)
{
	PyPreConfig config;

	PyPreConfig_InitIsolatedConfig(&config);
	config.utf8_mode = 1;
	return Py_PreInitialize(&config);
}

static PyStatus fill_config(const char *program, PyConfig *config)
{
	char *arguments[] = { "" };
	PyStatus status;

	config->site_import = 1; /* exit(), quit(), help(), an environment's packages */
	config->install_signal_handlers = 1;
	config->write_bytecode = 0;
	config->buffered_stdio = 1;
	config->parse_argv = 0;

	status = PyConfig_SetBytesArgv(config, 1, arguments);
	if (!PyStatus_Exception(status))
		status = PyConfig_SetBytesString(config, &config->program_name, program);
	if (!PyStatus_Exception(status))
		status = PyConfig_SetBytesString(config, &config->executable, program);
	return status;
}

static PyStatus initialise(const char *program)
{
	PyConfig config;
	PyStatus status = preinitialise();

	if (PyStatus_Exception(status))
		return status;
	python_pages_install();
	PyConfig_InitIsolatedConfig(&config);
	status = fill_config(program, &config);
	if (!PyStatus_Exception(status))
		status = Py_InitializeFromConfig(&config);
	PyConfig_Clear(&config);
	return status;
}

/* Numeric libraries start a thread for each core when they are imported: none may
 * exist at a fork, and a sandbox has about one core. Whoever wants more says so. */
static void limit_library_threads(void)
{
	setenv("OPENBLAS_NUM_THREADS", "1", 0);
	setenv("OMP_NUM_THREADS", "1", 0);
}

static int start_interpreter(const char *program)
{
	/* What the program sees does not depend on the daemon's own locale. */
	setlocale(LC_CTYPE, "C.UTF-8");
	limit_library_threads();

	PyStatus status = initialise(program);
	if (PyStatus_Exception(status)) {
		fprintf(stderr, "zygote: Python does not start: %s\n",
			status.err_msg ? status.err_msg : "no reason given");
		return -ENOEXEC;
	}
	return 0;
}

/* Say why on stderr and clear the error. */
static void say_error(const char *what, const char *name)
{
	AUTO_OBJECT *exception = python_error_take();
	AUTO_OBJECT *text = exception ? PyObject_Str(exception) : NULL;
	const char *reason = text ? PyUnicode_AsUTF8(text) : NULL;

	fprintf(stderr, "zygote: %s %s: %s: %s\n", what, name,
		exception ? Py_TYPE(exception)->tp_name : "error", reason ? reason : "");
	PyErr_Clear();
}

/* A second thread would not survive the fork and might hold a lock for ever.
 * There may be no /proc here; the kernel refuses to unshare what threads share. */
static int check_threads(const char *name)
{
	if (unshare(CLONE_THREAD) == 0 || errno != EINVAL)
		return 0;
	fprintf(stderr, "zygote: %s started a thread and cannot be used\n", name);
	return -EBUSY;
}

/* Of the zygote's descriptors a run has none: what keeps one finds it closed. */
static void tell_open_files(const struct python_options *options, const char *name)
{
	enum { WATCHED = 256 };
	static bool told[WATCHED];

	if (!options->verbose)
		return;
	for (int fd = 0; fd < WATCHED; fd++) {
		bool open = fcntl(fd, F_GETFD) >= 0;

		if (open && !told[fd] && name)
			fprintf(stderr, "zygote: %s leaves a file open, which runs find closed\n",
				name);
		told[fd] = open;
	}
}

static int preload_one(const struct python_options *options, const char *name)
{
	if (options->verbose)
		fprintf(stderr, "zygote: importing %s\n", name);

	AUTO_OBJECT *module = PyImport_ImportModule(name);
	if (!module) {
		say_error(options->strict ? "cannot import" : "preload skipped,", name);
		if (options->strict)
			return -ENOEXEC;
	}
	tell_open_files(options, name);
	return check_threads(name);
}

static int preload(const struct python_options *options)
{
	AUTO_FREE char *list = strdup(options->preloads);
	char *rest;
	int error = 0;

	if (!list)
		return -ENOMEM;
	tell_open_files(options, NULL); /* those that are ours */
	for (char *name = strtok_r(list, ", ", &rest); !error && name;
	     name = strtok_r(NULL, ", ", &rest))
		error = preload_one(options, name);
	return error;
}

/* In a namespace of its own, which is gone afterwards. */
static int warm_up(const struct python_options *options)
{
	if (!options->warm_up || !*options->warm_up)
		return 0;
	if (options->verbose)
		fprintf(stderr, "zygote: running %s\n", options->warm_up);

	FILE *file = fopen(options->warm_up, "re");
	AUTO_OBJECT *names = file ? PyDict_New() : NULL;
	AUTO_OBJECT *name = names ? PyUnicode_FromString("__warm_up__") : NULL;
	AUTO_OBJECT *done = NULL;

	if (!file)
		PyErr_SetFromErrnoWithFilename(PyExc_OSError, options->warm_up);
	else if (name && !PyDict_SetItemString(names, "__name__", name) &&
		 !PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()))
		done = PyRun_File(file, options->warm_up, Py_file_input, names, names);
	if (file)
		fclose(file);
	if (!done) {
		say_error("cannot run", options->warm_up);
		return options->strict ? -ENOEXEC : 0;
	}
	tell_open_files(options, options->warm_up);
	return check_threads(options->warm_up);
}

static const struct {
	const char *name;
	int (*prepare)(void);
} parts[] = {
	{ "__main__", python_main_prepare },
	{ "the compiler", python_compile_prepare },
	{ "standard streams", python_stdio_prepare },
	{ "tracebacks", python_traceback_prepare },
	{ "the hooks", python_traceback_install_hooks },
	{ "outcomes", python_report_prepare },
	{ "restrictions", python_restrict_prepare },
	{ "signals", python_signals_prepare },
	{ "the end", python_finish_prepare },
	{ "random numbers", python_random_prepare },
	{ "os.register_at_fork", python_fork_stop_recording },
	{ "the audit hook", python_restrict_audit },
	{ "pure cells", python_pure_prepare },
	{ "judging", python_judge_prepare },
	{ "display", python_display_prepare },
};

static int prepare_parts(void)
{
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		if (parts[i].prepare() < 0) {
			say_error("cannot prepare", parts[i].name);
			return -ENOEXEC;
		}
	}
	return 0;
}

/* The program's own modules, found as beside a script; last, so that the
 * preloads come from the library. */
static int add_workspace(void)
{
	PyObject *path = PySys_GetObject("path");
	AUTO_OBJECT *workspace = PyUnicode_FromString(PYTHON_WORKSPACE);

	if (path && workspace && PyList_Insert(path, 0, workspace) == 0)
		return 0;
	say_error("cannot add to sys.path", PYTHON_WORKSPACE);
	return -ENOEXEC;
}

/* Let the collector forget what every fork shares: it would write to it. */
static int freeze(void)
{
	python_pages_warm_zygote();
	/* what a preload has printed would come out of every fork */
	python_stdio_flush();
	fflush(NULL);

	AUTO_OBJECT *collector = PyImport_ImportModule("gc");
	AUTO_OBJECT *collected = collector ? PyObject_CallMethod(collector, "collect", NULL) : NULL;
	AUTO_OBJECT *frozen = collected ? PyObject_CallMethod(collector, "freeze", NULL) : NULL;

	if (!frozen) {
		say_error("cannot freeze", "the heap");
		return -ENOEXEC;
	}
	python_pages_fill();
	malloc_trim(0); /* what is free costs each fork as much as what is used */
	python_huge_finish();
	return 0;
}

int python_start(const struct python_options *options)
{
	int error = start_interpreter(options->program);

	if (!error && python_fork_record_hooks() < 0) {
		say_error("cannot prepare", "os.register_at_fork");
		error = -ENOEXEC;
	}
	if (!error)
		error = preload(options);
	if (!error)
		error = warm_up(options);
	if (!error)
		error = prepare_parts();
	if (!error)
		error = add_workspace();
	if (!error)
		error = freeze();
	return error;
}
