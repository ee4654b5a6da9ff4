#include "zygote/python/python_warm.h"

#include <string.h>

#include "zygote/python/python.h"
#include "zygote/python/python_finish.h"
#include "zygote/python/python_job.h"
#include "zygote/python/python_main.h"
#include "zygote/python/python_object.h"
#include "zygote/python/python_outcome.h"
#include "zygote/python/python_source.h"
#include "zygote/python/python_traceback.h"

/* Some interpreters specialise code at its second run, some after dozens. */
enum { ROUNDS = 64 };

static void format_current_error(void)
{
	AUTO_OBJECT *exception = python_error_take();
	AUTO_OBJECT *message = NULL;
	AUTO_OBJECT *text = exception ? python_traceback_format(exception, &message) : NULL;

	PyErr_Clear();
}

static void run(const char *code)
{
	const struct job job = { .kind = JOB_SCRIPT, .code = code, .code_length = strlen(code) };
	AUTO_BUFFER report = BUFFER_INIT(1024);
	AUTO_OBJECT *filename = PyUnicode_FromString("main.py");
	int flags = 0;

	if (filename && python_main_create(false) == 0) {
		AUTO_OBJECT *value = python_job_evaluate(&job, filename, &flags);

		if (value)
			python_outcome_ended(value, filename, &report);
		else
			format_current_error();
	}
	PyErr_Clear();
	python_source_forget();
	python_finish_rehearse();
}

void python_warm_zygote(void)
{
	static const char *const samples[] = {
		"print(end='')",
		"if True: print(end='')",
		"def f(x):\n    return x + missing\nf(1)",
		"def f(x):\n    raise ValueError(x)\nf('text')",
		"x = = 1",
	};

	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
			run(samples[i]);
	}
}

void python_warm_fork(void)
{
	run("print(end='')");
}
