#include "workflow/agent_tools.h"

#include "schema/schema.h"
#include "workflow/secrets.h"
#include "workflow/task_read.h"

enum { TOOL_NAME_MAX = 64 /* characters, as OpenAI's API has it */ };

/* `call: http` has no schema of its own: its arguments are a form of the language. */
static const char http_schema[] =
    "{ \"type\": \"object\", \"required\": [\"method\", \"endpoint\"], \"properties\": {"
    "  \"method\":   { \"enum\": [\"get\", \"post\", \"put\", \"patch\", \"delete\", \"head\"] },"
    "  \"endpoint\": { \"type\": \"string\", \"description\": \"An http or https URL\" },"
    "  \"headers\":  { \"type\": \"object\", \"additionalProperties\": { \"type\": \"string\" } },"
    "  \"query\":    { \"type\": \"object\", \"additionalProperties\": { \"type\": \"string\" } },"
    "  \"body\":     {} }, \"additionalProperties\": false }";

/* An entry of the list while it is read. */
struct entry {
    struct agent_tool tool;               /* first: the field table counts from it */
    const struct function *function;      /* of a server: that calls one of its tools */
    const struct function *listing;       /* of a server: that asks for them */
    json connection;                      /* to the server, a text */
    const char *child;                    /* name of a workflow instead of it; NULL: none */
    struct run_body run;                  /* with `child` */
    const struct approval_rule *approval; /* NULL: nobody is asked */
    struct duration approval_timeout;
    bool sends_secrets; /* its fixed arguments name some */
    bool is_refused;
};

/* --- the target ------------------------------------------------------------------------------- */

/* What the input of a declared function must be is what its tool takes. A schema that is none gets
 * its finding where the function is read. */
static json declared_schema(const struct function *function)
{
    json input  = json_get_text(json_get_text(function->task->definition, "input"), "schema");
    json source = json_get_text(input, "document");
    CLEANUP(schema_freep) struct schema *schema = NULL;
    bool is_fine                                = json_is(source, JSON_OBJECT) &&
                   schema_compile(source, NULL, NULL, &schema, NULL) == STATUS_OK;
    return is_fine ? source : json_invalid();
}

static bool can_be_tool(const struct function *function)
{
    bool is_executed = function->state == FUNCTION_EXECUTED && function->by == CALL_JOB &&
                       function->with_read != agent_with_read;
    return is_executed && (function->is_cataloged || str_is(str_from(function->name), "http"));
}

static void function_read(struct reader *reader, json value, void *target)
{
    struct entry *entry = target;
    entry->is_refused   = true;
    if (!expect_kind(reader, value, JSON_TEXT, "`function`")) return;
    const struct function *function = function_resolve(reader, json_str(value));
    if (!function) return;
    if (function->is_linked && !function->task) return; /* its document is needed first */
    if (!function->task && !can_be_tool(function)) {
        refuse(reader, "V14", value_place(reader), "`%s` cannot be a tool", function->name);
        return;
    }
    entry->function   = function;
    entry->is_refused = false;
    if (function->description && *function->description->summary) {
        entry->tool.description = function->description->summary;
    }
    if (function->arguments) entry->tool.schema = function->arguments->source;
    if (function->task) entry->tool.schema = declared_schema(function);
    if (str_is(str_from(function->name), "http")) {
        entry->tool.schema = arguments_compile(reader, "http", http_schema)->source;
    }
}

static void refuse_second(struct reader *reader, struct entry *entry)
{
    entry->is_refused = true;
    refuse(reader, "V06", key_place(reader), "a tool has one of `function`, `workflow` and `mcp`");
}

/* What it takes, and what it is for, is asked when the agent starts. */
static void child_read(struct reader *reader, json value, void *target)
{
    struct entry *entry = target;
    entry->run.is_tool  = true;
    if (!tool_workflow_read(reader, value, &entry->run)) {
        entry->is_refused = true;
        return;
    }
    entry->child = json_str(json_get_text(value, "name")).ptr;
    if (entry->function) refuse_second(reader, entry);
}

/* Which tools there are is asked when the agent starts. */
static void server_read(struct reader *reader, json value, void *target)
{
    struct entry *entry = target;
    if (entry->function || entry->child) {
        refuse_second(reader, entry);
        return;
    }
    entry->is_refused = true;
    if (!expect_kind(reader, value, JSON_TEXT, "`mcp`")) return;
    if (json_str(value).len == 0 || is_expression(value)) {
        struct diagnostic *finding =
            refuse(reader, "V06", value_place(reader), "`mcp` is the name of a connection");
        hint(reader, finding, "one of `tools.connections`, of the adapter `mcp`");
        return;
    }
    entry->connection      = value;
    entry->tool.connection = json_str(value).ptr;
    entry->listing         = function_resolve(reader, str_from("mcp.list_tools"));
    if (!entry->listing) return;
    entry->function   = function_resolve(reader, str_from("mcp.call_tool"));
    entry->is_refused = !entry->function;
}

