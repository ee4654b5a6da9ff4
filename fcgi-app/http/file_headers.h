/* file_headers.h - what HTTP says about a file: ETag, If-Match and its kin, Range,
 * media type. Pure functions. */
#ifndef VIVARIUM_FILE_HEADERS_H
#define VIVARIUM_FILE_HEADERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

enum { ETAG_BYTES = 64 };

/* A strong validator, from what a file is and when it was changed; in quotes. */
const char *etag_of(const struct stat *file, char ret_etag[ETAG_BYTES]);

/* Do the conditions of these headers hold ("": there is none)? `found` is the file
 * as it is, NULL: there is no such file. */
bool if_match_holds(const char *if_match, const struct stat *found);
bool if_none_match_holds(const char *if_none_match, const struct stat *found);

enum range { RANGE_ALL, RANGE_PART, RANGE_OUTSIDE };

/* One range of bytes. RANGE_PART with *ret_first and *ret_length set, RANGE_ALL
 * for no, a malformed or more than one range, RANGE_OUTSIDE. */
enum range range_read(const char *header, uint64_t size, uint64_t *ret_first, uint64_t *ret_length);

/* The Content-Type of a file with this name; application/octet-stream for one
 * that is not known. Never NULL. */
const char *media_type_of(const char *name);

#endif
