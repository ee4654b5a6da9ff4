#define _GNU_SOURCE
#include "zygote/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "zygote/filter_base.h"

/* readonly: changing anything by name, before the name is looked at. */
static const char *const writing_calls[] = {
	"creat",   "rename", "renameat",  "renameat2", "mkdir",    "mkdirat",   "rmdir",
	"link",    "linkat", "unlink",    "unlinkat",  "symlink",  "symlinkat", "mknod",
	"mknodat", "chmod",  "fchmodat",  "fchmodat2", "chown",    "lchown",    "fchownat",
	"utime",   "utimes", "utimensat", "futimesat", "truncate",
};

static struct sock_fprog programs[FILTER_COUNT];

static int add_notification(scmp_filter_ctx filter)
{
	int error = filter_rule(filter, SCMP_ACT_NOTIFY, "remap_file_pages", 0, NULL);

	/* kill(-1) would take the session's own checkpoints along */
	if (!error)
		error = filter_rule_masked(filter, SCMP_ACT_ERRNO(EPERM), "kill", 0, LOW_32,
					   LOW_32);
	/* A profile's further filter: the executor lets the interpreter put on a few, and
	 * nobody else any, as each takes memory of the kernel that nothing counts. */
	if (!error)
		error = filter_rule_masked(filter, SCMP_ACT_NOTIFY, "prctl", 0, LOW_32,
					   PR_SET_SECCOMP);
	return error;
}

/* A command has no listener to ask. */
static int add_command(scmp_filter_ctx filter)
{
	return filter_rule_masked(filter, SCMP_ACT_ERRNO(EPERM), "prctl", 0, LOW_32,
				  PR_SET_SECCOMP);
}

static int add_open_flags(scmp_filter_ctx filter, const char *call, unsigned argument)
{
	static const struct {
		uint64_t mask, value;
	} writing[] = {
		{ O_ACCMODE, O_WRONLY },  { O_ACCMODE, O_RDWR },
		{ O_ACCMODE, O_ACCMODE }, /* Linux's own fourth mode */
		{ O_CREAT, O_CREAT },     { O_TRUNC, O_TRUNC },
	};
	int error = 0;

	for (size_t i = 0; !error && i < COUNT(writing); i++)
		error = filter_rule_masked(filter, SCMP_ACT_ERRNO(EACCES), call, argument,
					   writing[i].mask, writing[i].value);
	return error;
}

static int add_readonly(scmp_filter_ctx filter)
{
	int error = 0;

	for (size_t i = 0; !error && i < COUNT(writing_calls); i++)
		error = filter_rule(filter, SCMP_ACT_ERRNO(EACCES), writing_calls[i], 0, NULL);
	if (!error)
		error = add_open_flags(filter, "open", 1);
	if (!error)
		error = add_open_flags(filter, "openat", 2);
	/* flags in memory again: libc falls back to openat */
	if (!error)
		error = filter_rule(filter, SCMP_ACT_ERRNO(ENOSYS), "openat2", 0, NULL);
	return error;
}

static int add_restricted(scmp_filter_ctx filter)
{
	static const char *const calls[] = { "fork", "vfork", "execve", "execveat" };
	int error = 0;

	for (size_t i = 0; !error && i < COUNT(calls); i++)
		error = filter_rule(filter, SCMP_ACT_ERRNO(EACCES), calls[i], 0, NULL);
	/* clone makes threads or processes; threads stay */
	if (!error)
		error = filter_rule_masked(filter, SCMP_ACT_ERRNO(EACCES), "clone", 0, CLONE_THREAD,
					   0);
	return error;
}

/* Stands for a process in FILTER_ORIGINAL until that is put on; its negative for the
 * process's group. */
enum { THE_ORIGINAL = 0x2a6f5b13 };

/* They have one uid: what the kernel lets a process do to another of its user,
 * a case must not do to the process that all cases are forked from. */
