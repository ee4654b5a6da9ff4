/* access.h - who may call: host names, origins, addresses, keys. Pure functions. */
#ifndef VIVARIUM_ACCESS_H
#define VIVARIUM_ACCESS_H

#include <stdbool.h>

#include "fcgi-app/config.h"

/* May a request for this Host value be served? IP literals and localhost always (a
 * page from elsewhere cannot make a browser send one by rebinding a name), other names
 * only if they are listed: a whole name, .name for its subdomains, or * for every
 * name. "" (HTTP/1.0 without Host) may: no browser sends that. */
bool access_host_allowed(const char *allowed, const char *host);

/* Is this origin one of those listed (separated by commas or spaces)? Compared
 * whole, without regard to case and a final slash of the list's entry. */
bool access_origin_listed(const char *listed, const char *origin);

/* Does this origin name the same host and port as the Host value? */
bool access_origin_is_host(const char *origin, const char *host);

/* Loopback, link-local and private addresses, and a UNIX socket ("unix:"). */
bool access_address_is_private(const char *address);
bool access_address_is_loopback(const char *address);

/* Is the address in a list of addresses and networks (10.0.0.0/8, fd00::/8)? */
bool access_address_listed(const char *listed, const char *address);

/* Is every word of it an address or a network? */
bool access_addresses_valid(const char *listed);

enum { ACCESS_ADDRESS_BYTES = 64 };

/* Who asks, as far as it can be known. */
struct caller {
	char address[ACCESS_ADDRESS_BYTES]; /* "" if unknown */
	char share[ACCESS_ADDRESS_BYTES];   /* see caller_share() */
	bool near;     /* a loopback or private address, and not handed on by a proxy */
	bool operator; /* with the API key; where none is set: loopback, in the same sense */
};

/* Whose request it is. A peer that is a trusted proxy speaks for the last address
 * in X-Forwarded-For that is not one itself. From any other peer a header that
 * proxies write says only that the address is not the client's. */
void caller_read(const struct config *config, char *const *environment, struct caller *ret_caller);

/* The address alone, from the peer's and the value of X-Forwarded-For. */
void caller_address(const char *trusted_proxies, const char *peer, const char *forwarded_for,
		    char ret_address[ACCESS_ADDRESS_BYTES]);

/* Under which name an address has its share of what is limited by client: IPv6 by
 * /64, which is what one client gets at least. */
void caller_share(const char *address, char ret_share[ACCESS_ADDRESS_BYTES]);

#endif
