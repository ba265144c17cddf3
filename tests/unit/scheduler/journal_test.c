/*
 * The journal: what is kept, that nothing but it is needed at any moment, and that damage shows.
 */
#include "cmocka.h"
#include "journal.pb-c.h"
#include "scheduler/run/event_codec.h"
#include "support/scheduler/world.h"

#include <stdlib.h>
#include <string.h>

#define CALL "call: http, with: {method: get, endpoint: 'https://a.test/x'}"

/* --- a crash at any moment changes nothing
 * --------------------------------------------------------- */

/* Everything at once: loops within forks within tries, jobs that fail, waits, events, jumps. */
static const char busy[] =
    "do:\n"
    "  - prepare: {set: {n: 0, list: [3, 1, 2]}, export: {as: '{ seen: 0 }'}}\n"
    "  - count: {set: {n: '${ .n + 1 }', list: '${ .list }'}}\n"
    "  - again: {switch: [{more: {when: '.n < 3', then: count}}]}\n"
    "  - side: {fork: {branches: [\n"
    "      {loop: {for: {in: '.list'}, metadata: {tutti: {parallel: 2}}, do: [\n"
    "        {ask: {" CALL ", metadata: {tutti: {weight: 3}}}},\n"
    "        {note: {set: '${ [$item, .] }', export: {as: '$context + { last: $item }'}}}]}},\n"
    "      {steady: {try: [{first: {" CALL "}}, {flaky: {" CALL "}}, {bad: {" CALL "}}],\n"
    "        catch: {retry: {delay: {seconds: 3}, limit: {attempt: {count: 2}}},\n"
    "        do: [{mend: {set: {mended: '${ $error.status }'}}}]}}},\n"
    "      {race: {fork: {compete: true, branches: [{slow: {wait: {seconds: 90}}},\n"
    "        {quick: {do: [{nap: {wait: {seconds: 2}}}, {said: {emit: {event: {with:\n"
    "        {type: hello, data: 5}}}}}]}}]}, output: {as: '{ won: .type }'}}},\n"
    "      {heard: {listen: {to: {one: {with: {type: hello}}}}}}]}}\n"
    "  - late: {timeout: {after: {seconds: 5}}, try: [{never: {" CALL "}}], catch: {}}\n";

static const struct answer busy_script[] = {
    {"ask", 0, ANSWER_OK, "{\"v\": 1}"},
    {"first", 0, ANSWER_OK, "1"},
    {"flaky", 1, ANSWER_TRANSIENT, NULL},
    {"bad", 0, ANSWER_FAIL, "{\"type\": \"urn:b\", \"status\": 502}"},
    {"never", 0, ANSWER_NEVER, NULL},
    {},
};

/* Plays it with a crash before every step whose bit is set in a generator's output. */
static void play_busy(struct world *world, uint64_t seed, uint32_t steps_max)
{
    struct prng crashes = {seed};
    world_init(world, busy);
    world->script               = busy_script;
    world->env.limits.steps_max = steps_max;
    world_start(world, "{}");
    do {
        uint64_t draw = seed ? prng_next(&crashes) : 0;
        if (draw & 1) world_crash(world, draw & 2);
    } while (world_step(world));
}

static void a_crash_at_any_moment_changes_nothing(void **state)
{
    (void)state;
    static const uint32_t steps_max[] = {0, 1, 2, 5};
    for (size_t i = 0; i < ARRAY_LEN(steps_max); i++) {
        struct world calm;
        play_busy(&calm, 0, steps_max[i]);
        assert_non_null(strstr(world_result(&calm), "\"/do/4/late\"")); /* its timeout */
        for (uint64_t seed = 1; seed <= 25; seed++) {
            struct world rough;
            play_busy(&rough, seed, steps_max[i]);
            assert_string_equal(rough.history.ptr, calm.history.ptr);
            assert_int_equal(world_journal_bytes(&rough), world_journal_bytes(&calm));
            world_done(&rough);
        }
        world_done(&calm);
    }
}

static void progress_never_falls(void **state)
{
    (void)state;
    struct world world;
    uint32_t before = 0;
    world_init(&world, busy);
    world.script               = busy_script;
    world.env.limits.steps_max = 1;
    world_start(&world, "{}");
    do {
        uint32_t now = run_progress_permille(world.run);
        assert_true(now >= before && now <= 1000);
        before = now;
    } while (world_step(&world));
    assert_true(before > 500);
    world_done(&world);
}

/* --- what is kept
 * ---------------------------------------------------------------------------------- */

