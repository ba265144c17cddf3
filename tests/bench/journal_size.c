/*
 * What runs leave behind: reads the store of a stopped scheduler with one partition, and prints the
 * number of runs, the bytes of their journal entries with keys, the entries, and the bytes of
 * payloads and of snapshots, with keys.
 *
 *     journal_size FOLDER
 */
#include "base/attr.h"
#include "scheduler/engine/partition.h"
#include "scheduler/tables/tables.h"

#include <inttypes.h>
#include <stdio.h>

struct sum {
    uint64_t bytes;
    uint64_t entries;
};

static const uint64_t map_bytes = 64ULL << 30;

static status add_up(struct txn *txn, unsigned table, struct sum *sum, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(txn, table, &(struct scan){}, &cursor, reterr));
    for (;;) {
        bytes key   = {};
        bytes value = {};
        status next = cursor_next(cursor, &key, &value, reterr);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return next;
        sum->bytes += key.len + value.len;
        sum->entries++;
    }
}

static status measure(const char *folder, struct error *reterr)
{
    const struct partition_options options = {.folder = folder, .map_size = map_bytes, .count = 1};
    CLEANUP(partition_closep) struct partition *partition = NULL;
    TRY(partition_open(&options, &partition, reterr));

    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct sum journal                  = {};
    struct sum payloads                 = {};
    struct sum snapshots                = {};
    uint64_t runs                       = 0;
    TRY(txn_begin_read(partition->store, &txn, reterr));
    TRY(txn_count(txn, TABLE_RUNS, &runs, reterr));
    TRY(add_up(txn, TABLE_JOURNAL, &journal, reterr));
    TRY(add_up(txn, TABLE_PAYLOADS, &payloads, reterr));
    TRY(add_up(txn, TABLE_SNAPSHOTS, &snapshots, reterr));
    (void)printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", runs,
                 journal.bytes, journal.entries, payloads.bytes, snapshots.bytes);
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    struct error error = {};
    if (argc != 2) {
        (void)fprintf(stderr, "usage: journal_size FOLDER\n");
        return 2;
    }
    if (measure(argv[1], &error) == STATUS_OK) return 0;
    (void)fprintf(stderr, "journal_size: %s\n", error.text);
    return 1;
}
