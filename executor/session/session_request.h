/* session_request.h - which session a call is about. */
#ifndef VIVARIUM_SESSION_REQUEST_H
#define VIVARIUM_SESSION_REQUEST_H

#include "common/fields.h"
#include "executor/session/session.h"

/* Each refuses the call and returns false: without a proper id; where there is no
 * session of that id. */
bool req_id(struct call *call, struct field_view *ret_id);
bool req_session(struct executor *executor, struct call *call, struct session **ret_session);

#endif
