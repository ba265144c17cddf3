#include "scheduler/run/snapshot_agent.h"

#include "base/attr.h"

/* RunAgent. The log changes with every turn, so it is kept inline. */
/* clang-format off */
static const struct wire_field agent_fields[] = {
    {1,  WIRE_SLOT,   offsetof(struct agent, turn)},
    {2,  WIRE_U32,    offsetof(struct agent, repairs)},
    {3,  WIRE_VALUE,  offsetof(struct agent, calls)},
    {4,  WIRE_INLINE, offsetof(struct agent, log)},
    {27, WIRE_I64,    offsetof(struct agent, usage.input_tokens)},
    {28, WIRE_I64,    offsetof(struct agent, usage.output_tokens)},
    {29, WIRE_I64,    offsetof(struct agent, usage.cached_tokens)},
    {30, WIRE_I64,    offsetof(struct agent, usage.reasoning_tokens)},
    {31, WIRE_I64,    offsetof(struct agent, usage.cost_usd_nanos)},
    {32, WIRE_I64,    offsetof(struct agent, usage.calls)},
    {33, WIRE_ENUM,   offsetof(struct agent, usage.source)},
    {34, WIRE_BOOL,   offsetof(struct agent, usage.is_simulated)},
};

/* RunAgentMessage. */
static const struct wire_field message_fields[] = {
    {1, WIRE_VALUE, offsetof(struct agent_said, value)},
    {2, WIRE_ENUM,  offsetof(struct agent_said, of)},
    {3, WIRE_VALUE, offsetof(struct agent_said, call)},
};
/* clang-format on */

static const struct wire_table agent_table   = {agent_fields, ARRAY_LEN(agent_fields)};
static const struct wire_table message_table = {message_fields, ARRAY_LEN(message_fields)};

status agent_put(struct wire_writer *writer, const struct agent *agent, struct buf *scratch,
                 struct error *reterr)
{
    if (!agent) return STATUS_OK;
    TRY(wire_put_message(writer, ACTIVATION_AGENT, &agent_table, agent, scratch, reterr));
    for (uint32_t i = 0; i < agent->said_count; i++) {
        TRY(wire_put_message(writer, ACTIVATION_MESSAGE, &message_table, &agent->said[i], scratch,
                             reterr));
    }
    return STATUS_OK;
}

bool agent_is_field(const struct wire_reader *field)
{
    return field->is_bytes &&
           (field->number == ACTIVATION_AGENT || field->number == ACTIVATION_MESSAGE);
}

status agent_read(struct activation *activation, const struct wire_reader *field,
                  struct error *reterr)
{
    if (!activation->agent) activation->agent = agent_new();
    struct agent *agent = activation->agent;
    if (field->number == ACTIVATION_AGENT) {
        json_replace(&agent->log, json_invalid());
        TRY(wire_read(field->data, field, &agent_table, agent, reterr));
        if (agent->log.kind == JSON_INVALID) agent->log = json_array_new(0);
        return STATUS_OK;
    }
    struct agent_said said = {};
    status code            = wire_read(field->data, field, &message_table, &said, reterr);
    bool is_result         = said.of == SAID_RESULT || said.of == SAID_SERVER;
    if (code == STATUS_OK && (said.value.kind == JSON_INVALID || said.of > SAID_SERVER ||
                              is_result != json_is(said.call, JSON_TEXT))) {
        code = fail(reterr, STATUS_DATA_LOSS, "damaged snapshot: a message of an agent");
    }
    if (code == STATUS_OK) {
        agent_say(agent, &said);
    } else {
        agent_said_done(&said);
    }
    return code;
}
