/*
 * Checkpoints of LMDB's file. Between two commits a snapshot is taken, and with it the two pages in
 * front of the file, which go to the other file of the log. A thread makes the file durable and
 * then that base of the log. Only then is the snapshot before it let go.
 */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/checkpoint.h"
#include "store/disk.h"
#include "store/lmdb_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    EVERY_US   = 1'000'000, /* while there are commits */
    LOG_BYTES  = 8 << 20,   /* what a start after kill -9 applies again is about twice this */
    LOG_MAX    = 4 * LOG_BYTES,
    FREED_MIN  = 2048, /* pages, 8 MiB, that wait to be used again, and make the file larger */
    FREED_PART = 4,    /* or this part of the file */
    REST_PARTS = 2,    /* times as long as one took there is none for their sake */
    TIGHT_PART = 8,    /* of the map, or so many pages: with less room none may wait */
    TIGHT_MAX  = 4096,
    METAS      = 2, /* pages in front: liblmdb 0.9.24, NUM_METAS */
};

static const char file_name[] = "data.mdb";

static status fd_of(const struct lmdb_store *store, int *ret_fd, struct error *reterr)
{
    return lmdb_status(mdb_env_get_fd(store->env, ret_fd), "checkpoint", reterr);
}

static uint64_t page_count(const struct lmdb_store *store)
{
    MDB_envinfo info;
    return mdb_env_info(store->env, &info) == MDB_SUCCESS ? info.me_last_pgno + 1 : 0;
}

/* The pages in front, as the last commit has left them; no other one may come meanwhile. */
static status read_front(const struct lmdb_store *store, uint8_t front[static WAL_BASE_MAX],
                         size_t *ret_len, struct error *reterr)
{
    int fd = -1;
    MDB_stat stat;
    TRY(fd_of(store, &fd, reterr));
    TRY(lmdb_status(mdb_env_stat(store->env, &stat), "checkpoint", reterr));
    size_t len = METAS * (size_t)stat.ms_psize;
    ASSERT(len <= WAL_BASE_MAX);
    ssize_t got = pread(fd, front, len, 0);
    if (got != (ssize_t)len) return fail(reterr, STATUS_UNAVAILABLE, "store: read its file: %m");
    *ret_len = len;
    return STATUS_OK;
}

static status begin_reader(const struct lmdb_store *store, MDB_txn **ret_txn, struct error *reterr)
{
    return lmdb_status(mdb_txn_begin(store->env, NULL, MDB_RDONLY, ret_txn), "checkpoint", reterr);
}

static void note_begin(struct lmdb_store *store)
{
    store->checkpoint.begun_us    = clock_mono_us();
    store->checkpoint.freed_pages = 0;
}

/* --- the first one -----------------------------------------------------------------------------
 */

status checkpoint_pin(struct lmdb_store *store, struct error *reterr)
{
    struct checkpoint *checkpoint = &store->checkpoint;
    if (checkpoint->pin) mdb_txn_abort(checkpoint->pin);
    checkpoint->pin = NULL;
    TRY(begin_reader(store, &checkpoint->pin, reterr));
    if (checkpoint->look) return STATUS_OK;
    TRY(begin_reader(store, &checkpoint->look, reterr));
    mdb_txn_reset(checkpoint->look);
    return STATUS_OK;
}

static status open_log(struct lmdb_store *store, const struct wal_past *past, uint8_t *front,
                       struct error *reterr)
{
    size_t len   = 0;
    int fd       = -1;
    MDB_txn *now = NULL;
    TRY(fd_of(store, &fd, reterr));
    TRY(disk_sync(fd, file_name, reterr));
    TRY(read_front(store, front, &len, reterr));
    TRY(begin_reader(store, &now, reterr));
    const struct wal_base base = {.commit = mdb_txn_id(now), .keep = {front, len}};
    mdb_txn_abort(now);
    const char *folder = NULL;
    TRY(lmdb_status(mdb_env_get_path(store->env, &folder), "checkpoint", reterr));
    return wal_open(folder, past, &base, &store->wal, reterr);
}

status checkpoint_first(struct lmdb_store *store, const struct wal_past *past, struct error *reterr)
{
    ASSERT(!store->wal);
    uint8_t *front = mem_new(WAL_BASE_MAX, 1);
    status code    = open_log(store, past, front, reterr);
    free(front);
    TRY(code);
    note_begin(store);
    return STATUS_OK;
}

status checkpoint_resume(struct lmdb_store *store, const struct wal_past *past,
                         struct error *reterr)
{
    const char *folder = NULL;
    TRY(lmdb_status(mdb_env_get_path(store->env, &folder), "checkpoint", reterr));
    status resumed = wal_resume(folder, past, &store->wal, reterr);
    if (resumed == STATUS_FAILED_PRECONDITION) {
        TRY(checkpoint_first(store, past, reterr));
        return checkpoint_pin(store, reterr);
    }
    TRY(resumed);
    note_begin(store);
    store->checkpoint.is_wanted = true;
    return STATUS_OK;
}

