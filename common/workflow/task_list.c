/*
 * Lists of tasks, and the tasks in them: in document order, without recursion.
 *
 * A task has two addresses. Its place is where its text stands: a pointer into a source, for
 * findings. Its reference is where it runs: what people, journals and idempotency keys call it.
 * They are the same but for what is written once and runs in many places: the body of a declared
 * function runs as `<caller>/call/<name>`, the tasks of an extension run as
 * `<task>/extensions/<name>/before/0/<name>`.
 */
#include "workflow/extension.h"
#include "workflow/metadata_call.h"
#include "workflow/task_read.h"

#include "base/assert.h"

/* A task whose name is known and whose map is still to be read. */
struct pending {
    struct pending *next;
    struct task_names *names;
    uint32_t position;
    struct scope scope;
    const struct source *source;
    char *pointer; /* of its map in the source */
    char *reference;
    json definition;
};

/* --- lists ------------------------------------------------------------------------------------ */

static void check_name(struct reader *reader, struct task_names *names, struct task_name *entry,
                       str name)
{
    if (name.len == 0 || memchr(name.ptr, '\0', name.len)) {
        struct diagnostic *finding =
            refuse(reader, "V12", key_place(reader), "the name of a task is empty, or holds a NUL");
        hint(reader, finding, "give it another one");
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

static char *text_keep(struct reader *reader, str text)
{
    char *copy = reader_alloc(reader, text.len + 1, 1);
    if (text.len > 0) memcpy(copy, text.ptr, text.len);
    return copy;
}

/* The reference of what stands at hand: that of the task around it, and the way from there. */
static char *reference_here(struct reader *reader)
{
    const struct draft *draft = reader->draft;
    str pointer               = buf_str(&reader->pointer);
    if (!draft) return text_keep(reader, pointer);
    str outer = str_from(draft->task.reference);
    size_t up = strlen(draft->pointer);
    ASSERT(up <= pointer.len);
    str way         = str_slice(pointer, up, pointer.len);
    char *reference = reader_alloc(reader, outer.len + way.len + 1, 1);
    memcpy(reference, outer.ptr, outer.len);
    memcpy(reference + outer.len, way.ptr, way.len);
    return reference;
}

static void pending_add(struct reader *reader, const struct pending *entry)
{
    struct pending *pending = scratch_alloc(reader, 1, sizeof *pending);
    *pending                = *entry;
    *reader->children_end   = pending;
    reader->children_end    = &pending->next;
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
    const struct pending pending = {.names      = names,
                                    .position   = position,
                                    .scope      = scope,
                                    .source     = reader->source,
                                    .pointer    = text_keep(reader, buf_str(&reader->pointer)),
                                    .reference  = reference_here(reader),
                                    .definition = json_value_at(item, 0)};
    pending_add(reader, &pending);
    pointer_leave(reader, back);
}

static bool has_room(struct reader *reader, size_t count)
{
    if (reader->task_count + count <= WORKFLOW_TASKS_MAX) return true;
    refuse(reader, "V01", value_place(reader), "a definition has at most %d tasks",
           WORKFLOW_TASKS_MAX);
    return false;
}

static struct task_names *names_new(struct reader *reader, size_t count, struct task_list *target)
{
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
    }
    *target = (struct task_list){.tasks = reader_alloc(reader, count, sizeof *target->tasks),
                                 .count = (uint32_t)count};
    for (size_t i = 0; i < count; i++) target->tasks[i] = TASK_NONE;
    return names;
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

    struct task_names *names = names_new(reader, count, target);
    if (!reader->draft) reader->root = names;
    for (uint32_t i = 0; i < count; i++) {
        size_t back = pointer_enter_index(reader, i);
        item_read(reader, json_at(value, i), names, i, scope);
        pointer_leave(reader, back);
    }
    return names;
}

void task_borrow(struct reader *reader, const struct borrowed_task *task, struct task_list *target)
{
    static const struct draft nobody = {.pointer = "", .task = {.reference = ""}};
    const struct draft *caller       = reader->draft ? reader->draft : &nobody;
    if (!has_room(reader, 1)) return;
    reader->task_count++;
    struct task_names *names = names_new(reader, 1, target);
    names->is_closed         = true;
    names->entries[0]        = (struct task_name){
               .name = task->name, .line = caller->task.line, .column = caller->task.column};
    (void)map_put(names->by_name, str_from(task->name), &names->entries[0]);

    struct jump jump = pointer_jump(reader, str_from(caller->pointer));
    (void)pointer_enter(reader, str_from("call"));
    (void)pointer_enter(reader, str_from(task->name));
    const struct pending pending = {.names      = names,
                                    .source     = task->source,
                                    .pointer    = text_keep(reader, str_from(task->pointer)),
                                    .reference  = reference_here(reader),
                                    .definition = task->definition};
    pointer_return(reader, &jump);
    pending_add(reader, &pending);
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

/* Where a task stands that is about to be read. */
struct standing {
    const struct pending *pending;
    struct draft *around; /* its wrapper; NULL: it stands in its list itself */
};

static struct draft *draft_new(struct reader *reader, const struct standing *standing)
{
    const struct pending *pending = standing->pending;
    struct draft *draft           = scratch_alloc(reader, 1, sizeof *draft);
    struct task_name *entry       = &pending->names->entries[pending->position];
    struct draft *owner           = pending->names->owner;
    struct draft *parent          = standing->around ? standing->around : owner;
    uint32_t position             = standing->around ? 0 : pending->position;
    *draft                        = (struct draft){
                               .names      = pending->names,
                               .entry      = entry,
                               .source     = pending->source,
                               .pointer    = pending->pointer,
                               .depth      = parent ? parent->depth + 1 : 1,
                               .scope      = pending->scope,
                               .body_scope = pending->scope,
                               .task       = {.index      = reader->draft_count,
                                              .parent     = parent ? parent->task.index : TASK_NONE,
                                              .position   = position,
                                              .name       = entry->name,
                                              .reference  = pending->reference,
                                              .definition = pending->definition,
                                              .line       = entry->line,
                                              .column     = entry->column,
                                              .weight     = 1,
                                              .priority   = PRIORITY_INHERIT},
    };
    draft->task.is_compensation = pending->names->is_undo || (owner && owner->task.is_compensation);
    if (owner) draft->is_inserted = owner->is_inserted || owner->task.kind == TASK_EXTENSION;
    task_index *place = &pending->names->list->tasks[pending->position];
    if (standing->around) place = &standing->around->task.extension.body.tasks[0];
    *place                                = draft->task.index;
    reader->drafts[reader->draft_count++] = draft;
    return draft;
}

static void stand_at(struct reader *reader, const struct pending *pending)
{
    buf_clear(&reader->pointer);
    (void)buf_put_text(&reader->pointer, pending->pointer);
    reader->source = pending->source;
    reader->scope  = pending->scope;
    reader->place  = PLACE_TASK;
}

/* One wrapper for each extension that is for this form, the first outermost. What decides whether
 * and when the task runs, and how much it weighs, is the outermost one's. */
static void task_wrap(struct reader *reader, const struct task_form *form,
                      struct standing *standing, struct draft **ret_outermost)
{
    const struct draft *owner = standing->pending->names->owner;
    if (owner && (owner->is_inserted || owner->task.kind == TASK_EXTENSION)) return;
    for (struct extension *e = reader->extensions; e; e = e->next) {
        if (!extension_is_for(e, form->key) || !has_room(reader, 1)) continue;
        reader->task_count++;
        struct draft *wrapper = draft_new(reader, standing);
        extension_open(reader, wrapper, e);
        if (!*ret_outermost) *ret_outermost = wrapper;
        standing->around = wrapper;
        stand_at(reader, standing->pending);
    }
}

/* What the wrapper decides. The flow of the task stays with it: it passes through. */
static void wrapper_settle(struct draft *outermost, struct draft *draft)
{
    outermost->task.condition = draft->task.condition;
    outermost->task.weight    = draft->task.weight;
    draft->is_conditional     = draft->task.condition != NULL;
    draft->task.condition     = NULL;
}

static void task_read(struct reader *reader, const struct pending *pending)
{
    struct standing standing = {.pending = pending};
    struct draft *outermost  = NULL;
    stand_at(reader, pending);
    const struct task_form *form = NULL;
    if (json_is(pending->definition, JSON_OBJECT)) {
        form = task_form_of(reader, pending->definition);
    } else {
        struct diagnostic *finding =
            refuse(reader, "V05", key_place(reader), "a task is a map, not %s",
                   kind_words(pending->definition.kind));
        hint(reader, finding, "what it does stands below its name, further in: `set: …`");
    }
    if (form) task_wrap(reader, form, &standing, &outermost);
    struct draft *draft = draft_new(reader, &standing);
    draft->entry->draft = draft;
    reader->draft       = draft;
    if (!form) return;
    if (draft->depth > WORKFLOW_DEPTH_MAX) {
        refuse(reader, "V01", key_place(reader), "tasks are nested more than %d deep",
               WORKFLOW_DEPTH_MAX);
        return;
    }
    draft->task.kind = form->kind;
    (void)object_read(reader, form->object, pending->definition, draft);
    default_retry_decide(draft);
    secret_input_decide(reader, draft);
    cache_finish(reader, draft);
    if (outermost) wrapper_settle(outermost, draft);
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
    reader->draft  = NULL;
    reader->scope  = (struct scope){};
    reader->source = &reader->main;
}
