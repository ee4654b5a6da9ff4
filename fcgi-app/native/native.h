/* native.h - what the native API's handlers share. */
#ifndef VIVARIUM_NATIVE_H
#define VIVARIUM_NATIVE_H

#include "fcgi-app/execution/execution.h"
#include "fcgi-app/files/files.h"
#include "fcgi-app/http/exchange.h"
#include "fcgi-app/http/json.h"
#include "fcgi-app/http/json_input.h"

/* ---- what requests have in common (request.c) -------------------------------------------- */

/* Is the id in the path one? False when the answer has been given. */
bool session_id_valid(struct exchange *exchange);

/* A request about the session in the path; false when the id is none: then the answer
 * has been given. */
bool session_request(struct exchange *exchange, enum frame_type call,
		     struct exec_request *ret_request);

enum limits_of { LIMITS_OF_RUN, LIMITS_OF_SESSION };

/* "limits": {"wall_ms": 5000, ...}. A session has some more than a run. Whether
 * they are within the profile's is the executor's business. */
void limits_read(struct input *input, enum limits_of of, struct exec_request *request);

/* "timeout", seconds: wall_ms. A run that is streamed or detached may be long: how long,
 * the executor says. */
void limits_read_timeout(struct input *input, struct exec_request *request, bool long_run);

/* "memory_mb": memory_bytes. */
void limits_read_memory(struct input *input, struct exec_request *request);

/* "idle_timeout", seconds: idle_ms. */
void limits_read_idle(struct input *input, struct exec_request *request);

/* A body that may be larger than memory should hold, as it comes. For routes with
 * ROUTE_BODY_LATER. */
struct upload {
	struct exchange *exchange;
	uint64_t length; /* so far */
	struct files_source source;
};

/* How long it may be: as the request says, or what is accepted. */
uint64_t upload_most(const struct exchange *exchange);

void upload_open(struct exchange *exchange, struct upload *ret_upload);

/* A whole body on the disk, mapped to be read. */
struct upload_spool {
	const void *bytes;
	size_t length;
	uint64_t reserved;
};

/* Read the body to a file without a name in user_files. 0, -EDQUOT where all spools
 * together take spool_bytes already, -EPIPE where the body ended early, or -errno. Freed
 * with upload_spool_free(). */
int upload_spool(struct exchange *exchange, struct upload_spool *ret_spool);
void upload_spool_free(struct upload_spool *spool);

#define AUTO_SPOOL __attribute__((cleanup(upload_spool_free))) struct upload_spool

/* The answer for a failure of the body or of its spool; false if it is neither's. */
bool upload_refused(struct exchange *exchange, int failed);

/* ---- results and sessions as the API shows them (view.c) --------------------------------- */

/* All members of the result but "files", into an object that is open.
 * `session_id` absent for a one-shot. */
void result_write(struct json_writer *writer, const struct outcome *outcome,
		  struct text session_id);

/* One output that the program displayed: JSON text that it made. False, and nothing
 * written, if it is none that can be shown. */
bool result_write_display(struct json_writer *writer, struct text display);

/* "outputs": all of a list of FIELD_CONTENT. */
void result_write_outputs(struct json_writer *writer, struct text displays);

/* Its parts for other answers: "exception", null where the program raised none,
 * and "usage". */
void result_write_exception(struct json_writer *writer, const struct outcome *outcome);
void result_write_usage(struct json_writer *writer, const struct outcome *outcome);

/* Each writes members into an object that is open. */

/* 2025-01-01T00:00:00.000Z from milliseconds since 1970; null for 0. */
void view_time(struct json_writer *writer, const char *key, uint64_t ms);

/* The one session that a reply is about. */
void view_session(struct json_writer *writer, const struct executor_answer *answer);

/* "undo_levels", if the reply says. */
void view_undo_levels(struct json_writer *writer, const struct executor_answer *answer);

/* "sessions": all of a reply. */
void view_sessions(struct json_writer *writer, const struct executor_answer *answer);

