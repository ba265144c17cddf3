/*
 * What workers that hand something back take in its place: the jobs come with the answer to their
 * report, in the same commit, so a busy worker needs one call per job and not two.
 *
 * A wish never waits. It comes before the polls that its own worker has parked, and after those of
 * others that hold less: work goes to who has least. What the next parked poll would get goes with
 * the wish, too, if that poll is of the same process: a message pair less. The poll then stays
 * where it is, and takes so many jobs less.
 */
#include "scheduler/engine/jobs/wish.h"
#include "job.pb-c.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/queues/engine_queues.h"

enum {
    /* Bytes of inputs per turn. With one job of the largest size on top it is below what an answer
     * may have, also where the reports of a turn share one message. */
    WISHES_SIZE_MAX = 1 << 20,
};

/* Lives as long as the turn. */
struct wish {
    struct poll poll; /* never parked */
    struct leased_jobs leased;
};

static void find_queues(struct engine *engine, const Pb__LeaseJobs *request, struct poll *poll)
{
    size_t most  = request->n_queues < POLL_QUEUES_MAX ? request->n_queues : POLL_QUEUES_MAX;
    poll->places = arena_alloc(engine->arena, (most + 1) * sizeof *poll->places);
    for (size_t i = 0; poll->places && i < most; i++) {
        str name            = str_from(request->queues[i]);
        struct queue *queue = engine_queue_at(engine, poll->command->namespace, name);
        if (queue) poll_add_place(poll, queue, NULL);
    }
}

void engine_wish(struct engine *engine, struct command *command, struct worker *worker)
{
    const Pb__JobReports *request = command->request;
    if (!request->next) return;
    struct wish *wish = arena_alloc(engine->arena, sizeof *wish);
    if (!wish) return; /* it polls */
    *wish             = (struct wish){};
    wish->leased.jobs = arena_alloc(command->arena, POLL_JOBS_MAX * sizeof *wish->leased.jobs);
    if (!wish->leased.jobs) return;
    engine_poll_init(engine, command, request->next, worker, &wish->poll);
    find_queues(engine, request->next, &wish->poll);
    pointers_push(&engine->wishes, wish);
}

/* The poll that has waited longest for what `wish` could take, of another worker that holds less
 * than its own; NULL: none. */
static struct poll *idler(const struct wish *wish)
{
    const struct worker *worker = wish->poll.worker;
    for (size_t i = 0; i < wish->poll.place_count; i++) {
        const struct queue *queue      = wish->poll.places[i].queue;
        const struct poll_place *place = queue_peek(queue) ? queue->polls.first : NULL;
        if (place && place->poll->worker == worker) place = place->next;
        if (!place || place->poll->worker == worker) continue;
        if (place->poll->worker->busy < worker->busy) return place->poll;
    }
    return NULL;
}

/* Leases jobs to the wish until it has as many as it may. */
static status fill(struct engine *engine, struct wish *wish, struct error *reterr)
{
    if (engine->wish_bytes >= WISHES_SIZE_MAX) return STATUS_OK;
    size_t before = wish->leased.size_bytes;
    size_t left   = WISHES_SIZE_MAX - engine->wish_bytes;
    TRY(engine_poll_fill(engine, &wish->poll, before + left, &wish->leased, reterr));
    engine->wish_bytes += wish->leased.size_bytes - before;

    Pb__JobReportAnswers *answer = wish->poll.command->response;
    answer->jobs                 = wish->leased.jobs;
    answer->n_jobs               = wish->leased.count;
    return STATUS_OK;
}

static status serve(struct engine *engine, struct wish *wish, struct error *reterr)
{
    bool is_served = true;
    struct poll *other;
    if (wish->poll.worker->is_draining) return STATUS_OK;
    while (is_served && (other = idler(wish))) {
        TRY(engine_serve_poll(engine, other, &is_served, reterr));
    }
    return fill(engine, wish, reterr);
}

/* The parked poll of the wish's own process whose turn it is at a queue where jobs are left; NULL:
 * none. */
static struct poll *lender(const struct wish *wish)
{
    const struct poll *own = &wish->poll;
    for (size_t i = 0; i < own->place_count && own->instance != 0; i++) {
        const struct queue *queue      = own->places[i].queue;
        const struct poll_place *place = queue->polls.first;
        if (!place || !queue_peek(queue)) continue;
        const struct poll *next = place->poll;
        bool is_same = next->instance == own->instance && next->lease_ms == own->lease_ms;
        if (is_same && next->worker == own->worker) return place->poll;
    }
    return NULL;
}

/* What is left goes with the wish as far as the poll had room for it. */
static status borrow(struct engine *engine, struct wish *wish, struct error *reterr)
{
    struct poll *poll = lender(wish); /* none of a drained worker: its polls stand nowhere */
    if (!poll) return STATUS_OK;
    size_t before        = wish->leased.count;
    uint32_t own         = wish->poll.count_max;
    size_t most          = before + poll->count_max;
    wish->poll.count_max = (uint32_t)(most < POLL_JOBS_MAX ? most : POLL_JOBS_MAX);
    status filled        = fill(engine, wish, reterr);
    wish->poll.count_max = own;
    engine_poll_lend(engine, poll, (uint32_t)(wish->leased.count - before));
    return filled;
}

status engine_serve_wishes(struct engine *engine, struct error *reterr)
{
    for (size_t i = 0; i < engine->wishes.count; i++) {
        TRY(serve(engine, engine->wishes.items[i], reterr));
    }
    for (size_t i = 0; i < engine->wishes.count; i++) {
        TRY(borrow(engine, engine->wishes.items[i], reterr));
    }
    return STATUS_OK;
}

void engine_forget_wishes(struct engine *engine)
{
    engine->wishes.count = 0;
    engine->wish_bytes   = 0;
}
