#include "worker/worker.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/random.h"
#include "system.pb-c.h"
#include "worker/worker_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { JOBS_PER_POLL_MAX = 100 /* job.proto */ };

static void poll_start(struct poll *poll);

/* --- calls -------------------------------------------------------------------------------------
 */

/* Answers come on the library's threads; the loop is where they are used. */
struct arrival {
    worker_use *use;
    void *context;
    struct loop *loop;
    struct rpc_answer *answer;
};

static void on_arrived(void *context)
{
    struct arrival *arrival = context;
    arrival->use(arrival->answer, arrival->context);
    free(arrival);
}

static void on_answer(const struct rpc_answer *answer, void *context)
{
    struct arrival *arrival = context;
    arrival->answer         = rpc_answer_keep(answer);
    if (loop_post(arrival->loop, on_arrived, arrival) == STATUS_OK) return;
    rpc_answer_free(arrival->answer); /* 65,536 posts wait: the loop is stuck, and so are we */
    free(arrival);
}

bool worker_call(struct worker *worker, struct rpc_request *request, worker_use *use, void *context,
                 uint64_t *ret_call)
{
    if (worker->is_stopped) return false;
    struct arrival *arrival = mem_new(1, sizeof *arrival);
    *arrival      = (struct arrival){.use = use, .context = context, .loop = worker->options.loop};
    request->done = on_answer;
    request->context     = arrival;
    request->more_follow = true;
    if (rpc_client_call(worker->options.scheduler, request, ret_call, NULL) == STATUS_OK) {
        return true;
    }
    free(arrival);
    return false;
}

/* --- polls -------------------------------------------------------------------------------------
 */

/* Every partition gets its share, so that one with much work does not starve the others. */
static uint32_t free_slots(const struct worker *worker)
{
    uint32_t slots = worker->options.slots;
    uint32_t left  = slots > worker->busy ? slots - worker->busy : 0;
    uint32_t share = slots / worker->partitions > 0 ? slots / worker->partitions : 1;
    return left < share ? left : share;
}

void worker_poll_all(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->partitions; i++) poll_start(&worker->polls[i]);
}

static void on_poll_retry(void *context)
{
    poll_start(context);
}

static void poll_later(struct poll *poll)
{
    struct worker *worker = poll->worker;
    if (worker->is_draining) return;
    loop_timer_set(worker->options.loop, &poll->retry, worker_now_ms(worker) + WORKER_RETRY_MS);
}

void worker_take(struct poll *poll, struct rpc_answer *answer, Pb__LeasedJob **jobs, size_t count)
{
    struct worker *worker = poll->worker;
    struct batch *batch   = mem_new(1, sizeof *batch);
    *batch                = (struct batch){.answer = answer, .references = 1};
    struct held **taken   = mem_new(count + 1, sizeof *taken);
    for (size_t i = 0; i < count; i++) held_replace(worker, str_from(jobs[i]->id));
    for (size_t i = 0; i < count; i++) {
        taken[i] = held_new(worker, batch, poll->partition, jobs[i]);
    }
    poll_start(poll); /* before the jobs begin: one that ends at once finds it parked */
    for (size_t i = 0; i < count; i++) {
        if (worker->is_draining) {
            worker_release(&taken[i]->public, 0, "the worker is shutting down");
        } else {
            worker->options.run(&taken[i]->public, worker->options.context);
        }
    }
    free(taken);
    leased_unref(batch);
}

static void on_leased(struct rpc_answer *answer, void *context)
{
    struct poll *poll = context;
    poll->is_parked   = false;
    if (answer->code == STATUS_OK) {
        worker_register(poll->worker);
        const Pb__LeasedJobs *leased = answer->message;
        if (leased->beat) worker_ask(poll);
        worker_take(poll, answer, leased->jobs, leased->n_jobs);
        return;
    }
    rpc_answer_free(answer);
    poll->worker->is_registered = false; /* who comes back may not know them any more */
    poll->trust                 = TRUST_LOST;
    poll_later(poll);
}

