/* Changes from their arguments to their end: what follows when a checkpoint cannot be kept, when
 * one stops half-way, and when nothing is found of an earlier attempt. */
#include "desk.h"

/* --- checkpoints that cannot be kept ---------------------------------------------------------- */

static void test_a_step_that_nobody_remembers(void **)
{
    static const struct {
        const char *action;
        status code;
        bool is_transient;
    } rows[] = {
        {"post", STATUS_UNAVAILABLE, false},
        {"post", STATUS_RESOURCE_EXHAUSTED, false},
        {"put", STATUS_UNAVAILABLE, true}, /* it does no harm */
        {"put", STATUS_RESOURCE_EXHAUSTED, false},
    };
    CLEANUP(desk_close) struct desk desk;
    desk_open(&desk);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(caller_done) struct caller caller;
        bool marks = strcmp(rows[i].action, "post") == 0;
        begin(&desk, &caller, &(struct beginning){.action = rows[i].action});
        if (marks) kept(&caller, 1, "{\"sending\":\"first\"}", STATUS_OK);
        answer(&desk, "web.first", 200, "{}");
        kept(&caller, marks ? 2 : 1,
             marks ? "{\"sending\":\"second\",\"steps\":{\"first\":{}}}"
                   : "{\"steps\":{\"first\":{}}}",
             rows[i].code);
        assert_end(&caller, true, rows[i].is_transient);
    }
}

static void test_nothing_has_left_when_the_first_mark_is_not_kept(void **)
{
    static const struct {
        const char *checkpoint;
        enum previous_attempt previous;
        status code;
        bool is_transient;
    } rows[] = {
        {NULL, ATTEMPT_NONE, STATUS_UNAVAILABLE, true},
        {NULL, ATTEMPT_NONE, STATUS_RESOURCE_EXHAUSTED, false}, /* it will not be smaller */
        {"{\"steps\":{\"first\":{}}}", ATTEMPT_FAILED, STATUS_UNAVAILABLE, true},
    };
    CLEANUP(desk_close) struct desk desk;
    desk_open(&desk);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(caller_done) struct caller caller;
        begin(&desk, &caller,
              &(struct beginning){.action     = "post",
                                  .checkpoint = rows[i].checkpoint,
                                  .previous   = rows[i].previous});
        assert_int_equal(caller.keeps, 1);
        tool_call_kept(caller.call, rows[i].code);
        assert_end(&caller, false, rows[i].is_transient);
    }
}

/* --- half of a change ------------------------------------------------------------------------- */

static void test_a_change_that_stops_half_way(void **)
{
    static const struct {
        const char *action, *checkpoint, *key;
        int http_status;
        bool is_by_hand, is_unknown, is_transient, is_ill;
    } rows[] = {
        {"post", "{\"steps\":{\"first\":{}}}", NULL, 400, false, false, false, false},
        {"put", "{\"steps\":{\"first\":{}}}", NULL, 403, false, false, false, false},
        {"put", "{\"steps\":{\"first\":{}}}", NULL, 503, false, false, true, true},
        {"post", "{\"steps\":{\"first\":{}}}", NULL, 503, false, false, true, true},
        {"post", "{\"steps\":{\"first\":{}}}", NULL, 500, false, true, false, true},
        {"put", "{\"steps\":{\"first\":{}}}", NULL, 429, true, true, true, false},
        {"post", "{\"steps\":{\"first\":{}}}", NULL, 503, true, true, false, true},
        {"post", "{\"steps\":{\"slot\":{}}}", "slot", 400, false, false, false, false},
    };
    CLEANUP(desk_close) struct desk desk;
    desk_open(&desk);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(caller_done) struct caller caller;
        bool is_read_only = rows[i].key;
        begin(&desk, &caller,
              &(struct beginning){.action     = rows[i].action,
                                  .checkpoint = rows[i].checkpoint,
                                  .key        = rows[i].key,
                                  .previous   = ATTEMPT_FAILED,
                                  .is_by_hand = rows[i].is_by_hand});
        if (caller.keeps > 0) tool_call_kept(caller.call, STATUS_OK);
        answer(&desk, is_read_only ? "web.first" : "web.second", rows[i].http_status, "\"no\"");
        if (caller.ends != 1 || caller.result.is_unknown != rows[i].is_unknown ||
            caller.result.is_transient != rows[i].is_transient ||
            caller.result.is_ill != rows[i].is_ill) {
            fail_msg("row %zu ends otherwise", i);
        }
        /* What is done and known of is taken up by whoever wants another attempt. */
        bool is_half = caller.result.class == OUTCOME_UNKNOWN;
        assert_int_equal(caller.ends, 1);
        assert_true(is_half || !rows[i].is_unknown);
        assert_type(&caller, is_half ? "/unknown-outcome" : "/errors/");
        json detail = json_get_text(caller.value, "detail");
        bool names  = strstr(json_str(detail).ptr, "`first` is done");
        if (rows[i].http_status != 500) assert_int_equal(names, is_half);
        assert_int_equal(caller.undo.kind, JSON_INVALID); /* nothing undoes these */
    }
}

