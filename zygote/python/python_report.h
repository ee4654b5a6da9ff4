/* python_report.h - what a job tells of itself: how it ended, what its names hold, what it
 * shows, the texts of values and exceptions. Calls go down:
 *
 *   python_report.c -> python_display.c -> python_repr.c, python_traceback.c */
#ifndef VIVARIUM_PYTHON_REPORT_H
#define VIVARIUM_PYTHON_REPORT_H

#include "common/bytes.h"
#include "zygote/python/python_object.h"

/* -- python_report.c: to stderr as python3 says it, and into the report --------------------- */

/* Zygote. 0, or -1 with an error. */
int python_report_prepare(void);

/* The program came to its end; `value` is its last expression's or NULL. Its
 * repr runs the program's code, and its failure is the program's. Returns the
 * exit code. */
int python_report_ended(PyObject *value, PyObject *filename, struct buffer *report);

/* The program ended by the current error, which is cleared: an exception, or
 * SystemExit. It is said on stderr as python3 says it. `filename` is that of the job's
 * source. Returns the exit code. */
int python_report_raised(PyObject *filename, struct buffer *report);

/* What the program's names hold, for a variables view: put a FIELD_VARIABLE for each
 * name of __main__ that does not begin with an underscore, in the order in which they
 * were made, as long as the report has room: functions, classes and modules too, told
 * apart by their type. May run the program's __repr__ and __sizeof__. No error is set. */
void python_report_variables(struct buffer *report);

enum { VARIABLES_MAX = 2000, VARIABLE_REPR_MAX = 200 /* characters */ };

/* -- python_display.c: display(object), and what is shown without a call ----------------------
 *
 * The builtin display() makes the object's representations (display.py) and rings with
 * NOTE_DISPLAY. So does the end of a cell or script for its last value, if that has more
 * than a repr(), and for the figures that matplotlib has open, which are closed; its
 * show() does the same at once. */

/* Of one job. More is an error in the program. */
enum { DISPLAYS_MAX = 64, DISPLAY_BYTES_MAX = 8 << 20 };

/* Zygote, after the preloads. 0, or -1 with an error. */
int python_display_prepare(void);

/* Before a job. */
void python_display_begin(void);

/* The last value, whose repr is `text`. Runs the program's code; what fails is said on
 * stderr. No error is set. */
void python_display_result(PyObject *value, PyObject *text);

/* After a cell or a script: open figures, and what threads have shown meanwhile. As
 * python_display_result(). */
void python_display_end(void);

/* -- python_repr.c: what values look like, and texts as fields -------------------------------- */

/* Longest texts, in bytes of UTF-8. */
enum { REPORT_TEXT_MAX = 64 << 10, REPORT_MESSAGE_MAX = 8 << 10, REPORT_NAME_MAX = 512 };

/* Where a text that is too long is cut. */
enum report_cut {
	REPORT_CUT_END,    /* the beginning stays, an ellipsis follows */
	REPORT_CUT_MIDDLE, /* beginning and end stay, a line between says what is gone */
};

/* repr(object) or, where that is longer than `longest` characters, at least as
 * many of its first ones: the builtin containers and strings are not walked
 * further than that. Runs the program's code for its own classes. A new str, or
 * NULL with the error that repr() raises. */
PyObject *python_repr_bounded(PyObject *object, Py_ssize_t longest);

/* Append `text` as a valid field: lone surrogates become escapes, NUL becomes
 * U+FFFD, what is longer than `longest` bytes or than the report has room for
 * is cut between characters. Anything but a str is left out. No error is set. */
void python_repr_put(struct buffer *report, unsigned tag, PyObject *text, size_t longest,
		     enum report_cut cut);

/* -- python_traceback.c: the text that python3 prints for an exception --------------------------- */

/* Zygote: load a copy of `traceback` that a program's patches do not reach. 0,
 * or -1 with an error. */
int python_traceback_prepare(void);

/* The whole text, a new reference; NULL only without memory. With ret_message,
 * *ret_message is the exception's own text (a new reference) or NULL. Runs the
 * program's code (__str__). No error is set. */
PyObject *python_traceback_format(PyObject *exception, PyObject **ret_message);

/* Drop the frames above the first one in `filename`, if there is one: those of
 * an event loop that ran the program. */
void python_traceback_strip(PyObject *exception, PyObject *filename);

/* The type as a traceback names it: "ValueError", "module.Name". A new
 * reference or NULL. No error is set. */
PyObject *python_traceback_type_name(PyObject *exception);

/* The line of `filename` where it happened: that of the innermost frame there,
 * or where the syntax is wrong. 0 if there is none. No error is set. */
long python_traceback_line(PyObject *exception, PyObject *filename);

/* Zygote, after python_traceback_prepare(): where CPython shows an exception that
 * nobody catches. Its own display looks for source lines in files only, so the hooks
 * of sys and threading are replaced by ones that print the same text with the lines
 * that linecache knows. 0, or -1 with an error. */
int python_traceback_install_hooks(void);

#endif
