/* Whom a job calls, and what the end of a call says of him. */
#include "cmocka.h"

#include "base/attr.h"
#include "scheduler/breaker/breaker_rules.h"
#include "scheduler/breaker/outcome.h"
#include "scheduler/breaker/target_name.h"
#include "json/json_text.h"

static json parse(const char *text)
{
    json value = json_invalid();
    assert_int_equal(json_parse(str_from(text), NULL, &value, NULL, NULL), STATUS_OK);
    return value;
}

static void test_names(void **)
{
    static const struct {
        const char *queue, *function, *arguments;
        const char *name; /* NULL: nobody with a breaker */
    } rows[] = {
        {"tools", "http", "{\"endpoint\":\"https://API.Example.com/x\"}",
         "tool:api.example.com:443"},
        {"tools", "http", "{\"endpoint\":{\"uri\":\"http://h:8080/\"}}", "tool:h:8080"},
        {"tools", "http", "{\"endpoint\":\"http://u:p@h/\"}", "tool:h:80"},
        {"tools", "http", "{\"endpoint\":\"***\"}", NULL},
        {"tools", "http", "{\"endpoint\":7}", NULL},
        {"tools", "http", "{}", NULL},
        {"tools.slow", "github.get_issue", "{}", "tool:github"},
        {"tools", "github.get_issue", "{\"connection\":\"acme\"}", "tool:acme"},
        {"tools", "github.get_issue", "{\"connection\":\"\"}", "tool:github"},
        {"tools", "github.get_issue", "{\"connection\":\"a b\"}", NULL},
        {"tools", "nodot", "{}", NULL},
        {"llm", "llm.chat", "{\"model\":\"anthropic/claude\"}", "llm:anthropic"},
        {"llm", "llm.chat", "{\"model\":\"smart\"}", NULL},
        {"llm", "llm.chat", "{\"model\":\"/x\"}", NULL},
        {"llm", "llm.chat", "{\"model\":\"a b/x\"}", NULL},
        {"llmx", "f", "{}", "worker:f"},
        {"default", "charge", "{}", "worker:charge"},
        {"default", "worker.charge", "{}", "worker:charge"},
        {"default", "worker.card.charge", "{}", "worker:card.charge"},
        {"default", "worker.", "{}", NULL},
        {"default", "", "{}", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_unrefp) json arguments = parse(rows[i].arguments);
        CLEANUP(buf_done) struct buf name   = buf_init(TARGET_NAME_MAX);
        bool has_name =
            target_name_put(str_from(rows[i].queue), str_from(rows[i].function), arguments, &name);
        assert_int_equal(has_name, rows[i].name != NULL);
        if (!has_name) assert_int_equal(name.len, 0);
        if (has_name && !str_is(buf_str(&name), rows[i].name)) fail_msg("row %zu", i);
    }
    CLEANUP(buf_done) struct buf name = buf_init(TARGET_NAME_MAX + 1);
    assert_false(target_name_is_valid(str_from("tool:")));
    assert_false(target_name_is_valid(str_from("queue:a")));
    assert_false(target_name_is_valid(str_from("llm:a\n")));
    assert_false(target_name_is_valid(str_from("tool:API.example.com:443")));
    assert_true(target_name_is_valid(str_from("tool:[::1]:443")));
    assert_true(target_name_is_valid(str_from("tool:Notion")));
    assert_true(target_name_is_valid(str_from("worker:Charge")));
    (void)buf_put_text(&name, "llm:");
    while (name.len < TARGET_NAME_MAX) (void)buf_put_byte(&name, 'a');
    assert_true(target_name_is_valid(buf_str(&name)));
    (void)buf_put_byte(&name, 'a');
    assert_false(target_name_is_valid(buf_str(&name)));
}

/* What is in the buffer before does not count, and stays. */
static void test_a_name_is_appended(void **)
{
    CLEANUP(buf_done) struct buf out = buf_init(1 << 10);
    assert_true(buf_put_text(&out, "before it stands tool:API.example.com:1 "));
    size_t begin = out.len;
    assert_true(target_name_put(str_from("q"), str_from("charge"), json_invalid(), &out));
    assert_true(str_is(str_slice(buf_str(&out), begin, out.len), "worker:charge"));
    size_t end = out.len;
    assert_false(target_name_put(str_from("q"), str_from(""), json_invalid(), &out));
    assert_int_equal(out.len, end);
}

#define ERROR(name, code)                                                                          \
    "{\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/" name "\",\"status\":" code "}"

static void test_outcomes(void **)
{
    static const struct {
        const char *error;
        bool is_transient, is_unknown;
        enum outcome outcome;
    } rows[] = {
        {ERROR("communication", "503"), true, false, OUTCOME_FAILURE},
        {ERROR("communication", "500"), false, false, OUTCOME_FAILURE},
        {ERROR("communication", "500"), false, true, OUTCOME_FAILURE},
        {ERROR("timeout", "408"), false, false, OUTCOME_FAILURE},
        {ERROR("communication", "429"), true, false, OUTCOME_NONE},
        {ERROR("communication", "404"), false, false, OUTCOME_SUCCESS},
        {ERROR("authentication", "401"), false, false, OUTCOME_SUCCESS},
        {ERROR("configuration", "400"), false, false, OUTCOME_NONE},
        {ERROR("validation", "400"), false, false, OUTCOME_NONE},
        {"{\"type\":\"https://tutti.dev/errors/unknown-outcome\",\"status\":504}", false, true,
         OUTCOME_FAILURE},
        {"{}", false, false, OUTCOME_NONE},
        {"{}", true, false, OUTCOME_FAILURE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_unrefp) json error = parse(rows[i].error);
        enum outcome found = outcome_of_error(error, rows[i].is_transient, rows[i].is_unknown);
        if (found != rows[i].outcome) fail_msg("row %zu", i);
    }
}

static void test_rules(void **)
{
    CLEANUP(json_unrefp)
    json targets =
        parse("{\"tool:h:1\":{\"breaker\":{\"failures\":20,\"open\":\"10s\"}},\"worker:f\":{}}");
    struct breaker_rules rules       = breaker_rules_default;
    rules.targets                    = targets;
    struct breaker_settings settings = breaker_rules_of(&rules, str_from("tool:h:1"));
    assert_int_equal(settings.failures, 20);
    assert_int_equal(settings.open_us, 10'000'000);
    assert_int_equal(settings.successes, BREAKER_SUCCESSES);
    assert_int_equal(breaker_rules_of(&rules, str_from("tool:h:2")).failures, BREAKER_FAILURES);
    assert_true(breaker_rules_allow(&rules, str_from("tool:any:1")));
    assert_true(breaker_rules_allow(&rules, str_from("worker:f")));
    assert_false(breaker_rules_allow(&rules, str_from("worker:g")));
    assert_false(breaker_rules_allow(&breaker_rules_default, str_from("worker:f")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names), cmocka_unit_test(test_a_name_is_appended),
        cmocka_unit_test(test_outcomes), cmocka_unit_test(test_rules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
