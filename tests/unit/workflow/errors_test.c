/* The standard errors, their aliases, and filters. */
#include "workflow/errors.h"

#include "cmocka.h"
#include "workflow/workflow.h"
#include "json/json_text.h"

#include <stdio.h>

#define OLD  "https://serverlessworkflow.io/spec/1.0.0/errors/"
#define NEW  "https://open-workflow-specification.org/spec/1.0.0/errors/"
#define KIT  "https://serverlessworkflow.io/dsl/errors/types/"
#define KIT2 "https://open-workflow-specification.org/dsl/errors/types/"

static const struct {
    const char *a, *b;
    bool is_equal;
} pairs[] = {
    {OLD "timeout", OLD "timeout", true},
    {OLD "timeout", NEW "timeout", true},
    {KIT "timeout", NEW "timeout", true},
    {KIT "timeout", KIT2 "timeout", true},
    {OLD "timeout", OLD "runtime", false},
    {OLD "compliance", NEW "compliance", false},
    {OLD "timeout", OLD "timeout/", false},
    {"https://a/timeout", "https://a/timeout", true},
    {"https://a/timeout", "https://b/timeout", false},
    {OLD, NEW, false},
    {"timeout", OLD "timeout", false},
    {"", "", true},
};

static void types_have_aliases(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        str a = str_from(pairs[i].a);
        str b = str_from(pairs[i].b);
        if (error_type_equal(a, b) != pairs[i].is_equal) fail_msg("%s %s", pairs[i].a, pairs[i].b);
        if (error_type_equal(b, a) != pairs[i].is_equal) fail_msg("%s %s", pairs[i].b, pairs[i].a);
    }
}

static void every_kind_is_an_alias_of_itself_only(void **state)
{
    (void)state;
    for (enum error_kind a = 0; a < ERROR_KIND_COUNT; a++) {
        char alias[128];
        (void)snprintf(alias, sizeof alias, "%s%s", NEW, error_type(a) + sizeof OLD - 1);
        for (enum error_kind b = 0; b < ERROR_KIND_COUNT; b++) {
            assert_int_equal(error_type_equal(str_from(alias), str_from(error_type(b))), a == b);
        }
    }
}

static void check_text(json error, const char *wanted)
{
    CLEANUP(json_unrefp) json text = json_to_text_new(error);
    assert_string_equal(json_str(text).ptr, wanted);
    json_unref(error);
}

static void errors_are_made(void **state)
{
    (void)state;
    check_text(error_new(ERROR_TIMEOUT, 0, str_from(""), str_from("/do/0/a")),
               "{\"type\":\"" OLD "timeout\",\"status\":408,\"title\":\"Timeout\","
               "\"instance\":\"/do/0/a\"}");
    check_text(error_new(ERROR_COMMUNICATION, 502, str_from("bad gateway"), str_from("")),
               "{\"type\":\"" OLD "communication\",\"status\":502,"
               "\"title\":\"Communication error\",\"detail\":\"bad gateway\"}");
    check_text(error_own_new("budget", 402, "Budget exceeded", str_from(""), str_from("")),
               "{\"type\":\"https://tutti.dev/errors/budget\",\"status\":402,"
               "\"title\":\"Budget exceeded\"}");
}

static const struct {
    const char *name;
    struct error_filter filter;
    bool matches;
} filters[] = {
    {"any", {}, true},
    {"the type", {.type = OLD "communication"}, true},
    {"an alias of the type", {.type = KIT "communication"}, true},
    {"another type", {.type = OLD "timeout"}, false},
    {"the status", {.status = 503}, true},
    {"another status", {.status = 500}, false},
    {"the instance", {.instance = "/do/0/a"}, true},
    {"another instance", {.instance = "/do/0/b"}, false},
    {"the title", {.title = "Communication error"}, true},
    {"another title", {.title = "communication error"}, false},
    {"the detail", {.detail = "down"}, true},
    {"another detail", {.detail = "dow"}, false},
    {"all of it", {OLD "communication", 503, "/do/0/a", "Communication error", "down", {}}, true},
    {"all but one", {OLD "communication", 503, "/do/0/a", "Communication error", "up", {}}, false},
};

static void filter_matches(void **state)
{
    const __typeof__(filters[0]) *row = *state;
    CLEANUP(json_unrefp)
    json error = error_new(ERROR_COMMUNICATION, 503, str_from("down"), str_from("/do/0/a"));
    assert_int_equal(error_filter_matches(&row->filter, error), row->matches);
}

static void what_is_missing_does_not_match(void **state)
{
    (void)state;
    CLEANUP(json_unrefp) json empty = json_object_new(0);
    const struct error_filter type  = {.type = OLD "timeout"};
    const struct error_filter code  = {.status = 400};
    const struct error_filter none  = {};
    assert_false(error_filter_matches(&type, empty));
    assert_false(error_filter_matches(&code, empty));
    assert_false(error_filter_matches(&code, json_null()));
    assert_true(error_filter_matches(&none, empty));
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(filters) + 4];
    size_t count   = 0;
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(types_have_aliases);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(every_kind_is_an_alias_of_itself_only);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(errors_are_made);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(what_is_missing_does_not_match);
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        tests[count++] = row_test(filters[i].name, filter_matches, &filters[i]);
    }
    return cmocka_run_group_tests_name("errors", tests, NULL, NULL);
}
