/* Answers to requests with an Idempotency-Key: for a day, over crashes, and no longer. */
#include "cmocka.h"

#include "stage/stage.h"
#include "system.pb-c.h"

#include <stdio.h>

#define SECOND   INT64_C(1'000'000)
#define HOUR     (3600 * SECOND)
#define START_US INT64_C(1'795'341'600'000'000)

#define PAUSE  PB__QUEUE_ACTION__QUEUE_ACTION_PAUSE
#define RESUME PB__QUEUE_ACTION__QUEUE_ACTION_RESUME

enum { KEY_DIGITS = 32 };

static struct stage *open_stage(void)
{
    struct stage *stage                = NULL;
    const struct stage_options options = {.partitions = 1, .seed = 7, .now_us = START_US};
    assert_int_equal(stage_open(&options, &stage, NULL), STATUS_OK);
    return stage;
}

static bool is_paused(const struct stage *stage)
{
    size_t index = 0;
    struct queue *queue;
    while ((queue = stage_queue_next(stage, 0, &index))) {
        if (str_is(queue->name, "q")) return queue->is_paused;
    }
    return false;
}

/* Sets the queue; `key` and `payload` stand for a request's, 0: it has none. Returns the outcome,
 * and whether the answer says that it is paused. */
static status set_queue(struct stage *stage, Pb__QueueAction action, unsigned key, unsigned payload,
                        bool *ret_paused, const char **ret_code)
{
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_SET_QUEUE, 0);
    Pb__SetQueue *request                             = stage_call_alloc(call, sizeof *request);
    Pb__QueueView *response                           = stage_call_alloc(call, sizeof *response);
    char id[2 * KEY_DIGITS + 2]                       = "";
    *request                                          = (Pb__SetQueue)PB__SET_QUEUE__INIT;
    *response                                         = (Pb__QueueView)PB__QUEUE_VIEW__INIT;
    request->name                                     = "q";
    request->action                                   = action;
    call->command.request                             = request;
    call->command.response                            = response;
    call->command.namespace                           = str_from("default");
    (void)snprintf(id, sizeof id, "%032x:%032x", key, payload);
    if (key > 0) call->command.request_id = str_from(id);
    status asked = stage_ask(stage, 0, call, NULL);
    assert_true(call->is_done);
    *ret_paused = response->paused;
    *ret_code   = call->command.error.code;
    return asked;
}

static void crash(struct stage *stage)
{
    stage_crash(stage);
    assert_int_equal(stage_restart(stage, NULL), STATUS_OK);
}

static void test_a_day_and_no_longer(void **)
{
    CLEANUP(stage_closep) struct stage *stage = open_stage();
    bool paused                               = false;
    const char *code                          = NULL;
    assert_int_equal(set_queue(stage, PAUSE, 1, 1, &paused, &code), STATUS_OK);
    assert_true(paused && is_paused(stage));
    assert_int_equal(set_queue(stage, RESUME, 0, 0, &paused, &code), STATUS_OK);
    assert_false(is_paused(stage));

    for (int i = 0; i < 3; i++) { /* as before, and without an effect */
        assert_int_equal(set_queue(stage, PAUSE, 1, 1, &paused, &code), STATUS_OK);
        assert_true(paused);
        assert_false(is_paused(stage));
        assert_int_equal(set_queue(stage, PAUSE, 1, 2, &paused, &code), STATUS_INVALID_ARGUMENT);
        assert_string_equal(code, "idempotency_key_reused");
        if (i == 1) crash(stage);
        stage_pass(stage, 10 * HOUR);
        assert_int_equal(stage_settle(stage, NULL), STATUS_OK);
    }
    assert_int_equal(set_queue(stage, PAUSE, 1, 1, &paused, &code), STATUS_OK); /* 30 h later */
    assert_true(is_paused(stage));
}

/* A refusal is an answer, too; the same key of another request is another key. */
static void test_refusals_and_other_keys(void **)
{
    CLEANUP(stage_closep) struct stage *stage = open_stage();
    bool paused                               = false;
    const char *code                          = NULL;
    const Pb__QueueAction none                = PB__QUEUE_ACTION__QUEUE_ACTION_UNSPECIFIED;
    assert_int_equal(set_queue(stage, none, 7, 1, &paused, &code), STATUS_INVALID_ARGUMENT);
    crash(stage);
    assert_int_equal(set_queue(stage, PAUSE, 7, 1, &paused, &code), STATUS_INVALID_ARGUMENT);
    assert_false(is_paused(stage)); /* what is asked is what its digits say */
    assert_int_equal(set_queue(stage, PAUSE, 8, 1, &paused, &code), STATUS_OK);
    assert_true(is_paused(stage));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_day_and_no_longer),
        cmocka_unit_test(test_refusals_and_other_keys),
    };
    return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
