/* Rules of retention as operators write them: what they become, and what is refused. */
#include "settings_file.h"

#include "base/buf.h"
#include "scheduler/engine/removal/retention.h"

#define HOUR_US INT64_C(3'600'000'000)
#define RULES   "retention:\n  rules:\n"

/* --- what is refused ---------------------------------------------------------------------------
 */

struct row {
    const char *name;
    const char *text;
    struct settings_finding finding;
};

static const struct row rows[] = {
    {"none", "scheduler: {}\n", {}},
    {"an empty list", "retention: { rules: [] }\n", {}},
    {"all members",
     RULES "    - { namespace: n, workflow: 'w-*', status: faulted, keep: 7d }\n",
     {}},
    {"no keep", RULES "    - { workflow: w }\n", {"/retention/rules/0", 3, "is no rule", "keep"}},
    {"no map", RULES "    - 7d\n", {"/retention/rules/0", 3, "is no rule", "keep"}},
    {"the second one",
     RULES "    - { keep: 7d }\n    - { keep: soon }\n",
     {"/retention/rules/1/keep", 4, "is no duration", "7d"}},
    {"a number of days",
     RULES "    - keep: 7\n",
     {"/retention/rules/0/keep", 3, "no duration", "7d"}},
    {"a status of runs that go on",
     RULES "    - keep: 7d\n      status: running\n",
     {"/retention/rules/0/status", 4, "no status of a finished run", "terminated"}},
    {"a list of statuses",
     RULES "    - keep: 7d\n      status: [ faulted ]\n",
     {"/retention/rules/0/status", 4, "no status", "completed"}},
    {"an empty namespace",
     RULES "    - keep: 7d\n      namespace: ''\n",
     {"/retention/rules/0/namespace", 4, "is no text", "a name"}},
    {"a workflow that is a number",
     RULES "    - keep: 7d\n      workflow: 7\n",
     {"/retention/rules/0/workflow", 4, "is no text", "beginning"}},
    {"an unknown member",
     RULES "    - keep: 7d\n      labels: { a: b }\n",
     {"/retention/rules/0", 3, "another name", "namespace, workflow, status and keep"}},
};

static void check(void **state)
{
    const struct row *row                                = *state;
    CLEANUP(settings_done) struct settings_file settings = settings_read(row->text);
    struct retention retention                           = {};
    retention_read(settings.config, settings.options.retention_rules, &retention, settings.list);
    settings_expect(&settings, &row->finding);
}

/* What single members become that the environment or flags set. */
static void a_map_is_refused(void **)
{
    static const struct settings_finding no_list = {"/retention/rules", 1, "is a list of rules",
                                                    "keep: 7d"};
    CLEANUP(settings_done) struct settings_file settings = settings_read("scheduler: {}\n");
    CLEANUP(json_unrefp) json map                        = json_object_new(1);
    struct retention retention                           = {};
    json_object_put_text(&map, "0", json_object_new(0));
    retention_read(settings.config, map, &retention, settings.list);
    settings_expect(&settings, &no_list);
    assert_int_equal(retention.count, 0);
}

/* --- how many ----------------------------------------------------------------------------------
 */

static struct settings_file with_rules(size_t count, struct retention *ret_retention)
{
    CLEANUP(buf_done) struct buf text = buf_init(64 << 10);
    (void)buf_put_text(&text, RULES);
    for (size_t i = 0; i < count; i++) (void)buf_printf(&text, "    - keep: %zuh\n", i + 1);
    struct settings_file settings = settings_read(text.ptr);
    retention_read(settings.config, settings.options.retention_rules, ret_retention, settings.list);
    return settings;
}

static void as_many_as_there_may_be(void **)
{
    struct retention retention = {};
    CLEANUP(settings_done)
    struct settings_file settings = with_rules(RETENTION_RULES_MAX, &retention);
    settings_expect(&settings, &(const struct settings_finding){});
    assert_int_equal(retention.count, RETENTION_RULES_MAX);
    assert_int_equal(retention.rules[RETENTION_RULES_MAX - 1].keep_us,
                     RETENTION_RULES_MAX * HOUR_US);
}

static void one_rule_too_many(void **)
{
    static const struct settings_finding too_many = {"/retention/rules/100", 103, "too many", ""};
    struct retention retention                    = {};
    CLEANUP(settings_done)
    struct settings_file settings = with_rules(RETENTION_RULES_MAX + 1, &retention);
    settings_expect(&settings, &too_many);
    assert_int_equal(retention.count, RETENTION_RULES_MAX);
}

/* --- what they become --------------------------------------------------------------------------
 */

static void members_are_read(void **)
{
    CLEANUP(settings_done)
    struct settings_file settings =
        settings_read("retention:\n  runs: 2h\n  rules:\n"
                      "    - { namespace: team, workflow: 'seo-*', status: terminated, keep: 1h }\n"
                      "    - { status: completed, keep: 0 }\n");
    struct retention retention = {.keep_us = settings.options.retention_ms * 1'000};
    retention_read(settings.config, settings.options.retention_rules, &retention, settings.list);
    settings_expect(&settings, &(const struct settings_finding){});
    assert_int_equal(retention.count, 2);
    assert_true(str_is(retention.rules[0].namespace, "team"));
    assert_true(str_is(retention.rules[0].workflow, "seo-*"));
    assert_int_equal(retention.rules[0].status, PB__RUN_STATUS__RUN_STATUS_TERMINATED);
    assert_int_equal(retention.rules[0].keep_us, HOUR_US);
    assert_int_equal(retention.rules[1].namespace.len, 0);
    assert_int_equal(retention.rules[1].keep_us, RETENTION_FOR_EVER_US);

    Pb__RunView row = PB__RUN_VIEW__INIT;
    row.namespace_  = "team";
    row.workflow    = "seo-article";
    row.ended_us    = 5 * HOUR_US;
    row.status      = PB__RUN_STATUS__RUN_STATUS_TERMINATED;
    assert_int_equal(retention_end_us(&retention, &row), 6 * HOUR_US);
    row.status = PB__RUN_STATUS__RUN_STATUS_COMPLETED;
    assert_int_equal(retention_end_us(&retention, &row), INT64_MAX);
    row.status = PB__RUN_STATUS__RUN_STATUS_FAULTED;
    assert_int_equal(retention_end_us(&retention, &row), 7 * HOUR_US);
    assert_int_equal(retention_shortest_us(&retention), HOUR_US);
}

int main(void)
{
    struct CMUnitTest texts[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) texts[i] = row_test(rows[i].name, check, &rows[i]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_is_refused),
        cmocka_unit_test(as_many_as_there_may_be),
        cmocka_unit_test(one_rule_too_many),
        cmocka_unit_test(members_are_read),
    };
    return cmocka_run_group_tests_name("texts", texts, NULL, NULL) +
           cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
