#define _GNU_SOURCE
#include "fcgi-app/http/access.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/bytes.h"
#include "fcgi-app/http/http.h"

/* The next word of a list of commas and spaces; false at its end. */
static bool next_word(const char **list, struct text *ret_word)
{
	*list += strspn(*list, ", \t");
	*ret_word = (struct text){ *list, strcspn(*list, ", \t") };
	*list += ret_word->length;
	return ret_word->length > 0;
}

static bool same_word(struct text a, struct text b)
{
	return a.length == b.length && !strncasecmp(a.data, b.data, a.length);
}

/* Split host:port, [v6]:port. The port is absent or digits. */
static bool split_port(struct text authority, struct text *ret_host, struct text *ret_port)
{
	const char *end = authority.data + authority.length;
	const char *colon = NULL;

	if (authority.length && *authority.data == '[') {
		const char *bracket = memchr(authority.data, ']', authority.length);

		if (!bracket || (bracket + 1 < end && bracket[1] != ':'))
			return false;
		colon = bracket + 1 < end ? bracket + 1 : NULL;
	} else {
		colon = memchr(authority.data, ':', authority.length);
	}
	*ret_host = authority;
	*ret_port = (struct text){ 0 };
	if (colon) {
		ret_host->length = (size_t)(colon - authority.data);
		*ret_port = (struct text){ colon + 1, (size_t)(end - colon - 1) };
		for (size_t i = 0; i < ret_port->length; i++)
			if (!isdigit((unsigned char)ret_port->data[i]))
				return false;
	}
	return true;
}

static bool is_ip_literal(struct text host)
{
	char copy[INET6_ADDRSTRLEN];
	uint8_t address[sizeof(struct in6_addr)];

	if (host.length >= 2 && host.data[0] == '[' && host.data[host.length - 1] == ']') {
		host.data++;
		host.length -= 2;
		if (host.length >= sizeof copy)
			return false;
		memcpy(copy, host.data, host.length);
		copy[host.length] = '\0';
		return inet_pton(AF_INET6, copy, address) == 1;
	}
	if (host.length >= sizeof copy)
		return false;
	memcpy(copy, host.data, host.length);
	copy[host.length] = '\0';
	return inet_pton(AF_INET, copy, address) == 1;
}

static bool name_matches(struct text word, struct text host)
{
	if (text_equals(word, "*"))
		return true;
	if (*word.data == '.' && host.length > word.length)
		return !strncasecmp(host.data + host.length - word.length, word.data, word.length);
	return same_word(word, host);
}

bool access_host_allowed(const char *allowed, const char *host)
{
	struct text name, port, word;

	if (!*host)
		return true;
	if (!split_port(text_of(host), &name, &port))
		return false;
	if (is_ip_literal(name))
		return true;
	if (name.length && name.data[name.length - 1] == '.')
		name.length--;
	if (same_word(name, TEXT("localhost")))
		return true;
	while (next_word(&allowed, &word))
		if (name_matches(word, name))
			return true;
	return false;
}

bool access_origin_listed(const char *listed, const char *origin)
{
	struct text word;

	while (next_word(&listed, &word)) {
		if (word.length > 1 && word.data[word.length - 1] == '/')
			word.length--;
		if (same_word(word, text_of(origin)) || text_equals(word, "*"))
			return true;
	}
	return false;
}

bool access_origin_is_host(const char *origin, const char *host)
{
	bool secure = !strncasecmp(origin, "https://", 8);
	struct text from_host, from_port, host_name, host_port;
	const struct text plain = secure ? TEXT("443") : TEXT("80");

	if (!*host || (!secure && strncasecmp(origin, "http://", 7) != 0))
		return false;
	if (!split_port(text_of(origin + (secure ? 8 : 7)), &from_host, &from_port) ||
	    !split_port(text_of(host), &host_name, &host_port))
		return false;
	if (!from_port.length)
		from_port = plain;
	if (!host_port.length)
		host_port = plain;
	return same_word(from_host, host_name) && same_word(from_port, host_port);
}

