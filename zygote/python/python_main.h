/* python_main.h - the module __main__, one a program, made after the fork; what a program
 * is refused in clear words; and running a job's source. */
#ifndef VIVARIUM_PYTHON_MAIN_H
#define VIVARIUM_PYTHON_MAIN_H

#include <stdbool.h>

#include "zygote/python/python.h"
#include "zygote/python/python_object.h"

/* Where the program's own modules and files are. */
#ifndef PYTHON_WORKSPACE
#define PYTHON_WORKSPACE "/workspace"
#endif

/* Zygote: remember what an empty __main__ looks like. 0, or -1 with an error. */
int python_main_prepare(void);

/* Interpreter: put a new __main__ into sys.modules. It is made after
 * gc.freeze(), so that a collection at the end finds what it holds. With
 * `restricted`, its builtins are the courteous ones. 0, or -1 with an error. */
int python_main_create(bool restricted);

/* Interpreter, after it: its __name__ is now `name`, and it is found under that in
 * sys.modules too. 0, or -1 with an error. */
int python_main_rename(const char *name);

/* The namespace, borrowed; NULL before python_main_create(). */
PyObject *python_main_globals(void);

/* The dict in which plain names are looked up last, borrowed; NULL as above. */
PyObject *python_main_builtins(void);

/* Give a program that has deleted its __builtins__ (globals().clear()) those
 * back. 0, or -1 with an error. */
int python_main_mend(void);

/* Keep `value` as the name `_`, where plain names are looked up last. */
void python_main_keep_result(PyObject *value);

/* Take __main__ and the modules of the workspace out of sys.modules and drop
 * them. False if there was nothing of the program's in them: then nothing can
 * have been left behind for the collector. */
bool python_main_drop(void);

/* -- refusals in clear words -----------------------------------------------------------------
 *
 * The playground's courtesy: the program's `__main__` gets builtins of its own in which
 * open, eval, exec, compile and a direct __import__() call raise PermissionError with a
 * sentence that says so. Library modules keep the real builtins. It is no wall: the
 * kernel is. The network's absence is told clearly to every program. */

/* Zygote. 0, or -1 with an error. */
int python_restrict_prepare(void);

/* Zygote: there is no network in a sandbox, but libc's resolver would say so
 * late and in words of its own ("Temporary failure in name resolution"). With
 * this audit hook socket.getaddrinfo and its kin raise PermissionError at once.
 * 0, or -1 with an error. */
int python_restrict_audit(void);

/* Has the program added an audit hook of its own? */
bool python_restrict_has_company(void);

/* -- python_job.c: a job's source, compiled and run in __main__ ------------------------------ */

/* Remember, compile and run a job's source in __main__. `*flags`: see
 * python_compile_program(). The value of the last expression (a new reference,
 * None without one), or NULL with an error. */
PyObject *python_job_evaluate(const struct job *job, PyObject *filename, int *flags);

/* `await` outside of functions: run a coroutine to its end on the session's event
 * loop, which is made when it is first needed and stays, with the tasks that cells
 * leave on it. The coroutine's value (a new reference), or NULL with its error. A
 * coroutine that an interrupt stops half-way is cancelled. */
PyObject *python_job_await(PyObject *coroutine);

#endif