/* --- room --------------------------------------------------------------------------------------
 */

/* In the state that the last commit has left. */
static status count_free(const struct lmdb_store *store, const struct free_pages *which,
                         size_t *ret_pages, struct error *reterr)
{
    MDB_txn *look = store->checkpoint.look;
    TRY(lmdb_status(mdb_txn_renew(look), "count free pages", reterr));
    status counted = free_pages_count(look, which, ret_pages, reterr);
    mdb_txn_reset(look);
    return counted;
}

/* What the last commit has freed waits for the next checkpoint. */
static status note_freed(struct lmdb_store *store, struct error *reterr)
{
    MDB_envinfo info;
    size_t count = 0;
    TRY(lmdb_status(mdb_env_info(store->env, &info), "count free pages", reterr));
    const struct free_pages last = {
        .from = info.me_last_txnid, .until = SIZE_MAX, .enough = SIZE_MAX};
    TRY(count_free(store, &last, &count, reterr));
    store->checkpoint.freed_pages += count;
    return STATUS_OK;
}

/* Room that was freed since the last checkpoint cannot be used. */
static status find_room(struct lmdb_store *store, bool *ret_is_tight, struct error *reterr)
{
    MDB_envinfo info;
    MDB_stat stat;
    TRY(lmdb_status(mdb_env_info(store->env, &info), "find room", reterr));
    TRY(lmdb_status(mdb_env_stat(store->env, &stat), "find room", reterr));
    size_t pages  = info.me_mapsize / stat.ms_psize;
    size_t tight  = pages / TIGHT_PART < TIGHT_MAX ? pages / TIGHT_PART : TIGHT_MAX;
    *ret_is_tight = info.me_last_pgno + tight >= pages;
    if (!*ret_is_tight) return STATUS_OK;

    const struct free_pages usable = {.until = mdb_txn_id(store->checkpoint.pin), .enough = tight};
    size_t count                   = 0;
    TRY(count_free(store, &usable, &count, reterr));
    *ret_is_tight = count < tight;
    return STATUS_OK;
}

/* --- one under way -----------------------------------------------------------------------------
 */

/* The order is what all of this stands on: the file, then the word that it is durable. */
static status work(struct lmdb_store *store, struct error *reterr)
{
    int fd      = -1;
    status code = fd_of(store, &fd, reterr);
    if (code == STATUS_OK) code = disk_sync_gently(fd, file_name, reterr);
    if (code == STATUS_OK) code = wal_settle(store->wal, reterr);
    if (code != STATUS_OK) wal_doubt(store->wal);
    return code;
}

static void *thread_main(void *context)
{
    struct lmdb_store *store      = context;
    struct checkpoint *checkpoint = &store->checkpoint;
    checkpoint->result            = work(store, &checkpoint->error);
    checkpoint->took_us           = clock_mono_us() - checkpoint->begun_us;
    atomic_store(&checkpoint->is_over, true);
    return NULL;
}

static void start(struct lmdb_store *store)
{
    struct checkpoint *checkpoint = &store->checkpoint;
    atomic_store(&checkpoint->is_over, false);
    if (checkpoint->is_by_hand) return;
    checkpoint->has_thread = pthread_create(&checkpoint->thread, NULL, thread_main, store) == 0;
    if (!checkpoint->has_thread) (void)thread_main(store);
}

static status turn(struct lmdb_store *store, struct error *reterr)
{
    uint8_t *front = mem_new(WAL_BASE_MAX, 1);
    size_t len     = 0;
    status code    = read_front(store, front, &len, reterr);
    if (code == STATUS_OK) {
        const struct wal_base base = {.commit = mdb_txn_id(store->checkpoint.next_pin),
                                      .keep   = {front, len}};
        code                       = wal_turn(store->wal, &base, reterr);
    }
    free(front);
    return code;
}

/* The writer's transaction is open, so the state that a reader sees now stays the last one. */
static status begin(struct lmdb_store *store, struct error *reterr)
{
    struct checkpoint *checkpoint = &store->checkpoint;
    checkpoint->is_wanted         = false;
    TRY(begin_reader(store, &checkpoint->next_pin, reterr));
    status code = turn(store, reterr);
    if (code != STATUS_OK) {
        mdb_txn_abort(checkpoint->next_pin);
        checkpoint->next_pin = NULL;
        return code;
    }
    note_begin(store);
    start(store);
    return STATUS_OK;
}