static bool v4_is_private(uint32_t a)
{
	return a >> 24 == 127 || a >> 24 == 10 || a >> 20 == (172u << 4 | 1) ||
	       a >> 16 == (192u << 8 | 168) || a >> 16 == (169u << 8 | 254);
}

/* An IPv4 address in host order, also one mapped into IPv6. */
static bool as_v4(const char *address, uint32_t *ret_v4)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, address, &v4) == 1) {
		*ret_v4 = ntohl(v4.s_addr);
		return true;
	}
	if (inet_pton(AF_INET6, address, &v6) == 1 && !memcmp(&v6, mapped, sizeof mapped)) {
		memcpy(&v4, v6.s6_addr + 12, sizeof v4);
		*ret_v4 = ntohl(v4.s_addr);
		return true;
	}
	return false;
}

bool access_address_is_private(const char *address)
{
	struct in6_addr v6;
	uint32_t v4;

	if (!strncmp(address, "unix:", 5))
		return true;
	if (as_v4(address, &v4))
		return v4_is_private(v4);
	if (inet_pton(AF_INET6, address, &v6) != 1)
		return false;
	return IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_LINKLOCAL(&v6) ||
	       (v6.s6_addr[0] & 0xfe) == 0xfc;
}

bool access_address_is_loopback(const char *address)
{
	struct in6_addr v6;
	uint32_t v4;

	if (!strncmp(address, "unix:", 5))
		return true;
	if (as_v4(address, &v4))
		return v4 >> 24 == 127;
	return inet_pton(AF_INET6, address, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* ---- lists of addresses ----------------------------------------------------- */

/* An address as 16 bytes, IPv4 mapped into IPv6. */
static bool as_v6(const char *address, uint8_t ret_bytes[16], unsigned *ret_prefix)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct in_addr v4;

	if (inet_pton(AF_INET, address, &v4) == 1) {
		memcpy(ret_bytes, mapped, sizeof mapped);
		memcpy(ret_bytes + 12, &v4, sizeof v4);
		*ret_prefix = 96;
		return true;
	}
	*ret_prefix = 0;
	return inet_pton(AF_INET6, address, ret_bytes) == 1;
}

struct network {
	uint8_t bytes[16];
	unsigned bits;
};

static bool read_network(struct text word, struct network *ret_network)
{
	char copy[ACCESS_ADDRESS_BYTES];
	unsigned before;
	char *slash, *end;

	if (word.length >= sizeof copy)
		return false;
	memcpy(copy, word.data, word.length);
	copy[word.length] = '\0';
	slash = strchr(copy, '/');
	if (slash)
		*slash++ = '\0';
	if (!as_v6(copy, ret_network->bytes, &before))
		return false;
	ret_network->bits = 128;
	if (!slash)
		return true;
	if (!isdigit((unsigned char)*slash))
		return false;
	unsigned long bits = strtoul(slash, &end, 10);
	ret_network->bits = before + (unsigned)(bits <= 128 ? bits : 129);
	return !*end && ret_network->bits <= 128;
}

static bool network_holds(const struct network *network, const uint8_t address[16])
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;

	return !memcmp(network->bytes, address, whole) &&
	       (!rest || !((network->bytes[whole] ^ address[whole]) >> (8 - rest)));
}

bool access_address_listed(const char *listed, const char *address)
{
	struct network network;
	uint8_t bytes[16];
	struct text word;
	unsigned before;

	if (!as_v6(address, bytes, &before))
		return false;
	while (next_word(&listed, &word))
		if (read_network(word, &network) && network_holds(&network, bytes))
			return true;
	return false;
}

bool access_addresses_valid(const char *listed)
{
	struct network network;
	struct text word;

	while (next_word(&listed, &word))
		if (!read_network(word, &network))
			return false;
	return true;
}

