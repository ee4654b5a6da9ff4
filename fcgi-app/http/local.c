#include "fcgi-app/http/local.h"

#include <string.h>
#include <strings.h>

#include "fcgi-app/http/access.h"

static bool was_forwarded(const struct exchange *exchange)
{
	return *exchange_variable(exchange, "HTTP_X_FORWARDED_FOR") ||
	       *exchange_variable(exchange, "HTTP_FORWARDED");
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

static bool has_key(const struct exchange *exchange)
{
	const char *secret = exchange->config->api_key;
	const char *bearer = exchange_variable(exchange, "HTTP_AUTHORIZATION");

	if (!*secret)
		return false;
	if (!strncasecmp(bearer, "Bearer ", 7) && same_secret(bearer + 7, secret))
		return true;
	return same_secret(exchange_variable(exchange, "HTTP_X_API_KEY"), secret);
}

bool local_is_private(const struct exchange *exchange)
{
	return access_address_is_private(exchange->client) && !was_forwarded(exchange);
}

bool local_is_operator(const struct exchange *exchange)
{
	return has_key(exchange) ||
	       (access_address_is_loopback(exchange->client) && !was_forwarded(exchange));
}
