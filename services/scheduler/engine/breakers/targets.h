/**
 * targets: whom the open jobs of a partition call, and which of them may not be called now.
 *
 * A copy of what the system partition has said of its breakers; a job whose target is shut is held
 * (job_queue.h) until it is not. When a target is half-open, one of its jobs may go as a probe, if
 * the system partition says so.
 *
 * Kept here as well until the end of the turn: what the system partition is to hear.
 *
 * Threads: the engine thread only. A target lives as long as it has jobs, is shut, or has something
 * to say.
 */
#ifndef SCHEDULER_BREAKER_TARGETS_H
#define SCHEDULER_BREAKER_TARGETS_H

#include "base/str.h"
#include "fleet/breaker.h"
#include "scheduler/breaker/outcome.h"

#include <stddef.h>

enum { TARGETS_MAX = 1'000'000 };

struct open_job;

struct target {
    str name; /* owned */

    /* As last heard. */
    enum breaker_state state;
    int64_t held_until_us; /* 0: it does not rest */

    struct open_job *first; /* all its open jobs */
    size_t job_count;
    size_t held_count;      /* of them, because of it */
    uint64_t held_total;    /* since it is known, and not counted yet */
    struct open_job *probe; /* may go, or is under way */
    bool has_asked;         /* for a probe */

    /* Not told yet. */
    bool has_news;
    struct target *next_news;
    uint32_t failures;
    int64_t wants_rest_until_us;
    bool has_probe_ended;
    enum probe_end probe_end;
};

struct targets;

struct targets *targets_new(void); /* owned */
void targets_free(struct targets *targets);

/** Finds or makes it; NULL: TARGETS_MAX. */
struct target *targets_at(struct targets *targets, str name);
struct target *targets_find(const struct targets *targets, str name);

/** Walks all; NULL at the end. `*cursor` begins at 0. */
struct target *targets_next(const struct targets *targets, size_t *cursor);

/** Frees it if nothing needs it. */
void targets_drop(struct targets *targets, struct target *target);

bool target_is_shut(const struct target *target);

/** What was heard. The caller places its jobs anew. */
void targets_set(struct targets *targets, struct target *target, enum breaker_state state,
                 int64_t held_until_us);

/** How many are shut. */
size_t targets_shut_count(const struct targets *targets);

/** When a rest ends; INT64_MAX: none. */
int64_t targets_due_us(const struct targets *targets);

/** A target whose rest is over by now, which rests no more; NULL: none. */
struct target *targets_wake(struct targets *targets, int64_t now_us);

/** A job is held because of its target: a probe may be wanted, or its task would rather fail. */
void target_note_held(struct targets *targets, struct target *target, const struct open_job *job);

/** There is one more than could fail in this turn. */
void targets_note_impatient(struct targets *targets);

/** Says whether there may be a held job whose task would rather fail; asking forgets it. */
bool targets_have_impatient(const struct targets *targets);
bool targets_take_impatient(struct targets *targets);

/** An open job comes and goes. */
void target_add_job(struct target *target, struct open_job *job);
void target_remove_job(struct target *target, struct open_job *job);

/* --- what is to be told ------------------------------------------------------------------------
 */

void target_note_failure(struct targets *targets, struct target *target);
void target_note_rest(struct targets *targets, struct target *target, int64_t until_us);

/** The probe of `target` has ended; it has none any more. */
void target_note_probe(struct targets *targets, struct target *target, enum probe_end end);

/** Takes a target that has something to say out of the list; NULL: none is left. */
struct target *targets_take_news(struct targets *targets);
bool targets_have_news(const struct targets *targets);

/** Forgets what was told. */
void target_clear_news(struct target *target);

#endif
