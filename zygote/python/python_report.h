/* python_report.h - how a job ended: to stderr as python3 says it, and into the report,
 * with Python's texts as fields that are cut to fit. */
#ifndef VIVARIUM_PYTHON_REPORT_H
#define VIVARIUM_PYTHON_REPORT_H

#include "common/bytes.h"
#include "zygote/python/python_object.h"

/* Longest texts, in bytes of UTF-8. */
enum { REPORT_TEXT_MAX = 64 << 10, REPORT_MESSAGE_MAX = 8 << 10, REPORT_NAME_MAX = 512 };

/* Where a text that is too long is cut. */
enum report_cut {
	REPORT_CUT_END,    /* the beginning stays, an ellipsis follows */
	REPORT_CUT_MIDDLE, /* beginning and end stay, a line between says what is gone */
};

/* Zygote. 0, or -1 with an error. */
int python_report_prepare(void);

/* Append `text` as a valid field: lone surrogates become escapes, NUL becomes
 * U+FFFD, what is longer than `longest` bytes or than the report has room for
 * is cut between characters. Anything but a str is left out. No error is set. */
void python_report_text(struct buffer *report, unsigned tag, PyObject *text, size_t longest,
			enum report_cut cut);

/* The program came to its end; `value` is its last expression's or NULL. Its
 * repr runs the program's code, and its failure is the program's. Returns the
 * exit code. */
int python_report_ended(PyObject *value, PyObject *filename, struct buffer *report);

/* The program ended by the current error, which is cleared: an exception, or
 * SystemExit. It is said on stderr as python3 says it. `filename` is that of the job's
 * source. Returns the exit code. */
int python_report_raised(PyObject *filename, struct buffer *report);

#endif
