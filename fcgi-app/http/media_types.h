/* media_types.h - content types by file name. */
#ifndef VIVARIUM_MEDIA_TYPES_H
#define VIVARIUM_MEDIA_TYPES_H

/* The Content-Type of a file with this name; application/octet-stream for one
 * that is not known. Never NULL. */
const char *media_type_of(const char *name);

#endif
