/* environment_standins.h - the environments of the layer below, for tests of state machines that
 * only pass them on. Included once in a program. */
#ifndef VIVARIUM_ENVIRONMENT_STANDINS_H
#define VIVARIUM_ENVIRONMENT_STANDINS_H

#include "executor/environments/environments.h"

struct environment *environments_base(const struct environments *environments)
{
	(void)environments;
	return NULL;
}

struct pool *environment_pool(const struct environment *environment)
{
	(void)environment;
	return NULL;
}

bool req_held_environment(struct call *call, const struct environments *environments,
			  const struct profile *profile, struct environment **ret_environment)
{
	(void)call;
	(void)environments;
	(void)profile;
	(void)ret_environment;
	return false;
}

struct limits environment_limits(const struct environment *environment,
				 const struct limits *limits)
{
	(void)environment;
	return *limits;
}

int environment_hold(struct environment *environment)
{
	(void)environment;
	return 0;
}

void environment_release(struct environment *environment)
{
	(void)environment;
}

#endif
