/* executor - runs untrusted Python in sandboxes.
 *
 * Theory of operation
 *
 * The daemon is one thread around an event loop, and two beside it for system calls
 * that wait (loop.c). It keeps six capabilities of root (machine.c), links no Python and
 * parses no HTTP. fcgi-app asks over a UNIX socket (server.c); daemon.c has the table of
 * its calls, and how the daemon stops.
 *
 * Zygotes (zygote_pool.c, zygote/) are children of the daemon: warm CPythons without
 * privilege that live in the template root (template_root.c) and only fork. Each fork is
 * an init, pid 1 of a sandbox, in new user, pid, mount, network, ipc and uts
 * namespaces; CLONE_PARENT makes it a child of the daemon, which alone reaps it
 * (by its pidfd, sandbox_teardown.c).
 *
 * While init waits, the daemon moves it into a cgroup of its own
 * (cgroup.c), maps two uids from the sandbox's slot (slots.c), makes its tmpfs
 * and its procfs (mounts.c) and sends these. init takes the cgroup
 * namespace, attaches the mounts, drops what it does not need and forks the
 * interpreter, which drops everything (zygote/child_enter.c). init reaps
 * everything inside; when it dies, the kernel kills everything inside.
 *
 * The interpreter has no descriptor of ours. It waits in a system call that its
 * seccomp filter turns into a notification (sandbox_notification.c); jobs and
 * reports travel in shared memory (mailbox.h); descriptors 0 to 2 are put into
 * it from outside (sandbox_stdio.c).
 *
 * A pool (pool.c) keeps sandboxes ready. admission.c decides who runs. A run
 * (run.c, run_clock.c) has the clock and the limits and judges by what the kernel says. A
 * session (session.c) keeps its sandbox, and goes back to checkpoints
 * (zygote/forks.c, sandbox_copies.c) when a cell had to be killed. Shell
 * commands run beside its interpreter (sandbox_command.c); the application works
 * on its files itself, through a descriptor that mounts.c makes. Judging
 * (evaluation.c) runs each case in a fork of the loaded code (sandbox_copies.c) and
 * compares in a sandbox of its own (comparer.c).
 *
 * Before the socket is opened, doctor.c tries every wall from inside a sandbox;
 * if one gives way there is no service. */
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "executor/executor.h"

int main(int argc __attribute__((unused)), char **argv)
{
	static struct executor executor;
	int action = options_parse(argv, &executor.options);

	if (action < 0)
		return EXIT_CONFIG;
	if (action == OPTIONS_EXIT)
		return 0;
	daemon_check(&executor);
	if (action == OPTIONS_CHECK) {
		printf("executor: the settings are right\n");
		return 0;
	}
	daemon_start(&executor, (enum options_action)action);
	int error = loop_run(executor.loop);
	if (error)
		log_error("the event loop has failed: %s", strerror(-error));
	daemon_tear_down(&executor);
	return error ? EXIT_UNSAFE : executor.exit_status;
}
