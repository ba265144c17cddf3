#include "scheduler/engine/jobs/orphans.h"

#include "scheduler/engine/breakers/engine_breakers.h"
#include "scheduler/engine/events/webhooks.h"
#include "scheduler/engine/jobs/charge.h"
#include "scheduler/engine/jobs/job_rows.h"

/* It was in the answer that died with us. */
static status offer_lost(struct engine *engine, uint64_t instance, struct error *reterr)
{
    if (instance == 0 || engine->now_us >= engine->unclaimed_until_us) return STATUS_OK;
    size_t cursor = 0;
    struct open_job *job;
    while ((job = open_job_next(engine->queues, &cursor))) {
        if (job->state != OPEN_JOB_LEASED || !job->is_unclaimed) continue;
        if (job->instance == instance) TRY(engine_offer_again(engine, job, reterr));
    }
    return STATUS_OK;
}

/* What it has used may still be said by whoever finds its answer. */
static status leave(struct engine *engine, struct open_job *job, struct error *reterr)
{
    Pb__JobRecord *record = NULL;
    engine_note_silence(engine, job, false);
    job->ended_as = PB__PREVIOUS_ATTEMPT__PREVIOUS_LOST;
    if (job_is_delivery(job)) return engine_offer_again(engine, job, reterr);
    TRY(engine_lease_unsaid(engine, job, false, reterr));
    TRY(engine_job_row(engine, str_from(job->id.text), engine->arena, &record, reterr));
    if (++record->deaths >= ORPHAN_DEATHS_MAX) {
        return engine_fail_silent(
            engine, job, "processes of its workers have died with it, one after the other", reterr);
    }
    TRY(engine_job_put(engine, record, reterr));
    return engine_offer_again(engine, job, reterr);
}

/* The processes that are dead by what one says who is alive. */
struct dead {
    uint64_t instances[1 + ORPHAN_DEAD_MAX];
    size_t count;
};

static void add_dead(struct dead *dead, const Pb__Heartbeats *told, uint64_t instance)
{
    bool is_one = instance != 0 && instance != told->instance;
    if (is_one && dead->count < ARRAY_LEN(dead->instances)) {
        dead->instances[dead->count++] = instance;
    }
}

static bool is_of(const struct dead *dead, uint64_t instance)
{
    for (size_t i = 0; i < dead->count; i++) {
        if (dead->instances[i] == instance) return true;
    }
    return false;
}

/* An attempt that fails may end jobs and begin others, so those that are open are looked through
 * until there is none. Polls may still be parked where the loss of their machine has not been
 * noticed: they would have the same jobs again. */
static status offer_dead(struct engine *engine, const struct dead *dead, struct error *reterr)
{
    bool is_found = dead->count > 0;
    for (size_t i = 0; i < dead->count; i++) engine_give_up_polls(engine, dead->instances[i]);
    while (is_found) {
        size_t cursor        = 0;
        struct open_job *job = NULL;
        is_found             = false;
        while ((job = open_job_next(engine->queues, &cursor))) {
            if (job->state != OPEN_JOB_LEASED || !is_of(dead, job->instance)) continue;
            is_found = true;
            TRY(leave(engine, job, reterr));
        }
    }
    return STATUS_OK;
}

status engine_offer_orphans(struct engine *engine, const Pb__Heartbeats *told, struct error *reterr)
{
    struct dead dead = {};
    if (!told->is_all) return STATUS_OK;
    TRY(offer_lost(engine, told->instance, reterr));
    add_dead(&dead, told, told->dead);
    for (size_t i = 0; i < told->n_dead_before; i++) add_dead(&dead, told, told->dead_before[i]);
    return offer_dead(engine, &dead, reterr);
}
