/**
 * copy: makes one backup: copies of several partitions that stand for one moment (barrier.h).
 *
 * Threads: any but an engine's. It takes as long as the disk needs, with a thread per partition.
 */
#ifndef SCHEDULER_COPY_H
#define SCHEDULER_COPY_H

#include "scheduler/backups/manifest.h"
#include "scheduler/engine/engine.h"

/** A partition to copy. */
struct backup_source {
    const struct partition *partition;
    struct engine *engine;
};

struct backup_set {
    uint16_t partition_count; /* of the whole suite */
    struct backup_source *sources;
    size_t count;
};

struct backup_place {
    const char *folder; /* of all backups; it exists */
    const char *name;
    int64_t created_us;
};

/**
 * Makes the folder `name`, whole, synced and read back; on failure nothing of it is left. It is
 * written as `name`.partial, and what an interrupted backup of the same name has left is removed.
 *
 * UNAVAILABLE, RESOURCE_EXHAUSTED: file system. DEADLINE_EXCEEDED: the engines could not be held
 * still. DATA_LOSS: it reads back otherwise.
 */
status backup_make(const struct backup_set *set, const struct backup_place *place,
                   struct error *reterr);

/** Removes what backup_make() makes, also if it was cut short, and the folder. */
void backup_remove_files(const char *folder, uint16_t partition_count);

#endif