/* Lets the state before go, once the one that was under way is durable. */
static status end(struct lmdb_store *store, bool waits, struct error *reterr)
{
    struct checkpoint *checkpoint = &store->checkpoint;
    if (!checkpoint->next_pin || (!waits && !atomic_load(&checkpoint->is_over))) return STATUS_OK;
    if (checkpoint->has_thread) (void)pthread_join(checkpoint->thread, NULL);
    checkpoint->has_thread = false;
    if (!atomic_load(&checkpoint->is_over)) (void)thread_main(store); /* by hand */
    if (checkpoint->result != STATUS_OK) {
        return fail(reterr, STATUS_UNAVAILABLE, "%s", checkpoint->error.text);
    }
    mdb_txn_abort(checkpoint->pin);
    checkpoint->pin      = checkpoint->next_pin;
    checkpoint->next_pin = NULL;
    return STATUS_OK;
}

static bool is_due(const struct lmdb_store *store)
{
    const struct checkpoint *checkpoint = &store->checkpoint;
    if (checkpoint->next_pin) return false;
    if (checkpoint->is_wanted) return true;
    if (checkpoint->is_by_hand) return false;
    if (wal_turn_bytes(store->wal) > LOG_BYTES) return true;
    int64_t since_us = clock_mono_us() - checkpoint->begun_us;
    if (since_us > EVERY_US) return true;
    if (since_us < REST_PARTS * checkpoint->took_us) return false;
    return checkpoint->freed_pages > FREED_MIN &&
           checkpoint->freed_pages > page_count(store) / FREED_PART;
}

status checkpoint_step(struct lmdb_store *store, struct error *reterr)
{
    bool waits = !store->checkpoint.is_by_hand && wal_turn_bytes(store->wal) > LOG_MAX;
    TRY(end(store, waits, reterr));
    TRY(note_freed(store, reterr));
    if (!is_due(store)) return STATUS_OK;
    status begun = begin(store, reterr);
    /* A full disk: the log that is there goes on; the next commit tries again. */
    return begun == STATUS_RESOURCE_EXHAUSTED ? STATUS_OK : begun;
}

status checkpoint_make_room(struct lmdb_store *store, struct error *reterr)
{
    bool is_tight = false;
    if (wal_turn_bytes(store->wal) == 0) return STATUS_OK;
    TRY(find_room(store, &is_tight, reterr));
    if (!is_tight) return STATUS_OK;
    TRY(end(store, true, reterr));
    if (wal_turn_bytes(store->wal) == 0) return STATUS_OK;
    status begun  = begin(store, reterr);
    bool is_later = begun == STATUS_RESOURCE_EXHAUSTED; /* the disk is full, not yet the map */
    if (is_later) return STATUS_OK;
    TRY(begun);
    return end(store, true, reterr);
}

/* --- the last one ------------------------------------------------------------------------------
 */

static status settle_all(struct lmdb_store *store)
{
    int fd = -1;
    TRY(end(store, true, NULL));
    TRY(fd_of(store, &fd, NULL));
    if (disk_sync(fd, file_name, NULL) == STATUS_OK) return STATUS_OK;
    wal_doubt(store->wal);
    return STATUS_UNAVAILABLE;
}

void checkpoint_last(struct lmdb_store *store)
{
    struct checkpoint *checkpoint = &store->checkpoint;
    bool is_failed                = store_is_failed(&store->common);
    if (checkpoint->has_thread && is_failed) (void)pthread_join(checkpoint->thread, NULL);
    if (store->wal && !is_failed && settle_all(store) == STATUS_OK) {
        status removed = wal_remove(store->wal, NULL);
        if (removed == STATUS_OK) (void)guard_lower(store, NULL); /* else it stays: no harm */
    } else {
        wal_close(store->wal);
    }
    store->wal = NULL;
    if (checkpoint->next_pin) mdb_txn_abort(checkpoint->next_pin);
    if (checkpoint->pin) mdb_txn_abort(checkpoint->pin);
    if (checkpoint->look) mdb_txn_abort(checkpoint->look);
    checkpoint->pin = checkpoint->next_pin = checkpoint->look = NULL;
}

/* --- tests -------------------------------------------------------------------------------------
 */

static struct lmdb_store *lmdb_of(struct store *store)
{
    return (struct lmdb_store *)store;
}

void store_checkpoint_by_hand(struct store *store)
{
    lmdb_of(store)->checkpoint.is_by_hand = true;
}

void store_checkpoint_want(struct store *store)
{
    lmdb_of(store)->checkpoint.is_wanted = true;
}

status store_checkpoint_work(struct store *store, struct error *reterr)
{
    struct checkpoint *checkpoint = &lmdb_of(store)->checkpoint;
    ASSERT(checkpoint->is_by_hand);
    if (!checkpoint->next_pin || atomic_load(&checkpoint->is_over)) {
        return fail(reterr, STATUS_NOT_FOUND, "store: no checkpoint is under way");
    }
    (void)thread_main(lmdb_of(store));
    return checkpoint->result;
}
