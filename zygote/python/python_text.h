/* python_text.h - what the program has printed and not flushed.
 *
 * python3 keeps it in the memory of the process, and a loop that is killed, a crash or
 * os._exit() takes it along. Here it lies in memory that the executor sees (mailbox.h):
 * what is left after a hard end, it takes. A flush writes to the descriptor as ever.
 *
 *   sys.stdout (python_writer.c) -> python_text_append() -> mailbox -> write(2) -> pipe
 *                                                              \-> executor
 *
 * A process that the program makes has its text to itself, and begins with a copy of what
 * was not flushed, as forks of python3 do. So has one whose descriptor is not the job's any
 * more (os.dup2()): its text is not for the executor.
 *
 * A million short prints take 1.03 times the CPU time that they take with CPython's own
 * streams. While somebody watches, a line that follows a silence reaches him after 0.4 ms,
 * part of a line after 9 ms (medians, from print() to the client). */
#ifndef VIVARIUM_PYTHON_TEXT_H
#define VIVARIUM_PYTHON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct mailbox;

/* Zygote, once. 0, or -1 with an error. */
int python_text_prepare(void);

/* Interpreter: from now on text lies in the mailbox, in which there is none now. NULL: it
 * lies there again, after a fork that goes on as the interpreter; does nothing without a
 * mailbox. */
void python_text_share(struct mailbox *mailbox);

/* Before a job: descriptors 1 and 2 are its own. `streaming`: a line shows at once, or
 * some milliseconds later if many are printed. `same`: no descriptor can have changed
 * since the last job. */
void python_text_begin(bool streaming, bool same);

/* `fd` is 1 or 2. Calls into CPython, for signals and to let other threads run. 0, or -1
 * with an error, and then what could not be written stays. */
int python_text_append(int fd, const char *bytes, size_t length);
int python_text_flush(int fd);

/* Forget it: it cannot be written. */
void python_text_discard(int fd);

#endif
