/* python_main.h - the module __main__: one a program, made after the fork. */
#ifndef VIVARIUM_PYTHON_MAIN_H
#define VIVARIUM_PYTHON_MAIN_H

#include <stdbool.h>

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

#endif
