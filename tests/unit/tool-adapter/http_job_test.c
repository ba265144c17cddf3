/* `call: http`: arguments to requests, answers to outputs and errors. */
#include "tool-adapter/authorization/authorization.h"
#include "tool-adapter/http/http_job.h"

#include "cmocka.h"
#include "json/json_text.h"

enum { ARENA_MAX = 8 << 20, TEXT_MAX = 1 << 20 };

struct world {
    struct arena *arena;
    json arguments;
    struct http_job job;
    struct error error;
};

static status read(struct world *world, const char *arguments)
{
    *world = (struct world){.arena = arena_new(ARENA_MAX)};
    assert_int_equal(json_parse(str_from(arguments), NULL, &world->arguments, NULL, NULL),
                     STATUS_OK);
    return http_job_read(world->arguments, str_from("run/do/0"), NULL, world->arena, &world->job,
                         &world->error);
}

static void close_world(struct world *world)
{
    json_unref(world->arguments);
    arena_free(world->arena);
}

static str header_of(const struct http_job *job, const char *name)
{
    for (size_t i = 0; i < job->request.header_count; i++) {
        if (str_is(job->request.headers[i].name, name)) return job->request.headers[i].value;
    }
    return (str){};
}

/* --- arguments ---------------------------------------------------------------------------------
 */

struct bad {
    const char *name, *arguments, *expected;
};

/* clang-format off */
static const struct bad bad[] = {
    {"no method",       "{\"endpoint\":\"https://h/\"}", "/method"},
    {"no endpoint",     "{\"method\":\"GET\"}", "/endpoint"},
    {"another scheme",  "{\"method\":\"GET\",\"endpoint\":\"file:///etc/passwd\"}", "/endpoint"},
    {"a blank in it",   "{\"method\":\"GET\",\"endpoint\":\"https://h/a b\"}", "/endpoint"},
    {"query of text",   "{\"method\":\"GET\",\"endpoint\":\"https://h/\",\"query\":\"a=b\"}", "/query"},
    {"headers a list",  "{\"method\":\"GET\",\"endpoint\":\"https://h/\",\"headers\":[]}", "/headers"},
    {"unknown output",  "{\"method\":\"GET\",\"endpoint\":\"https://h/\",\"output\":\"xml\"}", "/output"},
};
/* clang-format on */

static void is_refused(void **state)
{
    const struct bad *row = *state;
    struct world world;
    assert_int_equal(read(&world, row->arguments), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(world.error.text, row->expected));
    close_world(&world);
}

static void a_request_is_complete(void **)
{
    struct world world;
    assert_int_equal(
        read(&world,
             "{\"method\":\"post\",\"endpoint\":\"https://h/p?a=1\",\"query\":{\"b\":\"x y\","
             "\"c\":2},\"headers\":{\"X-A\":\"1\"},\"body\":{\"k\":[1,2]}}"),
        STATUS_OK);
    assert_true(str_is(world.job.request.method, "POST"));
    assert_true(str_is(world.job.request.url, "https://h/p?a=1&b=x%20y&c=2"));
    assert_true(str_is(header_of(&world.job, "X-A"), "1"));
    assert_true(str_is(header_of(&world.job, "Content-Type"), "application/json"));
    assert_true(str_is(header_of(&world.job, "Idempotency-Key"), "run/do/0"));
    assert_int_equal(world.job.request.body.len, strlen("{\"k\":[1,2]}"));
    assert_false(world.job.request.is_repeatable);
    close_world(&world);
}

static void text_is_sent_as_it_is(void **)
{
    struct world world;
    assert_int_equal(read(&world,
                          "{\"method\":\"PUT\",\"endpoint\":\"https://h/\",\"body\":\"a,b\","
                          "\"headers\":{\"content-type\":\"text/csv\"}}"),
                     STATUS_OK);
    assert_true(str_is(header_of(&world.job, "content-type"), "text/csv"));
    assert_true(str_is(header_of(&world.job, "Content-Type"), "") ||
                !header_of(&world.job, "Content-Type").ptr);
    assert_memory_equal(world.job.request.body.ptr, "a,b", 3);
    close_world(&world);
}

static void a_map_may_be_a_form(void **)
{
    struct world world;
    assert_int_equal(
        read(&world,
             "{\"method\":\"POST\",\"endpoint\":\"https://h/\",\"headers\":{\"Content-Type\":"
             "\"application/x-www-form-urlencoded; charset=utf-8\"},\"body\":{\"a b\":\"c&d\","
             "\"n\":1.5,\"no\":null,\"l\":[1,\"x\"],\"m\":{\"k\":true}}}"),
        STATUS_OK);
    static const char form[] = "a%20b=c%26d&n=1.5&l=1&l=x&m=%7B%22k%22%3Atrue%7D";
    assert_int_equal(world.job.request.body.len, sizeof form - 1);
    assert_memory_equal(world.job.request.body.ptr, form, sizeof form - 1);
    close_world(&world);
}

