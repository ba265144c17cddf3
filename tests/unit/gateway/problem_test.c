#include "cmocka.h"

#include "gateway/api/problem.h"
#include "json/json_text.h"

#include <string.h>

struct row {
    const char *name;
    const char *code;
    status status_code;
    const char *kind;
    int http_status;
    bool is_retryable;
};

/* http-api.md section 4, and what a status alone means. */
static const struct row rows[] = {
    {"a code", "run_finished", STATUS_UNKNOWN, "run_finished", 409, false},
    {"a code beats its status", "store_full", STATUS_INVALID_ARGUMENT, "store_full", 507, true},
    {"an unknown code", "brand_new", STATUS_NOT_FOUND, "not_found", 404, false},
    {"ok is no problem", "", STATUS_OK, "internal", 500, true},
    {"cancelled", "", STATUS_CANCELLED, "cancelled", 499, false},
    {"unknown", "", STATUS_UNKNOWN, "internal", 500, true},
    {"invalid argument", "", STATUS_INVALID_ARGUMENT, "invalid_request", 400, false},
    {"deadline", "", STATUS_DEADLINE_EXCEEDED, "upstream_timeout", 504, true},
    {"not found", "", STATUS_NOT_FOUND, "not_found", 404, false},
    {"already exists", "", STATUS_ALREADY_EXISTS, "already_exists", 409, false},
    {"permission", "", STATUS_PERMISSION_DENIED, "forbidden", 403, false},
    {"exhausted", "", STATUS_RESOURCE_EXHAUSTED, "overloaded", 503, true},
    {"precondition", "", STATUS_FAILED_PRECONDITION, "conflict", 409, false},
    {"aborted", "", STATUS_ABORTED, "conflict", 409, false},
    {"out of range", "", STATUS_OUT_OF_RANGE, "history_trimmed", 410, false},
    {"unimplemented", "", STATUS_UNIMPLEMENTED, "not_implemented", 501, false},
    {"internal", "", STATUS_INTERNAL, "internal", 500, true},
    {"unavailable", "", STATUS_UNAVAILABLE, "unavailable", 503, true},
    {"data loss", "", STATUS_DATA_LOSS, "internal", 500, true},
    {"a wrong key", "unauthenticated", STATUS_UNAUTHENTICATED, "unauthenticated", 401, false},
    {"a service that does not know us", "", STATUS_UNAUTHENTICATED, "unavailable", 503, true},
    {"a status of a newer peer", "", (status)77, "internal", 500, true},
};

static void kind(void **state)
{
    const struct row *row            = *state;
    const struct problem_kind *found = problem_kind_of(str_from(row->code), row->status_code);
    assert_string_equal(found->code, row->kind);
    assert_int_equal(found->http, row->http_status);
    assert_int_equal(found->is_retryable, row->is_retryable);
}

static json parsed(const struct buf *text)
{
    json document = json_invalid();
    assert_int_equal(json_parse(buf_str(text), NULL, &document, NULL, NULL), STATUS_OK);
    return document;
}

static bool says(json object, const char *key, const char *text)
{
    json value = json_get_text(object, key);
    return json_is(value, JSON_TEXT) && str_is(json_str(value), text);
}

static void a_problem_has_all_its_members(void **)
{
    const struct problem problem = {
        .kind           = problem_kind_of(str_from("workflow_invalid"), STATUS_OK),
        .detail         = str_from("line 3: \"x\"\n is wrong"),
        .instance       = str_from("/v1/workflows/a"),
        .request_id     = str_from("r1"),
        .trace_id       = str_from("t1"),
        .findings_json  = str_from("[{\"pointer\":\"/a\"}]"),
        .run_error_json = str_from("{\"status\":500}"),
    };
    CLEANUP(buf_done) struct buf text = buf_init(4096);
    problem_print(&problem, &text);
    CLEANUP(json_unrefp) json document = parsed(&text);
    assert_true(says(document, "type", "urn:tutti:problem:workflow_invalid"));
    assert_true(says(document, "code", "workflow_invalid"));
    assert_true(says(document, "detail", "line 3: \"x\"\n is wrong"));
    assert_true(says(document, "instance", "/v1/workflows/a"));
    assert_true(says(document, "request_id", "r1"));
    assert_true(says(document, "trace_id", "t1"));
    int64_t http_status = 0;
    assert_true(json_to_int(json_get_text(document, "status"), &http_status));
    assert_int_equal(http_status, 422);
    assert_int_equal(json_count(json_get_text(document, "errors")), 1);
    assert_true(json_is(json_get_text(document, "run_error"), JSON_OBJECT));
    assert_true(json_is(json_get_text(document, "title"), JSON_TEXT));
}

static void what_is_empty_is_left_out(void **)
{
    const struct problem problem      = {.kind = problem_kind_of(str_from(""), STATUS_INTERNAL)};
    CLEANUP(buf_done) struct buf text = buf_init(4096);
    problem_print(&problem, &text);
    CLEANUP(json_unrefp) json document = parsed(&text);
    assert_true(says(document, "detail", problem.kind->title)); /* required by the contract */
    assert_true(says(document, "request_id", ""));
    static const char *const absent[] = {"instance", "trace_id", "errors", "run_error"};
    for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
        assert_true(json_is(json_get_text(document, absent[i]), JSON_INVALID));
    }
}

static void openai_clients_get_their_shape(void **)
{
    static const struct {
        const char *code, *type;
    } types[] = {
        {"unauthenticated", "authentication_error"}, {"budget_exceeded", "budget_exceeded"},
        {"forbidden", "permission_error"},           {"rate_limited", "rate_limit_error"},
        {"invalid_json", "invalid_request_error"},   {"unavailable", "server_error"}};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        const struct problem problem = {.kind = problem_kind_of(str_from(types[i].code), STATUS_OK),
                                        .detail     = str_from("because"),
                                        .request_id = str_from("r1")};
        CLEANUP(buf_done) struct buf text = buf_init(4096);
        problem_print_openai(&problem, &text);
        CLEANUP(json_unrefp) json document = parsed(&text);
        json error                         = json_get_text(document, "error");
        assert_true(says(error, "message", "because"));
        assert_true(says(error, "type", types[i].type));
        assert_true(says(error, "code", types[i].code));
        assert_true(json_is(json_get_text(error, "param"), JSON_NULL));
    }
}

int main(void)
{
    struct CMUnitTest kinds[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) kinds[i] = row_test(rows[i].name, kind, &rows[i]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_problem_has_all_its_members),
        cmocka_unit_test(what_is_empty_is_left_out),
        cmocka_unit_test(openai_clients_get_their_shape),
    };
    return cmocka_run_group_tests_name("kinds", kinds, NULL, NULL) +
           cmocka_run_group_tests_name("problem", tests, NULL, NULL);
}