static void only_read(struct reader *reader, json value, void *target)
{
    struct entry *entry = target;
    if (!entry->tool.connection) {
        refuse(reader, "V30", key_place(reader), "`only` chooses from the tools of `mcp`");
        return;
    }
    bool is_fine = json_is(value, JSON_ARRAY) && json_count(value) > 0;
    for (size_t i = 0; is_fine && i < json_count(value); i++) {
        is_fine = json_is(json_at(value, i), JSON_TEXT) && json_str(json_at(value, i)).len > 0;
    }
    if (is_fine) {
        entry->tool.only = value;
        return;
    }
    refuse(reader, "V06", value_place(reader), "`only` is a list of names of tools");
}

/* What is said of one tool cannot be said of all those of a server. True: there is a finding. */
static bool is_for_one(struct reader *reader, const struct entry *entry)
{
    if (!entry->tool.connection) return false;
    refuse(reader, "V30", key_place(reader), "the tools of `mcp` say it themselves");
    return true;
}

static const char *target_name(const struct entry *entry)
{
    if (entry->tool.connection) return entry->tool.connection;
    if (entry->child) return entry->child;
    return entry->function ? entry->function->name : "the function";
}

/* --- what the model sees ---------------------------------------------------------------------- */

static bool name_is_valid(str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c         = name.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && (i == 0 || !((c >= '0' && c <= '9') || c == '-'))) return false;
    }
    return name.len > 0 && name.len <= TOOL_NAME_MAX;
}

static void name_read(struct reader *reader, json value, void *target)
{
    struct entry *entry = target;
    if (!expect_kind(reader, value, JSON_TEXT, "`name`")) return;
    if (name_is_valid(json_str(value))) {
        entry->tool.name = json_str(value).ptr;
        return;
    }
    struct diagnostic *finding =
        refuse(reader, "V12", value_place(reader), "`" STR_FMT "` cannot be the name of a tool",
               STR_ARG(shown(json_str(value))));
    hint(reader, finding, "letters, digits, `_` and `-`, a letter first, at most %d",
         TOOL_NAME_MAX);
}

/* "web.scrape_page" becomes "web_scrape_page", and the workflow or the server "find-it" "find_it".
 * NULL after a finding. */
static const char *default_name(struct reader *reader, const struct entry *entry)
{
    str target = str_from(target_name(entry));
    char *name = reader_alloc(reader, target.len + 1, 1);
    for (size_t i = 0; i < target.len; i++) {
        bool is_dashed  = (entry->child || entry->tool.connection) && target.ptr[i] == '-';
        bool is_changed = target.ptr[i] == '.' || is_dashed;
        name[i]         = is_changed ? '_' : target.ptr[i];
    }
    if (name_is_valid(str_from(name))) return name;
    struct diagnostic *finding = refuse(reader, "V12", value_place(reader),
                                        "`%s` cannot be the name of a tool", target_name(entry));
    hint(reader, finding, "give it a `name`");
    return NULL;
}

static void description_read(struct reader *reader, json value, void *target)
{
    struct entry *entry = target;
    if (is_for_one(reader, entry)) return;
    text_read(reader, value, &entry->tool.description);
}

static void parameters_read(struct reader *reader, json value, void *target)
{
    struct entry *entry = target;
    if (is_for_one(reader, entry)) return;
    if (!json_is(entry->tool.schema, JSON_INVALID) || entry->child) {
        refuse(reader, "V30", key_place(reader), "`%s` says itself what its arguments are",
               target_name(entry));
        return;
    }
    CLEANUP(schema_freep) struct schema *schema = NULL;
    struct error why                            = {};
    if (schema_compile(value, NULL, NULL, &schema, &why) != STATUS_OK) {
        refuse(reader, "V06", value_place(reader), "in the schema: %s", why.text);
        return;
    }
    entry->tool.schema = value;
}