#define DROP(id) "{\"function\":\"desk.drop\",\"with\":{\"id\":\"" id "\"}}"

static void test_what_is_done_of_it_can_be_undone(void **)
{
    static const struct {
        const char *action;
        int http_status;
        const char *undo; /* NULL: nothing */
        bool is_by_hand, is_whole;
        enum outcome_class class;
    } rows[] = {
        {"pair", 400, "[" DROP("1") "]", false, true, OUTCOME_UNKNOWN},
        {"pair", 400, "[" DROP("1") "]", true, true, OUTCOME_UNKNOWN},
        {"pair", 500, "[" DROP("1") "]", false, false, OUTCOME_UNKNOWN}, /* the second may be */
        {"pair", 503, "[" DROP("1") "]", false, true, OUTCOME_TRANSIENT},
        {"pair", 200, "[" DROP("2") "," DROP("1") "]", false, false, OUTCOME_OK},
        {"fill", 500, "[" DROP("1") "]", false, true, OUTCOME_UNKNOWN}, /* whatever came of it */
        {"fill", 200, "[" DROP("1") "]", false, false, OUTCOME_OK},
        {"many", 400, "[" DROP("1") "]", false, true, OUTCOME_UNKNOWN},
        {"many", 500, "[" DROP("1") "]", false, false, OUTCOME_UNKNOWN},
        {"many", 200, "[" DROP("2") "," DROP("1") "]", false, false, OUTCOME_OK},
        {"post", 400, NULL, false, false, OUTCOME_UNKNOWN},
    };
    CLEANUP(desk_close) struct desk desk;
    desk_open(&desk);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(caller_done) struct caller caller;
        begin(&desk, &caller,
              &(struct beginning){.action = rows[i].action, .is_by_hand = rows[i].is_by_hand});
        if (!rows[i].is_by_hand) tool_call_kept(caller.call, STATUS_OK);
        answer(&desk, "web.first", 200, "\"1\"");
        if (!rows[i].is_by_hand) tool_call_kept(caller.call, STATUS_OK);
        answer(&desk, "web.second", rows[i].http_status, "\"2\"");
        const struct tool_call_result *result = &caller.result;
        if (caller.ends != 1 || result->class != rows[i].class ||
            result->is_undo_whole != rows[i].is_whole ||
            (caller.undo.kind != JSON_INVALID) != (rows[i].undo != NULL)) {
            fail_msg("row %zu ends otherwise", i);
        }
        if (rows[i].undo) assert_json(caller.undo, rows[i].undo);
    }
}

/* Whoever looks afterwards knows of the steps by what was kept of them. */
static void test_what_an_attempt_left_half_done_can_be_undone(void **)
{
    static const char between[] = "{\"sending\":\"first\",\"steps\":{\"first\":{\"id\":\"1\"}}}";
    static const char within[]  = "{\"sending\":\"second\",\"steps\":{\"first\":{\"id\":\"1\"}}}";
    static const struct {
        const char *action, *checkpoint;
        bool is_whole;
    } rows[] = {{"pair", between, true}, {"pair", within, false}, {"fill", within, true}};
    CLEANUP(desk_close) struct desk desk;
    desk_open(&desk);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(caller_done) struct caller caller;
        begin(&desk, &caller,
              &(struct beginning){.action     = rows[i].action,
                                  .checkpoint = rows[i].checkpoint,
                                  .previous   = ATTEMPT_LOST,
                                  .settles    = true});
        assert_null(desk.first);
        assert_int_equal(caller.ends, 1);
        assert_false(caller.result.is_nothing_done);
        assert_json(caller.undo, "[" DROP("1") "]");
        if (caller.result.is_undo_whole != rows[i].is_whole) fail_msg("row %zu", i);
    }
}

/* --- what an earlier attempt may have done ---------------------------------------------------- */

