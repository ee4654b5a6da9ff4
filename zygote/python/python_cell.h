/* python_cell.h - one cell of a session. */
#ifndef VIVARIUM_PYTHON_CELL_H
#define VIVARIUM_PYTHON_CELL_H

#include "zygote/python/python.h"

/* Run a cell in the session's __main__, which the first one makes. Each cell
 * has a source of its own, "<cell N>". Returns the exit code; exit() and an
 * uncaught exception end the cell only. */
int python_cell_run(const struct job *job, struct buffer *report);

#endif
