/* The model of agents: a stand-in that plays its part of a conversation, and holds all of it
 * against what it must be by its own count: each call that was asked for is answered once, in its
 * place, with what comes of it. */
#include "base/assert.h"
#include "program_agent.h"
#include "scheduler/run/state.h"
#include "sim.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 8 << 10 /* bytes */ };

/* A conversation, as far as it was read. */
struct talk {
    struct sim *sim;
    const struct agent_plan *plan;
    json messages;
    size_t next; /* message to be read */
    bool is_wrong;
};

static bool has_text(json message, const char *key, const char *wanted)
{
    json value = json_get_text(message, key);
    return json_is(value, JSON_TEXT) && str_is(json_str(value), wanted);
}

static bool contains(json message, const char *part)
{
    json content = json_get_text(message, "content");
    return json_is(content, JSON_TEXT) && strstr(json_str(content).ptr, part);
}

static bool is_result(struct talk *talk, json message, uint32_t turn, uint32_t number, int64_t n)
{
    char wanted[64];
    int64_t value                = 0;
    const struct agent_call call = agent_call_of(talk->plan, turn, number, n);
    (void)snprintf(wanted, sizeof wanted, "c%u-%u", turn, number);
    if (!has_text(message, "role", "tool") || !has_text(message, "tool_call_id", wanted)) {
        return false;
    }
    switch (agent_outcome_of(&talk->sim->programs, talk->plan, &call, &value)) {
    case AGENT_UNKNOWN: return contains(message, "there is no tool of that name");
    case AGENT_REFUSED: return contains(message, "refused");
    case AGENT_FAILED:
        if (talk->plan->tools[call.tool] == 0) return contains(message, "{\"error\":");
        (void)snprintf(wanted, sizeof wanted, "permanent/%u", talk->plan->tools[call.tool]);
        return contains(message, wanted);
    case AGENT_ANSWERED: break;
    }
    (void)snprintf(wanted, sizeof wanted, "{\"n\":%" PRId64 "}", value);
    return has_text(message, "content", wanted);
}

/* One turn that is over: what the model said, and what it was told. */
static bool read_turn(struct talk *talk, uint32_t turn, int64_t *n)
{
    json said = json_at(talk->messages, talk->next++);
    if (!has_text(said, "role", "assistant")) return false;
    if (json_count(json_get_text(said, "tool_calls")) != talk->plan->calls) return false;
    for (uint32_t i = 0; i < talk->plan->calls; i++) {
        if (!is_result(talk, json_at(talk->messages, talk->next++), turn, i, *n)) return false;
    }
    *n = agent_turn_of(&talk->sim->programs, talk->plan, turn, *n);
    return true;
}

static void put_calls(const struct agent_plan *plan, uint32_t turn, int64_t n, struct buf *out)
{
    (void)buf_put_text(out, "[");
    for (uint32_t i = 0; i < plan->calls; i++) {
        const struct agent_call call = agent_call_of(plan, turn, i, n);
        (void)buf_printf(out,
                         "%s{\"id\":\"c%u-%u\",\"type\":\"function\",\"function\":{\"name\":"
                         "\"tool%u\",\"arguments\":\"{\\\"n\\\":%" PRId64 "}\"}}",
                         i > 0 ? "," : "", turn, i, call.tool, call.n);
    }
    (void)buf_put_text(out, "]");
}

static void put_answer(const struct agent_plan *plan, uint32_t turn, int64_t n, struct buf *out)
{
    bool is_last = turn == plan->turns;
    char content[32];
    (void)snprintf(content, sizeof content, "\"%" PRId64 "\"", n);
    (void)buf_printf(out, "{\"content\":%s,\"tool_calls\":", is_last ? content : "null");
    if (is_last) {
        (void)buf_put_text(out, "[]");
    } else {
        put_calls(plan, turn, n, out);
    }
    (void)buf_printf(out, ",\"message\":{\"role\":\"assistant\",\"content\":%s",
                     is_last ? content : "null");
    if (!is_last) {
        (void)buf_put_text(out, ",\"tool_calls\":");
        put_calls(plan, turn, n, out);
    }
    (void)buf_printf(out, "},\"finish_reason\":\"%s\"}", is_last ? "stop" : "tool_calls");
}

uint32_t sim_agents_site(const struct run *run, uint32_t activation)
{
    const struct activation *turn  = run_activation(run, activation);
    const struct activation *agent = turn ? activation_parent(run, turn) : NULL;
    if (!agent) return 0;
    const char *name = activation_task(run, agent)->name;
    size_t len       = strlen(AGENT_TASK);
    return strncmp(name, AGENT_TASK, len) == 0 ? (uint32_t)strtoul(name + len, NULL, 10) : 0;
}

void sim_agents_answer(struct sim *sim, struct task_in_hand *task, const Pb__LeasedJob *job)
{
    CLEANUP(json_unrefp) json input = json_invalid();
    const str text                  = {(const char *)job->input_json.data, job->input_json.len};
    status read                     = json_parse(text, NULL, &input, NULL, NULL);
    ASSERT(read == STATUS_OK); /* its place was read from it */
    struct talk talk = {.sim      = sim,
                        .plan     = sim->programs.sites[task->site].agent,
                        .messages = json_get_text(input, "messages"),
                        .next     = 1};
    int64_t n        = task->n;
    uint32_t turn    = 0;
    while (talk.next < json_count(talk.messages) && !talk.is_wrong) {
        talk.is_wrong = turn == talk.plan->turns || !read_turn(&talk, turn, &n);
        turn++;
    }
    if (talk.is_wrong || talk.next != json_count(talk.messages)) {
        sim_fail(sim, "the agent at place %u is told of another conversation than it had: %.1500s",
                 task->site, text.ptr);
        return;
    }
    CLEANUP(buf_done) struct buf answer = buf_init(ANSWER_MAX);
    put_answer(talk.plan, turn, n, &answer);
    task->output = arena_strdup(sim->arena, buf_str(&answer));
    ASSERT(task->output);
}
