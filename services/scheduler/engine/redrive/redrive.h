/**
 * redrive: dead letters that are tried again without anybody asking for each: by the rule of their
 * queue, or all of them at a limited rate.
 *
 * A rule {errors, after, times, rate} is for letters whose error is of one of its classes: each is
 * redriven when it has lain for so long, at most so often, and never if it is not known what its
 * attempts have done outside. When the circuit breaker of whom the job called closes, letters that
 * came before are redriven at once. A sweep is what somebody asked for: all letters there are, of a
 * filter, at a rate; the rule's limits are not its own.
 *
 * How often a call was redriven by a rule is written with the retry (calls.h): so `times` holds
 * over restarts, and the next letter of the same call knows.
 *
 * Each queue has up to three passes over its letters, the oldest first; a turn does a piece of
 * each. A pass remembers how far it has come, so a letter is looked at once, but by one that begins
 * anew: after a restart, with another rule, when a breaker closes.
 *
 * Threads: the engine's.
 */
#ifndef SCHEDULER_REDRIVE_H
#define SCHEDULER_REDRIVE_H

#include "dead_letter.pb-c.h"
#include "scheduler/engine/engine_internal.h"

enum {
    REDRIVE_ERRORS_MAX     = 16,
    REDRIVE_ERROR_TEXT_MAX = 256, /* bytes */
    REDRIVE_TIMES_MAX      = 100,
};
#define REDRIVE_AFTER_MAX_US INT64_C(2'592'000'000'000) /* 30 days */

struct queue_redrive;

/** INVALID_ARGUMENT: something of it is out of bounds. */
status redrive_rule_check(const Pb__RedriveRule *rule, uint16_t partitions, struct error *reterr);

/** Says whether one of the rule's classes is that of an error: the whole type, or its last part
 * ("communication"). None named: any. */
bool redrive_rule_means(const Pb__RedriveRule *rule, str error_type);

/** The rule of a queue from now on; NULL: none. The caller writes the queue's row. */
status engine_redrive_set(struct engine *engine, struct queue *queue, const Pb__RedriveRule *rule,
                          struct error *reterr);

/** Begins a sweep over all letters that are in the queue now; one that is under way ends. The
 * caller writes the queue's row. */
status engine_redrive_sweep(struct engine *engine, struct queue *queue,
                            const Pb__RedriveSweep *sweep, struct error *reterr);

/** What the row of a queue says of it; NULL: nothing. Until it changes. */
Pb__QueueRedrive *engine_redrive_row(const struct engine *engine, const struct queue *queue);
status engine_redrive_recover(struct engine *engine, struct queue *queue,
                              const Pb__QueueRedrive *row, struct error *reterr);

/** A letter has come into a queue, and how often its call was redriven before. */
status engine_redrive_noted(struct engine *engine, const struct queue *queue,
                            Pb__DeadLetterRecord *letter, struct error *reterr);

/** The circuit breaker of `target` has closed. */
status engine_redrive_closed(struct engine *engine, str target, struct error *reterr);

/** A piece of what is due. */
status engine_redrives_go_on(struct engine *engine, struct error *reterr);
int64_t engine_redrives_due_us(const struct engine *engine);

/** letters.c: a letter that was found is forgotten. `run` and `job` are those of its row. */
status engine_drop_letter_at(struct engine *engine, bytes key, const char *run, const char *job,
                             struct error *reterr);

/** Drops letters of a run, `count_max` at most; fewer: none is left. */
status engine_drop_some_letters(struct engine *engine, str run, size_t count_max, size_t *ret_count,
                                struct error *reterr);

/** All letters of a run that is gone or erased: some now, and the rest in pieces (deletion.h). */
status engine_shed_letters(struct engine *engine, str run, struct error *reterr);

/** Likewise. A command to erase or delete a run found none: if letters have outlived it, these go,
 * and the command has done something. */
status engine_drop_letters_left(struct engine *engine, struct command *command, str run,
                                struct error *reterr);

/** Frees what is in memory. */
void engine_redrives_done(struct engine *engine);

#endif
