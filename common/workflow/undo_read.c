/*
 * Sagas: what undoes a task (`compensate`), where that happens by itself (`saga`), and what a
 * `tutti.compensate` undoes. Which tasks have to be noted when they complete is known only when
 * everything has been read: undo_finish().
 */
#include "workflow/catalog.h"
#include "workflow/task_read.h"

enum { NEAR_MAX = 64 /* names that are compared for "did you mean" */ };

static void refuse_in_undo(struct reader *reader, const char *key)
{
    struct diagnostic *finding =
        refuse(reader, "V30", key_place(reader),
               "`%s` means nothing here: a compensation is not undone itself", key);
    hint(reader, finding, "remove it");
}

void saga_read(struct reader *reader, json value, void *target)
{
    struct task *task = target;
    if (task->is_compensation) {
        refuse_in_undo(reader, "saga");
        return;
    }
    if (task->kind != TASK_DO && task->kind != TASK_TRY) {
        struct diagnostic *finding =
            refuse(reader, "V30", key_place(reader),
                   "`saga` means nothing here: it belongs to the document, a `do` or a `try`");
        hint(reader, finding, "put the task into a `do` with `saga: true`");
        return;
    }
    boolean_read(reader, value, &task->is_saga);
}

/* The name of a function is short for a list with one call of it, on what compensations have as
 * input: the output of what is undone. Owned. */
static json call_new(json name)
{
    json task = json_object_new(2);
    json item = json_object_new(1);
    json list = json_array_new(1);
    json_object_put_text(&task, "call",
                         json_text_new(json_str(name))); /* a frozen one is not shared */
    json_object_put_text(&task, "with", json_text_from("${ . }"));
    json_object_put(&item, json_str(name), task);
    json_array_push(&list, item);
    return list;
}

void compensate_read(struct reader *reader, json value, void *target)
{
    struct task *task                 = target;
    struct compensation *compensation = &task->compensation;
    const struct scope_variable error = {.name = "error", .task = task->index, .kind = SCOPE_ERROR};
    const struct scope outer          = reader->scope;
    bool is_name                      = json_is(value, JSON_TEXT);
    if (task->is_compensation) {
        refuse_in_undo(reader, "compensate");
        return;
    }
    if (json_is(value, JSON_FALSE)) {
        compensation->by = COMPENSATE_NEVER;
        return;
    }
    if (is_name) {
        value                                    = json_freeze(call_new(value));
        reader_hold(reader, HOLDING_JSON)->value = value;
    }
    if (json_is(value, JSON_TRUE)) {
        struct diagnostic *finding =
            refuse(reader, "V06", value_place(reader), "`compensate` is a list of tasks, or false");
        hint(reader, finding, "without it a function is undone as its adapter declares");
        return;
    }
    compensation->by         = COMPENSATE_TASKS;
    reader->scope            = (struct scope){}; /* the loops around it are over by then */
    reader->scope            = scope_extend(reader, &error, 1);
    struct task_names *names = task_list_read(reader, value, &compensation->tasks, reader->scope);
    reader->scope            = outer;
    if (!names) return;
    names->is_undo      = true;
    names->is_undo_name = is_name;
}

/* --- tutti.compensate ------------------------------------------------------------------------- */

static void scope_name_read(struct reader *reader, json value, void *target)
{
    const char *name = NULL;
    if (is_expression(value)) {
        struct diagnostic *finding = refuse(reader, "V06", value_place(reader),
                                            "`scope` is the name of a task, and no expression");
        hint(reader, finding, "leave it out for what is in the `try` around");
        return;
    }
    text_read(reader, value, &name);
    if (name) ((struct draft *)target)->undo_scope = str_from(name);
}

const char compensate_input_schema[] =
    "{ \"type\": \"object\", \"properties\": { \"scope\": { \"type\": \"string\" } },"
    "  \"additionalProperties\": false }";

static const struct field with_fields[] = {
    {"scope", scope_name_read, 0, OPTIONAL},
};
static const struct synonym with_synonyms[] = {{"task", "scope"}, {"name", "scope"}, {}};
static const struct object_kind with_kind   = {
      .what        = "`with` of `tutti.compensate`",
      .fields      = with_fields,
      .field_count = ARRAY_LEN(with_fields),
      .synonyms    = with_synonyms,
};

void compensate_with_read(struct reader *reader, json value, void *)
{
    (void)object_read(reader, &with_kind, value, reader->draft);
}

/* The `try` in whose `catch.do` the call stands. */
static const struct draft *try_around(const struct draft *draft)
{
    for (; draft->names->owner; draft = draft->names->owner) {
        const struct draft *owner = draft->names->owner;
        bool is_handler =
            owner->task.kind == TASK_TRY && draft->names->list == &owner->task.try_.handler;
        if (is_handler) return owner;
    }
    return NULL;
}

