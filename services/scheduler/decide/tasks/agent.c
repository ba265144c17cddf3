/*
 * agent: a conversation with a model that may call tools. A turn asks the model once; if the answer
 * asks for calls, all of them are made at once, and when the last has ended the results go into the
 * conversation and the next turn starts. An answer without calls is the agent's output.
 */
#include "scheduler/run/agent.h"
#include "base/money.h"
#include "scheduler/decide/agent_plan.h"
#include "scheduler/decide/agent_servers.h"
#include "scheduler/decide/tasks/tasks.h"
#include "schema/schema.h"
#include "json/json_text.h"

#include <stdio.h>

enum {
    HTTP_UNPROCESSABLE    = 422,
    HTTP_PAYMENT_REQUIRED = 402,
    MESSAGE_MAX           = 16 << 10, /* bytes of what a wrong answer is told */
};

static int64_t limit_of(const struct activation *activation, const char *key)
{
    int64_t value = 0;
    return json_to_int(json_get_text(activation->items, key), &value) ? value : 0;
}

static str reference_of(const struct decision *decision, const struct activation *activation)
{
    return str_from(activation_task(decision->run, activation)->reference);
}

/* --- starting ----------------------------------------------------------------------------------
 */

static status prepare(struct scene *scene, struct event *started, json *ret_error)
{
    return agent_plan(scene, &started->value, ret_error);
}

/* What a turn may still cost: as for the run, besides that. */
static bool is_affordable(const struct activation *activation, const char **ret_what)
{
    const struct agent *agent = activation->agent;
    int64_t nanos             = limit_of(activation, "budget_nanos");
    int64_t tokens            = limit_of(activation, "budget_tokens");
    *ret_what                 = "the agent's budget of money is spent";
    if (nanos > 0 && agent->usage.cost_usd_nanos >= nanos) return false;
    if (tokens == 0) return true;
    *ret_what = "the next turn does not fit into the agent's budget of tokens";
    CLEANUP(json_unrefp) json messages = agent_messages_new(agent);
    int64_t needed                     = agent_turn_tokens(messages);
    return agent->usage.input_tokens + agent->usage.output_tokens + needed < tokens;
}

/* Begins the next turn. Takes `value`; what calls have come to is said by the state. */
static void next_turn(struct decision *decision, struct activation *activation,
                      enum value_from from, json value)
{
    uint32_t turn      = activation->agent->turn == AGENT_NO_TURN ? 0 : activation->agent->turn + 1;
    struct event event = {
        .kind       = EVENT_AGENT_TURN,
        .activation = activation->slot,
        .index      = turn,
        .value_from = from,
        .value      = value,
    };
    (void)decide_emit(decision, &event);
    decide_ready(decision, READY_OWNER, activation->slot);
}

/* What servers have is asked for first. */
static void begin(struct decision *decision, struct activation *activation)
{
    if (activation_can_open(decision->run, activation)) {
        decide_ready(decision, READY_OWNER, activation->slot);
    } else {
        next_turn(decision, activation, VALUE_HERE, json_invalid());
    }
}

/* All servers have answered. */
static void begin_talk(struct decision *decision, struct activation *activation)
{
    json offer          = json_invalid();
    struct error reason = {};
    if (agent_offer(decision->run, activation, &offer, &reason) == STATUS_OK) {
        next_turn(decision, activation, VALUE_HERE, offer);
    } else {
        task_fault_with(decision, activation, ERROR_CONFIGURATION, reason.text);
    }
}

/* One task a step, so that many calls at once do not pass the step budget. The model is asked only
 * if that may be paid, also by an agent that is entered again. */
