#include "llm-proxy/jobs.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/money.h"
#include "llm-proxy/content.h"
#include "llm-proxy/embed.h"
#include "workflow/errors.h"
#include "json/json_text.h"
#include "json/json_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OUTPUT_MAX   = 32 << 20, /* bytes */
    INPUT_DEPTH  = 64,
    INPUT_VALUES = 1'000'000,
    RELEASE_MS   = 20'000, /* a wait above this goes back to the queue */
    TARGET_SIZE  = 128,    /* "llm:" and a provider's name */
};

struct jobs {
    struct pipeline *pipeline;     /* borrowed */
    const struct catalog *catalog; /* borrowed */
};

/* One job under way. */
struct chat_job {
    struct jobs *jobs;
    struct worker_job *job;
    struct arena *arena;
    json input; /* the request's texts are views of it */
    struct chat_request *request;
    struct llm_route scratch;
    bool has_one_provider; /* its route */
    bool is_priced;        /* likewise: `price` is known */
    Pb__ModelPrice price;
    struct llm_call *call;    /* of a chat */
    struct embed_call *embed; /* of embeddings */
};

struct jobs *jobs_new(struct pipeline *pipeline, const struct catalog *catalog)
{
    struct jobs *jobs = mem_new(1, sizeof *jobs);
    *jobs             = (struct jobs){.pipeline = pipeline, .catalog = catalog};
    return jobs;
}

void jobs_freep(struct jobs **jobs)
{
    free(*jobs);
    *jobs = NULL;
}

static void chat_job_free(struct chat_job *chat)
{
    json_unref(chat->input);
    arena_free(chat->arena);
    free(chat);
}

/* --- reports -----------------------------------------------------------------------------------
 */

static void report_error(struct worker_job *job, json error, bool is_transient,
                         const Pb__Usage *usage, const Pb__ModelPrice *price)
{
    CLEANUP(buf_done) struct buf text = buf_init(OUTPUT_MAX);
    (void)json_print(error, JSON_COMPACT, &text);
    Pb__JobFailed failed = PB__JOB_FAILED__INIT;
    failed.error_json    = (ProtobufCBinaryData){.data = (uint8_t *)text.ptr, .len = text.len};
    failed.transient     = is_transient;
    failed.usage         = (Pb__Usage *)(uintptr_t)usage;
    failed.price         = (Pb__ModelPrice *)(uintptr_t)price;
    worker_fail(job, &failed);
}

static void report_kind(struct worker_job *job, enum error_kind kind, uint32_t http, str detail,
                        bool is_transient)
{
    CLEANUP(json_unrefp) json error = error_new(kind, http, detail, (str){});
    report_error(job, error, is_transient, NULL, NULL);
}

static void put_usage(struct json_writer *w, const Pb__Usage *usage)
{
    json_member(w, "usage");
    json_begin_object(w);
    json_put_int(w, "input_tokens", usage->input_tokens);
    json_put_int(w, "output_tokens", usage->output_tokens);
    json_member(w, "cost_usd");
    if (usage->cost_source == PB__COST_SOURCE__COST_SOURCE_UNKNOWN) {
        json_write_null(w);
    } else {
        CLEANUP(buf_done) struct buf money = buf_init(MONEY_TEXT_MAX);
        (void)money_print(usage->cost_usd_nanos, &money);
        json_write_text(w, buf_str(&money));
    }
    json_end_object(w);
}

/* NULL: nobody knows. */
static Pb__ModelPrice *price_of(struct chat_job *chat)
{
    return chat->is_priced ? &chat->price : NULL;
}

/* Ends the object that has been begun. */
static void report_output(struct chat_job *chat, const struct llm_outcome *outcome,
                          struct json_writer *w, const struct buf *text)
{
    put_usage(w, &outcome->usage);
    if (outcome->is_simulated) json_put_bool(w, "simulated", true);
    json_end_object(w);
    if (text->is_full) {
        report_kind(chat->job, ERROR_RUNTIME, 0, str_from("the answer is too large"), false);
        return;
    }
    Pb__JobCompleted completed = PB__JOB_COMPLETED__INIT;
    completed.output_json = (ProtobufCBinaryData){.data = (uint8_t *)text->ptr, .len = text->len};
    completed.usage       = (Pb__Usage *)(uintptr_t)&outcome->usage;
    completed.price       = price_of(chat);
    worker_complete(chat->job, &completed);
}

