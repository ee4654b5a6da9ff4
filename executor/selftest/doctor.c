#define _GNU_SOURCE
#include "executor/selftest/doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fields.h"
#include "common/log.h"
#include "common/mailbox.h"
#include "executor/run/profile.h"
#include "executor/run/run.h"
#include "executor/selftest/doctor_parts.h"
#include "executor/selftest/selftest.h"

enum { PROBE_MS = 30000, START_MS = 60000 };

static void next_probe(struct doctor *doctor);

static bool with_cgroups(const struct doctor *doctor)
{
	return strcmp(cgroup_tree_version(doctor->executor->cgroups), "none") != 0;
}

static struct finding *find(struct doctor *doctor, const char *name, size_t length)
{
	for (size_t i = 0; i < wall_count; i++)
		if (strlen(walls[i].name) == length && !memcmp(walls[i].name, name, length))
			return &doctor->findings[i];
	return NULL;
}

static void find_out(struct doctor *doctor, const char *name, size_t length, enum verdict verdict,
		     const char *detail)
{
	struct finding *finding = find(doctor, name, length);

	if (!finding)
		return;
	finding->verdict = verdict;
	snprintf(finding->detail, sizeof finding->detail, "%s", detail);
}

static bool starts_with(const char *line, const char *start)
{
	return !strncmp(line, start, strlen(start));
}

/* "NAME ok" or "NAME broken: why"; "python VERSION"; "package NAME==VERSION".
 * Not hostile, as no user code has run, but held to be text all the same. */
static void read_line(struct doctor *doctor, char *line)
{
	char *space = strchr(line, ' ');

	if (!space || !utf8_valid(line, strlen(line)))
		return;
	if (starts_with(line, "python "))
		snprintf(doctor->python, sizeof doctor->python, "%s", space + 1);
	else if (starts_with(line, "package "))
		(void)fields_put_text(&doctor->packages, FIELD_PACKAGE, space + 1);
	else if (!strcmp(space, " ok"))
		find_out(doctor, line, (size_t)(space - line), HOLDS, "");
	else if (!strncmp(space, " broken: ", 9))
		find_out(doctor, line, (size_t)(space - line), BROKEN, space + 9);
}

