#define _GNU_SOURCE
#include "zygote/filter_base.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* Everything that makes a namespace, by clone(2). CLONE_NEWTIME has no bit
 * there (it would be part of the exit signal). */
#define NAMESPACE_FLAGS                                                                            \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)

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

int filter_rule(scmp_filter_ctx filter, uint32_t action, const char *call, unsigned count,
		const struct scmp_arg_cmp *args)
{
	int number = seccomp_syscall_resolve_name(call);

	if (number == __NR_SCMP_ERROR || number < 0)
		return 0;
	return seccomp_rule_add_array(filter, action, number, count, args);
}

int filter_rule_masked(scmp_filter_ctx filter, uint32_t action, const char *call, unsigned argument,
		       uint64_t mask, uint64_t value)
{
	struct scmp_arg_cmp compare = SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, mask, value);

	return filter_rule(filter, action, call, 1, &compare);
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
		error = filter_rule_masked(filter, SCMP_ACT_ALLOW, makers[i].call,
					   makers[i].argument, makers[i].huge, 0);
		if (!error)
			error = filter_rule_masked(filter, SCMP_ACT_ERRNO(ENOMEM), makers[i].call,
						   makers[i].argument, makers[i].huge,
						   makers[i].huge);
	}
	return error;
}

static int add_socket_option(scmp_filter_ctx filter, uint32_t action, uint32_t option)
{
	const struct scmp_arg_cmp compare[] = {
		SCMP_CMP(1, SCMP_CMP_MASKED_EQ, LOW_32, SOL_SOCKET),
		SCMP_CMP(2, SCMP_CMP_MASKED_EQ, LOW_32, option),
	};

	return filter_rule(filter, action, "setsockopt", COUNT(compare), compare);
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

int filter_base_rules(scmp_filter_ctx filter)
{
	int error = 0;

	for (size_t i = 0; !error && i < COUNT(allowed); i++)
		error = filter_rule(filter, SCMP_ACT_ALLOW, allowed[i], 0, NULL);
	for (size_t i = 0; !error && i < COUNT(refused); i++)
		error = filter_rule(filter, SCMP_ACT_ERRNO(refused[i].error), refused[i].call, 0,
				    NULL);
	for (size_t i = 0; !error && i < COUNT(allowed_ioctls); i++)
		error = filter_rule_masked(filter, SCMP_ACT_ALLOW, "ioctl", 1, LOW_32,
					   allowed_ioctls[i]);
	for (size_t i = 0; !error && i < COUNT(allowed_fcntls); i++)
		error = filter_rule_masked(filter, SCMP_ACT_ALLOW, "fcntl", 1, LOW_32,
					   allowed_fcntls[i]);
	for (size_t i = 0; !error && i < COUNT(refused_fcntls); i++)
		error = filter_rule_masked(filter, SCMP_ACT_ERRNO(EPERM), "fcntl", 1, LOW_32,
					   refused_fcntls[i]);
	for (size_t i = 0; !error && i < COUNT(pretended_fcntls); i++)
		error = filter_rule_masked(filter, SCMP_ACT_ERRNO(0), "fcntl", 1, LOW_32,
					   pretended_fcntls[i]);
	for (size_t i = 0; !error && i < COUNT(allowed_prctls); i++)
		error = filter_rule_masked(filter, SCMP_ACT_ALLOW, "prctl", 0, LOW_32,
					   allowed_prctls[i]);
	if (!error)
		error = add_socket_options(filter);
	if (!error)
		error = add_small_pages(filter);
	if (!error)
		error = filter_rule_masked(filter, SCMP_ACT_ALLOW, "clone", 0, NAMESPACE_FLAGS, 0);
	if (!error)
		error = filter_rule_masked(filter, SCMP_ACT_ALLOW, "socketpair", 0, LOW_32,
					   AF_UNIX);
	/* asking is harmless; changing switches off address randomisation */
	if (!error)
		error = filter_rule_masked(filter, SCMP_ACT_ALLOW, "personality", 0, LOW_32,
					   LOW_32);
	return error;
}
