/* What the journal of one run must look like. */
#include "base/assert.h"
#include "check.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/run/state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { JOBS_MAX = 100'000 };

struct story_job {
    char id[ID_LEN + 1];
    uint32_t site, attempt, attempts_max;
};

struct story story_begin(struct sim *sim, struct census *census, const struct plan *plan)
{
    return (struct story){.sim = sim, .census = census, .plan = plan, .jobs = map_new(JOBS_MAX)};
}

void story_done(struct story *story)
{
    map_free(story->jobs);
}

static void *story_alloc(const struct story *story, size_t size)
{
    void *memory = arena_alloc(story->sim->arena, size);
    ASSERT(memory);
    return memory;
}

/* --- tasks --------------------------------------------------------------------------------------
 */

/* The run stands just before the event. */
static void task_ended(struct story *story, const struct run *run, const struct event *event)
{
    const struct activation *task = run_activation(run, event->activation);
    story->tasks_open--;
    if (!task) {
        sim_fail(story->sim, "I5: run %s: task %u ends and is not open", run_id(run),
                 event->activation);
        return;
    }
    bool is_wait = activation_task(run, task)->kind == TASK_WAIT;
    if (is_wait && event->kind == EVENT_TASK_COMPLETED && task->due_us > event->time_us) {
        sim_fail(story->sim, "I7: run %s: task %u waited %" PRId64 " us too short", run_id(run),
                 event->activation, task->due_us - event->time_us);
    }
}

/* --- jobs ---------------------------------------------------------------------------------------
 */

/* What a turn of an agent is asked is not in the journal again. */
static void job_scheduled(struct story *story, const struct run *run, const struct event *event)
{
    uint32_t site = 0;
    int64_t n     = 0;
    bool is_right = sim_arguments(story->sim, event->value, &site, &n);
    if (!json_is(event->value, JSON_OBJECT)) site = sim_agents_site(run, event->activation);
    is_right |= site > 0 && site <= story->sim->programs.site_count;
    struct story_job *job = story_alloc(story, sizeof *job);
    *job = (struct story_job){.site = site, .attempt = 1, .attempts_max = event->attempts_max};
    memcpy(job->id, event->id.text, sizeof job->id);
    bool is_put = is_right && map_put(story->jobs, str_from(job->id), job);
    if (!is_put) sim_fail(story->sim, "job %s has other arguments than it was given", job->id);
    story->jobs_open++;
}

static void job_retried(const struct story *story, const struct event *event)
{
    struct story_job *job = map_get(story->jobs, str_from(event->id.text));
    if (!job) {
        sim_fail(story->sim, "job %s is retried and is not open", event->id.text);
        return;
    }
    bool is_next = event->attempt == job->attempt + 1;
    bool is_left = job->attempts_max == 0 || event->attempt <= job->attempts_max;
    if (!is_next || !is_left) {
        sim_fail(story->sim, "job %s: attempt %u after %u of %u", job->id, event->attempt,
                 job->attempt, job->attempts_max);
    }
    job->attempt = event->attempt;
}

/* The run faults, and everything in it ends; what is open now is open again if it is redriven. */
static void given_up(struct story *story, const struct event *event)
{
    story->is_given_up = true;
    story->given_up_us = event->time_us;
    story->tasks_left  = story->tasks_open;
    memcpy(story->given_up, event->id.text, sizeof story->given_up);
}

static void run_retried(struct story *story, const struct run *run, const struct event *event)
{
    struct census *census = story->census;
    json by               = json_get_text(event->value, "by");
    bool is_rule          = json_is(by, JSON_TEXT) && str_is(json_str(by), REDRIVE_BY);
    if (!is_rule || !story->is_given_up || !story->has_ended) {
        sim_fail(story->sim, "run %s is tried again, and nobody asked for it", run_id(run));
        return;
    }
    sim_redrive_happened(story->sim, story->given_up, event->time_us - story->given_up_us);
    if (census->redrive_count < REDRIVES_MAX) {
        census->redrives_us[census->redrive_count++] = event->time_us;
    }
    story->tasks_open  = story->tasks_left;
    story->is_given_up = false;
    story->has_ended   = false;
}

static void job_ended(struct story *story, const struct event *event)
{
    struct census *census       = story->census;
    struct sim *sim             = story->sim;
    bool has_failed             = event->kind == EVENT_JOB_FAILED || event->kind == EVENT_JOB_DEAD;
    bool is_settled_later       = has_failed && event->is_kept;
    const struct story_job *job = map_get(story->jobs, str_from(event->id.text));
    if (!job) {
        sim_fail(sim, "I8: job %s ends twice", event->id.text);
        return;
    }
    if (!is_settled_later) {
        (void)map_remove(story->jobs, str_from(event->id.text));
        story->jobs_open--;
    }
    struct tally *tally = &census->tallies[job->site];
    bool is_undo        = sim->programs.sites[job->site].kind == SITE_UNDO;
    switch (event->kind) {
    case EVENT_JOB_COMPLETED:
        tally->completed++;
        if (is_undo && story->undone_count < UNDOS_MAX) {
            story->undone[story->undone_count++] = job->site;
        }
        break;
    case EVENT_JOB_FAILED: tally->failed++; break;
    case EVENT_JOB_DEAD:
        tally->dead++;
        if (sim->programs.sites[job->site].kind == SITE_LATE) given_up(story, event);
        if (job->attempts_max > 0 && job->attempt != job->attempts_max) {
            sim_fail(sim, "job %s is given up after %u of %u attempts", job->id, job->attempt,
                     job->attempts_max);
        }
        break;
    default: break;
    }
}

