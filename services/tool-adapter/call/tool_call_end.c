#include "tool-adapter/call/tool_call_internal.h"

#include "base/clock.h"
#include "tool-adapter/call/undo_list.h"
#include "workflow/errors.h"
#include "json/json_text.h"

#include <stdlib.h>

enum {
    PARAMS_MAX  = 16 << 20, /* bytes */
    CONTENT_MAX = 64 << 10,
};

void tool_call_free(struct tool_call *call)
{
    loop_timer_clear(call->means->loop, &call->patience);
    json_unref(call->params);
    json_unref(call->scope);
    json_unref(call->checkpoint);
    json_unref(call->old);
    json_unref(call->old_validators);
    json_unref(call->validators);
    file_set_freep(&call->files);
    arena_free(call->arena);
    free(call);
}

/* --- outputs that are kept -------------------------------------------------------------------- */

static void land(struct tool_call *call, enum outcome_class class, json output)
{
    struct call_cache *cache = call->means->cache;
    bool is_fine             = class == OUTCOME_OK;
    if (!call->flight.flight) return; /* it was there, or came with another's */
    int64_t until_ms = clock_mono_ms() + call->request.tool.action->cache_ms;
    if (is_fine && call->is_unchanged) {
        call_cache_renew(cache, &call->key, output, call->old_validators, until_ms);
    } else if (is_fine) {
        call_cache_put(cache, &call->key, output, call->validators, until_ms);
    }
    call_cache_land(cache, &call->flight, is_fine ? output : json_invalid());
}

/* The audit log tells calls with equal parameters from others, and not what they were. */
void tool_call_name_writes(struct tool_call *call)
{
    const struct tool *tool              = &call->request.tool;
    const struct manifest_action *action = tool->action;
    CLEANUP(buf_done) struct buf params  = buf_init(PARAMS_MAX);
    CLEANUP(json_unrefp) json masked     = json_invalid();
    if (call->writes.count == 0) return;
    if (!json_is(call->params, JSON_INVALID)) {
        masked = json_mask_apply(tool->connection->mask, call->params);
        (void)json_print(masked, JSON_COMPACT, &params);
    }
    const struct writes_of of = {
        .function   = arena_printf(call->arena, "%s.%s", action->manifest->name, action->name),
        .connection = tool->connection->name,
        .params     = buf_str(&params),
        .key        = call->means->audit_key};
    writes_name(&call->writes, &of);
}

static void finish(struct tool_call *call, struct tool_call_result *result)
{
    const struct tool_call_handlers handlers = call->handlers;
    const struct json_mask *mask             = call->request.tool.connection->mask;
    CLEANUP(json_unrefp) json value          = json_mask_apply(mask, result->value);
    CLEANUP(json_unrefp) json undo           = json_invalid();
    if (!json_is(result->undo, JSON_INVALID)) undo = json_mask_apply(mask, result->undo);
    result->value = value;
    result->undo  = undo;
    if (call->is_cached) land(call, result->class, value);
    result->usage = charge_sum(&call->charge);
    tool_call_name_writes(call);
    result->writes = &call->writes;
    call->is_over  = true;
    handlers.done(result, handlers.context);
    if (!call->is_starting) tool_call_free(call);
}

struct once_case tool_call_once_case(const struct tool_call *call)
{
    return (struct once_case){.action     = tool_call_action(call),
                              .scope      = call->scope,
                              .checkpoint = call->checkpoint,
                              .previous   = call->request.previous,
                              .is_asked   = call->request.is_asked,
                              .created_us = call->request.created_us,
                              .now_us     = clock_unix_us()};
}

/* --- what is done of it ----------------------------------------------------------------------- */

/* What undoes the `steps` that are done; owned, JSON_INVALID: nothing. */
static json undo_part(const struct tool_call *call, json steps, bool is_doubtful,
                      bool *ret_is_whole)
{
    const struct tool *tool         = &call->request.tool;
    json before                     = json_get_text(call->checkpoint, "before");
    CLEANUP(json_unrefp) json scope = json_ref(call->scope);
    *ret_is_whole                   = false;
    if (!json_is(scope, JSON_OBJECT) || tool->action->effect == EFFECT_READ) return json_invalid();
    if (json_is(json_get_text(scope, "before"), JSON_INVALID) && !json_is(before, JSON_INVALID)) {
        scope_put(&scope, "before", json_ref(before));
    }
    json done = json_is(steps, JSON_OBJECT) ? json_ref(steps) : json_object_new(0);
    scope_put(&scope, "steps", done);
    return undo_list_part_new(tool->action, tool->connection, scope, is_doubtful, ret_is_whole);
}

static json steps_kept(const struct tool_call *call)
{
    return json_get_text(call->checkpoint, "steps");
}

/* --- ends ------------------------------------------------------------------------------------- */

static void finish_unknown(struct tool_call *call, const char *why, json steps, int http_status,
                           bool is_transient)
{
    const struct once_case known   = tool_call_once_case(call);
    bool is_whole                  = false;
    CLEANUP(json_unrefp) json said = outcome_unknown_new(tool_call_action(call), why);
    CLEANUP(json_unrefp) json undo = undo_part(call, steps, true, &is_whole);
    struct tool_call_result result = {.class         = OUTCOME_UNKNOWN,
                                      .value         = said,
                                      .undo          = undo,
                                      .is_undo_whole = is_whole,
                                      .http_status   = http_status,
                                      .is_transient  = is_transient && once_may_repeat(&known),
                                      .is_unknown    = true,
                                      .is_ill        = true};
    finish(call, &result);
}

