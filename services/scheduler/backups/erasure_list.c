#include "scheduler/backups/erasure_list.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "scheduler/backups/erasure_file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { LINES_MAX = 64 << 10 /* bytes that are written at a time */ };

struct erasure_list {
    const char *folder;
    int64_t keep_us;
    bool has_failed; /* and that was logged */
    size_t count;
    struct listed {
        const struct partition *partition;
        uint64_t written; /* all rows until this one are in the file; if `is_known` */
        bool is_known;
    } * parts; /* owned */
};

struct erasure_list *erasure_list_new(const char *folder, const struct backup_set *set,
                                      int64_t keep_us)
{
    struct erasure_list *list = mem_new(1, sizeof *list);
    list->parts               = mem_new(set->count, sizeof *list->parts);
    list->folder              = folder;
    list->keep_us             = keep_us;
    list->count               = set->count;
    for (size_t i = 0; i < set->count; i++) list->parts[i].partition = set->sources[i].partition;
    return list;
}

void erasure_list_free(struct erasure_list *list)
{
    if (!list) return;
    free(list->parts);
    free(list);
}

/* --- what the file has -------------------------------------------------------------------------
 */

/* Which rows of the store's list the file has. */
struct found {
    struct txn *txn;
    uint64_t newest; /* sequence; 0: the list is empty */
    uint8_t *bits;   /* owned; by sequence */
};

static void found_done(struct found *found)
{
    txn_abort(found->txn);
    free(found->bits);
}

static status note_line(const struct erasure *erasure, void *context, struct error *reterr)
{
    struct found *found = context;
    uint64_t sequence   = 0;
    str run             = str_from(erasure->run.text);
    TRY(erasures_find(found->txn, run, erasure->kind, &sequence, reterr));
    if (sequence <= found->newest) found->bits[sequence / 8] |= (uint8_t)(1U << (sequence % 8));
    return STATUS_OK;
}

/* What cannot be read goes; the store knows better. */
static status read_file(const char *folder, const char *path, struct found *found,
                        struct error *reterr)
{
    struct erasure_damage damage = {};
    status read                  = erasure_file_read(path, note_line, found, &damage, reterr);
    if (read == STATUS_NOT_FOUND) return erasure_file_append(folder, path, (str){}, reterr);
    TRY(read);
    if (damage.line == 0) return STATUS_OK;
    if (!damage.is_end) {
        log_write(LOG_ERROR, "erasures.damaged", LOG_TEXT_OF("file", path),
                  LOG_INT("line", (int64_t)damage.line));
    }
    return erasure_file_rewrite(folder, path, INT64_MIN, reterr);
}

/* --- what it lacks -----------------------------------------------------------------------------
 */

static bool has_row(const struct found *found, uint64_t sequence)
{
    if (!found->bits || sequence > found->newest) return false;
    return found->bits[sequence / 8] & (1U << (sequence % 8));
}

/* Appends rows behind `written`; `found` may know some of them. */
static status append_rows(struct erasure_list *list, struct listed *part, const char *path,
                          const struct found *found, struct error *reterr)
{
    CLEANUP(buf_done) struct buf lines = buf_init(LINES_MAX);
    struct erasure_place place         = {.sequence = part->written};
    bool is_found                      = true;
    while (is_found) {
        struct erasure erasure = {};
        TRY(erasures_next(found->txn, &place, &erasure, &is_found, reterr));
        if (is_found && !has_row(found, place.sequence)) (void)erasure_line_write(&erasure, &lines);
        bool is_full = lines.len + ERASURE_LINE_MAX > LINES_MAX;
        if (lines.len == 0 || (is_found && !is_full)) continue;
        TRY(erasure_file_append(list->folder, path, buf_str(&lines), reterr));
        part->written = place.sequence;
        buf_clear(&lines);
    }
    part->written = place.sequence;
    return STATUS_OK;
}

static status write_part(struct erasure_list *list, struct listed *part, struct error *reterr)
{
    CLEANUP(found_done) struct found found = {};
    char path[STORE_PATH_MAX];
    TRY(txn_begin_read(part->partition->store, &found.txn, reterr));
    TRY(erasures_newest(found.txn, &found.newest, reterr));
    if (part->is_known && found.newest <= part->written) return STATUS_OK;
    TRY(erasure_file_path(list->folder, part->partition->index, path, reterr));
    if (!part->is_known) {
        found.bits    = mem_new(found.newest / 8 + 1, 1);
        part->written = 0;
        TRY(read_file(list->folder, path, &found, reterr));
    }
    part->is_known = false; /* a part of the lines may be there when it fails */
    TRY(append_rows(list, part, path, &found, reterr));
    part->is_known = true;
    return STATUS_OK;
}

static status write_all(struct erasure_list *list, struct error *reterr)
{
    if (mkdir(list->folder, 0700) != 0 && errno != EEXIST) {
        return fail(reterr, STATUS_UNAVAILABLE, "make %s: %m", list->folder);
    }
    status first = STATUS_OK;
    for (size_t i = 0; i < list->count; i++) {
        struct error error = {};
        status written     = write_part(list, &list->parts[i], &error);
        if (written == STATUS_OK || first != STATUS_OK) continue;
        first   = written; /* the others are written nevertheless */
        *reterr = error;
    }
    return first;
}

void erasure_list_write(struct erasure_list *list)
{
    struct error error = {};
    bool has_failed    = write_all(list, &error) != STATUS_OK;
    if (has_failed && !list->has_failed) {
        log_write(LOG_ERROR, "erasures.not_written", LOG_TEXT_OF("error", error.text));
    }
    list->has_failed = has_failed;
}

/* --- what is too old ---------------------------------------------------------------------------
 */

struct oldest {
    int64_t time_us;
};

/* Lines are in the order of time but for what restores have joined: the first decides. */
static status stop_at_first(const struct erasure *erasure, void *context, struct error *)
{
    ((struct oldest *)context)->time_us = erasure->time_us;
    return STATUS_CANCELLED;
}

static status tidy_part(struct erasure_list *list, const struct listed *part, int64_t before_us,
                        struct error *reterr)
{
    struct oldest oldest         = {.time_us = INT64_MAX};
    struct erasure_damage damage = {};
    char path[STORE_PATH_MAX];
    TRY(erasure_file_path(list->folder, part->partition->index, path, reterr));
    status read = erasure_file_read(path, stop_at_first, &oldest, &damage, reterr);
    if (read != STATUS_OK && read != STATUS_CANCELLED && read != STATUS_NOT_FOUND) return read;
    if (oldest.time_us >= before_us) return STATUS_OK;
    return erasure_file_rewrite(list->folder, path, before_us, reterr);
}

void erasure_list_tidy(struct erasure_list *list, int64_t oldest_backup_us)
{
    if (list->keep_us == 0) return;
    int64_t before_us = clock_unix_us() - list->keep_us;
    if (oldest_backup_us < before_us) before_us = oldest_backup_us;
    for (size_t i = 0; i < list->count; i++) {
        struct error error = {};
        if (tidy_part(list, &list->parts[i], before_us, &error) == STATUS_OK) continue;
        log_write(LOG_ERROR, "erasures.not_removed", LOG_TEXT_OF("error", error.text));
    }
}