static void open(struct decision *decision, struct activation *activation)
{
    const char *reason     = NULL;
    struct agent_step step = {};
    bool is_again = activation->state == TASK_RETRYING && activation->agent->turn == AGENT_NO_TURN;
    if (is_again && !agent_next(decision->run, activation, &step)) {
        struct event event = {.kind = EVENT_AGENT_TURN, .activation = activation->slot};
        (void)decide_emit(decision, &event);
    }
    if (!agent_next(decision->run, activation, &step)) return;
    if (step.role == AGENT_MODEL && !is_affordable(activation, &reason)) {
        task_fault(decision, activation,
                   error_own_new("budget", HTTP_PAYMENT_REQUIRED, "Budget exceeded",
                                 str_from(reason), reference_of(decision, activation)));
        return;
    }
    const struct place place        = place_within(activation, SCOPE_AGENT, agent_index(&step));
    CLEANUP(json_unrefp) json input = agent_input_new(decision->run, activation, &step);
    uint32_t slot                   = activation->slot;
    uint64_t sequence               = activation->started_sequence;
    task_start(decision, &place, agent_task(decision->run, activation, &step), input);
    activation = run_activation(decision->run, slot);
    if (!activation || activation->started_sequence != sequence) return;
    if (activation_can_open(decision->run, activation)) {
        decide_ready(decision, READY_OWNER, slot);
    }
}

/* --- the end -----------------------------------------------------------------------------------
 */

static json usage_new(const struct usage *usage)
{
    json value                        = json_object_new(4);
    CLEANUP(buf_done) struct buf cost = buf_init(MONEY_TEXT_MAX);
    (void)money_print(usage->cost_usd_nanos, &cost);
    bool is_known = usage->source != COST_UNKNOWN;
    json_object_put_text(&value, "input_tokens", json_int(usage->input_tokens));
    json_object_put_text(&value, "output_tokens", json_int(usage->output_tokens));
    json_object_put_text(&value, "cost_usd",
                         is_known ? json_text_new(buf_str(&cost)) : json_null());
    if (usage->is_simulated) json_object_put_text(&value, "simulated", json_bool(true));
    return value;
}

static void complete(struct decision *decision, struct activation *activation, json answer,
                     json content)
{
    const struct agent *agent        = activation->agent;
    CLEANUP(json_unrefp) json output = json_object_new(5);
    json reason                      = json_get_text(answer, "finish_reason");
    json_object_put_text(&output, "content", json_ref(content));
    json_object_put_text(&output, "turns", json_int((int64_t)agent->turn + 1));
    json_object_put_text(&output, "tool_calls", json_ref(agent->log));
    json_object_put_text(&output, "usage", usage_new(&agent->usage));
    json_object_put_text(&output, "finish_reason",
                         reason.kind == JSON_INVALID ? json_null() : json_ref(reason));
    task_complete(decision, activation, output, NULL);
}

/* What the answer says, in the shape that is asked for. Owned. */
static status read_content(const struct decision *decision, const struct activation *activation,
                           json answer, json *ret_content, struct error *reterr)
{
    CLEANUP(schema_freep) struct schema *schema = NULL;
    CLEANUP(json_unrefp) json value             = json_invalid();
    json source                                 = json_get_text(activation->items, "schema");
    struct arena *scratch                       = decision->env->scratch;
    TRY(agent_content(activation, answer, &value, reterr));
    if (source.kind != JSON_INVALID) {
        arena_clear(scratch);
        TRY(schema_compile(source, NULL, NULL, &schema, reterr));
        TRY(schema_check(schema, value, scratch, NULL, reterr));
    }
    *ret_content = json_take(&value);
    return STATUS_OK;
}

static json repair_new(const struct error *reason)
{
    CLEANUP(buf_done) struct buf text = buf_init(MESSAGE_MAX);
    (void)buf_printf(&text,
                     "Your answer has not the shape that is asked for: %s. Answer again, "
                     "with JSON of that shape and nothing else.",
                     reason->text);
    json message = json_object_new(2);
    json_object_put_text(&message, "role", json_text_from("user"));
    json_object_put_text(&message, "content", json_text_lossy(buf_str(&text)));
    json messages = json_array_new(1);
    json_array_push(&messages, message);
    json value = json_object_new(2);
    json_object_put_text(&value, "messages", messages);
    json_object_put_text(&value, "log", json_array_new(0));
    return value;
}

