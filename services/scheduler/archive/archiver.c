#include "scheduler/archive/archiver.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/key.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { LOOK_MS = 1'000 /* whether a segment is full, between rounds */ };

/* Where the archive of a partition stands. Of the thread. */
struct lane {
    struct archive_source source;
    bool is_found; /* the folder was looked at */
    bool is_whole; /* what the store keeps is this timeline, without an end */
    uint8_t timeline[REDO_TIMELINE_SIZE];
    uint64_t next; /* sequence to take */
    int64_t covered_us;
};

struct archiver {
    char *folder;
    int64_t interval_ms;
    uint64_t segment_size;
    unsigned redo_table;
    struct lane *lanes;
    size_t count;
    struct buf body;
    pthread_t thread;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    bool is_stopping;
    struct archiver_state state;
};

/* --- a partition -------------------------------------------------------------------------------
 */

/* There always is one. Without its part. */
static status read_newest(const struct archiver *archiver, const struct lane *lane,
                          struct redo_record *ret_newest, struct error *reterr)
{
    bytes key                           = {};
    bytes value                         = {};
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_read(lane->source.store, &txn, reterr));
    TRY(txn_last(txn, archiver->redo_table, &key, &value, reterr));
    if (!redo_record_read(key, value, ret_newest)) {
        return fail(reterr, STATUS_DATA_LOSS, "archive: a row of redo cannot be read");
    }
    ret_newest->part = (bytes){};
    return STATUS_OK;
}

/* The newest row says which timeline it is; the segments of it say how far it was taken. */
static status find_place(struct archiver *archiver, struct lane *lane, const char *path,
                         struct error *reterr)
{
    struct redo_record newest = {};
    TRY(read_newest(archiver, lane, &newest, reterr));
    CLEANUP(archive_list_done) struct archive_list list = {};
    TRY(archive_list_read(path, newest.timeline, &list, reterr));
    archive_remove_partial(path);
    lane->next = 0;
    for (size_t i = 0; i < list.count; i++) {
        const struct archive_entry *entry = &list.entries[i];
        if (!entry->is_damaged && entry->head.last >= lane->next) lane->next = entry->head.last + 1;
    }
    memcpy(lane->timeline, newest.timeline, sizeof lane->timeline);
    lane->is_found = true;
    if (lane->next > 0) store_redo_taken(lane->source.store, lane->next - 1);
    return STATUS_OK;
}

/* What is committed and not taken, up to a segment. `*ret_has_more`: there may be more. */
static status collect(struct archiver *archiver, struct lane *lane, struct segment_head *head,
                      bool *ret_has_more, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn          = NULL;
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    struct key_u64 from                          = key_of_u64(lane->next);
    const struct scan scan                       = {.from = key_u64_bytes(&from)};
    bytes key                                    = {};
    bytes value                                  = {};
    status next                                  = STATUS_OK;
    *ret_has_more                                = false;
    TRY(txn_begin_read(lane->source.store, &txn, reterr));
    TRY(cursor_open(txn, archiver->redo_table, &scan, &cursor, reterr));
    while ((next = cursor_next(cursor, &key, &value, NULL)) == STATUS_OK) {
        struct redo_record record = {};
        if (!redo_record_read(key, value, &record)) {
            return fail(reterr, STATUS_DATA_LOSS, "archive: a row of redo cannot be read");
        }
        bool is_same = archiver->body.len == 0 ||
                       (record.sequence == head->last + 1 &&
                        memcmp(record.timeline, head->timeline, sizeof head->timeline) == 0);
        if (!is_same || archiver->body.len >= archiver->segment_size) {
            *ret_has_more = true;
            return STATUS_OK;
        }
        if (record.is_given_up) return STATUS_OK; /* and the rows behind it are not there yet */
        if (!segment_add(head, &archiver->body, &record)) {
            *ret_has_more = true;
            return STATUS_OK;
        }
    }
    return next == STATUS_NOT_FOUND ? STATUS_OK : fail(reterr, next, "archive: redo: unreadable");
}

static void note_segment(struct archiver *archiver, const struct segment_head *head)
{
    (void)pthread_mutex_lock(&archiver->mutex);
    archiver->state.segments++;
    archiver->state.bytes += head->body_size + SEGMENT_HEAD_SIZE;
    (void)pthread_mutex_unlock(&archiver->mutex);
}

