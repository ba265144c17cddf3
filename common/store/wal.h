/**
 * wal: the log of a store: what was committed since the store's file was last known to be durable.
 *
 * A commit is one record, appended and synced: one sync of a few sequential kilobytes, whatever the
 * commit changes in the store's file. That file is made durable in the background, now and then: a
 * checkpoint. The log knows no more of it than a number and some bytes that it keeps for whoever
 * made them (the base).
 *
 * Two files in the store's folder, wal.0 and wal.1, take turns. Each begins with a base and holds
 * the records behind it. wal_turn() begins the other file with a new base; from then on records go
 * there. wal_settle() says that the new base is durable, and makes that durable; then, and not
 * before, the first file may be used again. So at any moment one file has a base that is durable,
 * and what follows it is in that file and, while a checkpoint is under way, in the other one.
 *
 *     head    4,096 bytes: magic, version, length of the base's bytes, lineage, generation, salt,
 *             number of the first record, number of the base; checksum of it all and of the base
 *     base    its bytes
 *     marks   settled, settled, doubted, doubted: 512 bytes each
 *     records checksum u64, length u32, kind u32, number u64, commit u64, proof u64, payload;
 *             8-byte aligned
 *
 * The salt is new with each turn and goes into all checksums, so that nothing that stood in the
 * file before, nor anything that a payload holds, is taken for a record. The first record that is
 * not whole is the end: its sync has not returned, so nobody was told of it, and none was written
 * behind it.
 *
 * That is so unless the disk has damaged what was durable, and this is told apart. Numbers go on
 * without a gap until the log is removed, and each record proves its own: one that stands anywhere
 * with a number beyond the end says that what is missing was acknowledged. A mark says the same of
 * the head in front of it. What nobody can tell apart is a last record that was damaged from one
 * that was never finished.
 *
 * The files grow by zeros written in advance, so that most syncs find the same length. Integers are
 * those of the machine.
 *
 * Threads: one, but for wal_settle() and wal_doubt(), which any other may call.
 */
#ifndef STORE_WAL_H
#define STORE_WAL_H

#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    WAL_BASE_MAX    = 2 * 65'536, /* bytes that a base keeps */
    WAL_PAYLOAD_MAX = 1 << 30,    /* bytes in a record */
    WAL_GROW_MIN    = 64 << 10,   /* bytes of zeros at a time: as many as there are, within these */
    WAL_GROW_MAX    = 1 << 20,
    WAL_KEPT_MAX    = 64 << 20, /* bytes; a longer file is cut when its turn comes again */
};

/** A state of the store's file. */
struct wal_base {
    uint64_t commit; /* the last one in it */
    bytes keep;
};

/** --- What there was ---------------------------------------------------------------------------
 */

struct wal_past;

/** Reads the log in `folder`. `*ret_past` is NULL if there is none: the store's file is durable as
 * it is. Owned: wal_past_free(). UNAVAILABLE: file system. DATA_LOSS: neither file has a base that
 * is durable, the two do not fit together, or something is missing that was acknowledged. */
status wal_past_read(const char *folder, struct wal_past **ret_past, struct error *reterr);
void wal_past_free(struct wal_past *past);
void wal_past_freep(struct wal_past **past);

/** The base that is durable; views of `past`. */
struct wal_base wal_past_base(const struct wal_past *past);

/** Somebody has said wal_doubt() since. */
bool wal_past_is_doubted(const struct wal_past *past);

struct wal_record {
    uint64_t commit;
    bytes payload; /* a view of `past` */
};

/** The next commit behind the base, in order; those that were taken back are left out. False: at
 * the end. */
bool wal_past_next(struct wal_past *past, struct wal_record *ret_record);

/** --- Going on ------------------------------------------------------------------------------ */

struct wal;

/** Begins the log anew, with a base that is durable already; what it held before counts until this
 * has returned OK, and no longer. `past` (NULL: none) is what was read there. Owned: wal_close().
 * UNAVAILABLE, RESOURCE_EXHAUSTED: file system. */
status wal_open(const char *folder, const struct wal_past *past, const struct wal_base *base,
                struct wal **ret_wal, struct error *reterr);

/** Goes on with the log that was read, behind its last record, and makes that durable: nothing has
 * happened to the store's file but what stands in it. Only where no checkpoint was under way; else
 * FAILED_PRECONDITION, and wal_open() is left. Owned: wal_close(). UNAVAILABLE: file system. */
status wal_resume(const char *folder, const struct wal_past *past, struct wal **ret_wal,
                  struct error *reterr);

/** Closes the files and leaves them as they are. NULL is fine. */
void wal_close(struct wal *wal);

/** Removes the log: the store's file holds everything and is durable. Takes `wal`. UNAVAILABLE:
 * then it may be there again. */
status wal_remove(struct wal *wal, struct error *reterr);

/** Appends a commit and makes it durable. RESOURCE_EXHAUSTED (disk full, WAL_PAYLOAD_MAX): there is
 * no record, the log goes on. UNAVAILABLE is final: nobody knows what is on disk. */
status wal_append(struct wal *wal, uint64_t commit, bytes payload, struct error *reterr);

/** The commit that was appended last has failed after all: takes it back, and makes that durable.
 * There is always room for it. UNAVAILABLE is final. */
status wal_take_back(struct wal *wal, uint64_t commit, struct error *reterr);

/** Bytes of records since the last turn. */
uint64_t wal_turn_bytes(const struct wal *wal);

/** Begins the other file, whose time has passed, with a new base that is not durable yet; it gets
 * there with the next record or with wal_settle(). The base before must be settled.
 * UNAVAILABLE, RESOURCE_EXHAUSTED: records go on where they did; call again later. */
status wal_turn(struct wal *wal, const struct wal_base *base, struct error *reterr);

/** The base of the last turn is durable now: makes that known, durably. UNAVAILABLE: nobody knows
 * whether that has worked; neither base may be given up. Another thread may append meanwhile. */
status wal_settle(struct wal *wal, struct error *reterr);

/** The store's file could not be made durable: what the page cache shows of it is not to be
 * trusted. Written, not synced: for the next process on this machine. */
void wal_doubt(struct wal *wal);

#endif
