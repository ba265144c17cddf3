#include "tool-adapter/call/tool_job.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "tool-adapter/http/job_asks.h"
#include "workflow/errors.h"
#include "json/json_text.h"

#include <stdlib.h>

enum {
    INPUT_DEPTH  = 64,
    INPUT_VALUES = 1'000'000,
    TEXT_MAX     = 16 << 20, /* bytes of an output or an error */
    ABSENT_S     = 900,      /* a job whose function is not here is handed back for so long */
    ABSENT_MS    = 5'000,    /* and looked for again after this */
    ATTEMPT_MS   = 600'000,  /* of a job without a deadline */
};

struct tool_jobs {
    struct exchange_means means;
    struct toolbox *toolbox; /* a reference */
    struct measures *measures;
    struct running *running; /* all that are under way */
};

/* One job under way. */
struct running {
    struct running *next, *previous;
    struct tool_jobs *jobs;
    struct worker_job *job;
    struct toolbox *toolbox; /* a reference */
    struct tool tool;
    json params, checkpoint; /* owned */
    struct tool_call *call;
    struct onlooker onlooker;
    struct job_asks asks;
    struct loop_timer too_large; /* says so from the loop, not from inside the call */
    int64_t started_ms;
};

struct tool_jobs *tool_jobs_new(const struct tool_jobs_options *options)
{
    struct tool_jobs *jobs = mem_new(1, sizeof *jobs);
    *jobs                  = (struct tool_jobs){.means    = options->means,
                                                .toolbox  = toolbox_ref(options->toolbox),
                                                .measures = options->measures};
    return jobs;
}

static void running_free(struct running *running)
{
    struct tool_jobs *jobs = running->jobs;
    if (running->next) running->next->previous = running->previous;
    *(running->previous ? &running->previous->next : &jobs->running) = running->next;
    loop_timer_clear(jobs->means.loop, &running->too_large);
    json_unref(running->params);
    json_unref(running->checkpoint);
    job_asks_done(&running->asks);
    toolbox_unref(running->toolbox);
    free(running);
}

void tool_jobs_freep(struct tool_jobs **ref)
{
    struct tool_jobs *jobs = *ref;
    if (!jobs) return;
    while (jobs->running) { /* their jobs come back by their leases */
        tool_call_cancel(jobs->running->call);
        running_free(jobs->running);
    }
    toolbox_unref(jobs->toolbox);
    free(jobs);
    *ref = NULL;
}

void tool_jobs_use(struct tool_jobs *jobs, struct toolbox *toolbox)
{
    toolbox_unref(jobs->toolbox);
    jobs->toolbox = toolbox_ref(toolbox);
}

bool tool_job_is(const Pb__LeasedJob *leased)
{
    return strchr(leased->function, '.') != NULL;
}

/* --- reports ---------------------------------------------------------------------------------- */

static ProtobufCBinaryData document_of(json value, struct buf *text)
{
    if (!json_is(value, JSON_INVALID)) (void)json_print(value, JSON_COMPACT, text);
    return (ProtobufCBinaryData){.data = (uint8_t *)text->ptr, .len = text->len};
}

/* Nobody calls this target before it wants to be called. */
static void set_rest(Pb__TargetOutcome *outcome, int64_t wait_ms)
{
    outcome->rest_until_us = clock_unix_us() + wait_ms * 1'000;
}

static void report_done(struct worker_job *job, const struct tool_call_result *result)
{
    CLEANUP(buf_done) struct buf output = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf undo   = buf_init(TEXT_MAX);
    Pb__JobCompleted completed          = PB__JOB_COMPLETED__INIT;
    Pb__TargetOutcome outcome           = PB__TARGET_OUTCOME__INIT;
    Pb__TargetOutcome *outcomes[]       = {&outcome};
    completed.output_json               = document_of(result->value, &output);
    completed.undo_json                 = document_of(result->undo, &undo);
    completed.usage                     = (Pb__Usage *)(uintptr_t)result->usage;
    if (result->wait_ms > 0) {
        set_rest(&outcome, result->wait_ms);
        completed.outcomes   = outcomes;
        completed.n_outcomes = 1;
    }
    worker_complete(job, &completed);
}

static void report_failed(struct worker_job *job, const struct tool_call_result *result)
{
    CLEANUP(buf_done) struct buf error = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf undo  = buf_init(TEXT_MAX);
    Pb__JobFailed failed               = PB__JOB_FAILED__INIT;
    Pb__TargetOutcome outcome          = PB__TARGET_OUTCOME__INIT;
    Pb__TargetOutcome *outcomes[]      = {&outcome};
    failed.error_json                  = document_of(result->value, &error);
    failed.undo_json                   = document_of(result->undo, &undo);
    failed.undo_is_whole               = result->is_undo_whole;
    failed.transient                   = result->is_transient;
    failed.unknown_outcome             = result->is_unknown;
    failed.nothing_done                = result->is_nothing_done;
    failed.retry_after_ms              = result->wait_ms;
    failed.usage                       = (Pb__Usage *)(uintptr_t)result->usage;
    outcome.failed                     = result->is_ill; /* what a breaker counts */
    failed.outcomes                    = outcomes;
    failed.n_outcomes                  = 1;
    worker_fail(job, &failed);
}

