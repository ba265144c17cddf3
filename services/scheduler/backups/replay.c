#include "scheduler/backups/replay.h"

#include "base/clock.h"
#include "scheduler/tables/tables.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    BATCH_BYTES     = 8 << 20, /* of changes in a transaction */
    TRANSACTION_MAX = 1 << 30, /* bytes of changes of one commit */
    GROWTH          = 4,       /* pages for bytes of changes, at most */
};

/* --- where things stand ------------------------------------------------------------------------
 */

status replay_base_read(struct store *store, uint16_t partition, struct replay_base *ret_base,
                        struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct redo_record last             = {};
    bytes key                           = {};
    bytes value                         = {};
    TRY(txn_begin_read(store, &txn, reterr));
    status got = txn_last(txn, TABLE_REDO, &key, &value, NULL);
    if (got == STATUS_OK && !redo_record_read(key, value, &last)) got = STATUS_DATA_LOSS;
    if (got == STATUS_NOT_FOUND || (got == STATUS_OK && last.is_given_up)) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "partition %u of this backup has no place in an archive: it was made while "
                    "there was none (scheduler.archive.path)",
                    partition);
    }
    if (got != STATUS_OK) return fail(reterr, got, "partition %u: redo cannot be read", partition);
    *ret_base = (struct replay_base){
        .partition = partition, .sequence = last.sequence, .at_us = last.at_us};
    memcpy(ret_base->timeline, last.timeline, sizeof ret_base->timeline);
    return STATUS_OK;
}

static status list_of(const char *archive, const struct replay_base *base,
                      char path[static STORE_PATH_MAX], struct archive_list *list,
                      struct error *reterr)
{
    TRY(archive_path(archive, base->partition, path, reterr));
    if (access(path, R_OK | X_OK) != 0) {
        return fail(reterr, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_UNAVAILABLE, "%s: %m",
                    path);
    }
    return archive_list_read(path, base->timeline, list, reterr);
}

status replay_reach(const char *archive, const struct replay_base *base, int64_t *ret_until_us,
                    struct error *reterr)
{
    char path[STORE_PATH_MAX];
    CLEANUP(archive_list_done) struct archive_list list = {};
    struct archive_covered covered                      = {};
    TRY(list_of(archive, base, path, &list, reterr));
    int64_t until_us = base->at_us;
    for (size_t i = 0; i < list.count; i++) {
        const struct archive_entry *entry = &list.entries[i];
        if (!entry->is_damaged && entry->head.last_us > until_us) until_us = entry->head.last_us;
    }
    status read = archive_covered_read(path, &covered, reterr);
    if (read != STATUS_OK && read != STATUS_NOT_FOUND) return read;
    bool is_of_base =
        read == STATUS_OK && memcmp(covered.timeline, base->timeline, sizeof covered.timeline) == 0;
    if (is_of_base && covered.until_us > until_us) until_us = covered.until_us;
    *ret_until_us = until_us;
    return STATUS_OK;
}

status replay_room(const char *archive, const struct replay_base *base, uint64_t *ret_bytes,
                   struct error *reterr)
{
    char path[STORE_PATH_MAX];
    CLEANUP(archive_list_done) struct archive_list list = {};
    TRY(list_of(archive, base, path, &list, reterr));
    uint64_t bytes_max = 0;
    for (size_t i = 0; i < list.count; i++) bytes_max += GROWTH * list.entries[i].head.body_size;
    *ret_bytes = bytes_max;
    return STATUS_OK;
}

/* --- applying ----------------------------------------------------------------------------------
 */

struct replay {
    struct store *store;
    const struct replay_base *base;
    const char *path;               /* of the partition's archive */
    struct archive_covered covered; /* read before the segments were listed: they may become more */
    bool has_covered;
    int64_t until_us;
    uint64_t next;   /* sequence */
    int64_t at_us;   /* of the last whole commit */
    bool is_over;    /* what comes is later than `until_us` */
    struct txn *txn; /* of a batch; NULL: none is open */
    size_t batch_bytes;
    struct buf changes; /* of a transaction */
    struct replay_sum sum;
};

static void replay_done(struct replay *replay)
{
    txn_abort(replay->txn);
    buf_done(&replay->changes);
}

static status apply(struct replay *replay, struct error *reterr)
{
    bytes changes = bytes_from(buf_str(&replay->changes));
    if (!replay->txn) TRY(txn_begin_write(replay->store, &replay->txn, reterr));
    TRY(redo_apply(replay->txn, changes, TABLE_REDO, reterr));
    replay->sum.commits++;
    replay->sum.last_us = replay->at_us;
    replay->batch_bytes += changes.len;
    buf_clear(&replay->changes);
    if (replay->batch_bytes < BATCH_BYTES) return STATUS_OK;
    replay->batch_bytes = 0;
    return txn_commit(TAKE(replay->txn), reterr);
}

