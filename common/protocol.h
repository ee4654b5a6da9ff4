/* protocol.h - the words that the application and the executor share.
 *
 * The same vocabulary crosses two boundaries:
 *   - the UNIX socket between fcgi-app and executor: frames (message.h) whose
 *     payload is a list of fields (fields.h);
 *   - the mailbox between executor and interpreter (mailbox.h): a job
 *     and a report, each a list of fields as well.
 * docs/PROTOCOL.md tells the story; this file is the reference. Numbers are
 * never reused: a removed one leaves a gap. */
#ifndef VIVARIUM_PROTOCOL_H
#define VIVARIUM_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

enum { PROTOCOL_VERSION = 1 };

/* One request per connection is in flight; its answer is any number of event
 * frames and then exactly one final frame: OUTCOME, REPLY or REFUSAL. A client
 * that hangs up gives up what it asked for. */
enum frame_type {
	/* application -> executor */
	FRAME_EXECUTE = 1,             /* one-shot in a fresh sandbox */
	FRAME_SESSION_CREATE = 2,
	FRAME_SESSION_EXECUTE = 3,
	FRAME_SESSION_INTERRUPT = 4,
	FRAME_SESSION_RESET = 5,
	FRAME_SESSION_UNDO = 6,
	FRAME_SESSION_VARIABLES = 7,
	FRAME_SESSION_SHOW = 8,
	FRAME_SESSION_LIST = 9,
	FRAME_SESSION_HISTORY = 10,
	FRAME_SESSION_DELETE = 11,
	FRAME_SESSION_WORKSPACE = 12,  /* REPLY carries a directory descriptor, to read; or
					* WANT_FILES: WORKSPACE does, to write */
	FRAME_SESSION_RUN = 13,        /* a shell command beside the interpreter */
	FRAME_EVALUATE = 14,
	FRAME_INFO = 15,               /* health, limits, isolation in force */
	FRAME_CONTINUE = 17,           /* after FRAME_WORKSPACE: the files are there */
	FRAME_SESSION_STDIN = 18,      /* input for the interactive cell that runs */
	FRAME_SESSION_CELLS = 19,      /* the last cells, in short */
	FRAME_SESSION_CELL = 20,       /* one cell: its events, then how it ended */
	/* executor -> application; STDOUT, STDERR, DISPLAY and INPUT are events */
	FRAME_STDOUT = 64,             /* payload: raw bytes, as written */
	FRAME_STDERR = 65,
	FRAME_OUTCOME = 66,            /* final: the code was run, however it ended */
	FRAME_REPLY = 67,              /* final: the answer of a call that runs nothing */
	FRAME_REFUSAL = 68,            /* final: not done; FIELD_REFUSAL says why */
	FRAME_WORKSPACE = 69,          /* + directory descriptor: see FIELD_WANT_FILES */
	FRAME_START = 70,              /* FIELD_STREAM, SESSION_CELL: the events begin */
	FRAME_DISPLAY = 71,            /* payload: JSON text as the program made it, HOSTILE */
	FRAME_INPUT = 72,              /* the program waits for input; PROMPT is HOSTILE */
	FRAME_GAP = 73,                /* events that are not kept any more */
};

/* Fields. The comment gives the type: u64, i64, text (UTF-8), bytes, list
 * (bytes that are themselves fields). Which are allowed in which frame, and how
 * long they may be, is in field_rules[] (protocol.c). */
