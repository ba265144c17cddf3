/* What a run sees of calls of MCP servers and agents that failed. */
#include "cmocka.h"

#include "base/attr.h"
#include "tool-adapter/peers/verdict.h"

#include <string.h>

struct row {
    const char *name;
    struct verdict_facts facts;
    bool is_rpc;
    const char *type; /* the end of it */
    int64_t status;
    bool is_transient, is_unknown, wants_rest;
};

/* clang-format off */
static const struct row rows[] = {
    {"an error of JSON-RPC",   {.http_status = 200}, true, "/runtime", 500, false, false, false},
    {"of a bad request",       {.http_status = 400, .is_write = true}, true, "/runtime", 500, false, false, false},
    {"with 401",               {.http_status = 401}, true, "/authentication", 401, false, false, false},
    {"403",                    {.code = STATUS_UNAVAILABLE, .http_status = 403}, false, "/authorization", 403, false, false, false},
    {"404",                    {.code = STATUS_UNAVAILABLE, .http_status = 404, .is_write = true}, false, "/communication", 404, false, false, false},
    {"500 of a read",          {.code = STATUS_UNAVAILABLE, .http_status = 500}, false, "/communication", 500, true, false, false},
    {"500 of a write",         {.code = STATUS_UNAVAILABLE, .http_status = 500, .is_write = true}, false, "/unknown-outcome", 504, false, true, false},
    {"500 with an error",      {.http_status = 500, .is_write = true}, true, "/unknown-outcome", 504, false, true, false},
    {"503 of a write",         {.code = STATUS_UNAVAILABLE, .http_status = 503, .is_write = true}, false, "/communication", 503, true, false, false},
    {"429 that says when",     {.code = STATUS_UNAVAILABLE, .http_status = 429, .is_write = true, .wait_ms = 5'000}, false, "/communication", 429, true, false, true},
    {"nothing was sent",       {.code = STATUS_UNAVAILABLE, .is_write = true}, false, "/communication", 500, true, false, false},
    {"a read was cut",         {.code = STATUS_UNAVAILABLE, .was_sent = true}, false, "/communication", 500, true, false, false},
    {"a write was cut",        {.code = STATUS_UNAVAILABLE, .was_sent = true, .is_write = true}, false, "/unknown-outcome", 504, false, true, false},
    {"a read is too slow",     {.code = STATUS_DEADLINE_EXCEEDED, .was_sent = true}, false, "/timeout", 408, true, false, false},
    {"no JSON of a write",     {.code = STATUS_DATA_LOSS, .was_sent = true, .is_write = true, .http_status = 200}, false, "/unknown-outcome", 504, false, true, false},
    {"no JSON of a read",      {.code = STATUS_DATA_LOSS, .was_sent = true, .http_status = 200}, false, "/communication", 500, true, false, false},
    {"an answer is too large", {.code = STATUS_RESOURCE_EXHAUSTED, .was_sent = true}, false, "/runtime", 500, false, false, false},
    {"refused by the guard",   {.code = STATUS_PERMISSION_DENIED, .is_write = true}, false, "/authorization", 403, false, false, false},
    {"an argument",            {.code = STATUS_INVALID_ARGUMENT}, false, "/configuration", 400, false, false, false},
};
/* clang-format on */

static void is_judged(void **state)
{
    const struct row *row         = *state;
    struct verdict_facts facts    = row->facts;
    struct http_job_result result = {};
    CLEANUP(json_unrefp) json rpc = json_object_new(2);
    int64_t code                  = 0;
    json_object_put_text(&rpc, "code", json_int(-32602));
    json_object_put_text(&rpc, "message", json_text_from("no such tool"));
    facts.error = row->is_rpc ? rpc : json_invalid();
    facts.why   = "because";
    verdict_of(&facts, &result);
    str type   = json_str(json_get_text(result.value, "type"));
    str detail = json_str(json_get_text(result.value, "detail"));
    assert_true(type.len > strlen(row->type));
    assert_true(str_is(str_slice(type, type.len - strlen(row->type), type.len), row->type));
    assert_true(json_to_int(json_get_text(result.value, "status"), &code));
    assert_int_equal(code, row->status);
    assert_true(str_is(detail, row->is_rpc ? "-32602 no such tool" : "because"));
    assert_false(result.is_ok);
    assert_int_equal(result.is_transient, row->is_transient);
    assert_int_equal(result.is_unknown, row->is_unknown);
    assert_int_equal(result.wants_rest, row->wants_rest);
    json_unref(result.value);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows)] = {};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = (struct CMUnitTest){.name          = rows[i].name,
                                       .test_func     = is_judged,
                                       .initial_state = (void *)(uintptr_t)&rows[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
