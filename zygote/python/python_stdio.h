/* python_stdio.h - sys.stdin, sys.stdout and sys.stderr over descriptors 0 to 2.
 *
 *   python_stdio.c   makes them for each job, and ends them
 *     python_input.c   what is read from sys.stdin, asked for while the program waits
 *     python_writer.c  the objects behind sys.stdout and sys.stderr
 *       python_text.c  what has been printed and not flushed */
#ifndef VIVARIUM_PYTHON_STDIO_H
#define VIVARIUM_PYTHON_STDIO_H

#include <stdbool.h>

#include "zygote/python/python.h"
#include "zygote/python/python_object.h"

/* Zygote: make the stream objects in the place of CPython's. 0, or -1 with an error. */
int python_stdio_prepare(void);

/* Before a job. A cell or a call starts with an unread stdin and with a stdout and stderr
 * that work, except where the program has put a live object of its own. `quiet`:
 * since python_stdio_is_untouched() was true, nothing of the program's has run.
 * No error is set. */
void python_stdio_begin(const struct job *job, bool quiet);

/* Flush as python3 does at its end: what fails is said on stderr. False if
 * output was lost. No error is set. */
bool python_stdio_flush(void);

/* Flush stdout before something is said on stderr. Nothing is said of a
 * failure, no error is set. */
void python_stdio_push(void);

/* After a cell: flush, C's streams too, and give up a stream that keeps what it cannot write, so
 * that it does not turn up in a later cell's output. */
void python_stdio_end(void);

/* Are the three streams ours, and has the program put nothing of its own into them
 * that beginning or ending a cell would call? */
bool python_stdio_is_untouched(void);

/* Write a str to sys.stderr; if that is gone or fails, to descriptor 2. No error
 * is set. */
void python_stdio_say(PyObject *text);

/* -- python_input.c: standard input of an interactive job -----------------------------
 *
 * input(), sys.stdin.readline(), iteration and read() take first what the job was given as
 * standard input, then ring with NOTE_INPUT until somebody answers. The prompt of input()
 * and getpass.getpass() goes with the ring; it is written to standard output as well, where
 * python3 writes it without a terminal. The end of file lasts for the rest of the job.
 * Only the main thread can wait. */

/* Zygote: put input() and getpass() into their modules. 0, or -1 with an error. */
int python_input_prepare(void);

/* Before a job. */
void python_input_begin(bool interactive);
bool python_input_is_interactive(void);

/* An io.FileIO of descriptor 0 that asks. A new reference, or NULL with an error. */
PyObject *python_input_new_raw(void);

/* sys.stdin over it: input() is its own only while that is sys.stdin. */
void python_input_set_stream(PyObject *stream);

/* -- python_writer.c: stream objects for output ---------------------------------------
 *
 * They are subclasses of CPython's own, under the same names, and do nothing else
 * otherwise: what a program can do to sys.stdout it can do to these. Text that needs more
 * than a copy (another encoding or error handler, surrogates) takes CPython's way, through
 * the binary layer. */

/* Zygote. 0, or -1 with an error. */
int python_writer_prepare(void);

/* A text stream to `fd`, 1 or 2, over `raw`, an io.FileIO of it. A new reference, or NULL
 * with an error. */
PyObject *python_writer_new(int fd, PyObject *raw, const char *errors, bool line_buffering);

/* -- python_text.c: what the program has printed and not flushed ----------------------
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
