/**
 * erasure_list: keeps the files of erasures (erasure_file.h) beside the backups in step with what
 * the partitions have erased.
 *
 * The list in a partition's store is the truth, and the file follows within a second, also after a
 * restart or a disk that was away. Lines that the store does not know stay: they may be of data
 * that are still to be restored. A line goes when it is as old as `keep_us` says, and not before
 * every backup is newer than it.
 *
 * Threads: one at a time.
 */
#ifndef SCHEDULER_ERASURE_LIST_H
#define SCHEDULER_ERASURE_LIST_H

#include "scheduler/backups/copy.h"

struct erasure_list;

/** `folder`: of backups, outlives it; made when first needed. `keep_us` 0: for ever. What the set
 * points to outlives it. Owned: erasure_list_free(). */
struct erasure_list *erasure_list_new(const char *folder, const struct backup_set *set,
                                      int64_t keep_us);
void erasure_list_free(struct erasure_list *list);

/** Appends what has come. A failure is logged once, until it is over. */
void erasure_list_write(struct erasure_list *list);

/** Drops what is too old. `oldest_backup_us`: when that was made; INT64_MAX: there is none. */
void erasure_list_tidy(struct erasure_list *list, int64_t oldest_backup_us);

#endif
