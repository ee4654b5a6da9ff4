/* access.h - who may call: host names, origins, addresses. Pure functions. */
#ifndef VIVARIUM_ACCESS_H
#define VIVARIUM_ACCESS_H

#include <stdbool.h>

/* May a request for this Host value be served? IP literals always (a page from
 * elsewhere cannot make a browser send one by rebinding a name), names only if
 * they are listed: a whole name, .name for its subdomains, or * for every name.
 * "" (HTTP/1.0 without Host) may: no browser sends that. */
bool access_host_allowed(const char *allowed, const char *host);

/* Is this origin one of those listed (separated by commas or spaces)? Compared
 * whole, without regard to case and a final slash of the list's entry. */
bool access_origin_listed(const char *listed, const char *origin);

/* Does this origin name the same host and port as the Host value? */
bool access_origin_is_host(const char *origin, const char *host);

/* Loopback, link-local and private addresses, and a UNIX socket ("unix:"). */
bool access_address_is_private(const char *address);
bool access_address_is_loopback(const char *address);

#endif
