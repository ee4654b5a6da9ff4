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
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Everything that makes a namespace, by clone(2). CLONE_NEWTIME has no bit
 * there (it would be part of the exit signal). */
#define NAMESPACE_FLAGS                                                                            \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)

/* The kernel reads int arguments as 32 bits; a filter that compared all 64
 * would be blind to junk above them. */
#define LOW_32 0xffffffffu

/* Allowed without a look at the arguments; several on a line, by what they are for. */
/* clang-format off */
static const char *const allowed[] = {
	/* bytes in and out */
	"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2",
	"pwritev2", "lseek", "sendfile", "copy_file_range", "fadvise64", "readahead",
	/* descriptors */
	"open", "openat", "openat2", "creat", "close", "close_range", "dup", "dup2", "dup3",
	"flock", "pipe", "pipe2", "eventfd", "eventfd2", "poll", "ppoll", "select",
	"pselect6", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
	"epoll_pwait2", "timerfd_create", "timerfd_settime", "timerfd_gettime", "signalfd", "signalfd4",
	/* files by name: the walls are the mounts, Landlock and ownership */
	"stat", "fstat", "lstat", "newfstatat", "statx", "statfs", "fstatfs", "access", "faccessat",
	"faccessat2", "getdents", "getdents64", "getcwd", "chdir", "fchdir", "readlink",
	"readlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "link",
	"linkat", "unlink", "unlinkat", "symlink", "symlinkat", "mknod", "mknodat", "chmod", "fchmod",
	"fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "umask", "utime", "utimes",
	"utimensat", "futimesat", "truncate", "ftruncate", "fallocate",
	/* memory; mmap and memfd_create are below */
	"brk", "munmap", "mremap", "mprotect", "madvise", "mincore", "mlock",
	"munlock", "membarrier", "pkey_alloc", "pkey_free", "pkey_mprotect",
	/* processes and threads; clone is below */
	"fork", "vfork", "execve", "execveat", "exit", "exit_group", "wait4", "waitid",
	"set_tid_address", "set_robust_list", "get_robust_list", "rseq", "futex", "futex_waitv",
	"arch_prctl", "restart_syscall", "getpid", "getppid", "gettid", "getpgid", "getpgrp",
	"setpgid", "getsid", "setsid", "getuid", "geteuid", "getgid", "getegid", "getresuid",
	"getresgid", "getgroups", "setuid", "setgid", "setreuid", "setregid", "setresuid",
	"setresgid", "setfsuid", "setfsgid", "capget", "pidfd_open", "pidfd_send_signal",
	/* signals and timers */
	"kill", "tkill", "tgkill", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
	"rt_sigpending", "rt_sigtimedwait", "rt_sigsuspend", "rt_sigqueueinfo",
	"rt_tgsigqueueinfo", "sigaltstack", "pause", "alarm", "getitimer", "setitimer",
	"timer_create", "timer_settime", "timer_gettime", "timer_getoverrun", "timer_delete",
	/* time, limits, scheduling: raising is the kernel's to refuse */
	"time", "times", "gettimeofday", "clock_gettime", "clock_getres", "clock_nanosleep",
	"nanosleep", "getrusage", "getrlimit", "setrlimit", "prlimit64", "getpriority",
	"setpriority", "sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam",
	"sched_setparam", "sched_getscheduler", "sched_setscheduler", "sched_get_priority_max",
	"sched_get_priority_min", "sched_rr_get_interval", "getcpu", "sysinfo", "uname", "getrandom",
	/* on the two ends of a socketpair, which is all there is */
	"sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "shutdown",
	"getsockname", "getpeername", "getsockopt",
	/* used by nobody any more, hence free to be our seccomp notification; and one that the
	 * filters of container engines let through, whose refusal would come first */
	"remap_file_pages",
};

struct refused {
	const char *call;
	int error; /* 0: pretend that it worked */
};