static void read_output(struct doctor *doctor)
{
	char *rest = NULL;

	doctor->output[doctor->output_length] = '\0';
	for (char *line = strtok_r(doctor->output, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		read_line(doctor, line);
}

/* -- running a probe --------------------------------------------------------- */

static void end(struct doctor *doctor)
{
	loop_clear_timer(doctor->executor->loop, &doctor->timer);
	admission_withdraw(doctor->executor->admission, &doctor->waiter);
	doctor->ended(doctor->executor);
}

static void let_go(struct doctor *doctor)
{
	run_free(doctor->run);
	doctor->run = NULL;
	if (doctor->sandbox)
		sandbox_kill(doctor->sandbox);
	doctor->sandbox = NULL;
	free(doctor->code);
	doctor->code = NULL;
}

static void on_output(void *context, enum sandbox_stream stream, const uint8_t *bytes,
		      size_t length)
{
	struct doctor *doctor = context;
	size_t room = DOCTOR_OUTPUT_BYTES - doctor->output_length;

	if (length > room)
		length = room;
	(void)stream;
	memcpy(doctor->output + doctor->output_length, bytes, length);
	doctor->output_length += length;
}

static void on_finished(void *context, const struct outcome *outcome)
{
	struct doctor *doctor = context;
	const struct probe *probe = &probes[doctor->next];

	if (probe->wall) {
		const char *reason = protocol_reason_name(outcome->reason);

		find_out(doctor, probe->wall, strlen(probe->wall),
			 outcome->reason == probe->ends_by ? HOLDS : BROKEN,
			 outcome->reason == probe->ends_by ? ""
			 : reason                          ? reason
							   : "no limit met");
	}
	read_output(doctor);
	if (!probe->wall && outcome->status != STATUS_SUCCESS)
		log_error("doctor: a probe ended by %s: %.400s",
			  protocol_reason_name(outcome->reason), doctor->output);
	let_go(doctor);
	doctor->next++;
	next_probe(doctor);
}

/* Our own namespaces, for the probe to compare. */
static void own_namespaces(char *ret_text, size_t size)
{
	static const char *const names[] = { "user", "pid", "mnt", "net", "ipc", "uts", "cgroup" };
	size_t used = 0;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char path[32], target[64];

		snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
		ssize_t length = readlink(path, target, sizeof target - 1);
		target[length > 0 ? length : 0] = '\0';
		used += (size_t)snprintf(ret_text + used, size - used, "%s'%s': '%s'",
					 used ? ", " : "{", names[i], target);
	}
	snprintf(ret_text + used, size - used, "}");
}

static char *code_of(const struct probe *probe)
{
	char namespaces[512], *code = NULL;

	if (probe != &probes[0])
		return strdup(probe->code);
	own_namespaces(namespaces, sizeof namespaces);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the table's own text */
	if (asprintf(&code, probe->code, namespaces) < 0)
		return NULL;
#pragma GCC diagnostic pop
	return code;
}

static void on_sandbox(struct waiter *waiter, struct sandbox *sandbox)
{
	struct doctor *doctor = LOOP_OWNER(waiter, struct doctor, waiter);
	const struct probe *probe = &probes[doctor->next];
	struct limits limits = profiles[PROFILE_NATIVE].limits;

	limits.wall_ms = PROBE_MS;
	doctor->sandbox = sandbox;
	doctor->output_length = 0;
	doctor->code = code_of(probe);
	int error = doctor->code ? 0 : -ENOMEM;
	if (!error)
		error = run_begin(
			&(struct run_config){ .loop = doctor->executor->loop,
					      .sandbox = sandbox,
					      .limits = limits,
					      .cpu_percent = doctor->executor->options.cpu_percent,
					      .job = { .kind = JOB_SCRIPT,
						       .flags = probe->flags,
						       .payload = doctor->code,
						       .payload_length = strlen(doctor->code) },
					      .owner = { .output = on_output,
							 .finished = on_finished,
							 .context = doctor } },
			&doctor->run);
	if (error) {
		log_error("doctor: cannot run a probe: %s", strerror(-error));
		let_go(doctor);
		end(doctor);
	}
}

static void on_expired(struct waiter *waiter)
{
	(void)waiter; /* the doctor's own timer is what counts */
}

static void on_late(struct loop_timer *timer)
{
	struct doctor *doctor = LOOP_OWNER(timer, struct doctor, timer);

	log_error("doctor: no sandbox could be made and tried within %d s", START_MS / 1000);
	let_go(doctor);
	end(doctor);
}

static void next_probe(struct doctor *doctor)
{
	while (doctor->next < probe_count && probes[doctor->next].needs_cgroups &&
	       !with_cgroups(doctor))
		doctor->next++;
	if (doctor->next == probe_count) {
		if (!with_cgroups(doctor)) {
			find_out(doctor, "memory-limit", 12, NOT_IN_FORCE, "no cgroups");
			find_out(doctor, "process-limit", 13, NOT_IN_FORCE, "no cgroups");
		}
		end(doctor);
		return;
	}
	doctor->waiter = (struct waiter){ .pool = environment_pool(environments_base(
						  doctor->executor->environments)),
					  .granted = on_sandbox,
					  .expired = on_expired };
	if (admission_enter(doctor->executor->admission, &doctor->waiter))
		log_error("doctor: the queue is full");
}

int doctor_begin(struct executor *executor, void (*ended)(struct executor *executor),
		 struct doctor **ret_doctor)
{
	struct doctor *doctor = calloc(1, sizeof *doctor + wall_count * sizeof *doctor->findings);
	int error;

	if (!doctor)
		return -ENOMEM;
	doctor->packages = BUFFER_INIT(1 << 20);
	doctor->executor = executor;
	doctor->ended = ended;
	*ret_doctor = doctor;
	error = loop_set_timer(executor->loop, &doctor->timer, loop_now_us() + START_MS * 1000,
			       on_late);
	if (!error)
		next_probe(doctor);
	return error;
}

void doctor_free(struct doctor *doctor)
{
	if (!doctor)
		return;
	let_go(doctor);
	loop_clear_timer(doctor->executor->loop, &doctor->timer);
	admission_withdraw(doctor->executor->admission, &doctor->waiter);
	buffer_reset(&doctor->packages);
	free(doctor);
}
