/* The search finds what a look at every vector finds, in rows with codes and in those of before. */
#include "base/attr.h"
#include "base/random.h"
#include "cmocka.h"
#include "tool-adapter/memory/vector_rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 1'500, DIMENSIONS = 37, BATCH = 250, LIMIT = 20, QUERIES = 20, KEY_SIZE = 16 };

static const struct memory_scope scope = {.tenant    = {.ptr = "t", .len = 1},
                                          .namespace = {.ptr = "n", .len = 1}};

struct fixture {
    struct memory_store *store;
    struct memory_space space;
    struct arena *arena; /* of the space's texts */
    float *vectors;
    struct prng prng;
};

/* Every fourth one is that before it: equal scores come in the order of the entries. */
static void fill(struct fixture *it, size_t i)
{
    float *vector = it->vectors + i * DIMENSIONS;
    for (size_t d = 0; d < DIMENSIONS; d++) {
        vector[d] = (float)((double)(prng_next(&it->prng) >> 11) * 0x1p-52 - 1);
    }
    if (i % 4 == 3) memcpy(vector, vector - DIMENSIONS, DIMENSIONS * sizeof *vector);
    assert_true(vector_normalise(vector, DIMENSIONS));
}

static void find_space(struct fixture *it)
{
    arena_clear(it->arena);
    it->space = (struct memory_space){};
    assert_int_equal(memory_space_find(it->store, &scope, it->arena, &it->space, NULL), STATUS_OK);
    it->space.versions[MEMORY_CURRENT].asked = (str){};
}

static void write_batch(struct fixture *it, size_t from)
{
    struct memory_item items[BATCH] = {};
    char keys[BATCH][KEY_SIZE];
    for (size_t i = 0; i < BATCH; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "k%06zu", from + i);
        items[i].key                     = str_from(keys[i]);
        items[i].content                 = items[i].key;
        items[i].vectors[MEMORY_CURRENT] = it->vectors + (from + i) * DIMENSIONS;
        sha256(bytes_from(items[i].content), items[i].hash);
    }
    assert_int_equal(memory_write(it->store, &scope, &it->space, items, BATCH, 1, NULL), STATUS_OK);
    find_space(it);
}

static int set_up(void **state)
{
    static const struct memory_store_options options = {.size_max = 64 << 20};
    struct fixture *it                               = calloc(1, sizeof *it);
    it->arena                                        = arena_new(1 << 20);
    it->vectors    = calloc((size_t)COUNT * DIMENSIONS, sizeof(float));
    it->prng.state = 7;
    if (memory_store_open(&options, &it->store, NULL) != STATUS_OK) return -1;
    it->space.versions[MEMORY_CURRENT] =
        (struct memory_version){.model = {.ptr = "m", .len = 1}, .dimensions = DIMENSIONS};
    for (size_t i = 0; i < COUNT; i++) fill(it, i);
    for (size_t from = 0; from < COUNT; from += BATCH) write_batch(it, from);
    *state = it;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *it = *state;
    memory_store_closep(&it->store);
    arena_free(it->arena);
    free(it->vectors);
    free(it);
    return 0;
}

struct seen {
    float score;
    size_t at;
};

static int best_first(const void *left, const void *right)
{
    const struct seen *a = left;
    const struct seen *b = right;
    if (a->score != b->score) return a->score < b->score ? 1 : -1;
    return a->at < b->at ? -1 : 1;
}

static size_t look_at_all(const struct fixture *it, const float *query, float least,
                          struct seen seen[static COUNT])
{
    size_t count = 0;
    for (size_t i = 0; i < COUNT; i++) {
        float score = it->store->dot(query, it->vectors + i * DIMENSIONS, DIMENSIONS);
        if (score >= least) seen[count++] = (struct seen){.score = score, .at = i};
    }
    qsort(seen, count, sizeof *seen, best_first);
    return count < LIMIT ? count : LIMIT;
}

static void check_query(const struct fixture *it, const float *query, float least)
{
    static const atomic_bool is_cancelled = false;
    static struct seen seen[COUNT];
    const struct memory_query asked = {
        .vector = query, .limit = LIMIT, .score_min = least, .until = {&is_cancelled, INT64_MAX}};
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct memory_page page                  = {};
    assert_int_equal(memory_recall(it->store, &scope, &it->space, &asked, arena, &page, NULL),
                     STATUS_OK);
    size_t count = look_at_all(it, query, least, seen);
    assert_int_equal(page.count, count);
    for (size_t i = 0; i < count; i++) {
        char key[KEY_SIZE];
        (void)snprintf(key, sizeof key, "k%06zu", seen[i].at);
        assert_true(str_is(page.entries[i].key, key));
        assert_true(page.entries[i].score == seen[i].score);
    }
}

