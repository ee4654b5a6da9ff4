/* handlers.h - one function a call, grouped by the file that holds it. Each
 * parses the request, asks, and gives exactly one answer. */
#ifndef VIVARIUM_HANDLERS_H
#define VIVARIUM_HANDLERS_H

struct exchange;

/* service.c */
void service_ping(struct exchange *exchange);
void service_health(struct exchange *exchange);
void service_live(struct exchange *exchange);
void service_ready(struct exchange *exchange);
void service_info(struct exchange *exchange);

/* playground.c */
void playground_root(struct exchange *exchange);
void playground_health(struct exchange *exchange);
void playground_execute(struct exchange *exchange);

/* native.c */
void native_execute(struct exchange *exchange);

#endif
