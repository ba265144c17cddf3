#include "scheduler/run/agent.h"

#include "base/mem.h"

#include <stdlib.h>

struct agent *agent_new(void)
{
    struct agent *agent = mem_new(1, sizeof *agent);
    agent->turn         = AGENT_NO_TURN;
    agent->messages     = json_array_new(4);
    agent->log          = json_array_new(4);
    return agent;
}

void agent_free(struct agent *agent)
{
    if (!agent) return;
    json_unref(agent->messages);
    json_unref(agent->calls);
    json_unref(agent->log);
    free(agent);
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
    }
    return first;
}

struct agent_step agent_step_of(uint32_t index)
{
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

bool agent_next(const struct run *run, const struct activation *activation,
                struct agent_step *ret_step)
{
    const struct agent *agent = activation->agent;
    struct agent_step step    = {.turn = agent->turn, .role = AGENT_MODEL};
    if (agent->turn == AGENT_NO_TURN) return false;
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

task_index agent_task(const struct run *run, const struct activation *activation,
                      const struct agent_step *step)
{
    if (step->role == AGENT_MODEL) return activation_task(run, activation)->agent.model;
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

json agent_input_new(const struct run *run, const struct activation *activation,
                     const struct agent_step *step)
{
    if (step->role == AGENT_MODEL) return json_null();
    json call                        = json_at(activation->agent->calls, step->call);
    CLEANUP(json_unrefp) json merged = merged_new(activation, call);
    if (step->role == AGENT_APPROVAL) {
        json asked = json_object_new(2);
        json_object_put_text(&asked, "tool", json_ref(json_get_text(call, "name")));
        json_object_put_text(&asked, "arguments", json_take(&merged));
        return asked;
    }
    /* As it was decided on: the approver may have changed it. */
    json payload = json_get_text(decision_of(run, activation, step->call), "payload");
    json edited  = json_get_text(payload, "arguments");
    return json_ref(json_is(edited, JSON_OBJECT) ? edited : merged);
}
