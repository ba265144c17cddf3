/*
 * Events from outside: CloudEvents 1.0 over HTTP, in its three modes.
 *
 *     binary      attributes in headers `ce-<name>`, percent-encoded; the body is the data
 *     structured  application/cloudevents+json: the body is the event
 *     batch       application/cloudevents-batch+json: an array of them
 */
#include "event.pb-c.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "gateway/handlers.h"
#include "json/json_text.h"

#include <strings.h>

enum {
    BATCH_MAX     = 500,
    EVENT_MAX     = 256 << 10, /* bytes of JSON; the scheduler checks it as well */
    EVENTS_MAX    = 2 << 20,   /* of all of them; the body is smaller */
    ATTRIBUTE_MAX = 4'096,     /* bytes of a header */
};

static bool type_begins(str type, const char *wanted)
{
    size_t len = strlen(wanted);
    if (type.len < len || strncasecmp(type.ptr, wanted, len) != 0) return false;
    return type.len == len || type.ptr[len] == ';' || type.ptr[len] == ' ';
}

/* --- binary ------------------------------------------------------------------------------------
 */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool decode_header(str value, char out[static ATTRIBUTE_MAX], size_t *ret_len)
{
    size_t len = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (len == ATTRIBUTE_MAX) return false;
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

static bool put_attributes(struct api_call *call, json *event)
{
    const struct httpd_request *request = call->request;
    for (size_t i = 0; i < request->field_count; i++) {
        str name = request->fields[i].name;
        if (name.len < 4 || strncasecmp(name.ptr, "ce-", 3) != 0) continue;
        char key[64];
        char value[ATTRIBUTE_MAX];
        size_t key_len   = name.len - 3;
        size_t value_len = 0;
        bool fits        = key_len < sizeof key;
        for (size_t j = 0; fits && j < key_len; j++) {
            char c = name.ptr[j + 3];
            key[j] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        }
        if (!fits || !decode_header(request->fields[i].value, value, &value_len)) {
            api_fail_with(call, "invalid_request", (str){}, "header " STR_FMT ": %s", STR_ARG(name),
                          "at most 4,096 bytes of percent-encoded UTF-8");
            return false;
        }
        json_object_put(event, (str){key, key_len}, json_text_new((str){value, value_len}));
    }
    return true;
}

static bool put_data(struct api_call *call, str type, json *event)
{
    str body = buf_str(&call->request->body);
    if (type.len > 0) json_object_put_text(event, "datacontenttype", json_text_lossy(type));
    if (body.len == 0) return true;
    const char *semicolon = type.len > 0 ? memchr(type.ptr, ';', type.len) : NULL;
    str media             = semicolon ? (str){type.ptr, (size_t)(semicolon - type.ptr)} : type;
    bool is_json          = type.len == 0 || type_begins(type, "application/json") ||
                   (media.len > 5 && strncasecmp(media.ptr + media.len - 5, "+json", 5) == 0);
    if (is_json) {
        struct error error = {};
        json data          = json_invalid();
        if (json_parse(body, NULL, &data, NULL, &error) != STATUS_OK) {
            api_fail_with(call, "invalid_json", (str){}, "the data of the event: %s", error.text);
            return false;
        }
        json_object_put_text(event, "data", data);
    } else if (strncasecmp(type.ptr, "text/", 5) == 0 && utf8_valid_prefix(body) == body.len) {
        json_object_put_text(event, "data", json_text_new(body));
    } else {
        char *text = arena_alloc(call->arena, base64_size(body.len) + 1);
        if (!text) {
            api_fail_with(call, "body_too_large", (str){}, "the data is too large");
            return false;
        }
        base64_encode(body.ptr, body.len, text);
        json_object_put_text(event, "data_base64",
                             json_text_new((str){text, base64_size(body.len)}));
    }
    return true;
}

/* --- all modes ---------------------------------------------------------------------------------
 */

/* An array of events; invalid: the call was answered. Owned. */
static json read_events(struct api_call *call)
{
    str type                        = httpd_request_field(call->request, "content-type");
    bool is_binary                  = httpd_request_field(call->request, "ce-specversion").len > 0;
    bool is_batch                   = type_begins(type, "application/cloudevents-batch+json");
    CLEANUP(json_unrefp) json value = json_invalid();
    if (is_binary && !is_batch && !type_begins(type, "application/cloudevents+json")) {
        value = json_object_new(8);
        if (!put_attributes(call, &value) || !put_data(call, type, &value)) return json_invalid();
    } else if (is_batch || type_begins(type, "application/cloudevents+json") ||
               type_begins(type, "application/json")) {
        struct error error = {};
        if (json_parse(buf_str(&call->request->body), NULL, &value, NULL, &error) != STATUS_OK) {
            api_fail_with(call, "invalid_json", (str){}, "%s", error.text);
            return json_invalid();
        }
    } else {
        api_fail_with(call, "unsupported_media_type", (str){},
                      "application/cloudevents+json, application/cloudevents-batch+json, or "
                      "headers ce-specversion, ce-id, ce-source, ce-type with any content");
        return json_invalid();
    }
    if (is_batch && json_is(value, JSON_ARRAY)) return json_take(&value);
    if (is_batch) {
        api_fail_with(call, "invalid_request", (str){}, "a batch is an array of events");
        return json_invalid();
    }
    json events = json_array_new(1);
    json_array_push(&events, json_take(&value));
    return events;
}

static void on_published(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__PublishedEvents *result = answer->message;
    struct api_answer response;
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    json_member(&response.json, "items");
    json_begin_array(&response.json);
    for (size_t i = 0; i < result->n_events; i++) {
        json_begin_object(&response.json);
        json_put_text(&response.json, "source", str_from(result->events[i]->source));
        json_put_text(&response.json, "id", str_from(result->events[i]->id));
        json_put_bool(&response.json, "duplicate", result->events[i]->duplicate);
        json_end_object(&response.json);
    }
    json_end_array(&response.json);
    json_end_object(&response.json);
    api_answer_send(&response, 202, NULL);
}

/* One text for each; false: the call was answered. */
static bool print_events(struct api_call *call, json events, struct buf *texts,
                         Pb__PublishEvents *message)
{
    size_t count           = json_count(events);
    message->events_json   = arena_alloc(call->arena, count * sizeof *message->events_json);
    message->n_events_json = count;
    CLEANUP(buf_done) struct buf one = buf_init(EVENT_MAX);
    for (size_t pass = 0; pass < 2; pass++) { /* the buffer must not move under the views */
        size_t from = 0;
        for (size_t i = 0; i < count; i++) {
            if (pass == 0) {
                buf_clear(&one);
                if (!api_print(call, json_at(events, i), &one)) return false;
                (void)buf_put_str(texts, buf_str(&one));
                message->events_json[i].len = one.len;
            } else {
                message->events_json[i].data = (uint8_t *)texts->ptr + from;
                from += message->events_json[i].len;
            }
        }
    }
    return true;
}

void events_publish(struct api_call *call)
{
    const char *namespace = api_namespace(call);
    if (strcmp(namespace, "*") == 0) {
        api_fail_with(call, "invalid_request", (str){},
                      "an event belongs to a namespace: name one with the header Tutti-Namespace");
        return;
    }
    CLEANUP(json_unrefp) json events = read_events(call);
    if (events.kind == JSON_INVALID) return;
    if (json_count(events) == 0 || json_count(events) > BATCH_MAX) {
        api_fail_with(call, "invalid_request", (str){}, "1 to %d events", BATCH_MAX);
        return;
    }
    CLEANUP(buf_done) struct buf texts = buf_init(EVENTS_MAX);
    Pb__PublishEvents message          = PB__PUBLISH_EVENTS__INIT;
    message.namespace_                 = namespace;
    if (!print_events(call, events, &texts, &message)) return;
    const struct api_ask ask = {
        .service   = &pb__events__descriptor,
        .method    = "Publish",
        .message   = &message,
        .partition = api_partition_of_text(call->api, str_from(namespace), (str){.ptr = ""}),
        .then      = on_published,
    };
    api_ask_scheduler(call, &ask);
}
