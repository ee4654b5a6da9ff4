/* python_run.h - the end of a process, beside python_run() and python_finish(), which
 * python.h declares; and the jobs of judging. */
#ifndef VIVARIUM_PYTHON_RUN_H
#define VIVARIUM_PYTHON_RUN_H

#include "zygote/python/python.h"
#include "zygote/python/python_object.h"

/* -- the end ------------------------------------------------------------------------------
 *
 * threading._shutdown() and logging.shutdown() run at every end of every
 * program, and as Python code they copy some seventy pages in a fork. In most
 * programs they have nothing to do, and that can be told from outside: a one-shot
 * print(1) takes 10 % less CPU time. */

/* Zygote: take over from atexit what modules registered there. 0, or -1 with an
 * error. */
int python_finish_prepare(void);

/* The part of python_finish() that changes nothing where no program has run yet: for
 * python_pages.c. No error is set. */
void python_finish_rehearse(void);

/* If the program has forked and this is its child: finish as python3 would and
 * exit. The child must not answer in its parent's name. */
void python_finish_stranger(int exit_code);

/* -- python_judge.c: judging, the jobs JOB_LOAD to JOB_COMPARE -----------------------------
 *
 * What should come out never enters the process that runs a submission: a call's
 * result leaves it as data (judge_data.py) and meets the expected value in an
 * interpreter that never ran the submission. The exception is an output that only
 * the submission's own names can evaluate (`Point(1, 2)`), and it comes after the
 * call. There the submission has the last word on itself, and can lie.
 *
 * Payloads and reports are lists of fields. Each report has ENDED_BY, EXIT_CODE and
 * after an exception what a script's report has; without ENDED_BY = ENDED_NORMALLY
 * nothing else in it means anything. A malformed payload ends by an exception.
 *
 *   LOAD     payload: the source. Runs as main.py with the __name__ "submission",
 *            and stays, as a cell does.
 *   CALL     ENTRY_POINT, CASE_INPUT, perhaps ARGUMENTS. An input that is none ends
 *            by a ValueError that names it. Report: DATA, or else REPR, and then MESSAGE if the
 *            value is data but too large.
 *   EXPECT   CASE_OUTPUT, after CALL in its process. Report: EXPECTED_DATA or else
 *            REPR; if this or what the call gave is no data, EQUAL, the program's
 *            own answer to got == expected, with MESSAGE if that raised.
 *   PREPARE  CASE, repeated: CASE_INPUT with CASE_OUTPUT, or CASE_STDOUT; TOLERANCE.
 *            Report: a CASE_RESULT for each, in order. ARGUMENTS: for CALL, unless the
 *            input is none, or large. Nothing else: the case can be judged.
 *            NEEDS_NAMES = 1: evaluating the output without the submission raises a
 *            NameError, so that it takes JOB_EXPECT. MESSAGE: the case can never
 *            pass, and why: the output raises something else, or its value is no
 *            data (a function, an object), or TOLERANCE is no number.
 *   COMPARE  CASE, repeated, of a call: INDEX, CASE_OUTPUT or EXPECTED_DATA, DATA or
 *            REPR, EQUAL, TOLERANCE, MESSAGE; of a program: INDEX, CASE_STDOUT,
 *            CONTENT (what it printed), TOLERANCE. EQUAL counts only where the
 *            output needs names: with EXPECTED_DATA, if there is no DATA, or with a
 *            CASE_OUTPUT that raises a NameError here. Report: a CASE_RESULT for
 *            each, in order: INDEX, PASSED, GOT, EXPECTED, MESSAGE (the case's own,
 *            or why nothing was compared). GOT and EXPECTED are whole JSON texts, of
 *            at most 16 KiB, less if there are many cases; an output that needs
 *            names is shown as its source. Fewer results than cases: the report was
 *            full, and the rest has not passed. */

/* Zygote: load judge.py. 0, or -1 with an error. */
int python_judge_prepare(void);

/* Run a job of judging. Returns the exit code, as python_run(). */
int python_judge_run(const struct job *job, struct buffer *report);

/* Give every CASE of the payload to `function` of judge.py, whose namespace it is, and append
 * what it answers as CASE_RESULT. 0, or -1 with an error. */
int python_judge_cases(const struct job *job, PyObject *namespace, const char *function,
		       struct buffer *report);

#endif
