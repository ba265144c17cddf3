/*
 * What workers hand back. A report counts if its token is of the newest lease of an open job; so at
 * most one completion of a job is accepted, whatever workers, networks and restarts do.
 */
#include "base/assert.h"
#include "base/log.h"
#include "job.pb-c.h"
#include "scheduler/decide/late_job.h"
#include "scheduler/engine/audit/engine_audit.h"
#include "scheduler/engine/breakers/engine_breakers.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/events/webhooks.h"
#include "scheduler/engine/jobs/charge.h"
#include "scheduler/engine/jobs/job_rows.h"
#include "scheduler/engine/jobs/settling.h"
#include "scheduler/engine/jobs/wish.h"
#include "scheduler/engine/usages/usage_rows.h"
#include "workflow/errors.h"

/* One report at work. */
struct report {
    const Pb__JobReport *wire;
    json value; /* output, error or question, borrowed; invalid: none */
    json undo;  /* likewise */
};

/* --- tokens ------------------------------------------------------------------------------------
 */

/* The open job whose newest lease this is; NULL: lost. Its lease may be over, as long as nobody
 * else got the job: a completion is welcome then, a failure has been counted already. */
static struct open_job *leased_job(struct engine *engine, const Pb__JobReport *report)
{
    struct lease lease   = {};
    bytes token          = {report->lease_token.data, report->lease_token.len};
    struct open_job *job = open_job_find(engine->queues, str_from(report->job));
    if (!job) return NULL;
    if (!lease_is_signed(&job->token, job->lease_number, token)) { /* given before a restart */
        if (!lease_verify(token, &engine->partition->lease_key, &lease)) return NULL;
        if (strcmp(lease.job.text, report->job) != 0) return NULL;
        if (job->lease_number != lease.number) return NULL;
    }
    if (job->state == OPEN_JOB_LEASED) return job;
    return report->result_case == PB__JOB_REPORT__RESULT_COMPLETED ? job : NULL;
}

/* --- what a run makes of it --------------------------------------------------------------------
 */

static status decide_completed(struct engine *engine, struct live_run *live, const char *job,
                               const struct report *report, struct error *reterr)
{
    struct job_completion command = {
        .job = str_from(job), .output = report->value, .undo = report->undo};
    usage_from_wire(report->wire->completed->usage, &command.usage);
    const struct decide_env env = engine_env(engine);
    return run_job_completed(live->run, &env, &command, &engine->events, reterr);
}

/* An earlier attempt may have done it. */
static bool is_in_doubt(struct engine *engine, const char *job)
{
    const struct open_job *open = open_job_find(engine->queues, str_from(job));
    return open && engine_job_in_doubt(engine, open);
}

/* With what else is known of the job. */
static status decide_failure(struct engine *engine, struct live_run *live,
                             struct job_failure *command, struct error *reterr)
{
    const struct decide_env env = engine_env(engine);
    const struct open_job *job  = open_job_find(engine->queues, command->job);
    bool is_look                = job && job_settles(job);
    if (!is_look) command->look_up = LOOK_UP_NONE;
    if (is_look && command->look_up == LOOK_UP_NONE) command->look_up = LOOK_UP_VAIN;
    command->was_in_doubt = !is_look && job && engine_job_in_doubt(engine, job);
    return run_job_failed(live->run, &env, command, &engine->events, reterr);
}

static status decide_failed(struct engine *engine, struct live_run *live, const char *job,
                            const struct report *report, struct error *reterr)
{
    const Pb__JobFailed *failed = report->wire->failed;
    struct job_failure command  = {
         .job            = str_from(job),
         .error          = report->value,
         .undo           = report->undo,
         .is_undo_whole  = failed->undo_is_whole,
         .is_transient   = failed->transient,
         .is_unknown     = failed->unknown_outcome,
         .retry_after_us = failed->retry_after_ms > 0 && failed->retry_after_ms < INT32_MAX
                               ? failed->retry_after_ms * 1000
                               : 0,
    };
    usage_from_wire(failed->usage, &command.usage);
    if (run_job_is_late(live->run, command.job)) command.is_lapsed = is_in_doubt(engine, job);
    if (failed->nothing_done) command.look_up = LOOK_UP_NOTHING;
    return decide_failure(engine, live, &command, reterr);
}

static status decide_expired(struct engine *engine, struct live_run *live, const char *job,
                             const struct report *report, struct error *reterr)
{
    struct job_failure command = {
        .job = str_from(job), .error = report->value, .is_transient = true, .is_lapsed = true};
    return decide_failure(engine, live, &command, reterr);
}

