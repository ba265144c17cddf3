/*
 * The arguments of `agent.run`. What is evaluated once, at the start, becomes one template; `tools`
 * and `retry` are part of the definition, since they say which tasks the agent consists of.
 */
#include "workflow/agent_tools.h"
#include "workflow/task_read.h"

#include <stdio.h>

enum { CHILD_REFERENCE_MAX = POINTER_MAX };

const char agent_input_schema[] =
    "{ \"type\": \"object\", \"required\": [\"input\"], \"properties\": {"
    "  \"model\":        { \"type\": \"string\", \"minLength\": 1 },"
    "  \"assistant\":    { \"type\": \"string\", \"minLength\": 1 },"
    "  \"variables\":    { \"type\": \"object\" },"
    "  \"instructions\": { \"type\": \"string\" },"
    "  \"input\":        { \"oneOf\": [ { \"type\": \"string\" },"
    "      { \"type\": \"array\", \"minItems\": 1, \"items\": {"
    "          \"type\": \"object\", \"required\": [\"role\"], \"properties\": {"
    "            \"role\": { \"enum\": [\"developer\", \"system\", \"user\", \"assistant\","
    "                                   \"tool\"] },"
    "            \"content\": { \"type\": [\"string\", \"array\", \"null\"] } } } } ] },"
    "  \"tools\":        { \"type\": \"array\", \"maxItems\": 128 },"
    "  \"maxTurns\":     { \"type\": \"integer\", \"minimum\": 1, \"maximum\": 256 },"
    "  \"budget\":       { \"type\": \"object\", \"minProperties\": 1,"
    "      \"additionalProperties\": false, \"properties\": {"
    "        \"tokens\": { \"type\": \"integer\", \"minimum\": 1 },"
    "        \"usd\": { \"oneOf\": [ { \"type\": \"number\", \"exclusiveMinimum\": 0 },"
    "            { \"type\": \"string\", \"pattern\": \"^[0-9]+(\\\\.[0-9]+)?$\" } ] } } },"
    "  \"retry\":        { \"type\": [\"string\", \"object\"] },"
    "  \"schema\":       { \"type\": [\"object\", \"boolean\"] },"
    "  \"temperature\":  { \"type\": \"number\", \"minimum\": 0, \"maximum\": 2 },"
    "  \"top_p\":        { \"type\": \"number\", \"minimum\": 0, \"maximum\": 1 },"
    "  \"max_tokens\":            { \"type\": \"integer\", \"minimum\": 1 },"
    "  \"max_completion_tokens\": { \"type\": \"integer\", \"minimum\": 1 },"
    "  \"parallel_tool_calls\":   { \"type\": \"boolean\" },"
    "  \"stop\":             { \"type\": [\"string\", \"array\"] },"
    "  \"seed\":             { \"type\": \"integer\" },"
    "  \"presence_penalty\":  { \"type\": \"number\" },"
    "  \"frequency_penalty\": { \"type\": \"number\" },"
    "  \"reasoning_effort\": { \"enum\": [\"none\", \"minimal\", \"low\", \"medium\", \"high\","
    "                          \"xhigh\", \"max\"] },"
    "  \"verbosity\":    { \"enum\": [\"low\", \"medium\", \"high\"] },"
    "  \"service_tier\": { \"type\": \"string\" },"
    "  \"user\":         { \"type\": \"string\" } } }";

/* --- its tasks -------------------------------------------------------------------------------- */

/* Read once; every task of the agent goes by it. */
struct agent_retry {
    const struct retry_rule *rule;
    bool is_own;
};

static void agent_retry_read(struct reader *reader, json value, struct agent_retry *retry)
{
    const struct scope outer          = reader->scope;
    const struct scope_variable error = {
        .name = "error", .task = reader->draft->task.index, .kind = SCOPE_ERROR};
    retry->is_own = true;
    if (json_is(value, JSON_TEXT) && str_is(json_str(value), "none")) return;
    reader->scope = scope_extend(reader, &error, 1);
    retry_read(reader, value, &retry->rule);
    reader->scope = outer;
}

