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

const struct secret_source example_secrets = {.find = find_hidden, .is_hidden = true};

/* A member of `given`, else of the example. */
static json member_of(const struct manifest_action *action, json given, const char *name)
{
    json own        = json_get_text(given, name);
    bool has_answer = !json_is(json_get_text(given, "response"), JSON_INVALID) ||
                      !json_is(json_get_text(given, "steps"), JSON_INVALID);
    bool is_outdated = has_answer && strcmp(name, "output") == 0;
    if (!json_is(own, JSON_INVALID) || is_outdated) return own;
    return json_get_text(action->example, name);
}

status example_scope(const struct manifest_action *action, json given, struct arena *arena,
                     json *ret_scope, struct error *reterr)
{
    static const char *const members[] = {"before", "steps", "response", "output"};
    const struct scope_options options = {
        .config          = member_of(action, given, "config"),
        .params          = member_of(action, given, "params"),
        .idempotency_key = str_from("run/task/1/1"),
        .created_us      = created_us,
        .secrets         = &example_secrets,
        .arena           = arena,
    };
    json scope = json_invalid();
    TRY(scope_new(action, &options, &scope, reterr));
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        json value = member_of(action, given, members[i]);
        if (json_is(value, JSON_INVALID)) continue;
        scope_put(&scope, members[i], json_ref(value));
    }
    json before = member_of(action, given, "before");
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

status example_requests(const struct manifest_action *action, json scope, const char *connection,
                        struct arena *arena, json *ret_requests, struct error *reterr)
{
    CLEANUP(json_unrefp) json requests = json_array_new(action->step_count);
    for (size_t i = 0; i < action->step_count; i++) {
        const struct manifest_step *step = &action->steps[i];
        struct outgoing *outgoing        = arena_alloc(arena, sizeof *outgoing);
        ASSERT(outgoing != NULL);
        bool is_http = step->request.kind == REQUEST_HTTP || step->request.kind == REQUEST_GRAPHQL;
        if (!is_http) continue;
        if (step->condition && !formula_test(step->condition, scope, created_us)) continue;
        const struct outgoing_source source = {.action     = action,
                                               .step       = step,
                                               .scope      = scope,
                                               .secrets    = &example_secrets,
                                               .arena      = arena,
                                               .connection = connection};
        TRY(outgoing_render(&source, outgoing, reterr));
        json_array_push(&requests, request_new(step, outgoing));
    }
    *ret_requests = json_take(&requests);
    return STATUS_OK;
}

static const char undo[] = "compensate";

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

/* What a call of another action would be given; `what` is where it stands. Appended to `calls`. */
static status play_call(const struct action_call *call, const char *what, json scope,
                        struct arena *arena, json *calls, struct error *reterr)
{
    CLEANUP(json_unrefp) json with  = json_invalid();
    CLEANUP(json_unrefp) json other = json_invalid();
    struct error why                = {};
    if (call->condition && !formula_test(call->condition, scope, created_us)) return STATUS_OK;
    status code = call->with ? formula_eval(call->with, scope, created_us, &with, &why) : STATUS_OK;
    if (code != STATUS_OK) return fail(reterr, code, "`%s`: %s", what, why.text);
    const struct scope_options options = {
        .params = with, .created_us = created_us, .secrets = &example_secrets, .arena = arena};
    code = scope_new(call->action, &options, &other, &why);
    if (code != STATUS_OK) {
        return fail(reterr, code, "`%s` calls `%s`: %s", what, call->name, why.text);
    }
    json one = json_object_new(2);
    json_object_put_text(&one, "action", json_text_from(call->name));
    json_object_put_text(&one, "with", json_ref(json_get_text(other, "params")));
    json_array_push(calls, one);
    return STATUS_OK;
}

/* Once per element, the last first. */
static status play_each(const struct action_call *call, json scope, struct arena *arena,
                        json *calls, struct error *reterr)
{
    CLEANUP(json_unrefp) json elements = json_invalid();
    struct error why                   = {};
    status code = formula_eval(call->each, scope, created_us, &elements, &why);
    if (code != STATUS_OK) return fail(reterr, code, "`compensate.each`: %s", why.text);
    for (size_t i = json_count(elements); json_is(elements, JSON_ARRAY) && i > 0; i--) {
        CLEANUP(json_unrefp) json of_one = json_ref(scope);
        scope_put(&of_one, "item", json_ref(json_at(elements, i - 1)));
        TRY(play_call(call, undo, of_one, arena, calls, reterr));
    }
    return STATUS_OK;
}

static status play_undos(const struct action_calls *undos, json scope, struct arena *arena,
                         json *calls, struct error *reterr)
{
    for (size_t i = 0; i < undos->count; i++) {
        const struct action_call *call = &undos->items[i];
        TRY(call->each ? play_each(call, scope, arena, calls, reterr)
                       : play_call(call, undo, scope, arena, calls, reterr));
    }
    return STATUS_OK;
}

/* What undoes the steps of the example, the last first. */
static status play_steps_back(const struct manifest_action *action, json scope, struct arena *arena,
                              json *calls, struct error *reterr)
{
    json steps = json_get_text(scope, "steps");
    for (size_t i = action->step_count; i-- > 0;) {
        const struct manifest_step *step = &action->steps[i];
        bool is_done = step->id && !json_is(json_get_text(steps, step->id), JSON_INVALID);
        if (is_done) TRY(play_undos(&step->compensate, scope, arena, calls, reterr));
    }
    return STATUS_OK;
}