void worker_lease_request(struct worker *worker, Pb__LeaseJobs *ret_request)
{
    *ret_request          = (Pb__LeaseJobs)PB__LEASE_JOBS__INIT;
    ret_request->queues   = worker->queues;
    ret_request->n_queues = worker->queue_count;
    ret_request->worker   = worker->name;
    ret_request->kind     = worker->options.kind;
    ret_request->lease_ms = worker->options.lease_ms;
    ret_request->slots    = worker->options.slots;
    ret_request->instance = worker->options.instance;
    ret_request->hears    = true;
}

static void on_told(struct rpc_answer *answer, void *context)
{
    struct poll *poll = context;
    bool is_told      = answer->code == STATUS_OK;
    poll->is_parked   = false;
    /* What was lost while it was told is told again. */
    poll->trust = is_told && poll->trust == TRUST_TELLING ? TRUST_FULL : TRUST_LOST;
    if (is_told) poll->tells_of_dead = false;
    worker_take_beats(poll->worker, answer);
    rpc_answer_free(answer);
    if (is_told) {
        poll_start(poll);
    } else {
        poll_later(poll);
    }
}

static void poll_start(struct poll *poll)
{
    struct worker *worker = poll->worker;
    if (worker->is_draining || poll->is_parked || loop_timer_is_set(&poll->retry)) return;
    uint32_t slots = free_slots(worker);
    if (slots == 0) return; /* the end of a job starts it again */

    if (poll->trust != TRUST_FULL) {
        poll->is_parked = worker_tell_all(poll, on_told);
        poll->trust     = poll->is_parked ? TRUST_TELLING : TRUST_LOST;
        if (!poll->is_parked) poll_later(poll);
        return;
    }

    Pb__LeaseJobs message;
    worker_lease_request(worker, &message);
    message.count_max          = slots < JOBS_PER_POLL_MAX ? slots : JOBS_PER_POLL_MAX;
    message.wait_ms            = WORKER_POLL_MS;
    struct rpc_request request = {.service    = &pb__jobs__descriptor,
                                  .method     = "Lease",
                                  .message    = &message,
                                  .partition  = poll->partition,
                                  .timeout_ms = WORKER_POLL_MS + RPC_LONG_SLACK_MS};
    if (worker->options.namespace) request.namespace = str_from(worker->options.namespace);
    poll->is_parked = worker_call(worker, &request, on_leased, poll, &poll->call);
    if (!poll->is_parked) poll_later(poll);
}

/* --- topology ----------------------------------------------------------------------------------
 */

static void make_polls(struct worker *worker, uint32_t partitions)
{
    worker->partitions = partitions;
    worker->polls      = mem_new(partitions, sizeof *worker->polls);
    for (uint32_t i = 0; i < partitions; i++) {
        struct poll *poll   = &worker->polls[i];
        poll->worker        = worker;
        poll->partition     = (uint16_t)i;
        poll->tells_of_dead = worker->options.dead && worker->options.dead[0] != 0;
        poll->trust         = poll->tells_of_dead ? TRUST_LOST : TRUST_FULL;
        poll->retry         = (struct loop_timer){.fire = on_poll_retry, .context = poll};
    }
}

static void on_topology(struct rpc_answer *answer, void *context)
{
    struct worker *worker = context;
    bool is_known         = answer->code == STATUS_OK;
    if (is_known && !worker->polls) {
        const Pb__TopologyView *view = answer->message;
        uint32_t count               = view->partition_count;
        make_polls(worker, count < 1                       ? 1
                           : count > WORKER_PARTITIONS_MAX ? WORKER_PARTITIONS_MAX
                                                           : count);
        if (worker->options.ready) worker->options.ready(worker->options.context);
        worker_poll_all(worker);
        worker_register(worker);
    }
    rpc_answer_free(answer);
    if (is_known) return;
    loop_timer_set(worker->options.loop, &worker->topology,
                   worker_now_ms(worker) + WORKER_RETRY_MS);
}

