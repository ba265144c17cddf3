/* What asks before this one have left: taken up, or not, whatever stands there. */
#include "llm-proxy/jobs/chat_job.h"

#include "cmocka.h"
#include "json/json_text.h"

enum { ARENA_MAX = 1 << 20 };

#define ONE   "{\"answer\":\"1\",\"problems\":\"why\"}"
#define FOUR  ONE "," ONE "," ONE "," ONE
#define FIVE  FOUR "," ONE
#define STATE "\"input_tokens\":5,\"output_tokens\":6,\"cost_usd_nanos\":7,\"cost_source\":1"

static const struct row {
    const char *name, *checkpoint;
    uint32_t attempt;
    Pb__PreviousAttempt previous;
    uint32_t count; /* of asks that are taken up */
} rows[] = {
    {"nothing", "", 1, 0, 0},
    {"one", "{\"attempt\":1," STATE ",\"said\":[" ONE "]}", 1, 0, 1},
    {"two", "{\"attempt\":1," STATE ",\"said\":[" ONE "," ONE "]}", 1, 0, 2},
    {"as many as may be", "{\"attempt\":1," STATE ",\"said\":[" ONE "," FIVE "," FOUR "]}", 1, 0,
     10},
    {"too many", "{\"attempt\":1," STATE ",\"said\":[" ONE "," FIVE "," FIVE "]}", 1, 0, 0},
    {"after a failure", "{\"attempt\":1," STATE ",\"said\":[" ONE "]}", 2,
     PB__PREVIOUS_ATTEMPT__PREVIOUS_FAILED, 0},
    {"after a death", "{\"attempt\":1," STATE ",\"said\":[" ONE "]}", 2,
     PB__PREVIOUS_ATTEMPT__PREVIOUS_LOST, 1},
    {"not JSON", "{\"attempt\":1,", 1, 0, 0},
    {"no object", "[1]", 1, 0, 0},
    {"no list", "{\"attempt\":1,\"said\":7}", 1, 0, 0},
    {"no answer", "{\"attempt\":1,\"said\":[{\"problems\":\"x\"}]}", 1, 0, 0},
    {"no text", "{\"attempt\":1,\"said\":[{\"answer\":1,\"problems\":\"x\"}]}", 1, 0, 0},
    {"no numbers", "{\"attempt\":1,\"input_tokens\":\"x\",\"cost_source\":99,\"said\":[" ONE "]}",
     1, 0, 1},
    {"too deep", "{\"attempt\":1,\"said\":[[[[[[[[[[[[1]]]]]]]]]]]]}", 1, 0, 0},
};

static void is_taken_up(void **state)
{
    const struct row *row        = *state;
    struct chat_message question = {.role = ROLE_USER};
    struct chat_request request  = {
         .arena = arena_new(ARENA_MAX), .messages = &question, .message_count = 1, .repairs = -1};
    Pb__LeasedJob leased   = PB__LEASED_JOB__INIT;
    struct worker_job job  = {.leased = &leased};
    struct chat_job chat   = {.job = &job, .arena = request.arena, .request = &request};
    Pb__Usage shown        = PB__USAGE__INIT;
    leased.attempt         = row->attempt;
    leased.previous        = row->previous;
    leased.checkpoint_json = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)row->checkpoint,
                                                   .len  = strlen(row->checkpoint)};
    assert_int_equal(job_repair_resume(&chat, NULL), STATUS_OK);
    assert_int_equal(job_repair_count(&chat.repair), row->count);
    assert_int_equal(request.message_count, 1 + 2 * row->count);
    for (uint32_t i = 1; i < request.message_count; i++) {
        assert_int_equal(request.messages[i].role, i % 2 > 0 ? ROLE_ASSISTANT : ROLE_USER);
        assert_true(str_is(request.messages[i].parts[0].text, i % 2 > 0 ? "1" : "why"));
    }
    job_repair_add(&chat.repair, &shown);
    bool is_counted = row->count > 0 && chat.repair.usage.input_tokens > 0;
    assert_int_equal(shown.cost_usd_nanos, is_counted ? 7 : 0);
    if (row->count > 0 && !is_counted) { /* nobody knows any more */
        assert_int_equal(shown.cost_source, PB__COST_SOURCE__COST_SOURCE_UNKNOWN);
    }
    job_repair_done(&chat.repair);
    arena_free(chat.arena);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, is_taken_up, &rows[i]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
