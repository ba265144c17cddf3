/* The three modes of CloudEvents over HTTP, and what is none of them. */
#include "cmocka.h"

#include "gateway/api/cloud_events.h"
#include "json/json_text.h"

#include <string.h>

#define BINARY                                                                                     \
    {"CE-SpecVersion", "1.0"},                                                                     \
    {                                                                                              \
        "ce-id", "a"                                                                               \
    }

enum { FIELDS_MAX = 4 };

static const struct row {
    const char *name;
    struct {
        const char *name, *value;
    } fields[FIELDS_MAX];
    const char *body;
    const char *expected; /* the events; or NULL, and: */
    const char *code, *detail;
} rows[] = {
    {"structured",
     {{"Content-Type", "application/cloudevents+json; charset=utf-8"}},
     "{\"id\":\"a\"}",
     "[{\"id\":\"a\"}]",
     NULL,
     NULL},
    {"structured, by people who say JSON",
     {{"content-type", "application/json"}},
     "{\"id\":\"a\"}",
     "[{\"id\":\"a\"}]",
     NULL,
     NULL},
    {"structured although there are headers",
     {{"content-type", "application/cloudevents+json"}, BINARY},
     "{\"id\":\"b\"}",
     "[{\"id\":\"b\"}]",
     NULL,
     NULL},
    {"a batch",
     {{"content-type", "application/cloudevents-batch+json"}},
     "[{\"id\":\"a\"},{\"id\":\"b\"}]",
     "[{\"id\":\"a\"},{\"id\":\"b\"}]",
     NULL,
     NULL},
    {"binary, JSON",
     {BINARY, {"content-type", "application/json"}},
     "{\"n\":1}",
     "[{\"specversion\":\"1.0\",\"id\":\"a\",\"datacontenttype\":\"application/json\",\"data\":{"
     "\"n\":1}}]",
     NULL,
     NULL},
    {"binary, JSON of a vendor",
     {BINARY, {"content-type", "application/vnd.x+json ; v=1"}},
     "7",
     "[{\"specversion\":\"1.0\",\"id\":\"a\",\"datacontenttype\":\"application/vnd.x+json ; "
     "v=1\",\"data\":7}]",
     NULL,
     NULL},
    {"binary, no type is JSON",
     {BINARY},
     "[1]",
     "[{\"specversion\":\"1.0\",\"id\":\"a\",\"data\":[1]}]",
     NULL,
     NULL},
    {"binary, no data", {BINARY}, "", "[{\"specversion\":\"1.0\",\"id\":\"a\"}]", NULL, NULL},
    {"binary, a text",
     {BINARY, {"content-type", "text/plain"}},
     "hello",
     "[{\"specversion\":\"1.0\",\"id\":\"a\",\"datacontenttype\":\"text/plain\",\"data\":\"hello\"}"
     "]",
     NULL,
     NULL},
    {"binary, a text that is no UTF-8",
     {BINARY, {"content-type", "text/plain"}},
     "\xff",
     "[{\"specversion\":\"1.0\",\"id\":\"a\",\"datacontenttype\":\"text/plain\",\"data_base64\":"
     "\"/w==\"}]",
     NULL,
     NULL},
    {"binary, a type shorter than any",
     {BINARY, {"content-type", "t"}},
     "x",
     "[{\"specversion\":\"1.0\",\"id\":\"a\",\"datacontenttype\":\"t\",\"data_base64\":\"eA==\"}]",
     NULL,
     NULL},
    {"percent-encoded, with a percent sign that encodes nothing",
     {BINARY, {"ce-room", "%E2%82%ac 5%"}},
     "",
     "[{\"specversion\":\"1.0\",\"id\":\"a\",\"room\":\"\xe2\x82\xac 5%\"}]",
     NULL,
     NULL},

    {"no mode", {{"content-type", "text/plain"}}, "x", NULL, "unsupported_media_type", "ce-type"},
    {"no mode, and no type", {{"accept", "*"}}, "x", NULL, "unsupported_media_type", "ce-type"},
    {"no JSON", {{"content-type", "application/json"}}, "{", NULL, "invalid_json", ""},
    {"data that is no JSON", {BINARY}, "{", NULL, "invalid_json", "the data of the event"},
    {"a batch that is none",
     {{"content-type", "application/cloudevents-batch+json"}},
     "{}",
     NULL,
     "invalid_request",
     "an array"},
    {"a batch of nothing",
     {{"content-type", "application/cloudevents-batch+json"}},
     "[]",
     NULL,
     "invalid_request",
     "1 to 500"},
    {"an attribute twice", {BINARY, {"CE-ID", "b"}}, "", NULL, "invalid_request", "twice"},
    {"data as an attribute", {BINARY, {"ce-data", "b"}}, "", NULL, "invalid_request", "the body"},
    {"bytes as an attribute",
     {BINARY, {"ce-data_base64", "b"}},
     "",
     NULL,
     "invalid_request",
     "the body"},
    {"a type of the data as an attribute",
     {BINARY, {"ce-datacontenttype", "b"}},
     "",
     NULL,
     "invalid_request",
     "content-type"},
    {"an attribute that is no UTF-8",
     {BINARY, {"ce-room", "%ff"}},
     "",
     NULL,
     "invalid_request",
     "UTF-8"},
    {"a name that is too long",
     {BINARY, {"ce-01234567890123456789012345678901234567890123456789012345678901234", "b"}},
     "",
     NULL,
     "invalid_request",
     "percent-encoded"},
};

