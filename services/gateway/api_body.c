/* What handlers read of a body that its schema has let through. */
#include "gateway/api.h"

const char *api_member(struct api_call *call, json object, const char *key)
{
    json text = json_get_text(object, key);
    return json_is(text, JSON_TEXT) ? api_text(call, json_str(text)) : "";
}
