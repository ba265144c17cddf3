/**
 * proof: says whether the tables of a partition fit together.
 *
 * What must hold, from the journal (docs/guide/operations.md, "Backups"):
 *
 *     the events of each run are numbered 1..n without a gap, and the head and the row of the run
 *     say the same as its last event; it ends once, and only a retry opens it again;
 *     the journal folded from the start gives the state that snapshot and tail give, byte by byte;
 *     each open job stands in its queue once, and each place of a queue has its job;
 *     each timer belongs to the run that says so;
 *     the chain of the audit log is whole.
 *
 * It reads everything, run by run, and changes nothing.
 *
 * Threads: any that has no transaction of the store open.
 */
#ifndef SCHEDULER_PROOF_H
#define SCHEDULER_PROOF_H

#include "base/status.h"
#include "store/store.h"

#include <stdint.h>

struct proof {
    uint64_t runs, events, jobs, timers;
    uint64_t faults; /* of all kinds */
};

/** A fault that was found, in words. */
typedef void proof_listener(const char *text, void *context);

/**
 * Proves one partition's store. Faults are told and counted. Fails only if the store cannot be
 * read.
 */
status proof_of_store(struct store *store, proof_listener *on_fault, void *context,
                      struct proof *ret_proof, struct error *reterr);

#endif
