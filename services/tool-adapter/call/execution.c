#include "tool-adapter/call/execution.h"

#include "adapter/base_url.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tool-adapter/call/charge.h"
#include "tool-adapter/connections/shared_limits.h"
#include "tool-adapter/connections/validators.h"
#include "tool-adapter/http/pages.h"

#include <stdlib.h>

enum { RETRY_MS = 250 /* before a read is asked again, if nothing else is said */ };

struct execution {
    const struct exchange_means *means;
    struct execution_request request;
    struct execution_handlers handlers;
    size_t step; /* the one at work */
    str base_url;
    struct pages pages;
    struct exchange *exchange;
    struct loop_timer retry;
    struct charge charge;
    bool is_unchanged; /* what was kept still holds */
    int retries;       /* of the page at hand */
    int64_t rest_ms;   /* what the last answer asks for */
    int64_t sent_ms;   /* the request at hand */
    bool is_under_way; /* a request of it was answered */
    bool is_starting;  /* inside execution_start(): the caller has no pointer yet */
    bool is_over;
};

static void execution_free(struct execution *execution)
{
    loop_timer_clear(execution->means->loop, &execution->retry);
    pages_done(&execution->pages);
    json_unref(execution->request.scope);
    json_unref(execution->request.steps);
    free(execution);
}

static void finish(struct execution *execution, const struct outcome *outcome, json output)
{
    const struct execution_handlers handlers = execution->handlers;
    CLEANUP(json_unrefp) json scope          = json_ref(execution->request.scope);
    const struct charge charge               = execution->charge; /* its texts are the arena's */
    const struct execution_result result     = {.outcome      = *outcome,
                                                .output       = output,
                                                .is_unchanged = execution->is_unchanged,
                                                .scope        = scope,
                                                .usage        = charge_sum(&charge)};
    execution->is_over                       = true;
    if (!execution->is_starting) execution_free(execution);
    handlers.done(&result, handlers.context);
}

static const struct manifest_step *step_of(const struct execution *execution)
{
    return &execution->request.action->steps[execution->step];
}

static int64_t now_us(const struct execution *execution)
{
    return scope_now_us(execution->request.scope);
}

static void fail_answer(struct execution *execution, const char *why)
{
    struct outcome outcome = {};
    outcome_of_failure(execution->request.action, true, why, &outcome);
    finish(execution, &outcome, json_invalid());
}

static void next_step(struct execution *execution);
static void send(struct execution *execution);

/* --- what there is to show -------------------------------------------------------------------- */

/* What an action promises of its output and does not hold is no readable answer. */
static bool is_as_promised(struct execution *execution, json output, struct error *reterr)
{
    const struct execution_request *request = &execution->request;
    return execution->is_unchanged ||
           scope_check_output(request->action, output, request->arena, reterr) == STATUS_OK;
}

static void finish_whole(struct execution *execution, json output)
{
    struct error error = {};
    if (!is_as_promised(execution, output, &error)) {
        fail_answer(execution, error.text);
        return;
    }
    struct outcome outcome = {.is_write = execution->request.action->effect != EFFECT_READ,
                              .wait_ms  = execution->rest_ms};
    int64_t http_status    = 0;
    json response          = json_get_text(execution->request.scope, "response");
    (void)json_to_int(json_get_text(response, "status"), &http_status);
    outcome.http_status = (int)http_status;
    finish(execution, &outcome, output);
}

static status eval(struct execution *execution, const struct formula *formula, json *ret_output,
                   struct error *reterr)
{
    struct error error = {};
    status code =
        formula_eval(formula, execution->request.scope, now_us(execution), ret_output, &error);
    if (code == STATUS_OK) return code;
    return fail(reterr, code, "`output` of the answer: %s", error.text);
}

/* A page of an action with one request. */
static void take_page(struct execution *execution)
{
    json output        = json_invalid();
    bool has_more      = false;
    struct error error = {};
    status code        = eval(execution, execution->request.action->output, &output, &error);
    if (code == STATUS_OK) {
        code = pages_add(&execution->pages, execution->request.scope, output, &has_more, &error);
    }
    if (code == STATUS_OUT_OF_RANGE) {
        struct outcome outcome = {};
        outcome_of_refusal(execution->request.action, STATUS_FAILED_PRECONDITION, error.text,
                           &outcome);
        finish(execution, &outcome, json_invalid());
    } else if (code != STATUS_OK) {
        fail_answer(execution, error.text);
    } else if (has_more) {
        execution->retries = 0;
        send(execution);
    } else {
        CLEANUP(json_unrefp) json whole = json_ref(execution->pages.output);
        finish_whole(execution, whole);
    }
}