static status take_segments(struct archiver *archiver, struct lane *lane, const char *path,
                            struct error *reterr)
{
    bool has_more = true;
    while (has_more) {
        struct segment_head head = {.partition = lane->source.index, .epoch = lane->source.epoch};
        buf_clear(&archiver->body);
        TRY(collect(archiver, lane, &head, &has_more, reterr));
        if (archiver->body.len == 0) return STATUS_OK;
        TRY(segment_write(&head, &archiver->body, path, reterr));
        lane->next = head.last + 1;
        memcpy(lane->timeline, head.timeline, sizeof lane->timeline);
        store_redo_taken(lane->source.store, head.last);
        note_segment(archiver, &head);
    }
    return STATUS_OK;
}

static status check_timeline(const struct archiver *archiver, struct lane *lane,
                             struct error *reterr)
{
    struct redo_record newest = {};
    TRY(read_newest(archiver, lane, &newest, reterr));
    lane->is_whole =
        !newest.is_given_up && memcmp(newest.timeline, lane->timeline, sizeof lane->timeline) == 0;
    return STATUS_OK;
}

static status take_lane(struct archiver *archiver, struct lane *lane, struct error *reterr)
{
    char path[STORE_PATH_MAX];
    TRY(archive_path(archiver->folder, lane->source.index, path, reterr));
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return fail(reterr, STATUS_UNAVAILABLE, "archive: make %s: %m", path);
    }
    if (!lane->is_found) TRY(find_place(archiver, lane, path, reterr));
    int64_t covered_us = store_redo_settled_us(lane->source.store); /* before what is read */
    TRY(take_segments(archiver, lane, path, reterr));
    TRY(check_timeline(archiver, lane, reterr));
    if (!lane->is_whole) return STATUS_OK; /* some commits are in no segment: see tell_given_up() */
    struct archive_covered covered = {.sequence = lane->next - 1, .until_us = covered_us};
    memcpy(covered.timeline, lane->timeline, sizeof covered.timeline);
    TRY(archive_covered_write(path, &covered, reterr));
    lane->covered_us = covered_us;
    return STATUS_OK;
}

/* --- rounds ------------------------------------------------------------------------------------
 */

static void tell(struct archiver *archiver, status code, const struct error *error)
{
    bool was_failing = archiver->state.is_failing;
    if (code != STATUS_OK && !was_failing) {
        log_write(LOG_ERROR, "archive.failed", LOG_TEXT_OF("folder", archiver->folder),
                  LOG_TEXT_OF("error", error->text));
    } else if (code == STATUS_OK && was_failing) {
        log_write(LOG_INFO, "archive.recovered", LOG_TEXT_OF("folder", archiver->folder));
    }
}

static void take_all(struct archiver *archiver)
{
    status code        = STATUS_OK;
    struct error error = {};
    int64_t covered_us = INT64_MAX;
    for (size_t i = 0; i < archiver->count; i++) {
        struct error why  = {};
        struct lane *lane = &archiver->lanes[i];
        status taken      = take_lane(archiver, lane, &why);
        if (lane->covered_us < covered_us) covered_us = lane->covered_us;
        if (taken == STATUS_OK || code != STATUS_OK) continue;
        code  = taken;
        error = why;
    }
    tell(archiver, code, &error);
    (void)pthread_mutex_lock(&archiver->mutex);
    struct archiver_state *state = &archiver->state;
    state->is_failing            = code != STATUS_OK;
    state->covered_us            = covered_us;
    (void)snprintf(state->failure, sizeof state->failure, "%s",
                   code == STATUS_OK ? "" : error.text);
    (void)pthread_mutex_unlock(&archiver->mutex);
}

static void sum_redo(const struct archiver *archiver, uint64_t *ret_bytes, uint64_t *ret_given_up)
{
    *ret_bytes    = 0;
    *ret_given_up = 0;
    for (size_t i = 0; i < archiver->count; i++) {
        struct redo_state state = {};
        store_redo_state(archiver->lanes[i].source.store, &state);
        *ret_bytes += state.kept_bytes;
        *ret_given_up += state.given_up;
    }
}

