/**
 * deletion: how a run goes away with everything it left in the tables of its partition.
 *
 * In two steps. The first is one small write: its row and its head go, with what points at it
 * (client id, key of its workflow, timer, listeners, watchers), and a row of TABLE_DELETIONS says
 * what is left. From that commit on the run does not exist: reads say NOT_FOUND, its client id can
 * be used again. The second follows in pieces, DELETE_ROWS_PER_TURN rows a turn at most and never
 * longer than DELETE_TURN_US, beside whatever the partition has to do: the snapshot and its
 * payloads, then the journal from the newest entry back, with the payloads and approvals that each
 * entry names, and dead letters if there was one; before all that what answers to requests with an
 * Idempotency-Key show of it. A restart goes on where it was. Where dead letters stay
 * (retention.h), the first of all is that what they show is copied into them.
 *
 * What it does not delete: child runs (runs of their own), definitions (shared), webhooks that are
 * on their way, the idempotency keys themselves (they expire; a repeated start of a deleted run is
 * NOT_FOUND).
 *
 * For retention: engine_delete() for each run that is old enough, as long as
 * engine_deletions_left() is small; it needs no state of the run and does not load it.
 *
 * Threads: the engine's. A status other than OK means, as everywhere in the engine, that the
 * transaction is lost; that a run cannot be deleted is said otherwise.
 */
#ifndef SCHEDULER_DELETION_H
#define SCHEDULER_DELETION_H

#include "scheduler/engine/engine_internal.h"

enum {
    DELETE_ROWS_PER_TURN = 1'000,
    DELETE_TURN_US       = 3'000, /* a piece; one row more may be on its way */
};

struct deletion_wish {
    str run; /* its id */
    str by;
    bool
        is_forced; /* one that is not over is terminated first; one that cannot be read goes, too */
    bool keeps_letters; /* its dead letters stay, with all that they show */
};

/**
 * The first step. `ret_why` (may be NULL) says why not, if `*ret_code` is not OK: NOT_FOUND;
 * FAILED_PRECONDITION ("run_not_finished"); DATA_LOSS ("run_damaged"): its rows cannot be read, and
 * it is not forced (damage.h).
 */
status engine_delete(struct engine *engine, const struct deletion_wish *wish, status *ret_code,
                     struct error *ret_why, struct error *reterr);

/** COMMAND_DELETE_RUN. */
status engine_delete_run(struct engine *engine, struct command *command, struct error *reterr);

/** How many deleted runs have rows left, at no cost. */
status engine_deletions_left(struct engine *engine, uint64_t *ret_count, struct error *reterr);

/* --- the engine's turn -------------------------------------------------------------------------
 */

/** The first step, of a run whose rows of this turn are written. */
status engine_delete_rows(struct engine *engine, str run, bool keeps_letters, struct error *reterr);

/** The rows of who waits for its end. */
status engine_watchers_delete(struct engine *engine, str run, struct error *reterr);

/** The second step of a run, which may have gone long ago, also drops its dead letters. */
status engine_drop_letters_later(struct engine *engine, str run, struct error *reterr);

/** A piece of the second step, if there is anything to do. */
status engine_deletions_go_on(struct engine *engine, struct error *reterr);
status engine_deletions_recover(struct engine *engine, struct error *reterr);

#endif
