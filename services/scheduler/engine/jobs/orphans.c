#include "scheduler/engine/jobs/orphans.h"

#include "scheduler/engine/breakers/engine_breakers.h"
#include "scheduler/engine/events/webhooks.h"
#include "scheduler/engine/jobs/charge.h"
#include "scheduler/engine/jobs/job_rows.h"

/* What leased jobs are meant. */
struct meant {
    uint64_t instances[1 + ORPHAN_DEAD_MAX];
    size_t count;
    bool is_unclaimed; /* only those */
};

static bool is_meant(const struct meant *meant, const struct open_job *job)
{
    if (job->state != OPEN_JOB_LEASED || (meant->is_unclaimed && !job->is_unclaimed)) return false;
    for (size_t i = 0; i < meant->count; i++) {
        if (meant->instances[i] == job->instance) return true;
    }
    return false;
}

/* Their ids, since what is done about one may end others. */
struct found {
    struct id *ids; /* of the turn's arena */
    size_t count;
};

static status find(struct engine *engine, const struct meant *meant, struct found *ret_found,
                   struct error *reterr)
{
    size_t count     = 0;
    size_t cursor    = 0;
    struct id *ids   = NULL;
    size_t count_max = open_job_leased_count(engine->queues);
    const struct open_job *job;
    *ret_found = (struct found){};
    while ((job = open_job_next_leased(engine->queues, &cursor))) {
        if (!is_meant(meant, job)) continue;
        if (!ids) ids = arena_alloc(engine->arena, count_max * sizeof *ids);
        if (!ids) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
        ids[count++] = job->id;
    }
    *ret_found = (struct found){ids, count};
    return STATUS_OK;
}

/* It was in the answer that died with us. */
static status offer_lost(struct engine *engine, uint64_t instance, struct error *reterr)
{
    const struct meant meant = {.instances = {instance}, .count = 1, .is_unclaimed = true};
    struct found found       = {};
    if (instance == 0 || engine->now_us >= engine->unclaimed_until_us) return STATUS_OK;
    TRY(find(engine, &meant, &found, reterr));
    for (size_t i = 0; i < found.count; i++) {
        struct open_job *job = open_job_find(engine->queues, str_from(found.ids[i].text));
        if (job && is_meant(&meant, job)) TRY(engine_offer_again(engine, job, reterr));
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

/* A process that is dead by what one says who is alive. */
static void add_dead(struct meant *dead, const Pb__Heartbeats *told, uint64_t instance)
{
    bool is_one = instance != 0 && instance != told->instance;
    if (is_one && dead->count < ARRAY_LEN(dead->instances)) {
        dead->instances[dead->count++] = instance;
    }
}

/* An attempt that fails may end jobs and begin others, so those that are leased are looked through
 * until there is none. Polls may still be parked where the loss of their machine has not been
 * noticed: they would have the same jobs again. */
static status offer_dead(struct engine *engine, const struct meant *dead, struct error *reterr)
{
    struct found found = {.count = dead->count};
    for (size_t i = 0; i < dead->count; i++) engine_give_up_polls(engine, dead->instances[i]);
    while (found.count > 0) {
        TRY(find(engine, dead, &found, reterr));
        for (size_t i = 0; i < found.count; i++) {
            struct open_job *job = open_job_find(engine->queues, str_from(found.ids[i].text));
            if (job && is_meant(dead, job)) TRY(leave(engine, job, reterr));
        }
    }
    return STATUS_OK;
}

status engine_offer_orphans(struct engine *engine, const Pb__Heartbeats *told, struct error *reterr)
{
    struct meant dead = {};
    if (!told->is_all) return STATUS_OK;
    TRY(offer_lost(engine, told->instance, reterr));
    add_dead(&dead, told, told->dead);
    for (size_t i = 0; i < told->n_dead_before; i++) add_dead(&dead, told, told->dead_before[i]);
    return offer_dead(engine, &dead, reterr);
}
