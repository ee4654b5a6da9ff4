/* doctor_parts.h - what the doctor has found, for doctor.c, which tries the walls, and
 * doctor_report.c, which tells. */
#ifndef VIVARIUM_DOCTOR_PARTS_H
#define VIVARIUM_DOCTOR_PARTS_H

#include "executor/run/run.h"
#include "executor/selftest/doctor.h"

enum { DOCTOR_DETAIL_BYTES = 200, DOCTOR_OUTPUT_BYTES = 128 << 10 };

enum verdict { UNKNOWN, HOLDS, BROKEN, NOT_IN_FORCE };

struct finding {
	enum verdict verdict;
	char detail[DOCTOR_DETAIL_BYTES];
};

struct doctor {
	struct executor *executor;
	void (*ended)(struct executor *executor);
	size_t next; /* probe */
	struct waiter waiter;
	struct loop_timer timer;
	struct sandbox *sandbox;
	struct run *run;
	char *code;
	char output[DOCTOR_OUTPUT_BYTES + 1];
	size_t output_length;
	char python[32];
	struct buffer packages;    /* FIELD_PACKAGE, ready to be sent */
	struct finding findings[]; /* one a wall */
};

#endif
