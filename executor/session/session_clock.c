/* How long a session lives without being used. */
#include <time.h>

#include "common/log.h"
#include "executor/session/session_parts.h"

uint64_t session_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void on_idle(struct loop_timer *timer)
{
	struct session *session = LOOP_OWNER(timer, struct session, idle);

	log_info("session %s ends: idle for %llu ms", session->id,
		 (unsigned long long)session->terms.idle_ms);
	session->end_message = "The session has ended: it was idle for too long.";
	session_happens(session, EV_END);
}

/* Idle time counts from the end of the last request. */
void session_touch(struct session *session)
{
	session->last_used_ms = session_clock_ms();
	session->expires_ms = session->last_used_ms + session->terms.idle_ms;
	if (session->expires_ms - session->created_ms > session->terms.lifetime_ms)
		session->expires_ms = session->created_ms + session->terms.lifetime_ms;
	if (session->current || session->tickets.count) {
		loop_clear_timer(session->executor->loop, &session->idle);
		return;
	}
	if (loop_set_timer(session->executor->loop, &session->idle,
			   loop_now_us() + session->terms.idle_ms * 1000, on_idle))
		log_error("session %s: no memory for its idle timer", session->id);
}