/* "variables": from a reply or an outcome; what they say is the program's own. */
void view_variables(struct json_writer *writer, const struct executor_answer *answer);

/* "history": the cells with how they ended. */
void view_history(struct json_writer *writer, const struct executor_answer *answer);

/* The last cells in short; one of them, over or not, with all that is kept of it. */
void view_cells(struct json_writer *writer, const struct executor_answer *answer);
void view_cell(struct json_writer *writer, const struct executor_answer *answer,
	       struct text session_id);

/* ---- a run as a stream of events (events.c) ---------------------------------------------- */

/* Writes the members of the `result` event that are not the outcome's. */
typedef void events_finish(struct json_writer *writer, const struct executor_answer *answer,
			   void *context);

/* Ask for the run and pass its events on until it has ended. What goes wrong before the
 * program starts is an ordinary answer; false: it has been given, or is the caller's
 * to give (see run_ask()), or the client is gone. */
bool events_run(struct exchange *exchange, struct exec_request *request, events_finish *finish,
		void *context);

/* ---- judging, for both dialects that have it (evaluate.c, evaluate_answer.c) ------------- */

/* A call of the entry point, or (`prints`) a run as a program. */
struct evaluate_case {
	bool prints;
	struct text input;  /* arguments, or standard input */
	struct text output; /* source of the value, or what is to be printed */
	const char *wrong;  /* why it cannot be asked about; NULL: it is */
};

/* What the executor says about a case, or about the loading of the code. All
 * texts come from a sandbox; the verdict does not. */
struct evaluate_result {
	bool known, passed;
	struct text got, expected; /* JSON, it is said */
	struct text message;       /* the judge's own words */
	struct text printed;
	struct outcome outcome;
};

/* What a case without one of its halves does. */
enum evaluate_wrong_case { WRONG_CASE_REFUSES, WRONG_CASE_FAILS_ALONE };

struct evaluate {
	/* what is asked; the texts are the input's */
	enum evaluate_wrong_case wrong_case;
	struct text code, entry_point;
	struct evaluate_case *cases;
	size_t count;
	struct buffer fields; /* the cases as the executor takes them */
	size_t *asked;        /* which these are, by their number among all */
	size_t asked_count;
	/* what came back; the texts are the answer's */
	struct executor_answer answer;
	struct evaluate_result *results; /* one a case */
	bool load_failed;
	struct evaluate_result load;
};

#define EVALUATE_INIT                                                                              \
	{                                                                                          \
		.fields = { .limit = FRAME_REQUEST_MAX }, .answer = EXECUTOR_ANSWER_INIT           \
	}

void evaluate_free(struct evaluate *evaluate);

#define AUTO_EVALUATE __attribute__((cleanup(evaluate_free))) struct evaluate

/* "code", "entry_point", "tolerance" and the cases, which are in `field`. What is
 * wrong is noted in the input, but for a case that may fail alone. */
void evaluate_read(const struct config *config, struct input *input, const char *field,
		   struct evaluate *evaluate);

/* How to ask. */
struct evaluate_call {
	const char *profile;    /* NULL: the session's */
	struct text session_id; /* absent: the profile says all */
	int workspace_fd;       /* whose files every sandbox gets; -1: none */
	uint64_t wall_ms, cpu_ms; /* of each case */
	bool limits_are_defaults; /* ours: where the profile has less, that */
	int invalid_status;       /* the dialect's for a wrong field */
};

/* True when the results are there; false when the problem answer has been given. */
bool evaluate_ask(struct exchange *exchange, const struct evaluate_call *call,
		  struct evaluate *evaluate);

/* Decode a reply into `results` and `load`. 0, -ENOMEM, or -EBADMSG. */
int evaluate_decode(struct evaluate *evaluate);

/* "passed", "case_results" and "error"; `detailed`: with what the native API adds. */
void evaluate_answer(struct exchange *exchange, const struct evaluate *evaluate, bool detailed);

#endif
