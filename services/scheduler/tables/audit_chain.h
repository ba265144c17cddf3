/**
 * audit_chain: the rows of the audit log.
 *
 *     number (u64)   ->   hash (32 bytes), AuditRecord (audit.proto)
 *
 * Numbers begin at 1 and have no gap. The hash of a record is SHA-256 of the hash of the one before
 * (32 zeros before the first), its number (8 bytes, big-endian) and its bytes: so no record can be
 * changed, left out or put in without changing all hashes behind it. Who has noted a number and its
 * hash elsewhere finds out about that, too.
 *
 * Old records are removed from the front. The last one that went leaves its number and its hash
 * without the record: the anchor, from which the chain goes on.
 *
 * Threads: plain functions over a transaction.
 */
#ifndef SCHEDULER_AUDIT_CHAIN_H
#define SCHEDULER_AUDIT_CHAIN_H

#include "audit.pb-c.h"
#include "base/hash.h"
#include "scheduler/tables/record.h"

/** The end of a chain; zeros: it is empty. */
struct audit_end {
    uint64_t number;
    uint8_t hash[SHA256_SIZE];
};

/** A row; views of it. */
struct audit_row {
    uint64_t number;
    const uint8_t *hash; /* SHA256_SIZE bytes */
    bytes record;        /* empty: the anchor */
};

/** DATA_LOSS: that is no row of the log. */
status audit_row_read(bytes key, bytes value, struct audit_row *ret_row, struct error *reterr);

/** Reads where the chain ends. */
status audit_end_read(struct txn *txn, struct audit_end *ret_end, struct error *reterr);

/** Appends a record, and moves the end. */
status audit_append(struct txn *txn, struct audit_end *end, const Pb__AuditRecord *record,
                    struct arena *arena, struct error *reterr);

/** Removes records that were noted before `before_us`, from the front, at most `count_max`;
 * `*ret_count` of them. */
status audit_remove(struct txn *txn, int64_t before_us, size_t count_max, struct arena *arena,
                    size_t *ret_count, struct error *reterr);

/** The number of the first record that was noted at `time_us` or later; one behind the last if
 * there is none. Needs some 30 look-ups, however long the log is. */
status audit_number_at(struct txn *txn, int64_t time_us, struct arena *arena, uint64_t *ret_number,
                       struct error *reterr);

struct audit_check {
    uint64_t first;  /* record there is; 0: none */
    bool has_anchor; /* records before it were removed */
    uint8_t anchor[SHA256_SIZE];
    struct audit_end last; /* that was checked */
    uint64_t checked;
    bool has_more;
    uint64_t bad; /* the first record that is wrong; 0: none */
    const char *why;
};

/** Checks the records behind `after` (0: from the first on) up to `until` (0: the last), at most
 * `count_max`. The hash of `after` is taken as it is: it was checked before. */
status audit_verify(struct txn *txn, uint64_t after, uint64_t until, size_t count_max,
                    struct audit_check *ret_check, struct error *reterr);

#endif