static int add_original(scmp_filter_ctx filter)
{
	static const struct {
		const char *call;
		unsigned argument;
	} reaches[] = {
		{ "kill", 0 },
		{ "tkill", 0 },
		{ "tgkill", 0 },
		{ "tgkill", 1 },
		{ "rt_sigqueueinfo", 0 },
		{ "rt_tgsigqueueinfo", 0 },
		{ "rt_tgsigqueueinfo", 1 },
		{ "pidfd_open", 0 },
		{ "prlimit64", 0 },
		{ "sched_setaffinity", 0 },
		{ "sched_setparam", 0 },
		{ "sched_setscheduler", 0 },
		{ "setpriority", 1 },
	};
	static const uint32_t group = -(uint32_t)THE_ORIGINAL;
	int error = filter_rule_masked(filter, SCMP_ACT_ERRNO(ESRCH), "kill", 0, LOW_32, group);

	for (size_t i = 0; !error && i < COUNT(reaches); i++)
		error = filter_rule_masked(filter, SCMP_ACT_ERRNO(ESRCH), reaches[i].call,
					   reaches[i].argument, LOW_32, THE_ORIGINAL);
	if (!error) /* of the user: all that there are */
		error = filter_rule_masked(filter, SCMP_ACT_ERRNO(EPERM), "setpriority", 0, LOW_32,
					   PRIO_USER);
	/* signals by way of a descriptor's owner */
	const struct scmp_arg_cmp owners[][2] = {
		{ SCMP_CMP(1, SCMP_CMP_MASKED_EQ, LOW_32, F_SETOWN),
		  SCMP_CMP(2, SCMP_CMP_MASKED_EQ, LOW_32, THE_ORIGINAL) },
		{ SCMP_CMP(1, SCMP_CMP_MASKED_EQ, LOW_32, F_SETOWN),
		  SCMP_CMP(2, SCMP_CMP_MASKED_EQ, LOW_32, group) },
	};
	for (size_t i = 0; !error && i < COUNT(owners); i++)
		error = filter_rule(filter, SCMP_ACT_ERRNO(ESRCH), "fcntl", 2, owners[i]);
	return error;
}

struct recipe {
	uint32_t otherwise;
	int (*add)(scmp_filter_ctx filter);
};

static const struct recipe recipes[FILTER_COUNT] = {
	[FILTER_BASE] = { SCMP_ACT_ERRNO(ENOSYS), filter_base_rules },
	[FILTER_NOTIFICATION] = { SCMP_ACT_ALLOW, add_notification },
	[FILTER_COMMAND] = { SCMP_ACT_ALLOW, add_command },
	[FILTER_READONLY] = { SCMP_ACT_ALLOW, add_readonly },
	[FILTER_RESTRICTED] = { SCMP_ACT_ALLOW, add_restricted },
	[FILTER_ORIGINAL] = { SCMP_ACT_ALLOW, add_original },
};

/* libseccomp writes BPF to a descriptor; keep it as a program in memory. */
static int export_program(scmp_filter_ctx filter, struct sock_fprog *ret_program)
{
	int fd = memfd_create("filter", MFD_CLOEXEC);
	struct stat info;
	int error;

	if (fd < 0)
		return -errno;
	error = seccomp_export_bpf(filter, fd);
	if (!error && fstat(fd, &info))
		error = -errno;
	if (!error) {
		struct sock_filter *code = malloc((size_t)info.st_size);

		if (!code || pread(fd, code, (size_t)info.st_size, 0) != info.st_size) {
			free(code);
			error = -ENOMEM;
		} else {
			ret_program->len = (unsigned short)((size_t)info.st_size / sizeof *code);
			ret_program->filter = code;
		}
	}
	close(fd);
	return error;
}

static int build(const struct recipe *recipe, struct sock_fprog *ret_program)
{
	scmp_filter_ctx filter = seccomp_init(recipe->otherwise);
	int error;

	if (!filter)
		return -ENOMEM;
	/* x32 and 32-bit calls have numbers that mean something else */
	error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!error) /* a binary tree: the allow-list is long */
		error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!error)
		error = recipe->add(filter);
	if (!error)
		error = export_program(filter, ret_program);
	seccomp_release(filter);
	return error;
}

int filter_build_all(void)
{
	for (int i = 0; i < FILTER_COUNT; i++) {
		int error = build(&recipes[i], &programs[i]);

		if (error)
			return error;
	}
	return 0;
}

static int put_on(enum filter filter, unsigned long flags)
{
	long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &programs[filter]);

	return result < 0 ? -errno : (int)result;
}

int filter_apply(enum filter filter)
{
	if (filter != FILTER_NOTIFICATION)
		return put_on(filter, 0);

	/* The wait is an ordinary one, which signals end: see notification.c. */
	return put_on(filter, SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

/* In our own copy of the program. */
static void name_original(struct sock_fprog *program)
{
	const uint32_t self = (uint32_t)getpid();

	for (size_t i = 0; i < program->len; i++) {
		struct sock_filter *at = &program->filter[i];

		if (at->code == (BPF_JMP | BPF_JEQ | BPF_K) && at->k == THE_ORIGINAL)
			at->k = self;
		else if (at->code == (BPF_JMP | BPF_JEQ | BPF_K) &&
			 at->k == -(uint32_t)THE_ORIGINAL)
			at->k = -self;
	}
}

int filter_add(enum filter filter)
{
	if (filter == FILTER_ORIGINAL)
		name_original(&programs[filter]);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &programs[filter], 0, 0) ? -errno : 0;
}
