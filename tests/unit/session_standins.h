/* session_standins.h - no session exists, for tests that judge without one. */
#ifndef VIVARIUM_TESTS_SESSION_STANDINS_H
#define VIVARIUM_TESTS_SESSION_STANDINS_H

#include "executor/session/session.h"

struct session *session_find(struct executor *executor, const char *id, size_t length)
{
	(void)executor;
	(void)id;
	(void)length;
	return NULL;
}

const struct profile *session_profile(const struct session *session)
{
	(void)session;
	return NULL;
}

const struct limits *session_limits_of(const struct session *session)
{
	(void)session;
	return NULL;
}

struct environment *session_environment(const struct session *session)
{
	(void)session;
	return NULL;
}

#endif
