#include "tool-adapter/call/tool_call_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "tool-adapter/call/call_key.h"
#include "tool-adapter/call/personal.h"
#include "tool-adapter/connections/validators.h"
#include "json/json_text.h"

#include <stdlib.h>

/* --- checkpoints ------------------------------------------------------------------------------ */

/* Takes `checkpoint`. False: nobody keeps it, or it is too large. */
static bool keep(struct tool_call *call, json checkpoint)
{
    json_unref(call->checkpoint);
    call->checkpoint = checkpoint;
    if (!call->handlers.keep) return false;
    call->is_keeping = true;
    CLEANUP(json_unrefp)
    json masked = json_mask_apply(call->request.tool.connection->mask, checkpoint);
    call->handlers.keep(masked, call->handlers.context);
    return true;
}

/* --- other actions of the manifest ------------------------------------------------------------ */

static void on_executed(const struct execution_result *result, void *context);

static bool on_sending(const char *step, json steps, void *context)
{
    struct tool_call *call = context;
    bool marks             = once_marks_sending(tool_call_action(call), call->scope);
    if (!marks && json_count(steps) == 0) return false;
    return keep(call, once_sending_new(call->checkpoint, step, steps, marks));
}

/* How far a read has come. One checkpoint at a time: what comes meanwhile comes again later. */
static void on_progress(json progress, void *context)
{
    struct tool_call *call = context;
    if (call->is_keeping) {
        json_unref(progress);
        return;
    }
    call->is_hint = keep(call, once_progress_new(call->checkpoint, progress));
}

/* What has but one request, and changes nothing: else a checkpoint would be in the way of others.
 */
static bool has_progress(const struct tool_call *call, enum stage stage)
{
    const struct manifest_action *action = tool_call_action(call);
    bool is_one                          = action->step_count == 1 && !action->steps[0].id;
    return stage == STAGE_CHANGE && action->effect == EFFECT_READ && is_one && call->handlers.keep;
}

static void execute(struct tool_call *call, enum stage stage, const struct manifest_action *action,
                    json scope)
{
    const struct execution_handlers handlers = {
        .sending  = stage == STAGE_CHANGE && call->handlers.keep ? on_sending : NULL,
        .progress = has_progress(call, stage) ? on_progress : NULL,
        .done     = on_executed,
        .context  = call};
    bool notes = action->effect != EFFECT_READ;
    json steps = json_invalid();
    if (stage == STAGE_CHANGE) steps = json_ref(json_get_text(call->checkpoint, "steps"));
    const struct file_keep *kept           = stage == STAGE_CHANGE ? &call->keep : NULL;
    bool is_shown                          = stage == STAGE_CHANGE;
    const struct execution_request request = {
        .action          = action,
        .connection      = call->request.tool.connection,
        .scope           = scope,
        .steps           = steps,
        .namespace       = call->request.namespace,
        .idempotency_key = call->request.idempotency_key,
        .traceparent     = call->request.traceparent,
        .payer           = call->request.payer,
        .files           = call->files,
        .keep            = call->keeps_file ? kept : NULL,
        .progress        = json_get_text(call->checkpoint, "progress"),
        .onlooker        = is_shown ? call->request.onlooker : NULL,
        .respondent      = is_shown ? call->request.respondent : NULL,
        .validators      = call->old_validators,
        .until_ms        = call->request.until_ms,
        .arena           = call->arena,
        .writes          = notes ? &call->writes : NULL};
    call->stage                 = stage;
    call->execution             = NULL;
    struct execution *under_way = execution_start(call->means, &request, &handlers);
    if (under_way) call->execution = under_way; /* else the call may be gone */
}

/* A read that the manifest names, with parameters by the call's scope. */
static void execute_read(struct tool_call *call, enum stage stage, const struct action_call *read)
{
    CLEANUP(json_unrefp) json with     = json_invalid();
    const struct secret_source secrets = connection_secrets(call->request.tool.connection);
    json scope                         = json_invalid();
    struct error error                 = {};
    status code                        = STATUS_OK;
    if (read->with) {
        code = formula_eval(read->with, call->scope, scope_now_us(call->scope), &with, &error);
    }
    const struct scope_options options = {.config          = call->request.tool.connection->config,
                                          .params          = with,
                                          .idempotency_key = call->request.idempotency_key,
                                          .created_us      = call->request.created_us,
                                          .secrets         = &secrets,
                                          .arena           = call->arena};
    if (code == STATUS_OK) code = scope_new(read->action, &options, &scope, &error);
    if (code != STATUS_OK) {
        tool_call_end_refused(call, code, error.text);
    } else {
        execute(call, stage, read->action, scope);
    }
}

