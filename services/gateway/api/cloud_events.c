#include "gateway/api/cloud_events.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <strings.h>

enum { NAME_MAX_BYTES = 64 /* of an attribute; CloudEvents recommends 20 */ };

static bool begins(str text, const char *wanted)
{
    size_t len = strlen(wanted);
    return text.len >= len && strncasecmp(text.ptr, wanted, len) == 0;
}

static bool is_type(str type, const char *wanted)
{
    size_t len = strlen(wanted);
    return begins(type, wanted) &&
           (type.len == len || type.ptr[len] == ';' || type.ptr[len] == ' ');
}

/* --- binary ------------------------------------------------------------------------------------
 */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool decode_header(str value, char out[static CLOUD_EVENT_ATTRIBUTE_MAX], size_t *ret_len)
{
    size_t len = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (len == CLOUD_EVENT_ATTRIBUTE_MAX) return false;
        bool is_escape = value.ptr[i] == '%' && i + 2 < value.len &&
                         hex_digit(value.ptr[i + 1]) >= 0 && hex_digit(value.ptr[i + 2]) >= 0;
        if (is_escape) {
            out[len++] = (char)(hex_digit(value.ptr[i + 1]) * 16 + hex_digit(value.ptr[i + 2]));
            i += 2;
        } else {
            out[len++] = value.ptr[i];
        }
    }
    *ret_len = len;
    return utf8_valid_prefix((str){out, len}) == len;
}

static status put_attribute(const struct httpd_field *field, json *event, struct error *reterr)
{
    char key[NAME_MAX_BYTES];
    char value[CLOUD_EVENT_ATTRIBUTE_MAX];
    size_t key_len   = field->name.len - strlen("ce-");
    size_t value_len = 0;
    if (key_len > sizeof key || !decode_header(field->value, value, &value_len)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request",
                         "header " STR_FMT ": at most 4,096 bytes of percent-encoded UTF-8, under "
                         "a name of at most %d",
                         STR_ARG(field->name), NAME_MAX_BYTES);
    }
    for (size_t i = 0; i < key_len; i++) {
        char c = field->name.ptr[i + strlen("ce-")];
        key[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    str name = {key, key_len};
    if (str_is(name, "data") || str_is(name, "data_base64") || str_is(name, "datacontenttype")) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request",
                         "header " STR_FMT ": the data is the body, its type is content-type",
                         STR_ARG(field->name));
    }
    if (json_get(*event, name).kind != JSON_INVALID) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request",
                         "header " STR_FMT " is there twice", STR_ARG(field->name));
    }
    json_object_put(event, name, json_text_new((str){value, value_len}));
    return STATUS_OK;
}

static json base64_new(str body)
{
    char *text = mem_new(base64_size(body.len) + 1, 1);
    base64_encode(body.ptr, body.len, text);
    json value = json_text_new((str){text, base64_size(body.len)});
    free(text);
    return value;
}

static bool is_json_type(str type)
{
    const char *semicolon = type.len > 0 ? memchr(type.ptr, ';', type.len) : NULL;
    str media             = semicolon ? (str){type.ptr, (size_t)(semicolon - type.ptr)} : type;
    while (media.len > 0 && media.ptr[media.len - 1] == ' ') media.len--;
    return type.len == 0 || is_type(type, "application/json") ||
           (media.len > 5 && strncasecmp(media.ptr + media.len - 5, "+json", 5) == 0);
}

static status put_data(str type, str body, json *event, struct error *reterr)
{
    if (type.len > 0) json_object_put_text(event, "datacontenttype", json_text_lossy(type));
    if (body.len == 0) return STATUS_OK;
    if (is_json_type(type)) {
        struct error why = {};
        json data        = json_invalid();
        if (json_parse(body, NULL, &data, NULL, &why) != STATUS_OK) {
            return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_json",
                             "the data of the event: %s", why.text);
        }
        json_object_put_text(event, "data", data);
    } else if (begins(type, "text/") && utf8_valid_prefix(body) == body.len) {
        json_object_put_text(event, "data", json_text_new(body));
    } else {
        json_object_put_text(event, "data_base64", base64_new(body));
    }
    return STATUS_OK;
}

static status read_binary(const struct httpd_request *request, str type, json *ret_event,
                          struct error *reterr)
{
    CLEANUP(json_unrefp) json event = json_object_new(8);
    for (size_t i = 0; i < request->field_count; i++) {
        str name = request->fields[i].name;
        if (name.len < 4 || !begins(name, "ce-")) continue;
        TRY(put_attribute(&request->fields[i], &event, reterr));
    }
    TRY(put_data(type, buf_str(&request->body), &event, reterr));
    *ret_event = json_take(&event);
    return STATUS_OK;
}

/* --- all modes ---------------------------------------------------------------------------------
 */

static status read_body(const struct httpd_request *request, json *ret_value, struct error *reterr)
{
    struct error why = {};
    if (json_parse(buf_str(&request->body), NULL, ret_value, NULL, &why) == STATUS_OK) {
        return STATUS_OK;
    }
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_json", "%s", why.text);
}

static status read_batch(const struct httpd_request *request, json *ret_events,
                         struct error *reterr)
{
    CLEANUP(json_unrefp) json value = json_invalid();
    TRY(read_body(request, &value, reterr));
    if (!json_is(value, JSON_ARRAY)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request",
                         "a batch is an array of events");
    }
    if (json_count(value) == 0 || json_count(value) > CLOUD_EVENTS_MAX) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request", "1 to %d events",
                         CLOUD_EVENTS_MAX);
    }
    *ret_events = json_take(&value);
    return STATUS_OK;
}

status cloud_events_read(const struct httpd_request *request, json *ret_events,
                         struct error *reterr)
{
    str type           = httpd_request_field(request, "content-type");
    bool is_structured = is_type(type, "application/cloudevents+json");
    if (is_type(type, "application/cloudevents-batch+json")) {
        return read_batch(request, ret_events, reterr);
    }
    CLEANUP(json_unrefp) json event = json_invalid();
    if (httpd_request_field(request, "ce-specversion").len > 0 && !is_structured) {
        TRY(read_binary(request, type, &event, reterr));
    } else if (is_structured || is_type(type, "application/json")) {
        TRY(read_body(request, &event, reterr));
    } else {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "unsupported_media_type",
                         "application/cloudevents+json, application/cloudevents-batch+json, or "
                         "headers ce-specversion, ce-id, ce-source, ce-type with any content");
    }
    *ret_events = json_array_new(1);
    json_array_push(ret_events, json_take(&event));
    return STATUS_OK;
}
