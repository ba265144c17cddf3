#include "workload.h"

#include "base/attr.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/backup.h"
#include "store/checkpoint.h"
#include "store/fault.h"
#include "store/key.h"

#include <stdlib.h>
#include <string.h>

enum table { TABLE_JOURNAL, TABLE_ROWS, TABLE_TIMERS, TABLE_PAYLOADS, TABLE_GUARD, TABLE_COUNT };
static const char *const tables[TABLE_COUNT + 1] = {"journal",  "rows",  "timers",
                                                    "payloads", "guard", NULL};

static const struct store_guard guard = {.table   = TABLE_GUARD,
                                         .key     = {"format", 6},
                                         .lowered = {"lowered", 7},
                                         .raised  = {"lowereD", 7}};

enum {
    ROWS        = 60, /* keys that are written again and again */
    ROW_MAX     = 400,
    PAYLOAD_MAX = 20'000, /* bytes: up to five pages */
};

status workload_open(const char *path, struct store **ret_store, struct error *reterr)
{
    const struct store_options options = {
        .path = path, .size_max = WORKLOAD_SIZE_MAX, .tables = tables, .guard = &guard};
    return store_open(&options, ret_store, reterr);
}

/* --- what a commit does ------------------------------------------------------------------------
 */

static size_t below(struct prng *prng, size_t limit)
{
    return (size_t)(prng_next(prng) % limit);
}

static status write_rows(struct txn *txn, struct prng *prng, uint64_t number, struct error *reterr)
{
    char value[ROW_MAX];
    memset(value, (int)('a' + number % 26), sizeof value);
    for (size_t i = 0, count = 1 + below(prng, 6); i < count; i++) {
        struct key_u64 key = key_of_u64(below(prng, ROWS));
        TRY(txn_put(txn, TABLE_ROWS, key_u64_bytes(&key), (bytes){value, 1 + below(prng, ROW_MAX)},
                    reterr));
    }
    return STATUS_OK;
}

/* A timer that is set is often moved soon. */
static status write_timers(struct txn *txn, struct prng *prng, uint64_t number,
                           struct error *reterr)
{
    struct key_u64 key = key_of_u64(number * 1'000 + below(prng, 1'000));
    TRY(txn_put(txn, TABLE_TIMERS, key_u64_bytes(&key), (bytes){}, reterr));
    if (number % 2 == 0) return STATUS_OK;
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(txn, TABLE_TIMERS, &(struct scan){}, &cursor, reterr));
    bytes first = {};
    bytes value = {};
    TRY(cursor_next(cursor, &first, &value, reterr));
    return cursor_delete(cursor, reterr);
}

static status write_payload(struct txn *txn, struct prng *prng, uint64_t number,
                            struct error *reterr)
{
    char *payload = mem_new(PAYLOAD_MAX, 1);
    size_t len    = 1 + below(prng, PAYLOAD_MAX);
    memset(payload, (int)('A' + number % 26), len);
    struct key_u64 key = key_of_u64(number);
    status code =
        txn_append(txn, TABLE_PAYLOADS, key_u64_bytes(&key), (bytes){payload, len}, reterr);
    free(payload);
    TRY(code);
    if (number <= 20) return STATUS_OK;
    key  = key_of_u64(number - 20); /* old ones go, and their pages are used again */
    code = txn_delete(txn, TABLE_PAYLOADS, key_u64_bytes(&key), NULL);
    return code == STATUS_NOT_FOUND ? STATUS_OK : code;
}

static status write_all(struct txn *txn, struct prng *prng, uint64_t number, struct error *reterr)
{
    struct key_u64 key = key_of_u64(number);
    TRY(txn_append(txn, TABLE_JOURNAL, key_u64_bytes(&key), (bytes){&number, sizeof number},
                   reterr));
    TRY(write_rows(txn, prng, number, reterr));
    TRY(write_timers(txn, prng, number, reterr));
    return number % 3 == 0 ? write_payload(txn, prng, number, reterr) : STATUS_OK;
}

static status commit(struct store *store, uint64_t seed, uint64_t number, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct prng prng                    = {seed ^ number * 0x9e3779b97f4a7c15};
    TRY(txn_begin_write(store, &txn, reterr));
    TRY(write_all(txn, &prng, number, reterr));
    return txn_commit(TAKE(txn), reterr);
}

/* What was written and dropped must leave no trace. */
static status drop(struct store *store, uint64_t seed, uint64_t number, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct prng prng                    = {seed + number};
    TRY(txn_begin_write(store, &txn, reterr));
    return write_all(txn, &prng, number, reterr);
}

/* --- as a release without the log finds it -----------------------------------------------------
 */

static status is_raised(struct store *store, bool *ret_is, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    bytes value                         = {};
    *ret_is                             = false;
    TRY(txn_begin_read(store, &txn, reterr));
    status got = txn_get(txn, TABLE_GUARD, guard.key, &value, NULL);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    TRY(got);
    *ret_is = value.len == guard.raised.len && memcmp(value.ptr, guard.raised.ptr, value.len) == 0;
    return STATUS_OK;
}

status workload_see_without_log(const char *path, bool *ret_is_refused,
                                struct fingerprint *ret_found, struct error *reterr)
{
    CLEANUP(store_closep) struct store *store = NULL;
    TRY(store_open_backup(path, tables, &store, reterr));
    TRY(is_raised(store, ret_is_refused, reterr));
    return *ret_is_refused ? STATUS_OK : fingerprint_of(store, ret_found, reterr);
}

