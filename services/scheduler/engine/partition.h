/**
 * partition: the unit of ownership: one store, and what it says about itself.
 *
 * A partition lives in the folder `p<index>` of the data folder. Its table `meta` keeps:
 *
 *     format           u32: PARTITION_FORMAT_LOGGED while there is a log beside the store's file,
 *                      else PARTITION_FORMAT; a newer one is refused
 *     partition_count  u32: fixed when the data folder is made
 *     partition        u32: its index
 *     epoch            u32: from 1; grows with a restore or failover, never with a restart
 *     lease_key        32 bytes: signs lease tokens
 *
 * Threads: opened and closed by main; what is in it belongs to the engine thread, but the store may
 * be read by others and the constants by all.
 */
#ifndef SCHEDULER_PARTITION_H
#define SCHEDULER_PARTITION_H

#include "scheduler/engine/jobs/lease_token.h"
#include "scheduler/engine/poison.h"
#include "store/redo.h"
#include "store/store.h"

#include <stdatomic.h>

enum {
    PARTITION_FORMAT        = 1,
    PARTITION_FORMAT_LOGGED = 2,     /* releases that do not know the log refuse it */
    PARTITIONS_MAX          = 1'024, /* as RPC_PARTITIONS_MAX */
};

struct partition_options {
    const char *folder; /* the data folder, which exists; NULL: in memory, nothing is durable */
    uint64_t map_size;  /* bytes */
    uint16_t index;
    uint16_t count;                      /* of all partitions */
    const struct redo_clock *redo_clock; /* NULL: no redo is kept, and what there is goes */
    uint64_t redo_bytes_max;
};

struct partition {
    uint16_t index;
    uint16_t count;
    uint32_t epoch;
    struct lease_key lease_key;
    struct store *store;           /* owned */
    struct poison *poison;         /* owned; NULL in memory */
    char path[STORE_PATH_MAX];     /* its folder; empty: in memory */
    _Atomic int64_t sync_probe_us; /* by partition_probe(); 0: not yet, in memory, or no room */
};

/**
 * Opens or makes a partition. Owned: partition_close(). FAILED_PRECONDITION: it is another
 * partition, of another count or a newer format, or another process owns it. Else as store_open().
 */
status partition_open(const struct partition_options *options, struct partition **ret_partition,
                      struct error *reterr);
/**
 * After a restore: raises the epoch of a partition that is there, and gives it a new key, so that
 * no lease token of before is valid. Fails as partition_open().
 */
status partition_raise_epoch(const struct partition_options *options, struct error *reterr);

/**
 * Measures how long a synced write takes on its disk, for people, and logs it; a disk without room
 * takes no probe. Blocks for some 20 syncs, so nobody waits for it who serves. Any one thread.
 */
void partition_probe(struct partition *partition);

void partition_close(struct partition *partition);
void partition_closep(struct partition **partition);

/** The partition that owns what is known by a text: hash of namespace and text, modulo `count`. */
uint16_t partition_of_text(str namespace, str text, uint16_t count);

#endif
