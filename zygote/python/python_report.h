/* python_report.h - Python's texts as fields of the report, cut to fit. */
#ifndef VIVARIUM_PYTHON_REPORT_H
#define VIVARIUM_PYTHON_REPORT_H

#include "common/buffer.h"
#include "zygote/python/python_object.h"

/* Longest texts, in bytes of UTF-8. */
enum { REPORT_TEXT_MAX = 64 << 10, REPORT_MESSAGE_MAX = 8 << 10, REPORT_NAME_MAX = 512 };

/* Where a text that is too long is cut. */
enum report_cut {
	REPORT_CUT_END,    /* the beginning stays, an ellipsis follows */
	REPORT_CUT_MIDDLE, /* beginning and end stay, a line between says what is gone */
};

/* Append `text` as a valid field: lone surrogates become escapes, NUL becomes
 * U+FFFD, what is longer than `longest` bytes or than the report has room for
 * is cut between characters. Anything but a str is left out. No error is set. */
void python_report_text(struct buffer *report, unsigned tag, PyObject *text, size_t longest,
			enum report_cut cut);

#endif