/* Refused with an error that fits. What is in no table gets ENOSYS, so that
 * libc and Python take their older ways: above all clone3, whose flags are in
 * memory, where no filter can see them. */
static const struct refused refused[] = {
	/* a socket of any other kind: Python then says PermissionError */
	{ "socket", EACCES }, { "connect", EACCES }, { "bind", EACCES }, { "listen", EACCES },
	{ "accept", EACCES }, { "accept4", EACCES },
	/* mounts and roots */
	{ "mount", EPERM }, { "umount2", EPERM }, { "pivot_root", EPERM }, { "chroot", EPERM },
	{ "fsopen", EPERM }, { "fsconfig", EPERM }, { "fsmount", EPERM }, { "fspick", EPERM },
	{ "move_mount", EPERM }, { "open_tree", EPERM }, { "mount_setattr", EPERM },
	{ "open_by_handle_at", EPERM }, { "name_to_handle_at", EPERM }, { "quotactl", EPERM },
	/* namespaces */
	{ "unshare", EPERM }, { "setns", EPERM },
	/* other processes' memory and descriptors */
	{ "ptrace", EPERM }, { "process_vm_readv", EPERM }, { "process_vm_writev", EPERM },
	{ "process_madvise", EPERM }, { "pidfd_getfd", EPERM }, { "kcmp", EPERM },
	/* on the shared files it would tell what the host and other sandboxes do */
	{ "inotify_init", EPERM }, { "inotify_init1", EPERM }, { "inotify_add_watch", EPERM },
	{ "inotify_rm_watch", EPERM },
	/* kernel subsystems with a history */
	{ "bpf", EPERM }, { "perf_event_open", EPERM }, { "userfaultfd", EPERM },
	{ "io_uring_setup", EPERM }, { "io_uring_enter", EPERM }, { "io_uring_register", EPERM },
	{ "keyctl", EPERM }, { "add_key", EPERM }, { "request_key", EPERM },
	{ "fanotify_init", EPERM }, { "fanotify_mark", EPERM }, { "seccomp", EPERM },
	{ "splice", EPERM }, { "tee", EPERM }, { "vmsplice", EPERM },
	/* the machine */
	{ "syslog", EPERM }, { "reboot", EPERM }, { "kexec_load", EPERM },
	{ "kexec_file_load", EPERM }, { "init_module", EPERM }, { "finit_module", EPERM },
	{ "delete_module", EPERM }, { "swapon", EPERM }, { "swapoff", EPERM }, { "acct", EPERM },
	{ "settimeofday", EPERM }, { "clock_settime", EPERM }, { "clock_adjtime", EPERM },
	{ "adjtimex", EPERM }, { "sethostname", EPERM }, { "setdomainname", EPERM },
	{ "iopl", EPERM }, { "ioperm", EPERM }, { "modify_ldt", EPERM }, { "vhangup", EPERM },
	{ "capset", EPERM }, { "setgroups", EPERM }, { "ioprio_set", EPERM },
	{ "sched_setattr", EPERM },
	/* System V and POSIX queues: memory that no mount limits */
	{ "shmget", EACCES }, { "semget", EACCES }, { "msgget", EACCES },
	/* extended attributes: kernel memory without a limit; copystat() copes */
	{ "setxattr", ENOTSUP }, { "lsetxattr", ENOTSUP }, { "fsetxattr", ENOTSUP },
	{ "getxattr", ENOTSUP }, { "lgetxattr", ENOTSUP }, { "fgetxattr", ENOTSUP },
	{ "listxattr", ENOTSUP }, { "llistxattr", ENOTSUP }, { "flistxattr", ENOTSUP },
	{ "removexattr", ENOTSUP }, { "lremovexattr", ENOTSUP }, { "fremovexattr", ENOTSUP },
	/* would make the host's disks work, also on a file that is only read; all that a
	 * program may write is in memory */
	{ "sync", 0 }, { "syncfs", 0 }, { "fsync", 0 }, { "fdatasync", 0 },
	{ "sync_file_range", 0 }, { "msync", 0 },
};

