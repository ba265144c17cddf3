/**
 * archiver: takes what the partitions commit (store/redo.h) to segments of a folder, all the time.
 *
 * A thread of its own reads what was committed, every `interval_ms` and whenever a segment is full,
 * writes it to segments and syncs them; from then on the stores delete what was taken. So a commit
 * is outside of the machine's data after the interval and the time of two syncs. If the folder is
 * away, full or slow, nobody waits: the redo stays in the stores until their limit for it, the
 * archiver says what fails and tries again, and what was not lost goes out when the folder is back.
 *
 * The folder itself is not made: one that is missing is a disk that is not mounted.
 *
 * Threads: start and stop by main; archiver_state() by any.
 */
#ifndef SCHEDULER_ARCHIVER_H
#define SCHEDULER_ARCHIVER_H

#include "scheduler/archive/archive_folder.h"

/** A partition. */
struct archive_source {
    struct store *store; /* keeps redo */
    uint16_t index;
    uint32_t epoch;
};

struct archiver_options {
    const char *folder;
    int64_t interval_ms;
    uint64_t segment_size; /* bytes; at most SEGMENT_SIZE_MAX / 2 */
    unsigned redo_table;
    const struct archive_source *sources; /* copied */
    size_t count;
};

struct archiver;

/** Never fails because of the folder. Owned: archiver_stop(). RESOURCE_EXHAUSTED: no thread. */
status archiver_start(const struct archiver_options *options, struct archiver **ret_archiver,
                      struct error *reterr);

/** Takes what is left, if the folder lets it, and frees. After the last commit, before the stores
 * are closed. NULL is fine. */
void archiver_stop(struct archiver *archiver);

struct archiver_state {
    bool is_failing;
    char failure[256];      /* of the last round */
    int64_t covered_us;     /* all commits until then are in the archive; 0: nothing is yet */
    uint64_t segments;      /* written by this process */
    uint64_t bytes;         /* of these */
    uint64_t waiting_bytes; /* not yet taken, or not yet deleted */
    uint64_t given_up;      /* how often redo was given up, so that commits are missing */
};
void archiver_state(struct archiver *archiver, struct archiver_state *ret_state);

#endif
