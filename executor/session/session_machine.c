#include "executor/session/session_parts.h"

#include <string.h>

static const char *const state_names[SESSION_STATES] = {
	[SESSION_IMPOSSIBLE] = "impossible",
	[SESSION_WAITS] = "waits",
	[SESSION_READY] = "ready",
	[SESSION_ADMITS] = "admits",
	[SESSION_RUNS] = "runs",
	[SESSION_ASKS] = "asks",
	[SESSION_TIDIES] = "tidies",
	[SESSION_RETURNS] = "returns",
	[SESSION_REWINDS] = "rewinds",
	[SESSION_RECOVERS] = "recovers",
	[SESSION_SETTLES] = "settles",
	[SESSION_FREEZES] = "freezes",
	[SESSION_ENDED] = "ended",
};

static const char *const event_names[SESSION_EVENTS] = {
	[EV_SANDBOX] = "a sandbox",
	[EV_NO_SANDBOX] = "no sandbox",
	[EV_NEXT] = "next",
	[EV_PLACE] = "a place",
	[EV_NO_PLACE] = "no place",
	[EV_JOB_WANTED] = "job wanted",
	[EV_REWIND_WANTED] = "rewind wanted",
	[EV_REFUSED] = "refused",
	[EV_DONE] = "done",
	[EV_LEFTOVERS] = "left something",
	[EV_KILLED] = "killed",
	[EV_NOT_STARTED] = "not started",
	[EV_INPUT_WANTED] = "input wanted",
	[EV_INPUT] = "input",
	[EV_IDLE] = "idle",
	[EV_DIED] = "died",
	[EV_FAILED] = "failed",
	[EV_CHANGED] = "changed",
	[EV_UNCHANGED] = "unchanged",
	[EV_NO_CHECKPOINT] = "no checkpoint",
	[EV_LEFT] = "left",
	[EV_INTERRUPT] = "interrupt",
	[EV_END] = "end",
};

const char *session_state_name(enum session_state state)
{
	return state_names[state];
}

const char *session_event_name(enum session_event event)
{
	return event_names[event];
}

static void handle(struct session_machine *machine, enum session_event event)
{
	const struct session_step *step = &(*machine->table)[machine->state][event];

	if (step->next == SESSION_IMPOSSIBLE) {
		machine->impossible(machine->session, machine->state, event);
		return;
	}
	machine->state = step->next;
	if (step->action)
		step->action(machine->session);
}

void session_machine_happens(struct session_machine *machine, enum session_event event)
{
	if (machine->queued == MACHINE_QUEUE) { /* no action raises that many */
		machine->impossible(machine->session, machine->state, event);
		return;
	}
	machine->queue[machine->queued++] = event;
	if (machine->acting)
		return;
	machine->acting = true;
	while (machine->queued) {
		enum session_event next = machine->queue[0];

		memmove(machine->queue, machine->queue + 1,
			--machine->queued * sizeof *machine->queue);
		handle(machine, next);
	}
	machine->acting = false;
}
