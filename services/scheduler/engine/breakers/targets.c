#include "scheduler/engine/breakers/targets.h"

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "scheduler/engine/jobs/job_queue.h"

#include <stdlib.h>

struct targets {
    struct map *by_name; /* struct target, owned */
    int64_t due_us;      /* when a rest ends */
    size_t shut_count;
    struct target *first_news;
    bool has_impatient;
};

struct targets *targets_new(void)
{
    struct targets *targets = mem_new(1, sizeof *targets);
    *targets = (struct targets){.by_name = map_new(TARGETS_MAX), .due_us = INT64_MAX};
    return targets;
}

static void target_free(struct target *target)
{
    free((char *)(uintptr_t)target->name.ptr);
    free(target);
}

void targets_free(struct targets *targets)
{
    if (!targets) return;
    size_t cursor = 0;
    struct target *target;
    while ((target = targets_next(targets, &cursor))) target_free(target);
    map_free(targets->by_name);
    free(targets);
}

struct target *targets_find(const struct targets *targets, str name)
{
    return map_get(targets->by_name, name);
}

struct target *targets_at(struct targets *targets, str name)
{
    struct target *target = targets_find(targets, name);
    if (target) return target;
    target       = mem_new(1, sizeof *target);
    target->name = (str){mem_dup(name.ptr, name.len), name.len};
    if (map_put(targets->by_name, target->name, target)) return target;
    target_free(target);
    return NULL;
}

struct target *targets_next(const struct targets *targets, size_t *cursor)
{
    void *target = NULL;
    return map_next(targets->by_name, cursor, NULL, &target) ? target : NULL;
}

void targets_drop(struct targets *targets, struct target *target)
{
    if (target->job_count > 0 || target_is_shut(target) || target->has_news) return;
    void *removed = map_remove(targets->by_name, target->name);
    ASSERT(removed == target);
    target_free(target);
}

/* --- shut or not -------------------------------------------------------------------------------
 */

bool target_is_shut(const struct target *target)
{
    return target->state != BREAKER_CLOSED || target->held_until_us > 0;
}

/* Few rest at a time, and what they were asked for changes seldom. */
static void find_due(struct targets *targets)
{
    size_t cursor   = 0;
    targets->due_us = INT64_MAX;
    const struct target *target;
    while ((target = targets_next(targets, &cursor))) {
        bool is_sooner = target->held_until_us > 0 && target->held_until_us < targets->due_us;
        if (is_sooner) targets->due_us = target->held_until_us;
    }
}

void targets_set(struct targets *targets, struct target *target, enum breaker_state state,
                 int64_t held_until_us)
{
    bool rested = target->held_until_us > 0 || held_until_us > 0;
    targets->shut_count -= target_is_shut(target);
    target->state         = state;
    target->held_until_us = held_until_us;
    targets->shut_count += target_is_shut(target);
    if (state == BREAKER_CLOSED) target->has_asked = false;
    if (rested) find_due(targets);
}

size_t targets_shut_count(const struct targets *targets)
{
    return targets->shut_count;
}

int64_t targets_due_us(const struct targets *targets)
{
    return targets->due_us;
}

struct target *targets_wake(struct targets *targets, int64_t now_us)
{
    if (targets->due_us > now_us) return NULL;
    size_t cursor = 0;
    struct target *target;
    while ((target = targets_next(targets, &cursor))) {
        if (target->held_until_us == 0 || target->held_until_us > now_us) continue;
        targets_set(targets, target, target->state, 0);
        return target;
    }
    return NULL;
}

/* --- jobs --------------------------------------------------------------------------------------
 */

void target_add_job(struct target *target, struct open_job *job)
{
    job->target          = target;
    job->target_previous = NULL;
    job->target_next     = target->first;
    if (target->first) target->first->target_previous = job;
    target->first = job;
    target->job_count++;
}

void target_remove_job(struct target *target, struct open_job *job)
{
    ASSERT(job->target == target && target->job_count > 0);
    if (job->target_previous) job->target_previous->target_next = job->target_next;
    if (job->target_next) job->target_next->target_previous = job->target_previous;
    if (target->first == job) target->first = job->target_next;
    if (target->probe == job) target->probe = NULL;
    target->job_count--;
    job->target = NULL;
}

/* --- news --------------------------------------------------------------------------------------
 */

static void add_news(struct targets *targets, struct target *target)
{
    if (target->has_news) return;
    target->has_news    = true;
    target->next_news   = targets->first_news;
    targets->first_news = target;
}

void target_note_held(struct targets *targets, struct target *target, const struct open_job *job)
{
    if (target->state == BREAKER_CLOSED) return; /* a rest ends by itself */
    if (job->fails_on_open) targets->has_impatient = true;
    if (!target->has_asked && !target->probe) add_news(targets, target);
}

void targets_note_impatient(struct targets *targets)
{
    targets->has_impatient = true;
}

bool targets_have_impatient(const struct targets *targets)
{
    return targets->has_impatient;
}

bool targets_take_impatient(struct targets *targets)
{
    bool had_one           = targets->has_impatient;
    targets->has_impatient = false;
    return had_one;
}

void target_note_failure(struct targets *targets, struct target *target)
{
    if (target->failures < BREAKER_FAILURES_MAX) target->failures++;
    add_news(targets, target);
}

void target_note_rest(struct targets *targets, struct target *target, int64_t until_us)
{
    if (until_us > target->wants_rest_until_us) target->wants_rest_until_us = until_us;
    add_news(targets, target);
}

void target_note_probe(struct targets *targets, struct target *target, enum probe_end end)
{
    if (target->probe) target->probe->is_probe = false;
    target->probe           = NULL;
    target->has_probe_ended = true;
    target->probe_end       = end;
    add_news(targets, target);
}

struct target *targets_take_news(struct targets *targets)
{
    struct target *target = targets->first_news;
    if (target) targets->first_news = target->next_news;
    return target;
}

bool targets_have_news(const struct targets *targets)
{
    return targets->first_news != NULL;
}

void target_clear_news(struct target *target)
{
    target->has_news            = false;
    target->next_news           = NULL;
    target->failures            = 0;
    target->wants_rest_until_us = 0;
    target->has_probe_ended     = false;
    target->probe_end           = PROBE_RETURNED;
}
