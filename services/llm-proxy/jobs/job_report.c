/* What becomes of a job: its answer, or why there is none. */
#include "base/clock.h"
#include "base/money.h"
#include "llm-proxy/chat/content.h"
#include "llm-proxy/chat/embed_text.h"
#include "llm-proxy/jobs/chat_job.h"
#include "llm-proxy/jobs/job_book.h"
#include "json/json_text.h"
#include "json/json_write.h"

#include <stdio.h>

enum {
    OUTPUT_MAX            = 32 << 20, /* bytes */
    RELEASE_MS            = 20'000,   /* a wait above this goes back to the queue */
    TARGET_SIZE           = 128,      /* "llm:" and a provider's name */
    HTTP_BAD_GATEWAY      = 502,
    HTTP_PAYMENT_REQUIRED = 402,
};

/* --- reports -----------------------------------------------------------------------------------
 */

static void job_report_error(struct worker_job *job, json error, bool is_transient,
                             const Pb__Usage *usage, const Pb__ModelPrice *price)
{
    CLEANUP(buf_done) struct buf text = buf_init(OUTPUT_MAX);
    (void)json_print(error, JSON_COMPACT, &text);
    Pb__JobFailed failed = PB__JOB_FAILED__INIT;
    failed.error_json    = (ProtobufCBinaryData){.data = (uint8_t *)text.ptr, .len = text.len};
    failed.transient     = is_transient;
    failed.usage         = (Pb__Usage *)(uintptr_t)usage;
    failed.price         = (Pb__ModelPrice *)(uintptr_t)price;
    job_fail(job, &failed);
}

void job_report_kind(struct worker_job *job, enum error_kind kind, uint32_t http, str detail,
                     bool is_transient)
{
    CLEANUP(json_unrefp) json error = error_new(kind, http, detail, (str){});
    job_report_error(job, error, is_transient, NULL, NULL);
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

/* Whom it has asked before it failed. */
static void put_attempts(const struct llm_outcome *outcome, json *error)
{
    json attempts = attempts_value_new(outcome->attempts);
    if (!json_is(attempts, JSON_INVALID)) json_object_put_text(error, "attempts", attempts);
}

/* What was produced is paid for, also if it is of no use. */
static void report_bought(struct chat_job *chat, const struct llm_outcome *outcome,
                          enum error_kind kind, str detail, bool is_transient)
{
    uint32_t http                   = kind == ERROR_COMMUNICATION ? HTTP_BAD_GATEWAY : 0;
    CLEANUP(json_unrefp) json error = error_new(kind, http, detail, (str){});
    put_attempts(outcome, &error);
    const Pb__Usage *usage = outcome->usage.calls > 0 ? &outcome->usage : NULL;
    job_report_error(chat->job, error, is_transient, usage, price_of(chat));
}

/* Ends the object that has been begun. */
static void report_output(struct chat_job *chat, const struct llm_outcome *outcome,
                          struct json_writer *w, const struct buf *text)
{
    Pb__Usage usage = outcome->usage;
    job_repair_add(&chat->repair, &usage);
    put_usage(w, &usage);
    uint32_t repairs = job_repair_count(&chat->repair);
    if (repairs > 0) json_put_int(w, "repairs", repairs);
    if (outcome->is_simulated) json_put_bool(w, "simulated", true);
    if (outcome->attempts) {
        json_member(w, "attempts");
        attempts_write(outcome->attempts, w);
    }
    if (outcome->losses && outcome->losses->count > 0) {
        json_member(w, "losses");
        losses_write(outcome->losses, w);
    }
    json_end_object(w);
    if (text->is_full) {
        report_bought(chat, outcome, ERROR_RUNTIME, str_from("the answer is too large"), false);
        return;
    }
    Pb__JobCompleted completed = PB__JOB_COMPLETED__INIT;
    completed.output_json = (ProtobufCBinaryData){.data = (uint8_t *)text->ptr, .len = text->len};
    completed.usage       = (Pb__Usage *)(uintptr_t)&outcome->usage;
    completed.price       = price_of(chat);
    job_complete(chat->job, &completed);
}

static void report_content(struct chat_job *chat, const struct llm_outcome *outcome, json content)
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

void job_report_vectors(struct chat_job *chat, const struct llm_outcome *outcome)
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

static void report_budget(struct chat_job *chat, str detail, const Pb__Usage *used)
{
    CLEANUP(json_unrefp)
    json problem =
        error_own_new("budget", HTTP_PAYMENT_REQUIRED, "Budget exceeded", detail, (str){});
    job_report_error(chat->job, problem, false, used, price_of(chat));
}

/* What was produced until then is paid, and of no use. */
void job_report_stopped(struct chat_job *chat, const struct llm_outcome *ended)
{
    report_budget(chat,
                  str_from("the answer was stopped: it has outgrown what was left of its budgets"),
                  ended->usage.calls > 0 ? &ended->usage : NULL);
}

/* A budget of money is charged that does not take what has no price. */
void job_report_unpriced(struct chat_job *chat)
{
    struct error error = {};
    (void)fail(&error, STATUS_RESOURCE_EXHAUSTED,
               "the model `" STR_FMT "` has no price, so a budget of money cannot be charged: name "
               "its price in `llm.prices`",
               STR_ARG(chat->request->model));
    report_budget(chat, str_from(error.text), NULL);
}

/* --- the end of a call -------------------------------------------------------------------------
 */

void job_report_answer(struct chat_job *chat, const struct llm_outcome *outcome)
{
    if (outcome->answer->choice_count == 0) {
        report_bought(chat, outcome, ERROR_COMMUNICATION, str_from("the answer has no choice"),
                      true);
        return;
    }
    struct error error                = {};
    CLEANUP(json_unrefp) json content = json_invalid();
    str text                          = buf_str(&outcome->answer->choices[0].text);
    /* If it asks for calls, what it says beside them has no shape yet. */
    bool has_shape = outcome->answer->choices[0].tool_call_count == 0;
    status code    = has_shape ? content_read(chat->request, text, &content, &error) : STATUS_OK;
    if (!has_shape) content = json_text_lossy(text);
    if (job_repair_count(&chat->repair) > 0) {
        measures_repair(pipeline_measures(chat->pipeline), code == STATUS_OK);
    }
    if (code == STATUS_OK) {
        report_content(chat, outcome, content);
        return;
    }
    llm_call_forget(chat->call); /* who asks again gets another one */
    if (job_repair_again(chat, outcome, text)) return;
    report_bought(chat, outcome, ERROR_VALIDATION, str_from(error.text), false);
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
    case LLM_ERROR_RUN:
    case LLM_ERROR_OUTPUT:
    case LLM_ERROR_INTERRUPTED:
    case LLM_ERROR_CLASS_COUNT: return ERROR_COMMUNICATION;
    }
    return ERROR_COMMUNICATION;
}