/* Nobody knows: in the engine's words, or in those of a worker that did not know what its call has
 * done when it was cancelled. */
static bool is_doubt(const struct sim *sim, const struct event *event)
{
    static const char unsure[] = "https://sim.test/transient/"; /* and the place */
    json type                  = json_get_text(event->error, "type");
    if (!json_is(type, JSON_TEXT)) return false;
    if (str_is(json_str(type), "https://tutti.dev/errors/unknown-outcome")) return true;
    if (!str_starts_with(json_str(type), str_from(unsure))) return false;
    uint64_t site = strtoull(json_str(type).ptr + sizeof unsure - 1, NULL, 10);
    return site <= sim->programs.site_count && sim->programs.sites[site].kind == SITE_UNSURE;
}

/* --- all ----------------------------------------------------------------------------------------
 */

/* By the id of its event, and by run and place: a client sends one of each, however often. */
static void signal_received(const struct story *story, const struct run *run,
                            const struct event *event)
{
    struct census *census = story->census;
    json id               = json_get_text(event->value, "id");
    json type             = json_get_text(event->value, "type");
    char key[128]         = "";
    if (!json_is(id, JSON_TEXT) || !json_is(type, JSON_TEXT)) {
        sim_fail(story->sim, "run %s: an event without id or type", run_id(run));
        return;
    }
    bool is_new =
        !map_get(census->signals, json_str(id)) && map_put(census->signals, json_str(id), census);
    if (json_str(type).len > 0 && json_str(type).ptr[0] == 's') {
        (void)snprintf(key, sizeof key, "%s/" STR_FMT, run_id(run), STR_ARG(json_str(type)));
        is_new &= !map_get(census->signals, str_from(key)) &&
                  map_put(census->signals, str_from(key), census);
    }
    if (is_new) return;
    sim_fail(story->sim, "I1: run %s: signal " STR_FMT " is in the journal twice", run_id(run),
             STR_ARG(json_str(id)));
}

static void sequence_checked(struct story *story, const struct run *run, const struct event *event)
{
    if (event->sequence != story->sequence + 1) {
        sim_fail(story->sim, "I2: run %s: event %" PRIu64 " follows %" PRIu64, run_id(run),
                 event->sequence, story->sequence);
    }
    if (event->time_us < story->time_us) {
        sim_fail(story->sim, "I2: run %s: event %" PRIu64 " is older than the one before",
                 run_id(run), event->sequence);
    }
    bool may_follow = event->kind == EVENT_RUN_RETRIED || event->kind == EVENT_RUN_CHARGED;
    if (story->has_ended && !may_follow) {
        sim_fail(story->sim, "I4: run %s: %s after its end", run_id(run), event_type(event->kind));
    }
    story->sequence = event->sequence;
    story->time_us  = event->time_us;
}

void story_event(const struct run *run, const struct event *event, void *context)
{
    struct story *story = context;
    if (story->is_told) {
        sim_trace(story->sim, "  %s %" PRIu64 " at %" PRId64 ": %s %s %s #%u", run_id(run),
                  event->sequence, event->time_us, event_type(event->kind),
                  event->task == TASK_NONE ? "" : run_workflow(run)->tasks[event->task].reference,
                  event->id.text, event->attempt);
    }
    sequence_checked(story, run, event);
    if (story->is_final) sim_webhooks_expect(story->sim, story->heard, run, event);
    switch (event->kind) {
    case EVENT_RUN_COMPLETED:
    case EVENT_RUN_FAULTED:
    case EVENT_RUN_CANCELLED:
    case EVENT_RUN_TERMINATED: story->has_ended = true; break;
    case EVENT_RUN_RETRIED: run_retried(story, run, event); break;
    case EVENT_JOB_SCHEDULED: job_scheduled(story, run, event); break;
    case EVENT_JOB_RETRIED: job_retried(story, event); break;
    case EVENT_JOB_COMPLETED:
    case EVENT_JOB_FAILED:
    case EVENT_JOB_SETTLED:
    case EVENT_JOB_DEAD: job_ended(story, event); break;
    case EVENT_JOB_CANCELLED:
        if (!event->is_kept) job_ended(story, event);
        break;
    case EVENT_SIGNAL_RECEIVED: signal_received(story, run, event); break;
    case EVENT_TASK_STARTED:
    case EVENT_COMPENSATION_STARTED: story->tasks_open++; break;
    case EVENT_COMPENSATION_COMPLETED: story->tasks_open--; break;
    case EVENT_COMPENSATION_FAILED:
        story->tasks_open--;
        story->doubts += is_doubt(story->sim, event);
        break;
    case EVENT_TASK_COMPLETED:
    case EVENT_TASK_FAULTED:
    case EVENT_TASK_CANCELLED: task_ended(story, run, event); break;
    default: break;
    }
}
