/**
 * tidy: what there is in the folder of backups, and what of it and of the archive may go.
 *
 * Threads: plain functions on files; one at a time.
 */
#ifndef SCHEDULER_TIDY_H
#define SCHEDULER_TIDY_H

#include "scheduler/backups/copy.h"

struct tidy {
    struct backup_manifest **manifests; /* owned; whole backups, oldest first */
    size_t count;
};

/** Reads the manifests of a folder; one that is not there has none. What cannot be read is none of
 * it. Release: tidy_done(). */
void tidy_read(const char *folder, struct tidy *ret_tidy);
void tidy_done(struct tidy *tidy);

/** Removes backups that were made before `until_us`, but the newest, and takes them out of `tidy`;
 * with what an earlier removal has left that was cut short. UNAVAILABLE: file system. */
status tidy_remove(const char *folder, struct tidy *tidy, int64_t until_us, uint64_t *ret_removed,
                   struct error *reterr);

/** Removes segments of the archive that none of the backups needs (archive_purge()). */
status tidy_archive(const char *archive, const struct tidy *tidy, const struct backup_set *set,
                    uint64_t *ret_removed, struct error *reterr);

/** All partitions of the set stand behind some backup of `tidy`, on the same timeline: so the
 * archive can be used. */
bool tidy_has_base(const struct tidy *tidy, const struct backup_set *set);

#endif
