#include "json/json_text.h"

status json_parse_within(str text, const struct json_limits *limits, json *ret_value,
                         struct error *reterr)
{
    if (json_parse(text, limits, ret_value, NULL, NULL) == STATUS_OK) return STATUS_OK;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '{' && text.ptr[i] != '[') continue;
        str rest    = str_slice(text, i, text.len);
        size_t size = json_prefix(rest);
        if (size == 0) continue;
        str document = str_slice(rest, 0, size);
        if (json_parse(document, limits, ret_value, NULL, NULL) == STATUS_OK) return STATUS_OK;
    }
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_json", "the text holds no JSON");
}
