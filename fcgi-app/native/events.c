/* events.c - server-sent events.
 *
 * The handler's thread passes each of the executor's frames on and waits while the
 * client, or nginx before it, takes no more: so the executor stops reading the
 * program's output, and nothing grows here. */
#include "fcgi-app/native/native.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/fields.h"
#include "fcgi-app/http/answer.h"

enum {
	KEEP_ALIVE_MS = 15000,
	/* A run that waits longer for its turn begins its answer: proxies give up. */
	SILENT_KEEP_ALIVES = 3,
	CHARACTER_BYTES = 4,
};

/* The beginning of a character whose end has not come yet. */
struct half {
	char bytes[CHARACTER_BYTES];
	size_t length;
};

struct events {
	struct exchange *exchange;
	uint64_t execution;
	uint64_t sequence; /* of the next event */
	unsigned keep_alives;
	bool open;
	struct half out, err;
	struct buffer data; /* of the event that is being made */
};

/* ---- writing ------------------------------------------------------------------ */

/* The client's leaving is what it is, whoever sees it first. */
static int gone_if(int failed)
{
	return failed ? -ECANCELED : 0;
}

static int put(struct events *events, const char *text, size_t length)
{
	const struct gateway *gateway = events->exchange->gateway;

	return gone_if(gateway->write(gateway->context, text, length));
}

static int flush(struct events *events)
{
	const struct gateway *gateway = events->exchange->gateway;

	return gone_if(gateway->flush(gateway->context));
}

static int open_stream(struct events *events)
{
	if (events->open)
		return 0;
	events->open = true;
	return gone_if(answer_events(events->exchange));
}

static struct json_writer open_data(struct events *events)
{
	struct json_writer writer = JSON_WRITER(&events->data);

	events->data.length = 0;
	writer_open_object(&writer, NULL);
	return writer;
}

/* Line ends between the program's own JSON values would end the event. */
static void take_line_ends(struct buffer *data)
{
	for (size_t i = 0; i < data->length; i++)
		if (data->data[i] == '\n' || data->data[i] == '\r')
			data->data[i] = ' ';
}

static int send_event(struct events *events, const char *name, uint64_t sequence)
{
	char head[96];
	int length =
		snprintf(head, sizeof head, "event: %s\nid: %" PRIu64 ".%" PRIu64 "\ndata: ", name,
			 events->execution, sequence);
	int failed = open_stream(events);

	take_line_ends(&events->data);
	failed = failed ? failed : put(events, head, (size_t)length);
	failed = failed ? failed : put(events, (char *)events->data.data, events->data.length);
	return failed ? failed : put(events, "\n\n", 2);
}

static int finish_event(struct events *events, struct json_writer *writer, const char *name,
			uint64_t sequence)
{
	writer_close_object(writer);
	return writer->error ? writer->error : send_event(events, name, sequence);
}

/* ---- the executor's events ------------------------------------------------------ */

static struct text text_in(const void *list, size_t length, enum field field)
{
	struct field_view view;

	if (fields_find(list, length, field, &view) != 1)
		return (struct text){ 0 };
	return (struct text){ (const char *)view.value, view.length };
}

static int send_start(struct events *events, const void *list, size_t length)
{
	struct json_writer writer = open_data(events);
	uint64_t next = fields_number(list, length, FIELD_SEQUENCE, 1);

	events->execution = fields_number(list, length, FIELD_EXECUTION, 0);
	events->sequence = next ? next : 1;
	writer_text(&writer, "session_id", text_in(list, length, FIELD_SESSION_ID));
	if (events->execution)
		writer_unsigned(&writer, "execution", events->execution);
	else
		writer_null(&writer, "execution");
	return finish_event(events, &writer, "start", events->sequence - 1);
}

static int send_text(struct events *events, const char *name, struct half *half, const void *bytes,
		     size_t length)
{
	AUTO_BUFFER joined = BUFFER_INIT(0);
	uint64_t sequence = events->sequence++;
	struct text all, text;

	if (buffer_append(&joined, half->bytes, half->length) ||
	    buffer_append(&joined, bytes, length))
		return -ENOMEM;
	all = (struct text){ (const char *)joined.data, joined.length };
	text = text_without_half_character(all);
	half->length = all.length - text.length;
	memcpy(half->bytes, text.data + text.length, half->length);
	if (!text.length)
		return 0;

	struct json_writer writer = open_data(events);
	writer_text(&writer, "text", text);
	return finish_event(events, &writer, name, sequence);
}