static void report_answer(struct chat_job *chat, const struct llm_outcome *outcome, json content)
{
    const struct answer_choice *choice = &outcome->answer->choices[0];
    CLEANUP(buf_done) struct buf text  = buf_init(OUTPUT_MAX);
    struct json_writer w               = json_writer_init(&text);
    json_begin_object(&w);
    json_member(&w, "content");
    json_write_value(&w, content);
    json_member(&w, "message");
    answer_print_message(choice, &w);
    json_member(&w, "tool_calls");
    answer_print_tool_calls(choice, &w);
    json_put_text(&w, "finish_reason", str_from(llm_finish_name(choice->finish)));
    json_put_text(&w, "model",
                  outcome->answer->model.len > 0 ? buf_str(&outcome->answer->model)
                                                 : outcome->model);
    report_output(chat, outcome, &w, &text);
}

static void report_vectors(struct chat_job *chat, const struct llm_outcome *outcome)
{
    CLEANUP(buf_done) struct buf text = buf_init(OUTPUT_MAX);
    const struct answer *answer       = outcome->answer;
    struct json_writer w              = json_writer_init(&text);
    json_begin_object(&w);
    json_member(&w, "embeddings");
    embed_print_vectors(answer, &w);
    json_put_text(&w, "model",
                  answer->model.len > 0 ? buf_str(&answer->model) : chat->request->model);
    report_output(chat, outcome, &w, &text);
}

/* --- the end of a call -------------------------------------------------------------------------
 */

static void on_answered(struct chat_job *chat, const struct llm_outcome *outcome)
{
    if (outcome->answer->choice_count == 0) {
        report_kind(chat->job, ERROR_COMMUNICATION, 502, str_from("the answer has no choice"),
                    true);
        return;
    }
    struct error error                = {};
    CLEANUP(json_unrefp) json content = json_invalid();
    str text                          = buf_str(&outcome->answer->choices[0].text);
    if (outcome->answer->choices[0].tool_call_count > 0) {
        /* It asks for calls; what it says beside them has no shape yet. */
        content = json_text_lossy(text);
        report_answer(chat, outcome, content);
        return;
    }
    if (content_read(chat->request, text, &content, &error) == STATUS_OK) {
        report_answer(chat, outcome, content);
        return;
    }
    /* What was produced is paid for, also when its shape is wrong. */
    CLEANUP(json_unrefp)
    json problem = error_new(ERROR_VALIDATION, 0, str_from(error.text), (str){});
    report_error(chat->job, problem, false, &outcome->usage, price_of(chat));
}

static enum error_kind kind_of(const struct llm_error *error)
{
    switch (error->class) {
    case LLM_ERROR_TIMEOUT: return ERROR_TIMEOUT;
    case LLM_ERROR_KEY: return ERROR_AUTHENTICATION;
    case LLM_ERROR_CONNECT:
    case LLM_ERROR_SERVER:
    case LLM_ERROR_OVERLOADED:
    case LLM_ERROR_RATE_LIMITED:
    case LLM_ERROR_QUOTA:
    case LLM_ERROR_REQUEST:
    case LLM_ERROR_BREAKER:
    case LLM_ERROR_LIMIT:
    case LLM_ERROR_CONVERSION:
    case LLM_ERROR_BUDGET:
    case LLM_ERROR_CLASS_COUNT: return ERROR_COMMUNICATION;
    }
    return ERROR_COMMUNICATION;
}

static bool is_transient(enum llm_error_class class)
{
    return class != LLM_ERROR_REQUEST && class != LLM_ERROR_CONVERSION && class != LLM_ERROR_KEY &&
           class != LLM_ERROR_QUOTA;
}

/* "Later": the job goes back and burns no attempt, and nobody else asks that provider before. */
static void hand_back(struct chat_job *chat, int64_t retry_after_ms, Pb__TargetOutcome *outcome)
{
    Pb__TargetOutcome *list[] = {outcome};
    Pb__JobReleased released  = PB__JOB_RELEASED__INIT;
    outcome->rest_until_us    = clock_unix_us() + retry_after_ms * 1000;
    released.not_before_us    = outcome->rest_until_us;
    released.reason           = "the provider asks to wait";
    released.outcomes         = list;
    released.n_outcomes       = 1;
    worker_hand_back(chat->job, &released);
}

