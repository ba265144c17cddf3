/* What a new attempt does first, what is kept for it, and what undoes a call. */
#include "tool-adapter/call/once.h"

#include "ledger.h"

#include "base/attr.h"
#include "tool-adapter/call/undo_list.h"

#include <stdio.h>
#include <string.h>

static const int64_t now_us = INT64_C(1'767'225'600'000'000);

static void test_what_a_new_attempt_does(void **)
{
    static const struct {
        const char *action, *params, *checkpoint;
        enum previous_attempt previous;
        int64_t age_s;
        enum once_verdict verdict;
        bool may_repeat;
    } rows[] = {
        {"book", "{\"text\":\"a\"}", "{}", ATTEMPT_NONE, 0, ONCE_SEND, false},
        {"book", "{\"text\":\"a\"}", "{\"sending\":\"-\"}", ATTEMPT_FAILED, 0, ONCE_SEND, false},
        {"book", "{\"text\":\"a\"}", "{}", ATTEMPT_LOST, 0, ONCE_SEND, false},
        {"book", "{\"text\":\"a\"}", "{\"sending\":\"-\"}", ATTEMPT_LOST, 0, ONCE_REFUSE, false},
        {"book", "{\"text\":\"a\"}", "{\"sending\":\"s\",\"steps\":{\"s\":{}}}", ATTEMPT_LOST, 0,
         ONCE_SEND, false},
        {"book", "{\"text\":\"a\"}", "{}", ATTEMPT_UNKNOWN, 0, ONCE_REFUSE, false},
        {"keyed", "{}", "{}", ATTEMPT_UNKNOWN, 3'599, ONCE_SEND, true},
        {"keyed", "{}", "{}", ATTEMPT_LOST, 3'600, ONCE_REFUSE, false},
        {"found", "{}", "{}", ATTEMPT_FAILED, 0, ONCE_SEND, true},
        {"found", "{}", "{}", ATTEMPT_LOST, 0, ONCE_LOOK_UP, true},
        {"found", "{}", "{}", ATTEMPT_UNKNOWN, 0, ONCE_LOOK_UP, true},
        {"compared", "{}", "{}", ATTEMPT_LOST, 0, ONCE_SEND, true},
        {"compared", "{}", "{\"before\":{}}", ATTEMPT_NONE, 0, ONCE_SEND, true},
        {"compared", "{}", "{\"before\":{}}", ATTEMPT_UNKNOWN, 0, ONCE_COMPARE, true},
        {"remove", "{\"id\":\"a\"}", "{}", ATTEMPT_UNKNOWN, 0, ONCE_SEND, true},
        {"linked", "{}", "{}", ATTEMPT_UNKNOWN, 0, ONCE_SEND, true},
        {"varied", "{}", "{}", ATTEMPT_UNKNOWN, 0, ONCE_REFUSE, false},
        {"varied", "{\"safe\":true}", "{}", ATTEMPT_UNKNOWN, 0, ONCE_SEND, true},
    };
    CLEANUP(ledger_done) struct ledger ledger = {};
    ledger_init(&ledger);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct manifest_action *action = ledger_action(&ledger, rows[i].action);
        CLEANUP(json_unrefp) json scope      = scope_of(&ledger, action, rows[i].params, "{}");
        CLEANUP(json_unrefp) json checkpoint = parsed(rows[i].checkpoint);
        const struct once_case known         = {.action     = action,
                                                .scope      = scope,
                                                .checkpoint = checkpoint,
                                                .previous   = rows[i].previous,
                                                .created_us = now_us - rows[i].age_s * 1'000'000,
                                                .now_us     = now_us};
        if (once_decide(&known) != rows[i].verdict) fail_msg("row %zu decides otherwise", i);
        if (once_may_repeat(&known) != rows[i].may_repeat) fail_msg("row %zu: repeats", i);
    }
}

/* Where nothing tells what was done, somebody may; what can be found out still is. */
static void test_somebody_answers_for_it(void **)
{
    static const struct {
        const char *action;
        enum once_verdict asked, not_asked;
    } rows[] = {
        {"varied", ONCE_SEND, ONCE_REFUSE},
        {"keyed", ONCE_SEND, ONCE_REFUSE},
        {"found", ONCE_LOOK_UP, ONCE_LOOK_UP},
    };
    CLEANUP(ledger_done) struct ledger ledger = {};
    ledger_init(&ledger);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct manifest_action *action = ledger_action(&ledger, rows[i].action);
        CLEANUP(json_unrefp) json scope      = scope_of(&ledger, action, "{}", "{}");
        struct once_case known               = {.action     = action,
                                                .scope      = scope,
                                                .checkpoint = json_invalid(),
                                                .previous   = ATTEMPT_UNKNOWN,
                                                .now_us     = now_us};
        assert_int_equal(once_decide(&known), rows[i].not_asked);
        known.is_asked = true;
        assert_int_equal(once_decide(&known), rows[i].asked);
    }
}

static void test_what_is_kept(void **)
{
    CLEANUP(json_unrefp) json steps  = parsed("{\"a\":1}");
    CLEANUP(json_unrefp) json none   = parsed("{}");
    CLEANUP(json_unrefp) json read   = parsed("{\"sha\":\"x\"}");
    CLEANUP(json_unrefp) json before = once_before_new(json_invalid(), read);
    CLEANUP(json_unrefp) json first  = once_sending_new(before, NULL, none, true);
    CLEANUP(json_unrefp) json second = once_sending_new(first, "b", steps, true);
    CLEANUP(json_unrefp) json silent = once_sending_new(json_invalid(), "b", steps, false);
    assert_json(before, "{\"before\":{\"sha\":\"x\"}}");
    assert_json(first, "{\"before\":{\"sha\":\"x\"},\"sending\":\"-\"}");
    assert_json(second, "{\"before\":{\"sha\":\"x\"},\"sending\":\"b\",\"steps\":{\"a\":1}}");
    assert_json(silent, "{\"steps\":{\"a\":1}}");
}

static void test_what_undoes_it(void **)
{
    static const struct {
        const char *output, *undo;
    } rows[] = {
        {"{\"id\":\"7\"}", "[{\"function\":\"ledger.remove\",\"with\":{\"id\":\"7\"}}]"},
        {"{\"many\":[\"1\",\"2\"]}", "[{\"function\":\"ledger.remove\",\"with\":{\"id\":\"2\"}},"
                                     "{\"function\":\"ledger.remove\",\"with\":{\"id\":\"1\"}}]"},
        {"{\"many\":7}", "[null]"},
        {"{\"odd\":7}", "[null]"},
    };
    CLEANUP(ledger_done) struct ledger ledger = {};
    ledger_init(&ledger);
    const struct manifest_action *action = ledger_action(&ledger, "book");
    struct connection connection         = {.name = "ledger", .manifest = ledger.manifest};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char more[256];
        (void)snprintf(more, sizeof more, "{\"output\":%s}", rows[i].output);
        CLEANUP(json_unrefp) json scope = scope_of(&ledger, action, "{\"text\":\"a\"}", more);
        CLEANUP(json_unrefp) json undo  = undo_list_new(action, &connection, scope);
        assert_json(undo, rows[i].undo);
    }
    CLEANUP(json_unrefp)
    json scope = scope_of(&ledger, action, "{\"text\":\"a\"}", "{\"output\":{\"id\":\"7\"}}");
    CLEANUP(json_unrefp)
    json idle       = scope_of(&ledger, action, "{\"text\":\"a\"}", "{\"output\":{}}");
    connection.name = "theirs";
    CLEANUP(json_unrefp) json undo = undo_list_new(action, &connection, scope);
    assert_json(undo, "[{\"function\":\"ledger.remove\",\"with\":{\"id\":\"7\","
                      "\"connection\":\"theirs\"}}]");
    assert_int_equal(undo_list_new(action, &connection, idle).kind, JSON_INVALID);
    const struct manifest_action *none = ledger_action(&ledger, "remove");
    assert_int_equal(undo_list_new(none, &connection, scope).kind, JSON_INVALID);
}

