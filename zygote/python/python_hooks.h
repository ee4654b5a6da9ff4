/* python_hooks.h - where CPython shows an exception that nobody catches.
 *
 * Its own display looks for source lines in files only. The hooks of sys and
 * threading are replaced by ones that print the same text with the lines that
 * linecache knows. */
#ifndef VIVARIUM_PYTHON_HOOKS_H
#define VIVARIUM_PYTHON_HOOKS_H

/* Zygote, after python_traceback_prepare(). 0, or -1 with an error. */
int python_hooks_install(void);

#endif
