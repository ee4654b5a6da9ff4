#define _GNU_SOURCE
#include "fcgi-app/http/access.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "fcgi-app/http/text.h"

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
