/*
 * Checkpoints: a heartbeat of one job that is answered once it is committed. Whether it was taken
 * cannot be said if the answer is lost, which is the caller's matter.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "worker/worker_internal.h"

#include <stdlib.h>

struct checkpoint_call {
    struct held *held; /* NULL: its job has ended */
    worker_kept_fn *kept;
    void *context;
};

void checkpoint_forget(struct held *held)
{
    if (held->checkpoint) held->checkpoint->held = NULL;
    held->checkpoint = NULL;
}

/* OK: it is kept. */
static status outcome_of(const struct rpc_answer *answer)
{
    if (answer->code != STATUS_OK) return STATUS_UNAVAILABLE;
    const Pb__HeartbeatAnswers *answers = answer->message;
    if (answers->n_jobs != 1) return STATUS_UNAVAILABLE;
    return answers->jobs[0]->status == STATUS_OK ? STATUS_OK : STATUS_FAILED_PRECONDITION;
}

static void finish(struct checkpoint_call *call, status code)
{
    struct checkpoint_call ended = *call;
    free(call);
    if (!ended.held) return;
    ended.held->checkpoint = NULL;
    if (ended.held->worker->is_stopped) return;
    ended.kept(code, ended.context);
}

static void on_kept(struct rpc_answer *answer, void *context)
{
    struct checkpoint_call *call = context;
    status code                  = outcome_of(answer);
    /* A run that wants to stop is stopped before what follows the checkpoint. */
    struct worker *worker = call->held ? call->held->worker : NULL;
    if (worker) worker_take_beats(worker, answer);
    rpc_answer_free(answer);
    finish(call, code);
}

static void on_not_sent(void *context)
{
    finish(context, STATUS_UNAVAILABLE);
}

void worker_checkpoint(struct worker_job *job, str checkpoint, worker_kept_fn *kept, void *context)
{
    struct held *held = (struct held *)job;
    ASSERT(!held->is_ended);
    ASSERT(!held->checkpoint);
    ASSERT(checkpoint.len <= WORKER_CHECKPOINT_MAX);
    struct checkpoint_call *call = mem_new(1, sizeof *call);
    *call            = (struct checkpoint_call){.held = held, .kept = kept, .context = context};
    held->checkpoint = call;
    held->is_told    = true;

    Pb__Heartbeat beat = PB__HEARTBEAT__INIT;
    beat.job           = job->leased->id;
    beat.lease_token   = job->leased->lease_token;
    beat.checkpoint_json =
        (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)checkpoint.ptr, .len = checkpoint.len};
    Pb__Heartbeat *list[] = {&beat};

    Pb__Heartbeats message     = PB__HEARTBEATS__INIT;
    message.worker             = held->worker->name;
    message.instance           = held->worker->options.instance;
    message.jobs               = list;
    message.n_jobs             = 1;
    struct rpc_request request = {.service   = &pb__jobs__descriptor,
                                  .method    = "Heartbeat",
                                  .message   = &message,
                                  .partition = held->partition};
    if (worker_call(held->worker, &request, on_kept, call, NULL)) return;
    if (loop_post(held->worker->options.loop, on_not_sent, call) == STATUS_OK) return;
    held->checkpoint = NULL; /* the loop is over its limit: the job comes back by its lease */
    free(call);
}
