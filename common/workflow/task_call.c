/* call: resolves the function and hands `with` to its reader. */
#include "schema/schema.h"
#include "workflow/catalog.h"
#include "workflow/secrets.h"
#include "workflow/task_read.h"
#include "json/json_text.h"

static void call_read(struct reader *reader, json value, void *target)
{
    struct task *task = target;
    if (!expect_kind(reader, value, JSON_TEXT, "`call`")) return;
    const struct function *function = function_resolve(reader, json_str(value));
    reader->draft->function         = function;
    if (!function) return;
    const struct arguments *arguments = function->arguments;

    task->call = (struct call_body){.function          = function->name,
                                    .queue             = function->queue,
                                    .by                = function->by,
                                    .undo_scope        = TASK_NONE,
                                    .has_default_retry = function->is_cataloged,
                                    .description       = function->description,
                                    .input_schema      = arguments && !function->task
                                                             ? arguments->schema
                                                             : NULL, /* else the task has its own */
                                    .output_schema     = function->output_schema};
    if (function->task) function_expand(reader, function);
    if (function->with_read == agent_with_read) {
        task->kind  = TASK_AGENT;
        task->agent = (struct agent_body){.model = TASK_NONE, .with_schema = arguments->schema};
    }
}

/* Arguments that are the same in every run need not be written down in each. */
static void constant_set(struct reader *reader, struct call_body *call)
{
    const struct template *constant =
        call->with ? template_fold(reader, call->with, CALL_CONSTANT_MAX) : NULL;
    if (!constant) return;
    CLEANUP(buf_done) struct buf text = buf_init(CALL_CONSTANT_MAX);
    if (!json_print(constant->constant, JSON_COMPACT, &text)) return;
    const char *kept = arena_strdup(reader->arena, buf_str(&text));
    if (!kept) return;
    call->with          = constant;
    call->constant      = constant->constant;
    call->constant_text = (str){kept, text.len};
    call->is_constant_fit =
        !call->input_schema ||
        schema_check(call->input_schema, call->constant, reader->scratch, NULL, NULL) == STATUS_OK;
}

static void with_read(struct reader *reader, json value, void *target)
{
    struct draft *draft = target;
    draft->has_with     = true;
    if (!draft->function) return;
    bool is_undo_name = draft->names->is_undo_name;
    if (is_undo_name && !draft->function->task) return; /* what no workflow made has its own form */
    if (!is_undo_name && !expect_kind(reader, value, JSON_OBJECT, "`with`")) return;
    uint32_t secrets = reader->secret_expressions;
    /* Else it is the input of a task, or what an agent begins with: both are stored. */
    bool is_job        = draft->function->task == NULL && draft->task.kind != TASK_AGENT;
    reader->secret_use = is_job ? SECRET_SENT : SECRET_STORED;
    draft->function->with_read(reader, value, &draft->task.call.with);
    reader->secret_use = SECRET_STORED;
    if (is_job) constant_set(reader, &draft->task.call);
    bool names_secrets = reader->secret_expressions != secrets;
    if (is_job && names_secrets) draft->task.sends_secrets = true;
}

static void call_finish(struct reader *reader, void *object)
{
    const struct draft *draft       = object;
    const struct function *function = draft->function;
    if (!function || draft->has_with) return;
    if (function->needs_with) {
        refuse(reader, "V06", value_place(reader), "`call: %s` needs `with`", function->name);
    } else if (function->arguments) {
        CLEANUP(json_unrefp) json nothing = json_object_new(0);
        arguments_check(reader, function->arguments, nothing);
    }
}

static const struct field call_fields[] = {
    {"call", call_read, 0, REQUIRED},
    {"with", with_read, 0, OPTIONAL},
};
static const struct synonym call_synonyms[] = {
    {"arguments", "with"},
    {"args", "with"},
    {"parameters", "with"},
    {"params", "with"},
    {"retry", "metadata: { tutti: { retry: … } }"},
    {},
};

const struct object_kind call_task = {
    .what        = "a `call`",
    .fields      = call_fields,
    .field_count = ARRAY_LEN(call_fields),
    .base        = &task_base,
    .synonyms    = call_synonyms,
    .finish      = call_finish,
};
