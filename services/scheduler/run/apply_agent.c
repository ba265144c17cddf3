/* How a conversation of an agent goes on. */
#include "scheduler/run/agent.h"
#include "scheduler/run/apply.h"

/* Messages and calls that the event itself says: those of a repair, and of earlier releases. */
static void take_told(struct agent *agent, json told)
{
    json messages = json_get_text(told, "messages");
    json log      = json_get_text(told, "log");
    for (size_t i = 0; json_is(messages, JSON_ARRAY) && i < json_count(messages); i++) {
        const struct agent_said said = {SAID_MESSAGE, json_ref(json_at(messages, i)), {}};
        agent_say(agent, &said);
    }
    for (size_t i = 0; json_is(log, JSON_ARRAY) && i < json_count(log); i++) {
        json_array_push(&agent->log, json_ref(json_at(log, i)));
    }
}

/* What the model said in the turn under way goes first. */
static void take_results(struct run *run, struct activation *activation, const struct event *event)
{
    struct agent *agent = activation->agent;
    json answer         = agent_answer(run, activation);
    if (json_get_text(answer, "message").kind != JSON_INVALID) {
        const struct agent_said said = {SAID_ANSWER, json_ref(answer), {}};
        agent_say(agent, &said);
    }
    if (event->value_from == VALUE_RESULT) {
        agent_results_take(run, activation);
    } else {
        take_told(agent, event->value);
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
    take_told(agent, activation->items);
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
    if (event->index != agent->turn + 1 || event->index >= AGENT_TURNS_MAX ||
        activation->scopes_open > 0) {
        return damaged(reterr, event, "the turn before is not over");
    }
    take_results(run, activation, event);
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
    bool is_asked       = agent_answer(run, activation).kind != JSON_INVALID;
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
