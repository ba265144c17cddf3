/* Heartbeats: leases are kept alive, and cancellations come back with the answers. */
#include "base/assert.h"
#include "base/mem.h"
#include "worker/worker_internal.h"

#include <stdlib.h>

void held_cancel(struct held *held)
{
    if (held->is_ended || held->is_cancelled) return;
    held->is_cancelled = true;
    held->worker->options.cancel(&held->public, held->worker->options.context);
}

/* The one that holds the job by its newest lease, or NULL. */
static struct held *held_find(const struct worker *worker, str id)
{
    struct held *held = worker->jobs;
    while (held && (held->is_replaced || !str_is(id, held->public.leased->id))) held = held->next;
    return held;
}

void held_replace(struct worker *worker, str id)
{
    struct held *held = held_find(worker, id);
    if (!held) return;
    held->is_replaced = true;
    held_cancel(held);
}

/* Of the lease that was told, which may have been replaced while the answer was on its way. */
void worker_take_beats(struct worker *worker, const struct rpc_answer *answer)
{
    if (answer->code != STATUS_OK) return;
    const Pb__HeartbeatAnswers *answers = answer->message;
    for (size_t i = 0; i < answers->n_jobs; i++) {
        const Pb__HeartbeatAnswer *job = answers->jobs[i];
        bool is_over                   = job->cancel || job->status == STATUS_FAILED_PRECONDITION;
        struct held *held              = is_over ? held_find(worker, str_from(job->job)) : NULL;
        if (held && held->is_told) held_cancel(held);
    }
}

static void on_heartbeat(struct rpc_answer *answer, void *context)
{
    worker_take_beats(context, answer);
    rpc_answer_free(answer);
}

/* Which jobs a message is about. */
enum beats {
    BEATS_OPEN,
    BEATS_ALL,  /* also those whose report is under way, which are still ours */
    BEATS_NEWS, /* those that have something to say of their progress */
};

static bool is_told_of(const struct held *held, enum beats which)
{
    if (held->is_replaced) return false;
    if (which == BEATS_ALL) return true;
    if (held->is_ended || held->is_cancelled) return false;
    return which == BEATS_OPEN || held->progress;
}

static size_t collect_beats(struct worker *worker, uint16_t partition, enum beats which,
                            Pb__Heartbeat *beats, Pb__Heartbeat **list)
{
    size_t count = 0;
    for (struct held *held = worker->jobs; held; held = held->next) {
        if (held->partition != partition || !is_told_of(held, which)) continue;
        pb__heartbeat__init(&beats[count]);
        beats[count].job         = held->public.leased->id;
        beats[count].lease_token = held->public.leased->lease_token;
        if (held->progress) {
            beats[count].progress_json = (ProtobufCBinaryData){.data = (uint8_t *)held->progress,
                                                               .len  = held->progress_size};
        }
        list[count]   = &beats[count];
        held->is_told = true;
        count++;
    }
    return count;
}

/* What has been said once is not repeated, whether it was heard or not. */
static void forget_progress(struct worker *worker, uint16_t partition)
{
    for (struct held *held = worker->jobs; held; held = held->next) {
        if (held->partition != partition) continue;
        free(held->progress);
        held->progress = NULL;
    }
}

static void tell_of_dead(const struct worker *worker, Pb__Heartbeats *message)
{
    const uint64_t *dead = worker->options.dead;
    message->dead        = dead[0];
    message->dead_before = (uint64_t *)(uintptr_t)&dead[1];
    while (message->n_dead_before < WORKER_DEAD_MAX - 1 && dead[1 + message->n_dead_before] != 0) {
        message->n_dead_before++;
    }
}

/* If it cannot be sent, the next one is soon enough: a lease lasts three of them. */
static bool send_beats(struct worker *worker, uint16_t partition, enum beats which, worker_use *use,
                       void *context, uint64_t *ret_call)
{
    bool is_all          = which == BEATS_ALL;
    Pb__Heartbeat *beats = mem_new(worker->busy + 1, sizeof *beats);
    Pb__Heartbeat **list = mem_new(worker->busy + 1, sizeof *list);

    Pb__Heartbeats message = PB__HEARTBEATS__INIT;
    message.worker         = worker->name;
    message.instance       = worker->options.instance;
    message.is_all         = is_all;
    if (is_all && worker->polls[partition].tells_of_dead) tell_of_dead(worker, &message);
    message.jobs               = list;
    message.n_jobs             = collect_beats(worker, partition, which, beats, list);
    struct rpc_request request = {.service   = &pb__jobs__descriptor,
                                  .method    = "Heartbeat",
                                  .message   = &message,
                                  .partition = partition};
    bool is_sent               = message.n_jobs == 0 && !is_all;
    if (!is_sent) is_sent = worker_call(worker, &request, use, context, ret_call);
    forget_progress(worker, partition);
    free(list);
    free(beats);
    return is_sent;
}

bool worker_tell_all(struct poll *poll, worker_use *told)
{
    return send_beats(poll->worker, poll->partition, BEATS_ALL, told, poll, &poll->call);
}

void worker_ask(struct poll *poll)
{
    struct worker *worker = poll->worker;
    (void)send_beats(worker, poll->partition, BEATS_OPEN, on_heartbeat, worker, NULL);
}

static void beat(struct worker *worker, enum beats which)
{
    for (uint32_t i = 0; i < worker->partitions; i++) {
        (void)send_beats(worker, (uint16_t)i, which, on_heartbeat, worker, NULL);
    }
}

void worker_tell_progress(void *context)
{
    struct worker *worker = context;
    worker->progress_ms   = worker_now_ms(worker);
    beat(worker, BEATS_NEWS);
}

void worker_progress(struct worker_job *job, str progress)
{
    struct held *held     = (struct held *)job;
    struct worker *worker = held->worker;
    ASSERT(!held->is_ended);
    if (progress.len == 0 || progress.len > WORKER_PROGRESS_MAX) return;
    free(held->progress);
    held->progress      = mem_dup(progress.ptr, progress.len);
    held->progress_size = progress.len;
    if (loop_timer_is_set(&worker->progress)) return;
    int64_t due_ms = worker->progress_ms + WORKER_PROGRESS_MS;
    int64_t now_ms = worker_now_ms(worker);
    loop_timer_set(worker->options.loop, &worker->progress, due_ms > now_ms ? due_ms : now_ms);
}

void worker_beat(void *context)
{
    struct worker *worker = context;
    beat(worker, BEATS_OPEN);
    loop_timer_set(worker->options.loop, &worker->heartbeat, worker_heartbeat_at_ms(worker));
}
