/* The contract as it is compiled in, with the real handlers. */
#include "cmocka.h"

#include "gateway/api/contract.h"
#include "gateway/server.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <string.h>

static int load(void **state)
{
    struct error error        = {};
    struct contract *contract = NULL;
    const char **operations   = server_operations();
    status code               = contract_load(operations, &contract, &error);
    free(operations);
    if (code != STATUS_OK) fail_msg("%s", error.text);
    *state = contract;
    return 0;
}

static int unload(void **state)
{
    contract_free(*state);
    return 0;
}

static void every_operation_has_its_handler_and_every_later_one_none(void **state)
{
    uint32_t count             = 0;
    uint32_t later             = 0;
    const struct route *routes = contract_routes(*state, &count);
    assert_in_range(count, 60, CONTRACT_ROUTES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(*routes[i].operation && *routes[i].roles);
        assert_int_equal(routes[i].is_later, routes[i].handler == CONTRACT_NO_HANDLER);
        assert_true(!routes[i].is_later || !routes[i].body_schema);
        later += routes[i].is_later;
    }
    assert_in_range(later, 1, count - 1);
}

/* Each route is found by its own path, whatever stands beside it. */
static void every_route_can_be_reached(void **state)
{
    uint32_t count             = 0;
    const struct route *routes = contract_routes(*state, &count);
    for (uint32_t i = 0; i < count; i++) {
        const struct route *route         = &routes[i];
        CLEANUP(buf_done) struct buf path = buf_init(256);
        for (uint32_t s = 0; s < route->segment_count; s++) {
            str segment       = route->segments[s];
            const char *colon = memchr(segment.ptr, ':', segment.len);
            if (segment.ptr[0] != '{') {
                (void)buf_printf(&path, "/" STR_FMT, STR_ARG(segment));
            } else {
                (void)buf_printf(&path, "/x%u%.*s", s,
                                 colon ? (int)(segment.ptr + segment.len - colon) : 0,
                                 colon ? colon : "");
            }
        }
        struct route_match match = contract_match(*state, route->method, buf_str(&path));
        bool is_found =
            match.route == route || (match.route && match.route->is_later && route->is_later);
        if (!is_found) fail_msg("%s %s", method_name(route->method), route->path);
        assert_int_equal(match.param_count, match.route->param_count);
    }
}

static void operations_have_names_of_their_own(void **state)
{
    uint32_t count             = 0;
    const struct route *routes = contract_routes(*state, &count);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = i + 1; j < count; j++) {
            assert_string_not_equal(routes[i].operation, routes[j].operation);
        }
    }
}

struct row {
    const char *name;
    enum method method;
    const char *path;
    const char *operation; /* NULL: none */
    const char *allow;     /* "" no such path */
    const char *first;     /* parameter; NULL: none */
};

static struct contract *shared;

static int load_shared(void **state)
{
    (void)load((void **)&shared);
    *state = NULL;
    return 0;
}

static int unload_shared(void **)
{
    contract_freep(&shared);
    return 0;
}

static const struct row rows[] = {
    {"a plain path", METHOD_GET, "/v1/runs", "listRuns", "GET, HEAD, POST", NULL},
    {"a parameter", METHOD_GET, "/v1/runs/abc", "getRun", "GET, HEAD, DELETE", "abc"},
    {"any text is a parameter", METHOD_GET, "/v1/runs/{id}", "getRun", "GET, HEAD, DELETE", "{id}"},
    {"two parameters", METHOD_POST, "/v1/runs/a/signals/go", "signalRun", "POST", "a"},
    {"literals beat parameters", METHOD_POST, "/v1/workflows/validate", "validateWorkflow", "POST",
     NULL},
    {"also for other methods", METHOD_GET, "/v1/workflows/validate", NULL, "POST", NULL},
    {"another method", METHOD_PUT, "/v1/runs", NULL, "GET, HEAD, POST", NULL},
    {"nothing", METHOD_GET, "", NULL, "", NULL},
    {"the root", METHOD_GET, "/", NULL, "", NULL},
    {"a star", METHOD_GET, "*", NULL, "", NULL},
    {"no slash", METHOD_GET, "v1/runs", NULL, "", NULL},
    {"a slash more", METHOD_GET, "/v1/runs/", NULL, "", NULL},
    {"two slashes", METHOD_GET, "/v1//runs", NULL, "", NULL},
    {"an empty parameter", METHOD_GET, "/v1/runs//history", NULL, "", NULL},
    {"upper case", METHOD_GET, "/V1/runs", NULL, "", NULL},
    {"too deep", METHOD_GET, "/a/b/c/d/e/f/g/h/i/j/k/l", NULL, "", NULL},
    {"dots are not followed", METHOD_GET, "/v1/runs/../runs", NULL, "", NULL},
};

