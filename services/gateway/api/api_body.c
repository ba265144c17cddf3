/* What handlers read of a body that its schema has let through. */
#include "gateway/api/api.h"

const char *api_member(struct api_call *call, json object, const char *key)
{
    json text = json_get_text(object, key);
    return json_is(text, JSON_TEXT) ? api_text(call, json_str(text)) : "";
}

bool api_match(struct api_call *call, const char *what, uint64_t *ret_number)
{
    enum { DIGITS_MAX = 19 };
    str tag        = httpd_request_field(call->request, "if-match");
    uint64_t value = 0;
    *ret_number    = 0;
    if (tag.len == 0 || str_is(tag, "*")) return true;
    bool is_good = tag.len > 2 && tag.len <= DIGITS_MAX + 2 && tag.ptr[0] == '"' &&
                   tag.ptr[tag.len - 1] == '"';
    for (size_t i = 1; is_good && i + 1 < tag.len; i++) {
        char c  = tag.ptr[i];
        is_good = c >= '0' && c <= '9';
        value   = value * 10 + (uint64_t)(c - '0');
    }
    if (is_good && value > 0) {
        *ret_number = value;
        return true;
    }
    api_fail_with(call, "precondition_failed", (str){},
                  "If-Match is no ETag of this %s; read it again", what);
    return false;
}
