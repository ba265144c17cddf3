#include "tool-adapter/call/outcome.h"

#include "adapter/scope.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "pii/scrub.h"
#include "tool-adapter/http/rest.h"
#include "workflow/errors.h"

#include <stdio.h>
#include <string.h>

enum { SAID_MAX = 4 << 10 /* bytes of what the other side says that are looked at */ };

/* --- classes ---------------------------------------------------------------------------------- */

static enum outcome_class class_of_status(int http_status)
{
    switch (http_status) {
    case 401:
    case 403: return OUTCOME_AUTH;
    case 404:
    case 410: return OUTCOME_NOT_FOUND;
    case 408: return OUTCOME_UNKNOWN;
    case 409:
    case 412: return OUTCOME_CONFLICT;
    case 400:
    case 422: return OUTCOME_INVALID;
    case 429: return OUTCOME_THROTTLED;
    case 503: return OUTCOME_TRANSIENT;
    default: break;
    }
    if (http_status >= 500 && http_status <= 599) return OUTCOME_UNKNOWN;
    return http_status >= 200 && http_status <= 299 ? OUTCOME_INVALID : OUTCOME_FATAL;
}

static bool test_rules(const struct error_rule *rules, size_t count, json scope,
                       enum outcome_class *ret_class)
{
    for (size_t i = 0; i < count; i++) {
        if (!formula_test(rules[i].when, scope, scope_now_us(scope))) continue;
        *ret_class = rules[i].class;
        return true;
    }
    return false;
}

static bool is_write(const struct manifest_action *action)
{
    return action->effect != EFFECT_READ;
}

/* Nothing that is read can be left half done. */
static enum outcome_class for_effect(const struct manifest_action *action, enum outcome_class class)
{
    return class == OUTCOME_UNKNOWN && !is_write(action) ? OUTCOME_TRANSIENT : class;
}

/* GraphQL says with 200 that it could not. */
static bool has_errors(const struct manifest_step *step, json scope)
{
    if (step->request.kind != REQUEST_GRAPHQL) return false;
    json body = json_get_text(json_get_text(scope, "response"), "body");
    return json_count(json_get_text(body, "errors")) > 0;
}

/* An error of JSON-RPC under a status that says nothing by itself. */
static bool is_rpc_error(const struct manifest_step *step, json scope, enum outcome_class class)
{
    json body    = json_get_text(json_get_text(scope, "response"), "body");
    bool is_http = class == OUTCOME_AUTH || class == OUTCOME_THROTTLED ||
                   class == OUTCOME_TRANSIENT || class == OUTCOME_UNKNOWN;
    if (step->request.kind != REQUEST_MCP || is_http) return false;
    return json_is(json_get_text(body, "error"), JSON_OBJECT);
}

static bool is_fine(const struct manifest_action *action, const struct manifest_step *step,
                    json scope, int http_status)
{
    const struct formula *ok_when = step->ok_when     ? step->ok_when
                                    : action->ok_when ? action->ok_when
                                                      : action->manifest->ok_when;
    if (has_errors(step, scope)) return false;
    if (ok_when) return formula_test(ok_when, scope, scope_now_us(scope));
    return http_status >= 200 && http_status <= 299;
}

/* --- what the other side says ----------------------------------------------------------------- */

static str error_message(const struct manifest_action *action, json scope, json *ret_keep)
{
    const struct formula *formula = action->manifest->error_message;
    if (!formula) return (str){};
    if (formula_eval(formula, scope, scope_now_us(scope), ret_keep, NULL) != STATUS_OK) {
        return (str){};
    }
    return json_is(*ret_keep, JSON_TEXT) ? json_str(*ret_keep) : (str){};
}

/* The first of GraphQL's errors, if the manifest says nothing else. */
static str graphql_message(json scope)
{
    json body    = json_get_text(json_get_text(scope, "response"), "body");
    json message = json_get_text(json_at(json_get_text(body, "errors"), 0), "message");
    return json_is(message, JSON_TEXT) ? json_str(message) : (str){};
}

/* An engine's own words: which address the egress rules refuse is what people need to know. */
static bool is_own_refusal(const struct manifest_step *step, json scope)
{
    enum request_kind kind = step->request.kind;
    json body              = json_get_text(json_get_text(scope, "response"), "body");
    json type              = json_get_text(json_get_text(body, "error"), "type");
    if (kind == REQUEST_MCP) return json_is(json_get_text(body, "reason"), JSON_TEXT);
    bool is_ours = kind == REQUEST_BUILTIN || kind == REQUEST_BROWSER;
    return is_ours && json_is(type, JSON_TEXT) && str_is(json_str(type), "refused");
}

static void describe(const struct manifest_action *action, const struct manifest_step *step,
                     json scope, struct outcome *outcome)
{
    CLEANUP(json_unrefp) json kept     = json_invalid();
    CLEANUP(buf_done) struct buf clean = buf_init(4 * SAID_MAX);
    str said                           = error_message(action, scope, &kept);
    pii_kinds kinds                    = PII_DEFAULT;
    if (is_own_refusal(step, scope)) kinds &= ~(PII_BIT(PII_IP) | PII_BIT(PII_MAC));
    if (said.len == 0) said = graphql_message(scope);
    said = str_slice(said, 0, SAID_MAX);
    if (pii_hide(said, kinds, &clean)) said = buf_str(&clean);
    if (said.len > OUTCOME_DETAIL_MAX) said.len = OUTCOME_DETAIL_MAX;
    said.len = utf8_valid_prefix(said);
    (void)snprintf(outcome->detail, sizeof outcome->detail, "HTTP %d%s" STR_FMT,
                   outcome->http_status, said.len > 0 ? ": " : "", STR_ARG(said));
}

/* --- the whole -------------------------------------------------------------------------------- */

