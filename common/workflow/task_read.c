#include "workflow/task_read.h"

#include "base/assert.h"
#include "workflow/secrets.h"

/* A task whose name is known and whose map is still to be read. */
struct pending {
    struct pending *next;
    struct task_names *names;
    uint32_t position;
    struct scope scope;
    char *reference; /* JSON pointer of its map */
    json definition;
};

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

static const struct task_form {
    const char *key;
    enum task_kind kind;
    const struct object_kind *object;
} forms[] = {
    /* `for` before `do`: its body is a `do` of its own. `run` is always refused so far, so it needs
     * no kind of its own. */
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

/* The form of a task; NULL after a finding if it has none or two. */
static const struct task_form *form_of(struct reader *reader, json definition)
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

/* --- lists ------------------------------------------------------------------------------------ */

static void check_name(struct reader *reader, struct task_names *names, struct task_name *entry,
                       str name)
{
    if (name.len == 0 || memchr(name.ptr, '\0', name.len)) {
        refuse(reader, "V12", key_place(reader), "the name of a task is a text without NUL");
    }
    static const char *const reserved[] = {"continue", "exit", "end"};
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        if (!str_is(name, reserved[i])) continue;
        struct diagnostic *finding = refuse(reader, "V12", key_place(reader),
                                            "`%s` is a word of `then`, not a name", reserved[i]);
        hint(reader, finding, "rename the task");
    }
    if (memchr(name.ptr, '/', name.len) || memchr(name.ptr, '~', name.len)) {
        struct diagnostic *finding =
            warn(reader, "V12", key_place(reader),
                 "`" STR_FMT "`: `/` and `~` are escaped in references", STR_ARG(shown(name)));
        hint(reader, finding, "rename the task");
    }
    const struct task_name *other = map_get(names->by_name, name);
    if (other) {
        struct diagnostic *finding =
            refuse(reader, "V10", key_place(reader), "`" STR_FMT "` is also the task at %u:%u",
                   STR_ARG(shown(name)), other->line, other->column);
        hint(reader, finding, "rename one of the two");
        return;
    }
    (void)map_put(names->by_name, name, entry);
}

static void pending_add(struct reader *reader, struct task_names *names, uint32_t position,
                        struct scope scope, json definition)
{
    struct pending *pending = scratch_alloc(reader, 1, sizeof *pending);
    str reference           = buf_str(&reader->pointer);
    char *copy              = reader_alloc(reader, reference.len + 1, 1);
    memcpy(copy, reference.ptr, reference.len);
    *pending              = (struct pending){.names      = names,
                                             .position   = position,
                                             .scope      = scope,
                                             .reference  = copy,
                                             .definition = definition};
    *reader->children_end = pending;
    reader->children_end  = &pending->next;
}

static void item_read(struct reader *reader, json item, struct task_names *names, uint32_t position,
                      struct scope scope)
{
    if (!json_is(item, JSON_OBJECT) || json_count(item) != 1) {
        struct diagnostic *finding = refuse(
            reader, "V05", value_place(reader), "an entry of a list of tasks is `name: task`%s",
            json_is(item, JSON_OBJECT) ? ", and this one has another number of keys" : "");
        hint(reader, finding,
             json_count(item) > 1 ? "indent what belongs to the task below its name"
                                  : "give the task a name");
        return;
    }
    str name                = json_key_at(item, 0);
    size_t back             = pointer_enter(reader, name);
    struct task_name *entry = &names->entries[position];
    struct yaml_place where = key_place(reader);
    *entry                  = (struct task_name){
                         .name     = json_str(json_key_value_at(item, 0)).ptr,
                         .position = position,
                         .line     = where.line,
                         .column   = where.column,
    };
    check_name(reader, names, entry, name);
    pending_add(reader, names, position, scope, json_value_at(item, 0));
    pointer_leave(reader, back);
}

static bool has_room(struct reader *reader, size_t count)
{
    if (reader->task_count + count <= WORKFLOW_TASKS_MAX) return true;
    refuse(reader, "V01", value_place(reader), "a definition has at most %d tasks",
           WORKFLOW_TASKS_MAX);
    return false;
}

struct task_names *task_list_read(struct reader *reader, json value, struct task_list *target,
                                  struct scope scope)
{
    if (!json_is(value, JSON_ARRAY)) {
        struct diagnostic *finding = refuse(reader, "V06", value_place(reader),
                                            "tasks are a list, not %s", kind_words(value.kind));
        if (json_is(value, JSON_OBJECT)) hint(reader, finding, "put `- ` before each name");
        return NULL;
    }
    size_t count = json_count(value);
    if (!has_room(reader, count)) return NULL;
    reader->task_count += (uint32_t)count;

