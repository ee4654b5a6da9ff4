/* base64.h - decoding what a client sent. */
#ifndef VIVARIUM_BASE64_H
#define VIVARIUM_BASE64_H

#include "common/bytes.h"

/* Append what the text says, to the letter of RFC 4648 with its padding. 0,
 * -EINVAL or -ENOMEM. */
int base64_decode(struct text text, struct buffer *out);

#endif
