#include "tool-adapter/call/once.h"

#include <string.h>

static const char only_request[] = "-";

/* That of the action, or of this call, where it depends on the parameters. */
static enum function_idempotency kind_of(const struct manifest_action *action, json scope)
{
    const struct idempotency *given = &action->idempotency;
    if (action->effect == EFFECT_READ) return IDEMPOTENCY_NATURAL;
    if (given->kind != IDEMPOTENCY_VARIES) return given->kind;
    CLEANUP(json_unrefp) json kind = json_invalid();
    bool is_natural =
        formula_eval(given->expression, scope, scope_now_us(scope), &kind, NULL) == STATUS_OK &&
        json_is(kind, JSON_TEXT) && str_is(json_str(kind), "natural");
    return is_natural ? IDEMPOTENCY_NATURAL : IDEMPOTENCY_NONE;
}

bool once_marks_sending(const struct manifest_action *action, json scope)
{
    return kind_of(action, scope) == IDEMPOTENCY_NONE;
}

/* A step that has left and is not finished. Without a mark nothing has. */
static bool is_under_way(json checkpoint)
{
    json sending = json_get_text(checkpoint, "sending");
    if (!json_is(sending, JSON_TEXT)) return false;
    return json_is(json_get(json_get_text(checkpoint, "steps"), json_str(sending)), JSON_INVALID);
}

bool once_is_open(const struct once_case *known)
{
    if (known->action->effect == EFFECT_READ || known->previous < ATTEMPT_LOST) return false;
    switch (kind_of(known->action, known->scope)) {
    case IDEMPOTENCY_NONE:
        return known->previous == ATTEMPT_UNKNOWN || is_under_way(known->checkpoint);
    case IDEMPOTENCY_COMPARE: /* what `before` read is kept before anything leaves */
        return !json_is(json_get_text(known->checkpoint, "before"), JSON_INVALID);
    default: return true;
    }
}

/* The other side remembers a key for so long. */
static bool is_key_alive(const struct once_case *known)
{
    int64_t age_ms = (known->now_us - known->created_us) / 1'000;
    return age_ms < known->action->idempotency.ttl_ms;
}

bool once_may_repeat(const struct once_case *known)
{
    switch (kind_of(known->action, known->scope)) {
    case IDEMPOTENCY_NONE:
    case IDEMPOTENCY_VARIES: return false;
    case IDEMPOTENCY_KEY: return is_key_alive(known);
    default: return true;
    }
}

enum once_verdict once_decide(const struct once_case *known)
{
    if (!once_is_open(known)) return ONCE_SEND;
    switch (kind_of(known->action, known->scope)) {
    case IDEMPOTENCY_LOOKUP: return ONCE_LOOK_UP;
    case IDEMPOTENCY_COMPARE: return ONCE_COMPARE;
    case IDEMPOTENCY_NATURAL: return ONCE_SEND;
    case IDEMPOTENCY_KEY: return is_key_alive(known) || known->is_asked ? ONCE_SEND : ONCE_REFUSE;
    default: return known->is_asked ? ONCE_SEND : ONCE_REFUSE;
    }
}

/* A request that the protocol calls safe (RFC 9110, 9.2.1). */
static bool is_safe(const struct manifest_request *request)
{
    if (request->kind != REQUEST_HTTP || request->method_by) return false;
    return strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
}

bool once_has_changed(const struct manifest_action *action, json steps)
{
    if (action->effect == EFFECT_READ) return false;
    for (size_t i = 0; i < action->step_count; i++) {
        const struct manifest_step *step = &action->steps[i];
        if (!step->id || is_safe(&step->request)) continue;
        if (!json_is(json_get_text(steps, step->id), JSON_INVALID)) return true;
    }
    return false;
}

/* --- what is kept ----------------------------------------------------------------------------- */

static json copy_of(json checkpoint)
{
    return json_is(checkpoint, JSON_OBJECT) ? json_ref(checkpoint) : json_object_new(3);
}

json once_sending_new(json checkpoint, const char *step, json steps, bool marks)
{
    json kept = copy_of(checkpoint);
    if (json_count(steps) > 0) json_object_put_text(&kept, "steps", json_ref(steps));
    if (marks) json_object_put_text(&kept, "sending", json_text_from(step ? step : only_request));
    return kept;
}

json once_progress_new(json checkpoint, json progress)
{
    json kept = copy_of(checkpoint);
    json_object_put_text(&kept, "progress", progress);
    return kept;
}

json once_before_new(json checkpoint, json before)
{
    json kept = copy_of(checkpoint);
    json_object_put_text(&kept, "before", json_ref(before));
    return kept;
}
