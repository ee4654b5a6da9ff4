/* job.h - the kinds of job, known to executor and interpreter. */
#ifndef VIVARIUM_JOB_H
#define VIVARIUM_JOB_H

enum job_kind {
	JOB_SCRIPT,    /* a one-shot: like `python3 FILE`, then finish */
	JOB_CELL,      /* a session's cell */
	JOB_VARIABLES, /* list the names of __main__ */
	JOB_COMMAND,   /* not for the interpreter: a shell command beside it */
	/* judging; the payload of all but the first is a list of fields */
	JOB_LOAD,      /* run the submission once: cases are forks of what it leaves */
	JOB_CALL,      /* in a fork: one case's call */
	JOB_EXPECT,    /* in the same fork, after it: an output that needs its names */
	JOB_PREPARE,   /* in a clean interpreter: which outputs can be evaluated there? */
	JOB_COMPARE,   /* in a clean interpreter: what was got with what was expected */
};

#endif
