/* job.h - the kinds of job, known to executor and interpreter. */
#ifndef VIVARIUM_JOB_H
#define VIVARIUM_JOB_H

enum job_kind {
	JOB_SCRIPT,    /* a one-shot: like `python3 FILE`, then finish */
	JOB_CELL,      /* a session's cell */
	JOB_VARIABLES, /* list the names of __main__ */
	JOB_COMMAND,   /* not for the interpreter: a shell command beside it */
};

#endif
