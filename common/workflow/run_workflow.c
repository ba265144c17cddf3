/* `run: workflow`: a child run. What runs somebody's program is in run_code.c. */
#include "workflow/task_read.h"
#include "workflow/version.h"

static bool is_literal(json value)
{
    return json_is(value, JSON_TEXT) && !is_expression(value);
}

static void namespace_read(struct reader *reader, json value, void *target)
{
    template_text_read(reader, value, target);
    if (!is_literal(value) || str_is(json_str(value), reader->workflow->namespace_)) return;
    struct diagnostic *finding =
        refuse(reader, "V06", value_place(reader),
               "a child run stays in the namespace of its workflow, which is `%s`",
               reader->workflow->namespace_);
    hint(reader, finding, "`namespace: %s`", reader->workflow->namespace_);
}

static void version_read(struct reader *reader, json value, void *target)
{
    template_text_read(reader, value, target);
    if (!is_literal(value) || str_is(json_str(value), "latest")) return;
    if (version_is_valid(json_str(value))) return;
    struct diagnostic *finding =
        refuse(reader, "V06", value_place(reader), "`version` is a semantic version, or `latest`");
    hint(reader, finding, "`version: '1.2.0'`");
}

static const struct field workflow_fields[] = {
    {"namespace", namespace_read, offsetof(struct run_body, namespace_), REQUIRED},
    {"name", template_text_read, offsetof(struct run_body, name), REQUIRED},
    {"version", version_read, offsetof(struct run_body, version), REQUIRED},
    {"input", template_map_read, offsetof(struct run_body, input), OPTIONAL},
};
static const struct synonym workflow_synonyms[] = {
    {"with", "input"},
    {"arguments", "input"},
    {"workflow", "name"},
    {},
};
static const struct object_kind workflow_kind = {
    .what        = "`run.workflow`",
    .fields      = workflow_fields,
    .field_count = ARRAY_LEN(workflow_fields),
    .synonyms    = workflow_synonyms,
};

static void workflow_member_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &workflow_kind, value, target);
}

static void await_read(struct reader *reader, json value, void *target)
{
    struct run_body *run = target;
    bool is_awaited      = true;
    boolean_read(reader, value, &is_awaited);
    run->is_detached = !is_awaited;
}

/* What a process returns; of it only `none` means something here. */
static void return_read(struct reader *reader, json value, void *target)
{
    static const char *const names[] = {"stdout", "stderr", "code", "all", "none"};
    struct run_body *run             = target;
    size_t index;
    if (!choice_read(reader, value, names, ARRAY_LEN(names), &index)) return;
    run->returns_nothing = str_is(json_str(value), "none");
    if (run->returns_nothing) return;
    struct diagnostic *finding =
        warn(reader, "V43", key_place(reader),
             "`return: %s` means nothing for a workflow: its output is returned", names[index]);
    hint(reader, finding, "leave it out");
}

static const struct field run_fields[] = {
    {"workflow", workflow_member_read, 0, REQUIRED},
    {"await", await_read, 0, OPTIONAL},
    {"return", return_read, 0, OPTIONAL},
};
static const struct object_kind run_kind = {
    .what = "`run`", .fields = run_fields, .field_count = ARRAY_LEN(run_fields)};

/* --- a tool ----------------------------------------------------------------------------------- */

static const struct field tool_fields[] = {
    {"namespace", namespace_read, offsetof(struct run_body, namespace_), REQUIRED},
    {"name", template_text_read, offsetof(struct run_body, name), REQUIRED},
    {"version", version_read, offsetof(struct run_body, version), REQUIRED},
};
static const struct object_kind tool_kind = {
    .what = "`workflow` of a tool", .fields = tool_fields, .field_count = ARRAY_LEN(tool_fields)};

bool tool_workflow_read(struct reader *reader, json value, struct run_body *target)
{
    if (!object_read(reader, &tool_kind, value, target)) return false;
    bool is_fine = target->namespace_ && target->name && target->version;
    for (size_t i = 0; i < json_count(value); i++) {
        if (!is_expression(json_value_at(value, i))) continue;
        size_t back = pointer_enter(reader, json_key_at(value, i));
        struct diagnostic *finding =
            refuse(reader, "V06", value_place(reader), "a tool's workflow is no expression");
        hint(reader, finding, "what differs from run to run goes into the `with` of the tool");
        pointer_leave(reader, back);
        is_fine = false;
    }
    return is_fine;
}

void run_workflow_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &run_kind, value, target);
}