/* Whoever only wants to know hears whether something may have been done. */
static void end_without_change(struct tool_call *call)
{
    if (call->is_open) {
        tool_call_end_unknown(call, "an earlier attempt may have done it, and nothing tells", 0,
                              false);
    } else {
        tool_call_end_undone(call);
    }
}

static void change(struct tool_call *call)
{
    ASSERT(!call->request.settles);
    execute(call, STAGE_CHANGE, tool_call_action(call), json_ref(call->scope));
}

/* Says whether something is to be read before the change that was not read yet. */
static bool wants_before(const struct tool_call *call)
{
    const struct manifest_action *action = tool_call_action(call);
    const struct formula *condition      = action->before.condition;
    bool is_known = !json_is(json_get_text(call->checkpoint, "before"), JSON_INVALID);
    if (!action->has_before || is_known) return false;
    return !condition || formula_test(condition, call->scope, scope_now_us(call->scope));
}

/* Nothing was done before, or doing it again does no harm. */
static void begin_change(struct tool_call *call)
{
    if (call->request.settles) {
        end_without_change(call);
    } else if (wants_before(call)) {
        execute_read(call, STAGE_BEFORE, &tool_call_action(call)->before);
    } else {
        change(call);
    }
}

/* --- what an earlier attempt may have done ---------------------------------------------------- */

static void look_up(struct tool_call *call)
{
    const struct action_calls *lookups = &tool_call_action(call)->idempotency.lookup;
    for (size_t i = 0; i < lookups->count; i++) {
        const struct action_call *one = &lookups->items[i];
        if (one->condition &&
            !formula_test(one->condition, call->scope, scope_now_us(call->scope))) {
            continue;
        }
        call->lookup = one;
        execute_read(call, STAGE_LOOKUP, one);
        return;
    }
    tool_call_end_unknown(call, "nothing can be looked up for it", 0, false);
}

static void take_lookup(struct tool_call *call, const struct execution_result *result)
{
    CLEANUP(json_unrefp) json found = json_invalid();
    CLEANUP(json_unrefp) json scope = json_ref(call->scope);
    struct error error              = {};
    scope_put(&scope, "output", json_ref(result->output));
    if (formula_eval(call->lookup->found, scope, scope_now_us(scope), &found, &error) !=
        STATUS_OK) {
        tool_call_end_unknown(call, error.text, 0, false);
    } else if (!json_is(found, JSON_NULL)) {
        tool_call_end_done(call, found, result->outcome.http_status, 0);
    } else {
        call->is_open = false; /* it is not there */
        begin_change(call);
    }
}

static void take_current(struct tool_call *call, const struct execution_result *result)
{
    const struct idempotency *given  = &tool_call_action(call)->idempotency;
    CLEANUP(json_unrefp) json output = json_invalid();
    struct error error               = {};
    scope_put(&call->scope, "current", json_ref(result->output));
    if (!formula_test(given->skip_when, call->scope, scope_now_us(call->scope))) {
        call->is_open = false;
        begin_change(call); /* it has what `before` held */
    } else if (formula_eval(given->output, call->scope, scope_now_us(call->scope), &output,
                            &error) != STATUS_OK) {
        tool_call_end_unknown(call, error.text, 0, false);
    } else {
        tool_call_end_done(call, output, result->outcome.http_status, 0);
    }
}

/* What is there now is kept before anything changes. */
static void take_before(struct tool_call *call, const struct execution_result *result)
{
    scope_put(&call->scope, "before", json_ref(result->output));
    scope_put(&call->scope, "current", json_ref(result->output));
    if (!keep(call, once_before_new(call->checkpoint, result->output))) change(call);
}

/* The change itself; its scope has what its answer has added. */
static void take_change(struct tool_call *call, const struct execution_result *result)
{
    call->is_unchanged = result->is_unchanged;
    if (call->is_unchanged) {
        tool_call_end_done(call, call->old, result->outcome.http_status, result->outcome.wait_ms);
        return;
    }
    if (call->is_cached && validators_apply(tool_call_action(call))) {
        call->validators = validators_new(json_get_text(result->scope, "response"));
    }
    json_unref(call->scope);
    call->scope = json_ref(result->scope);
    tool_call_end_done(call, result->output, result->outcome.http_status, result->outcome.wait_ms);
}