/* A character that never came to its end. */
static int send_half(struct events *events, const char *name, struct half *half)
{
	struct json_writer writer = open_data(events);

	if (!half->length)
		return 0;
	writer_text(&writer, "text", (struct text){ half->bytes, half->length });
	half->length = 0;
	return finish_event(events, &writer, name, events->sequence - 1);
}

static int send_display(struct events *events, const void *bytes, size_t length)
{
	struct json_writer writer = JSON_WRITER(&events->data);
	uint64_t sequence = events->sequence++;

	events->data.length = 0;
	if (!result_write_display(&writer, (struct text){ bytes, length }))
		return 0; /* the program made it, and it is none */
	return writer.error ? writer.error : send_event(events, "display", sequence);
}

static int send_input(struct events *events, const void *list, size_t length)
{
	struct json_writer writer = open_data(events);
	struct text prompt = text_in(list, length, FIELD_PROMPT);

	writer_text(&writer, "prompt", prompt.data ? prompt : TEXT(""));
	writer_bool(&writer, "password", fields_number(list, length, FIELD_PASSWORD, 0) != 0);
	return finish_event(events, &writer, "input", events->sequence++);
}

static int send_gap(struct events *events, const void *list, size_t length)
{
	struct json_writer writer = open_data(events);

	events->sequence = fields_number(list, length, FIELD_SEQUENCE, events->sequence);
	events->sequence += !events->sequence;
	writer_unsigned(&writer, "lost_bytes", fields_number(list, length, FIELD_LOST_BYTES, 0));
	return finish_event(events, &writer, "gap", events->sequence - 1);
}

static int take_event(void *context, enum frame_type type, const void *payload, size_t length)
{
	struct events *events = context;

	switch (type) {
	case FRAME_START:
		return send_start(events, payload, length);
	case FRAME_STDOUT:
		return send_text(events, "stdout", &events->out, payload, length);
	case FRAME_STDERR:
		return send_text(events, "stderr", &events->err, payload, length);
	case FRAME_DISPLAY:
		return send_display(events, payload, length);
	case FRAME_INPUT:
		return send_input(events, payload, length);
	case FRAME_GAP:
		return send_gap(events, payload, length);
	default:
		return -EPROTO;
	}
}

static int pause_events(void *context)
{
	struct events *events = context;

	return events->open ? flush(events) : 0;
}

static int keep_alive(void *context)
{
	struct events *events = context;
	int failed;

	if (!events->open && ++events->keep_alives <= SILENT_KEEP_ALIVES)
		return 0;
	failed = open_stream(events);
	failed = failed ? failed : put(events, ": waiting\n\n", 11);
	return failed ? failed : flush(events);
}

/* ---- the end ---------------------------------------------------------------------- */

static int send_result(struct events *events, const struct executor_answer *answer,
		       const struct outcome *outcome, struct text session_id, events_finish *finish,
		       void *context)
{
	int failed = send_half(events, "stdout", &events->out);

	failed = failed ? failed : send_half(events, "stderr", &events->err);
	if (failed)
		return failed;

	struct json_writer writer = open_data(events);
	result_write(&writer, outcome, session_id);
	finish(&writer, answer, context);
	return finish_event(events, &writer, "result", events->sequence);
}

/* The problem that has been answered, to a client that has had its 200 already. */
static void send_problem(struct events *events)
{
	const struct buffer *problem = &events->exchange->reply;

	events->data.length = 0;
	if (events->exchange->status != HTTP_CLIENT_GONE &&
	    !buffer_append(&events->data, problem->data, problem->length) &&
	    !send_event(events, "error", events->sequence))
		flush(events);
}

static bool ask(struct events *events, const struct exec_request *request,
		struct executor_answer *ret_answer, struct outcome *ret_outcome)
{
	if (!run_call(events->exchange, request, FRAME_OUTCOME, ret_answer))
		return false;
	if (!outcome_read(ret_answer, ret_outcome))
		return true;
	run_not_understood(events->exchange);
	return false;
}

bool events_run(struct exchange *exchange, struct exec_request *request, events_finish *finish,
		void *context)
{
	struct events events = { .exchange = exchange, .sequence = 1 };
	const struct exec_events hooks = { .event = take_event,
					   .pause = pause_events,
					   .idle = keep_alive,
					   .idle_ms = KEEP_ALIVE_MS,
					   .context = &events };
	AUTO_ANSWER answer = EXECUTOR_ANSWER_INIT;
	struct outcome outcome;
	bool done;

	request->events = &hooks;
	done = ask(&events, request, &answer, &outcome);
	if (done)
		done = !send_result(&events, &answer, &outcome, request->session_id, finish,
				    context) &&
		       !flush(&events);
	else if (events.open)
		send_problem(&events);
	buffer_reset(&events.data);
	return done;
}