/* ioctl: what Python and libc ask of files, pipes and (absent) terminals. */
static const uint32_t allowed_ioctls[] = {
	FIONREAD, FIONBIO, FIOCLEX, FIONCLEX, FIOASYNC, TCGETS, TIOCGWINSZ, TIOCGPGRP,
};

/* setsockopt, of SOL_SOCKET: what means something on a socketpair. Above all not the
 * filters, which are programs in the kernel's memory. */
static const uint32_t allowed_socket_options[] = {
	SO_SNDBUF, SO_RCVBUF, SO_SNDTIMEO_OLD, SO_RCVTIMEO_OLD, SO_SNDTIMEO_NEW, SO_RCVTIMEO_NEW,
	SO_RCVLOWAT, SO_LINGER, SO_PASSCRED, SO_REUSEADDR, SO_KEEPALIVE,
};

static const uint32_t refused_socket_options[] = {
	SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF,
};

/* fcntl: all but F_NOTIFY, which is inotify once more, and leases, which would
 * make others wait. */
static const uint32_t allowed_fcntls[] = {
	F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_OFD_GETLK,
	F_GETOWN, F_SETOWN, F_GETSIG, F_SETSIG, F_GETPIPE_SZ, F_SETPIPE_SZ, F_ADD_SEALS,
	F_GET_SEALS,
};

/* Record locks are kernel memory that no group counts, as many as a file has bytes.
 * They are said to have been taken: nobody outside can meet them, SQLite keeps the
 * connections of one process apart by itself, and flock() works. */
static const uint32_t pretended_fcntls[] = { F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW };

static const uint32_t refused_fcntls[] = { F_NOTIFY, F_SETLEASE, F_GETLEASE };

static const uint32_t allowed_prctls[] = {
	PR_SET_NAME, PR_GET_NAME, PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_GET_DUMPABLE,
	PR_SET_DUMPABLE, PR_GET_NO_NEW_PRIVS, PR_SET_NO_NEW_PRIVS, PR_GET_SECCOMP,
	PR_CAPBSET_READ, PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER, PR_SET_THP_DISABLE,
	PR_GET_THP_DISABLE, PR_SET_TIMERSLACK, PR_GET_TIMERSLACK,
	/* the profile's further filter goes on when the job is known; a program
	 * that uses it can only lose more */
	PR_SET_SECCOMP,
};
/* clang-format on */

/* readonly: changing anything by name, before the name is looked at. */
static const char *const writing_calls[] = {
	"creat",   "rename", "renameat",  "renameat2", "mkdir",    "mkdirat",   "rmdir",
	"link",    "linkat", "unlink",    "unlinkat",  "symlink",  "symlinkat", "mknod",
	"mknodat", "chmod",  "fchmodat",  "fchmodat2", "chown",    "lchown",    "fchownat",
	"utime",   "utimes", "utimensat", "futimesat", "truncate",
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static struct sock_fprog programs[FILTER_COUNT];

/* Add a rule by name. A call that this architecture does not have needs none. */
static int add_rule(scmp_filter_ctx filter, uint32_t action, const char *call, unsigned count,
		    const struct scmp_arg_cmp *args)
{
	int number = seccomp_syscall_resolve_name(call);

	if (number == __NR_SCMP_ERROR || number < 0)
		return 0;
	return seccomp_rule_add_array(filter, action, number, count, args);
}

static int add_masked(scmp_filter_ctx filter, uint32_t action, const char *call, unsigned argument,
		      uint64_t mask, uint64_t value)
{
	struct scmp_arg_cmp compare = SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, mask, value);

	return add_rule(filter, action, call, 1, &compare);
}

/* Huge pages that the machine has set aside are nobody's in particular, and the
 * cgroup's memory does not count them. */