static void test_what_was_there_is_read_though_an_attempt_was_lost(void **)
{
    CLEANUP(desk_close) struct desk desk;
    CLEANUP(caller_done) struct caller caller;
    desk_open(&desk);
    begin(&desk, &caller, &(struct beginning){.action = "find", .previous = ATTEMPT_LOST});
    answer(&desk, "web.seek", 200, "null"); /* it died before it sent anything */
    answer(&desk, "web.old", 200, "\"old\"");
    kept(&caller, 1, "{\"before\":{\"body\":\"old\"}}", STATUS_OK);
    assert_json(desk.first->settings, "{\"was\":\"old\"}");
    answer(&desk, "web.write", 200, "{}");
    assert_int_equal(caller.result.class, OUTCOME_OK);
}

static void test_what_was_there_is_that_of_the_first_attempt(void **)
{
    CLEANUP(desk_close) struct desk desk;
    CLEANUP(caller_done) struct caller caller;
    desk_open(&desk);
    begin(&desk, &caller,
          &(struct beginning){.action     = "find",
                              .checkpoint = "{\"before\":{\"body\":\"oldest\"}}",
                              .previous   = ATTEMPT_UNKNOWN});
    answer(&desk, "web.seek", 200, "null");
    assert_json(desk.first->settings, "{\"was\":\"oldest\"}");
    answer(&desk, "web.write", 400, "{}");
    assert_end(&caller, false, false); /* it is not there, and this one did nothing */
}

/* Nothing is sent that changes anything: an engine of the test would keep it. */
static void test_whoever_wants_to_know_hears_whether_it_was_done(void **)
{
    static const char half[] = "{\"steps\":{\"first\":{}}}";
    static const struct {
        const char *action, *checkpoint, *found; /* NULL: nothing is looked up */
        enum previous_attempt previous;
        int http_status;
        enum { DONE, NOT_DONE, UNKNOWN } end;
    } rows[] = {
        {"find", NULL, "\"new\"", ATTEMPT_UNKNOWN, 200, DONE},
        {"find", NULL, "null", ATTEMPT_UNKNOWN, 200, NOT_DONE},
        {"find", "{\"before\":{\"body\":\"old\"}}", "null", ATTEMPT_LOST, 200, NOT_DONE},
        {"find", half, "null", ATTEMPT_LOST, 200, NOT_DONE}, /* no step of its own */
        {"find", NULL, "\"no\"", ATTEMPT_UNKNOWN, 403, UNKNOWN},
        {"find", NULL, NULL, ATTEMPT_FAILED, 0, NOT_DONE},
        {"post", NULL, NULL, ATTEMPT_UNKNOWN, 0, UNKNOWN},
        {"post", NULL, NULL, ATTEMPT_LOST, 0, NOT_DONE}, /* nothing has left */
        {"post", "{\"sending\":\"first\"}", NULL, ATTEMPT_LOST, 0, UNKNOWN},
        {"post", half, NULL, ATTEMPT_LOST, 0, UNKNOWN},
        {"put", NULL, NULL, ATTEMPT_LOST, 0, UNKNOWN},
    };
    CLEANUP(desk_close) struct desk desk;
    desk_open(&desk);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(caller_done) struct caller caller;
        begin(&desk, &caller,
              &(struct beginning){.action     = rows[i].action,
                                  .checkpoint = rows[i].checkpoint,
                                  .previous   = rows[i].previous,
                                  .settles    = true});
        if (rows[i].found) answer(&desk, "web.seek", rows[i].http_status, rows[i].found);
        assert_null(desk.first);
        assert_int_equal(caller.keeps, 0);
        const struct tool_call_result *result = &caller.result;
        if (caller.ends != 1 || (result->class == OUTCOME_OK) != (rows[i].end == DONE) ||
            result->is_nothing_done != (rows[i].end == NOT_DONE) ||
            (result->class == OUTCOME_UNKNOWN) != (rows[i].end == UNKNOWN)) {
            fail_msg("row %zu ends otherwise", i);
        }
        if (rows[i].end == DONE) assert_json(caller.value, rows[i].found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_step_that_nobody_remembers),
        cmocka_unit_test(test_nothing_has_left_when_the_first_mark_is_not_kept),
        cmocka_unit_test(test_a_change_that_stops_half_way),
        cmocka_unit_test(test_what_is_done_of_it_can_be_undone),
        cmocka_unit_test(test_what_an_attempt_left_half_done_can_be_undone),
        cmocka_unit_test(test_what_was_there_is_read_though_an_attempt_was_lost),
        cmocka_unit_test(test_what_was_there_is_that_of_the_first_attempt),
        cmocka_unit_test(test_whoever_wants_to_know_hears_whether_it_was_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
