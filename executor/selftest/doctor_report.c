/* What the doctor has found: for the log, for people, for callers. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/fields.h"
#include "common/log.h"
#include "executor/caps.h"
#include "executor/run/profile.h"
#include "executor/selftest/doctor_parts.h"
#include "executor/selftest/selftest.h"

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

/* The kernel's own answer; 0 without Landlock. */
static int landlock_version(void)
{
	enum { CREATE_RULESET_VERSION = 1 };
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

	return version < 0 ? 0 : (int)version;
}

/* A crash inside would be handed to a program of the host. */
static void print_core_pattern(FILE *out)
{
	char pattern[128] = "";
	FILE *file = fopen("/proc/sys/kernel/core_pattern", "re");

	if (file) {
		if (!fgets(pattern, sizeof pattern, file))
			pattern[0] = '\0';
		fclose(file);
	}
	pattern[strcspn(pattern, "\n")] = '\0';
	fprintf(out, "  %-22s %s%s\n", "core_pattern", pattern,
		*pattern == '|' ? "  (a crash inside starts this program on the host; better: "
				  "sysctl kernel.core_pattern=core)"
				: "");
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
	fprintf(out, "Kernel\n  %-22s %s\n  %-22s %s\n", "release", kernel.release, "cgroups",
		cgroup_tree_version(executor->cgroups));
	fprintf(out, "  %-22s %d\n", "Landlock version", landlock_version());
	print_core_pattern(out);
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