static status decide_refused(struct engine *engine, struct live_run *live, const char *job,
                             const struct report *report, struct error *reterr)
{
    struct job_failure command = {.job = str_from(job), .error = report->value};
    return decide_failure(engine, live, &command, reterr);
}

static status decide_withdrawn(struct engine *engine, struct live_run *live, const char *job,
                               const struct report *report, struct error *reterr)
{
    struct job_failure command = {.job = str_from(job), .error = report->value, .is_final = true};
    return decide_failure(engine, live, &command, reterr);
}

/* Of a late job: it was given back, so this attempt has done nothing. */
static status decide_returned(struct engine *engine, struct live_run *live, const char *job,
                              const struct report *, struct error *reterr)
{
    const struct decide_env env      = engine_env(engine);
    const struct job_failure command = {.job       = str_from(job),
                                        .is_lapsed = is_in_doubt(engine, job)};
    return run_job_failed(live->run, &env, &command, &engine->events, reterr);
}

typedef status (*decide_fn)(struct engine *engine, struct live_run *live, const char *job,
                            const struct report *report, struct error *reterr);

/* How an attempt ended, as the next one is told. */
static uint32_t end_of(decide_fn decide, const struct report *report)
{
    if (decide == decide_expired) return PB__PREVIOUS_ATTEMPT__PREVIOUS_LOST;
    if (decide != decide_failed) return PB__PREVIOUS_ATTEMPT__PREVIOUS_NONE;
    return report->wire->failed->unknown_outcome ? PB__PREVIOUS_ATTEMPT__PREVIOUS_UNKNOWN
                                                 : PB__PREVIOUS_ATTEMPT__PREVIOUS_FAILED;
}

/* Of a job that is to find something out: it goes on looking, or nobody wants to know any more. */
static status look_on(struct engine *engine, struct open_job *job, const struct live_run *live,
                      const struct report *report, decide_fn decide, bool *ret_goes_on,
                      struct error *reterr)
{
    bool is_passing =
        decide == decide_expired || (decide == decide_failed && report->wire->failed->transient &&
                                     !report->wire->failed->nothing_done);
    *ret_goes_on = false;
    if (!job_settles(job)) return STATUS_OK;
    if (!run_job_is_late(live->run, str_from(job->id.text))) {
        *ret_goes_on = true;
        return engine_forget_job(engine, job, reterr);
    }
    return is_passing ? engine_settle_again(engine, job, ret_goes_on, reterr) : STATUS_OK;
}

/* Of a job whose task is over, and that may have acted: who can find out whether it has is asked
 * to, as for one whose task waits. What is done in part is known already. */
static status look_up(struct engine *engine, struct open_job *job, const struct live_run *live,
                      const struct report *report, decide_fn decide, bool *ret_looks,
                      struct error *reterr)
{
    const Pb__JobFailed *failed = decide == decide_failed ? report->wire->failed : NULL;
    Pb__JobRecord *record       = NULL;
    str id                      = str_from(job->id.text);
    bool is_final               = decide == decide_completed || decide == decide_withdrawn;
    bool is_told                = failed && (failed->undo_is_whole || json_count(report->undo) > 0);
    *ret_looks                  = false;
    if (job_settles(job) || is_final || is_told || !late_job_can_settle(live->run, id)) {
        return STATUS_OK;
    }
    bool has_acted = decide == decide_expired || (failed && failed->unknown_outcome);
    if (!has_acted && !engine_job_in_doubt(engine, job)) return STATUS_OK;
    if (decide != decide_returned) job->ended_as = end_of(decide, report);
    *ret_looks = true;
    TRY(engine_job_row(engine, id, engine->arena, &record, reterr));
    open_job_note_end(job, record);
    TRY(engine_fund_end(engine, job, reterr));
    return engine_settle_job(engine, job, record, reterr);
}

/* A run that does not know the job will never take an answer of it: nobody is to have it again. */
static status refused(struct engine *engine, const struct id *id, str run, status why,
                      const Pb__JobReport *report, struct error *reterr)
{
    struct open_job *job = open_job_find(engine->queues, str_from(id->text));
    if (why == STATUS_NOT_FOUND && job) TRY(engine_forget_job(engine, job, reterr));
    return engine_charge_untaken(engine, id, run, report, reterr);
}