/* As many calls as there is room for, and then the word that there are more. */
static void test_what_is_too_much_to_undo_is_said(void **)
{
    static const int rows[][2]                = {{UNDO_LIST_MAX, UNDO_LIST_MAX},
                                                 {UNDO_LIST_MAX + 7, UNDO_LIST_MAX + 1}};
    CLEANUP(ledger_done) struct ledger ledger = {};
    ledger_init(&ledger);
    const struct manifest_action *action = ledger_action(&ledger, "book");
    struct connection connection         = {.name = "ledger", .manifest = ledger.manifest};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_unrefp)
        json scope  = scope_of(&ledger, action, "{\"text\":\"a\"}", "{\"output\":null}");
        json output = json_object_new(1);
        json many   = json_array_new((size_t)rows[i][0]);
        for (int k = 0; k < rows[i][0]; k++) json_array_push(&many, json_text_from("x"));
        json_object_put_text(&output, "many", many);
        scope_put(&scope, "output", output);
        CLEANUP(json_unrefp) json undo = undo_list_new(action, &connection, scope);
        json last                      = json_at(undo, json_count(undo) - 1);
        bool is_too_much               = rows[i][0] > UNDO_LIST_MAX;
        assert_int_equal(json_count(undo), rows[i][1]);
        assert_int_equal(json_is(json_get_text(last, "error"), JSON_OBJECT), is_too_much);
        assert_int_equal(json_is(json_get_text(last, "function"), JSON_TEXT), !is_too_much);
    }
}

/* Steps that are undone alike are undone once, however many calls that takes. */
static void test_equal_calls_of_steps_are_one(void **)
{
    enum { COUNT = UNDO_LIST_MAX / 2 };
    CLEANUP(ledger_done) struct ledger ledger = {};
    ledger_init(&ledger);
    const struct manifest_action *action = ledger_action(&ledger, "stepped");
    struct connection connection         = {.name = "ledger", .manifest = ledger.manifest};
    CLEANUP(json_unrefp) json scope      = scope_of(&ledger, action, "{}", "{}");
    json ids                             = json_array_new(2 * (size_t)COUNT);
    json one                             = json_object_new(1);
    json steps                           = json_object_new(1);
    for (int i = 0; i < 2 * COUNT; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%d", i % COUNT);
        json_array_push(&ids, json_text_from(id));
    }
    json_object_put_text(&one, "ids", ids);
    json_object_put_text(&steps, "one", one);
    scope_put(&scope, "steps", steps);
    CLEANUP(json_unrefp) json undo = undo_list_new(action, &connection, scope);
    assert_int_equal(json_count(undo), COUNT);
    json last = json_get_text(json_at(undo, COUNT - 1), "with");
    assert_true(str_is(json_str(json_get_text(last, "id")), "0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_new_attempt_does),
        cmocka_unit_test(test_somebody_answers_for_it),
        cmocka_unit_test(test_what_is_kept),
        cmocka_unit_test(test_what_undoes_it),
        cmocka_unit_test(test_what_is_too_much_to_undo_is_said),
        cmocka_unit_test(test_equal_calls_of_steps_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