static void match(void **state)
{
    const struct row *row             = *state;
    struct route_match found          = contract_match(shared, row->method, str_from(row->path));
    CLEANUP(buf_done) struct buf list = buf_init(128);
    method_list(found.allowed, &list);
    assert_true(str_is(buf_str(&list), row->allow));
    assert_int_equal(found.route != NULL, row->operation != NULL);
    if (row->operation) assert_string_equal(found.route->operation, row->operation);
    assert_int_equal(found.param_count > 0, row->first != NULL);
    if (row->first) assert_true(str_is(found.params[0], row->first));
}

static void methods_read_back(void **)
{
    for (int i = 0; i < METHOD_COUNT; i++) {
        enum method method = METHOD_COUNT;
        assert_true(method_parse(str_from(method_name((enum method)i)), &method));
        assert_int_equal(method, i);
    }
    enum method method = METHOD_GET;
    assert_false(method_parse(str_from("get"), &method));
    assert_false(method_parse(str_from("HEAD"), &method)); /* the caller's business */
    assert_false(method_parse(str_from(""), &method));
}

static void limits_come_from_the_file(void **)
{
    const struct route *start = contract_match(shared, METHOD_POST, str_from("/v1/runs")).route;
    assert_int_equal(start->body_size_max, 1 << 20);
    assert_int_equal(start->wait_ms_max, 60'000);
    assert_int_equal(start->media, MEDIA_JSON);
    assert_true(start->body_required && start->body_schema);
    const struct route *chat =
        contract_match(shared, METHOD_POST, str_from("/v1/chat/completions")).route;
    assert_int_equal(chat->media, MEDIA_OPAQUE);
    assert_int_equal(chat->body_size_max, 16 << 20);
    const struct route *put = contract_match(shared, METHOD_PUT, str_from("/v1/workflows/a")).route;
    assert_int_equal(put->media, MEDIA_DEFINITION);
    assert_non_null(put->param_schemas[0]);
    assert_true(contract_match(shared, METHOD_GET, str_from("/health")).route->is_public);
}

static void the_document_is_json(void **)
{
    CLEANUP(json_unrefp) json document = json_invalid();
    const struct json_limits limits    = {.values_max = 1'000'000, .depth_max = 100};
    assert_int_equal(json_parse(contract_json(shared), &limits, &document, NULL, NULL), STATUS_OK);
    assert_true(json_is(json_get_text(document, "paths"), JSON_OBJECT));
}

static void a_handler_too_many_or_too_few_is_an_error(void **)
{
    static const char *const none[] = {NULL};
    struct contract *contract       = NULL;
    struct error error              = {};
    assert_int_equal(contract_load(none, &contract, &error), STATUS_INTERNAL);
    assert_non_null(strstr(error.text, "no handler"));

    const char **operations = server_operations();
    const char *more[160]   = {"brewTea"};
    for (size_t i = 0; operations[i]; i++) more[i + 1] = operations[i];
    free(operations);
    assert_int_equal(contract_load(more, &contract, &error), STATUS_INTERNAL);
    assert_non_null(strstr(error.text, "brewTea"));
    assert_null(contract);
}

int main(void)
{
    struct CMUnitTest matches[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        matches[i] = row_test(rows[i].name, match, &rows[i]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_operation_has_its_handler_and_every_later_one_none,
                                        load, unload),
        cmocka_unit_test_setup_teardown(every_route_can_be_reached, load, unload),
        cmocka_unit_test_setup_teardown(operations_have_names_of_their_own, load, unload),
        cmocka_unit_test(methods_read_back),
        cmocka_unit_test(limits_come_from_the_file),
        cmocka_unit_test(the_document_is_json),
        cmocka_unit_test(a_handler_too_many_or_too_few_is_an_error),
    };
    return cmocka_run_group_tests_name("contract", tests, load_shared, unload_shared) +
           cmocka_run_group_tests_name("matches", matches, load_shared, unload_shared);
}