/* Lets the run decide and keeps what it decided. `*ret_code`: what to tell the worker. */
static status settle(struct engine *engine, struct open_job *job, const struct report *report,
                     decide_fn decide, status *ret_code, struct error *reterr)
{
    if (job_is_delivery(job)) {
        CLEANUP(json_unrefp) json unknown = json_object_new(0);
        bool is_said                      = report->value.kind != JSON_INVALID;
        *ret_code                         = STATUS_OK;
        json error                        = decide == decide_completed ? json_invalid()
                                            : is_said                  ? report->value
                                                                       : unknown;
        return engine_delivery_settle(engine, job, error, reterr);
    }
    struct live_run *live = NULL;
    const struct id id    = job->id; /* the job may be gone afterwards */
    if (report->wire) engine_note_report(engine, job, report->wire, report->value);
    TRY(engine_fund_report(engine, job, report->wire, reterr));
    TRY(engine_run(engine, str_from(job->run.text), NULL, &live, reterr));
    *ret_code = STATUS_FAILED_PRECONDITION;
    if (!live) {
        open_job_remove(engine->queues, job); /* its run cannot be read: nobody waits for it */
        return STATUS_OK;
    }
    bool looks_on       = false;
    struct error why    = {};
    const struct id run = live->id;
    TRY(look_on(engine, job, live, report, decide, &looks_on, reterr));
    if (!looks_on) TRY(look_up(engine, job, live, report, decide, &looks_on, reterr));
    if (looks_on) {
        *ret_code = STATUS_OK;
        return engine_charge_untaken(engine, &id, str_from(run.text), report->wire, reterr);
    }
    if (decide != decide_returned) job->ended_as = end_of(decide, report);
    engine_work_begin(engine, str_from(live->id.text));
    status decided = decide(engine, live, id.text, report, &why);
    status kept    = STATUS_OK;
    if (decided == STATUS_OK) kept = engine_keep(engine, live, reterr);
    engine_work_end(engine);
    TRY(kept);
    *ret_code = decided;
    if (decided == STATUS_OK) {
        return engine_usage_report(engine, str_from(run.text), report->wire, reterr);
    }
    *ret_code = decided == STATUS_NOT_FOUND ? STATUS_FAILED_PRECONDITION : decided;
    log_write(LOG_WARN, "job.report_refused", LOG_TEXT_OF("job", id.text),
              LOG_TEXT_OF("error", why.text));
    return refused(engine, &id, str_from(run.text), decided, report->wire, reterr);
}

/* --- released: back into the queue, no attempt burnt -------------------------------------------
 */

static void note_question(Pb__JobRecord *record, const Pb__JobReleased *released)
{
    record->job->asked_json  = released->asked_json;
    record->job->answer_json = (ProtobufCBinaryData){};
    record->due_us           = JOB_ASKS_US;
}

/* `asks`: somebody is asked what it says; else the job waits for nobody. */
static status release(struct engine *engine, struct open_job *job, const Pb__JobReleased *released,
                      bool asks, struct error *reterr)
{
    Pb__JobRecord *record = NULL;
    TRY(engine_job_row(engine, str_from(job->id.text), engine->arena, &record, reterr));
    TRY(engine_ready_delete(engine, job, reterr));
    job->fresh = NULL;
    TRY(engine_fund_end(engine, job, reterr));
    bool has_checkpoint =
        released->checkpoint_json.len > 0 && released->checkpoint_json.len <= CHECKPOINT_MAX;
    if (has_checkpoint) record->job->checkpoint_json = released->checkpoint_json;
    if (job->holder) record->job->last_holder = text_in(engine->arena, str_from(job->holder->name));
    open_job_note_end(job, record);
    record->due_us =
        released->not_before_us > engine->now_us ? released->not_before_us : engine->now_us;
    if (asks) note_question(record, released);
    if (*released->target) {
        struct target *target = engine_target_named(engine, str_from(released->target));
        if (target) open_job_aim(engine->queues, job, target, engine->now_us);
    }
    open_job_return(engine->queues, job, record->due_us, engine->now_us);
    TRY(engine_job_put(engine, record, reterr));
    return engine_ready_put(engine, job, reterr);
}

/* --- asked: back into the queue, until somebody has answered ------------------------------------
 */

