#include "workflow/steps.h"

#include "workflow/task_read.h"

enum { NEAR_MAX = 64 /* names that are compared for "did you mean" */ };

/* One look-up of `$steps`: the lists that can be seen from here. */
struct view {
    struct reader *reader;
    const struct program_text *text;
};

static bool sees_body(const struct reader *reader)
{
    const struct draft *draft = reader->draft;
    if (reader->place != PLACE_TASK_OUTPUT && reader->place != PLACE_TASK_EXPORT) return false;
    /* Of a `listen`, `foreach.output` does, where the variables of `foreach` are; its own does not.
     */
    if (draft->task.kind == TASK_LISTEN) {
        return reader->scope.variables == draft->body_scope.variables;
    }
    return draft->task.kind != TASK_FOR || draft->task.loop.parallel == 0;
}

/* Calls `visit` for every list that can be seen; the inner ones first. */
static void lists_visit(const struct reader *reader,
                        void (*visit)(struct task_names *names, void *context), void *context)
{
    const struct draft *draft = reader->draft;
    if (!draft) {
        if (reader->place == PLACE_WORKFLOW_OUTPUT && reader->root) visit(reader->root, context);
        return;
    }
    if (sees_body(reader)) {
        for (struct task_names *l = draft->lists; l; l = l->next_of_owner) {
            if (!l->is_undo && !l->is_closed) visit(l, context);
        }
    }
    for (; draft; draft = draft->names->owner) {
        if (!draft->names->is_concurrent) visit(draft->names, context);
        if (draft->names->is_closed) return;
    }
}

static void keep_all(struct task_names *names, void *)
{
    for (uint32_t i = 0; i < names->count; i++) names->entries[i].is_output_kept = true;
}

struct lookup {
    str name;
    bool is_found;
    const char *near[NEAR_MAX];
    size_t near_count;
};

/* An inner task that was skipped does not hide an outer one of its name, so all of them count. */
static void keep_named(struct task_names *names, void *context)
{
    struct lookup *lookup   = context;
    struct task_name *entry = map_get(names->by_name, lookup->name);
    if (entry) {
        entry->is_output_kept = true;
        lookup->is_found      = true;
    }
    for (uint32_t i = 0; i < names->count && lookup->near_count < NEAR_MAX; i++) {
        if (names->entries[i].name) lookup->near[lookup->near_count++] = names->entries[i].name;
    }
}

static void member_used(str member, void *context)
{
    struct view *view    = context;
    struct lookup lookup = {.name = member};
    lists_visit(view->reader, keep_named, &lookup);
    if (lookup.is_found || !view->reader->root) return;

    struct yaml_place where    = member_place(view->reader, view->text, VARIABLE_STEPS, member);
    struct diagnostic *finding = warn(view->reader, "V21", where,
                                      "`$steps." STR_FMT "` is always null: no task of that name "
                                      "can be seen from here",
                                      STR_ARG(shown(member)));
    const char *near           = nearest_name(member, lookup.near, lookup.near_count);
    if (near) {
        hint(view->reader, finding, "did you mean `$steps.%s`?", near);
    } else {
        hint(view->reader, finding, "a task of this list or of one around it");
    }
}

void steps_used(struct reader *reader, const struct expr *program, const struct program_text *text)
{
    if (!reader->draft && reader->place != PLACE_WORKFLOW_OUTPUT) return;
    struct view view = {.reader = reader, .text = text};
    if (!expr_members_used(program, VARIABLE_STEPS, member_used, &view)) {
        lists_visit(reader, keep_all, NULL);
    }
}