status workload_go_on(struct store *store, uint64_t number, struct error *reterr)
{
    return commit(store, 0, number, reterr);
}

/* --- the run -----------------------------------------------------------------------------------
 */

/* A checkpoint begins at some commits, and its work is done some commits later. */
static status check_point(struct workload *workload, struct store *store, uint64_t number,
                          struct error *reterr)
{
    struct prng prng = {workload->seed * 31 + number};
    size_t chance    = below(&prng, 8);
    if (chance < 2) store_checkpoint_want(store);
    if (chance < 4) return STATUS_OK;
    status worked = store_checkpoint_work(store, reterr);
    return worked == STATUS_NOT_FOUND ? STATUS_OK : worked;
}

/* One commit, and what comes with it. */
static status play_one(struct workload *workload, struct store *store, uint64_t number,
                       struct error *reterr)
{
    TRY(check_point(workload, store, number, reterr));
    if (number % 7 == 0) TRY(drop(store, workload->seed, number, reterr));
    return commit(store, workload->seed, number, reterr);
}

/* What a process that is killed leaves: the log stays, and the next one must make use of it. */
static void kill_store(const struct workload *workload, struct store *store, uint64_t number)
{
    store_fault_at_commit(store, STATUS_UNAVAILABLE);
    (void)commit(store, workload->seed, number, NULL);
}

/* Between two parts the store is opened again: after it was killed, after it was closed. */
status workload_play(struct workload *workload, const char *path,
                     void (*acked)(uint64_t number, void *context), void *context,
                     struct error *reterr)
{
    enum { PART = 25 /* commits */ };
    for (uint64_t from = 1; from <= workload->commits; from += PART) {
        uint64_t until = from + PART;
        if (until > workload->commits + 1) until = workload->commits + 1;
        CLEANUP(store_closep) struct store *store = NULL;
        TRY(workload_open(path, &store, reterr));
        store_checkpoint_by_hand(store);
        for (uint64_t number = from; number < until; number++) {
            TRY(play_one(workload, store, number, reterr));
            acked(number, context);
        }
        if (from / PART % 3 != 0) kill_store(workload, store, until);
    }
    return STATUS_OK;
}

/* What must be in the store after each commit. */
static status foresee(struct workload *workload, struct error *reterr)
{
    const struct store_options in_memory      = {.size_max = WORKLOAD_SIZE_MAX, .tables = tables};
    CLEANUP(store_closep) struct store *model = store_open_memory(&in_memory);
    TRY(fingerprint_of(model, &workload->after[0], reterr));
    for (uint64_t number = 1; number <= workload->commits; number++) {
        TRY(commit(model, workload->seed, number, reterr));
        TRY(fingerprint_of(model, &workload->after[number], reterr));
    }
    return STATUS_OK;
}

static void note_ack(uint64_t number, void *context)
{
    recording_ack(context, number);
}

/* Recorded from an empty folder on. */
static status record(struct workload *workload, const char *path, struct error *reterr)
{
    TRY(recording_start(&workload->recording, path, reterr));
    status code = workload_play(workload, path, note_ack, &workload->recording, reterr);
    recording_stop();
    return code;
}

status workload_new(uint64_t seed, uint64_t commits, struct workload *ret_workload,
                    struct error *reterr)
{
    struct workload workload = {.seed = seed, .commits = commits};
    workload.after           = mem_new(commits + 1, sizeof *workload.after);
    status code              = foresee(&workload, reterr);
    if (code == STATUS_OK) {
        *ret_workload = workload;
    } else {
        workload_done(&workload);
    }
    return code;
}

status workload_run(const char *path, uint64_t seed, uint64_t commits,
                    struct workload *ret_workload, struct error *reterr)
{
    struct workload workload = {};
    TRY(workload_new(seed, commits, &workload, reterr));
    status code = record(&workload, path, reterr);
    if (code == STATUS_OK) {
        *ret_workload = workload;
    } else {
        workload_done(&workload);
    }
    return code;
}

void workload_done(struct workload *workload)
{
    recording_done(&workload->recording);
    free(workload->after);
    workload->after = NULL;
}

/* --- fingerprints ------------------------------------------------------------------------------
 */

static status add_entry(bytes key, bytes value, struct error *, void *context)
{
    struct fingerprint *sum = context;
    uint64_t lengths[2]     = {key.len, value.len};
    const bytes parts[]     = {
            {sum->digest, sizeof sum->digest}, {lengths, sizeof lengths}, key, value};
    sha256_parts(parts, ARRAY_LEN(parts), sum->digest);
    return STATUS_OK;
}

status fingerprint_of(struct store *store, struct fingerprint *ret_fingerprint,
                      struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct fingerprint sum              = {};
    TRY(txn_begin_read(store, &txn, reterr));
    for (unsigned table = 0; table < TABLE_GUARD; table++) {
        struct page page = {};
        TRY(add_entry((bytes){&table, sizeof table}, (bytes){}, reterr, &sum));
        do {
            TRY(txn_page(txn, table, &(struct scan){}, 1'000, &page, add_entry, &sum, reterr));
        } while (page.has_more);
    }
    *ret_fingerprint = sum;
    return STATUS_OK;
}