static void on_failed(struct chat_job *chat, const struct llm_outcome *ended)
{
    const struct llm_error *error = &ended->error;
    char target[TARGET_SIZE];
    Pb__TargetOutcome outcome = PB__TARGET_OUTCOME__INIT;
    Pb__TargetOutcome *list[] = {&outcome};
    bool is_held = error->class == LLM_ERROR_BREAKER || error->class == LLM_ERROR_LIMIT;
    if (is_held) { /* nobody was called: it waits, and burns no attempt */
        worker_release(chat->job, clock_unix_us() + error->retry_after_ms * 1000,
                       "no provider of the route may be called");
        return;
    }
    (void)snprintf(target, sizeof target, "llm:%s", ended->provider);
    outcome.target = target;
    outcome.failed = llm_error_is_failure(error->class);
    outcome.only   = chat->has_one_provider;
    if (error->class == LLM_ERROR_RATE_LIMITED && error->retry_after_ms > RELEASE_MS) {
        hand_back(chat, error->retry_after_ms, &outcome);
        return;
    }
    enum error_kind kind              = kind_of(error);
    uint32_t http                     = kind == ERROR_COMMUNICATION ? error->http_status : 0;
    CLEANUP(json_unrefp) json value   = error_new(kind, http, error->text, (str){});
    CLEANUP(buf_done) struct buf text = buf_init(OUTPUT_MAX);
    (void)json_print(value, JSON_COMPACT, &text);
    Pb__JobFailed failed  = PB__JOB_FAILED__INIT;
    failed.error_json     = (ProtobufCBinaryData){.data = (uint8_t *)text.ptr, .len = text.len};
    failed.transient      = is_transient(error->class);
    failed.retry_after_ms = error->retry_after_ms;
    failed.price          = price_of(chat);
    failed.outcomes       = list;
    failed.n_outcomes     = outcome.failed && *ended->provider ? 1 : 0;
    worker_fail(chat->job, &failed);
}

static void log_call(const struct chat_job *chat, const struct llm_outcome *outcome)
{
    const Pb__LeasedJob *leased = chat->job->leased;
    log_write(outcome->is_ok ? LOG_INFO : LOG_WARN, "llm.response",
              LOG_STR("run", str_from(leased->run)), LOG_STR("task", str_from(leased->task)),
              LOG_STR("job", str_from(leased->id)), LOG_INT("attempt", leased->attempt),
              LOG_STR("provider", str_from(outcome->provider)), LOG_STR("model", outcome->model),
              LOG_INT("tries", outcome->tries), LOG_INT("duration_ms", outcome->duration_ms),
              LOG_INT("input_tokens", outcome->usage.input_tokens),
              LOG_INT("output_tokens", outcome->usage.output_tokens),
              LOG_BOOLEAN("simulated", outcome->is_simulated),
              LOG_STR("error.message", outcome->is_ok ? (str){} : outcome->error.text));
}

static void on_done(const struct llm_outcome *outcome, void *context)
{
    struct chat_job *chat = context;
    log_call(chat, outcome);
    if (outcome->is_ok && chat->embed) {
        report_vectors(chat, outcome);
    } else if (outcome->is_ok) {
        on_answered(chat, outcome);
    } else {
        on_failed(chat, outcome);
    }
    chat_job_free(chat);
}

/* --- the beginning -----------------------------------------------------------------------------
 */

static bool is_embedding(const Pb__LeasedJob *leased)
{
    return strcmp(leased->function, "llm.embed") == 0;
}

static status read_job(struct chat_job *chat, struct error *reterr)
{
    const Pb__LeasedJob *leased = chat->job->leased;
    str text = {.ptr = (const char *)leased->input_json.data, .len = leased->input_json.len};
    const struct json_limits limits = {.depth_max = INPUT_DEPTH, .values_max = INPUT_VALUES};
    TRY(json_parse(text, &limits, &chat->input, NULL, reterr));
    if (is_embedding(leased)) return embed_read(chat->input, chat->arena, &chat->request, reterr);
    return chat_from_job(chat->input, chat->arena, &chat->request, reterr);
}

