#include "executor/run/outcome_fields.h"

#include "common/fields.h"

int outcome_put(const struct outcome *outcome, struct buffer *list)
{
	const struct {
		unsigned field;
		uint64_t value;
		bool present;
	} numbers[] = {
		{ FIELD_STATUS, outcome->status, true },
		{ FIELD_REASON, outcome->reason, true },
		{ FIELD_RETURN_CODE, (uint64_t)outcome->return_code, true },
		{ FIELD_SIGNAL, (uint64_t)outcome->signal, outcome->signal != 0 },
		{ FIELD_LIMIT, outcome->limit, outcome->limit != 0 },
		{ FIELD_WALL_US, outcome->wall_us, true },
		{ FIELD_CPU_US, outcome->cpu_us, true },
		{ FIELD_MEMORY_PEAK_BYTES, outcome->memory_peak_bytes, true },
		{ FIELD_STDOUT_TRUNCATED, outcome->truncated[0], true },
		{ FIELD_STDERR_TRUNCATED, outcome->truncated[1], true },
		{ FIELD_DISPLAYS_DROPPED, outcome->displays_dropped,
		  outcome->displays_dropped != 0 },
		{ FIELD_STATE, outcome->state, true },
	};
	int error = 0;

	for (size_t i = 0; !error && i < sizeof numbers / sizeof *numbers; i++)
		if (numbers[i].present)
			error = fields_put_number(list, numbers[i].field, numbers[i].value);
	if (!error)
		error = fields_put_text(list, FIELD_NOTE, outcome->note);
	if (!error && outcome->report_length)
		error = fields_put_bytes(list, FIELD_REPORT, outcome->report,
					 outcome->report_length);
	return error;
}
