/* evaluate.h - judging: code that is run against cases, for both dialects that
 * have it. Read the request, ask, write the answer. */
#ifndef VIVARIUM_EVALUATE_H
#define VIVARIUM_EVALUATE_H

#include "fcgi-app/execution/executor_client.h"
#include "fcgi-app/http/json_input.h"
#include "fcgi-app/execution/outcome.h"

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
