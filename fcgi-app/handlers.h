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

/* playground_files.c */
void playground_list(struct exchange *exchange);
void playground_save(struct exchange *exchange);
void playground_load(struct exchange *exchange);
void playground_delete(struct exchange *exchange);

/* runs.c */
void native_execute(struct exchange *exchange);
void sessions_execute(struct exchange *exchange);
void sessions_run(struct exchange *exchange);

/* cells.c */
void sessions_cells(struct exchange *exchange);
void sessions_cell(struct exchange *exchange);
void sessions_stdin(struct exchange *exchange);

/* repl.c */
void repl_execute(struct exchange *exchange);
void repl_reset(struct exchange *exchange);

/* strict.c */
void strict_execute(struct exchange *exchange);

/* workspaces.c */
void workspaces_write(struct exchange *exchange);
void workspaces_read(struct exchange *exchange);
void workspaces_delete(struct exchange *exchange);
void workspaces_rename(struct exchange *exchange);
void workspaces_run(struct exchange *exchange);
void workspaces_evaluate(struct exchange *exchange);
void workspaces_fork(struct exchange *exchange);

/* session_files.c */
void session_files_list(struct exchange *exchange);
void session_files_get(struct exchange *exchange);
void session_files_put(struct exchange *exchange);
void session_files_delete(struct exchange *exchange);
void session_files_rename(struct exchange *exchange);

/* session_archive.c */
void session_archive_get(struct exchange *exchange);
void session_archive_put(struct exchange *exchange);

/* sessions.c */
void sessions_create(struct exchange *exchange);
void sessions_list(struct exchange *exchange);
void sessions_show(struct exchange *exchange);
void sessions_evaluate(struct exchange *exchange);
void sessions_interrupt(struct exchange *exchange);
void sessions_reset(struct exchange *exchange);
void sessions_undo(struct exchange *exchange);
void sessions_variables(struct exchange *exchange);
void sessions_history(struct exchange *exchange);
void sessions_delete(struct exchange *exchange);

#endif
