/**
 * replay: brings a copy of a partition to a later moment, by the archive.
 *
 * The copy and the archive must be of one timeline (store/redo.h). Whole transactions are applied
 * in their order up to the moment; nothing is skipped, guessed or repaired.
 *
 * Threads: one, with folders that nobody else uses.
 */
#ifndef SCHEDULER_REPLAY_H
#define SCHEDULER_REPLAY_H

#include "scheduler/archive/archive_folder.h"

/** Where a copy stands. */
struct replay_base {
    uint16_t partition;
    uint8_t timeline[REDO_TIMELINE_SIZE];
    uint64_t sequence; /* of its last commit */
    int64_t at_us;     /* of that */
};

/** Reads it. FAILED_PRECONDITION: the copy was made without an archive. */
status replay_base_read(struct store *store, uint16_t partition, struct replay_base *ret_base,
                        struct error *reterr);

/** Until when the archive has all commits of the base's timeline; that of the base itself if it has
 * none. Fails as archive_covered_read(), but not with NOT_FOUND. */
status replay_reach(const char *archive, const struct replay_base *base, int64_t *ret_until_us,
                    struct error *reterr);

struct replay_sum {
    uint64_t commits;
    int64_t last_us; /* of the newest commit that was applied; 0: none */
};

/**
 * Applies what was committed behind the base and not later than `until_us`. `sum` is added to.
 *
 * DATA_LOSS: a segment is damaged, or one is missing; the text names it, the byte, and until when
 * the partition can be restored. Else of the file system and the store.
 */
status replay_until(struct store *store, const char *archive, const struct replay_base *base,
                    int64_t until_us, struct replay_sum *sum, struct error *reterr);

/** Bytes of map that applying all of it may need. */
status replay_room(const char *archive, const struct replay_base *base, uint64_t *ret_bytes,
                   struct error *reterr);

#endif
