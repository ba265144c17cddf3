#include "scheduler/breaker/outcome.h"

#include "workflow/errors.h"
#include "json/json_text.h"

enum { HTTP_TOO_MANY_REQUESTS = 429, HTTP_SERVER_ERRORS = 500 };

static bool is_kind(json error, enum error_kind kind)
{
    json type = json_get_text(error, "type");
    return json_is(type, JSON_TEXT) && error_type_equal(json_str(type), str_from(error_type(kind)));
}

enum outcome outcome_of_error(json error, bool is_transient, bool is_unknown)
{
    int64_t code = 0;
    (void)json_to_int(json_get_text(error, "status"), &code);
    bool has_answered = is_kind(error, ERROR_COMMUNICATION) ||
                        is_kind(error, ERROR_AUTHENTICATION) || is_kind(error, ERROR_AUTHORIZATION);
    if (is_unknown) return OUTCOME_FAILURE;
    if (code == HTTP_TOO_MANY_REQUESTS) return OUTCOME_NONE;
    if (is_transient || is_kind(error, ERROR_TIMEOUT)) return OUTCOME_FAILURE;
    if (!has_answered) return OUTCOME_NONE;
    return code >= HTTP_SERVER_ERRORS ? OUTCOME_FAILURE : OUTCOME_SUCCESS;
}
