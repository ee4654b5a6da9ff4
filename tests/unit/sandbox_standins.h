/* sandbox_standins.h - admission, one sandbox and one run, for the tests of the state machines
 * of judging: they note what they are asked for (machine.h). Included once in a program. */
#ifndef VIVARIUM_TESTS_SANDBOX_STANDINS_H
#define VIVARIUM_TESTS_SANDBOX_STANDINS_H

#include "executor/run/admission.h"
#include "executor/run/run.h"
#include "tests/unit/machine.h"

static uint8_t things[2];
static struct run *const a_run = (struct run *)(void *)&things[0];
static struct sandbox *const a_sandbox = (struct sandbox *)(void *)&things[1];
static const void *machine; /* the one that is tried: it owns the sandbox */

/* How they answer; each test begins with false. */
static struct {
	bool no_place, at_once, no_job;
} below;

int admission_enter(struct admission *admission, struct waiter *waiter)
{
	(void)admission;
	do_it("enter");
	if (below.at_once)
		waiter->granted(waiter, a_sandbox);
	return below.no_place ? -1 : 0;
}

void sandbox_kill(struct sandbox *sandbox)
{
	assert_ptr_equal(sandbox, a_sandbox);
	do_it("kill");
}

void sandbox_set_owner(struct sandbox *sandbox, const struct sandbox_owner *owner)
{
	assert_ptr_equal(sandbox, a_sandbox);
	assert_ptr_equal(owner->context, machine);
}

/* 0 and a run, or -1. */
static int begin_job(const char *what, struct run **ret_run)
{
	do_it(what);
	if (below.no_job)
		return -1;
	*ret_run = a_run;
	return 0;
}

void run_free(struct run *run)
{
	if (run)
		do_it("free");
}

#endif
