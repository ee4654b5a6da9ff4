#include "executor/sandbox/sandbox_states.h"

const char *sandbox_state_name(enum sandbox_state state)
{
	static const char *const names[SANDBOX_STATES] = {
		[SANDBOX_MAKES] = "its parts are being made",
		[SANDBOX_SPAWNS] = "is being spawned",
		[SANDBOX_PLACED] = "has been placed",
		[SANDBOX_STARTS] = "its interpreter starts",
		[SANDBOX_IDLE] = "idle",
		[SANDBOX_BUSY] = "a job runs",
		[SANDBOX_ASKS] = "waits for input",
		[SANDBOX_DEAD] = "its interpreter is dead",
		[SANDBOX_COMMANDED] = "a command runs",
		[SANDBOX_COMMAND_KILLED] = "a command is being killed",
		[SANDBOX_COMMAND_SWEPT] = "a command has been killed",
		[SANDBOX_COMMAND_ENDED] = "a command has ended",
		[SANDBOX_TIDIES] = "what a job left is being killed",
		[SANDBOX_FREEZES] = "a checkpoint is made",
		[SANDBOX_FREEZES_COPY] = "waits for the checkpoint",
		[SANDBOX_FREEZES_SELF] = "waits after the checkpoint",
		[SANDBOX_FORKS] = "a fork is made",
		[SANDBOX_FORKS_COPY] = "waits for the fork",
		[SANDBOX_FORKS_SELF] = "waits after the fork",
		[SANDBOX_JOINS] = "its fork is being killed",
		[SANDBOX_JOIN_SWEEPS] = "what its fork left is being killed",
		[SANDBOX_SWEEPS] = "its program is being killed",
		[SANDBOX_CLEARS] = "its workspace is being emptied",
		[SANDBOX_EXPIRES] = "its last program is being killed",
		[SANDBOX_RENEWS] = "is being renewed",
		[SANDBOX_FAILED] = "has failed",
		[SANDBOX_DIES] = "dies",
		[SANDBOX_TEARS] = "is being taken apart",
	};

	return state < SANDBOX_STATES ? names[state] : "?";
}

const char *sandbox_event_name(enum sandbox_event event)
{
	static const char *const names[SANDBOX_EVENTS] = {
		[ON_START] = "start",
		[ON_GIVE_INPUT] = "input given",
		[ON_COMMAND] = "command",
		[ON_KILL_COMMAND] = "kill the command",
		[ON_TIDY] = "tidy",
		[ON_CHECKPOINT] = "checkpoint",
		[ON_FORK] = "fork",
		[ON_JOIN] = "join",
		[ON_RESTORE] = "restore",
		[ON_RENEW] = "renew",
		[ON_KILL] = "kill",
		[ON_READY] = "ready",
		[ON_NO_COPY] = "ready, no copy",
		[ON_DONE] = "done",
		[ON_DISPLAY] = "display",
		[ON_INPUT] = "input",
		[ON_ORIGINAL_READY] = "original ready",
		[ON_ORIGINAL_NO_COPY] = "original ready, no copy",
		[ON_STRANGER_READY] = "stranger ready",
		[ON_STRANGER_FROZEN] = "stranger frozen",
		[ON_TASK_DONE] = "task done",
		[ON_SPAWNED] = "spawned",
		[ON_OFFERED] = "procfs offered",
		[ON_LISTENING] = "listener",
		[ON_COMMAND_STARTED] = "command started",
		[ON_COMMAND_REFUSED] = "command refused",
		[ON_COMMAND_ENDED] = "command ended",
		[ON_INTERPRETER_DIED] = "interpreter died",
		[ON_ORIGINAL_DIED] = "original died",
		[ON_SWEPT] = "swept",
		[ON_LATE] = "late",
		[ON_TASK_FAILED] = "task failed",
		[ON_SPAWN_FAILED] = "spawn failed",
		[ON_INIT_DIED] = "init died",
		[ON_BROKEN] = "broken",
	};

	return event < SANDBOX_EVENTS ? names[event] : "?";
}

/* How long it may be in a state, and what could not be done then. A running job's time
 * is the owner's business; tasks beside the loop come to an end by themselves. */
static const struct deadline {
	uint64_t ms;
	const char *step;
} deadlines[SANDBOX_STATES] = {
	[SANDBOX_SPAWNS] = { 10000, "be spawned in time" }, /* a loaded machine */
	[SANDBOX_PLACED] = { 10000, "be set up in time" },
	[SANDBOX_STARTS] = { 10000, "start its interpreter in time" },
	[SANDBOX_COMMAND_KILLED] = { 5000, "end a command in time" },
	[SANDBOX_COMMAND_SWEPT] = { 5000, "end a command in time" },
	[SANDBOX_COMMAND_ENDED] = { 5000, "end a command in time" },
	[SANDBOX_TIDIES] = { 5000, "kill what a job left in time" },
	/* hooks of the program run before a fork: they may hang */
	[SANDBOX_FREEZES] = { 2000, NULL },
	[SANDBOX_FREEZES_COPY] = { 2000, NULL },
	[SANDBOX_FREEZES_SELF] = { 2000, NULL },
	[SANDBOX_FORKS] = { 2000, NULL },
	[SANDBOX_FORKS_COPY] = { 2000, NULL },
	[SANDBOX_FORKS_SELF] = { 2000, NULL },
	[SANDBOX_JOINS] = { 5000, NULL },
	[SANDBOX_JOIN_SWEEPS] = { 5000, "kill its program in time" },
	[SANDBOX_SWEEPS] = { 5000, "kill its program in time" },
	[SANDBOX_EXPIRES] = { 5000, NULL },
	[SANDBOX_RENEWS] = { 10000, "start its interpreter in time" },
	[SANDBOX_DIES] = { 30000, NULL },
};

uint64_t sandbox_deadline_ms(enum sandbox_state state)
{
	return deadlines[state].ms;
}

const char *sandbox_lateness(enum sandbox_state state)
{
	return deadlines[state].step ? deadlines[state].step : "go on in time";
}
