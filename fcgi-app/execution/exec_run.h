/* exec_run.h - from an exchange to the executor and back: what all dialects share. */
#ifndef VIVARIUM_EXEC_RUN_H
#define VIVARIUM_EXEC_RUN_H

#include "fcgi-app/execution/execution.h"
#include "fcgi-app/http/exchange.h"

/* A request with what every call carries: its id, the client, the profile. */
struct exec_request run_request(const struct exchange *exchange, enum frame_type call,
				const char *profile);

/* Ask the executor. True with *ret_answer holding the final frame that was
 * expected (FRAME_OUTCOME or FRAME_REPLY); false when the problem answer has
 * been given: a refusal, the executor away, or the client gone. Where the put()
 * of request->files failed it is false as well, and that answer is the caller's
 * to give. */
bool run_call(struct exchange *exchange, const struct exec_request *request,
	      enum frame_type expected, struct executor_answer *ret_answer);

/* The same, but a refusal is given back for the dialect to word: *ret_answer
 * may then be of type FRAME_REFUSAL. */
bool run_ask(struct exchange *exchange, const struct exec_request *request,
	     struct executor_answer *ret_answer);

/* run_call() for a run, decoded. The outcome points into *ret_answer. */
bool run_outcome(struct exchange *exchange, const struct exec_request *request,
		 struct executor_answer *ret_answer, struct outcome *ret_outcome);

/* The problem answer for an executor that broke the protocol. */
void run_not_understood(struct exchange *exchange);

/* Which refusal a FRAME_REFUSAL holds; REFUSAL_COUNT if none that we know. */
enum refusal run_refusal(const struct executor_answer *answer);

/* The problem answer for a refusal; the second with the status that the dialect
 * has for a wrong field (422 in the first). */
void run_refuse(struct exchange *exchange, const struct executor_answer *answer);
void run_refuse_as(struct exchange *exchange, const struct executor_answer *answer,
		   int invalid_status);

/* Is it a refusal because of this field of the request? */
bool run_refused_field(const struct executor_answer *answer, enum field field);

#endif
