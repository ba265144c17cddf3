/**
 * archive_folder: the segments of one partition: the folder p<index> of the archive.
 *
 * Beside them stands `covered`, a line of text: a timeline, its last sequence in a segment, and
 * until when (us since 1970) all of its commits are in segments. A partition without new commits
 * writes no segment, but says that.
 *
 * Threads: plain functions on files.
 */
#ifndef SCHEDULER_ARCHIVE_FOLDER_H
#define SCHEDULER_ARCHIVE_FOLDER_H

#include "scheduler/archive/segment.h"

enum { ARCHIVE_SEGMENTS_MAX = 1'000'000 /* files of a folder that are looked at */ };

struct archive_entry {
    char name[SEGMENT_NAME_SIZE];
    bool is_damaged; /* its head cannot be read; only timeline and `first` are known, by its name */
    struct segment_head head;
};

struct archive_list {
    struct archive_entry *entries; /* owned; by timeline, then by `first` */
    size_t count;
};
void archive_list_done(struct archive_list *list);

/** The folder of a partition. INVALID_ARGUMENT: too long. */
status archive_path(const char *folder, uint16_t partition, char path[static STORE_PATH_MAX],
                    struct error *reterr);

/** Reads the heads of all segments; `timeline` NULL: of all timelines. A folder that is not there
 * has none. Release: archive_list_done(), also after a failure. UNAVAILABLE: file system. */
status archive_list_read(const char *path, const uint8_t *timeline, struct archive_list *ret_list,
                         struct error *reterr);

/** Reads a whole segment. UNAVAILABLE: file system. DATA_LOSS: larger than one can be. */
status archive_file_read(const char *path, const char *name, struct buf *to, struct error *reterr);

struct archive_covered {
    uint8_t timeline[REDO_TIMELINE_SIZE];
    uint64_t sequence; /* the last one that is in a segment */
    int64_t until_us;
};

/** Replaces it, synced. RESOURCE_EXHAUSTED, UNAVAILABLE: file system. */
status archive_covered_write(const char *path, const struct archive_covered *covered,
                             struct error *reterr);

/** NOT_FOUND: there is none. DATA_LOSS: damaged. UNAVAILABLE: file system. */
status archive_covered_read(const char *path, struct archive_covered *ret_covered,
                            struct error *reterr);

/** Removes what a process that was killed has left half written. */
void archive_remove_partial(const char *path);

/** Where a kept backup of the partition stands. */
struct archive_base {
    uint8_t timeline[REDO_TIMELINE_SIZE];
    uint64_t sequence; /* 0: it was made without an archive */
    int64_t created_us;
};

/** Removes the segments that no kept backup needs: all of what they say is in each backup of their
 * timeline, and a backup is newer. Without backups none is removed. UNAVAILABLE: file system. */
status archive_purge(const char *path, const struct archive_base *bases, size_t count,
                     uint64_t *ret_removed, struct error *reterr);

#endif