    struct task_names *names = scratch_alloc(reader, 1, sizeof *names);
    *names                   = (struct task_names){
                          .next    = reader->names,
                          .owner   = reader->draft,
                          .list    = target,
                          .by_name = map_new(count + 1),
                          .entries = scratch_alloc(reader, count, sizeof *names->entries),
                          .count   = (uint32_t)count,
    };
    reader->names = names;
    if (reader->draft) {
        names->next_of_owner = reader->draft->lists;
        reader->draft->lists = names;
    } else {
        reader->root = names;
    }
    *target = (struct task_list){.tasks = reader_alloc(reader, count, sizeof *target->tasks),
                                 .count = (uint32_t)count};
    for (uint32_t i = 0; i < count; i++) {
        target->tasks[i] = TASK_NONE;
        size_t back      = pointer_enter_index(reader, i);
        item_read(reader, json_at(value, i), names, i, scope);
        pointer_leave(reader, back);
    }
    return names;
}

void body_read(struct reader *reader, json value, void *target)
{
    (void)task_list_read(reader, value, target, reader->draft->body_scope);
}

/* --- tasks ------------------------------------------------------------------------------------ */

/* The job default stands back where the author says how to retry: on the task itself, or on the
 * `try` directly around it, since attempts would multiply. */
static void default_retry_decide(struct draft *draft)
{
    struct task *task         = &draft->task;
    const struct draft *owner = draft->names->owner;
    if (task->kind != TASK_CALL) return;
    bool is_tried = owner && owner->task.kind == TASK_TRY && owner->task.try_.retry &&
                    draft->names->list == &owner->task.try_.body;
    if (task->has_own_retry || is_tried) task->call.has_default_retry = false;
}

static void secret_input_decide(struct reader *reader, struct draft *draft)
{
    if (!draft->has_secret_input) return;
    if (draft->task.kind == TASK_CALL) {
        draft->task.sends_secrets = true;
        return;
    }
    struct diagnostic *finding =
        warn(reader, "V44", draft->secret_input,
             "the input of this task is stored, so `***` stands in it for every secret");
    hint(reader, finding, "give it to the `call` that sends it: in `with`, or in its `input.from`");
}

static struct draft *draft_new(struct reader *reader, const struct pending *pending)
{
    struct draft *draft     = scratch_alloc(reader, 1, sizeof *draft);
    struct task_name *entry = &pending->names->entries[pending->position];
    struct draft *owner     = pending->names->owner;
    *draft                  = (struct draft){
                         .names      = pending->names,
                         .entry      = entry,
                         .scope      = pending->scope,
                         .body_scope = pending->scope,
                         .task       = {.index     = reader->draft_count,
                                        .parent    = owner ? owner->task.index : TASK_NONE,
                                        .position  = pending->position,
                                        .name      = entry->name,
                                        .reference = pending->reference,
                                        .line      = entry->line,
                                        .column    = entry->column,
                                        .weight    = 1,
                                        .priority  = PRIORITY_INHERIT},
    };
    draft->task.is_compensation = pending->names->is_undo || (owner && owner->task.is_compensation);
    pending->names->list->tasks[pending->position] = draft->task.index;
    reader->drafts[reader->draft_count++]          = draft;
    return draft;
}

static void task_read(struct reader *reader, const struct pending *pending)
{
    struct draft *draft = draft_new(reader, pending);
    buf_clear(&reader->pointer);
    (void)buf_put_text(&reader->pointer, pending->reference);
    reader->draft = draft;
    reader->scope = pending->scope;
    reader->place = PLACE_TASK;

    if (!json_is(pending->definition, JSON_OBJECT)) {
        refuse(reader, "V05", key_place(reader), "a task is a map, not %s",
               kind_words(pending->definition.kind));
        return;
    }
    const struct task_form *form = form_of(reader, pending->definition);
    if (!form) return;
    draft->task.kind = form->kind;
    (void)object_read(reader, form->object, pending->definition, draft);
    default_retry_decide(draft);
    secret_input_decide(reader, draft);
}

void tasks_read(struct reader *reader)
{
    *reader->children_end = NULL;
    reader->pending       = reader->children;
    while (reader->pending) {
        const struct pending *pending = reader->pending;
        reader->children              = NULL;
        reader->children_end          = &reader->children;
        task_read(reader, pending);
        /* Its own tasks come next, then what was still to be read: the order of the document. */
        *reader->children_end = pending->next;
        reader->pending       = reader->children;
    }
    reader->draft = NULL;
    reader->scope = (struct scope){};
}
