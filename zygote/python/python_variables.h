/* python_variables.h - what the program's names hold, for a variables view. */
#ifndef VIVARIUM_PYTHON_VARIABLES_H
#define VIVARIUM_PYTHON_VARIABLES_H

#include "common/buffer.h"

/* Zygote. 0, or -1 with an error. */
int python_variables_prepare(void);

/* Put a FIELD_VARIABLE for each name of __main__ that does not begin with an
 * underscore, in the order in which they were made, as long as the report has
 * room: functions, classes and modules too, told apart by their type. May run
 * the program's __repr__ and __sizeof__. No error is set. */
void python_variables_list(struct buffer *report);

enum { VARIABLES_MAX = 2000, VARIABLE_REPR_MAX = 200 /* characters */ };

#endif
