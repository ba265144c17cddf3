/* How a conversation of an agent goes on. */
#include "scheduler/run/agent.h"
#include "scheduler/run/apply.h"

/* What the model said in the turn that ends; JSON_INVALID: no turn was there. */
static json answer_of(const struct run *run, const struct activation *activation)
{
    const struct agent_step step = {.turn = activation->agent->turn, .role = AGENT_MODEL};
    const struct scope *scope    = agent_scope(run, activation, agent_index(&step));
    return scope && scope->state == SCOPE_OVER ? scope->data : json_invalid();
}

static void push_all(json *array, json items)
{
    for (size_t i = 0; json_is(items, JSON_ARRAY) && i < json_count(items); i++) {
        json_array_push(array, json_ref(json_at(items, i)));
    }
}

static status apply_first(struct run *run, struct activation *activation, const struct event *event,
                          struct error *reterr)
{
    struct agent *agent = activation->agent;
    json messages       = json_get_text(activation->items, "messages");
    json tools          = json_get_text(event->value, "tools");
    json origins        = json_get_text(event->value, "origins");
    if (!json_is(messages, JSON_ARRAY)) return damaged(reterr, event, "an agent without a plan");
    if (activation->scopes_open > 0) return damaged(reterr, event, "a server has not answered");
    if (event->value.kind != JSON_INVALID) {
        bool is_fine = json_is(tools, JSON_ARRAY) && json_is(origins, JSON_ARRAY) &&
                       json_count(tools) == json_count(origins);
        if (!is_fine) return damaged(reterr, event, "tools that are none");
        json_object_put_text(&activation->items, "tools", json_ref(tools));
        json_object_put_text(&activation->items, "origins", json_ref(origins));
    }
    json_replace(&agent->messages, json_ref(messages));
    scopes_close_of(run, activation);
    agent->turn = 0;
    return STATUS_OK;
}

static status apply_turn(struct run *run, struct activation *activation, const struct event *event,
                         struct error *reterr)
{
    struct agent *agent = activation->agent;
    if (agent->turn == AGENT_NO_TURN) {
        if (event->index != 0) return damaged(reterr, event, "not the first turn");
        return apply_first(run, activation, event, reterr);
    }
    json answer  = answer_of(run, activation);
    json message = json_get_text(answer, "message");
    if (event->index != agent->turn + 1 || event->index >= AGENT_TURNS_MAX ||
        activation->scopes_open > 0) {
        return damaged(reterr, event, "the turn before is not over");
    }
    if (message.kind != JSON_INVALID) json_array_push(&agent->messages, json_ref(message));
    push_all(&agent->messages, json_get_text(event->value, "messages"));
    push_all(&agent->log, json_get_text(event->value, "log"));
    if (agent->calls.kind == JSON_INVALID) agent->repairs++;
    json_replace(&agent->calls, json_invalid());
    scopes_close_of(run, activation);
    agent->turn = event->index;
    return STATUS_OK;
}

static status apply_calls(struct run *run, struct activation *activation, const struct event *event,
                          struct error *reterr)
{
    struct agent *agent = activation->agent;
    bool is_asked       = answer_of(run, activation).kind != JSON_INVALID;
    if (!is_asked || agent->calls.kind != JSON_INVALID) {
        return damaged(reterr, event, "the model has asked for nothing");
    }
    size_t count = json_count(event->value);
    bool is_fine = json_is(event->value, JSON_ARRAY) && count <= AGENT_CALLS_MAX;
    for (size_t i = 0; is_fine && i < count; i++) {
        is_fine = json_is(json_get_text(json_at(event->value, i), "arguments"), JSON_OBJECT);
    }
    if (!is_fine) return damaged(reterr, event, "calls that are none");
    agent->calls = json_ref(event->value);
    return STATUS_OK;
}

status apply_agent(struct run *run, struct activation *activation, struct event *event,
                   struct error *reterr)
{
    if (!activation->agent) return damaged(reterr, event, "the task is no agent");
    run->is_due_known = false;
    if (event->kind == EVENT_AGENT_TURN) return apply_turn(run, activation, event, reterr);
    return apply_calls(run, activation, event, reterr);
}
