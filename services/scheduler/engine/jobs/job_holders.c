/* Who has a job, as deciding asks: whoever cancels one needs to know whether it may have acted. */
#include "job.pb-c.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/jobs/job_rows.h"

bool engine_job_in_doubt(struct engine *engine, const struct open_job *job)
{
    Pb__JobRecord *record = NULL;
    if (job->ended_as >= PB__PREVIOUS_ATTEMPT__PREVIOUS_LOST) return true;
    status got = engine_job_row(engine, str_from(job->id.text), engine->arena, &record, NULL);
    return got != STATUS_OK || record->job->previous >= PB__PREVIOUS_ATTEMPT__PREVIOUS_LOST;
}

static enum job_holding job_look(void *context, str job)
{
    struct engine *engine        = context;
    const struct open_job *found = open_job_find(engine->queues, job);
    if (!found) return JOB_UNTOUCHED;
    if (found->state == OPEN_JOB_LEASED) return JOB_HELD;
    return engine_job_in_doubt(engine, found) ? JOB_IN_DOUBT : JOB_UNTOUCHED;
}

struct job_holders engine_job_holders(struct engine *engine)
{
    return (struct job_holders){.look = job_look, .context = engine};
}

/* --- for those who look ------------------------------------------------------------------------
 */

static bool is_limited(const struct open_job *job)
{
    const struct line *line = job->line;
    while (line && (!line->limit || line->limit->is_open)) line = line->parent;
    return line != NULL;
}

static const char *state_of(const struct open_job *job)
{
    switch (job->state) {
    case OPEN_JOB_LEASED: return "leased";
    case OPEN_JOB_HELD: return "held";
    case OPEN_JOB_DELAYED: return job->due_us == JOB_ASKS_US ? "held" : "delayed";
    case OPEN_JOB_READY: return is_limited(job) ? "held" : "queued";
    }
    return "queued";
}

void engine_look_at_job(struct engine *engine, struct command *command)
{
    const Pb__GetJob *request  = command->request;
    Pb__JobView *view          = command->response;
    const struct open_job *job = open_job_find(engine->queues, str_from(request->id));
    engine_answer(engine, command);
    if (!job) return; /* it has ended since its rows were read */
    bool is_leased = job->state == OPEN_JOB_LEASED;
    view->state    = state_of(job);
    view->holder   = "";
    if (is_leased && job->holder) {
        view->holder = text_in(command->arena, str_from(job->holder->name));
    }
    view->lease_expires_us = is_leased ? job->lease_expires_us : 0;
}
