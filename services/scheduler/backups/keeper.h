/**
 * keeper: makes backups by a clock, and removes what nobody needs any more.
 *
 * A backup is begun when the newest is `every_ms` old, and at once when there is an archive and no
 * backup of its timeline, since an archive without one restores nothing. Backups older than
 * `keep_ms` go, but never the newest whole one; then segments of the archive that no kept backup
 * needs. Without `keep_ms` nothing is removed but such segments. The list of erasures beside the
 * backups is kept on the same clock.
 *
 * Threads: a thread of its own, which writes nothing to the stores.
 */
#ifndef SCHEDULER_KEEPER_H
#define SCHEDULER_KEEPER_H

#include "scheduler/backups/backups.h"
#include "scheduler/backups/erasure_list.h"

struct keeper_options {
    struct backups *backups;       /* outlives it */
    int64_t every_ms;              /* 0: only when asked for */
    int64_t keep_ms;               /* 0: for ever */
    const char *archive;           /* folder, outlives the keeper; NULL: none */
    struct erasure_list *erasures; /* outlives it */
};

struct keeper;

/** Owned: keeper_stop(). RESOURCE_EXHAUSTED: no thread. */
status keeper_start(const struct keeper_options *options, struct keeper **ret_keeper,
                    struct error *reterr);
void keeper_stop(struct keeper *keeper);

#endif