static void check_queries(struct fixture *it)
{
    static const float least[] = {-2, 0.2F, 0.5F, 2};
    for (size_t i = 0; i < QUERIES; i++) {
        float query[DIMENSIONS];
        for (size_t d = 0; d < DIMENSIONS; d++) {
            query[d] = (float)((double)(prng_next(&it->prng) >> 11) * 0x1p-52 - 1);
        }
        if (i % 4 == 0) memcpy(query, it->vectors + i * DIMENSIONS, sizeof query);
        assert_true(vector_normalise(query, DIMENSIONS));
        check_query(it, query, least[i % ARRAY_LEN(least)]);
    }
}

static void finds_what_a_look_at_all_finds(void **state)
{
    check_queries(*state);
}

/* A row of before ends behind the floats. */
static void cut_rows(struct fixture *it)
{
    CLEANUP(txn_abortp) struct txn *txn          = NULL;
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    size_t size = VECTOR_ROW_HEAD + vector_row_slots(DIMENSIONS) * DIMENSIONS * sizeof(float);
    bytes key   = {};
    bytes value = {};
    assert_int_equal(txn_begin_write(it->store->store, &txn, NULL), STATUS_OK);
    assert_int_equal(cursor_open(txn, TABLE_VECTORS, &(struct scan){}, &cursor, NULL), STATUS_OK);
    unsigned rows = 0;
    for (; cursor_next(cursor, &key, &value, NULL) == STATUS_OK; rows++) {
        struct vector_row row = {};
        assert_int_equal(vector_row_read(DIMENSIONS, key, value, &row, NULL), STATUS_OK);
        assert_non_null(row.codes);
        uint8_t *cut = malloc(size);
        struct key copy;
        key_begin(&copy);
        memcpy(cut, value.ptr, size);
        memcpy(copy.data, key.ptr, key.len);
        copy.len = key.len;
        assert_int_equal(txn_put(txn, TABLE_VECTORS, key_bytes(&copy), (bytes){cut, size}, NULL),
                         STATUS_OK);
        free(cut);
    }
    assert_true(rows > 1);
    cursor_close(TAKE(cursor));
    assert_int_equal(txn_commit(TAKE(txn), NULL), STATUS_OK);
}

static unsigned rows_with_codes(struct fixture *it, unsigned *ret_rows)
{
    CLEANUP(txn_abortp) struct txn *txn          = NULL;
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    bytes key                                    = {};
    bytes value                                  = {};
    unsigned count                               = 0;
    assert_int_equal(txn_begin_read(it->store->store, &txn, NULL), STATUS_OK);
    assert_int_equal(cursor_open(txn, TABLE_VECTORS, &(struct scan){}, &cursor, NULL), STATUS_OK);
    for (*ret_rows = 0; cursor_next(cursor, &key, &value, NULL) == STATUS_OK; ++*ret_rows) {
        struct vector_row row = {};
        assert_int_equal(vector_row_read(DIMENSIONS, key, value, &row, NULL), STATUS_OK);
        count += row.codes != NULL;
    }
    return count;
}

static void reads_rows_of_before(void **state)
{
    struct fixture *it = *state;
    unsigned rows      = 0;
    cut_rows(it);
    assert_int_equal(rows_with_codes(it, &rows), 0);
    check_queries(it);

    /* One that is written gets codes for all that it holds. */
    fill(it, 0);
    const struct memory_item item = {.key     = str_from("k000000"),
                                     .content = str_from("other"),
                                     .hash    = {1},
                                     .vectors = {[MEMORY_CURRENT] = it->vectors}};
    struct memory_item items[]    = {item};
    assert_int_equal(memory_write(it->store, &scope, &it->space, items, 1, 1, NULL), STATUS_OK);
    find_space(it);
    assert_int_equal(rows_with_codes(it, &rows), 1);
    check_queries(it);
}

static void codes_are_off_by_what_they_say(void **state)
{
    struct fixture *it = *state;
    int8_t codes[DIMENSIONS];
    for (size_t i = 0; i + 1 < COUNT; i++) {
        const float *vector           = it->vectors + i * DIMENSIONS;
        const float *query            = vector + DIMENSIONS;
        const struct vector_code code = vector_encode(vector, DIMENSIONS, codes);
        double exact                  = 0;
        for (size_t d = 0; d < DIMENSIONS; d++) exact += (double)query[d] * (double)vector[d];
        double said = (double)(code.step * it->store->dot_codes(query, codes, DIMENSIONS));
        assert_true(fabs(exact - said) <= (double)code.error);
        assert_true(code.error < 0.02F); /* or they would be of no use */
    }
    float nothing[DIMENSIONS] = {};
    assert_true(vector_encode(nothing, DIMENSIONS, codes).step == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_what_a_look_at_all_finds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_rows_of_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(codes_are_off_by_what_they_say, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