static bool has_turns_left(const struct activation *activation)
{
    return (int64_t)activation->agent->turn + 1 < limit_of(activation, "turns_max");
}

static void end(struct decision *decision, struct activation *activation, json answer)
{
    CLEANUP(json_unrefp) json content = json_invalid();
    struct error reason               = {};
    if (read_content(decision, activation, answer, &content, &reason) == STATUS_OK) {
        complete(decision, activation, answer, content);
    } else if (activation->agent->repairs == 0 && has_turns_left(activation)) {
        next_turn(decision, activation, VALUE_HERE, repair_new(&reason));
    } else {
        task_fault_with(decision, activation, ERROR_VALIDATION, reason.text);
    }
}

/* --- turns -------------------------------------------------------------------------------------
 */

static void call_tools(struct decision *decision, struct activation *activation, json answer)
{
    if (!has_turns_left(activation)) {
        task_fault(decision, activation,
                   error_own_new("max-turns", HTTP_UNPROCESSABLE, "Too many turns",
                                 str_from("the model asks for tools, and no turn is left for "
                                          "what they say"),
                                 reference_of(decision, activation)));
        return;
    }
    if (json_count(agent_answer_calls(answer)) > AGENT_CALLS_MAX) {
        task_fault_with(decision, activation, ERROR_RUNTIME,
                        "the model asks for more than 128 calls at once");
        return;
    }
    struct event event = {
        .kind       = EVENT_AGENT_CALLS,
        .activation = activation->slot,
        .value      = agent_calls_new(activation, answer, decision->env->scratch),
    };
    (void)decide_emit(decision, &event);
    if (activation_can_open(decision->run, activation)) {
        decide_ready(decision, READY_OWNER, activation->slot);
    } else {
        next_turn(decision, activation, VALUE_RESULT, json_invalid());
    }
}

/* The error that ends the agent: of the model, or of a tool that says so. JSON_INVALID: none. */
static json fatal_error(const struct run *run, const struct activation *activation)
{
    const struct agent_body *body = &activation_task(run, activation)->agent;
    for (uint32_t slot = activation->first_scope; slot != SLOT_NONE;) {
        const struct scope *scope    = run_scope(run, slot);
        const struct agent_step step = agent_step_of(scope->index);
        slot                         = scope->next;
        if (scope->state != SCOPE_FAILED || step.role == AGENT_APPROVAL) continue;
        if (step.role == AGENT_MODEL || step.role == AGENT_LISTING) return scope->data;
        int64_t tool = -1;
        json call    = json_at(activation->agent->calls, step.call);
        if (json_to_int(json_get_text(call, "tool"), &tool) && body->tools[tool].is_fault) {
            return scope->data;
        }
    }
    return json_invalid();
}

static void settle(struct decision *decision, struct activation *activation, json)
{
    const struct run *run     = decision->run;
    const struct agent *agent = activation->agent;
    json fatal                = fatal_error(run, activation);
    if (fatal.kind != JSON_INVALID) {
        task_fault(decision, activation, json_ref(fatal));
        return;
    }
    if (agent->turn == AGENT_NO_TURN) {
        if (activation_can_open(run, activation)) {
            decide_ready(decision, READY_OWNER, activation->slot);
        } else if (activation->scopes_open == 0) {
            begin_talk(decision, activation);
        }
    } else if (agent->calls.kind == JSON_INVALID) {
        CLEANUP(json_unrefp) json answer = json_ref(agent_answer(run, activation));
        if (answer.kind == JSON_INVALID) return; /* heard before */
        if (json_count(agent_answer_calls(answer)) > 0) {
            call_tools(decision, activation, answer);
        } else {
            end(decision, activation, answer);
        }
    } else if (activation_can_open(run, activation)) {
        decide_ready(decision, READY_OWNER, activation->slot);
    } else if (activation->scopes_open == 0) {
        next_turn(decision, activation, VALUE_RESULT, json_invalid());
    }
}

const struct task_behaviour agent_behaviour = {
    .prepare = prepare,
    .begin   = begin,
    .open    = open,
    .settle  = settle,
};