void outcome_of_answer(const struct manifest_action *action, const struct manifest_step *step,
                       json scope, int64_t now_us, struct outcome *ret_outcome)
{
    const struct manifest *manifest = action->manifest;
    int64_t http_status             = 0;
    (void)json_to_int(json_get_text(json_get_text(scope, "response"), "status"), &http_status);
    *ret_outcome = (struct outcome){.is_write    = is_write(action),
                                    .http_status = (int)http_status,
                                    .wait_ms     = rest_of(&manifest->rate_limit, scope, now_us)};
    if (is_fine(action, step, scope, (int)http_status)) return;
    enum outcome_class class = class_of_status((int)http_status);
    if (!test_rules(action->errors, action->error_count, scope, &class)) {
        (void)test_rules(manifest->errors, manifest->error_count, scope, &class);
    }
    ret_outcome->class        = for_effect(action, class);
    ret_outcome->is_rpc_error = is_rpc_error(step, scope, class);
    describe(action, step, scope, ret_outcome);
}

void outcome_of_failure(const struct manifest_action *action, bool was_sent, const char *why,
                        struct outcome *ret_outcome)
{
    *ret_outcome = (struct outcome){
        .class    = for_effect(action, was_sent ? OUTCOME_UNKNOWN : OUTCOME_TRANSIENT),
        .is_write = is_write(action)};
    (void)snprintf(ret_outcome->detail, sizeof ret_outcome->detail, "%s", why);
}

void outcome_of_refusal(const struct manifest_action *action, status code, const char *why,
                        struct outcome *ret_outcome)
{
    *ret_outcome = (struct outcome){.class = OUTCOME_INVALID, .is_write = is_write(action)};
    if (code == STATUS_FAILED_PRECONDITION || code == STATUS_UNIMPLEMENTED) {
        ret_outcome->class = OUTCOME_FATAL;
    }
    if (code == STATUS_UNAUTHENTICATED) ret_outcome->class = OUTCOME_AUTH;
    if (status_is_transient(code)) ret_outcome->class = OUTCOME_TRANSIENT;
    (void)snprintf(ret_outcome->detail, sizeof ret_outcome->detail, "%s", why);
}

bool outcome_is_passing(const struct outcome *outcome)
{
    return outcome->class == OUTCOME_TRANSIENT || outcome->class == OUTCOME_THROTTLED;
}

/* --- errors of the run ------------------------------------------------------------------------ */

static enum error_kind kind_of(const struct outcome *outcome)
{
    bool has_answer = outcome->http_status > 0;
    if (outcome->is_rpc_error) return ERROR_RUNTIME;
    switch (outcome->class) {
    case OUTCOME_AUTH:
        return outcome->http_status == 403 ? ERROR_AUTHORIZATION : ERROR_AUTHENTICATION;
    case OUTCOME_INVALID: return has_answer ? ERROR_COMMUNICATION : ERROR_VALIDATION;
    case OUTCOME_FATAL: return has_answer ? ERROR_COMMUNICATION : ERROR_CONFIGURATION;
    default: return ERROR_COMMUNICATION;
    }
}

/* Where the other side has said it with a status of success, the class says it. */
static uint32_t status_of(const struct outcome *outcome)
{
    static const uint32_t statuses[OUTCOME_CLASS_COUNT] = {
        [OUTCOME_TRANSIENT] = 503, [OUTCOME_THROTTLED] = 429, [OUTCOME_NOT_FOUND] = 404,
        [OUTCOME_CONFLICT] = 409,  [OUTCOME_INVALID] = 400,   [OUTCOME_FATAL] = 502,
    };
    enum error_kind kind = kind_of(outcome);
    if (outcome->class == OUTCOME_THROTTLED) return 429;
    if (kind == ERROR_AUTHENTICATION) return 401;
    if (kind != ERROR_COMMUNICATION) return 0; /* the kind's own */
    return outcome->http_status >= 400 ? (uint32_t)outcome->http_status : statuses[outcome->class];
}

static void put_function(const struct manifest_action *action, const char *what, struct buf *out)
{
    (void)buf_printf(out, "%s.%s: %s", action->manifest->name, action->name, what);
}

json outcome_error_new(const struct outcome *outcome, const struct manifest_action *action)
{
    if (outcome->class == OUTCOME_UNKNOWN) return outcome_unknown_new(action, outcome->detail);
    CLEANUP(buf_done) struct buf text = buf_init(2 * sizeof outcome->detail);
    put_function(action, outcome->detail, &text);
    return error_new(kind_of(outcome), status_of(outcome), buf_str(&text), (str){});
}

static json unknown_new(const struct manifest_action *action, const char *title, const char *why)
{
    CLEANUP(buf_done) struct buf text = buf_init(2 * sizeof(struct outcome));
    put_function(action, why, &text);
    return error_own_new("unknown-outcome", 504, title, buf_str(&text), (str){});
}

json outcome_unknown_new(const struct manifest_action *action, const char *why)
{
    return unknown_new(action, "Nobody knows whether it was done", why);
}

json outcome_half_new(const struct outcome *outcome, const struct manifest_action *action,
                      json steps)
{
    CLEANUP(buf_done) struct buf text = buf_init(OUTCOME_DETAIL_MAX + ERROR_TEXT_MAX);
    size_t count                      = json_count(steps);
    for (size_t i = 0; i < count; i++) {
        str name = json_key_at(steps, i);
        (void)buf_printf(&text, "%s`" STR_FMT "`", i > 0 ? ", " : "", STR_ARG(name));
    }
    (void)buf_printf(&text, " %s done, and then: %s", count == 1 ? "is" : "are", outcome->detail);
    return unknown_new(action, "A part of it was done", buf_str(&text).ptr);
}
