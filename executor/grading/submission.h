/* submission.h - what is judged: the code, its cases, and what has become of them.
 *
 * Data alone: it runs nothing and waits for nothing. A case goes from WAITS to
 * DONE; who takes it on is the worker (worker.h), then the comparer (comparer.h). */
#ifndef VIVARIUM_SUBMISSION_H
#define VIVARIUM_SUBMISSION_H

#include <stdbool.h>

#include "common/bytes.h"
#include "common/fields.h"
#include "executor/executor.h"
#include "executor/run/ending.h"

enum case_progress { CASE_WAITS, CASE_RUNS, CASE_RAN, CASE_IS_COMPARED, CASE_DONE };

struct judged {
	struct field_view asked; /* its list in the call */
	enum case_progress progress;
	bool calls;              /* a call with arguments; else a program with stdin */
	bool needs_names;        /* its output, of the submission */
	struct buffer arguments; /* its input, if the comparer could read it */
	struct outcome outcome;
	struct buffer exception; /* what of the report is passed on: the outcome's report */
	struct buffer got;       /* for the comparison: DATA, REPR, EXPECTED_DATA, EQUAL */
	struct buffer printed;
	struct buffer verdict;   /* PASSED, GOT, EXPECTED, MESSAGE */
};

struct submission {
	struct executor *executor;
	struct call *call;    /* its fields are read for as long as it is judged */
	struct environment *environment; /* held for it by submission_read() */
	struct limits limits; /* of each case */
	uint32_t flags;       /* enum mailbox_flag */
	bool wants_files;     /* the session's, in every sandbox */
	uint64_t put_bytes;   /* they take so many at most */
	bool has_loaded;      /* in some worker: the code is not what fails */
	struct buffer load;   /* the outcome of loading, if that failed */
	size_t display_bytes; /* of each text of a result */
	size_t got_bytes;     /* waiting to be compared */
	struct judged *cases;
	size_t count;
};

/* Fill it from the call, which stays the caller's. False: the call has been
 * refused; submission_reset() in either case. */
bool submission_read(struct submission *submission, struct executor *executor, struct call *call);
void submission_reset(struct submission *submission);

/* The next case for a sandbox in which the code has been loaded, or not: it is
 * CASE_RUNS now. NULL: none waits, or so much waits to be compared that no more
 * should run. Programs with input come first: they want an interpreter in which
 * nothing has been loaded yet. */
struct judged *submission_take(struct submission *submission, bool loaded);

/* Its outcome, `got` and `printed` are filled in. */
void submission_case_ran(struct submission *submission, struct judged *judged);
/* Its verdict is filled in. */
void submission_case_done(struct submission *submission, struct judged *judged);
/* What has not come to its end by now has not passed. */
void submission_out_of_time(struct submission *submission);
/* The code does not load: that is the answer. 0 or -errno. */
int submission_load_failed(struct submission *submission, const struct outcome *outcome);

size_t submission_waiting(const struct submission *submission);
bool submission_has_begun(const struct submission *submission);
bool submission_is_done(const struct submission *submission);
size_t submission_passed(const struct submission *submission);
bool submission_is_full(const struct submission *submission); /* enough to compare */

/* A field of the call's list for this case; empty if it is not there. */
struct field_view judged_field(const struct judged *judged, unsigned tag);

/* The answer's fields. 0 or -errno. */
int submission_put_results(struct submission *submission, struct buffer *fields);

#endif
