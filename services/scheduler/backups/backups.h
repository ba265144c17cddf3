/**
 * backups: hot copies of all partitions of this process, in one folder.
 *
 * A backup is a folder: manifest.json and, for each partition, p<i>/data.mdb. All copies stand for
 * one moment; the engines go on while they are written.
 *
 * One backup at a time. The last one that failed is remembered until the next begins or the process
 * ends.
 *
 * What it does not: begin or delete any by itself (keeper.h); take in partitions of other
 * processes, each of which makes its own; copy what the other services keep.
 *
 * Threads: any. A backup runs on threads of its own.
 */
#ifndef SCHEDULER_BACKUPS_H
#define SCHEDULER_BACKUPS_H

#include "base/arena.h"
#include "scheduler/backups/copy.h"

enum { BACKUPS_LISTED_MAX = 1'000 };

enum backup_state { BACKUP_RUNNING, BACKUP_COMPLETED, BACKUP_FAILED };

struct backup_view {
    const char *name;
    enum backup_state state;
    int64_t created_us;
    uint64_t size_bytes; /* 0 until it is whole */
    uint16_t partitions;
    const char *failure; /* of a failed one */
};

struct backups;

/** `folder`: where they are kept; made when first needed; NULL: none can be made. `sources` are
 * copied, what they point to outlives it. Owned: backups_free(), which waits for one that runs. */
struct backups *backups_new(const char *folder, uint16_t partition_count,
                            const struct backup_source *sources, size_t count);
void backups_free(struct backups *backups);

/**
 * Begins a backup; `name` empty: named by the time, such as `2026-11-22-080456`. `*ret_view` lives
 * as `arena`. FAILED_PRECONDITION: one is running, or no folder is configured. ALREADY_EXISTS: of
 * that name. INVALID_ARGUMENT: no such name is possible. Else of the file system.
 */
status backups_begin(struct backups *backups, str name, struct arena *arena,
                     struct backup_view *ret_view, struct error *reterr);

/** All, oldest first, the one that runs or failed at the end. Lives as `arena`. */
status backups_list(struct backups *backups, struct arena *arena, struct backup_view **ret_views,
                    size_t *ret_count, struct error *reterr);

/** When the last one was completed, also before a restart; 0: never. */
int64_t backups_last_us(struct backups *backups);

bool backups_is_running(struct backups *backups);

/** What it was made with. The folder may be NULL. */
const char *backups_folder(const struct backups *backups);
const struct backup_set *backups_set(const struct backups *backups);

#endif