static bool is_transient(enum llm_error_class class)
{
    return class != LLM_ERROR_REQUEST && class != LLM_ERROR_CONVERSION && class != LLM_ERROR_KEY &&
           class != LLM_ERROR_QUOTA;
}

/* The job goes back and burns no attempt; what its tries have cost is paid all the same. `outcome`:
 * nobody else asks that provider before; NULL: it was not asked. */
static void hand_back(struct chat_job *chat, const struct llm_outcome *ended, const char *reason,
                      Pb__TargetOutcome *outcome)
{
    Pb__TargetOutcome *list[] = {outcome};
    Pb__JobReleased released  = PB__JOB_RELEASED__INIT;
    released.not_before_us    = clock_unix_us() + ended->error.retry_after_ms * 1000;
    released.reason           = reason;
    released.outcomes         = list;
    released.n_outcomes       = outcome ? 1 : 0;
    if (outcome) outcome->rest_until_us = released.not_before_us;
    if (ended->usage.calls > 0) released.usage = (Pb__Usage *)(uintptr_t)&ended->usage;
    released.price = price_of(chat);
    job_hand_back(chat->job, &released);
}

void job_report_cancelled(struct chat_job *chat, const Pb__Usage *used)
{
    Pb__JobReleased released = PB__JOB_RELEASED__INIT;
    released.reason          = "cancelled";
    if (used->calls > 0) released.usage = (Pb__Usage *)(uintptr_t)used;
    released.price = price_of(chat);
    job_hand_back(chat->job, &released);
}

void job_report_failure(struct chat_job *chat, const struct llm_outcome *ended)
{
    const struct llm_error *error = &ended->error;
    char target[TARGET_SIZE];
    Pb__TargetOutcome outcome = PB__TARGET_OUTCOME__INIT;
    Pb__TargetOutcome *list[] = {&outcome};
    bool is_held = error->class == LLM_ERROR_BREAKER || error->class == LLM_ERROR_LIMIT;
    if (is_held) {
        hand_back(chat, ended, "no provider of the route may be called", NULL);
        return;
    }
    (void)snprintf(target, sizeof target, "llm:%s", ended->provider);
    outcome.target = target;
    outcome.failed = llm_error_is_failure(error->class);
    outcome.only   = chat->has_one_provider;
    if (error->class == LLM_ERROR_RATE_LIMITED && error->retry_after_ms > RELEASE_MS) {
        hand_back(chat, ended, "the provider asks to wait", &outcome);
        return;
    }
    enum error_kind kind            = kind_of(error);
    uint32_t http                   = kind == ERROR_COMMUNICATION ? error->http_status : 0;
    CLEANUP(json_unrefp) json value = error_new(kind, http, error->text, (str){});
    put_attempts(ended, &value);
    CLEANUP(buf_done) struct buf text = buf_init(OUTPUT_MAX);
    (void)json_print(value, JSON_COMPACT, &text);
    Pb__JobFailed failed  = PB__JOB_FAILED__INIT;
    failed.error_json     = (ProtobufCBinaryData){.data = (uint8_t *)text.ptr, .len = text.len};
    failed.transient      = is_transient(error->class);
    failed.retry_after_ms = error->retry_after_ms;
    failed.price          = price_of(chat);
    if (ended->usage.calls > 0) failed.usage = (Pb__Usage *)(uintptr_t)&ended->usage;
    failed.outcomes   = list;
    failed.n_outcomes = outcome.failed && *ended->provider ? 1 : 0;
    job_fail(chat->job, &failed);
}