static void ask_topology(void *context)
{
    struct worker *worker = context;
    if (worker->is_stopped) return; /* the client may be gone */
    /* Not more partitions: it is not known yet how many there are, and others are nobody's. */
    unsigned processes          = rpc_client_target_count(worker->options.scheduler);
    Pb__TopologyRequest message = PB__TOPOLOGY_REQUEST__INIT;
    struct rpc_request request  = {.service   = &pb__system__descriptor,
                                   .method    = "Topology",
                                   .message   = &message,
                                   .partition = (uint16_t)(worker->asked++ % processes)};
    if (worker_call(worker, &request, on_topology, worker, NULL)) return;
    loop_timer_set(worker->options.loop, &worker->topology,
                   worker_now_ms(worker) + WORKER_RETRY_MS);
}

/* --- life --------------------------------------------------------------------------------------
 */

static void on_turn_end(void *context)
{
    struct worker *worker = context;
    reports_send(worker);
    rpc_client_flush(worker->options.scheduler);
}

struct worker *worker_new(const struct worker_options *options)
{
    ASSERT(options->slots >= 1 && options->slots <= WORKER_SLOTS_MAX);
    ASSERT(options->lease_ms > 0);
    struct worker *worker = mem_new(1, sizeof *worker);
    worker->options       = *options;
    (void)snprintf(worker->name, sizeof worker->name, "%s", options->name);
    if (!options->instance) worker->options.instance = random_u64() | 1; /* never 0 */
    while (options->queues[worker->queue_count]) {
        ASSERT(worker->queue_count < WORKER_QUEUES_MAX);
        worker->queues[worker->queue_count] = options->queues[worker->queue_count];
        worker->queue_count++;
    }
    worker->topology     = (struct loop_timer){.fire = ask_topology, .context = worker};
    worker->registration = (struct loop_timer){.fire = worker_register, .context = worker};
    worker->flush        = (struct loop_turn_end){.run = on_turn_end, .context = worker};
    worker->heartbeat    = (struct loop_timer){.fire = worker_beat, .context = worker};
    worker->progress     = (struct loop_timer){.fire = worker_tell_progress, .context = worker};
    loop_turn_end_add(options->loop, &worker->flush);
    loop_timer_set(options->loop, &worker->topology, worker_now_ms(worker));
    loop_timer_set(options->loop, &worker->heartbeat, worker_heartbeat_at_ms(worker));
    return worker;
}

void worker_drain(struct worker *worker)
{
    worker->is_draining = true;
    for (uint32_t i = 0; i < worker->partitions; i++) {
        struct poll *poll = &worker->polls[i];
        loop_timer_clear(worker->options.loop, &poll->retry);
        if (poll->is_parked) rpc_client_cancel(worker->options.scheduler, poll->call);
    }
}

void worker_stop(struct worker *worker)
{
    worker->is_draining = true;
    worker->is_stopped  = true;
    loop_turn_end_remove(worker->options.loop, &worker->flush);
}

uint32_t worker_busy(const struct worker *worker)
{
    return worker->busy;
}

void worker_freep(struct worker **ref)
{
    struct worker *worker = *ref;
    if (!worker) return;
    reports_forget(worker);
    while (worker->jobs) held_free(worker->jobs);
    for (uint32_t i = 0; i < worker->partitions; i++) {
        loop_timer_clear(worker->options.loop, &worker->polls[i].retry);
    }
    loop_timer_clear(worker->options.loop, &worker->topology);
    loop_timer_clear(worker->options.loop, &worker->registration);
    loop_timer_clear(worker->options.loop, &worker->heartbeat);
    loop_timer_clear(worker->options.loop, &worker->progress);
    loop_turn_end_remove(worker->options.loop, &worker->flush);
    free(worker->polls);
    free(worker);
    *ref = NULL;
}