/* A step with an id: what it yields is seen by those behind it. */
static void take_step(struct execution *execution)
{
    const struct manifest_step *step = step_of(execution);
    json output                      = json_invalid();
    struct error error               = {};
    if (step->output) {
        if (eval(execution, step->output, &output, &error) != STATUS_OK) {
            fail_answer(execution, error.text);
            return;
        }
    } else {
        json response = json_get_text(execution->request.scope, "response");
        json body     = json_get_text(response, "body");
        output        = json_is(body, JSON_INVALID) ? json_null() : json_ref(body);
    }
    json steps = json_take(&execution->request.steps);
    scope_put(&execution->request.scope, "steps", json_null());
    json_object_put_text(&steps, step->id, output);
    execution->request.steps = steps;
    scope_put(&execution->request.scope, "steps", json_ref(steps));
    execution->step++;
    next_step(execution);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void on_retry(void *context)
{
    send(context);
}

/* True: the same request goes out again. */
static bool try_again(struct execution *execution, const struct outcome *outcome)
{
    int64_t wait_ms = outcome->wait_ms > 0 ? outcome->wait_ms : RETRY_MS;
    bool is_late    = clock_mono_ms() + wait_ms >= execution->request.until_ms;
    if (outcome->is_write || !outcome_is_passing(outcome) || is_late) return false;
    if (wait_ms > EXECUTION_WAIT_MAX_MS || outcome->is_own_limit) return false; /* it has waited */
    if (outcome->class == OUTCOME_THROTTLED && outcome->wait_ms == 0) return false;
    if (execution->retries++ == EXECUTION_RETRIES_MAX) return false;
    struct loop *loop = execution->means->loop;
    loop_timer_set(loop, &execution->retry, loop_now_ms(loop) + wait_ms);
    return true;
}

static void judge_failure(const struct execution *execution, const struct exchange_result *result,
                          struct outcome *ret_outcome)
{
    const struct manifest_action *action = execution->request.action;
    bool is_refused                      = result->code == STATUS_PERMISSION_DENIED ||
                      (!result->was_sent && !status_is_transient(result->code));
    bool is_final =
        result->code == STATUS_RESOURCE_EXHAUSTED || result->code == STATUS_FAILED_PRECONDITION;
    if (result->wait_ms > 0) {
        outcome_of_refusal(action, result->code, result->error.text, ret_outcome);
        ret_outcome->class        = OUTCOME_THROTTLED;
        ret_outcome->is_own_limit = true;
        ret_outcome->wait_ms      = result->wait_ms;
    } else if (is_refused) {
        outcome_of_refusal(action, result->code, result->error.text, ret_outcome);
    } else {
        outcome_of_failure(action, result->was_sent, result->error.text, ret_outcome);
        if (is_final && !ret_outcome->is_write) ret_outcome->class = OUTCOME_FATAL;
    }
}

/* What has left may have changed something, whatever the answer says. */
static void note_write(const struct execution *execution, const struct exchange_result *result,
                       const struct outcome *outcome)
{
    const struct connection *connection = execution->request.connection;
    json host                           = json_get_text(connection->config, "host");
    bool was_sent                       = result->code == STATUS_OK || result->was_sent;
    if (!execution->request.writes || !was_sent) return;
    if (result->method.len > 0 && !writes_are_made_by(result->method)) return;
    const struct written written = {.method = result->method,
                                    .url    = result->url,
                                    .host   = json_is(host, JSON_TEXT) ? json_str(host) : (str){},
                                    .mask   = connection->mask,
                                    .bytes  = result->sent_bytes,
                                    .http_status = outcome->http_status,
                                    .class       = outcome_class_name(outcome->class),
                                    .duration_ms = clock_mono_ms() - execution->sent_ms};
    writes_add(execution->request.writes, &written);
}

static void on_exchange(const struct exchange_result *result, void *context)
{
    struct execution *execution = context;
    struct outcome outcome      = {};
    execution->exchange         = NULL;
    charge_add(&execution->charge, result->usage, execution->request.arena);
    if (result->code == STATUS_OK) {
        scope_put(&execution->request.scope, "response", json_ref(result->response));
        outcome_of_answer(execution->request.action, step_of(execution), execution->request.scope,
                          clock_unix_us(), &outcome);
        execution->is_unchanged = validators_hold(execution->request.validators, result->response);
        if (execution->is_unchanged) outcome.class = OUTCOME_OK;
    } else {
        judge_failure(execution, result, &outcome);
    }
    note_write(execution, result, &outcome);
    if (outcome.wait_ms > 0 && !outcome.is_own_limit) {
        shared_limits_rest(execution->means->limits, execution->request.connection,
                           outcome.wait_ms);
    }
    if (outcome.class != OUTCOME_OK) {
        if (!try_again(execution, &outcome)) finish(execution, &outcome, json_invalid());
        return;
    }
    execution->rest_ms      = outcome.wait_ms;
    execution->is_under_way = true;
    if (execution->is_unchanged) {
        finish_whole(execution, json_null());
        return;
    }
    if (step_of(execution)->id) {
        take_step(execution);
    } else {
        take_page(execution);
    }
}

/* --- requests --------------------------------------------------------------------------------- */

static void on_progress(json progress, void *context)
{
    const struct execution *execution = context;
    execution->handlers.progress(progress, execution->handlers.context);
}

static void send(struct execution *execution)
{
    const struct exchange_handlers handlers = {
        .progress = execution->handlers.progress ? on_progress : NULL,
        .done     = on_exchange,
        .context  = execution};
    const struct exchange_request request = {
        .action          = execution->request.action,
        .step            = step_of(execution),
        .connection      = execution->request.connection,
        .scope           = execution->request.scope,
        .page            = execution->pages.next,
        .base_url        = execution->base_url,
        .namespace       = execution->request.namespace,
        .idempotency_key = execution->request.idempotency_key,
        .traceparent     = execution->request.traceparent,
        .payer           = execution->request.payer,
        .files           = execution->request.files,
        .keep            = execution->request.keep,
        .progress        = execution->request.progress,
        .onlooker        = execution->request.onlooker,
        .respondent      = execution->request.respondent,
        .validators      = execution->request.validators,
        .until_ms        = execution->request.until_ms,
        .is_under_way    = execution->is_under_way,
        .arena           = execution->request.arena,
    };
    struct error error = {};
    execution->sent_ms = clock_mono_ms();
    status code =
        exchange_start(execution->means, &request, &handlers, &execution->exchange, &error);
    if (code == STATUS_OK) return;
    struct outcome outcome = {};
    outcome_of_refusal(execution->request.action, code, error.text, &outcome);
    finish(execution, &outcome, json_invalid());
}

static bool is_due(const struct execution *execution, const struct manifest_step *step)
{
    if (step->id && json_get_text(execution->request.steps, step->id).kind != JSON_INVALID) {
        return false; /* an earlier attempt finished it */
    }
    return !step->condition ||
           formula_test(step->condition, execution->request.scope, now_us(execution));
}

/* All steps are done: the output is made of them. */
static void finish_steps(struct execution *execution)
{
    CLEANUP(json_unrefp) json output = json_invalid();
    struct error error               = {};
    if (eval(execution, execution->request.action->output, &output, &error) == STATUS_OK) {
        finish_whole(execution, output);
    } else {
        fail_answer(execution, error.text);
    }
}

static void next_step(struct execution *execution)
{
    const struct manifest_action *action = execution->request.action;
    while (execution->step < action->step_count && !is_due(execution, step_of(execution))) {
        execution->step++;
    }
    if (execution->step == action->step_count) {
        finish_steps(execution);
        return;
    }
    const struct execution_handlers *handlers = &execution->handlers;
    execution->retries                        = 0;
    if (handlers->sending &&
        handlers->sending(step_of(execution)->id, execution->request.steps, handlers->context)) {
        return;
    }
    send(execution);
}

void execution_go_on(struct execution *execution)
{
    send(execution);
}

/* --- life ------------------------------------------------------------------------------------- */

static status prepare(struct execution *execution, struct error *reterr)
{
    struct execution_request *request = &execution->request;
    /* Without one, what needs it is refused where it is rendered. */
    (void)!base_url_of(request->action->manifest, request->scope, request->connection->name,
                       request->arena, &execution->base_url, NULL);
    return pages_init(request->action, request->scope, execution->base_url, request->arena,
                      &execution->pages, reterr);
}

struct execution *execution_start(const struct exchange_means *means,
                                  const struct execution_request *request,
                                  const struct execution_handlers *handlers)
{
    struct execution *execution = mem_new(1, sizeof *execution);
    struct outcome outcome      = {};
    struct error error          = {};
    execution->means            = means;
    execution->request          = *request;
    execution->handlers         = *handlers;
    execution->retry            = (struct loop_timer){.fire = on_retry, .context = execution};
    execution->is_starting      = true;
    if (!json_is(execution->request.steps, JSON_OBJECT)) {
        json_unref(execution->request.steps);
        execution->request.steps = json_object_new(0);
    }
    scope_put(&execution->request.scope, "steps", json_ref(execution->request.steps));
    status code = prepare(execution, &error);
    if (code == STATUS_OK) {
        next_step(execution);
    } else {
        outcome_of_refusal(request->action, code, error.text, &outcome);
        finish(execution, &outcome, json_invalid());
    }
    execution->is_starting = false;
    if (!execution->is_over) return execution;
    execution_free(execution);
    return NULL;
}

void execution_cancel(struct execution *execution)
{
    const struct outcome unheard = {.class = OUTCOME_UNKNOWN};
    if (!execution) return;
    if (execution->exchange) {
        const struct exchange_result sent = exchange_sent(execution->exchange);
        note_write(execution, &sent, &unheard);
    }
    exchange_cancel(execution->exchange);
    execution_free(execution);
}