enum field {
	FIELD_NONE = 0,
	/* request */
	FIELD_REQUEST_ID = 1,       /* text: goes into every log line about it */
	FIELD_CLIENT = 2,           /* text: client address, for limits per client */
	FIELD_PROFILE = 3,          /* text: a name of executor/profile.c */
	FIELD_CODE = 4,             /* bytes: source, or the shell command */
	FIELD_STDIN = 5,            /* bytes: end of file follows */
	FIELD_SESSION_ID = 6,       /* text */
	FIELD_CREATE = 7,           /* u64: 1 = make the session if it does not exist */
	FIELD_RESTRICTED = 8,       /* u64: 1 = playground restrictions */
	FIELD_DETACH = 9,           /* u64: 1 = go on when the client goes away */
	FIELD_CLEAR_FILES = 10,     /* u64: reset empties the workspace too */
	FIELD_ENTRY_POINT = 13,     /* text: an expression that gives a callable */
	FIELD_CASE = 14,            /* list, repeated: CASE_INPUT with CASE_OUTPUT, or
				     * STDIN with CASE_STDOUT; TOLERANCE */
	/* u64: 1 = the application has files to put in before the run, or to take
	 * out after it. The executor sends FRAME_WORKSPACE when the sandbox is
	 * there and waits for FRAME_CONTINUE. The descriptor stays good after the
	 * outcome, when nothing of the sandbox can change the files any more. */
	FIELD_WANT_FILES = 15,
	/* u64: 1 = send START when the program starts, and let the program wait when
	 * the events are not read as fast as they come. */
	FIELD_STREAM = 16,
	FIELD_INTERACTIVE = 17,     /* u64: 1 = standard input comes by SESSION_STDIN */
	FIELD_END_OF_INPUT = 18,    /* u64: 1 = end of file follows STDIN */
	FIELD_FOLLOW = 19,          /* u64: 1 = a cell that runs: also what is to come */
	/* u64: the number of an event in its cell, from 1. SESSION_CELL: the first one
	 * wanted; START and GAP: the next event's. */
	FIELD_SEQUENCE = 20,
	/* list: limits that hold where the request names none, or the most that may be
	 * asked for if that is less */
	FIELD_DEFAULTS = 21,
	FIELD_ENVIRONMENT = 24,     /* text: a package environment, by name */
	/* u64: with WANT_FILES: what goes in takes at most so many bytes of a workspace */
	FIELD_PUT_BYTES = 25,
	/* limits, in requests (downwards only) and in replies */
	FIELD_WALL_MS = 32,
	FIELD_CPU_MS = 33,
	FIELD_MEMORY_BYTES = 34,
	FIELD_OUTPUT_BYTES = 35,
	FIELD_PROCESSES = 36,
	FIELD_OPEN_FILES = 37,
	FIELD_FILE_BYTES = 38,
	FIELD_WORKSPACE_BYTES = 39,
	FIELD_WORKSPACE_INODES = 40,
	FIELD_IDLE_MS = 41,
	FIELD_LIFETIME_MS = 42,
	FIELD_UNDO_DEPTH = 43,
	/* outcome */
	FIELD_STATUS = 64,          /* u64: enum status */
	FIELD_REASON = 65,          /* u64: enum reason */
	FIELD_RETURN_CODE = 66,     /* i64 */
	FIELD_SIGNAL = 67,          /* u64 */
	FIELD_WALL_US = 68,         /* u64: usage, from the kernel */
	FIELD_CPU_US = 69,
	FIELD_MEMORY_PEAK_BYTES = 70,
	FIELD_STDOUT_TRUNCATED = 71,/* u64: 0 or 1 */
	FIELD_STDERR_TRUNCATED = 72,
	FIELD_STATE = 73,           /* u64: enum state */
	FIELD_NOTE = 74,            /* text: what happened to the user's variables */
	FIELD_REPORT = 75,          /* list, HOSTILE: what the interpreter says */
	FIELD_LIMIT = 76,           /* u64: the limit that was met, in its unit */
	FIELD_EXECUTION = 77,       /* u64: number of this cell in its session, from 1 */
	FIELD_DISPLAYS_DROPPED = 78,/* u64: display outputs that were too many or too large */
	FIELD_LOST_BYTES = 79,      /* u64: of events that are not kept any more */
	/* report: written by the interpreter, so hostile */
	FIELD_RESULT = 96,          /* text: repr of the last expression */
	FIELD_EXCEPTION_TYPE = 97,  /* text */
	FIELD_EXCEPTION_MESSAGE = 98,
	FIELD_EXCEPTION_LINE = 99,  /* u64 */
	FIELD_TRACEBACK = 100,      /* text: whole, as Python prints it */
	FIELD_ENDED_BY = 101,       /* u64: enum ended_by */
	FIELD_EXIT_CODE = 102,      /* i64: sys.exit's code */
	FIELD_VARIABLE = 103,       /* list, repeated: NAME, TYPE, REPR, SIZE_BYTES */
	FIELD_CASE_RESULT = 105,    /* list, repeated: see docs/PROTOCOL.md, judging */
	FIELD_PURE = 106,           /* u64: 1 = the cell can have changed nothing but _ */
	FIELD_DATA = 107,           /* bytes: what a call returned (zygote/judge.py) */
	FIELD_EQUAL = 108,          /* u64: 1 = the program's own == says so */
	FIELD_NEEDS_NAMES = 109,    /* u64: 1 = an output that only the program can evaluate */
	/* input */
	FIELD_PROMPT = 112,         /* bytes, HOSTILE */
	FIELD_PASSWORD = 113,       /* u64: 1 = what is typed should not be shown */
	/* parts of lists */
	FIELD_NAME = 128,           /* text */
	FIELD_TYPE = 129,           /* text */
	FIELD_REPR = 130,           /* text */
	FIELD_SIZE_BYTES = 131,     /* u64 */
	FIELD_CONTENT = 132,        /* bytes */
	FIELD_INDEX = 133,          /* u64 */
	FIELD_CASE_INPUT = 134,     /* text: arguments of a call, as source */
	FIELD_CASE_OUTPUT = 135,    /* text: what the call should return, as source */
	FIELD_CASE_STDOUT = 136,    /* bytes: what should be printed; goes with STDIN */
	FIELD_TOLERANCE = 137,      /* text: a decimal number; absent: numbers are exact */
	FIELD_PASSED = 138,         /* u64: 0 or 1 */
	FIELD_GOT = 139,            /* text: JSON */
	FIELD_EXPECTED = 140,       /* text: JSON */
	FIELD_EXPECTED_DATA = 141,  /* bytes: like DATA */
	FIELD_ARGUMENTS = 142,      /* bytes: what CASE_INPUT means, by Python's marshal */
	/* replies */
	FIELD_SESSION = 160,        /* list, repeated */
	FIELD_CREATED_MS = 161,     /* u64: milliseconds since 1970 */
	FIELD_LAST_USED_MS = 162,
	FIELD_EXPIRES_MS = 163,
	FIELD_EXECUTIONS = 164,
	FIELD_RUNNING = 165,        /* u64: 0 idle, 1 running */
	FIELD_HISTORY = 166,        /* list, repeated: one cell with its outcome */
	FIELD_UNDO_LEVELS = 167,    /* u64: how often undo is possible now */
	FIELD_LOAD = 168,           /* list: the outcome of loading code that did not load */
	FIELD_CELL = 169,           /* list, repeated: one cell in short */
	FIELD_STDOUT = 170,         /* bytes: the last of what it wrote */
	FIELD_STDERR = 171,
	FIELD_WAITS_FOR_INPUT = 172,/* u64: 1 = the cell that runs waits for SESSION_STDIN */
	/* info */
	FIELD_VERSION = 192,        /* text: the executor's version */
	FIELD_PYTHON = 193,         /* text: e.g. 3.11.2 */
	FIELD_WALL = 194,           /* list, repeated: NAME, CONTENT: isolation in force */
	FIELD_PROFILE_LIMITS = 195, /* list, repeated: PROFILE and the limits */
	FIELD_COUNTER = 196,        /* list, repeated: NAME, SIZE_BYTES (the value) */
	FIELD_PACKAGE = 197,        /* text, repeated: an installed distribution, name==version */
	FIELD_ENVIRONMENT_INFO = 198, /* list, repeated: NAME, CONTENT (what it is), RUNNING, PACKAGE */
	/* refusal */
	FIELD_REFUSAL = 224,        /* u64: enum refusal */
	FIELD_MESSAGE = 225,        /* text: what is wrong and what was expected */
	FIELD_RETRY_AFTER_MS = 226, /* u64 */
	FIELD_FIELD_NAME = 227,     /* text: the request's field that is wrong */
	FIELD_LEAST = 228,          /* u64: what a limit may be, in its unit */
	FIELD_MOST = 229,
	FIELD_LAST = 255
};

