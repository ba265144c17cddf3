#include "scheduler/decide/decide.h"

#include "base/assert.h"
#include "base/mem.h"
#include "scheduler/decide/run_end.h"
#include "scheduler/decide/undo_run.h"
#include "scheduler/run/due.h"
#include "scheduler/run/lifecycle.h"

#include <stdlib.h>

enum { READY_CAPACITY_MIN = 16, SETTLE_CAPACITY_MIN = 4, US_PER_MS = 1'000 };

/* --- events ------------------------------------------------------------------------------------
 */

struct event *decide_emit(struct decision *decision, struct event *event)
{
    struct error error = {};
    event->sequence    = decision->run->sequence + 1;
    event->time_us     = decision->env->now_us;
    if (decision->env->notes_lifecycle) lifecycle_note(decision->run, event);
    status applied = run_apply(decision->run, event, &error);
    ASSERT(applied == STATUS_OK);
    return event_list_push(decision->events, event);
}

struct id decide_id(const struct decide_env *env)
{
    return id_next(env->ids, env->now_us / US_PER_MS, (uint32_t)prng_next(env->random));
}

int64_t decide_after(const struct decide_env *env, int64_t us)
{
    int64_t sum_us = 0;
    if (__builtin_add_overflow(env->now_us, us, &sum_us)) return NO_DUE_US - 1;
    return sum_us < NO_DUE_US ? sum_us : NO_DUE_US - 1;
}

/* --- what moves next ---------------------------------------------------------------------------
 */

void decide_ready(struct decision *decision, enum ready_kind kind, uint32_t slot)
{
    if (decision->ready_count == decision->ready_capacity) {
        decision->ready_capacity =
            decision->ready_capacity ? decision->ready_capacity * 2 : READY_CAPACITY_MIN;
        decision->ready =
            mem_resize(decision->ready, decision->ready_capacity, sizeof *decision->ready);
    }
    decision->ready[decision->ready_count++] = (struct ready){.kind = kind, .slot = slot};
}

static struct settlement *settlement_add(struct decision *decision, uint32_t owner)
{
    if (decision->settle_count == decision->settle_capacity) {
        decision->settle_capacity =
            decision->settle_capacity ? decision->settle_capacity * 2 : SETTLE_CAPACITY_MIN;
        decision->settle =
            mem_resize(decision->settle, decision->settle_capacity, sizeof *decision->settle);
    }
    const struct activation *activation = run_activation(decision->run, owner);
    struct settlement *entry            = &decision->settle[decision->settle_count++];