/* "Later": the job goes back and burns no attempt, and nobody else calls before. It does so for as
 * long as the manifest lets a job wait. */
static bool hand_back(struct worker_job *job, const struct rate_limit *limit,
                      const struct tool_call_result *result)
{
    int64_t age_us = clock_unix_us() - job->leased->queued_us;
    bool is_asked  = result->class == OUTCOME_THROTTLED && result->wait_ms > 0;
    if (!is_asked || age_us > limit->wait_max_ms * INT64_C(1'000)) return false;
    Pb__TargetOutcome outcome     = PB__TARGET_OUTCOME__INIT;
    Pb__TargetOutcome *outcomes[] = {&outcome};
    Pb__JobReleased released      = PB__JOB_RELEASED__INIT;
    set_rest(&outcome, result->wait_ms);
    released.not_before_us = outcome.rest_until_us;
    released.usage         = (Pb__Usage *)(uintptr_t)result->usage; /* its vectors are paid for */
    released.reason        = "the limits of the connection are reached";
    if (!result->is_own_limit) { /* others need not try */
        released.reason     = "the other side asks to wait";
        released.outcomes   = outcomes;
        released.n_outcomes = 1;
    }
    worker_hand_back(job, &released);
    return true;
}

static void refuse(struct worker_job *job, enum error_kind kind, const char *detail)
{
    CLEANUP(json_unrefp) json error      = error_new(kind, 0, str_from(detail), (str){});
    const struct tool_call_result result = {
        .class = OUTCOME_FATAL, .value = error, .undo = json_invalid()};
    log_write(LOG_WARN, "tool.refused", LOG_TEXT_OF("job", job->leased->id),
              LOG_TEXT_OF("function", job->leased->function), LOG_TEXT_OF("error", detail));
    report_failed(job, &result);
}

static void log_call(const struct running *running, const struct tool_call_result *result)
{
    const Pb__LeasedJob *leased = running->job->leased;
    bool is_fine                = result->class == OUTCOME_OK;
    log_write(is_fine ? LOG_INFO : LOG_WARN, "tool.called", LOG_TEXT_OF("run", leased->run),
              LOG_TEXT_OF("task", leased->task), LOG_TEXT_OF("job", leased->id),
              LOG_INT("attempt", leased->attempt), LOG_TEXT_OF("function", leased->function),
              LOG_TEXT_OF("connection", running->tool.connection->name),
              LOG_TEXT_OF("class", outcome_class_name(result->class)),
              LOG_INT("http_status", result->http_status),
              LOG_INT("duration_ms", clock_mono_ms() - running->started_ms));
}

static void on_done(const struct tool_call_result *result, void *context)
{
    struct running *running = context;
    struct worker_job *job  = running->job;
    bool is_fine            = result->class == OUTCOME_OK;
    job->state              = NULL;
    measures_call(running->jobs->measures, job->leased->function, is_fine ? "ok" : "error",
                  clock_mono_ms() - running->started_ms);
    measures_cache(running->jobs->measures, running->jobs->means.cache);
    log_call(running, result);
    writes_report(result->writes, job);
    CLEANUP(json_unrefp)
    json question = json_mask_apply(running->tool.connection->mask, running->asks.question);
    if (job_asks_report(&running->asks, question, result->usage, job)) {
        running_free(running);
        return;
    }
    if (is_fine) {
        report_done(job, result);
    } else if (!hand_back(job, &running->tool.connection->manifest->rate_limit, result)) {
        report_failed(job, result);
    }
    running_free(running);
}

/* --- checkpoints ------------------------------------------------------------------------------ */

static void on_kept(status code, void *context)
{
    struct running *running = context;
    tool_call_kept(running->call, code);
}

static void on_too_large(void *context)
{
    on_kept(STATUS_RESOURCE_EXHAUSTED, context);
}

static void keep(json checkpoint, void *context)
{
    struct running *running           = context;
    CLEANUP(buf_done) struct buf text = buf_init(WORKER_CHECKPOINT_MAX);
    if (json_print(checkpoint, JSON_COMPACT, &text)) {
        worker_checkpoint(running->job, buf_str(&text), on_kept, running);
        return;
    }
    struct loop *loop = running->jobs->means.loop;
    loop_timer_set(loop, &running->too_large, loop_now_ms(loop));
}

/* Those who follow the run are told no secret of the connection. */
static void on_progress(json said, void *context)
{
    struct running *running           = context;
    CLEANUP(buf_done) struct buf text = buf_init(WORKER_PROGRESS_MAX);
    CLEANUP(json_unrefp) json masked  = json_mask_apply(running->tool.connection->mask, said);
    if (json_print(masked, JSON_COMPACT, &text)) worker_progress(running->job, buf_str(&text));
}

/* --- the beginning ---------------------------------------------------------------------------- */

static status parse(ProtobufCBinaryData text, json *ret_value, struct error *reterr)
{
    const struct json_limits limits = {.depth_max = INPUT_DEPTH, .values_max = INPUT_VALUES};
    str source                      = {.ptr = (const char *)text.data, .len = text.len};
    return json_parse(source, &limits, ret_value, NULL, reterr);
}

/* Another replica may have it: this one was started with another configuration. */
static void give_away(struct worker_job *job, const char *why)
{
    int64_t now_us = clock_unix_us();
    bool is_old    = now_us - job->leased->queued_us > ABSENT_S * INT64_C(1'000'000);
    if (is_old) {
        refuse(job, ERROR_CONFIGURATION, why);
    } else {
        worker_release(job, now_us + ABSENT_MS * INT64_C(1'000), why);
    }
}

static enum error_kind kind_of(status code)
{
    switch (code) {
    case STATUS_INVALID_ARGUMENT: return ERROR_VALIDATION;
    case STATUS_PERMISSION_DENIED: return ERROR_AUTHORIZATION;
    default: return ERROR_CONFIGURATION;
    }
}

/* The parameters without the connection, which is a view of `*ret_input`. */
static status read_job(struct running *running, json *ret_input, struct error *reterr)
{
    const Pb__LeasedJob *leased = running->job->leased;
    TRY(parse(leased->input_json, ret_input, reterr));
    json connection               = json_get_text(*ret_input, "connection");
    struct tool_question question = {.function  = str_from(leased->function),
                                     .namespace = str_from(leased->namespace_)};
    if (json_is(connection, JSON_TEXT)) question.connection = json_str(connection);
    if (*leased->function_version) {
        question.major = (uint32_t)strtoul(leased->function_version, NULL, 10);
    }
    TRY(toolbox_find(running->toolbox, &question, &running->tool, reterr));
    running->params = json_ref(*ret_input);
    (void)json_object_remove(&running->params, str_from("connection"));
    if (leased->checkpoint_json.len == 0) return STATUS_OK;
    return parse(leased->checkpoint_json, &running->checkpoint, reterr);
}

static int64_t until_ms(const Pb__LeasedJob *leased)
{
    int64_t now_ms = clock_mono_ms();
    if (leased->deadline_us <= 0) return now_ms + ATTEMPT_MS;
    return now_ms + (leased->deadline_us - clock_unix_us()) / 1'000;
}

static void start(struct running *running)
{
    const Pb__LeasedJob *leased              = running->job->leased;
    enum previous_attempt previous           = (enum previous_attempt)leased->previous;
    const struct tool_call_handlers handlers = {.keep = keep, .done = on_done, .context = running};
    const struct tool_call_request request   = {
          .tool            = running->tool,
          .params          = running->params,
          .namespace       = str_from(leased->namespace_),
          .idempotency_key = str_from(leased->idempotency_key),
          .traceparent     = str_from(leased->traceparent),
          .payer           = {.is_reported = true, .is_owed = previous == ATTEMPT_LOST},
          .created_us      = leased->called_us > 0 ? leased->called_us : leased->queued_us,
          .until_ms        = until_ms(leased),
          .previous        = previous,
          .is_asked        = leased->asked_again,
          .settles         = leased->settles,
          .checkpoint      = running->checkpoint,
          .onlooker        = &running->onlooker,
          .respondent      = job_asks_respondent(&running->asks),
    };
    running->onlooker      = (struct onlooker){.progress = on_progress, .context = running};
    struct tool_call *call = tool_call_start(&running->jobs->means, &request, &handlers);
    if (call) running->call = call; /* else it is over */
}

static_assert((int)PB__PREVIOUS_ATTEMPT__PREVIOUS_UNKNOWN == (int)ATTEMPT_UNKNOWN &&
                  (int)PB__PREVIOUS_ATTEMPT__PREVIOUS_LOST == (int)ATTEMPT_LOST,
              "the same order");

void tool_jobs_run(struct tool_jobs *jobs, struct worker_job *job)
{
    CLEANUP(json_unrefp) json input = json_invalid();
    struct error error              = {};
    struct running *running         = mem_new(1, sizeof *running);
    *running                        = (struct running){.jobs       = jobs,
                                                       .job        = job,
                                                       .toolbox    = toolbox_ref(jobs->toolbox),
                                                       .started_ms = clock_mono_ms(),
                                                       .too_large  = {.fire = on_too_large},
                                                       .next       = jobs->running};
    running->too_large.context      = running;
    if (running->next) running->next->previous = running;
    jobs->running = running;
    job->state    = running;
    job_asks_init(&running->asks, job->leased);
    status code = read_job(running, &input, &error);
    if (code == STATUS_OK) {
        start(running);
        return;
    }
    job->state = NULL;
    if (code == STATUS_NOT_FOUND) {
        give_away(job, error.text);
    } else {
        refuse(job, kind_of(code), error.text);
    }
    running_free(running);
}

void tool_jobs_cancel(struct tool_jobs *, struct worker_job *job)
{
    struct running *running = job->state;
    if (!running) return;
    job->state = NULL;
    writes_report(tool_call_stop(running->call), job);
    worker_release(job, 0, "cancelled"); /* it takes the writes along */
    tool_call_cancel(running->call);
    running_free(running);
}