/* The closed lists of the native API. protocol_*_name() give the API's words. */
enum status { STATUS_SUCCESS, STATUS_ERROR, STATUS_TIMEOUT, STATUS_FAILED, STATUS_COUNT };
enum reason {
	REASON_NONE, REASON_EXCEPTION, REASON_EXIT, REASON_WALL_TIME, REASON_CPU_TIME,
	REASON_MEMORY, REASON_OUTPUT, REASON_PROCESSES, REASON_DISK, REASON_CRASH,
	REASON_INTERRUPTED, REASON_INTERNAL, REASON_COUNT
};
enum state { STATE_KEPT, STATE_RESTORED, STATE_LOST, STATE_COUNT };

/* How the interpreter says that the code ended (hostile, like all it says). */
enum ended_by { ENDED_NORMALLY, ENDED_BY_EXCEPTION, ENDED_BY_EXIT, ENDED_COUNT };

enum refusal {
	REFUSAL_INVALID,        /* 422: a field is wrong, FIELD_FIELD_NAME says which */
	REFUSAL_NO_SESSION,     /* 404 */
	REFUSAL_SESSION_EXISTS, /* 409 */
	REFUSAL_CONFLICT,       /* 409: nothing to interrupt, to undo, ... */
	REFUSAL_BUSY,           /* 503 with Retry-After: running and queue are full */
	REFUSAL_SESSIONS_FULL,  /* 503: too many sessions */
	REFUSAL_CLIENT_FULL,    /* 429: too many sessions of this client */
	REFUSAL_STOPPING,       /* 503: the executor is going down */
	REFUSAL_INTERNAL,       /* 503: a sandbox could not be made; the log knows */
	REFUSAL_WAITED,         /* 409: the session's earlier cells took too long */
	REFUSAL_FILES_FULL,     /* 507: the files of all sandboxes take what they may */
	REFUSAL_SANDBOX_FULL,   /* 507: its memory has no room for these files */
	REFUSAL_COUNT
};

/* The API's words; NULL for a number that is not in the list. REASON_NONE: NULL. */
const char *protocol_status_name(uint64_t status);
const char *protocol_reason_name(uint64_t reason);
const char *protocol_state_name(uint64_t state);

enum field_type { FIELD_IS_UNKNOWN, FIELD_IS_NUMBER, FIELD_IS_TEXT, FIELD_IS_BYTES, FIELD_IS_LIST };

/* The type of a field, FIELD_IS_UNKNOWN if there is none of that number. */
enum field_type protocol_field_type(unsigned field);

/* The name of a request's limit or option as clients write it ("wall_ms"). */
const char *protocol_field_name(unsigned field);

/* Largest payload of one frame. A request holds at most 1 MiB of code (the HTTP
 * body limit) and 1 MiB of stdin plus files; an output frame at most 64 KiB. */
enum {
	FRAME_REQUEST_MAX = 8 << 20,
	FRAME_OUTPUT_MAX = 64 << 10,
	FRAME_DISPLAY_MAX = 2 << 20,
	FRAME_FINAL_MAX = 8 << 20,
};

/* The longest shell command: what the kernel takes as one argument of execve(2). */
enum { COMMAND_BYTES_MAX = (128 << 10) - 1 };

#endif