static status read_row(const struct row *row, json *ret_events, struct error *reterr)
{
    struct httpd_field fields[FIELDS_MAX];
    struct httpd_request request = {.fields = fields, .body = buf_init(1 << 16)};
    while (request.field_count < FIELDS_MAX && row->fields[request.field_count].name) {
        size_t i  = request.field_count++;
        fields[i] = (struct httpd_field){.name  = str_from(row->fields[i].name),
                                         .value = str_from(row->fields[i].value)};
    }
    (void)buf_put_text(&request.body, row->body);
    status code = cloud_events_read(&request, ret_events, reterr);
    buf_done(&request.body);
    return code;
}

static void check(void **state)
{
    const struct row *row            = *state;
    struct error error               = {};
    CLEANUP(json_unrefp) json events = json_invalid();
    status code                      = read_row(row, &events, &error);
    if (!row->expected) {
        assert_int_equal(code, STATUS_INVALID_ARGUMENT);
        assert_string_equal(error.code, row->code);
        if (!strstr(error.text, row->detail)) fail_msg("%s", error.text);
        return;
    }
    if (code != STATUS_OK) fail_msg("%s", error.text);
    CLEANUP(json_unrefp) json text = json_to_text_new(events);
    assert_string_equal(json_str(text).ptr, row->expected);
}

/* The longest batch and the longest attribute, and one more. */
static void limits(void **state)
{
    (void)state;
    for (size_t more = 0; more <= 1; more++) {
        struct buf batch = buf_init(1 << 16);
        (void)buf_put_text(&batch, "[1");
        for (size_t i = 1; i < CLOUD_EVENTS_MAX + more; i++) (void)buf_put_text(&batch, ",1");
        (void)buf_put_text(&batch, "]");
        const struct row row = {.fields = {{"content-type", "application/cloudevents-batch+json"}},
                                .body   = batch.ptr};
        CLEANUP(json_unrefp) json events = json_invalid();
        assert_int_equal(read_row(&row, &events, NULL), more ? STATUS_INVALID_ARGUMENT : STATUS_OK);
        buf_done(&batch);

        char value[CLOUD_EVENT_ATTRIBUTE_MAX + 2] = "";
        memset(value, 'x', CLOUD_EVENT_ATTRIBUTE_MAX + more);
        const struct row long_one       = {.fields = {BINARY, {"ce-room", value}}, .body = ""};
        CLEANUP(json_unrefp) json event = json_invalid();
        assert_int_equal(read_row(&long_one, &event, NULL),
                         more ? STATUS_INVALID_ARGUMENT : STATUS_OK);
    }
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 1];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) tests[i] = row_test(rows[i].name, check, &rows[i]);
    tests[ARRAY_LEN(rows)] = (struct CMUnitTest)cmocka_unit_test(limits);
    return cmocka_run_group_tests_name("cloud events", tests, NULL, NULL);
}
