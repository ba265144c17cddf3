/**
 * safekeeping: everything that carries the data elsewhere: backups, their clock, the archive.
 *
 * Threads: made, started, ended and freed by main; the rest as it says itself.
 */
#ifndef SCHEDULER_SAFEKEEPING_H
#define SCHEDULER_SAFEKEEPING_H

#include "scheduler/archive/archiver.h"
#include "scheduler/backups/keeper.h"

struct safekeeping_options {
    const char *backup_folder; /* NULL: no backups can be made */
    int64_t backup_every_ms;   /* 0: only when asked for */
    int64_t backup_keep_ms;    /* 0: for ever */
    int64_t erasures_keep_us;  /* likewise: how long they are remembered beside the backups */

    const char *archive_folder;    /* it is there; NULL: no archive */
    int64_t archive_interval_ms;   /* how much may be lost with the machine */
    uint64_t archive_segment_size; /* bytes; at most SEGMENT_SIZE_MAX / 2 */
    uint64_t archive_backlog_size; /* bytes per partition that wait while the folder is away */
};

struct safekeeping;

/** Before the partitions are opened. The texts of the options outlive it. Owned:
 * safekeeping_free(). */
struct safekeeping *safekeeping_new(const struct safekeeping_options *options);

/** For partition_options; NULL: no redo is kept. */
const struct redo_clock *safekeeping_clock(const struct safekeeping *safekeeping);

/** When the engines run. `data` NULL: in memory, so there is nothing to archive. Fails with
 * RESOURCE_EXHAUSTED (no thread). */
status safekeeping_start(struct safekeeping *safekeeping, const struct backup_set *set,
                         const char *data, struct error *reterr);

/** Begins no more backups; one that is being made comes to its end, for which it needs the engines.
 */
void safekeeping_end(struct safekeeping *safekeeping);

/** Archives what was committed last, and frees. After the engines have stopped, before the stores
 * are closed. NULL is fine. */
void safekeeping_free(struct safekeeping *safekeeping);

struct backups *safekeeping_backups(struct safekeeping *safekeeping);
struct archiver *safekeeping_archiver(struct safekeeping *safekeeping); /* NULL: none */

#endif
