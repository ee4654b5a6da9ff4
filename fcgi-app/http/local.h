/* local.h - may this exchange use what is not for everybody? */
#ifndef VIVARIUM_LOCAL_H
#define VIVARIUM_LOCAL_H

#include "fcgi-app/http/exchange.h"

/* From a loopback or private address, and not handed on by a proxy: such a
 * request's address is the proxy's. */
bool local_is_private(const struct exchange *exchange);

/* From loopback in the same sense, or with the API key. */
bool local_is_operator(const struct exchange *exchange);

#endif
