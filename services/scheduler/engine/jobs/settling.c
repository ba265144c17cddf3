#include "scheduler/engine/jobs/settling.h"

#include "scheduler/engine/breakers/engine_breakers.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/jobs/job_rows.h"
#include "workflow/retry.h"
#include "workflow/workflow.h"

#define SECOND_US INT64_C(1'000'000)

/* As those of compensations (job_policy.c), which wait for it. */
static const struct retry_plan looks = {
    .backoff            = BACKOFF_EXPONENTIAL,
    .delay_us           = SECOND_US,
    .multiplier_percent = 200,
    .delay_max_us       = 60 * SECOND_US,
    .jitter_to_us       = SECOND_US,
    .retries_max        = 10,
};

bool job_settles(const struct open_job *job)
{
    return str_is(job->queue->name, SETTLE_QUEUE);
}

/* The same job in the other queue. Nothing of its workflow limits a look. */
static struct open_job *move(struct engine *engine, struct open_job *job, uint64_t sequence)
{
    struct queue *queue     = job_queue_at(engine->queues, (str){}, str_from(SETTLE_QUEUE));
    const char *target      = job->target ? text_in(engine->arena, job->target->name) : "";
    str workflow            = line_of_workflow(job->line)->name;
    struct open_job settles = {
        .id           = job->id,
        .run          = job->run,
        .queue        = queue,
        .line         = job_line_at(engine->queues, queue, workflow),
        .priority     = job->priority,
        .sequence     = sequence,
        .due_us       = engine->now_us,
        .queued_us    = job->queued_us,
        .is_held      = job->is_held,
        .function     = job->function,
        .lease_number = job->lease_number,
    };
    open_job_remove(engine->queues, job);
    if (*target) settles.target = engine_target_named(engine, str_from(target));
    return open_job_add(engine->queues, &settles, engine->now_us);
}

status engine_settle_job(struct engine *engine, struct open_job *job, Pb__JobRecord *record,
                         struct error *reterr)
{
    TRY(engine_ready_delete(engine, job, reterr));
    record->sequence          = engine->ready_next++;
    record->due_us            = engine->now_us;
    record->task_deadline_us  = 0; /* its task is over */
    record->job->queue        = SETTLE_QUEUE;
    record->job->settles      = true;
    record->job->asked_again  = false;
    record->job->attempt      = 1;
    record->job->attempts_max = looks.retries_max + 1;
    struct open_job *settles  = move(engine, job, record->sequence);
    if (!settles) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no room for a job");
    TRY(engine_job_put(engine, record, reterr));
    return engine_place_later(engine, settles, reterr);
}

status engine_settle_cancelled(struct engine *engine, const struct live_run *live,
                               struct open_job *job, const struct event *event,
                               struct error *reterr)
{
    const struct task *task = &run_workflow(live->run)->tasks[event->task];
    Pb__JobRecord *record   = NULL;
    if (job->state == OPEN_JOB_LEASED || !run_task_can_settle(task)) return STATUS_OK;
    TRY(engine_job_row(engine, str_from(job->id.text), engine->arena, &record, reterr));
    TRY(engine_fund_end(engine, job, reterr));
    return engine_settle_job(engine, job, record, reterr);
}

status engine_settle_again(struct engine *engine, struct open_job *job, bool *ret_is_again,
                           struct error *reterr)
{
    Pb__JobRecord *record = NULL;
    TRY(engine_job_row(engine, str_from(job->id.text), engine->arena, &record, reterr));
    int64_t wait_us = retry_delay_us(&looks, record->job->attempt, prng_next(&engine->random));
    *ret_is_again   = wait_us != RETRY_NEVER;
    if (!*ret_is_again) return STATUS_OK;
    TRY(engine_ready_delete(engine, job, reterr));
    record->job->attempt++;
    record->due_us = engine->now_us + wait_us;
    open_job_return(engine->queues, job, record->due_us, engine->now_us);
    TRY(engine_job_put(engine, record, reterr));
    return engine_ready_put(engine, job, reterr);
}