static int add_small_pages(scmp_filter_ctx filter)
{
	static const struct {
		const char *call;
		unsigned argument;
		uint64_t huge;
	} makers[] = { { "mmap", 3, MAP_HUGETLB }, { "memfd_create", 1, MFD_HUGETLB } };
	int error = 0;

	for (size_t i = 0; !error && i < COUNT(makers); i++) {
		error = add_masked(filter, SCMP_ACT_ALLOW, makers[i].call, makers[i].argument,
				   makers[i].huge, 0);
		if (!error)
			error = add_masked(filter, SCMP_ACT_ERRNO(ENOMEM), makers[i].call,
					   makers[i].argument, makers[i].huge, makers[i].huge);
	}
	return error;
}

static int add_socket_option(scmp_filter_ctx filter, uint32_t action, uint32_t option)
{
	const struct scmp_arg_cmp compare[] = {
		SCMP_CMP(1, SCMP_CMP_MASKED_EQ, LOW_32, SOL_SOCKET),
		SCMP_CMP(2, SCMP_CMP_MASKED_EQ, LOW_32, option),
	};

	return add_rule(filter, action, "setsockopt", COUNT(compare), compare);
}

static int add_socket_options(scmp_filter_ctx filter)
{
	int error = 0;

	for (size_t i = 0; !error && i < COUNT(allowed_socket_options); i++)
		error = add_socket_option(filter, SCMP_ACT_ALLOW, allowed_socket_options[i]);
	for (size_t i = 0; !error && i < COUNT(refused_socket_options); i++)
		error = add_socket_option(filter, SCMP_ACT_ERRNO(EPERM), refused_socket_options[i]);
	return error;
}

static int add_base(scmp_filter_ctx filter)
{
	int error = 0;

	for (size_t i = 0; !error && i < COUNT(allowed); i++)
		error = add_rule(filter, SCMP_ACT_ALLOW, allowed[i], 0, NULL);
	for (size_t i = 0; !error && i < COUNT(refused); i++)
		error = add_rule(filter, SCMP_ACT_ERRNO(refused[i].error), refused[i].call, 0,
				 NULL);
	for (size_t i = 0; !error && i < COUNT(allowed_ioctls); i++)
		error = add_masked(filter, SCMP_ACT_ALLOW, "ioctl", 1, LOW_32, allowed_ioctls[i]);
	for (size_t i = 0; !error && i < COUNT(allowed_fcntls); i++)
		error = add_masked(filter, SCMP_ACT_ALLOW, "fcntl", 1, LOW_32, allowed_fcntls[i]);
	for (size_t i = 0; !error && i < COUNT(refused_fcntls); i++)
		error = add_masked(filter, SCMP_ACT_ERRNO(EPERM), "fcntl", 1, LOW_32,
				   refused_fcntls[i]);
	for (size_t i = 0; !error && i < COUNT(pretended_fcntls); i++)
		error = add_masked(filter, SCMP_ACT_ERRNO(0), "fcntl", 1, LOW_32,
				   pretended_fcntls[i]);
	for (size_t i = 0; !error && i < COUNT(allowed_prctls); i++)
		error = add_masked(filter, SCMP_ACT_ALLOW, "prctl", 0, LOW_32, allowed_prctls[i]);
	if (!error)
		error = add_socket_options(filter);
	if (!error)
		error = add_small_pages(filter);
	if (!error)
		error = add_masked(filter, SCMP_ACT_ALLOW, "clone", 0, NAMESPACE_FLAGS, 0);
	if (!error)
		error = add_masked(filter, SCMP_ACT_ALLOW, "socketpair", 0, LOW_32, AF_UNIX);
	/* asking is harmless; changing switches off address randomisation */
	if (!error)
		error = add_masked(filter, SCMP_ACT_ALLOW, "personality", 0, LOW_32, LOW_32);
	return error;
}

