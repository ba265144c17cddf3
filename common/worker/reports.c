/*
 * Reports of jobs that have ended. Those of one turn of the loop go in one call per partition, and
 * what is ready to take their place comes with its answer.
 */
#include "base/assert.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/worker_internal.h"

#include <stdlib.h>

enum {
    RETRY_MS_MAX      = 5'000,    /* the pause between two tries of a report doubles up to this */
    REPORTS_PER_CALL  = 100,      /* as many jobs as an answer may bring */
    REPORTS_SIZE_MAX  = 32 << 10, /* bytes; one alone may be larger */
    HEAD_SIZE_MAX     = 4 << 10,  /* bytes of a call without its reports */
    REPORTS_TOTAL_MAX = 18 << 20, /* bytes of a call */
};

/* A call under way. */
struct report_call {
    struct report_call *next, *previous; /* of the worker */
    struct poll *poll;                   /* its partition */
    struct held *first;                  /* by next_ended */
    size_t count;
};

static void call_free(struct report_call *call)
{
    struct worker *worker = call->poll->worker;
    if (call->previous) call->previous->next = call->next;
    if (call->next) call->next->previous = call->previous;
    if (worker->report_calls == call) worker->report_calls = call->next;
    free(call);
}

void reports_forget(struct worker *worker)
{
    while (worker->report_calls) call_free(worker->report_calls);
}

/* --- what becomes of one -----------------------------------------------------------------------
 */

void held_report(struct held *held)
{
    struct poll *poll = &held->worker->polls[held->partition];
    held->next_ended  = NULL;
    if (poll->last_ended) {
        poll->last_ended->next_ended = held;
    } else {
        poll->first_ended = held;
    }
    poll->last_ended = held;
}

void held_report_again(void *context)
{
    held_report(context);
}

static void report_later(struct held *held)
{
    struct worker *worker = held->worker;
    if (worker->is_stopped) return;
    if (worker_now_ms(worker) >= held->report_until_ms) {
        log_write(LOG_ERROR, "nobody took the result of a job; it will be done again",
                  LOG_STR("job", str_from(held->public.leased->id)),
                  LOG_STR("run", str_from(held->public.leased->run)));
        held_free(held);
        return;
    }
    loop_timer_set(worker->options.loop, &held->retry, worker_now_ms(worker) + held->retry_ms);
    held->retry_ms = held->retry_ms * 2 < RETRY_MS_MAX ? held->retry_ms * 2 : RETRY_MS_MAX;
}

static void over(struct held *held, const struct rpc_answer *answer, uint32_t result)
{
    if (answer->code != STATUS_OK) {
        log_write(LOG_ERROR, "the scheduler refused the result of a job",
                  LOG_STR("job", str_from(held->public.leased->id)),
                  LOG_STR("error.message", str_from(answer->detail)));
    } else if (result != STATUS_OK && !held->is_cancelled) {
        log_write(LOG_WARN, "the result of a job came too late",
                  LOG_STR("job", str_from(held->public.leased->id)),
                  LOG_STR("run", str_from(held->public.leased->run)));
    }
    held_free(held);
}

/* --- one call ----------------------------------------------------------------------------------
 */

static void on_reported(struct rpc_answer *answer, void *context)
{
    struct report_call *call            = context;
    struct poll *poll                   = call->poll;
    const Pb__JobReportAnswers *answers = answer->code == STATUS_OK ? answer->message : NULL;
    /* CANCELLED is said by our own client while it closes: nobody has refused anything. */
    bool is_final = answer->code != STATUS_CANCELLED && !status_is_transient(answer->code);
    bool is_clear = !answers || answers->n_reports == call->count;
    /* One that cannot even be read spoils the call of the others. */
    bool is_together = answer->code != STATUS_OK && call->count > 1;
    struct held *at  = call->first;
    if (!is_final) poll->trust = TRUST_LOST; /* jobs may have come with the answer */
    for (size_t i = 0; at; i++) {
        struct held *held = at;
        at                = held->next_ended;
        if (!is_final) {
            report_later(held);
        } else if (is_together) {
            held->is_alone = true;
            held_report(held);
        } else {
            over(held, answer, answers && is_clear ? answers->reports[i]->status : STATUS_OK);
        }
    }
    call_free(call);
    if (answers && answers->n_jobs > 0) {
        worker_take(poll, answer, answers->jobs, answers->n_jobs);
    } else {
        rpc_answer_free(answer);
    }
    worker_poll_all(poll->worker);
}

/* What comes before the reports. Serialized messages that follow each other are one message with
 * the fields of all, so each report was packed when its job ended. */
static bool put_head(struct buf *body, const struct poll *poll, size_t count)
{
    struct worker *worker  = poll->worker;
    Pb__LeaseJobs next     = PB__LEASE_JOBS__INIT;
    Pb__JobReports message = PB__JOB_REPORTS__INIT;
    uint32_t slots         = worker->options.slots;
    uint32_t left          = worker->busy > count ? worker->busy - (uint32_t)count : 0;
    message.worker         = worker->name;
    worker_lease_request(worker, &next);
    next.count_max  = left >= slots ? 0 : slots - left < count ? slots - left : (uint32_t)count;
    bool takes_more = next.count_max > 0 && !worker->is_draining && poll->trust == TRUST_FULL;
    if (takes_more) message.next = &next;
    uint8_t head[HEAD_SIZE_MAX];
    size_t size = pb__job_reports__get_packed_size(&message);
    if (size > sizeof head) return false;
    (void)pb__job_reports__pack(&message, head);
    return buf_put(body, head, size);
}

/* Takes those that go together from the front of what has ended. */
static void take(struct poll *poll, struct report_call *call)
{
    size_t size = 0;
    call->first = poll->first_ended;
    struct held *last;
    do {
        last              = poll->first_ended;
        poll->first_ended = last->next_ended;
        size += last->report_size;
        call->count++;
    } while (poll->first_ended && call->count < REPORTS_PER_CALL && !last->is_alone &&
             !poll->first_ended->is_alone &&
             size + poll->first_ended->report_size <= REPORTS_SIZE_MAX);
    last->next_ended = NULL;
    if (!poll->first_ended) poll->last_ended = NULL;
}

static void send(struct poll *poll)
{
    struct worker *worker    = poll->worker;
    struct report_call *call = mem_new(1, sizeof *call);
    *call                    = (struct report_call){.next = worker->report_calls, .poll = poll};
    if (call->next) call->next->previous = call;
    worker->report_calls = call;
    take(poll, call);

    CLEANUP(buf_done) struct buf body = buf_init(REPORTS_TOTAL_MAX);
    bool is_put                       = put_head(&body, poll, call->count);
    for (const struct held *held = call->first; held; held = held->next_ended) {
        is_put = is_put && buf_put(&body, held->report, held->report_size);
    }
    ASSERT(is_put); /* far below the limits */
    struct rpc_request request = {
        .service = &pb__jobs__descriptor,
        .method  = "Report",
        /* At the first moment: a restarted scheduler soon offers the job to others. */
        .wait_for_ready = true,
        .packed         = {body.ptr, body.len},
        .partition      = (uint16_t)(poll - worker->polls)};
    if (worker->options.namespace) request.namespace = str_from(worker->options.namespace);
    if (worker_call(worker, &request, on_reported, call, NULL)) return;
    for (struct held *at = call->first; at;) {
        struct held *held = at;
        at                = held->next_ended;
        report_later(held);
    }
    call_free(call);
    worker_poll_all(worker); /* some may have been given up */
}

void reports_send(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->partitions; i++) {
        while (worker->polls[i].first_ended) send(&worker->polls[i]);
    }
}
