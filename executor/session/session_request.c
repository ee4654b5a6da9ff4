#include "executor/session/session_request.h"

#include <string.h>

#include "executor/server/request.h"

/* As the API says: [A-Za-z0-9][A-Za-z0-9._-]{0,127}. */
static bool is_id(const struct field_view *id)
{
	static const char first[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	if (!id->length || id->length > SESSION_ID_MAX)
		return false;
	for (size_t i = 0; i < id->length; i++) {
		char c = (char)id->value[i];

		if (!c || !(strchr(first, c) || (i && strchr("._-", c))))
			return false;
	}
	return true;
}

bool req_id(struct call *call, struct field_view *ret_id)
{
	*ret_id = req_optional(call, FIELD_SESSION_ID);
	if (is_id(ret_id))
		return true;
	call_refuse(call, REFUSAL_INVALID, FIELD_SESSION_ID,
		    "expected 1 to %d letters, digits, dots, dashes or underscores, the first a "
		    "letter or a digit",
		    SESSION_ID_MAX);
	return false;
}

bool req_session(struct executor *executor, struct call *call, struct session **ret_session)
{
	struct field_view id;

	if (!req_id(call, &id))
		return false;
	*ret_session = session_find(executor, (const char *)id.value, id.length);
	if (*ret_session)
		return true;
	call_refuse(call, REFUSAL_NO_SESSION, FIELD_SESSION_ID, "There is no session of this id.");
	return false;
}