static int add_notification(scmp_filter_ctx filter)
{
	int error = add_rule(filter, SCMP_ACT_NOTIFY, "remap_file_pages", 0, NULL);

	/* kill(-1) would take the session's own checkpoints along */
	if (!error)
		error = add_masked(filter, SCMP_ACT_ERRNO(EPERM), "kill", 0, LOW_32, LOW_32);
	/* A profile's further filter: the executor lets the interpreter put on a few, and
	 * nobody else any, as each takes memory of the kernel that nothing counts. */
	if (!error)
		error = add_masked(filter, SCMP_ACT_NOTIFY, "prctl", 0, LOW_32, PR_SET_SECCOMP);
	return error;
}

/* A command has no listener to ask. */
static int add_command(scmp_filter_ctx filter)
{
	return add_masked(filter, SCMP_ACT_ERRNO(EPERM), "prctl", 0, LOW_32, PR_SET_SECCOMP);
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
		error = add_masked(filter, SCMP_ACT_ERRNO(EACCES), call, argument, writing[i].mask,
				   writing[i].value);
	return error;
}

static int add_readonly(scmp_filter_ctx filter)
{
	int error = 0;

	for (size_t i = 0; !error && i < COUNT(writing_calls); i++)
		error = add_rule(filter, SCMP_ACT_ERRNO(EACCES), writing_calls[i], 0, NULL);
	if (!error)
		error = add_open_flags(filter, "open", 1);
	if (!error)
		error = add_open_flags(filter, "openat", 2);
	/* flags in memory again: libc falls back to openat */
	if (!error)
		error = add_rule(filter, SCMP_ACT_ERRNO(ENOSYS), "openat2", 0, NULL);
	return error;
}

static int add_restricted(scmp_filter_ctx filter)
{
	static const char *const calls[] = { "fork", "vfork", "execve", "execveat" };
	int error = 0;

	for (size_t i = 0; !error && i < COUNT(calls); i++)
		error = add_rule(filter, SCMP_ACT_ERRNO(EACCES), calls[i], 0, NULL);
	/* clone makes threads or processes; threads stay */
	if (!error)
		error = add_masked(filter, SCMP_ACT_ERRNO(EACCES), "clone", 0, CLONE_THREAD, 0);
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
	int error = add_masked(filter, SCMP_ACT_ERRNO(ESRCH), "kill", 0, LOW_32, group);

	for (size_t i = 0; !error && i < COUNT(reaches); i++)
		error = add_masked(filter, SCMP_ACT_ERRNO(ESRCH), reaches[i].call,
				   reaches[i].argument, LOW_32, THE_ORIGINAL);
	if (!error) /* of the user: all that there are */
		error = add_masked(filter, SCMP_ACT_ERRNO(EPERM), "setpriority", 0, LOW_32,
				   PRIO_USER);
	/* signals by way of a descriptor's owner */
	const struct scmp_arg_cmp owners[][2] = {
		{ SCMP_CMP(1, SCMP_CMP_MASKED_EQ, LOW_32, F_SETOWN),
		  SCMP_CMP(2, SCMP_CMP_MASKED_EQ, LOW_32, THE_ORIGINAL) },
		{ SCMP_CMP(1, SCMP_CMP_MASKED_EQ, LOW_32, F_SETOWN),
		  SCMP_CMP(2, SCMP_CMP_MASKED_EQ, LOW_32, group) },
	};
	for (size_t i = 0; !error && i < COUNT(owners); i++)
		error = add_rule(filter, SCMP_ACT_ERRNO(ESRCH), "fcntl", 2, owners[i]);
	return error;
}

struct recipe {
	uint32_t otherwise;
	int (*add)(scmp_filter_ctx filter);
};

static const struct recipe recipes[FILTER_COUNT] = {
	[FILTER_BASE] = { SCMP_ACT_ERRNO(ENOSYS), add_base },
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