/* A task of the same list or of one around; the inner ones first. */
static task_index task_by_name(const struct draft *draft, str name)
{
    for (; draft; draft = draft->names->owner) {
        const struct task_name *entry = map_get(draft->names->by_name, name);
        if (entry && entry->draft) return entry->draft->task.index;
        if (draft->names->is_closed) break;
    }
    return TASK_NONE;
}

static void refuse_scope(struct reader *reader, const struct draft *draft)
{
    const char *near[NEAR_MAX];
    size_t count = 0;
    for (const struct draft *d = draft; d; d = d->names->owner) {
        for (uint32_t i = 0; i < d->names->count && count < NEAR_MAX; i++) {
            if (d->names->entries[i].name) near[count++] = d->names->entries[i].name;
        }
    }
    size_t back = pointer_enter(reader, str_from("with"));
    (void)pointer_enter(reader, str_from("scope"));
    struct diagnostic *finding = refuse(reader, "V13", value_place(reader),
                                        "`scope`: no task `" STR_FMT "` can be seen from here",
                                        STR_ARG(shown(draft->undo_scope)));
    const char *nearest        = nearest_name(draft->undo_scope, near, count);
    if (nearest) {
        hint(reader, finding, "did you mean `%s`?", nearest);
    } else {
        hint(reader, finding, "a task of this list or of one around it");
    }
    pointer_leave(reader, back);
}

static void scope_resolve(struct reader *reader, struct draft *draft)
{
    struct jump jump = pointer_jump(reader, str_from(draft->pointer));
    reader->source   = draft->source;
    if (draft->undo_scope.len > 0) {
        draft->task.call.undo_scope = task_by_name(draft, draft->undo_scope);
        if (draft->task.call.undo_scope == TASK_NONE) refuse_scope(reader, draft);
    } else {
        const struct draft *tried   = try_around(draft);
        draft->task.call.undo_scope = tried ? tried->task.index : TASK_NONE;
        if (!tried && reader->list->errors == reader->errors_before) {
            struct diagnostic *finding =
                refuse(reader, "V30", value_place(reader),
                       "`tutti.compensate` stands in no `catch.do`, so it needs a `scope`");
            hint(reader, finding, "`with: { scope: <task> }`");
        }
    }
    pointer_return(reader, &jump);
    reader->source   = &reader->main;
    task_index scope = draft->task.call.undo_scope;
    if (scope != TASK_NONE) reader->drafts[scope]->is_undo_scope = true;
}

/* --- what must be noted ----------------------------------------------------------------------- */

static bool is_in_saga(const struct reader *reader, const struct draft *draft)
{
    if (reader->workflow->is_saga) return true;
    for (const struct draft *d = draft->names->owner; d; d = d->names->owner) {
        if (d->task.is_saga) return true;
    }
    return false;
}

static bool is_undone_by_call(const struct draft *draft)
{
    for (; draft; draft = draft->names->owner) {
        if (draft->is_undo_scope) return true;
    }
    return false;
}

/* Its worker says with the answer how the call is undone. */
static bool is_declared(const struct function *function)
{
    return function->description && !json_is(function->description->compensation, JSON_INVALID);
}

static void undoable_decide(struct reader *reader, struct draft *draft)
{
    struct task *task = &draft->task;
    bool has_own = task->compensation.by == COMPENSATE_TASKS && task->compensation.tasks.count > 0;
    bool is_function = task->compensation.by == COMPENSATE_DECLARED && task->kind == TASK_CALL &&
                       draft->function && is_declared(draft->function);
    if (task->is_compensation || (!has_own && !is_function)) return;
    task->is_undoable = is_in_saga(reader, draft) || is_undone_by_call(draft);
    if (task->is_undoable || !has_own || reader->list->errors > reader->errors_before) return;

    struct jump jump = pointer_jump(reader, str_from(draft->pointer));
    reader->source   = draft->source;
    struct diagnostic *finding =
        warn(reader, "V43", value_place(reader),
             "nothing undoes `%s`: there is no saga around its `compensate`", task->name);
    hint(reader, finding, "`metadata: { tutti: { saga: true } }` on the document or a `do` around");
    pointer_return(reader, &jump);
    reader->source = &reader->main;
}

void undo_finish(struct reader *reader)
{
    for (uint32_t i = 0; i < reader->draft_count; i++) {
        struct draft *draft = reader->drafts[i];
        bool is_undo = draft->task.kind == TASK_CALL && draft->task.call.by == CALL_COMPENSATE;
        if (is_undo) scope_resolve(reader, draft);
    }
    for (uint32_t i = 0; i < reader->draft_count; i++) undoable_decide(reader, reader->drafts[i]);
}
