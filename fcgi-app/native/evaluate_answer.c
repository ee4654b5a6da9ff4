/* evaluate_answer.c - the verdicts as both dialects show them. */
#include <stdio.h>
#include <string.h>

#include "fcgi-app/http/answer.h"
#include "fcgi-app/native/native.h"

static struct text content_of(const struct buffer *bytes)
{
	return (struct text){ bytes->data ? (const char *)bytes->data : "", bytes->length };
}

/* ---- why a case, or the loading, failed ----------------------------------- */

/* "ZeroDivisionError: division by zero", as the last line of a traceback. */
static int say_exception(const struct exec_report *report, struct buffer *out)
{
	struct text type = report->exception_type;
	struct text message = report->exception_message;
	int failed = buffer_append(out, type.data, type.length);

	if (!failed && message.length) {
		failed = buffer_append(out, ": ", 2);
		failed = failed ? failed : buffer_append(out, message.data, message.length);
	}
	return failed;
}

static int say(struct buffer *out, const char *sentence)
{
	return buffer_append(out, sentence, strlen(sentence));
}

static int say_exit(const struct outcome *outcome, struct buffer *out)
{
	char sentence[80];

	snprintf(sentence, sizeof sentence, "the code ended the process with exit code %lld",
		 (long long)outcome->return_code);
	return say(out, sentence);
}

/* Nothing is said where the answer is simply wrong: `value_expected` and there is
 * none means that the code got away before it returned. */
static int say_error(const struct evaluate_result *result, bool value_expected, struct buffer *out)
{
	const struct outcome *outcome = &result->outcome;
	char sentence[OUTCOME_SENTENCE_BYTES];

	switch (outcome->reason) {
	case REASON_WALL_TIME:
	case REASON_CPU_TIME:
		return say(out, "Timeout"); /* exactly so in dialect C */
	case REASON_EXCEPTION:
		if (outcome->report.exception_type.length)
			return say_exception(&outcome->report, out);
		return say(out, "the code raised an exception");
	case REASON_EXIT:
		return say_exit(outcome, out);
	default:
		break;
	}
	if (*outcome_sentence(outcome, sentence))
		return say(out, sentence);
	if (result->message.data)
		return buffer_append(out, result->message.data, result->message.length);
	return value_expected && !result->got.data ? say_exit(outcome, out) : 0;
}

static void write_error(struct json_writer *writer, const struct evaluate_result *result,
			bool value_expected)
{
	AUTO_BUFFER out = BUFFER_INIT(0);
	int failed = result->passed ? 0 : say_error(result, value_expected, &out);

	if (failed)
		writer->error = failed;
	if (out.length)
		writer_text(writer, "error", content_of(&out));
	else
		writer_null(writer, "error");
}

/* ---- cases ---------------------------------------------------------------- */

/* A program's output is text already, if only empty; a returned value comes as JSON. */
static void write_values(struct json_writer *writer, const struct evaluate_case *one,
			 const struct evaluate_result *result)
{
	if (result->got.data || !one->prints)
		writer_json(writer, "got", result->got);
	else
		writer_text(writer, "got",
			    result->printed.data || !result->known ? result->printed : TEXT(""));
	if (result->expected.data || !one->prints)
		writer_json(writer, "expected", result->expected);
	else
		writer_text(writer, "expected", one->output);
}

static void write_details(struct json_writer *writer, const struct evaluate_result *result)
{
	const struct outcome *outcome = &result->outcome;

	writer_string(writer, "status", protocol_status_name(outcome->status));
	writer_string(writer, "reason", protocol_reason_name(outcome->reason));
	writer_text(writer, "stdout", result->printed.data ? result->printed : TEXT(""));
	result_write_exception(writer, outcome);
}

/* Where the code did not load, every case failed for that. */
static void write_case(struct json_writer *writer, const struct evaluate *evaluate, size_t index,
		       struct text load_error, bool detailed)
{
	const struct evaluate_case *one = &evaluate->cases[index];
	const struct evaluate_result not_run = {
		.outcome = { .status = evaluate->load.outcome.status,
			     .reason = evaluate->load.outcome.reason }
	};
	const struct evaluate_result *result =
		evaluate->load_failed ? &not_run : &evaluate->results[index];

	writer_open_object(writer, NULL);
	writer_unsigned(writer, "case", index);
	writer_text(writer, "input", one->input);
	writer_bool(writer, "passed", result->passed);
	write_values(writer, one, result);
	if (evaluate->load_failed)
		writer_text(writer, "error", load_error);
	else
		write_error(writer, result, !one->prints);
	if (detailed)
		write_details(writer, result);
	result_write_usage(writer, &result->outcome);
	writer_close_object(writer);
}

/* ---- all of it ------------------------------------------------------------ */

static bool all_passed(const struct evaluate *evaluate)
{
	bool passed = evaluate->count && !evaluate->load_failed;

	for (size_t i = 0; passed && i < evaluate->count; i++)
		passed = evaluate->results[i].passed;
	return passed;
}

/* Why the code as a whole could not be tested; nothing if it could. */
static int say_top_error(const struct evaluate *evaluate, struct buffer *out)
{
	int failed = 0;

	if (evaluate->load_failed) {
		failed = say_error(&evaluate->load, false, out);
		if (!failed && !out->length)
			failed = say(out, "the code could not be loaded");
	} else if (!evaluate->count) {
		failed = say(out, "There are no cases: nothing was tested.");
	}
	return failed;
}

void evaluate_answer(struct exchange *exchange, const struct evaluate *evaluate, bool detailed)
{
	struct json_writer writer = answer_open(exchange, 200);
	AUTO_BUFFER error = BUFFER_INIT(0);
	int failed = say_top_error(evaluate, &error);

	if (failed)
		writer.error = failed;
	writer_bool(&writer, "passed", all_passed(evaluate));
	writer_open_array(&writer, "case_results");
	for (size_t i = 0; i < evaluate->count; i++)
		write_case(&writer, evaluate, i, content_of(&error), detailed);
	writer_close_array(&writer);
	writer_text(&writer, "error", error.length ? content_of(&error) : (struct text){ 0 });
	if (detailed && evaluate->load_failed)
		result_write_exception(&writer, &evaluate->load.outcome);
	else if (detailed)
		writer_null(&writer, "exception");
	answer_finish(exchange, &writer);
}
