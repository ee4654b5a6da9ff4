/* form.h - percent decoding, and name=value lists (queries and form bodies). */
#ifndef VIVARIUM_FORM_H
#define VIVARIUM_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "fcgi-app/http/text.h"

/* Decode %XX (and + as a space if `plus`) from source to out, which has room
 * for source.length bytes and may be source.data itself. The length written, or
 * -EINVAL for a broken escape. */
long form_decode(struct text source, bool plus, char *out);

/* The first value of `name` in a&b=c list. 1 with *ret_value (malloc'ed, NUL
 * after it; the caller frees *ret_storage), 0 if it is not there, -EINVAL for a
 * broken escape, -ENOMEM. */
int form_find(struct text list, const char *name, struct text *ret_value, char **ret_storage);

#endif
