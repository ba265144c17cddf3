/**
 * run_reader: runs for those who ask, read from the store on the caller's thread.
 *
 * A reader holds a snapshot of the store for the length of one call: short.
 */
#ifndef SCHEDULER_RUN_READER_H
#define SCHEDULER_RUN_READER_H

#include "run.pb-c.h"
#include "scheduler/scheduler.h"
#include "scheduler/tables/run_store.h"

/** The view of a run by its generated id. `is_full`: with input and output. Lives as long as
 * `arena`. NOT_FOUND ("not_found"), DATA_LOSS, RESOURCE_EXHAUSTED. */
status run_read_view(const struct shard *shard, str id, bool is_full, struct arena *arena,
                     Pb__RunView **ret_view, struct error *reterr);

/** Where a run that a caller named is to be found. */
struct run_place {
    struct shard *shard; /* NULL: another owner's */
    uint16_t partition;
    struct id id;
};

/**
 * Finds a run by its generated id or by a client's own one. `namespace` of the caller; "*": any (a
 * client id then means one of "default"). OK and no shard: the partition is another owner's.
 * NOT_FOUND, also for runs of another namespace.
 */
status run_find(struct scheduler *scheduler, str text, str namespace, struct arena *arena,
                struct run_place *ret_place, struct error *reterr);

/** Likewise, by a generated id also one that is gone, if dead letters have outlived it. */
status run_find_left(struct scheduler *scheduler, str text, str namespace, struct arena *arena,
                     struct run_place *ret_place, struct error *reterr);

/** Says whether a client's own id has the form it must have. */
bool client_id_is_valid(str text);

/** The namespace in which a caller's client ids and idempotency keys are kept. */
str namespace_of_keys(str namespace);

#endif
