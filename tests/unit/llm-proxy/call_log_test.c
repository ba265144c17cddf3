/* The line of the log about a call: its fields, and what it looks like at its longest. */
#include "llm-proxy/call/call_log.h"

#include "cmocka.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What it writes to standard output. */
static json logged(const struct llm_outcome *outcome)
{
    char line[2 * LOG_LINE_MAX];
    const struct log_field ids[CALL_LOG_IDS] = {
        LOG_TEXT_OF("namespace", "N"), LOG_TEXT_OF("run", "R"), LOG_TEXT_OF("task", "/do/0"),
        LOG_TEXT_OF("job", "J"), LOG_INT("attempt", 2)};
    json value = {};
    FILE *said = tmpfile();
    int stays  = dup(STDOUT_FILENO);
    assert_non_null(said);
    assert_true(stays >= 0);
    (void)fflush(stdout);
    assert_int_equal(dup2(fileno(said), STDOUT_FILENO), STDOUT_FILENO);
    call_log(outcome, str_from("route"), ids);
    (void)dup2(stays, STDOUT_FILENO);
    (void)close(stays);
    ssize_t len = pread(fileno(said), line, sizeof line, 0);
    assert_true(len > 0);
    (void)fclose(said);
    assert_int_equal(json_parse((str){.ptr = line, .len = (size_t)len}, NULL, &value, NULL, NULL),
                     STATUS_OK);
    return value;
}

static void check_text(json line, const char *name, const char *wanted)
{
    json value = json_get_text(line, name);
    assert_true(json_is(value, JSON_TEXT));
    str text = json_str(value);
    if (!str_is(text, wanted)) fail_msg("%s: " STR_FMT, name, STR_ARG(text));
}

static void check_number(json line, const char *name, int64_t wanted)
{
    int64_t number = 0;
    assert_true(json_to_int(json_get_text(line, name), &number));
    assert_int_equal(number, wanted);
}

static void a_call_has_its_fields(void **)
{
    struct llm_outcome outcome     = {.is_ok        = true,
                                      .is_simulated = true,
                                      .tries        = 3,
                                      .provider     = "p",
                                      .model        = str_from("m/1"),
                                      .duration_ms  = 40,
                                      .first_ms     = 7,
                                      .usage        = PB__USAGE__INIT};
    outcome.usage.input_tokens     = 11;
    outcome.usage.output_tokens    = 12;
    outcome.usage.cost_usd_nanos   = 1'500'000'000;
    CLEANUP(json_unrefp) json line = logged(&outcome);
    check_text(line, "msg", "llm.response");
    check_text(line, "level", "info");
    check_text(line, "namespace", "N");
    check_text(line, "run", "R");
    check_number(line, "attempt", 2);
    check_text(line, "model", "route");
    check_text(line, "target", "p/m/1");
    check_text(line, "end", "complete");
    check_number(line, "tries", 3);
    check_number(line, "duration_ms", 40);
    check_number(line, "first_token_ms", 7);
    check_number(line, "input_tokens", 11);
    check_number(line, "output_tokens", 12);
    check_text(line, "cost_usd", "1.5");
    check_text(line, "losses", "");
    check_text(line, "error.message", "");
    assert_true(json_is(json_get_text(line, "simulated"), JSON_TRUE));
}

static void its_end_is_said(void **)
{
    const struct {
        struct llm_outcome outcome;
        const char *end;
    } cases[] = {
        {{.is_ok = true, .cached = CACHED_HIT}, "hit"},
        {{.is_ok = true, .cached = CACHED_JOINED}, "joined"},
        {{.is_ok = true, .cached = CACHED_MISS}, "complete"},
        {{.is_ok = true, .is_stopped = true}, "stopped"},
        {{.error = {.text = str_from("no")}}, "failed"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct llm_outcome outcome     = cases[i].outcome;
        outcome.provider               = "";
        outcome.usage                  = (Pb__Usage)PB__USAGE__INIT;
        outcome.usage.cost_source      = PB__COST_SOURCE__COST_SOURCE_UNKNOWN;
        CLEANUP(json_unrefp) json line = logged(&outcome);
        check_text(line, "end", cases[i].end);
        check_text(line, "target", "");
        check_text(line, "cost_usd", "unknown");
        check_text(line, "level", outcome.is_ok ? "info" : "warn");
        check_text(line, "error.message", outcome.is_ok ? "" : "no");
    }
}

/* Names and messages are strangers' texts: they may be as long as they like. */
static void a_long_one_is_cut(void **)
{
    static char text[3 * LOG_LINE_MAX];
    memset(text, 'x', sizeof text);
    str all                          = {.ptr = text, .len = sizeof text};
    const struct llm_outcome outcome = {
        .provider = "p", .model = all, .error = {.text = all}, .usage = PB__USAGE__INIT};
    CLEANUP(json_unrefp) json line = logged(&outcome);
    assert_true(json_is(json_get_text(line, "cut"), JSON_TRUE));
    check_text(line, "end", "failed");
}

int main(void)
{
    log_init("llm-proxy", LOG_INFO, LOG_JSON);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_has_its_fields),
        cmocka_unit_test(its_end_is_said),
        cmocka_unit_test(a_long_one_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