/* What an action answers by its own example; owned, JSON_INVALID: it says too little. */
static json answer_of(const struct manifest_action *action, struct arena *arena)
{
    CLEANUP(json_unrefp) json scope = json_invalid();
    if (example_scope(action, json_invalid(), arena, &scope, NULL) != STATUS_OK ||
        play_output(action, &scope, NULL) != STATUS_OK) {
        return json_invalid(); /* its own finding says so */
    }
    return json_ref(json_get_text(scope, "output"));
}

/* What is found is the output, so it must have all that the output has. */
static status check_found(const struct manifest_action *action, json found, struct error *reterr)
{
    json actions = json_get_text(action->manifest->root, "actions");
    json output  = json_get_text(json_get_text(actions, action->name), "output");
    if (!json_is(output, JSON_OBJECT) || json_is(found, JSON_NULL)) return STATUS_OK;
    for (size_t i = 0; i < json_count(output); i++) {
        str name = json_key_at(output, i);
        if (!json_is(json_get(found, name), JSON_INVALID)) continue;
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "`found` has no `" STR_FMT "`, as the output has", STR_ARG(name));
    }
    return STATUS_OK;
}

/* `found` over what the read answers by its example. */
static status play_found(const struct manifest_action *action, const struct action_call *lookup,
                         json scope, struct arena *arena, struct error *reterr)
{
    CLEANUP(json_unrefp) json found  = json_invalid();
    CLEANUP(json_unrefp) json answer = answer_of(lookup->action, arena);
    CLEANUP(json_unrefp) json seen   = json_ref(scope);
    struct error why                 = {};
    if (!lookup->found || json_is(answer, JSON_INVALID)) return STATUS_OK;
    if (lookup->condition && !formula_test(lookup->condition, scope, created_us)) return STATUS_OK;
    scope_put(&seen, "output", json_take(&answer));
    status code = formula_eval(lookup->found, seen, created_us, &found, &why);
    if (code != STATUS_OK) return fail(reterr, code, "`found`: %s", why.text);
    return check_found(action, found, reterr);
}

/* What `before` and look-ups would read, lists. */
static status play_reads(const struct manifest_action *action, json scope, struct arena *arena,
                         json *ret_before, json *ret_lookups, struct error *reterr)
{
    CLEANUP(json_unrefp) json before  = json_array_new(1);
    CLEANUP(json_unrefp) json lookups = json_array_new(action->idempotency.lookup.count);
    if (action->has_before) {
        TRY(play_call(&action->before, "before", scope, arena, &before, reterr));
    }
    for (size_t i = 0; i < action->idempotency.lookup.count; i++) {
        const struct action_call *lookup = &action->idempotency.lookup.items[i];
        TRY(play_call(lookup, "lookup", scope, arena, &lookups, reterr));
        TRY(play_found(action, lookup, scope, arena, reterr));
    }
    *ret_before  = json_take(&before);
    *ret_lookups = json_take(&lookups);
    return STATUS_OK;
}

/* The parts of what is played; owned. */
struct play {
    json scope, before, requests, lookups, undos, back;
};

static void play_done(struct play *play)
{
    json *parts[] = {&play->scope,   &play->before, &play->requests,
                     &play->lookups, &play->undos,  &play->back};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) json_unrefp(parts[i]);
}

static json played_new(const struct manifest_action *action, struct play *play,
                       const char *function)
{
    json output   = json_get_text(play->scope, "output");
    bool is_known = !json_is(output, JSON_INVALID);
    json played   = json_object_new(6);
    json_object_put_text(&played, "function", json_text_from(function ? function : action->name));
    if (json_count(play->before) > 0) {
        json_object_put_text(&played, "before", json_ref(json_at(play->before, 0)));
    }
    json_object_put_text(&played, "requests", json_take(&play->requests));
    if (json_count(play->lookups) > 0) {
        json_object_put_text(&played, "lookup", json_take(&play->lookups));
    }
    if (is_known) json_object_put_text(&played, "output", json_ref(output));
    if (json_count(play->back) > 0) {
        json_object_put_text(&played, "compensate_steps", json_ref(play->back));
    }
    if (is_known) json_object_put_text(&played, "compensate", json_take(&play->undos));
    return played;
}

status example_play(const struct manifest_action *action, json given, struct arena *arena,
                    json *ret_played, struct error *reterr)
{
    CLEANUP(play_done) struct play play = {};
    TRY(example_scope(action, given, arena, &play.scope, reterr));
    TRY(play_reads(action, play.scope, arena, &play.before, &play.lookups, reterr));
    TRY(example_requests(action, play.scope, NULL, arena, &play.requests, reterr));
    TRY(play_output(action, &play.scope, reterr));
    json output   = json_get_text(play.scope, "output");
    bool is_known = !json_is(output, JSON_INVALID);
    if (is_known) TRY(scope_check_output(action, output, arena, reterr));
    play.back = json_array_new(action->step_count);
    TRY(play_steps_back(action, play.scope, arena, &play.back, reterr));
    bool has_own = action->compensate.count > 0;
    play.undos   = has_own ? json_array_new(action->compensate.count) : json_ref(play.back);
    if (is_known) TRY(play_undos(&action->compensate, play.scope, arena, &play.undos, reterr));
    *ret_played = played_new(action, &play,
                             arena_printf(arena, "%s.%s:%u", action->manifest->name, action->name,
                                          action->manifest->major));
    return STATUS_OK;
}
