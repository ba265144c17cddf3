/* Who has a job, as deciding asks: whoever cancels one needs to know whether it may have acted. */
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
