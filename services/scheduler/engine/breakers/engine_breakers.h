/**
 * engine_breakers: circuit breakers at work, in the engine's turn.
 *
 * Every partition knows whom its jobs call (targets.h) and says at the end of its turn what they
 * have met. The system partition keeps the breakers, and says to all what changes; to one partition
 * that asks it says that a job may go as a probe. What crosses partitions goes through the outbox,
 * so it arrives once; the system partition tells itself in the same turn. A partition keeps what it
 * was told as rows, so that after a restart no job goes where it may not.
 *
 * A job that is held burns no attempt and writes nothing: what it waits for is told by its target.
 * docs/internals/breakers.md.
 */
#ifndef SCHEDULER_BREAKER_ENGINE_BREAKERS_H
#define SCHEDULER_BREAKER_ENGINE_BREAKERS_H

#include "scheduler/engine/engine_internal.h"

/* --- holding.c: every partition ---------------------------------------------------------
 */

/** Whom a job of a run calls; NULL: nobody with a breaker. `arguments` may be JSON_INVALID. */
struct target *engine_target_of(struct engine *engine, str queue, const char *function,
                                json arguments);

/** By name, if it may have a breaker; NULL: it may not. */
struct target *engine_target_named(struct engine *engine, str name);

/** What a report says of those whom the job called; `error` is JSON_INVALID unless it failed. */
void engine_note_report(struct engine *engine, struct open_job *job, const Pb__JobReport *report,
                        json error);

/** Nobody reported. `is_failure`: the attempt took too long. */
void engine_note_silence(struct engine *engine, struct open_job *job, bool is_failure);

/** The system partition has spoken. */
status engine_take_breaker_news(struct engine *engine, const Pb__BreakerNews *news,
                                struct error *reterr);

/** Tells what is to be told, and lets jobs fail whose tasks would rather. Before jobs are handed
 * out. */
status engine_breakers_settle(struct engine *engine, struct error *reterr);

/** When engine_breakers_settle() will next have something to do; INT64_MAX: never. */
int64_t engine_breakers_due_us(const struct engine *engine);

/** Reads the rows; before open jobs are read. */
status engine_breakers_recover(struct engine *engine, struct error *reterr);

/* --- owner.c: the system partition ------------------------------------------------------
 */

/** What a partition has met. */
status engine_take_breaker_report(struct engine *engine, const Pb__BreakerReport *report,
                                  struct error *reterr);

/** Commands: Pb__SetBreaker -> Pb__BreakerView; Pb__BreakerReport -> Pb__BreakerList. */
status engine_set_breaker(struct engine *engine, struct command *command, struct error *reterr);
status engine_report_breakers(struct engine *engine, struct command *command, struct error *reterr);

/** Does what is due, writes the rows that have changed and tells who is to hear. */
status engine_owner_settle(struct engine *engine, struct error *reterr);

#endif
