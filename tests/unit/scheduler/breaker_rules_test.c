/* Settings of breakers and limits by target, as operators write them. */
#include "settings_file.h"

#include "scheduler/breaker/breaker_rules.h"

#define SECOND_US INT64_C(1'000'000)
#define TARGETS   "limits:\n  targets:\n"
#define SMALL     TARGETS "    'tool:small:443':\n"

/* --- what is refused ---------------------------------------------------------------------------
 */

struct row {
    const char *name;
    const char *text;
    struct settings_finding finding;
};

#define AT(rest) "/limits/targets/tool:small:443" rest

static const struct row rows[] = {
    {"none", "scheduler: {}\n", {}},
    {"a target without settings", TARGETS "    'worker:charge':\n    'llm:x': {}\n", {}},
    {"all members",
     SMALL "      concurrency: 1000000\n      rate: { count: 1000000, per: 24h }\n"
           "      breaker: { failures: 100, window: 24h, open: 1ms, successes: 100 }\n",
     {}},
    {"the least",
     SMALL "      concurrency: 1\n      rate: { count: 1, per: 1s }\n"
           "      breaker: { failures: 1, window: 1ms, open: 24h, successes: 1 }\n",
     {}},
    {"a name of nobody",
     TARGETS "    'https://small': {}\n",
     {"/limits/targets/https:~1~1small", 3, "names no target", "tool:HOST:PORT"}},
    {"a host in capitals",
     TARGETS "    'tool:Small:443': {}\n",
     {"/limits/targets/tool:Small:443", 3, "names no target", "llm:PROVIDER"}},
    {"no map", TARGETS "    'tool:small:443': 4\n", {AT(""), 3, "a map of settings", "breaker"}},
    {"an unknown setting",
     SMALL "      timeout: 4s\n",
     {AT("/timeout"), 4, "no such setting", "concurrency"}},
    {"a breaker that is no map",
     SMALL "      breaker: off\n",
     {AT("/breaker"), 4, "no such setting", "breaker: {failures"}},
    {"an unknown setting of a breaker",
     SMALL "      breaker: { opens: 4s }\n",
     {AT("/breaker/opens"), 4, "a breaker has no such setting", "`window`"}},
    {"failures: none",
     SMALL "      breaker: { failures: 0 }\n",
     {AT("/breaker/failures"), 4, "no setting", "1 to 100"}},
    {"failures: too many",
     SMALL "      breaker: { failures: 101 }\n",
     {AT("/breaker/failures"), 4, "no setting", "1 to 100"}},
    {"successes: too many",
     SMALL "      breaker: { successes: 101 }\n",
     {AT("/breaker/successes"), 4, "no setting", "1 to 100"}},
    {"window: no time",
     SMALL "      breaker: { window: 0 }\n",
     {AT("/breaker/window"), 4, "no setting", "up to a day"}},
    {"open: over a day",
     SMALL "      breaker: { open: 25h }\n",
     {AT("/breaker/open"), 4, "no setting", "up to a day"}},
    {"open: a number",
     SMALL "      breaker: { open: 25 }\n",
     {AT("/breaker/open"), 4, "no setting", "`60s`"}},
    {"concurrency: none",
     SMALL "      concurrency: 0\n",
     {AT("/concurrency"), 4, "no limit", "concurrency: 4"}},
    {"concurrency: too much",
     SMALL "      concurrency: 1000001\n",
     {AT("/concurrency"), 4, "no limit", "concurrency: 4"}},
    {"concurrency: a text",
     SMALL "      concurrency: '4'\n",
     {AT("/concurrency"), 4, "no limit", "concurrency: 4"}},
    {"rate: no map", SMALL "      rate: 100\n", {AT("/rate"), 4, "no limit", "per"}},
    {"rate: no time", SMALL "      rate: { count: 100 }\n", {AT("/rate"), 4, "no limit", "per"}},
    {"rate: one member too many",
     SMALL "      rate: { count: 1, per: 1s, burst: 2 }\n",
     {AT("/rate"), 4, "no limit", "per"}},
    {"rate: less than a second",
     SMALL "      rate: { count: 1, per: 999ms }\n",
     {AT("/rate"), 4, "no limit", "1s to 24h"}},
    {"rate: more than a day",
     SMALL "      rate: { count: 1, per: 25h }\n",
     {AT("/rate"), 4, "no limit", "1s to 24h"}},
};

