/* Heartbeats: leases are kept alive, and cancellations come back with the answers. */
#include "base/mem.h"
#include "worker/worker_internal.h"

#include <stdlib.h>

void held_cancel(struct held *held)
{
    if (held->is_ended || held->is_cancelled) return;
    held->is_cancelled = true;
    held->worker->options.cancel(&held->public, held->worker->options.context);
}

/* A job may be held twice: by a lease that was lost, and by a newer one. Then the lost one was
 * cancelled when the newer one came, so what is meant is the first that is still wanted. */
void held_lost(struct worker *worker, str id)
{
    for (struct held *held = worker->jobs; held; held = held->next) {
        if (!str_is(id, held->public.leased->id) || held->is_ended || held->is_cancelled) continue;
        held_cancel(held);
        return;
    }
}

static void on_heartbeat(struct rpc_answer *answer, void *context)
{
    struct worker *worker = context;
    if (answer->code == STATUS_OK) {
        const Pb__HeartbeatAnswers *answers = answer->message;
        for (size_t i = 0; i < answers->n_jobs; i++) {
            const Pb__HeartbeatAnswer *job = answers->jobs[i];
            if (job->cancel || job->status == STATUS_FAILED_PRECONDITION) {
                held_lost(worker, str_from(job->job));
            }
        }
    }
    rpc_answer_free(answer);
}

static size_t collect_beats(struct worker *worker, uint16_t partition, Pb__Heartbeat *beats,
                            Pb__Heartbeat **list)
{
    size_t count = 0;
    for (struct held *held = worker->jobs; held; held = held->next) {
        if (held->partition != partition || held->is_ended || held->is_cancelled) continue;
        pb__heartbeat__init(&beats[count]);
        beats[count].job         = held->public.leased->id;
        beats[count].lease_token = held->public.leased->lease_token;
        list[count]              = &beats[count];
        count++;
    }
    return count;
}

static void beat_partition(struct worker *worker, uint16_t partition)
{
    if (worker->busy == 0) return;
    Pb__Heartbeat *beats = mem_new(worker->busy, sizeof *beats);
    Pb__Heartbeat **list = mem_new(worker->busy, sizeof *list);

    Pb__Heartbeats message     = PB__HEARTBEATS__INIT;
    message.worker             = worker->name;
    message.jobs               = list;
    message.n_jobs             = collect_beats(worker, partition, beats, list);
    struct rpc_request request = {.service   = &pb__jobs__descriptor,
                                  .method    = "Heartbeat",
                                  .message   = &message,
                                  .partition = partition};
    if (message.n_jobs > 0) {
        /* If it cannot be sent, the next one is soon enough: a lease lasts three of them. */
        (void)worker_call(worker, &request, on_heartbeat, worker, NULL);
    }
    free(list);
    free(beats);
}

void worker_beat(void *context)
{
    struct worker *worker = context;
    for (uint32_t i = 0; i < worker->partitions; i++) beat_partition(worker, (uint16_t)i);
    loop_timer_set(worker->options.loop, &worker->heartbeat, worker_heartbeat_at_ms(worker));
}
