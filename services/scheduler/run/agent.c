#include "scheduler/run/agent.h"

#include "base/mem.h"

#include <stdlib.h>

struct agent *agent_new(void)
{
    struct agent *agent = mem_new(1, sizeof *agent);
    agent->turn         = AGENT_NO_TURN;
    agent->log          = json_array_new(4);
    return agent;
}

void agent_free(struct agent *agent)
{
    if (!agent) return;
    for (uint32_t i = 0; i < agent->said_count; i++) agent_said_done(&agent->said[i]);
    free(agent->said);
    json_unref(agent->calls);
    json_unref(agent->log);
    free(agent);
}

void agent_say(struct agent *agent, const struct agent_said *said)
{
    if (agent->said_count == agent->said_capacity) {
        agent->said_capacity = agent->said_capacity ? agent->said_capacity * 2 : 8;
        agent->said          = mem_resize(agent->said, agent->said_capacity, sizeof *agent->said);
    }
    agent->said[agent->said_count++] = *said;
}

/* --- lists -------------------------------------------------------------------------------------
 */

uint32_t agent_index(const struct agent_step *step)
{
    uint32_t first = step->turn * AGENT_STRIDE;
    switch (step->role) {
    case AGENT_MODEL: break;
    case AGENT_APPROVAL: return first + 1 + 2 * step->call;
    case AGENT_CALL: return first + 2 + 2 * step->call;
    case AGENT_LISTING: return AGENT_LISTINGS + step->call;
    }
    return first;
}

struct agent_step agent_step_of(uint32_t index)
{
    if (index >= AGENT_LISTINGS) {
        return (struct agent_step){AGENT_NO_TURN, AGENT_LISTING, index - AGENT_LISTINGS};
    }
    struct agent_step step = {.turn = index / AGENT_STRIDE, .role = AGENT_MODEL};
    uint32_t place         = index % AGENT_STRIDE;
    if (place == 0) return step;
    step.role = place % 2 ? AGENT_APPROVAL : AGENT_CALL;
    step.call = (place - 1) / 2;
    return step;
}

void agent_step_put(uint32_t index, struct buf *out)
{
    const struct agent_step step = agent_step_of(index);
    if (step.role == AGENT_LISTING) {
        (void)buf_printf(out, "/listings/%u", step.call);
        return;
    }
    (void)buf_printf(out, "/turns/%u", step.turn);
    if (step.role == AGENT_MODEL) {
        (void)buf_put_text(out, "/model");
        return;
    }
    (void)buf_printf(out, "/tools/%u%s", step.call, step.role == AGENT_APPROVAL ? "/approval" : "");
}

struct scope *agent_scope(const struct run *run, const struct activation *activation,
                          uint32_t index)
{
    for (uint32_t slot = activation->first_scope; slot != SLOT_NONE;) {
        struct scope *scope = run_scope(run, slot);
        if (scope->index == index) return scope;
        slot = scope->next;
    }
    return NULL;
}

json agent_answer(const struct run *run, const struct activation *activation)
{
    const struct agent_step step = {.turn = activation->agent->turn, .role = AGENT_MODEL};
    const struct scope *scope    = agent_scope(run, activation, agent_index(&step));
    return scope && scope->state == SCOPE_OVER ? scope->data : json_invalid();
}

static int64_t int_of(json object, const char *key)
{
    int64_t value = -1;
    return json_to_int(json_get_text(object, key), &value) ? value : -1;
}

/* The tool that a call means; NULL: none, or it has an answer already. */
static const struct agent_tool *tool_of(const struct run *run, const struct activation *activation,
                                        uint32_t call)
{
    const struct agent_body *body = &activation_task(run, activation)->agent;
    json asked                    = json_at(activation->agent->calls, call);
    int64_t tool                  = int_of(asked, "tool");
    if (json_get_text(asked, "error").kind != JSON_INVALID) return NULL;
    return tool >= 0 && tool < (int64_t)body->tool_count ? &body->tools[tool] : NULL;
}

/* What was decided about a call; JSON_INVALID: nobody was asked, or nobody has answered. */
static json decision_of(const struct run *run, const struct activation *activation, uint32_t call)
{
    const struct agent_step step = {activation->agent->turn, AGENT_APPROVAL, call};
    const struct scope *scope    = agent_scope(run, activation, agent_index(&step));
    if (!scope || scope->state != SCOPE_OVER) return json_invalid();
    return json_at(scope->data, 0);
}

/* The next server that has not been asked for its tools. */
static bool listing_next(const struct run *run, const struct activation *activation,
                         struct agent_step *ret_step)
{
    const struct agent_body *body = &activation_task(run, activation)->agent;
    for (uint32_t i = 0; i < body->tool_count; i++) {
        const struct agent_step step = {AGENT_NO_TURN, AGENT_LISTING, i};
        if (!body->tools[i].connection) continue;
        if (agent_scope(run, activation, agent_index(&step))) continue;
        *ret_step = step;
        return true;
    }
    return false;
}

