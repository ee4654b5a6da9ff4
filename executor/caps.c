#define _GNU_SOURCE
#include "executor/caps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "executor/zygotes/template_root.h"

/* Why each, in docs/SECURITY.md too. */
static const cap_value_t needed[] = {
	CAP_SYS_ADMIN,    /* mounts, entering the pid namespaces of sandboxes */
	CAP_SETUID,       /* to write uid_map; to leave root in the zygotes */
	CAP_SETGID,       /* gid_map, groups */
	CAP_CHOWN,        /* a workspace belongs to its sandbox */
	CAP_DAC_OVERRIDE, /* files in a workspace, the inits' /proc files */
	CAP_KILL,         /* sandboxes have other uids */
	CAP_SYS_CHROOT,   /* last: the template's root where pivot_root is refused */
};

/* Kept where we have it, for the oom scores alone: only with it does a score that is set
 * become one that the sandbox's programs cannot lower. */
static const cap_value_t optional = CAP_SYS_RESOURCE;

/* How many of them: the last one only in Docker's containers. */
static int needed_count(void)
{
	int all = sizeof needed / sizeof *needed;

	return root_pivot_refused() ? all : all - 1;
}

static int check_present(cap_t now, int count, char message[CAPS_MESSAGE_BYTES])
{
	for (int i = 0; i < count; i++) {
		cap_flag_value_t has = CAP_CLEAR;
		char *name;

		if (!cap_get_flag(now, needed[i], CAP_PERMITTED, &has) && has == CAP_SET)
			continue;
		name = cap_to_name(needed[i]);
		snprintf(message, CAPS_MESSAGE_BYTES,
			 "%s is missing; run as root, or give the container: cap_add %s",
			 name ? name : "a capability", caps_needed_text());
		cap_free(name);
		return -EPERM;
	}
	return 0;
}

static int is_needed(cap_value_t value, int count)
{
	if (value == optional)
		return 1;
	for (int i = 0; i < count; i++)
		if (needed[i] == value)
			return 1;
	return 0;
}

static int shrink_bounding_set(int count)
{
	/* dropping takes CAP_SETPCAP: without it what is bounding was set by
	 * whoever started us */
	for (cap_value_t value = 0; prctl(PR_CAPBSET_READ, value, 0, 0, 0) >= 0; value++)
		if (!is_needed(value, count) && prctl(PR_CAPBSET_DROP, value, 0, 0, 0) &&
		    errno != EPERM)
			return -errno;
	return 0;
}

static int set_only_needed(cap_t now, int count)
{
	cap_flag_value_t has = CAP_CLEAR;
	cap_t only = cap_init();
	int error = 0;

	if (!only)
		return -ENOMEM;
	(void)cap_get_flag(now, optional, CAP_PERMITTED, &has);
	if (cap_set_flag(only, CAP_PERMITTED, count, needed, CAP_SET) ||
	    cap_set_flag(only, CAP_EFFECTIVE, count, needed, CAP_SET) ||
	    cap_set_flag(only, CAP_PERMITTED, 1, &optional, has) ||
	    cap_set_flag(only, CAP_EFFECTIVE, 1, &optional, has) || cap_set_proc(only))
		error = -errno;
	cap_free(only);
	return error;
}

int caps_keep_needed(char message[CAPS_MESSAGE_BYTES])
{
	cap_t now = cap_get_proc();
	int count = needed_count();
	int error;

	if (!now)
		return -errno;
	error = check_present(now, count, message);
	if (!error) {
		snprintf(message, CAPS_MESSAGE_BYTES, "capabilities cannot be dropped");
		error = shrink_bounding_set(count);
	}
	if (!error)
		error = set_only_needed(now, count);
	cap_free(now);
	if (!error && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		error = -errno;
	return error;
}

const char *caps_needed_text(void)
{
	return needed_count() == sizeof needed / sizeof *needed
		       ? "SYS_ADMIN, SETUID, SETGID, CHOWN, DAC_OVERRIDE, KILL, SYS_CHROOT"
		       : "SYS_ADMIN, SETUID, SETGID, CHOWN, DAC_OVERRIDE, KILL";
}
