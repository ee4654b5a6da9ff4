/* session_parts.h - the inside of a session, for the session*.c files alone. */
#ifndef VIVARIUM_SESSION_PARTS_H
#define VIVARIUM_SESSION_PARTS_H

#include "executor/session/session.h"

/* session.c: it has been used, or is being used: its idle time begins again, or
 * rests; its sandbox is gone, it goes on in another one with nothing in it. */
void session_touch(struct session *session);
void session_replace_sandbox(struct session *session);

/* session_queue.c: serve the next ticket, if the session can; the interpreter is
 * idle again, and a ticket may have waited for that. */
void session_pump(struct session *session);
void session_go_on(struct session *session);
/* A ticket is taken out of the waiting ones; is over, and its call has been or
 * will be answered by the caller; is over, and its call is refused. */
void ticket_unlink(struct session *session, struct ticket *ticket);
void ticket_free(struct ticket *ticket);
void ticket_refuse(struct ticket *ticket, enum refusal refusal, const char *message,
		   uint64_t retry_ms);

/* session_cell.c: run what the ticket asks for. */
void ticket_begin_run(struct ticket *ticket);

/* session_undo.c: a cell may have changed something; a cell has changed nothing but
 * `_`, and not even that if it has no value: false if it cannot be kept to be run
 * again, and counts as any other. The newest level is being undone; none can be any
 * more; the interpreter is a fresh one. */
void session_add_cell(struct session *session);
bool session_add_pure_cell(struct session *session, struct field_view code, bool has_value);
void session_take_undo_level(struct session *session);
void session_forget_undo_levels(struct session *session);
void session_be_empty(struct session *session);

/* session_return.c: be told by the sandbox what happens between tickets; make the
 * checkpoint after a cell; the interpreter has died by itself. */
void session_own_sandbox(struct session *session);
void session_settle(struct session *session);
void session_go_back_alone(struct session *session);
void ticket_begin_reset(struct ticket *ticket);
void ticket_begin_undo(struct ticket *ticket);

#endif
