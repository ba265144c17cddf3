/* A row of the tables about the language: a definition is played to its end, or until it waits. */
#ifndef SCHEDULER_RUN_ROW_H
#define SCHEDULER_RUN_ROW_H

#include "cmocka.h"
#include "support/scheduler/world.h"

#include <string.h>

struct run_row {
    const char *name;
    const char *body; /* the definition but `document` */
    const char *input;
    struct answer script[8];
    const char *result;   /* as world_result() says it; one that ends in a comma is a beginning */
    const char *history;  /* NULL: does not matter */
    uint32_t steps_max;   /* of a command; 0: the default */
    int64_t took_seconds; /* from start to end; 0: does not matter */
    uint32_t jobs;        /* scheduled; 0: does not matter */
};

#define CALL "call: http, with: {method: get, endpoint: 'https://a.test/x'}"
#define POST(body_)                                                                                \
    "call: http, with: {method: post, endpoint: 'https://a.test/x', body: " body_ "}"
#define CHAT "call: llm.chat, with: {model: smart, prompt: Hi}"

/* What the run has come to, as run_row has it. */
static inline void expect_result(struct world *world, const char *expected)
{
    const char *result = world_result(world);
    size_t length      = strlen(expected);
    bool is_beginning  = expected[length - 1] == ',';
    if (is_beginning && strncmp(result, expected, length) == 0) return;
    if (strcmp(result, expected) != 0) print_message("%s", world->history.ptr);
    assert_string_equal(result, expected);
}

/* The keys of all calls in their order, each with a blank behind it: "#/do/0/a/-/1 ". */
static inline void expect_keys(const struct world *world, const char *expected)
{
    CLEANUP(buf_done) struct buf keys = buf_init(1 << 20);
    const char *line                  = world->calls.len > 0 ? world->calls.ptr : "";
    for (; *line; line = strchr(line, '\n') + 1) {
        (void)buf_put(&keys, line, strcspn(line, " "));
        (void)buf_put_text(&keys, " ");
    }
    assert_string_equal(keys.len > 0 ? keys.ptr : "", expected);
}

static inline void run_row_check(void **state)
{
    const struct run_row *row = *state;
    struct world world;
    world_init(&world, row->body);
    world.script               = row->script;
    world.env.limits.steps_max = row->steps_max;
    int64_t start_us           = world.env.now_us;
    world_start(&world, row->input);
    world_play(&world);

    expect_result(&world, row->result);
    if (row->history) assert_string_equal(world.history.ptr, row->history);
    if (row->jobs) assert_int_equal(world.jobs_scheduled, row->jobs);
    if (row->took_seconds) {
        assert_int_equal((world.env.now_us - start_us) / 1'000'000, row->took_seconds);
    }
    world_done(&world);
}

#endif