static void fixed_read(struct reader *reader, json value, void *target)
{
    struct entry *entry = target;
    if (is_for_one(reader, entry)) return;
    if (!expect_kind(reader, value, JSON_OBJECT, "`with` of a tool")) return;
    /* Of a job: evaluated again when it is sent. Else it becomes the input of a task or a run. */
    bool is_job        = entry->function && !entry->function->task;
    uint32_t secrets   = reader->secret_expressions;
    reader->secret_use = is_job ? SECRET_SENT : SECRET_STORED;
    template_read(reader, value, &entry->tool.fixed);
    reader->secret_use   = SECRET_STORED;
    entry->sends_secrets = is_job && reader->secret_expressions != secrets;
    json properties      = json_get_text(entry->tool.schema, "properties");
    if (!json_is(json_get_text(entry->tool.schema, "additionalProperties"), JSON_FALSE)) return;
    for (size_t i = 0; i < json_count(value); i++) {
        str key = json_key_at(value, i);
        if (!json_is(json_get(properties, key), JSON_INVALID)) continue;
        size_t back = pointer_enter(reader, key);
        refuse(reader, "V14", key_place(reader), "`" STR_FMT "` is not an argument of `%s`",
               STR_ARG(shown(key)), target_name(entry));
        pointer_leave(reader, back);
    }
}

/* --- what happens with a call ----------------------------------------------------------------- */

static void on_error_read(struct reader *reader, json value, void *target)
{
    static const char *const words[] = {"report", "fault"};
    struct entry *entry              = target;
    size_t index                     = 0;
    if (choice_read(reader, value, words, ARRAY_LEN(words), &index)) {
        entry->tool.is_fault = index == 1;
    }
}

/* What the approver sees is the call itself: the input of the task that asks. */
static void approval_read(struct reader *reader, json value, void *target)
{
    struct entry *entry = target;
    if (json_is(value, JSON_FALSE)) return;
    struct agent_approval approval = {.rule = {.is_editable = true}};
    if (!json_is(value, JSON_TRUE) && !agent_approval_read(reader, value, &approval)) return;
    struct approval_rule *rule     = reader_alloc(reader, 1, sizeof *rule);
    *rule                          = approval.rule;
    const struct expression *whole = expression_compile(reader, str_from("."), 0);
    if (whole) rule->payload = template_of_expression(reader, whole);
    entry->approval         = rule;
    entry->approval_timeout = approval.timeout;
}

static const struct field tool_fields[] = {
    {"function", function_read, 0, OPTIONAL},
    {"workflow", child_read, 0, OPTIONAL},
    {"mcp", server_read, 0, OPTIONAL},
    {"only", only_read, 0, OPTIONAL},
    {"name", name_read, 0, OPTIONAL},
    {"description", description_read, 0, OPTIONAL},
    {"parameters", parameters_read, 0, OPTIONAL},
    {"with", fixed_read, 0, OPTIONAL},
    {"approval", approval_read, 0, OPTIONAL},
    {"onError", on_error_read, 0, OPTIONAL},
};
static const struct synonym tool_synonyms[] = {
    {"call", "function"},  {"tool", "function"},     {"on_error", "onError"},
    {"arguments", "with"}, {"schema", "parameters"}, {},
};
static const struct object_kind tool_kind = {
    .what        = "a tool",
    .fields      = tool_fields,
    .field_count = ARRAY_LEN(tool_fields),
    .synonyms    = tool_synonyms,
};

/* --- the list --------------------------------------------------------------------------------- */

static void check_unique(struct reader *reader, const struct agent_body *agent, const char *name)
{
    for (uint32_t i = 0; i < agent->tool_count; i++) {
        if (strcmp(agent->tools[i].name, name) != 0) continue;
        struct diagnostic *finding = refuse(reader, "V10", value_place(reader),
                                            "`%s` is also the name of another tool", name);
        hint(reader, finding, "give one of them another `name`");
    }
}

/* A declared function is read behind the agent, as if a task called it here. */
static void declared_expand(struct reader *reader, const struct function *function,
                            struct task *task)
{
    struct draft *agent = reader->draft;
    reader->draft       = reader->drafts[task->index];
    function_expand(reader, function);
    reader->draft = agent;
}

static struct call_body call_body_of(const struct function *function)
{
    const struct arguments *arguments = function->arguments;
    return (struct call_body){.function          = function->name,
                              .queue             = function->queue,
                              .description       = function->description,
                              .input_schema      = arguments ? arguments->schema : NULL,
                              .output_schema     = function->output_schema,
                              .has_default_retry = true,
                              .takes_input       = true};
}

