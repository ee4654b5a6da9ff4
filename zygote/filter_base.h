/* filter_base.h - the allow-list, with its reasons, and the rules that filters are made of. */
#ifndef VIVARIUM_FILTER_BASE_H
#define VIVARIUM_FILTER_BASE_H

#include <seccomp.h>
#include <stdint.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* The kernel reads int arguments as 32 bits; a filter that compared all 64
 * would be blind to junk above them. */
#define LOW_32 0xffffffffu

/* Add a rule by name. A call that this architecture does not have needs none. 0 or
 * -errno, as all of these. */
int filter_rule(scmp_filter_ctx filter, uint32_t action, const char *call, unsigned count,
		const struct scmp_arg_cmp *args);

/* One about an argument's bits in `mask`. */
int filter_rule_masked(scmp_filter_ctx filter, uint32_t action, const char *call, unsigned argument,
		       uint64_t mask, uint64_t value);

/* What everything in a sandbox may call; all else is the filter's default. */
int filter_base_rules(scmp_filter_ctx filter);

#endif
