/* What calls write together: a commit for all that wait, a row of vectors once, and none of it at
 * another one's cost. */
#include "base/attr.h"
#include "cmocka.h"
#include "store/fault.h"
#include "tool-adapter/memory/vector_rows.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { DIMENSIONS = 512, CALLS = CHANGES_PER_COMMIT + 3, SLOTS = 32, KEY_SIZE = 16 };

static const struct memory_scope scopes[] = {{.tenant = {"t", 1}, .namespace = {"a", 1}},
                                             {.tenant = {"t", 1}, .namespace = {"b", 1}}};
static const struct memory_version first  = {.model = {"m", 1}, .dimensions = DIMENSIONS};

static int set_up(void **state)
{
    static const struct memory_store_options options = {.size_max = 64 << 20};
    struct memory_store *store                       = NULL;
    if (memory_store_open(&options, &store, NULL) != STATUS_OK) return -1;
    *state = store;
    return 0;
}

static int tear_down(void **state)
{
    struct memory_store *store = *state;
    memory_store_closep(&store);
    return 0;
}

/* A direction for each number. */
static void fill(float *vector, unsigned number)
{
    memset(vector, 0, DIMENSIONS * sizeof *vector);
    vector[number % DIMENSIONS] = 1;
}

static struct memory_space find_space(struct memory_store *store, const struct memory_scope *scope)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 16);
    struct memory_space space                = {};
    assert_int_equal(memory_space_find(store, scope, arena, &space, NULL), STATUS_OK);
    if (!space.id) space.versions[MEMORY_CURRENT] = first;
    for (unsigned i = 0; i < MEMORY_VERSIONS; i++) space.versions[i].asked = (str){};
    return space;
}

/* --- calls that wait ----------------------------------------------------------------------------
 */

struct call {
    pthread_t thread;
    struct memory_store *store;
    const struct memory_scope *scope;
    struct memory_space space; /* as memory_look() said */
    char key[KEY_SIZE];
    float vector[DIMENSIONS];
    status code;
};

static void *remember(void *context)
{
    struct call *call       = context;
    struct memory_item item = {.key     = str_from(call->key),
                               .content = str_from(call->key),
                               .vectors = {[MEMORY_CURRENT] = call->vector}};
    sha256(bytes_from(item.content), item.hash);
    call->code = memory_write(call->store, call->scope, &call->space, &item, 1, 1, NULL);
    return NULL;
}

static size_t waiting(struct change_queue *queue)
{
    size_t count = 0;
    (void)pthread_mutex_lock(&queue->mutex);
    for (const struct change_ask *ask = queue->first; ask; ask = ask->next) count++;
    (void)pthread_mutex_unlock(&queue->mutex);
    return count;
}

static void set_writing(struct change_queue *queue, bool is_writing)
{
    (void)pthread_mutex_lock(&queue->mutex);
    queue->is_writing = is_writing;
    (void)pthread_cond_broadcast(&queue->written);
    (void)pthread_mutex_unlock(&queue->mutex);
}

/* All of them wait before the first is written. */
static void remember_at_once(struct memory_store *store, struct call *calls)
{
    set_writing(&store->queue, true);
    for (unsigned i = 0; i < CALLS; i++) {
        calls[i].store = store;
        calls[i].scope = &scopes[i % 2];
        (void)snprintf(calls[i].key, KEY_SIZE, "k%u", i);
        fill(calls[i].vector, i);
        assert_int_equal(pthread_create(&calls[i].thread, NULL, remember, &calls[i]), 0);
    }
    while (waiting(&store->queue) < CALLS) (void)sched_yield();
    set_writing(&store->queue, false);
    for (unsigned i = 0; i < CALLS; i++) (void)pthread_join(calls[i].thread, NULL);
}

static struct call *calls_new(struct memory_store *store)
{
    struct call *calls = calloc(CALLS, sizeof *calls);
    for (unsigned i = 0; i < CALLS; i++) calls[i].space = find_space(store, &scopes[i % 2]);
    return calls;
}

static void assert_found(struct memory_store *store, const struct call *call, bool is_there)
{
    static const atomic_bool is_cancelled    = false;
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct memory_space space                = find_space(store, call->scope);
    const struct memory_query query          = {
                 .vector = call->vector, .limit = 1, .score_min = 0.9F, .until = {&is_cancelled, INT64_MAX}};
    struct memory_page page = {};
    assert_int_equal(memory_recall(store, call->scope, &space, &query, arena, &page, NULL),
                     STATUS_OK);
    assert_int_equal(page.count, is_there);
    if (is_there) assert_true(str_is(page.entries[0].key, call->key));
}

/* The commit of those who waited fails, and nobody hears of it: each is written by itself. */
static void calls_that_wait_share_a_commit(void **state)
{
    struct memory_store *store = *state;
    struct call *calls         = calls_new(store);
    store_fault_at_commit(store->store, STATUS_RESOURCE_EXHAUSTED);
    remember_at_once(store, calls);
    for (unsigned i = 0; i < CALLS; i++) {
        assert_int_equal(calls[i].code, STATUS_OK);
        assert_found(store, &calls[i], true);
    }
    assert_int_equal(find_space(store, &scopes[0]).count, (CALLS + 1) / 2);
    assert_int_equal(find_space(store, &scopes[1]).count, CALLS / 2);
    free(calls);
}