/* A view: the content of an answer of MCP that calls itself an error. */
static json said_by_tool(const struct tool_call *call, json scope)
{
    const struct manifest_action *action = tool_call_action(call);
    json body                            = json_get_text(json_get_text(scope, "response"), "body");
    bool is_said                         = action->steps[0].request.kind == REQUEST_MCP &&
                   json_is_truthy(json_get_text(body, "isError"));
    return is_said ? json_get_text(body, "content") : json_invalid();
}

static void on_executed(const struct execution_result *result, void *context)
{
    struct tool_call *call        = context;
    const struct outcome *outcome = &result->outcome;
    bool is_fine                  = outcome->class == OUTCOME_OK;
    json steps                    = json_get_text(call->checkpoint, "steps");
    call->execution               = NULL;
    charge_add(&call->charge, result->usage, call->arena);
    switch (call->stage) {
    case STAGE_BEFORE:
        if (is_fine) return take_before(call, result);
        break;
    case STAGE_CURRENT:
        if (is_fine) return take_current(call, result);
        if (outcome->is_own_limit) break;
        return tool_call_end_unknown(call, outcome->detail, outcome->http_status,
                                     outcome_is_passing(outcome));
    case STAGE_LOOKUP:
        if (is_fine) return take_lookup(call, result);
        if (outcome->is_own_limit) break;
        return tool_call_end_unknown(call, outcome->detail, outcome->http_status,
                                     outcome_is_passing(outcome));
    case STAGE_CHANGE:
        if (is_fine) return take_change(call, result);
        steps                = json_get_text(result->scope, "steps");
        call->failed_content = said_by_tool(call, result->scope);
        break;
    }
    tool_call_end_failed(call, outcome, steps);
}

/* --- the beginning ---------------------------------------------------------------------------- */

static void begin(struct tool_call *call)
{
    json before = json_get_text(call->checkpoint, "before");
    if (!json_is(before, JSON_INVALID)) scope_put(&call->scope, "before", json_ref(before));
    const struct once_case known = tool_call_once_case(call);
    call->is_open                = once_is_open(&known);
    switch (once_decide(&known)) {
    case ONCE_SEND: begin_change(call); break;
    case ONCE_COMPARE: execute_read(call, STAGE_CURRENT, &tool_call_action(call)->before); break;
    case ONCE_LOOK_UP: look_up(call); break;
    case ONCE_REFUSE:
        tool_call_end_unknown(call, "an earlier attempt may have done it, and nothing tells", 0,
                              false);
        break;
    }
}

/* The equal call takes longer than this one may. */
static void on_patience(void *context)
{
    struct tool_call *call = context;
    call_cache_leave(call->means->cache, &call->flight);
    tool_call_end_refused(call, STATUS_DEADLINE_EXCEEDED, "an equal call under way took too long");
}

static void on_landed(json output, void *context)
{
    struct tool_call *call = context;
    loop_timer_clear(call->means->loop, &call->patience);
    if (json_is(output, JSON_INVALID)) {
        begin(call);
    } else {
        tool_call_end_done(call, output, 0, 0);
    }
}

/* An output that is there already, or that an equal call is about to bring; else its own. */
static void begin_read(struct tool_call *call)
{
    CLEANUP(json_unrefp) json known = json_invalid();
    struct error error              = {};
    status code = call_key_make(&call->request.tool, call->scope, &call->key, &error);
    if (code != STATUS_OK) {
        tool_call_end_refused(call, code, error.text);
        return;
    }
    call->is_cached = true;
    call->flight    = (struct passenger){.landed = on_landed, .context = call};
    known           = call_cache_find(call->means->cache, &call->key, clock_mono_ms());
    if (!json_is(known, JSON_INVALID)) {
        tool_call_end_done(call, known, 0, 0);
    } else if (call_cache_board(call->means->cache, &call->key, &call->flight)) {
        call->old = call_cache_old(call->means->cache, &call->key, &call->old_validators);
        begin(call);
    } else {
        struct loop *loop = call->means->loop;
        int64_t left_ms   = call->request.until_ms - clock_mono_ms();
        call->patience    = (struct loop_timer){.fire = on_patience, .context = call};
        loop_timer_set(loop, &call->patience, loop_now_ms(loop) + left_ms);
    }
}

/* A file that was stored is this caller's, and may be deleted any time. */
static bool is_kept(const struct tool_call *call)
{
    const struct manifest_action *action = tool_call_action(call);
    bool is_for_all                      = action->effect == EFFECT_READ && !call->keeps_file;
    return call->means->cache && is_for_all && action->cache_ms > 0;
}

