/* What a run takes in memory, roughly. */
#include "scheduler/run/agent.h"
#include "scheduler/run/state.h"
#include "scheduler/run/undo.h"

enum { VALUES_COUNTED_MAX = 64, TEXT_NODE_SIZE = 32, MEMBER_SIZE = 40 };

/* A value two levels deep; what lies deeper is guessed from the counts. */
static size_t value_bytes(json value)
{
    if (json_is(value, JSON_TEXT)) return TEXT_NODE_SIZE + json_str(value).len;
    if (!json_is(value, JSON_ARRAY) && !json_is(value, JSON_OBJECT)) return 0;
    size_t count = json_count(value);
    size_t size  = TEXT_NODE_SIZE + count * MEMBER_SIZE;
    for (size_t i = 0; i < count && i < VALUES_COUNTED_MAX; i++) {
        json member = json_is(value, JSON_ARRAY) ? json_at(value, i) : json_value_at(value, i);
        if (json_is(member, JSON_TEXT)) size += json_str(member).len;
        if (json_is(member, JSON_ARRAY) || json_is(member, JSON_OBJECT)) {
            size += json_count(member) * MEMBER_SIZE;
        }
    }
    return size;
}

static size_t agent_memory_bytes(const struct agent *agent)
{
    size_t size = sizeof *agent + agent->said_capacity * sizeof *agent->said;
    size += value_bytes(agent->calls) + value_bytes(agent->log);
    for (uint32_t i = 0; i < agent->said_count; i++) size += value_bytes(agent->said[i].value);
    return size;
}

size_t run_memory_bytes(const struct run *run)
{
    size_t size = sizeof *run + value_bytes(run->input) + value_bytes(run->context) +
                  value_bytes(run->output) + value_bytes(run->error);
    size += (run->scopes.capacity + run->activations.capacity) * sizeof(void *);
    size += run->payloads.capacity * sizeof *run->payloads.refs;
    for (uint32_t i = 0; i < run->scopes.count; i++) {
        const struct scope *scope = run_scope(run, i);
        if (scope) size += sizeof *scope + value_bytes(scope->data) + value_bytes(scope->steps);
    }
    for (uint32_t i = 0; i < run->activations.count; i++) {
        const struct activation *activation = run_activation(run, i);
        if (!activation) continue;
        size += sizeof *activation + value_bytes(activation->input) +
                value_bytes(activation->result) + value_bytes(activation->items) +
                value_bytes(activation->events);
        size += activation->remembered_capacity * sizeof *activation->remembered;
        if (activation->agent) size += agent_memory_bytes(activation->agent);
    }
    for (uint32_t i = 0; i < run->undo_count; i++) {
        const struct undo *entry = &run->undos[i];
        size += sizeof *entry + value_bytes(entry->input) + value_bytes(entry->output) +
                value_bytes(entry->context) + value_bytes(entry->steps);
    }
    for (uint32_t i = 0; i < run->buffer_count; i++) size += value_bytes(run->buffer[i].event);
    return size;
}
