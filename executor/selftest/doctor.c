#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/fields.h"
#include "common/log.h"
#include "common/mailbox.h"
#include "executor/machine.h"
#include "executor/run/profile.h"
#include "executor/run/run.h"
#include "executor/selftest/selftest.h"

enum { PROBE_MS = 30000, START_MS = 60000, DETAIL_BYTES = 200, OUTPUT_BYTES = 128 << 10 };

enum verdict { UNKNOWN, HOLDS, BROKEN, NOT_IN_FORCE };

struct finding {
	enum verdict verdict;
	char detail[DETAIL_BYTES];
};

struct doctor {
	struct executor *executor;
	void (*ended)(struct executor *executor);
	size_t next; /* probe */
	struct waiter waiter;
	struct loop_timer timer;
	struct sandbox *sandbox;
	struct run *run;
	char *code;
	char output[OUTPUT_BYTES + 1];
	size_t output_length;
	char python[32];
	struct buffer packages;    /* FIELD_PACKAGE, ready to be sent */
	struct finding findings[]; /* one a wall */
};

static void next_probe(struct doctor *doctor);

static bool with_cgroups(const struct doctor *doctor)
{
	return strcmp(cgroup_tree_version(doctor->executor->cgroups), "none") != 0;
}

static void find_out(struct doctor *doctor, const char *name, size_t length, enum verdict verdict,
		     const char *detail)
{
	for (size_t i = 0; i < wall_count; i++) {
		struct finding *finding = &doctor->findings[i];

		if (strlen(walls[i].name) != length || memcmp(walls[i].name, name, length) != 0)
			continue;
		finding->verdict = verdict;
		snprintf(finding->detail, sizeof finding->detail, "%s", detail);
	}
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
	size_t room = OUTPUT_BYTES - doctor->output_length;

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
		bool holds = outcome->reason == probe->ends_by;

		find_out(doctor, probe->wall, strlen(probe->wall), holds ? HOLDS : BROKEN,
			 holds    ? ""
			 : reason ? reason
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

/* -- what was found ---------------------------------------------------------- */

bool doctor_healthy(const struct doctor *doctor)
{
	for (size_t i = 0; i < wall_count; i++)
		if (doctor->findings[i].verdict != HOLDS &&
		    doctor->findings[i].verdict != NOT_IN_FORCE)
			return false;
	return true;
}

static const char *verdict_text(const struct finding *finding)
{
	static const char *const texts[] = { [UNKNOWN] = "not tried",
					     [HOLDS] = "holds",
					     [BROKEN] = "BROKEN",
					     [NOT_IN_FORCE] = "not in force" };

	return texts[finding->verdict];
}

void doctor_log(const struct doctor *doctor)
{
	for (size_t i = 0; i < wall_count; i++) {
		const struct finding *finding = &doctor->findings[i];

		if (finding->verdict == NOT_IN_FORCE)
			log_warn("wall %s is not in force: %s", walls[i].name, finding->detail);
		else if (finding->verdict != HOLDS)
			log_error("wall %s (%s): %s %s; remedy: %s", walls[i].name, walls[i].what,
				  verdict_text(finding), finding->detail, walls[i].remedy);
	}
}

static void print_cgroups(const struct cgroup_tree *cgroups, FILE *out)
{
	static const char waits[] =
		"  (mounted without favordynmods: after a rest a sandbox takes some "
		"10 ms longer to make; better: mount -o remount,favordynmods)";

	fprintf(out, "  %-22s %s%s\n", "cgroups", cgroup_tree_version(cgroups),
		cgroup_tree_waits(cgroups) ? waits : "");
	fprintf(out, "  %-22s %zu (of v2 the io controller does it, of v1 blkio)\n",
		"disks, reads bounded", cgroup_tree_limited_disks(cgroups));
}

void doctor_print(const struct doctor *doctor, FILE *out)
{
	const struct executor *executor = doctor->executor;
	struct utsname kernel;

	fprintf(out, "Walls, tried from inside a sandbox\n");
	for (size_t i = 0; i < wall_count; i++) {
		const struct finding *finding = &doctor->findings[i];

		fprintf(out, "  %-22s %-13s %s\n", walls[i].name, verdict_text(finding),
			walls[i].what);
		if (finding->verdict != HOLDS)
			fprintf(out, "  %-22s %s; remedy: %s\n", "", finding->detail,
				walls[i].remedy);
	}
	uname(&kernel);
	fprintf(out, "Kernel\n  %-22s %s\n", "release", kernel.release);
	print_cgroups(executor->cgroups, out);
	machine_print(out);
	fprintf(out, "  %-22s %s\n", "capabilities kept", caps_needed_text());
	fprintf(out, "Limits by profile\n  %-12s %9s %9s %12s %9s %6s %6s %12s %8s\n", "profile",
		"wall_ms", "cpu_ms", "memory_bytes", "output_b", "procs", "files", "workspace_b",
		"inodes");
	for (size_t i = 0; i < PROFILE_COUNT; i++) {
		const struct limits *l = &profiles[i].limits;

		fprintf(out, "  %-12s %9llu %9llu %12llu %9llu %6llu %6llu %12llu %8llu\n",
			profiles[i].name, (unsigned long long)l->wall_ms,
			(unsigned long long)l->cpu_ms, (unsigned long long)l->memory_bytes,
			(unsigned long long)l->output_bytes, (unsigned long long)l->processes,
			(unsigned long long)l->open_files, (unsigned long long)l->workspace_bytes,
			(unsigned long long)l->workspace_inodes);
	}
	fprintf(out, "%s\n",
		doctor_healthy(doctor) ? "Every wall holds."
				       : "NOT SAFE: the executor would not serve.");
}

int doctor_put(const struct doctor *doctor, struct buffer *list)
{
	int error = 0;

	for (size_t i = 0; !error && i < wall_count; i++) {
		const char *text = verdict_text(&doctor->findings[i]);
		AUTO_BUFFER one = BUFFER_INIT(1024);

		error = fields_put_text(&one, FIELD_NAME, walls[i].name);
		if (!error)
			error = fields_put_bytes(&one, FIELD_CONTENT, text, strlen(text));
		if (!error)
			error = fields_put_bytes(list, FIELD_WALL, one.data, one.length);
	}
	if (!error)
		error = fields_put_text(list, FIELD_PYTHON, doctor->python);
	return error ? error : buffer_append(list, doctor->packages.data, doctor->packages.length);
}