/* No inputs, no vectors: nobody is asked. */
static void complete_empty(struct chat_job *chat)
{
    struct answer answer             = {};
    const struct llm_outcome outcome = {.is_ok = true, .answer = &answer, .usage = PB__USAGE__INIT};
    report_vectors(chat, &outcome);
    chat_job_free(chat);
}

static bool has_one_provider(const struct llm_route *route)
{
    for (uint32_t i = 1; i < route->target_count; i++) {
        if (route->targets[i].provider != route->targets[0].provider) return false;
    }
    return true;
}

/* A budget of money is charged that does not take what has no price. */
static void report_unpriced(struct chat_job *chat)
{
    enum { HTTP_PAYMENT_REQUIRED = 402 };
    struct error error = {};
    (void)fail(&error, STATUS_RESOURCE_EXHAUSTED,
               "the model `" STR_FMT "` has no price, so a budget of money cannot be charged: name "
               "its price in `llm.prices`",
               STR_ARG(chat->request->model));
    CLEANUP(json_unrefp)
    json problem = error_own_new("budget", HTTP_PAYMENT_REQUIRED, "Budget exceeded",
                                 str_from(error.text), (str){});
    report_error(chat->job, problem, false, NULL, NULL);
}

static void run_chat(struct jobs *jobs, struct worker_job *job)
{
    struct error error    = {};
    struct chat_job *chat = mem_new(1, sizeof *chat);
    chat->jobs            = jobs;
    chat->job             = job;
    chat->arena           = arena_new(CHAT_ARENA_MAX);
    ASSERT(chat->arena);
    job->state = chat;
    if (read_job(chat, &error) != STATUS_OK) {
        report_kind(job, ERROR_VALIDATION, 0, str_from(error.text), false);
        chat_job_free(chat);
        return;
    }
    const char *near = NULL;
    const struct llm_route *route =
        catalog_find(jobs->catalog, chat->request->model, &chat->scratch, &near);
    if (!route) {
        (void)fail(&error, STATUS_NOT_FOUND, "there is no model `" STR_FMT "`%s%s%s",
                   STR_ARG(chat->request->model), near ? "; did you mean `" : "", near ? near : "",
                   near ? "`?" : "");
        report_kind(job, ERROR_CONFIGURATION, 0, str_from(error.text), false);
        chat_job_free(chat);
        return;
    }
    int64_t deadline_ms    = llm_deadline_ms(job->leased->deadline_us);
    chat->has_one_provider = has_one_provider(route);
    pb__model_price__init(&chat->price);
    chat->is_priced =
        catalog_dearest(jobs->catalog, route, &chat->price.input_picos, &chat->price.output_picos);
    if (job->leased->needs_price && !chat->is_priced) {
        report_unpriced(chat);
        chat_job_free(chat);
        return;
    }
    if (!is_embedding(job->leased)) {
        chat->call =
            llm_call_start(jobs->pipeline, chat->request, route, deadline_ms, on_done, chat);
        llm_call_is_job(chat->call, job->leased->target);
    } else if (chat->request->input_count > 0) {
        chat->embed = embed_start(jobs->pipeline, chat->request, route, deadline_ms, on_done, chat);
        embed_is_job(chat->embed, job->leased->target);
    } else {
        complete_empty(chat);
    }
}

void jobs_run(struct worker_job *job, void *context)
{
    struct jobs *jobs = context;
    if (str_is(str_from(job->leased->function), "llm.chat") || is_embedding(job->leased)) {
        run_chat(jobs, job);
        return;
    }
    struct error error = {};
    (void)fail(&error, STATUS_UNIMPLEMENTED, "this llm-proxy does not know the function %s",
               job->leased->function);
    report_kind(job, ERROR_CONFIGURATION, 0, str_from(error.text), false);
}

void jobs_cancel(struct worker_job *job, void *)
{
    struct chat_job *chat = job->state;
    if (!chat) return;
    if (chat->call) llm_call_cancel(chat->call);
    if (chat->embed) embed_cancel(chat->embed);
    chat_job_free(chat);
    job->state = NULL;
    worker_release(job, 0, "cancelled");
}