static void ten_sets_take_less_than_a_kibibyte(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, "do: [{a: {set: {n: '${ .n + 1 }'}}}, {b: {set: {n: '${ .n + 1 }'}}},"
                       " {c: {set: {n: '${ .n + 1 }'}}}, {d: {set: {n: '${ .n + 1 }'}}},"
                       " {e: {set: {n: '${ .n + 1 }'}}}, {f: {set: {n: '${ .n + 1 }'}}},"
                       " {g: {set: {n: '${ .n + 1 }'}}}, {h: {set: {n: '${ .n + 1 }'}}},"
                       " {i: {set: {n: '${ .n + 1 }'}}}, {j: {set: {n: '${ .n + 1 }'}}}]");
    world_start(&world, "{\"n\": 0}");
    assert_string_equal(world_result(&world), "{\"n\":10}");
    assert_int_equal(world.entry_count, 1);
    assert_true(world_journal_bytes(&world) < 1024);
    world_done(&world);
}

/* Our own writer and reader follow the tables; the generated code follows the .proto. */
static void an_entry_is_the_message_that_the_proto_describes(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, "do: [{a: {" CALL ", metadata: {tutti: {idempotencyKey: '${ \"mine\" }'}},"
                       " timeout: {after: {seconds: 9}}}}, {b: {set: {x: 1}, if: 'false'}}]");
    world.usage      = (struct usage){.input_tokens   = 3,
                                      .cost_usd_nanos = 70,
                                      .calls          = 1,
                                      .source         = COST_SIMULATED,
                                      .is_simulated   = true};
    int64_t start_us = world.env.now_us;
    world_start(&world, "{\"n\": [1, \"two\"]}");
    world_play(&world);
    assert_int_equal(world.entry_count, 2);

    const struct buf *raw   = &world.entries[0];
    Pb__JournalEntry *entry = pb__journal_entry__unpack(NULL, raw->len, (const uint8_t *)raw->ptr);
    assert_non_null(entry);
    assert_int_equal(entry->run.len, ID_BYTES);
    assert_int_equal(entry->first_sequence, 1);
    assert_int_equal(entry->age_us, start_us - id_unix_ms(str_from(run_id(world.run))) * 1'000);
    assert_int_equal(entry->n_events, 3);
    assert_int_equal(entry->events[0]->kind, EVENT_RUN_STARTED);
    assert_memory_equal(entry->events[0]->value.data, "{\"n\":[1,\"two\"]}", 15);
    assert_int_equal(entry->events[0]->priority, PRIORITY_DEFAULT);
    assert_int_equal(entry->events[1]->deadline_us, start_us + 9'000'000);
    assert_int_equal(entry->events[2]->kind, EVENT_JOB_SCHEDULED);
    assert_int_equal(entry->events[2]->id.len, ID_BYTES / 2); /* made at the entry's time */
    assert_memory_equal(entry->events[2]->key.data, "\"mine/do/0/a\"", 13);
    assert_int_equal(pb__journal_entry__get_packed_size(entry), raw->len); /* nothing unknown */
    pb__journal_entry__free_unpacked(entry, NULL);

    raw   = &world.entries[1];
    entry = pb__journal_entry__unpack(NULL, raw->len, (const uint8_t *)raw->ptr);
    assert_non_null(entry);
    assert_int_equal(entry->previous, 1);
    assert_int_equal(entry->first_sequence, 4);
    assert_int_equal(entry->events[0]->kind, EVENT_JOB_COMPLETED);
    assert_int_equal(entry->events[0]->cost_usd_nanos, 70);
    assert_true(entry->events[0]->is_simulated);
    assert_int_equal(entry->events[0]->id.len, 0); /* its task waits for no other */
    assert_int_equal(entry->events[0]->attempt, 0);
    pb__journal_entry__free_unpacked(entry, NULL);
    assert_int_equal(run_usage(world.run)->cost_usd_nanos, 70);
    world_done(&world);
}

static void a_snapshot_is_the_message_that_the_proto_describes(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, busy);
    world.script = busy_script;
    world_start(&world, "{}");
    for (int i = 0; i < 6; i++) (void)world_step(&world);
    struct error error               = {};
    CLEANUP(buf_done) struct buf raw = buf_init(1 << 20);
    assert_int_equal(run_snapshot_pack(world.run, &world.store, &raw, &error), STATUS_OK);
    Pb__RunSnapshot *snapshot = pb__run_snapshot__unpack(NULL, raw.len, (const uint8_t *)raw.ptr);
    assert_non_null(snapshot);
    assert_int_equal(snapshot->sequence, run_sequence(world.run));
    assert_true(snapshot->n_activations > 0 && snapshot->n_scopes > 0);
    assert_int_equal(pb__run_snapshot__get_packed_size(snapshot), raw.len);
    pb__run_snapshot__free_unpacked(snapshot, NULL);
    world_done(&world);
}

/* --- large values
 * ------------------------------------------------------------------------------------ */