struct task *agent_child_new(struct reader *reader, enum task_kind kind, const char *name,
                             const char *before, const char *after)
{
    if (reader->task_count >= WORKFLOW_TASKS_MAX) {
        refuse(reader, "V01", value_place(reader),
               "a definition has at most %d tasks, those of agents included", WORKFLOW_TASKS_MAX);
        return NULL;
    }
    const struct task *agent = &reader->draft->task;
    char *reference          = reader_alloc(reader, CHILD_REFERENCE_MAX, 1);
    (void)snprintf(reference, CHILD_REFERENCE_MAX, "%s%s%s%s", agent->reference, before, name,
                   after);
    struct draft *child = scratch_alloc(reader, 1, sizeof *child);
    *child              = (struct draft){
                     .names   = reader->draft->names,
                     .entry   = scratch_alloc(reader, 1, sizeof *child->entry),
                     .source  = reader->draft->source,
                     .pointer = reader->draft->pointer,
                     .depth   = reader->draft->depth + 1,
                     .scope   = reader->draft->scope,
                     .task    = {.index     = reader->draft_count,
                                 .parent    = agent->index,
                                 .name      = name,
                                 .reference = reference,
                                 .line      = agent->line,
                                 .column    = agent->column,
                                 .kind      = kind,
                                 .weight    = 1,
                                 .priority  = PRIORITY_INHERIT},
    };
    reader->drafts[reader->draft_count++] = child;
    reader->task_count++;
    return &child->task;
}

static void model_add(struct reader *reader, struct agent_body *agent)
{
    struct task *model = agent_child_new(reader, TASK_CALL, "model", "/", "");
    if (!model) return;
    const struct function *chat = function_resolve(reader, str_from("llm.chat"));
    model->call                 = (struct call_body){.function          = chat->name,
                                                     .queue             = chat->queue,
                                                     .description       = chat->description,
                                                     .has_default_retry = true,
                                                     .is_turn           = true};
    agent->model                = model->index;
}

/* All of them in one list, with the agent's policy for jobs and functions. A child run is not
 * started again: it has retries of its own, and no key keeps what it did from being done twice. */
static void tasks_collect(struct reader *reader, struct agent_body *agent,
                          const struct agent_retry *retry, uint32_t first)
{
    uint32_t count = reader->draft_count - first;
    agent->tasks   = (struct task_list){
          .tasks = reader_alloc(reader, count, sizeof *agent->tasks.tasks), .count = count};
    for (uint32_t i = 0; i < count; i++) {
        struct task *task     = &reader->drafts[first + i]->task;
        task->position        = i;
        agent->tasks.tasks[i] = task->index;
        bool is_retried       = task->kind == TASK_CALL || task->kind == TASK_FUNCTION;
        if (!retry->is_own || !is_retried) continue;
        task->has_own_retry          = true;
        task->retry                  = retry->rule;
        task->call.has_default_retry = false;
    }
}

/* --- the arguments ---------------------------------------------------------------------------- */

static bool is_of_definition(str key)
{
    return str_is(key, "tools") || str_is(key, "retry");
}

/* What is evaluated at the start. */
static const struct template *with_template(struct reader *reader, json value)
{
    size_t count                    = json_count(value);
    struct template_member *members = scratch_alloc(reader, count + 1, sizeof *members);
    for (size_t i = 0; i < count; i++) {
        if (is_of_definition(json_key_at(value, i))) continue;
        size_t back    = pointer_enter(reader, json_key_at(value, i));
        members[i].key = json_str(json_key_value_at(value, i)).ptr;
        template_read(reader, json_value_at(value, i), &members[i].value);
        pointer_leave(reader, back);
    }
    return template_of_members(reader, members, count);
}

static void check_model(struct reader *reader, json value)
{
    bool has_model = !json_is(json_get_text(value, "model"), JSON_INVALID) ||
                     !json_is(json_get_text(value, "assistant"), JSON_INVALID);
    if (has_model) return;
    refuse(reader, "V14", value_place(reader), "`agent.run` needs `model` or `assistant`");
}

void agent_with_read(struct reader *reader, json value, void *)
{
    struct agent_body *agent = &reader->draft->task.agent;
    struct agent_retry retry = {};
    uint32_t first           = reader->draft_count;
    json policy              = json_get_text(value, "retry");
    json tools               = json_get_text(value, "tools");
    arguments_check(reader, reader->draft->function->arguments, value);
    check_model(reader, value);
    agent->with = with_template(reader, value);
    if (!json_is(policy, JSON_INVALID)) {
        size_t back = pointer_enter(reader, str_from("retry"));
        agent_retry_read(reader, policy, &retry);
        pointer_leave(reader, back);
    }
    model_add(reader, agent);
    if (!json_is(tools, JSON_INVALID)) {
        size_t back = pointer_enter(reader, str_from("tools"));
        agent_tools_read(reader, tools, agent);
        pointer_leave(reader, back);
    }
    agent_assistant_read(reader, value, agent);
    tasks_collect(reader, agent, &retry, first);
}
