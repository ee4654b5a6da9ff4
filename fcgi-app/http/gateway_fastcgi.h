/* gateway_fastcgi.h - threads that serve FastCGI requests from one socket.
 *
 * Every thread calls FCGX_Accept_r without a mutex around it: the kernel hands
 * each connection to one of them. With a mutex, a thread that waits on a kept
 * connection would hold the lock and starve all others. For the same reason
 * there must be more threads than the web server keeps connections. */
#ifndef VIVARIUM_GATEWAY_FASTCGI_H
#define VIVARIUM_GATEWAY_FASTCGI_H

#include "fcgi-app/config.h"

struct workers;

/* Start config->threads threads. SIGUSR1 is used to wake them and must have the
 * disposition that workers_prepare_signals() gives it. 0 or -errno, with nothing
 * running. */
int workers_start(const struct config *config, int listen_fd, struct workers **ret_workers);

/* Before the first thread: block what the main thread waits for, and make
 * SIGUSR1 interrupt system calls. */
void workers_prepare_signals(void);

/* Stop accepting, let running requests end for at most config->stop_ms, and
 * free everything. True if all threads have ended; false if some still run (then
 * nothing is freed, and the process must end without returning). */
bool workers_stop(struct workers *workers);

#endif
