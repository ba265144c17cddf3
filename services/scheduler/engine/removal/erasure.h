/**
 * erasure: what people have put into a run that has ended goes; how it went stays to be seen.
 *
 * Like a deletion (deletion.h) in two steps. The first commit marks the row of the run, scrubs what
 * the row says of its error and phase, and takes its snapshot out of use; from then on the run is
 * not retried, reset, compensated or restarted. The second step goes through snapshot and journal
 * in pieces, beside whatever the partition has to do, and survives a restart: values lose their
 * contents (run/erase.h), also those in payloads; approvals, dead letters and what was answered to
 * requests with an Idempotency-Key go.
 *
 * That it was done is remembered, by id and time: an import of the run is refused, and a restore of
 * older data does it again (erased_again.c).
 *
 * What it does not: labels, client id, ids and names; other runs (parents, children) that were
 * given the same values; answers that a living process remembers (services/answer_cache.h), for ten
 * minutes; kept answers of calls, events and webhooks that are on their way; pages of the file that
 * are free now, backups and the archive themselves. See docs/guide/operations.md.
 *
 * Threads: the engine's.
 */
#ifndef SCHEDULER_ERASURE_H
#define SCHEDULER_ERASURE_H

#include "scheduler/engine/engine_internal.h"
#include "scheduler/tables/erasures.h"

/** The first step for a run; `outcome` says what became of it, and `*ret_row` (may be NULL) is its
 * row if that is OK. One that is erased stays as it is. */
status engine_erase(struct engine *engine, str run, struct command *outcome, Pb__RunView **ret_row,
                    struct error *reterr);

/** Remembers it (tables/erasures.h), if that is not known yet. */
status engine_note_erasure(struct engine *engine, str run, enum erasure_kind kind,
                           struct error *reterr);

/* --- after a restore ---------------------------------------------------------------------------
 */

/** Does a piece of what was erased after the backup: runs that have not ended in it are terminated
 * first. Until all is done (`has_erasures`) no job is handed out and no timer fires. */
status engine_erasures_go_on(struct engine *engine, struct error *reterr);
status engine_erasures_recover(struct engine *engine, struct error *reterr);

/** COMMAND_ERASE_RUN. */
status engine_erase_run(struct engine *engine, struct command *command, struct error *reterr);

/** Refuses a command whose run was erased: FAILED_PRECONDITION ("run_erased"). Says whether it did.
 */
bool engine_refuse_erased(struct engine *engine, struct command *command, str run);

/** A payload without its contents; one that is not there stays so. The transaction is lost on
 * failure. */
status engine_erase_payload(struct engine *engine, uint64_t payload, struct error *reterr);

/** The journal entry `number`, which is `entry`, without its contents. */
status engine_erase_entry(struct engine *engine, uint64_t number, bytes entry,
                          struct error *reterr);

#endif