static status take_record(struct replay *replay, const struct redo_record *record,
                          struct error *reterr)
{
    if (record->sequence < replay->next) return STATUS_OK; /* the copy has it already */
    if (record->at_us > replay->until_us) {
        replay->is_over = true;
        return STATUS_OK;
    }
    replay->next = record->sequence + 1;
    if (!buf_put(&replay->changes, record->part.ptr, record->part.len)) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "a commit of more than %d bytes",
                    TRANSACTION_MAX);
    }
    if (!record->is_end) return STATUS_OK;
    replay->at_us = record->at_us;
    return apply(replay, reterr);
}

/* Adds to what cannot be read until when all is well. */
static status until_here(const struct replay *replay, status code, const struct error *why,
                         struct error *reterr)
{
    char here[TIME_TEXT_SIZE];
    time_format(replay->at_us, here);
    return fail(reterr, code, "partition %u is whole --until %s only: %s", replay->base->partition,
                here, why->text);
}

static status take_records(struct replay *replay, struct segment *segment, struct error *reterr)
{
    struct redo_record record = {};
    while (!replay->is_over) {
        struct error why = {};
        status next      = segment_next(segment, &record, &why);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return until_here(replay, next, &why, reterr);
        TRY(take_record(replay, &record, reterr));
    }
    return STATUS_OK;
}

static status take_file(struct replay *replay, const struct archive_entry *entry,
                        struct error *reterr)
{
    CLEANUP(buf_done) struct buf file = buf_init(0);
    struct segment segment            = {};
    struct error why                  = {};
    char name[STORE_PATH_MAX];
    int len = snprintf(name, sizeof name, "%s/%s", replay->path, entry->name);
    if ((size_t)len >= sizeof name) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: path too long", replay->path);
    }
    TRY(archive_file_read(replay->path, entry->name, &file, reterr));
    status opened = segment_open(bytes_from(buf_str(&file)), name, &segment, &why);
    if (opened == STATUS_OK && segment.head.partition != replay->base->partition) {
        opened = fail(&why, STATUS_DATA_LOSS, "%s: a segment of partition %u", name,
                      segment.head.partition);
    }
    if (opened == STATUS_OK && segment.head.first != entry->head.first) {
        opened = fail(&why, STATUS_DATA_LOSS, "%s: not the segment of its name", name);
    }
    if (opened != STATUS_OK) return until_here(replay, opened, &why, reterr);
    return take_records(replay, &segment, reterr);
}

/* All segments are read: `covered` says whether they were all. */
static status check_end(const struct replay *replay, struct error *reterr)
{
    const struct archive_covered *covered = &replay->covered;
    struct error why                      = {};
    bool is_of_base = replay->has_covered && memcmp(covered->timeline, replay->base->timeline,
                                                    sizeof covered->timeline) == 0;
    if (!is_of_base || covered->sequence < replay->next) return STATUS_OK;
    (void)fail(&why, STATUS_DATA_LOSS,
               "%s: the last segment is missing (commits %" PRIu64 " to %" PRIu64 ")", replay->path,
               replay->next, covered->sequence);
    return until_here(replay, STATUS_DATA_LOSS, &why, reterr);
}

static status take_files(struct replay *replay, const struct archive_list *list,
                         struct error *reterr)
{
    for (size_t i = 0; i < list->count && !replay->is_over; i++) {
        const struct archive_entry *entry = &list->entries[i];
        bool is_behind                    = !entry->is_damaged && entry->head.last < replay->next;
        bool is_passed = i + 1 < list->count && list->entries[i + 1].head.first <= replay->next;
        if (is_behind || is_passed) continue; /* the copy has it, or the next one has */
        if (entry->head.first > replay->next) {
            struct error why = {};
            (void)fail(&why, STATUS_DATA_LOSS,
                       "%s: the segment before %s is missing (commits %" PRIu64 " to %" PRIu64 ")",
                       replay->path, entry->name, replay->next, entry->head.first - 1);
            return until_here(replay, STATUS_DATA_LOSS, &why, reterr);
        }
        TRY(take_file(replay, entry, reterr));
    }
    if (!replay->is_over) TRY(check_end(replay, reterr));
    if (!replay->txn) return STATUS_OK;
    return txn_commit(TAKE(replay->txn), reterr);
}

status replay_until(struct store *store, const char *archive, const struct replay_base *base,
                    int64_t until_us, struct replay_sum *sum, struct error *reterr)
{
    char path[STORE_PATH_MAX];
    CLEANUP(archive_list_done) struct archive_list list = {};
    CLEANUP(replay_done)
    struct replay replay = {.store    = store,
                            .base     = base,
                            .path     = path,
                            .until_us = until_us,
                            .next     = base->sequence + 1,
                            .at_us    = base->at_us,
                            .changes  = buf_init(TRANSACTION_MAX)};
    TRY(archive_path(archive, base->partition, path, reterr));
    status read = archive_covered_read(path, &replay.covered, reterr);
    if (read != STATUS_OK && read != STATUS_NOT_FOUND) return read;
    replay.has_covered = read == STATUS_OK;
    TRY(list_of(archive, base, path, &list, reterr));
    TRY(take_files(&replay, &list, reterr));
    sum->commits += replay.sum.commits;
    if (replay.sum.last_us > sum->last_us) sum->last_us = replay.sum.last_us;
    return STATUS_OK;
}
