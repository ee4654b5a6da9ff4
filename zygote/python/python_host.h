/* python_host.h - how the running program's parts reach the executor. */
#ifndef VIVARIUM_PYTHON_HOST_H
#define VIVARIUM_PYTHON_HOST_H

#include <stdbool.h>
#include <stddef.h>

/* Put a text into the report area and send `note` (spawn.h) until it is answered,
 * without the GIL; signals of the program are handled meanwhile. The answer, or -1 with an
 * error: OSError if there is no executor, or what a signal handler raised. */
long python_host_tell(unsigned note, unsigned flags, const char *text, size_t length);

/* What came with the answer ORDER_INPUT. Good until the next call. */
const char *python_host_input(size_t *ret_length);

/* Is this process the interpreter, and attached? No child of the program is. */
bool python_host_is_here(void);

#endif