static status ask(struct engine *engine, struct open_job *job, struct live_run *live,
                  const struct report *report, status *ret_code, struct error *reterr)
{
    const struct decide_env env        = engine_env(engine);
    const struct id id                 = job->id;
    const struct id run                = live->id;
    const struct job_question question = {.job = str_from(id.text), .value = report->value};
    struct error why                   = {};
    engine_work_begin(engine, str_from(run.text));
    status asked = run_job_asked(live->run, &env, &question, &engine->events, &why);
    status kept  = asked == STATUS_OK ? engine_keep(engine, live, reterr) : STATUS_OK;
    engine_work_end(engine);
    TRY(kept);
    *ret_code = asked;
    if (asked == STATUS_OK) return release(engine, job, report->wire->released, true, reterr);
    *ret_code = STATUS_FAILED_PRECONDITION;
    log_write(LOG_WARN, "job.question_refused", LOG_TEXT_OF("job", id.text),
              LOG_TEXT_OF("error", why.text));
    return refused(engine, &id, str_from(run.text), asked, report->wire, reterr);
}

/* Says whether its task has ended: nobody is to begin it anew, but to find out what it did. */
static status is_late(struct engine *engine, const struct open_job *job, bool *ret_is_late,
                      struct error *reterr)
{
    struct live_run *live = NULL;
    *ret_is_late          = false;
    if (job_is_delivery(job) || job_settles(job)) return STATUS_OK;
    TRY(engine_run(engine, str_from(job->run.text), NULL, &live, reterr));
    *ret_is_late = live && run_job_is_late(live->run, str_from(job->id.text));
    return STATUS_OK;
}

static status give_back(struct engine *engine, struct open_job *job,
                        const Pb__JobReleased *released, struct error *reterr)
{
    const struct report nothing = {};
    bool is_over                = false;
    status code                 = STATUS_OK;
    TRY(is_late(engine, job, &is_over, reterr));
    if (is_over) return settle(engine, job, &nothing, decide_returned, &code, reterr);
    return release(engine, job, released, false, reterr);
}

static status take_released(struct engine *engine, struct open_job *job,
                            const struct report *report, status *ret_code, struct error *reterr)
{
    const Pb__JobReleased *released = report->wire->released;
    struct live_run *live           = NULL;
    bool asks                       = released->question_json.len > 0 && !job_is_delivery(job);
    *ret_code                       = STATUS_OK;
    engine_note_report(engine, job, report->wire, json_invalid());
    TRY(engine_charge_released(engine, job, report->wire, reterr)); /* keeps the run by itself */
    if (asks) TRY(engine_run(engine, str_from(job->run.text), NULL, &live, reterr));
    bool is_wanted = live && !run_job_is_late(live->run, str_from(job->id.text));
    if (is_wanted) return ask(engine, job, live, report, ret_code, reterr);
    return give_back(engine, job, released, reterr);
}

/* --- reports -----------------------------------------------------------------------------------
 */

/* Says whether a value was sent that is no JSON, which the service could not parse, or is too
 * large. */
static bool is_malformed(const struct report *report)
{
    bool is_back = report->wire->result_case == PB__JOB_REPORT__RESULT_RELEASED;
    if (is_back && report->wire->released->asked_json.len > CHECKPOINT_MAX) return true;
    if (!json_is(report->value, JSON_INVALID)) return false;
    switch (report->wire->result_case) {
    case PB__JOB_REPORT__RESULT_COMPLETED: return report->wire->completed->output_json.len > 0;
    case PB__JOB_REPORT__RESULT_FAILED: return report->wire->failed->error_json.len > 0;
    case PB__JOB_REPORT__RESULT_RELEASED: return report->wire->released->question_json.len > 0;
    default: return false;
    }
}

static status complete(struct engine *engine, struct open_job *job, const struct report *report,
                       status *ret_code, struct error *reterr)
{
    struct report counted = *report;
    TRY(engine_charge_once(engine, job, report->wire, &counted.wire, reterr));
    return settle(engine, job, &counted, decide_completed, ret_code, reterr);
}

static status take_report(struct engine *engine, struct worker *worker, const struct report *report,
                          status *ret_code, struct error *reterr)
{
    *ret_code = STATUS_INVALID_ARGUMENT;
    if (is_malformed(report)) return STATUS_OK;
    struct open_job *job = leased_job(engine, report->wire);
    if (!job) {
        bool is_taken = false;
        TRY(engine_charge_late(engine, report->wire, &is_taken, reterr));
        *ret_code = STATUS_FAILED_PRECONDITION;
        if (!is_taken) count_lease_lost(engine->options.metrics, (str){}, (str){});
        return STATUS_OK;
    }
    if (job->state == OPEN_JOB_LEASED) open_job_adopt(job, worker);
    switch (report->wire->result_case) {
    case PB__JOB_REPORT__RESULT_COMPLETED: return complete(engine, job, report, ret_code, reterr);
    case PB__JOB_REPORT__RESULT_FAILED:
        return settle(engine, job, report, decide_failed, ret_code, reterr);
    case PB__JOB_REPORT__RESULT_RELEASED:
        return take_released(engine, job, report, ret_code, reterr);
    default: return STATUS_OK; /* nothing that we know: INVALID_ARGUMENT */
    }
}