/* Given up: what is in the archive ends before what is committed. Said once each time. */
static void tell_given_up(struct archiver *archiver, uint64_t *told)
{
    uint64_t size     = 0;
    uint64_t given_up = 0;
    sum_redo(archiver, &size, &given_up);
    if (given_up == *told) return;
    *told = given_up;
    log_write(LOG_ERROR, "archive.given_up", LOG_TEXT_OF("folder", archiver->folder),
              LOG_TEXT_OF("fix", "make a backup when the folder is back: the archive goes on from "
                                 "there"));
}

static bool is_a_segment_full(const struct archiver *archiver)
{
    uint64_t size     = 0;
    uint64_t given_up = 0;
    sum_redo(archiver, &size, &given_up);
    return size >= archiver->segment_size;
}

/* Until the next round is due, or the end. */
static void wait_round(struct archiver *archiver, int64_t due_ms)
{
    for (;;) {
        int64_t left_ms = due_ms - clock_mono_ms();
        if (archiver->is_stopping || left_ms <= 0) return;
        if (left_ms > LOOK_MS) left_ms = LOOK_MS;
        struct timespec until = {};
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        int64_t nsec = until.tv_nsec + left_ms % 1'000 * 1'000'000;
        until.tv_sec += left_ms / 1'000 + nsec / 1'000'000'000;
        until.tv_nsec = nsec % 1'000'000'000;
        (void)pthread_cond_timedwait(&archiver->changed, &archiver->mutex, &until);
        if (!archiver->state.is_failing && is_a_segment_full(archiver)) return;
    }
}

static void *archiver_main(void *context)
{
    struct archiver *archiver = context;
    uint64_t told             = 0;
    bool is_stopping          = false;
    while (!is_stopping) {
        int64_t due_ms = clock_mono_ms() + archiver->interval_ms;
        take_all(archiver);
        tell_given_up(archiver, &told);
        (void)pthread_mutex_lock(&archiver->mutex);
        wait_round(archiver, due_ms);
        is_stopping = archiver->is_stopping;
        (void)pthread_mutex_unlock(&archiver->mutex);
    }
    take_all(archiver);
    return NULL;
}

/* --- life --------------------------------------------------------------------------------------
 */

static void archiver_free(struct archiver *archiver)
{
    (void)pthread_cond_destroy(&archiver->changed);
    (void)pthread_mutex_destroy(&archiver->mutex);
    buf_done(&archiver->body);
    free(archiver->lanes);
    free(archiver->folder);
    free(archiver);
}

status archiver_start(const struct archiver_options *options, struct archiver **ret_archiver,
                      struct error *reterr)
{
    ASSERT(options->segment_size <= SEGMENT_SIZE_MAX / 2 && options->interval_ms > 0);
    struct archiver *archiver = mem_new(1, sizeof *archiver);
    archiver->folder          = mem_dup(options->folder, strlen(options->folder));
    archiver->interval_ms     = options->interval_ms;
    archiver->segment_size    = options->segment_size;
    archiver->redo_table      = options->redo_table;
    archiver->count           = options->count;
    archiver->lanes           = mem_new(options->count, sizeof *archiver->lanes);
    archiver->body            = buf_init(SEGMENT_SIZE_MAX);
    for (size_t i = 0; i < options->count; i++) archiver->lanes[i].source = options->sources[i];
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&archiver->mutex, NULL);
    (void)pthread_cond_init(&archiver->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (pthread_create(&archiver->thread, NULL, archiver_main, archiver) == 0) {
        *ret_archiver = archiver;
        return STATUS_OK;
    }
    archiver_free(archiver);
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no thread for the archive");
}

void archiver_stop(struct archiver *archiver)
{
    if (!archiver) return;
    (void)pthread_mutex_lock(&archiver->mutex);
    archiver->is_stopping = true;
    (void)pthread_cond_broadcast(&archiver->changed);
    (void)pthread_mutex_unlock(&archiver->mutex);
    (void)pthread_join(archiver->thread, NULL);
    archiver_free(archiver);
}

void archiver_state(struct archiver *archiver, struct archiver_state *ret_state)
{
    (void)pthread_mutex_lock(&archiver->mutex);
    *ret_state = archiver->state;
    (void)pthread_mutex_unlock(&archiver->mutex);
    sum_redo(archiver, &ret_state->waiting_bytes, &ret_state->given_up);
}