void tool_call_end_unknown(struct tool_call *call, const char *why, int http_status,
                           bool is_transient)
{
    finish_unknown(call, why, steps_kept(call), http_status, is_transient);
}

static void finish_half(struct tool_call *call, const struct outcome *outcome, json steps);

void tool_call_end_undone(struct tool_call *call)
{
    static const struct outcome stopped = {.class  = OUTCOME_UNKNOWN,
                                           .detail = "it did not come to its end"};
    if (once_has_changed(tool_call_action(call), steps_kept(call))) {
        finish_half(call, &stopped, steps_kept(call));
        return;
    }
    CLEANUP(json_unrefp)
    json said = error_new(ERROR_COMMUNICATION, 0, str_from("no attempt has done it"), (str){});
    struct tool_call_result result = {
        .class = OUTCOME_NOT_FOUND, .value = said, .undo = json_invalid(), .is_nothing_done = true};
    finish(call, &result);
}

/* Some of its steps are done, and it does not go on behind them. A later attempt would, if somebody
 * wants one: unless it knows nothing of them. */
static void finish_half(struct tool_call *call, const struct outcome *outcome, json steps)
{
    const struct once_case known   = tool_call_once_case(call);
    bool is_kept                   = call->handlers.keep && json_count(steps) <= call->steps_kept;
    bool is_whole                  = false;
    CLEANUP(json_unrefp) json said = outcome_half_new(outcome, tool_call_action(call), steps);
    CLEANUP(json_unrefp) json undo = undo_part(call, steps, false, &is_whole);
    struct tool_call_result result = {.class         = OUTCOME_UNKNOWN,
                                      .value         = said,
                                      .undo          = undo,
                                      .is_undo_whole = is_whole && json_count(undo) > 0,
                                      .http_status   = outcome->http_status,
                                      .is_transient =
                                          outcome_is_passing(outcome) && once_may_repeat(&known),
                                      .is_unknown = !is_kept,
                                      .is_ill     = outcome->class == OUTCOME_TRANSIENT};
    finish(call, &result);
}

/* What a tool of MCP says of its failure stands in the error as it is, if it is not too much. */
static void keep_content(const struct tool_call *call, json *error)
{
    json content                      = call->failed_content;
    CLEANUP(buf_done) struct buf size = buf_init(CONTENT_MAX);
    bool is_kept = json_is(content, JSON_ARRAY) && json_print(content, JSON_COMPACT, &size);
    if (is_kept) json_object_put_text(error, "content", json_ref(content));
}

/* `steps` are those that are done, by this attempt or earlier ones, of this call's own change. */
void tool_call_end_failed(struct tool_call *call, const struct outcome *outcome, json steps)
{
    bool is_doubtful = outcome_is_passing(outcome) && call->is_open && !outcome->is_own_limit;
    bool goes_on =
        outcome_is_passing(outcome) && call->handlers.keep; /* behind the steps that are done */
    if (outcome->class == OUTCOME_UNKNOWN || is_doubtful) {
        finish_unknown(call, outcome->detail, steps, outcome->http_status, true);
        return;
    }
    if (json_count(steps) > call->steps_kept) goes_on = false;
    if (!goes_on && once_has_changed(tool_call_action(call), steps)) {
        finish_half(call, outcome, steps);
        return;
    }
    bool is_whole                   = false;
    CLEANUP(json_unrefp) json error = outcome_error_new(outcome, tool_call_action(call));
    keep_content(call, &error);
    CLEANUP(json_unrefp) json undo = undo_part(call, steps, false, &is_whole);
    struct tool_call_result result = {.class         = outcome->class,
                                      .value         = error,
                                      .undo          = undo,
                                      .is_undo_whole = is_whole && json_count(undo) > 0,
                                      .http_status   = outcome->http_status,
                                      .is_transient  = outcome_is_passing(outcome),
                                      .is_ill        = outcome->class == OUTCOME_TRANSIENT,
                                      .is_own_limit  = outcome->is_own_limit,
                                      .wait_ms       = outcome->wait_ms};
    finish(call, &result);
}

void tool_call_end_refused(struct tool_call *call, status code, const char *why)
{
    struct outcome outcome = {};
    outcome_of_refusal(tool_call_action(call), code, why, &outcome);
    tool_call_end_failed(call, &outcome, json_get_text(call->checkpoint, "steps"));
}

/* It is done, by this attempt or an earlier one. */
void tool_call_end_done(struct tool_call *call, json output, int http_status, int64_t wait_ms)
{
    json kept = steps_kept(call);
    if (json_is(json_get_text(call->scope, "steps"), JSON_INVALID) && json_is(kept, JSON_OBJECT)) {
        scope_put(&call->scope, "steps", json_ref(kept));
    }
    scope_put(&call->scope, "output", json_ref(output));
    CLEANUP(json_unrefp)
    json undo = undo_list_new(tool_call_action(call), call->request.tool.connection, call->scope);
    struct tool_call_result result = {.class       = OUTCOME_OK,
                                      .value       = output,
                                      .undo        = undo,
                                      .http_status = http_status,
                                      .wait_ms     = wait_ms};
    finish(call, &result);
}
