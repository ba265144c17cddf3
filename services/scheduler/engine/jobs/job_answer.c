/* A job that waited for a person goes on. */
#include "base/log.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/jobs/job_rows.h"
#include "scheduler/run/state.h"

static json answer_new(json decision)
{
    json answer = json_object_new(2);
    json_object_put_text(&answer, "approved", json_ref(json_get_text(decision, "approved")));
    json_object_put_text(&answer, "data", json_ref(json_get_text(decision, "data")));
    return answer;
}

status engine_answer_job(struct engine *engine, const struct live_run *live,
                         const struct event *event, struct error *reterr)
{
    const struct activation *activation = run_activation(live->run, event->activation);
    struct open_job *job                = NULL;
    if (activation) job = open_job_find(engine->queues, str_from(activation->id.text));
    if (!job) { /* as in engine_job_event() */
        log_write(LOG_ERROR, "job.row_missing", LOG_TEXT_OF("approval", event->id.text));
        return STATUS_OK;
    }
    Pb__JobRecord *record            = NULL;
    CLEANUP(json_unrefp) json answer = answer_new(event->value);
    TRY(engine_job_row(engine, str_from(job->id.text), engine->arena, &record, reterr));
    TRY(json_in(engine->arena, answer, &record->job->answer_json, reterr));
    TRY(engine_ready_delete(engine, job, reterr));
    record->due_us           = engine->now_us;
    record->task_deadline_us = activation->deadline_us; /* somebody may have moved it */
    open_job_hold(engine->queues, job, run_is_suspended(live->run), engine->now_us);
    open_job_return(engine->queues, job, record->due_us, engine->now_us);
    TRY(engine_job_put(engine, record, reterr));
    return engine_ready_put(engine, job, reterr);
}