/* ---- who asks ---------------------------------------------------------------- */

static bool was_forwarded(char *const *environment)
{
	static const char *const headers[] = { "HTTP_X_FORWARDED_FOR",  "HTTP_FORWARDED",
					       "HTTP_X_REAL_IP",        "HTTP_VIA",
					       "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO" };

	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
		if (*http_variable(environment, headers[i]))
			return true;
	return false;
}

/* In time that does not depend on where the two differ. */
static bool same_secret(const char *given, const char *secret)
{
	size_t length = strlen(secret);
	unsigned char differ = strlen(given) != length;

	for (size_t i = 0; i < length && given[i]; i++)
		differ |= (unsigned char)(given[i] ^ secret[i]);
	return !differ;
}

static bool has_key(const char *secret, char *const *environment)
{
	const char *bearer = http_variable(environment, "HTTP_AUTHORIZATION");

	if (!*secret)
		return false;
	if (!strncasecmp(bearer, "Bearer ", 7) && same_secret(bearer + 7, secret))
		return true;
	return same_secret(http_variable(environment, "HTTP_X_API_KEY"), secret);
}

/* The last word of the list that is no trusted proxy; false where there is none, or
 * where it is no address. */
static bool find_forwarded_for(const char *list, const char *trusted, char ret_address[])
{
	size_t end = strlen(list);

	while (end) {
		size_t from;

		while (end && strchr(", \t", list[end - 1]))
			end--;
		for (from = end; from && !strchr(", \t", list[from - 1]);)
			from--;
		if (from == end || end - from >= ACCESS_ADDRESS_BYTES)
			return false;
		snprintf(ret_address, ACCESS_ADDRESS_BYTES, "%.*s", (int)(end - from), list + from);
		if (!access_addresses_valid(ret_address) || strchr(ret_address, '/'))
			return false;
		if (!access_address_listed(trusted, ret_address))
			return true;
		end = from;
	}
	return false;
}

void caller_address(const char *trusted_proxies, const char *peer, const char *forwarded_for,
		    char ret_address[ACCESS_ADDRESS_BYTES])
{
	if (!access_address_listed(trusted_proxies, peer) ||
	    !find_forwarded_for(forwarded_for, trusted_proxies, ret_address))
		snprintf(ret_address, ACCESS_ADDRESS_BYTES, "%s", peer);
}

void caller_share(const char *address, char ret_share[ACCESS_ADDRESS_BYTES])
{
	char prefix[INET6_ADDRSTRLEN];
	struct in6_addr v6;
	uint32_t v4;

	if (as_v4(address, &v4) || inet_pton(AF_INET6, address, &v6) != 1) {
		snprintf(ret_share, ACCESS_ADDRESS_BYTES, "%s", address);
		return;
	}
	memset(v6.s6_addr + 8, 0, 8);
	inet_ntop(AF_INET6, &v6, prefix, sizeof prefix);
	snprintf(ret_share, ACCESS_ADDRESS_BYTES, "%s/64", prefix);
}

void caller_read(const struct config *config, char *const *environment, struct caller *ret_caller)
{
	const char *peer = http_variable(environment, "REMOTE_ADDR");
	const char *list = http_variable(environment, "HTTP_X_FORWARDED_FOR");
	char spoken_for[ACCESS_ADDRESS_BYTES];
	struct caller caller = { 0 };
	bool forwarded = was_forwarded(environment) &&
			 !(access_address_listed(config->trusted_proxies, peer) &&
			   find_forwarded_for(list, config->trusted_proxies, spoken_for));

	caller_address(config->trusted_proxies, peer, list, caller.address);
	caller_share(caller.address, caller.share);
	caller.near = !forwarded && access_address_is_private(caller.address);
	caller.operator= * config->api_key
		? has_key(config->api_key, environment)
		: !forwarded && access_address_is_loopback(caller.address);
	*ret_caller = caller;
}