static status prepare(struct tool_call *call, struct error *reterr)
{
    const struct connection *connection = call->request.tool.connection;
    const struct secret_source secrets  = connection_secrets(connection);
    CLEANUP(json_unrefp) json params    = json_invalid();
    TRY(personal_apply(&connection->personal, tool_call_action(call), call->params, &params,
                       reterr));
    TRY(file_arguments_look(tool_call_action(call), params, file_desk_types(call->means->files),
                            reterr));
    TRY(file_arguments_keep(tool_call_action(call), call->params, clock_unix_us(),
                            &call->keeps_file, &call->keep, reterr));
    const struct scope_options options = {.config          = connection->config,
                                          .params          = params,
                                          .idempotency_key = call->request.idempotency_key,
                                          .created_us      = call->request.created_us,
                                          .secrets         = &secrets,
                                          .arena           = call->arena};
    return scope_new(tool_call_action(call), &options, &call->scope, reterr);
}

/* All that it is made of is there. */
static void set_out(struct tool_call *call)
{
    if (is_kept(call)) {
        begin_read(call);
    } else {
        begin(call);
    }
}

/* Its files are there. */
static void go(struct tool_call *call)
{
    struct error error = {};
    status code        = prepare(call, &error);
    if (code == STATUS_OK && !tool_call_wants_vectors(call)) {
        set_out(call);
        return;
    }
    if (code == STATUS_OK) code = tool_call_embed(call, set_out, &error);
    if (code != STATUS_OK) tool_call_end_refused(call, code, error.text);
}

struct tool_call *tool_call_start(const struct exchange_means *means,
                                  const struct tool_call_request *request,
                                  const struct tool_call_handlers *handlers)
{
    struct tool_call *call = mem_new(1, sizeof *call);
    struct error error     = {};
    call->means            = means;
    call->request          = *request;
    call->handlers         = *handlers;
    call->arena            = arena_new(TOOL_CALL_ARENA_MAX);
    call->writes.arena     = call->arena;
    call->params           = json_ref(request->params);
    call->checkpoint       = json_ref(request->checkpoint);
    call->steps_kept       = json_count(json_get_text(call->checkpoint, "steps"));
    call->is_starting      = true;
    status code            = tool_call_fetch_files(call, go, &error);
    if (code != STATUS_OK) {
        tool_call_end_refused(call, code, error.text);
    } else if (!call->files) {
        go(call);
    }
    call->is_starting = false;
    if (!call->is_over) return call;
    tool_call_free(call);
    return NULL;
}

/* What was done since is known to nobody then, nor would it be the next time if there is no room.
 */
static void give_up(struct tool_call *call, status code)
{
    struct execution *waiting = call->execution;
    call->execution           = NULL;
    execution_cancel(waiting);
    if (code == STATUS_RESOURCE_EXHAUSTED) {
        tool_call_end_refused(call, STATUS_FAILED_PRECONDITION,
                              "what has to be kept of how far it has come is too large");
    } else {
        tool_call_end_refused(call, STATUS_UNAVAILABLE,
                              "the scheduler could not keep how far it has come");
    }
}

void tool_call_kept(struct tool_call *call, status code)
{
    ASSERT(call->is_keeping);
    call->is_keeping = false;
    if (call->is_hint) {
        call->is_hint = false;
        log_write(LOG_DEBUG, "tool.progress", LOG_TEXT_OF("action", tool_call_action(call)->name),
                  LOG_TEXT_OF("kept", code == STATUS_OK ? "yes" : "no"));
        return;
    }
    if (code != STATUS_OK) {
        give_up(call, code);
        return;
    }
    call->steps_kept = json_count(json_get_text(call->checkpoint, "steps"));
    if (call->stage == STAGE_CHANGE) {
        execution_go_on(call->execution);
    } else {
        change(call);
    }
}

struct writes *tool_call_stop(struct tool_call *call)
{
    execution_cancel(call->execution);
    embed_params_cancel(call->embedding);
    call->execution = NULL;
    call->embedding = NULL;
    tool_call_name_writes(call);
    return &call->writes;
}

void tool_call_cancel(struct tool_call *call)
{
    if (!call) return;
    (void)tool_call_stop(call);
    if (call->is_cached) call_cache_leave(call->means->cache, &call->flight);
    tool_call_free(call);
}
