/* python.h - the only door between the sandboxing code and CPython.
 *
 * Call order, all in the zygote and its forks:
 *   python_start()        zygote, once; starts no thread
 *   python_before_fork(), fork(), then in the parent python_after_fork_parent()
 *                         and in the child one of python_after_fork_child(),
 *                         python_after_fork_copy() and python_after_fork_case()
 *   python_attach()       interpreter, once
 *   python_run()          interpreter, once per job
 *   python_finish()       interpreter of a one-shot, after its job
 * Only files named python*.c include Python.h.
 *
 * The program may fork where it likes, also in the hooks that these calls run:
 * a process that the program made never returns from any of them, it exits. */
#ifndef VIVARIUM_PYTHON_H
#define VIVARIUM_PYTHON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/mailbox.h"

/* What a zygote's Python is. */
struct python_options {
	const char *program;  /* sys.executable: the system's, or an environment's bin/python3 */
	const char *preloads; /* modules to import, separated by spaces or commas */
	const char *warm_up;  /* a file of Python to run once after that; NULL or "": none */
	bool strict;          /* a preload or warm-up that fails is an error, not skipped */
	bool verbose;         /* say on stderr what is imported, before it is */
};

/* Initialise CPython isolated from environment and user site, import the
 * preloads (one that fails is skipped, unless strict, and named on stderr), run
 * the warm-up, add the audit hook, collect and gc.freeze(). os.environ is what the
 * environment is now, and OPENBLAS_NUM_THREADS and OMP_NUM_THREADS, 1 unless they
 * are set. 0 or -errno (-EBUSY: a preload started a thread); the reason is on
 * stderr. */
int python_start(const struct python_options *options);

/* Around every fork() whose child runs Python; a process between the two that
 * runs none (init, between the zygote and the interpreter) needs no call.
 * ..._child(): a new program will run here, with random numbers, temporary
 * names and object addresses of its own. Runs a silent program to copy the pages
 * that any program writes to: some 0.3 ms that its job then does not take.
 * ..._copy(): the same program goes on in a second process (a checkpoint),
 * with the state of `random` as it was.
 * ..._case(): a copy; or, where no program has run yet, the place of a new one. The
 * program's hooks do not run; false, and nothing is to be forked, where they would. */
void python_before_fork(void);
bool python_before_fork_case(void);
void python_after_fork_parent(void);
void python_after_fork_child(void);
void python_after_fork_copy(void);
void python_after_fork_case(void);

/* How the running program reaches the executor. */
struct mailbox;
struct python_host {
	struct mailbox *mailbox; /* of MAILBOX_BYTES */
	/* As notification_ask(). */
	long (*ask)(unsigned note, unsigned flags, bool again);
};

/* Interpreter, once, before its first job: what the program prints lies in the mailbox
 * until it is flushed, what it shows and what it reads from standard input go through the
 * mailbox as well. Without it text lies in the interpreter's own memory and nothing is
 * shown or asked for. */
void python_attach(const struct python_host *host);

/* What a job asks for: the decoded fields of the mailbox's job. */
struct job {
	enum job_kind kind;
	const char *code; /* the payload: source bytes; not NUL-terminated */
	size_t code_length;
	bool restricted;  /* the playground's Python-level courtesy */
	bool streaming;   /* somebody watches: what is printed shows at once */
	bool interactive; /* standard input is asked for as the program reads it */
	uint64_t execution; /* number of the cell in its session, from 1 */
};

/* Run one job. Descriptors 0 to 2 are the job's own. Everything that the
 * answer needs goes into `report` as fields (protocol.h: RESULT, EXCEPTION_*,
 * TRACEBACK, ENDED_BY, EXIT_CODE, VARIABLE, PURE), cut to fit: the report never fails
 * for its size. The jobs of judging have lists of fields as payload, and fields of
 * their own in the report: python_run.h. The traceback has been written to descriptor 2 as well, as
 * python3 would. Returns the exit code that a shell would see. */
int python_run(const struct job *job, struct buffer *report);

/* What `python3` does at its end, for the user's part only: join non-daemon
 * threads, run atexit handlers, drop __main__'s names (so that __del__ runs),
 * flush. `exit_code` is what python_run() returned; returns what the process
 * should exit with: the same, or 120 where output could not be flushed. May
 * never return: the wall limit is the executor's. Nothing runs afterwards. */
int python_finish(int exit_code);

/* Blocking wait without the GIL, so that the program's threads go on: calls
 * wait(argument) and returns what it returns. No signal handler of the program
 * runs meanwhile. */
long python_wait(long (*wait)(void *argument), void *argument);

#endif