status engine_report(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__JobReports *request = command->request;
    Pb__JobReportAnswers *answer  = command->response;
    engine_answer(engine, command);

    struct worker *worker = NULL;
    command->code = worker_at(engine->workers, str_from(request->worker), engine->now_us, &worker,
                              &command->error);
    if (command->code != STATUS_OK) return STATUS_OK;

    size_t count = request->n_reports;
    ASSERT(command->value_count == 2 * count);
    answer->reports = arena_alloc(command->arena, (count + 1) * sizeof *answer->reports);
    Pb__JobReportAnswer *answers = arena_alloc(command->arena, (count + 1) * sizeof *answers);
    if (!answer->reports || !answers) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, NULL, "too many reports");
    }
    for (size_t i = 0; i < count; i++) {
        const struct report report = {
            .wire  = request->reports[i],
            .value = command->values[2 * i],
            .undo  = command->values[2 * i + 1],
        };
        status code = STATUS_OK;
        TRY(engine_audit_report(engine, report.wire, reterr));
        TRY(take_report(engine, worker, &report, &code, reterr));
        answers[i]         = (Pb__JobReportAnswer)PB__JOB_REPORT_ANSWER__INIT;
        answers[i].job     = report.wire->job;
        answers[i].status  = code;
        answer->reports[i] = &answers[i];
    }
    answer->n_reports = count;
    engine_wish(engine, command, worker);
    return STATUS_OK;
}

/* --- nobody reported in time -------------------------------------------------------------------
 */

/* Fails a job on our own account, and sees to it that it is gone. */
static status fail_job(struct engine *engine, struct open_job *job, json error, decide_fn decide,
                       struct error *reterr)
{
    const struct report report = {.value = error};
    const struct id id         = job->id;
    status code                = STATUS_OK;
    TRY(settle(engine, job, &report, decide, &code, reterr));
    if (code == STATUS_OK) return STATUS_OK;

    /* The run does not want it: drop what is left, or it would expire for ever. */
    job = open_job_find(engine->queues, str_from(id.text));
    if (!job) return STATUS_OK;
    return engine_forget_job(engine, job, reterr);
}

status engine_refuse_job(struct engine *engine, struct open_job *job, json error,
                         struct error *reterr)
{
    return fail_job(engine, job, error, decide_refused, reterr);
}

status engine_withdraw_job(struct engine *engine, struct open_job *job, json error,
                           struct error *reterr)
{
    return fail_job(engine, job, error, decide_withdrawn, reterr);
}

status engine_offer_again(struct engine *engine, struct open_job *job, struct error *reterr)
{
    const Pb__JobReleased released = PB__JOB_RELEASED__INIT;
    return give_back(engine, job, &released, reterr);
}

status engine_fail_silent(struct engine *engine, struct open_job *job, const char *detail,
                          struct error *reterr)
{
    count_lease_lost(engine->options.metrics, job->queue->name, (str){});
    CLEANUP(json_unrefp) json error = error_new(ERROR_TIMEOUT, 0, str_from(detail), (str){});
    return fail_job(engine, job, error, decide_expired, reterr);
}

status engine_expire_job(struct engine *engine, struct open_job *job, struct error *reterr)
{
    bool is_attempt_over = job->attempt_ends_us > 0 && job->attempt_ends_us <= engine->now_us;
    engine_note_silence(engine, job, is_attempt_over);
    if (!job_is_delivery(job)) TRY(engine_lease_unsaid(engine, job, false, reterr));
    /* We died between giving the lease and the answer, or the holder died with us: it is no
     * attempt, but who comes next must not believe that there was none. */
    if (job->is_unclaimed && !is_attempt_over) {
        job->ended_as = PB__PREVIOUS_ATTEMPT__PREVIOUS_LOST;
        return engine_offer_again(engine, job, reterr);
    }
    return engine_fail_silent(engine, job,
                              is_attempt_over ? "the attempt took longer than it may"
                                              : "the worker was silent for longer than its lease",
                              reterr);
}
