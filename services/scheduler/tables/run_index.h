/**
 * run_index: by which runs are found without reading all of them.
 *
 * A row of TABLE_RUN_INDEX is a key without a value that ends with the id of a run, so that each
 * range of it is in the order of creation:
 *
 *     label      namespace, digest of label and value     written at the start
 *     parent     the run whose child it is                 likewise
 *     workflow   namespace, name, status                   written at the end
 *     status     namespace, status                         at the end, unless it has completed
 *
 * Runs that have not ended are found by TABLE_RUN_HEADS, which has no others; most runs complete,
 * so the completed ones of all workflows are the table of runs itself. A run without labels costs
 * one row, when it ends.
 *
 * What a row says may be more than is asked (a digest): whoever finds a run here looks at it.
 *
 * Threads: whoever owns the transaction.
 */
#ifndef SCHEDULER_RUN_INDEX_H
#define SCHEDULER_RUN_INDEX_H

#include "run.pb-c.h"
#include "scheduler/tables/record.h"

/* --- prefixes of the keys ----------------------------------------------------------------------
 */

void index_label_key(struct key *key, str namespace, const Pb__Label *label);
void index_parent_key(struct key *key, str parent);
void index_workflow_key(struct key *key, str namespace, str workflow, Pb__RunStatus state);
void index_status_key(struct key *key, str namespace, Pb__RunStatus state);

/** Steps through the namespaces that have rows of the kind of `key`, one of the above: sets
 * `ret_namespace` to the first one behind `after` (empty: the first). False: there is none. */
status index_next_namespace(struct txn *txn, const struct key *key, str after,
                            struct key_text *ret_namespace, bool *ret_found, struct error *reterr);

/* --- rows --------------------------------------------------------------------------------------
 */

/** A run is new. Labels and parent are those of its row. */
status run_index_begin(struct txn *txn, const Pb__RunView *row, struct error *reterr);
/** It has ended; its row says how. The other: it goes on after all. */
status run_index_end(struct txn *txn, const Pb__RunView *row, struct error *reterr);
status run_index_reopen(struct txn *txn, const Pb__RunView *row, struct error *reterr);
/** Its labels are others than before. */
status run_index_relabel(struct txn *txn, const Pb__RunView *before, const Pb__RunView *row,
                         struct error *reterr);
/** It goes. */
status run_index_delete(struct txn *txn, const Pb__RunView *row, struct error *reterr);

#endif
