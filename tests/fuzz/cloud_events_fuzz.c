/*
 * Requests with CloudEvents: binary, structured, batch. An input is a head of lines `name: value`,
 * an empty line, and the body. What is read can be printed and read again.
 */
#include "base/assert.h"
#include "gateway/api/cloud_events.h"
#include "json/json_text.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS_MAX = 32, BODY_MAX = 1 << 20, PRINTED_MAX = 16 << 20 };

static str take_line(str *rest)
{
    const char *end = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;
    size_t len      = end ? (size_t)(end - rest->ptr) : rest->len;
    str line        = str_slice(*rest, 0, len);
    *rest           = str_slice(*rest, end ? len + 1 : len, rest->len);
    return line;
}

/* The server hands on tokens only (RFC 9110). */
static bool is_token(str name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (c <= ' ' || c > '~' || strchr("\"(),/:;<=>?@[\\]{}", c)) return false;
    }
    return name.len > 0;
}

static size_t take_fields(str *rest, struct httpd_field fields[static FIELDS_MAX])
{
    size_t count = 0;
    while (count < FIELDS_MAX) {
        str line = take_line(rest);
        if (line.len == 0) break;
        const char *colon = memchr(line.ptr, ':', line.len);
        if (!colon) continue;
        size_t at = (size_t)(colon - line.ptr);
        if (!is_token(str_slice(line, 0, at))) continue;
        size_t from     = at + 1 < line.len && line.ptr[at + 1] == ' ' ? at + 2 : at + 1;
        fields[count++] = (struct httpd_field){.name  = str_slice(line, 0, at),
                                               .value = str_slice(line, from, line.len)};
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str rest = {.ptr = (const char *)data, .len = size};
    struct httpd_field fields[FIELDS_MAX];
    struct httpd_request request = {.fields = fields, .body = buf_init(BODY_MAX)};
    request.field_count          = take_fields(&rest, fields);
    if (rest.len > 0) (void)buf_put_str(&request.body, rest);

    CLEANUP(json_unrefp) json events = json_invalid();
    struct error error               = {};
    status code                      = cloud_events_read(&request, &events, &error);
    buf_done(&request.body);
    if (code != STATUS_OK) {
        ASSERT(code == STATUS_INVALID_ARGUMENT && error.code && error.text[0] != '\0');
        ASSERT(events.kind == JSON_INVALID);
        return 0;
    }
    ASSERT(json_is(events, JSON_ARRAY));
    ASSERT(json_count(events) >= 1 && json_count(events) <= CLOUD_EVENTS_MAX);

    CLEANUP(buf_done) struct buf printed = buf_init(PRINTED_MAX);
    CLEANUP(json_unrefp) json again      = json_invalid();
    (void)json_print(events, JSON_COMPACT, &printed);
    ASSERT(!printed.is_full);
    ASSERT(json_parse(buf_str(&printed), NULL, &again, NULL, NULL) == STATUS_OK);
    /* A number beyond all doubles is infinite and printed as the greatest: the texts are equal. */
    CLEANUP(buf_done) struct buf twice = buf_init(PRINTED_MAX);
    (void)json_print(again, JSON_COMPACT, &twice);
    ASSERT(str_equal(buf_str(&printed), buf_str(&twice)));
    return 0;
}
