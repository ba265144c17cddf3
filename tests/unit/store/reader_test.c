/* Readers on other threads, of either kind of store. */
#include "support/store/both_kinds.h"

enum { TRANSFERS = 300, READS = 300 };

/* Two entries that are always written together must always read the same. */
static const char *read_pairs(struct store *store)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    if (txn_begin_read(store, &txn, NULL) != STATUS_OK) return "begin failed";
    for (int i = 0; i < READS; i++) {
        bytes a;
        bytes b;
        status code_a = txn_get(txn, TABLE_A, of("pair"), &a, NULL);
        status code_b = txn_get(txn, TABLE_B, of("pair"), &b, NULL);
        if (code_a != code_b) return "half a commit";
        if (code_a == STATUS_OK && memcmp(a.ptr, b.ptr, 8) != 0) return "two commits";
        txn_reset(txn);
        if (txn_renew(txn, NULL) != STATUS_OK) return "renew failed";
    }
    return NULL;
}

static void *run_reader(void *context)
{
    struct reader *reader = context;
    reader->problem       = read_pairs(reader->store);
    return NULL;
}

static void readers_see_whole_commits(struct fixture *f)
{
    enum { READERS = 3 };
    struct reader readers[READERS];
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.store = f->store};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, run_reader, &readers[i]), 0);
    }
    uint64_t size = SIZE_MAX_BYTES;
    for (uint64_t i = 0; i < TRANSFERS; i++) {
        struct key_u64 value = key_of_u64(i);
        struct txn *txn      = begin_write(f);
        assert_int_equal(txn_put(txn, TABLE_A, of("pair"), key_u64_bytes(&value), &f->error),
                         STATUS_OK);
        assert_int_equal(txn_put(txn, TABLE_B, of("pair"), key_u64_bytes(&value), &f->error),
                         STATUS_OK);
        commit(f, txn);
        if (i % 10 == 0 && store_grow(f->store, size + 4096, NULL) == STATUS_OK) size += 4096;
    }
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        assert_null(readers[i].problem);
    }
}

static const struct row rows[] = {
    {"readers_see_whole_commits", readers_see_whole_commits},
};

int main(void)
{
    return run_rows(rows, ARRAY_LEN(rows));
}
