#include "workflow/task_read.h"

#include "base/assert.h"
#include "workflow/secrets.h"

/* --- what all tasks have ---------------------------------------------------------------------- */

/* What a call gets by it is evaluated again when it is sent; other tasks keep it. */
static void input_from_read(struct reader *reader, json value, void *target)
{
    struct draft *draft = reader->draft;
    uint32_t secrets    = reader->secret_expressions;
    reader->secret_use  = SECRET_SENT;
    transform_read(reader, value, target);
    reader->secret_use      = SECRET_STORED;
    draft->has_secret_input = reader->secret_expressions != secrets;
    draft->secret_input     = value_place(reader);
}

static const struct field input_fields[] = {
    {"schema", schema_read, offsetof(struct task, input_schema), OPTIONAL},
    {"from", input_from_read, offsetof(struct task, input_from), PLACE_TASK_INPUT},
};
static const struct object_kind input_kind = {
    .what = "`input`", .fields = input_fields, .field_count = ARRAY_LEN(input_fields)};

static const struct field output_fields[] = {
    {"as", transform_read, offsetof(struct task, output_as), PLACE_TASK_OUTPUT},
    {"schema", schema_read, offsetof(struct task, output_schema), OPTIONAL},
};
static const struct object_kind output_kind = {
    .what = "`output`", .fields = output_fields, .field_count = ARRAY_LEN(output_fields)};

static const struct field export_fields[] = {
    {"as", transform_read, offsetof(struct task, export_as), PLACE_TASK_EXPORT},
    {"schema", schema_read, offsetof(struct task, export_schema), OPTIONAL},
};
static const struct object_kind export_kind = {
    .what = "`export`", .fields = export_fields, .field_count = ARRAY_LEN(export_fields)};

static void input_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &input_kind, value, target);
}

static void output_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &output_kind, value, target);
}

static void export_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &export_kind, value, target);
}

/* `metadata` comes first: whether a `for` is parallel decides what its `output.as` sees. */
static const struct field base_fields[] = {
    {"metadata", task_metadata_read, 0, OPTIONAL},
    {"if", expression_read, offsetof(struct task, condition), PLACE_TASK_INPUT},
    {"input", input_read, 0, OPTIONAL},
    {"output", output_read, 0, OPTIONAL},
    {"export", export_read, 0, OPTIONAL},
    {"timeout", timeout_read, offsetof(struct task, timeout), OPTIONAL},
    {"then", flow_read, offsetof(struct task, then), OPTIONAL},
};
static const struct synonym base_synonyms[] = {
    {"when", "if"},         {"condition", "if"}, {"next", "then"},  {"goto", "then"},
    {"transition", "then"}, {"in", "input"},     {"out", "output"}, {},
};

const struct object_kind task_base = {
    .what        = "a task",
    .fields      = base_fields,
    .field_count = ARRAY_LEN(base_fields),
    .synonyms    = base_synonyms,
};

/* --- kinds ------------------------------------------------------------------------------------ */

static const struct task_form forms[] = {
    /* `for` before `do`: its body is a `do` of its own. */
    {"call", TASK_CALL, &call_task},    {"for", TASK_FOR, &for_task},
    {"do", TASK_DO, &do_task},          {"emit", TASK_EMIT, &emit_task},
    {"fork", TASK_FORK, &fork_task},    {"listen", TASK_LISTEN, &listen_task},
    {"raise", TASK_RAISE, &raise_task}, {"run", TASK_RUN, &run_task},
    {"set", TASK_SET, &set_task},       {"switch", TASK_SWITCH, &switch_task},
    {"try", TASK_TRY, &try_task},       {"wait", TASK_WAIT, &wait_task},
};

static const struct synonym form_synonyms[] = {
    {"parallel", "fork"},
    {"branch", "fork"},
    {"branches", "fork"},
    {"http", "call: http"},
    {"grpc", "call: grpc"},
    {"openapi", "call: openapi"},
    {"function", "call"},
    {"action", "call"},
    {"delay", "wait"},
    {"sleep", "wait"},
    {"map", "for"},
    {"foreach", "for"},
    {"forEach", "for"},
    {"loop", "for"},
    {"while", "for"},
    {"throw", "raise"},
    {"error", "raise"},
    {"sequence", "do"},
    {"steps", "do"},
    {"tasks", "do"},
    {"choice", "switch"},
    {"case", "switch"},
    {"catch", "try"},
    {"subflow", "run"},
    {"workflow", "run"},
    {"script", "run"},
    {"shell", "run"},
    {"container", "run"},
    {"assign", "set"},
    {"inject", "set"},
    {"event", "listen"},
    {"receive", "listen"},
    {"publish", "emit"},
    {"send", "emit"},
    {},
};

static const char *right_form(str key)
{
    for (const struct synonym *s = form_synonyms; s->wrong; s++) {
        if (str_is(key, s->wrong)) return s->right;
    }
    const char *names[ARRAY_LEN(forms)];
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) names[i] = forms[i].key;
    return nearest_name(key, names, ARRAY_LEN(forms));
}

static bool is_base_key(str key)
{
    for (size_t i = 0; i < ARRAY_LEN(base_fields); i++) {
        if (str_is(key, base_fields[i].key)) return true;
    }
    return false;
}

static void refuse_formless(struct reader *reader, json definition)
{
    for (size_t i = 0; i < json_count(definition); i++) {
        str key = json_key_at(definition, i);
        if (is_base_key(key)) continue;
        size_t back                = pointer_enter(reader, key);
        struct diagnostic *finding = refuse(reader, "V05", key_place(reader),
                                            "there is no task `" STR_FMT "`", STR_ARG(shown(key)));
        const char *right          = right_form(key);
        if (right) hint(reader, finding, "did you mean `%s`?", right);
        pointer_leave(reader, back);
        return;
    }
    struct diagnostic *finding =
        refuse(reader, "V05", value_place(reader), "this task says nothing to do");
    hint(reader, finding,
         "give it one of `call`, `do`, `emit`, `for`, `fork`, `listen`, `raise`, `run`, "
         "`set`, `switch`, `try`, `wait`");
}

const struct task_form *task_form_of(struct reader *reader, json definition)
{
    const struct task_form *form = NULL;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (json_is(json_get_text(definition, forms[i].key), JSON_INVALID)) continue;
        if (!form) {
            form = &forms[i];
        } else if (form->object != &for_task || forms[i].object != &do_task) {
            struct diagnostic *finding =
                refuse(reader, "V05", key_place(reader), "a task is either `%s` or `%s`, not both",
                       form->key, forms[i].key);
            hint(reader, finding, "make two tasks of it");
            return NULL;
        }
    }
    if (!form) {
        refuse_formless(reader, definition);
        return NULL;
    }
    return form;
}