/* The task that asks a server for its tools. */
static void listing_add(struct reader *reader, struct entry *entry)
{
    struct agent_tool *tool = &entry->tool;
    struct task *task       = agent_child_new(reader, TASK_CALL, tool->name, "/listings/", "");
    if (!task) return;
    const struct template_member members[] = {
        {"connection", template_of_constant(reader, entry->connection)}};
    task->call             = call_body_of(entry->listing);
    task->call.takes_input = false;
    task->call.with        = template_of_members(reader, members, ARRAY_LEN(members));
    tool->listing          = task->index;
}

static void tasks_add(struct reader *reader, struct entry *entry)
{
    struct agent_tool *tool   = &entry->tool;
    const enum task_kind kind = entry->child ? TASK_RUN : TASK_CALL;
    struct task *task         = agent_child_new(reader, kind, tool->name, "/tools/", "");
    if (!task) return;
    if (entry->child) {
        task->run = entry->run;
    } else {
        task->call                            = call_body_of(entry->function);
        reader->drafts[task->index]->function = entry->function; /* it may say how it is undone */
        if (entry->sends_secrets) task->call.fixed = tool->fixed;
        task->sends_secrets = entry->sends_secrets;
        if (entry->function->task) declared_expand(reader, entry->function, task);
    }
    tool->task = task->index;
    if (!entry->approval) return;
    struct task *approval =
        agent_child_new(reader, TASK_LISTEN, tool->name, "/tools/", "/approval");
    if (!approval) return;
    approval->timeout        = entry->approval_timeout;
    approval->listen         = (struct listen_body){.approval = entry->approval};
    approval->listen.to.mode = LISTEN_ONE;
    tool->approval           = approval->index;
}

static bool has_tool(const struct agent_body *agent, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(agent->tools[i].name, name) == 0) return true;
    }
    return false;
}

/* `own_count`: how many tools the task has itself, while those of its assistant are read, which
 * give way to them; UINT32_MAX: its own are read. */
static void tool_read(struct reader *reader, json value, struct agent_body *agent,
                      uint32_t own_count)
{
    bool is_lent       = own_count != UINT32_MAX;
    struct entry entry = {.tool = {.task = TASK_NONE, .approval = TASK_NONE, .listing = TASK_NONE}};
    if (is_lent && json_is(value, JSON_TEXT)) {
        function_read(reader, value, &entry);
    } else if (!object_read(reader, &tool_kind, value, &entry)) {
        return;
    }
    if (entry.is_refused) return;
    if (!entry.function && !entry.child) {
        refuse(reader, "V06", value_place(reader), "a tool needs `function`, `workflow` or `mcp`");
        return;
    }
    if (!entry.tool.name) entry.tool.name = default_name(reader, &entry);
    if (!entry.tool.name || (is_lent && has_tool(agent, own_count, entry.tool.name))) return;
    if (!entry.tool.description && !entry.child) entry.tool.description = entry.function->name;
    check_unique(reader, agent, entry.tool.name);
    tasks_add(reader, &entry);
    if (entry.listing) listing_add(reader, &entry);
    agent->tools[agent->tool_count++] = entry.tool;
}

void agent_tools_read(struct reader *reader, json value, struct agent_body *agent)
{
    if (is_expression(value)) {
        struct diagnostic *finding =
            refuse(reader, "V06", value_place(reader), "`tools` is a list in the definition");
        hint(reader, finding, "what differs from run to run goes into the `with` of a tool");
        return;
    }
    size_t count = json_count(value);
    if (!json_is(value, JSON_ARRAY) || count > AGENT_TOOLS_MAX) return; /* has been said */
    agent->tools = reader_alloc(reader, count + 1, sizeof *agent->tools);
    for (size_t i = 0; i < count; i++) {
        size_t back = pointer_enter_index(reader, i);
        tool_read(reader, json_at(value, i), agent, UINT32_MAX);
        pointer_leave(reader, back);
    }
}

void agent_lent_tools_read(struct reader *reader, json value, struct agent_body *agent)
{
    uint32_t own_count       = agent->tool_count;
    size_t count             = json_count(value);
    struct agent_tool *tools = NULL;
    if (!json_is(value, JSON_ARRAY) || count == 0) return;
    if (own_count + count > AGENT_TOOLS_MAX) {
        refuse(reader, "V06", value_place(reader),
               "an agent has at most %d tools, those of its assistant included", AGENT_TOOLS_MAX);
        return;
    }
    tools = reader_alloc(reader, own_count + count, sizeof *tools);
    if (own_count > 0) memcpy(tools, agent->tools, own_count * sizeof *tools);
    agent->tools = tools;
    for (size_t i = 0; i < count; i++) {
        size_t back = pointer_enter_index(reader, i);
        tool_read(reader, json_at(value, i), agent, own_count);
        pointer_leave(reader, back);
    }
}
