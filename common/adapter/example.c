#include "adapter/example.h"

#include "base/assert.h"
#include "base/attr.h"
#include "json/json_text.h"

static const int64_t created_us = 1'767'225'600'000'000; /* 2026-01-01: any will do, always this */

static status find_hidden(const char *, str *ret_value, struct error *, void *)
{
    *ret_value = str_from("***");
    return STATUS_OK;
}

const struct secret_source example_secrets = {.find = find_hidden};

status example_scope(const struct manifest_action *action, json params, struct arena *arena,
                     json *ret_scope, struct error *reterr)
{
    static const char *const members[] = {"before", "steps", "response", "output"};
    bool is_own                        = !json_is(params, JSON_INVALID);
    const struct scope_options options = {
        .params          = is_own ? params : json_get_text(action->example, "params"),
        .idempotency_key = str_from("run/task/1/1"),
        .created_us      = created_us,
        .secrets         = &example_secrets,
        .arena           = arena,
    };
    json scope = json_invalid();
    TRY(scope_new(action, &options, &scope, reterr));
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        json value = json_get_text(action->example, members[i]);
        if (json_is(value, JSON_INVALID)) continue;
        scope_put(&scope, members[i], json_ref(value));
    }
    json before = json_get_text(action->example, "before");
    if (!json_is(before, JSON_INVALID)) scope_put(&scope, "current", json_ref(before));
    *ret_scope = scope;
    return STATUS_OK;
}

/* --- requests --------------------------------------------------------------------------------- */

static json headers_new(const struct outgoing *outgoing)
{
    json headers = json_object_new(outgoing->header_count);
    for (size_t i = 0; i < outgoing->header_count; i++) {
        json_object_put(&headers, outgoing->headers[i].name,
                        json_text_lossy(outgoing->headers[i].value));
    }
    return headers;
}

/* The body as JSON where it is JSON, else as text; the name of a file where it is one. */
static json body_new(const struct outgoing *outgoing)
{
    json body = json_invalid();
    if (outgoing->blob) {
        json blob = json_object_new(1);
        json_object_put_text(&blob, "$param", json_text_from(outgoing->blob));
        return blob;
    }
    struct error ignored = {};
    if (json_parse(outgoing->body, NULL, &body, NULL, &ignored) == STATUS_OK) return body;
    return json_text_lossy(outgoing->body);
}

static json request_new(const struct manifest_step *step, const struct outgoing *outgoing)
{
    json request = json_object_new(5);
    if (step->id) json_object_put_text(&request, "step", json_text_from(step->id));
    json_object_put_text(&request, "method", json_text_from(outgoing->method));
    json_object_put_text(&request, "url", json_text_lossy(outgoing->url));
    json_object_put_text(&request, "headers", headers_new(outgoing));
    if (outgoing->body.len > 0 || outgoing->blob) {
        json_object_put_text(&request, "body", body_new(outgoing));
    }
    return request;
}

static status play_requests(const struct manifest_action *action, json scope, struct arena *arena,
                            json *ret_requests, struct error *reterr)
{
    CLEANUP(json_unrefp) json requests = json_array_new(action->step_count);
    for (size_t i = 0; i < action->step_count; i++) {
        const struct manifest_step *step = &action->steps[i];
        struct outgoing *outgoing        = arena_alloc(arena, sizeof *outgoing);
        ASSERT(outgoing != NULL);
        bool is_http = step->request.kind == REQUEST_HTTP || step->request.kind == REQUEST_GRAPHQL;
        if (!is_http) continue;
        if (step->condition && !formula_test(step->condition, scope, created_us)) continue;
        const struct outgoing_source source = {.action  = action,
                                               .step    = step,
                                               .scope   = scope,
                                               .secrets = &example_secrets,
                                               .arena   = arena};
        TRY(outgoing_render(&source, outgoing, reterr));
        json_array_push(&requests, request_new(step, outgoing));
    }
    *ret_requests = json_take(&requests);
    return STATUS_OK;
}

/* --- what follows ----------------------------------------------------------------------------- */

/* Sets `output` of the scope if the example says enough for it. */
static status play_output(const struct manifest_action *action, json *scope, struct error *reterr)
{
    bool is_given = !json_is(json_get_text(*scope, "output"), JSON_INVALID);
    bool is_known = !json_is(json_get_text(*scope, "response"), JSON_INVALID) ||
                    !json_is(json_get_text(*scope, "steps"), JSON_INVALID);
    json output      = json_invalid();
    struct error why = {};
    if (is_given || !is_known) return STATUS_OK;
    status code = formula_eval(action->output, *scope, created_us, &output, &why);
    if (code != STATUS_OK) return fail(reterr, code, "`output`: %s", why.text);
    scope_put(scope, "output", output);
    return STATUS_OK;
}

/* What one entry of `compensate` asks for; appended to `calls`. */
static status play_undo(const struct action_call *call, json scope, struct arena *arena,
                        json *calls, struct error *reterr)
{
    CLEANUP(json_unrefp) json with  = json_invalid();
    CLEANUP(json_unrefp) json other = json_invalid();
    struct error why                = {};
    if (call->condition && !formula_test(call->condition, scope, created_us)) return STATUS_OK;
    status code = call->with ? formula_eval(call->with, scope, created_us, &with, &why) : STATUS_OK;
    if (code != STATUS_OK) return fail(reterr, code, "`compensate`: %s", why.text);
    const struct scope_options options = {
        .params = with, .created_us = created_us, .secrets = &example_secrets, .arena = arena};
    code = scope_new(call->action, &options, &other, &why);
    if (code != STATUS_OK) {
        return fail(reterr, code, "`compensate` calls `%s`: %s", call->name, why.text);
    }
    json undo = json_object_new(2);
    json_object_put_text(&undo, "action", json_text_from(call->name));
    json_object_put_text(&undo, "with", json_ref(json_get_text(other, "params")));
    json_array_push(calls, undo);
    return STATUS_OK;
}

static status play_undos(const struct manifest_action *action, json scope, struct arena *arena,
                         json *ret_calls, struct error *reterr)
{
    CLEANUP(json_unrefp) json calls = json_array_new(action->compensate.count);
    for (size_t i = 0; i < action->compensate.count; i++) {
        if (action->compensate.items[i].each) continue; /* once per element, which only a run has */
        TRY(play_undo(&action->compensate.items[i], scope, arena, &calls, reterr));
    }
    *ret_calls = json_take(&calls);
    return STATUS_OK;
}

status example_play(const struct manifest_action *action, json params, struct arena *arena,
                    json *ret_played, struct error *reterr)
{
    CLEANUP(json_unrefp) json scope    = json_invalid();
    CLEANUP(json_unrefp) json requests = json_invalid();
    CLEANUP(json_unrefp) json undos    = json_invalid();
    TRY(example_scope(action, params, arena, &scope, reterr));
    TRY(play_requests(action, scope, arena, &requests, reterr));
    TRY(play_output(action, &scope, reterr));
    json output   = json_get_text(scope, "output");
    bool is_known = !json_is(output, JSON_INVALID);
    if (is_known) TRY(play_undos(action, scope, arena, &undos, reterr));

    json played          = json_object_new(4);
    const char *function = arena_printf(arena, "%s.%s:%u", action->manifest->name, action->name,
                                        action->manifest->major);
    json_object_put_text(&played, "function", json_text_from(function ? function : action->name));
    json_object_put_text(&played, "requests", json_take(&requests));
    if (is_known) json_object_put_text(&played, "output", json_ref(output));
    if (is_known) json_object_put_text(&played, "compensate", json_take(&undos));
    *ret_played = played;
    return STATUS_OK;
}