static void one_that_fails_fails_alone(void **state)
{
    enum { WRONG = 4 };
    struct memory_store *store                  = *state;
    struct call *calls                          = calls_new(store);
    calls[WRONG].space.versions[MEMORY_NEXT].id = 99;
    remember_at_once(store, calls);
    for (unsigned i = 0; i < CALLS; i++) {
        assert_int_equal(calls[i].code, i == WRONG ? STATUS_ABORTED : STATUS_OK);
        assert_found(store, &calls[i], i != WRONG);
    }
    assert_int_equal(find_space(store, &scopes[0]).versions[MEMORY_CURRENT].count, CALLS / 2);
    free(calls);
}

/* Nobody knows what is on disk: nobody hears that it is. */
static void all_hear_of_a_failure_that_is_final(void **state)
{
    struct memory_store *store = *state;
    struct call *calls         = calls_new(store);
    store_fault_at_commit(store->store, STATUS_UNAVAILABLE);
    remember_at_once(store, calls);
    for (unsigned i = 0; i < CALLS; i++) assert_int_equal(calls[i].code, STATUS_UNAVAILABLE);
    assert_true(memory_store_is_failed(store));
    store_revive(store->store);
    assert_int_equal(find_space(store, &scopes[0]).id, 0);
    free(calls);
}

/* --- rows of vectors ----------------------------------------------------------------------------
 */

struct rows {
    struct store *store;
    float vectors[2 * SLOTS][DIMENSIONS];
};

/* What was noted takes so many writes. */
static void write_in(const struct rows *rows, struct change *change, unsigned writes)
{
    store_fault_write_at(rows->store, writes + 1, STATUS_INTERNAL);
    assert_int_equal(vectors_write(change, NULL), STATUS_OK);
    assert_true(store_fault_is_pending(rows->store));
    store_fault_write_at(rows->store, 0, STATUS_OK);
}

static void assert_vector(struct change *change, unsigned sequence, const float *vector)
{
    const Pb__MemorySpace *space = change->space;
    const void *found            = vector_find(change->txn, space->id, space->current, sequence);
    assert_true(!found == !vector);
    if (vector) assert_memory_equal(found, vector, DIMENSIONS * sizeof *vector);
}

/* Neither in order nor row by row. */
static status put_two_rows(struct change *change, struct error *reterr, void *context)
{
    enum { STEP = 37, COUNT = 2 * SLOTS };
    const struct rows *rows    = context;
    Pb__MemoryVersion *version = change->space->current;
    (void)reterr;
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned at = i * STEP % COUNT;
        vector_put(change, version, at, rows->vectors[at]);
    }
    write_in(rows, change, 2);
    assert_int_equal(version->count, COUNT);
    for (unsigned i = 0; i < COUNT; i++) assert_vector(change, i, rows->vectors[i]);
    return STATUS_OK;
}

static status change_mind(struct change *change, struct error *reterr, void *context)
{
    const struct rows *rows    = context;
    Pb__MemoryVersion *version = change->space->current;
    (void)reterr;
    vector_delete(change, version, 3);
    vector_put(change, version, 3, rows->vectors[4]);
    vector_put(change, version, 5, rows->vectors[6]);
    vector_delete(change, version, 5);
    vector_delete(change, version, 2 * SLOTS + 1); /* of a row that is not there */
    vector_delete(change, NULL, 1);
    for (unsigned i = SLOTS; i < 2 * SLOTS; i++) vector_delete(change, version, i);
    write_in(rows, change, 2);
    assert_int_equal(version->count, SLOTS - 1);
    assert_vector(change, 3, rows->vectors[4]);
    assert_vector(change, 5, NULL);
    assert_vector(change, SLOTS, NULL);
    vector_delete(change, version, 5);
    write_in(rows, change, 0);
    return STATUS_OK;
}

static void a_row_is_written_once(void **state)
{
    struct memory_store *store = *state;
    struct rows *rows          = calloc(1, sizeof *rows);
    struct call call           = {.store = store, .scope = &scopes[0], .key = "first"};
    rows->store                = store->store;
    for (unsigned i = 0; i < 2 * SLOTS; i++) fill(rows->vectors[i], i);
    assert_int_equal(vector_row_slots(DIMENSIONS), SLOTS);
    call.space = find_space(store, &scopes[0]);
    fill(call.vector, 0);
    (void)remember(&call);
    assert_int_equal(call.code, STATUS_OK);
    assert_int_equal(change_run(store, &scopes[0], put_two_rows, rows, NULL), STATUS_OK);
    assert_int_equal(change_run(store, &scopes[0], change_mind, rows, NULL), STATUS_OK);
    free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_that_wait_share_a_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_fails_fails_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_hear_of_a_failure_that_is_final, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_row_is_written_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
