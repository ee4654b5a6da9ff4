#include "zygote/python/python.h"

#include "common/fields.h"
#include "zygote/python/python_cell.h"
#include "zygote/python/python_fork.h"
#include "zygote/python/python_job.h"
#include "zygote/python/python_judge.h"
#include "zygote/python/python_main.h"
#include "zygote/python/python_outcome.h"
#include "zygote/python/python_pure.h"
#include "zygote/python/python_signals.h"
#include "zygote/python/python_stdio.h"
#include "zygote/python/python_variables.h"

/* What tracebacks call a one-shot's source; there is no such file. */
static const char script_name[] = "main.py";

static int run_script(const struct job *job, struct buffer *report)
{
	int flags = 0;
	AUTO_OBJECT *filename = PyUnicode_FromString(script_name);
	AUTO_OBJECT *value = filename && python_main_create(job->restricted) == 0
				     ? python_job_evaluate(job, filename, &flags)
				     : NULL;

	return value ? python_outcome_ended(value, filename, report)
		     : python_outcome_raised(filename, report);
}

static int list_variables(struct buffer *report)
{
	python_signals_begin(false);
	python_variables_list(report);
	python_stdio_end();
	return 0;
}

int python_run(const struct job *job, struct buffer *report)
{
	int exit_code = 0;

	python_fork_settle();
	python_pure_begin(job);
	python_stdio_begin(job, python_pure_is_quiet());
	switch (job->kind) {
	case JOB_SCRIPT:
		exit_code = run_script(job, report);
		break;
	case JOB_CELL:
		exit_code = python_cell_run(job, report);
		break;
	case JOB_VARIABLES:
		exit_code = list_variables(report);
		break;
	case JOB_LOAD:
	case JOB_CALL:
	case JOB_EXPECT:
	case JOB_PREPARE:
	case JOB_COMPARE:
		exit_code = python_judge_run(job, report);
		break;
	case JOB_COMMAND: /* never comes here */
		break;
	}
	if (python_pure_end(exit_code))
		fields_put_number(report, FIELD_PURE, 1);
	python_fork_end_stranger(exit_code);
	return exit_code;
}