static void a_large_value_is_stored_once(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, "do: [{a: {set: {x: '${ .big }'}}}, {b: {set: {big: '${ .x }'}}},"
                       " {c: {" CALL "}}, {d: {set: '${ .big }'}}]");
    static const struct answer script[] = {{"c", 0, ANSWER_NEVER, NULL}, {}};
    world.script                        = script;
    CLEANUP(buf_done) struct buf input  = buf_init(1 << 20);
    (void)buf_put_text(&input, "{\"big\": \"");
    for (int i = 0; i < 3000; i++) (void)buf_put_byte(&input, 'x');
    (void)buf_put_text(&input, "\"}");
    world_start(&world, input.ptr);
    /* {big: ...} as the input, {x: ...}, and {big: ...} again, which is known already. */
    assert_int_equal(world.payload_count, 2);
    assert_true(world_journal_bytes(&world) < 700);
    world_crash(&world, false);
    world_cancel(&world);
    assert_int_equal(world.payload_count, 2);
    world_done(&world);
}

static void a_missing_payload_is_data_loss(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, "do: []");
    CLEANUP(buf_done) struct buf input = buf_init(1 << 20);
    (void)buf_put_text(&input, "\"");
    for (int i = 0; i < 2000; i++) (void)buf_put_byte(&input, 'x');
    (void)buf_put_text(&input, "\"");
    world_start(&world, input.ptr);
    free(world.payloads[--world.payload_count]);

    struct run *run = run_new(str_from(run_id(world.run)), world.workflow);
    assert_int_equal(
        entry_replay(run, bytes_from(buf_str(&world.entries[0])), &world.store, NULL, NULL, NULL),
        STATUS_DATA_LOSS);
    run_free(run);
    world_done(&world);
}

/* --- damage
 * -------------------------------------------------------------------------------------------- */

static status replay(const struct world *world, size_t entry, str bytes_of_it)
{
    struct run *run = run_new(str_from(run_id(world->run)), world->workflow);
    status code     = STATUS_OK;
    for (size_t i = 0; i < entry && code == STATUS_OK; i++) {
        code = entry_replay(run, bytes_from(buf_str(&world->entries[i])), &world->store, NULL, NULL,
                            NULL);
    }
    assert_int_equal(code, STATUS_OK);
    code = entry_replay(run, bytes_from(bytes_of_it), &world->store, NULL, NULL, NULL);
    run_free(run);
    return code;
}

/* A changed byte may give another journal that makes sense; what must not happen is a crash. */
static void no_damage_crashes(void **state)
{
    (void)state;
    struct world world;
    play_busy(&world, 0, 0);
    struct prng random = {7};
    for (size_t i = 0; i < world.entry_count; i++) {
        str entry                         = buf_str(&world.entries[i]);
        CLEANUP(buf_done) struct buf copy = buf_init(1 << 20);
        for (size_t cut = 0; cut < entry.len; cut += 1 + entry.len / 40) {
            status code = replay(&world, i, str_slice(entry, 0, cut));
            assert_true(code == STATUS_OK || code == STATUS_DATA_LOSS);
        }
        for (int round = 0; round < 60; round++) {
            buf_clear(&copy);
            (void)buf_put_str(&copy, entry);
            copy.ptr[prng_next(&random) % copy.len] = (char)prng_next(&random);
            status code                             = replay(&world, i, buf_str(&copy));
            assert_true(code == STATUS_OK || code == STATUS_DATA_LOSS);
        }
    }
    world_done(&world);
}

static void entries_must_follow_each_other(void **state)
{
    (void)state;
    struct world world;
    play_busy(&world, 0, 0);
    assert_int_equal(replay(&world, 0, buf_str(&world.entries[1])), STATUS_DATA_LOSS);
    assert_int_equal(replay(&world, 1, buf_str(&world.entries[0])), STATUS_DATA_LOSS);

    struct world other;
    play_busy(&other, 0, 0);
    struct run *run = run_new(str_from("01ARZ3NDEKTSV4RRFFQ69G5FAV"), world.workflow);
    assert_int_equal(
        entry_replay(run, bytes_from(buf_str(&world.entries[0])), &world.store, NULL, NULL, NULL),
        STATUS_DATA_LOSS);
    run_free(run);
    world_done(&other);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_at_any_moment_changes_nothing),
        cmocka_unit_test(progress_never_falls),
        cmocka_unit_test(ten_sets_take_less_than_a_kibibyte),
        cmocka_unit_test(an_entry_is_the_message_that_the_proto_describes),
        cmocka_unit_test(a_snapshot_is_the_message_that_the_proto_describes),
        cmocka_unit_test(a_large_value_is_stored_once),
        cmocka_unit_test(a_missing_payload_is_data_loss),
        cmocka_unit_test(no_damage_crashes),
        cmocka_unit_test(entries_must_follow_each_other),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
