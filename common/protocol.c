#include "common/protocol.h"

static const char *const status_names[STATUS_COUNT] = {
	[STATUS_SUCCESS] = "success",
	[STATUS_ERROR] = "error",
	[STATUS_TIMEOUT] = "timeout",
	[STATUS_FAILED] = "failed",
};

static const char *const reason_names[REASON_COUNT] = {
	[REASON_NONE] = 0,
	[REASON_EXCEPTION] = "exception",
	[REASON_EXIT] = "exit",
	[REASON_WALL_TIME] = "wall_time",
	[REASON_CPU_TIME] = "cpu_time",
	[REASON_MEMORY] = "memory",
	[REASON_OUTPUT] = "output",
	[REASON_PROCESSES] = "processes",
	[REASON_DISK] = "disk",
	[REASON_CRASH] = "crash",
	[REASON_INTERRUPTED] = "interrupted",
	[REASON_INTERNAL] = "internal",
};

static const char *const state_names[STATE_COUNT] = {
	[STATE_KEPT] = "kept",
	[STATE_RESTORED] = "restored",
	[STATE_LOST] = "lost",
};

struct field_rule {
	enum field_type type;
	const char *name;
};

static const struct field_rule field_rules[FIELD_LAST + 1] = {
	[FIELD_REQUEST_ID] = { FIELD_IS_TEXT, "request_id" },
	[FIELD_CLIENT] = { FIELD_IS_TEXT, "client" },
	[FIELD_PROFILE] = { FIELD_IS_TEXT, "profile" },
	[FIELD_CODE] = { FIELD_IS_BYTES, "code" },
	[FIELD_STDIN] = { FIELD_IS_BYTES, "stdin" },
	[FIELD_SESSION_ID] = { FIELD_IS_TEXT, "id" },
	[FIELD_CREATE] = { FIELD_IS_NUMBER, "create" },
	[FIELD_RESTRICTED] = { FIELD_IS_NUMBER, "restricted" },
	[FIELD_DETACH] = { FIELD_IS_NUMBER, "detach" },
	[FIELD_CLEAR_FILES] = { FIELD_IS_NUMBER, "files" },
	[FIELD_ENTRY_POINT] = { FIELD_IS_TEXT, "entry_point" },
	[FIELD_CASE] = { FIELD_IS_LIST, "cases" },
	[FIELD_WANT_FILES] = { FIELD_IS_NUMBER, "want_files" },
	[FIELD_STREAM] = { FIELD_IS_NUMBER, "stream" },
	[FIELD_INTERACTIVE] = { FIELD_IS_NUMBER, "interactive" },
	[FIELD_END_OF_INPUT] = { FIELD_IS_NUMBER, "eof" },
	[FIELD_FOLLOW] = { FIELD_IS_NUMBER, "follow" },
	[FIELD_SEQUENCE] = { FIELD_IS_NUMBER, "sequence" },
	[FIELD_ENVIRONMENT] = { FIELD_IS_TEXT, "environment" },
	[FIELD_PUT_BYTES] = { FIELD_IS_NUMBER, "put_bytes" },
	[FIELD_DEFAULTS] = { FIELD_IS_LIST, "defaults" },

	[FIELD_WALL_MS] = { FIELD_IS_NUMBER, "wall_ms" },
	[FIELD_CPU_MS] = { FIELD_IS_NUMBER, "cpu_ms" },
	[FIELD_MEMORY_BYTES] = { FIELD_IS_NUMBER, "memory_bytes" },
	[FIELD_OUTPUT_BYTES] = { FIELD_IS_NUMBER, "output_bytes" },
	[FIELD_PROCESSES] = { FIELD_IS_NUMBER, "processes" },
	[FIELD_OPEN_FILES] = { FIELD_IS_NUMBER, "open_files" },
	[FIELD_FILE_BYTES] = { FIELD_IS_NUMBER, "file_bytes" },
	[FIELD_WORKSPACE_BYTES] = { FIELD_IS_NUMBER, "workspace_bytes" },
	[FIELD_WORKSPACE_INODES] = { FIELD_IS_NUMBER, "workspace_inodes" },
	[FIELD_IDLE_MS] = { FIELD_IS_NUMBER, "idle_ms" },
	[FIELD_LIFETIME_MS] = { FIELD_IS_NUMBER, "lifetime_ms" },
	[FIELD_UNDO_DEPTH] = { FIELD_IS_NUMBER, "undo_depth" },

	[FIELD_STATUS] = { FIELD_IS_NUMBER, "status" },
	[FIELD_REASON] = { FIELD_IS_NUMBER, "reason" },
	[FIELD_RETURN_CODE] = { FIELD_IS_NUMBER, "return_code" },
	[FIELD_SIGNAL] = { FIELD_IS_NUMBER, "signal" },
	[FIELD_WALL_US] = { FIELD_IS_NUMBER, "wall_us" },
	[FIELD_CPU_US] = { FIELD_IS_NUMBER, "cpu_us" },
	[FIELD_MEMORY_PEAK_BYTES] = { FIELD_IS_NUMBER, "memory_peak_bytes" },
	[FIELD_STDOUT_TRUNCATED] = { FIELD_IS_NUMBER, "stdout_truncated" },
	[FIELD_STDERR_TRUNCATED] = { FIELD_IS_NUMBER, "stderr_truncated" },
	[FIELD_STATE] = { FIELD_IS_NUMBER, "state" },
	[FIELD_NOTE] = { FIELD_IS_TEXT, "note" },
	[FIELD_REPORT] = { FIELD_IS_LIST, "report" },
	[FIELD_LIMIT] = { FIELD_IS_NUMBER, "limit" },
	[FIELD_EXECUTION] = { FIELD_IS_NUMBER, "execution" },
	[FIELD_DISPLAYS_DROPPED] = { FIELD_IS_NUMBER, "displays_dropped" },
	[FIELD_LOST_BYTES] = { FIELD_IS_NUMBER, "lost_bytes" },

	[FIELD_RESULT] = { FIELD_IS_TEXT, "result" },
	[FIELD_EXCEPTION_TYPE] = { FIELD_IS_TEXT, "exception_type" },
	[FIELD_EXCEPTION_MESSAGE] = { FIELD_IS_TEXT, "exception_message" },
	[FIELD_EXCEPTION_LINE] = { FIELD_IS_NUMBER, "exception_line" },
	[FIELD_TRACEBACK] = { FIELD_IS_TEXT, "traceback" },
	[FIELD_ENDED_BY] = { FIELD_IS_NUMBER, "ended_by" },
	[FIELD_EXIT_CODE] = { FIELD_IS_NUMBER, "exit_code" },
	[FIELD_VARIABLE] = { FIELD_IS_LIST, "variable" },
	[FIELD_CASE_RESULT] = { FIELD_IS_LIST, "case_result" },
	[FIELD_PURE] = { FIELD_IS_NUMBER, "pure" },
	[FIELD_DATA] = { FIELD_IS_BYTES, "data" },
	[FIELD_EQUAL] = { FIELD_IS_NUMBER, "equal" },
	[FIELD_NEEDS_NAMES] = { FIELD_IS_NUMBER, "needs_names" },
	[FIELD_PROMPT] = { FIELD_IS_BYTES, "prompt" },
	[FIELD_PASSWORD] = { FIELD_IS_NUMBER, "password" },

	[FIELD_NAME] = { FIELD_IS_TEXT, "name" },
	[FIELD_TYPE] = { FIELD_IS_TEXT, "type" },
	[FIELD_REPR] = { FIELD_IS_TEXT, "repr" },
	[FIELD_SIZE_BYTES] = { FIELD_IS_NUMBER, "size_bytes" },
	[FIELD_CONTENT] = { FIELD_IS_BYTES, "content" },
	[FIELD_INDEX] = { FIELD_IS_NUMBER, "index" },
	[FIELD_CASE_INPUT] = { FIELD_IS_TEXT, "input" },
	[FIELD_CASE_OUTPUT] = { FIELD_IS_TEXT, "output" },
	[FIELD_CASE_STDOUT] = { FIELD_IS_BYTES, "stdout" },
	[FIELD_TOLERANCE] = { FIELD_IS_TEXT, "tolerance" },
	[FIELD_PASSED] = { FIELD_IS_NUMBER, "passed" },
	[FIELD_GOT] = { FIELD_IS_TEXT, "got" },
	[FIELD_EXPECTED] = { FIELD_IS_TEXT, "expected" },
	[FIELD_EXPECTED_DATA] = { FIELD_IS_BYTES, "expected_data" },
	[FIELD_ARGUMENTS] = { FIELD_IS_BYTES, "arguments" },

	[FIELD_SESSION] = { FIELD_IS_LIST, "session" },
	[FIELD_CREATED_MS] = { FIELD_IS_NUMBER, "created_ms" },
	[FIELD_LAST_USED_MS] = { FIELD_IS_NUMBER, "last_used_ms" },
	[FIELD_EXPIRES_MS] = { FIELD_IS_NUMBER, "expires_ms" },
	[FIELD_EXECUTIONS] = { FIELD_IS_NUMBER, "executions" },
	[FIELD_RUNNING] = { FIELD_IS_NUMBER, "running" },
	[FIELD_HISTORY] = { FIELD_IS_LIST, "history" },
	[FIELD_UNDO_LEVELS] = { FIELD_IS_NUMBER, "undo_levels" },
	[FIELD_LOAD] = { FIELD_IS_LIST, "load" },
	[FIELD_CELL] = { FIELD_IS_LIST, "cell" },
	[FIELD_STDOUT] = { FIELD_IS_BYTES, "stdout" },
	[FIELD_STDERR] = { FIELD_IS_BYTES, "stderr" },
	[FIELD_WAITS_FOR_INPUT] = { FIELD_IS_NUMBER, "waits_for_input" },

	[FIELD_VERSION] = { FIELD_IS_TEXT, "version" },
	[FIELD_PYTHON] = { FIELD_IS_TEXT, "python" },
	[FIELD_WALL] = { FIELD_IS_LIST, "wall" },
	[FIELD_PROFILE_LIMITS] = { FIELD_IS_LIST, "profile_limits" },
	[FIELD_COUNTER] = { FIELD_IS_LIST, "counter" },
	[FIELD_PACKAGE] = { FIELD_IS_TEXT, "package" },
	[FIELD_ENVIRONMENT_INFO] = { FIELD_IS_LIST, "environment_info" },

	[FIELD_REFUSAL] = { FIELD_IS_NUMBER, "refusal" },
	[FIELD_MESSAGE] = { FIELD_IS_TEXT, "message" },
	[FIELD_RETRY_AFTER_MS] = { FIELD_IS_NUMBER, "retry_after_ms" },
	[FIELD_FIELD_NAME] = { FIELD_IS_TEXT, "field" },
	[FIELD_LEAST] = { FIELD_IS_NUMBER, "least" },
	[FIELD_MOST] = { FIELD_IS_NUMBER, "most" },
};

const char *protocol_status_name(uint64_t status)
{
	return status < STATUS_COUNT ? status_names[status] : 0;
}

const char *protocol_reason_name(uint64_t reason)
{
	return reason < REASON_COUNT ? reason_names[reason] : 0;
}

const char *protocol_state_name(uint64_t state)
{
	return state < STATE_COUNT ? state_names[state] : 0;
}

enum field_type protocol_field_type(unsigned field)
{
	return field <= FIELD_LAST ? field_rules[field].type : FIELD_IS_UNKNOWN;
}

const char *protocol_field_name(unsigned field)
{
	return field <= FIELD_LAST ? field_rules[field].name : 0;
}