static void a_map_may_be_a_form_of_parts(void **)
{
    static const char begin[] = "multipart/form-data; boundary=form-";
    struct world world;
    assert_int_equal(read(&world,
                          "{\"method\":\"POST\",\"endpoint\":\"https://h/\",\"headers\":"
                          "{\"content-type\":\"multipart/form-data\"},\"body\":{\"a\":\"x\"}}"),
                     STATUS_OK);
    str type = header_of(&world.job, "content-type");
    assert_true(str_starts_with(type, str_from(begin)));
    assert_int_equal(world.job.request.header_count, 2); /* and the key */
    str boundary = str_slice(type, sizeof begin - sizeof "form-", type.len);
    assert_memory_equal((const char *)world.job.request.body.ptr + 2, boundary.ptr, boundary.len);
    close_world(&world);
    assert_int_equal(read(&world, "{\"method\":\"POST\",\"endpoint\":\"https://h/\",\"headers\":"
                                  "{\"content-type\":\"multipart/form-data\"},\"body\":{\"a\":"
                                  "{\"base64\":\"?\"}}}"),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(world.error.text, "/body/a: `base64` is none");
    close_world(&world);
}

/* --- answers -----------------------------------------------------------------------------------
 */

struct row {
    const char *name;
    const char *method, *output; /* output "": content */
    int http_status;
    const char *type, *body;
    const char *expected; /* JSON of the output; NULL: an error */
    uint32_t error_status;
    bool is_transient;
};

/* clang-format off */
static const struct row rows[] = {
    {"JSON is parsed",          "GET", "", 200, "application/json; charset=utf-8", "{\"a\":1}", "{\"a\":1}", 0, false},
    {"so is +json",             "GET", "", 200, "application/problem+json", "[1]", "[1]", 0, false},
    {"text is text",            "GET", "", 200, "text/plain", "{\"a\":1}", "\"{\\\"a\\\":1}\"", 0, false},
    {"no JSON stays text",      "GET", "", 200, "application/json", "{oops", "\"{oops\"", 0, false},
    {"no body is null",         "GET", "", 204, "text/plain", "", "null", 0, false},
    {"raw is base64",           "GET", "raw", 200, "text/plain", "hi", "\"aGk=\"", 0, false},
    {"a redirect is an error",  "GET", "", 302, "text/plain", "", NULL, 302, false},
    {"401",                     "GET", "", 401, "text/plain", "", NULL, 401, false},
    {"404 is final",            "GET", "", 404, "text/plain", "", NULL, 404, false},
    {"429 passes",              "POST", "", 429, "text/plain", "", NULL, 429, true},
    {"503 passes",              "POST", "", 503, "text/plain", "", NULL, 503, true},
    {"501 does not",            "POST", "", 501, "text/plain", "", NULL, 501, false},
};
/* clang-format on */

static void answers(void **state)
{
    const struct row *row                  = *state;
    CLEANUP(buf_done) struct buf arguments = buf_init(TEXT_MAX);
    struct world world;
    (void)buf_printf(
        &arguments, "{\"method\":\"%s\",\"endpoint\":\"https://h/secret?key=1\"%s%s%s}",
        row->method, *row->output ? ",\"output\":\"" : "", row->output, *row->output ? "\"" : "");
    assert_int_equal(read(&world, arguments.ptr), STATUS_OK);
    const struct http_header header = {.name  = str_from("Content-Type"),
                                       .value = str_from(row->type)};
    const struct http_result http   = {.code   = STATUS_OK,
                                       .answer = {.http_status  = row->http_status,
                                                  .headers      = &header,
                                                  .header_count = 1,
                                                  .url          = str_from("https://h/secret?key=1")},
                                       .body   = str_from(row->body)};
    struct http_job_result result;
    http_job_finish(&world.job, &http, &result);
    assert_int_equal(result.is_ok, row->expected != NULL);
    if (row->expected) {
        CLEANUP(json_unrefp) json wanted = json_invalid();
        assert_int_equal(json_parse(str_from(row->expected), NULL, &wanted, NULL, NULL), STATUS_OK);
        assert_true(json_equal(result.value, wanted));
    } else {
        int64_t shown = 0;
        assert_true(json_to_int(json_get_text(result.value, "status"), &shown));
        assert_int_equal(shown, row->error_status);
        assert_int_equal(result.is_transient, row->is_transient);
        CLEANUP(json_unrefp) json text = json_to_text_new(result.value);
        assert_null(strstr(json_str(text).ptr, "secret")); /* no path, no query in errors */
    }
    json_unref(result.value);
    close_world(&world);
}

static void a_lost_write_has_an_unknown_outcome(void **)
{
    static const struct {
        const char *arguments;
        bool was_sent, is_unknown, is_transient;
    } cases[] = {
        {"{\"method\":\"POST\",\"endpoint\":\"https://h/\"}", true, true, false},
        {"{\"method\":\"POST\",\"endpoint\":\"https://h/\"}", false, false, true},
        {"{\"method\":\"GET\",\"endpoint\":\"https://h/\"}", true, false, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world world;
        assert_int_equal(read(&world, cases[i].arguments), STATUS_OK);
        const struct http_result http = {
            .code = STATUS_UNAVAILABLE, .failure = HTTP_CUT, .was_sent = cases[i].was_sent};
        struct http_job_result result;
        http_job_finish(&world.job, &http, &result);
        assert_false(result.is_ok);
        assert_int_equal(result.is_unknown, cases[i].is_unknown);
        assert_int_equal(result.is_transient, cases[i].is_transient);
        json_unref(result.value);
        close_world(&world);
    }
}

static void a_wait_is_asked_for(void **)
{
    static const struct {
        const char *retry_after, *date;
        int64_t ms;
    } cases[] = {
        {"2", NULL, 2'000},
        {"0", NULL, 0},
        {"soon", NULL, 0},
        {"999999999999", NULL, 86'400'000},
        {"Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:30 GMT", 7'000},
        {"Sun, 06 Nov 1994 08:49:30 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"Sun, 06 Nov 1994 08:49:30 GMT", NULL, 0}, /* long ago by our clock */
        {"Fri, 31 Dec 2999 08:49:30 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 86'400'000},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world world;
        const struct http_header headers[] = {
            {.name = str_from("Retry-After"), .value = str_from(cases[i].retry_after)},
            {.name = str_from("Date"), .value = str_from(cases[i].date ? cases[i].date : "")}};
        const struct http_result http = {
            .code   = STATUS_OK,
            .answer = {.http_status = 503, .headers = headers, .header_count = 2}};
        struct http_job_result result;
        assert_int_equal(read(&world, "{\"method\":\"GET\",\"endpoint\":\"https://h/\"}"),
                         STATUS_OK);
        http_job_finish(&world.job, &http, &result);
        assert_int_equal(result.retry_after_ms, cases[i].ms);
        assert_int_equal(result.wants_rest, cases[i].ms > 0);
        assert_true(result.is_failing);
        json_unref(result.value);
        close_world(&world);
    }
}

static void a_response_shows_both_sides_without_credentials(void **)
{
    struct world world;
    assert_int_equal(read(&world, "{\"method\":\"GET\",\"endpoint\":\"https://h/\",\"output\":"
                                  "\"response\",\"headers\":{\"authorization\":\"old\"}}"),
                     STATUS_OK);
    struct http_request *request = &world.job.request;
    request->header_count        = authorization_replace(request->headers, request->header_count,
                                                         str_from("Bearer hush-hush"), world.job.headers);
    assert_true(str_is(header_of(&world.job, "Authorization"), "Bearer hush-hush"));
    assert_null(header_of(&world.job, "authorization").ptr);
    const struct http_result http = {
        .code = STATUS_OK, .answer = {.http_status = 201}, .body = str_from("x")};
    struct http_job_result result;
    http_job_finish(&world.job, &http, &result);
    CLEANUP(json_unrefp) json text = json_to_text_new(result.value);
    assert_non_null(strstr(json_str(text).ptr, "\"statusCode\":201"));
    assert_null(strstr(json_str(text).ptr, "hush-hush"));
    json_unref(result.value);
    close_world(&world);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(bad) + ARRAY_LEN(rows) + 7];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        tests[count++] = row_test(bad[i].name, is_refused, &bad[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[count++] = row_test(rows[i].name, answers, &rows[i]);
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_request_is_complete);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(text_is_sent_as_it_is);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_map_may_be_a_form);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_map_may_be_a_form_of_parts);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_wait_is_asked_for);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_lost_write_has_an_unknown_outcome);
    tests[count++] =
        (struct CMUnitTest)cmocka_unit_test(a_response_shows_both_sides_without_credentials);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