static struct breaker_rules rules_of(const struct settings_file *settings)
{
    struct breaker_rules rules = breaker_rules_default;
    rules.targets              = settings->options.targets;
    return rules;
}

static void check(void **state)
{
    const struct row *row                                = *state;
    CLEANUP(settings_done) struct settings_file settings = settings_read(row->text);
    const struct breaker_rules rules                     = rules_of(&settings);
    breaker_rules_check(&rules, settings.config, settings.list);
    settings_expect(&settings, &row->finding);
}

/* One finding does not hide the next, and each says where it is. */
static void all_findings_are_told(void **)
{
    static const char *const pointers[] = {AT("/breaker/open"), AT("/breaker/x"),
                                           AT("/concurrency"), "/limits/targets/nobody"};
    CLEANUP(settings_done)
    struct settings_file settings =
        settings_read(SMALL "      breaker: { open: x, failures: 3, x: 1 }\n      concurrency: x\n"
                            "    nobody: {}\n");
    const struct breaker_rules rules = rules_of(&settings);
    breaker_rules_check(&rules, settings.config, settings.list);
    assert_int_equal(settings.list->count, ARRAY_LEN(pointers));
    for (size_t i = 0; i < ARRAY_LEN(pointers); i++) {
        assert_string_equal(settings.list->items[i].pointer, pointers[i]);
    }
}

/* --- what they say of a target -----------------------------------------------------------------
 */

static const char suite[] = TARGETS
    "    'tool:small:443':\n      concurrency: 4\n      breaker: { failures: 7, open: 2s }\n"
    "    'tool:slow:443': { rate: { count: 100, per: 1m } }\n"
    "    'worker:charge': {}\n";

static void a_target_has_its_own_settings_and_those_of_all(void **)
{
    CLEANUP(settings_done) struct settings_file settings = settings_read(suite);
    struct breaker_rules rules                           = rules_of(&settings);
    rules.common.successes                               = 9;
    struct breaker_settings own = breaker_rules_of(&rules, str_from("tool:small:443"));
    assert_int_equal(own.failures, 7);
    assert_int_equal(own.open_us, 2 * SECOND_US);
    assert_int_equal(own.window_us, BREAKER_WINDOW_US);
    assert_int_equal(own.successes, 9);
    struct breaker_settings other = breaker_rules_of(&rules, str_from("tool:other:443"));
    assert_int_equal(other.failures, BREAKER_FAILURES);
    assert_int_equal(other.open_us, BREAKER_OPEN_US);
    assert_int_equal(other.successes, 9);
}

static void limits_of_a_target(void **)
{
    CLEANUP(settings_done) struct settings_file settings = settings_read(suite);
    const struct breaker_rules rules                     = rules_of(&settings);
    struct target_limit limit                            = {};
    assert_true(breaker_rules_limit(&rules, str_from("tool:small:443"), &limit));
    assert_int_equal(limit.concurrency, 4);
    assert_int_equal(limit.rate_count, 0);
    assert_true(breaker_rules_limit(&rules, str_from("tool:slow:443"), &limit));
    assert_int_equal(limit.concurrency, 0);
    assert_int_equal(limit.rate_count, 100);
    assert_int_equal(limit.rate_period_us, 60 * SECOND_US);
    assert_false(breaker_rules_limit(&rules, str_from("worker:charge"), &limit));
    assert_false(breaker_rules_limit(&rules, str_from("tool:other:443"), &limit));
    assert_int_equal(limit.rate_count, 0);
}

static void functions_of_workers_are_asked_for(void **)
{
    CLEANUP(settings_done) struct settings_file settings = settings_read(suite);
    const struct breaker_rules rules                     = rules_of(&settings);
    assert_true(breaker_rules_allow(&rules, str_from("worker:charge")));
    assert_false(breaker_rules_allow(&rules, str_from("worker:other")));
    assert_true(breaker_rules_allow(&rules, str_from("tool:other:443")));
    assert_false(breaker_rules_allow(&breaker_rules_default, str_from("worker:charge")));
    assert_true(breaker_rules_allow(&breaker_rules_default, str_from("llm:openai")));
}

int main(void)
{
    struct CMUnitTest texts[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) texts[i] = row_test(rows[i].name, check, &rows[i]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_findings_are_told),
        cmocka_unit_test(a_target_has_its_own_settings_and_those_of_all),
        cmocka_unit_test(limits_of_a_target),
        cmocka_unit_test(functions_of_workers_are_asked_for),
    };
    return cmocka_run_group_tests_name("texts", texts, NULL, NULL) +
           cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
