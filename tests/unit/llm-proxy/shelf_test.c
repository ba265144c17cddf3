/* What is kept beside the answers: rows under keys, over restarts; the oldest go first. */
#include "llm-proxy/answers/shelf.h"

#include "base/mem.h"
#include "llm-proxy/answers/answers_internal.h"
#include "support/folder.h"

#include "cmocka.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_US INT64_C(3'600'000'000)

enum { TURNS_MAX = 20'000, ROW_MAX = 1 << 20 };

static atomic_llong time_us = 1'000'000;

static int64_t unix_us(void)
{
    return atomic_load(&time_us);
}

static void print_interrupted(Pb__LlmOperation, struct buf *)
{
}

struct world {
    struct folder folder;
    uint64_t size_max; /* of the store; 0: as much as it likes */
    struct loop *loop;
    struct answers *answers;
};

static void begin(struct world *world)
{
    struct error error = {};
    assert_int_equal(loop_new(NULL, &world->loop, NULL), STATUS_OK);
    const struct answers_options options = {.path              = world->folder.path,
                                            .size_max          = world->size_max,
                                            .loop              = world->loop,
                                            .unix_us           = unix_us,
                                            .print_interrupted = print_interrupted};
    if (answers_open(&options, &world->answers, &error) != STATUS_OK) fail_msg("%s", error.text);
}

static void settle(struct world *world)
{
    for (int i = 0; i < TURNS_MAX && answers_waiting(world->answers) > 0; i++) {
        loop_turn(world->loop, 1);
    }
    assert_int_equal(answers_waiting(world->answers), 0);
}

/* As a process that is killed once all is written. */
static void restart(struct world *world)
{
    settle(world);
    answers_freep(&world->answers);
    loop_freep(&world->loop);
    atomic_fetch_add(&time_us, 1'000); /* no two processes in one millisecond */
    begin(world);
}

static struct world world_new(void)
{
    struct world world = {.folder = folder_new()};
    begin(&world);
    return world;
}

static void world_done(struct world *world)
{
    answers_freep(&world->answers);
    loop_freep(&world->loop);
    folder_remove(&world->folder);
}

static void put(struct world *world, const char *key, const char *row, int64_t expires_us)
{
    shelf_put(world->answers, SHELF_VAULT, bytes_from(str_from(key)), bytes_from(str_from(row)),
              expires_us);
}

static void say(bytes key, bytes row, void *context)
{
    struct buf *said = context;
    size_t shown     = row.len < 16 ? row.len : 16;
    (void)buf_printf(said, "%.*s=%.*s ", (int)key.len, (const char *)key.ptr, (int)shown,
                     (const char *)row.ptr);
}

static void assert_rows(struct world *world, const char *expected)
{
    CLEANUP(buf_done) struct buf said = buf_init(1 << 16);
    struct error error                = {};
    if (shelf_each(world->answers, SHELF_VAULT, say, &said, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    assert_string_equal(said.len > 0 ? said.ptr : "", expected);
}

static void rows_are_there_after_a_restart(void **)
{
    struct world world = world_new();
    assert_rows(&world, "");
    put(&world, "a", "1", unix_us() + HOUR_US);
    put(&world, "b", "2", unix_us() + HOUR_US);
    put(&world, "a", "3", unix_us() + HOUR_US); /* in place of the first one, and younger */
    restart(&world);
    assert_rows(&world, "b=2 a=3 ");
    put(&world, "c", "4", unix_us() + HOUR_US);
    restart(&world);
    assert_rows(&world, "b=2 a=3 c=4 ");
    world_done(&world);
}

static void note(bytes, bytes row, void *context)
{
    (void)buf_put(context, row.ptr, row.len);
}

static void a_row_is_found_until_it_is_dropped(void **)
{
    struct world world                = world_new();
    CLEANUP(buf_done) struct buf said = buf_init(64);
    const bytes key                   = bytes_from(str_from("a"));
    shelf_put(world.answers, SHELF_CACHE, key, bytes_from(str_from("other")), unix_us() + HOUR_US);
    put(&world, "a", "1", unix_us() + HOUR_US);
    restart(&world);
    assert_true(shelf_get(world.answers, SHELF_VAULT, key, note, &said));
    assert_true(shelf_get(world.answers, SHELF_CACHE, key, note, &said));
    assert_true(str_is(buf_str(&said), "1other"));
    assert_false(shelf_get(world.answers, SHELF_CACHE, bytes_from(str_from("b")), note, &said));
    shelf_drop(world.answers, SHELF_CACHE, key);
    shelf_drop(world.answers, SHELF_CACHE, key); /* nothing is there */
    restart(&world);
    assert_false(shelf_get(world.answers, SHELF_CACHE, key, note, &said));
    assert_rows(&world, "a=1 ");
    atomic_fetch_add(&time_us, 2 * HOUR_US);
    assert_false(shelf_get(world.answers, SHELF_VAULT, key, note, &said)); /* its time is over */
    world_done(&world);
}

/* Whoever drops an answer of the wrong shape asks again at once. */
static void what_is_dropped_is_not_found_before_it_is_gone(void **)
{
    struct world world                = world_new();
    CLEANUP(buf_done) struct buf said = buf_init(64);
    const bytes key                   = bytes_from(str_from("a"));
    put(&world, "a", "1", unix_us() + HOUR_US);
    restart(&world);
    assert_true(shelf_get(world.answers, SHELF_VAULT, key, note, &said));
    shelf_drop(world.answers, SHELF_VAULT, key);
    assert_false(shelf_get(world.answers, SHELF_VAULT, key, note, &said));
    put(&world, "a", "2", unix_us() + HOUR_US);
    shelf_drop(world.answers, SHELF_VAULT, key);
    put(&world, "a", "3", unix_us() + HOUR_US);
    settle(&world);
    assert_true(shelf_get(world.answers, SHELF_VAULT, key, note, &said));
    assert_true(str_is(buf_str(&said), "13"));
    world_done(&world);
}

/* Puts it there behind the back of the shelf. */
static void spoil(struct txn *txn, unsigned table, const char *key, const char *value)
{
    const bytes name = {.ptr = key, .len = 1 + strlen(key + 1)}; /* the first one is the shelf */
    assert_int_equal(txn_put(txn, table, name, bytes_from(str_from(value)), NULL), STATUS_OK);
}

static void a_damaged_row_is_none(void **)
{
    struct world world                = world_new();
    CLEANUP(buf_done) struct buf said = buf_init(64);
    struct txn *txn                   = NULL;
    put(&world, "a", "1", unix_us() + HOUR_US);
    settle(&world);
    assert_int_equal(txn_begin_write(world.answers->store, &txn, NULL), STATUS_OK);
    spoil(txn, TABLE_SHELVES, "\0short", "x");
    spoil(txn, TABLE_SHELVES, "\0alone", "no such number, and a row: it has no order");
    spoil(txn, TABLE_SHELF_ORDER, "\0", "short");
    assert_int_equal(txn_commit(txn, NULL), STATUS_OK);
    restart(&world);
    assert_false(shelf_get(world.answers, SHELF_VAULT, bytes_from(str_from("short")), note, &said));
    put(&world, "short", "2", unix_us() + HOUR_US);
    put(&world, "alone", "3", unix_us() + HOUR_US);
    shelf_drop(world.answers, SHELF_VAULT, bytes_from(str_from("a")));
    restart(&world);
    assert_rows(&world, "short=2 alone=3 ");
    world_done(&world);
}

static void hear_kept(bool is_kept, void *context)
{
    *(bool *)context = is_kept;
}

/* Rows that nobody waits for take no room from answers that are promised. */
static void rows_make_room_for_answers(void **)
{
    enum { STORE_SIZE = 16 << 20, ROWS = 2 * STORE_SIZE / ROW_MAX };
    struct world world = {.folder = folder_new(), .size_max = STORE_SIZE};
    char *row          = mem_new(ROW_MAX, 1);
    begin(&world);
    for (uint64_t i = 0; i < ROWS; i++) {
        const bytes key = {.ptr = &i, .len = sizeof i};
        shelf_put(world.answers, SHELF_CACHE, key, (bytes){.ptr = row, .len = ROW_MAX}, INT64_MAX);
        settle(&world);
    }
    for (uint64_t i = 1; i <= 4; i++) {
        bool is_kept          = false;
        Pb__KeptAnswer answer = PB__KEPT_ANSWER__INIT;
        answer.number         = i;
        answer.body           = (ProtobufCBinaryData){.data = (uint8_t *)row, .len = ROW_MAX};
        answers_keep(world.answers, &answer, hear_kept, &is_kept);
        settle(&world);
        assert_true(is_kept);
    }
    free(row);
    world_done(&world);
}

static void what_is_over_goes(void **)
{
    struct world world = world_new();
    int64_t now_us     = unix_us();
    put(&world, "a", "1", now_us + 2'000);
    put(&world, "b", "2", now_us + HOUR_US);
    restart(&world);
    assert_rows(&world, "a=1 b=2 ");
    atomic_fetch_add(&time_us, 2'000);
    put(&world, "c", "3", now_us + HOUR_US); /* whoever comes sweeps */
    restart(&world);
    assert_rows(&world, "b=2 c=3 ");
    atomic_fetch_add(&time_us, 2 * HOUR_US);
    restart(&world);
    assert_rows(&world, "");
    world_done(&world);
}

static void the_oldest_go_when_there_are_too_many(void **)
{
    struct world world = world_new();
    char *row          = mem_new(ROW_MAX, 1);
    char key[16];
    memset(row, 'x', ROW_MAX);
    enum { COUNT = SHELF_VAULT_MAX / ROW_MAX + 2 };
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(key, sizeof key, "%d", i);
        shelf_put(world.answers, SHELF_VAULT, bytes_from(str_from(key)),
                  (bytes){.ptr = row, .len = ROW_MAX}, INT64_MAX);
    }
    restart(&world);
    CLEANUP(buf_done) struct buf said = buf_init(1 << 16);
    assert_int_equal(shelf_each(world.answers, SHELF_VAULT, say, &said, NULL), STATUS_OK);
    assert_true(str_starts_with(buf_str(&said), str_from("3=xx")));
    (void)snprintf(key, sizeof key, " %d=", COUNT - 1);
    assert_non_null(strstr(said.ptr, key));
    free(row);
    world_done(&world);
}

static void without_a_folder_nothing_is_kept(void **)
{
    struct world world                   = {};
    const struct answers_options options = {.print_interrupted = print_interrupted};
    struct answers_options with_loop     = options;
    assert_int_equal(loop_new(NULL, &world.loop, NULL), STATUS_OK);
    with_loop.loop = world.loop;
    assert_int_equal(answers_open(&with_loop, &world.answers, NULL), STATUS_OK);
    put(&world, "a", "1", INT64_MAX);
    assert_int_equal(answers_waiting(world.answers), 0);
    assert_rows(&world, "");
    answers_freep(&world.answers);
    loop_freep(&world.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_there_after_a_restart),
        cmocka_unit_test(a_row_is_found_until_it_is_dropped),
        cmocka_unit_test(what_is_dropped_is_not_found_before_it_is_gone),
        cmocka_unit_test(a_damaged_row_is_none),
        cmocka_unit_test(rows_make_room_for_answers),
        cmocka_unit_test(what_is_over_goes),
        cmocka_unit_test(the_oldest_go_when_there_are_too_many),
        cmocka_unit_test(without_a_folder_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