bool agent_next(const struct run *run, const struct activation *activation,
                struct agent_step *ret_step)
{
    const struct agent *agent = activation->agent;
    struct agent_step step    = {.turn = agent->turn, .role = AGENT_MODEL};
    if (agent->turn == AGENT_NO_TURN) return listing_next(run, activation, ret_step);
    if (agent->calls.kind == JSON_INVALID) {
        *ret_step = step;
        return !agent_scope(run, activation, agent_index(&step));
    }
    for (uint32_t i = 0; i < json_count(agent->calls); i++) {
        const struct agent_tool *tool = tool_of(run, activation, i);
        if (!tool) continue;
        step = (struct agent_step){.turn = agent->turn, .role = AGENT_CALL, .call = i};
        if (agent_scope(run, activation, agent_index(&step))) continue;
        *ret_step = step;
        if (tool->approval == TASK_NONE) return true;
        ret_step->role = AGENT_APPROVAL;
        if (!agent_scope(run, activation, agent_index(ret_step))) return true;
        ret_step->role = AGENT_CALL;
        json decision  = decision_of(run, activation, i);
        if (json_is_truthy(json_get_text(decision, "approved"))) return true;
    }
    return false;
}

static bool is_task_of_tools(const struct agent_body *body, enum agent_role role, task_index task)
{
    for (uint32_t i = 0; task != TASK_NONE && i < body->tool_count; i++) {
        const struct agent_tool *tool = &body->tools[i];
        if (task == (role == AGENT_APPROVAL ? tool->approval : tool->task)) return true;
    }
    return false;
}

bool agent_may_open(const struct run *run, const struct activation *activation, uint32_t index,
                    task_index task)
{
    const struct agent_body *body = &activation_task(run, activation)->agent;
    const struct agent *agent     = activation->agent;
    const struct agent_step step  = agent_step_of(index);
    bool is_asked                 = agent->calls.kind != JSON_INVALID;
    if (step.turn != agent->turn || agent_scope(run, activation, index)) return false;
    switch (step.role) {
    case AGENT_MODEL: return !is_asked && task == body->model;
    case AGENT_LISTING:
        return step.call < body->tool_count && body->tools[step.call].connection &&
               task == body->tools[step.call].listing;
    case AGENT_APPROVAL:
    case AGENT_CALL: break;
    }
    bool is_call = is_asked && step.call < json_count(agent->calls);
    return is_call && is_task_of_tools(body, step.role, task);
}

task_index agent_task(const struct run *run, const struct activation *activation,
                      const struct agent_step *step)
{
    const struct agent_body *body = &activation_task(run, activation)->agent;
    if (step->role == AGENT_MODEL) return body->model;
    if (step->role == AGENT_LISTING) return body->tools[step->call].listing;
    const struct agent_tool *tool = tool_of(run, activation, step->call);
    if (!tool) return TASK_NONE;
    return step->role == AGENT_APPROVAL ? tool->approval : tool->task;
}

/* The arguments of the model and those that the definition fixes, which win. Owned. */
static json merged_new(const struct activation *activation, json call)
{
    json arguments = json_ref(json_get_text(call, "arguments"));
    json fixed = json_at(json_get_text(activation->items, "fixed"), (size_t)int_of(call, "tool"));
    for (size_t i = 0; json_is(fixed, JSON_OBJECT) && i < json_count(fixed); i++) {
        json_object_put_key(&arguments, json_key_value_at(fixed, i),
                            json_ref(json_value_at(fixed, i)));
    }
    return arguments;
}

json agent_arguments_new(const struct run *run, const struct activation *activation, uint32_t call)
{
    /* As it was decided on: the approver may have changed it. */
    json payload = json_get_text(decision_of(run, activation, call), "payload");
    json edited  = json_get_text(payload, "arguments");
    if (json_is(edited, JSON_OBJECT)) return json_ref(edited);
    return merged_new(activation, json_at(activation->agent->calls, call));
}

/* What `mcp.call_tool` is given for a tool of the plan. Takes `arguments`. */
static json server_call_new(const struct agent_tool *tool, json origin, json arguments)
{
    static const char *const members[] = {"name", "idempotent", "output_schema"};
    json input                         = json_object_new(5);
    json_object_put_text(&input, "connection", json_text_from(tool->connection));
    json_object_put_text(&input, "arguments", arguments);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        json value = json_get_text(origin, members[i]);
        if (value.kind != JSON_INVALID) json_object_put_text(&input, members[i], json_ref(value));
    }
    return input;
}

json agent_input_new(const struct run *run, const struct activation *activation,
                     const struct agent_step *step)
{
    if (step->role == AGENT_MODEL || step->role == AGENT_LISTING) return json_null();
    json call = json_at(activation->agent->calls, step->call);
    if (step->role == AGENT_APPROVAL) {
        json asked = json_object_new(2);
        json_object_put_text(&asked, "tool", json_ref(json_get_text(call, "name")));
        json_object_put_text(&asked, "arguments", merged_new(activation, call));
        return asked;
    }
    const struct agent_tool *tool = tool_of(run, activation, step->call);
    json arguments                = agent_arguments_new(run, activation, step->call);
    int64_t offer                 = int_of(call, "offer");
    if (!tool || !tool->connection || offer < 0) return arguments;
    json origin = json_at(json_get_text(activation->items, "origins"), (size_t)offer);
    return server_call_new(tool, origin, arguments);
}
