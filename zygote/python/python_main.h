/* python_main.h - the module __main__, one a program, made after the fork; what a program
 * is refused in clear words; running a job's source, and whether that changes anything. */
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

/* -- python_pure.c, python_expression.c: cells that change nothing but `_` -------------------
 *
 * They take a tenth of the CPU time of cells with a checkpoint: warm `1+1` at 8 clients
 * 0.17 ms instead of 1.68 ms on a busy machine, executor and sandbox together.
 *
 * Such a cell needs no checkpoint, which takes longer than most cells do. What is
 * said of a cell errs on one side only: a cell that is called pure has run no code
 * but its own, and no object that outlives it is another, but for the value of
 * `_`, a new sys.stdin and the source that tracebacks show. */

/* Zygote, last of the preparations. 0, or -1 with an error. */
int python_pure_prepare(void);

/* Before anything else that a job does: will it be pure, if it is a cell and comes
 * to its normal end? Then the collector rests until python_pure_end(), for it runs
 * the finalizers of what earlier cells have left behind. No error is set. */
void python_pure_begin(const struct job *job);

/* Since then and until the job's own code runs: is all as a pure cell has left it?
 * Nothing of the program's has run since that one began (there has never been a
 * second thread), so
 * what was looked at then need not be looked at again. In cold caches looking
 * takes longer than the cell. */
bool python_pure_is_quiet(void);

/* Will it be a pure cell if it does not raise? */
bool python_pure_is_expected(void);

/* If it has not raised: has nothing been written to sys.stdout and sys.stderr, by
 * this cell or since they were flushed after the last one? */
bool python_pure_is_silent(void);

/* After all else that the job does: was it a pure cell? */
bool python_pure_end(int exit_code);

/* Something of the program's may run between two jobs. */
void python_pure_disturb(void);

enum { EXPRESSION_LENGTH_MAX = 1024, EXPRESSION_DEPTH_MAX = 31 };

/* Can a text only be an expression that calls nothing? From the text alone, as
 * python_compile.c does it: trees of Python objects would cost more than running such a
 * cell.
 * True only if code[0..length), should it compile, is one line with one expression
 * made of numbers, plain strings, None, True, False, names, displays, subscripts
 * of names, and operators: no call, attribute, comprehension, lambda, assignment
 * or await, nothing for which the compiler imports a module or gives a warning.
 * Names that begin with an underscore do not count as names. Each name is shown
 * to `is_fine`, which has the last word on it. */
bool python_expression_is_simple(const char *code, size_t length,
				 bool (*is_fine)(const char *name, void *context), void *context);

#endif