    *entry = (struct settlement){.owner = owner};
    if (activation) entry->owner_sequence = activation->started_sequence;
    return entry;
}

void decide_settle(struct decision *decision, uint32_t owner, json error)
{
    settlement_add(decision, owner)->error = error;
}

void decide_end(struct decision *decision, uint32_t owner, json output)
{
    struct settlement *entry = settlement_add(decision, owner);
    entry->error             = output;
    entry->is_end            = true;
}

void decide_list_moved(struct decision *decision, uint32_t scope, uint32_t owner)
{
    const struct scope *moved = run_scope(decision->run, scope);
    if (moved && moved->state == SCOPE_OPEN) {
        decide_ready(decision, READY_LIST, scope);
    } else {
        decide_settle(decision, owner, json_invalid());
    }
}

/* An undoing waits for a job that is to be undone next and has not answered. */
static bool scope_can_move(const struct run *run, const struct scope *scope)
{
    if (!scope_can_start(scope)) return false;
    const struct undo *entry = scope->kind == SCOPE_UNDO ? undo_next(run, scope->owner) : NULL;
    return !entry || !entry->job.text[0];
}

/* What could move at once: in the order of slots, so that a rebuilt run goes on the same way. */
static void collect(struct decision *decision)
{
    const struct run *run = decision->run;
    for (uint32_t i = 0; i < run->scopes.count; i++) {
        const struct scope *scope = run_scope(run, i);
        if (scope && scope_can_move(run, scope)) decide_ready(decision, READY_LIST, i);
    }
    for (uint32_t i = 0; i < run->activations.count; i++) {
        const struct activation *activation = run_activation(run, i);
        if (activation && activation_can_open(run, activation)) {
            decide_ready(decision, READY_OWNER, i);
        }
    }
}

bool run_has_more(const struct run *run)
{
    if (run->status != RUN_RUNNING || run->is_suspended) return false;
    if (run->more != MORE_UNKNOWN) return run->more == MORE_YES;
    for (uint32_t i = 0; i < run->scopes.count; i++) {
        const struct scope *scope = run_scope(run, i);
        if (scope && scope_can_move(run, scope)) return true;
    }
    for (uint32_t i = 0; i < run->activations.count; i++) {
        const struct activation *activation = run_activation(run, i);
        if (activation && activation_can_open(run, activation)) return true;
    }
    return false;
}

/* --- a command's frame -------------------------------------------------------------------------
 */

struct decision decision_begin(struct run *run, const struct decide_env *env,
                               struct event_list *events)
{
    uint32_t steps_max       = env->limits.steps_max;
    struct decision decision = {
        .run            = run,
        .env            = env,
        .events         = events,
        .steps_max      = steps_max ? steps_max : RUN_STEPS_PER_COMMAND,
        .first_sequence = run->sequence + 1,
        .failed_task    = TASK_NONE,
    };
    if (run->status == RUN_RUNNING && run->more != MORE_NO) collect(&decision);
    return decision;
}

void decision_collect(struct decision *decision)
{
    if (decision->run->status == RUN_RUNNING) collect(decision);
}

static void settle_one(struct decision *decision, const struct settlement *entry)
{
    if (decision->run->status != RUN_RUNNING) return;
    struct activation *owner = run_activation(decision->run, entry->owner);
    bool is_gone =
        owner ? owner->started_sequence != entry->owner_sequence : entry->owner != SLOT_NONE;
    if (is_gone) return;
    bool is_undoing = owner ? owner->state == TASK_UNDOING : decision->run->is_ending;
    if (is_undoing) return; /* it was left: what its lists still say changes nothing */
    if (entry->is_end) {
        run_end_from(decision, entry->owner, entry->error);
    } else if (owner && owner->undo) {
        undo_settle(decision, owner, entry->error);
    } else if (owner) {
        const struct task *task = activation_task(decision->run, owner);
        task_behaviour(task->kind)->settle(decision, owner, entry->error);
    } else {
        run_settle(decision, entry->error);
    }
}

void decision_settle(struct decision *decision)
{
    while (decision->settle_first < decision->settle_count) {
        struct settlement entry = decision->settle[decision->settle_first++];
        decision->is_cascade    = !entry.is_end && entry.error.kind != JSON_INVALID;
        settle_one(decision, &entry);
        decision->is_cascade = false;
        json_unref(entry.error);
    }
    decision->settle_first = decision->settle_count = 0;
}

/* What was ready once may not be so any more: its branch lost, its place has another use. */
static void step(struct decision *decision)
{
    struct run *run          = decision->run;
    const struct ready entry = decision->ready[decision->ready_first++];
    if (entry.kind == READY_LIST) {
        const struct scope *scope = run_scope(run, entry.slot);
        if (!scope || !scope_can_move(run, scope)) return;
        if (scope->kind == SCOPE_UNDO) {
            undo_step(decision, scope);
            return;
        }
        const struct place place = place_of(scope);
        task_index index         = scope_list(run, scope)->tasks[scope->position];
        task_start(decision, &place, index, scope->data);
        return;
    }
    struct activation *owner = run_activation(run, entry.slot);
    if (!owner) return;
    bool is_due = owner->state == TASK_RETRYING && owner->due_us <= decision->env->now_us;
    if (!is_due && !activation_can_open(run, owner)) return;
    const struct task_behaviour *behaviour = task_behaviour(activation_task(run, owner)->kind);
    if (owner->undo) {
        undo_open(decision, owner);
    } else if (behaviour->open) {
        behaviour->open(decision, owner);
    } else {
        behaviour->begin(decision, owner); /* another attempt of a task without lists */
    }
}

void decision_drop(struct decision *decision)
{
    free(decision->ready);
    free(decision->settle);
    decision->ready  = NULL;
    decision->settle = NULL;
}

void decision_end(struct decision *decision)
{
    struct run *run = decision->run;
    decision_settle(decision);
    while (run->status == RUN_RUNNING && !run->is_suspended &&
           decision->steps < decision->steps_max && decision->ready_first < decision->ready_count) {
        step(decision);
        decision_settle(decision);
    }
    bool is_done = decision->ready_first == decision->ready_count;
    run->more    = run->status != RUN_RUNNING || is_done ? MORE_NO : MORE_UNKNOWN;
    due_refresh(run);
    decision_drop(decision);
}
