/*
 * Functions that are tasks: those of `use.functions`. The caller becomes a TASK_FUNCTION around a
 * copy of the task, compiled where it is called. A function that calls itself would have no end.
 */
#include "workflow/catalog.h"
#include "workflow/task_read.h"
#include "workflow/use.h"

void any_with_read(struct reader *reader, json value, void *target)
{
    template_read(reader, value, target);
}

static bool is_same(const struct borrowed_task *a, const struct borrowed_task *b)
{
    return a->source == b->source && strcmp(a->pointer, b->pointer) == 0;
}

/* Says whether the task at hand is part of `task` already. */
static bool is_within(const struct draft *draft, const struct borrowed_task *task)
{
    for (draft = draft->names->owner; draft; draft = draft->names->owner) {
        const struct function *function = draft->function;
        if (function && function->task && is_same(function->task, task)) return true;
    }
    return false;
}

void function_expand(struct reader *reader, const struct function *function)
{
    struct draft *draft = reader->draft;
    if (is_within(draft, function->task)) {
        struct diagnostic *finding = refuse(reader, "V14", value_place(reader),
                                            "`%s` would call itself without end", function->name);
        hint(reader, finding, "`for`, or a `then` to an earlier task");
        return;
    }
    draft->task.kind = TASK_FUNCTION;
    task_borrow(reader, function->task, &draft->task.call.body);
}

void function_check(struct reader *reader, struct definition *definition)
{
    struct task_list *nowhere       = reader_alloc(reader, 1, sizeof *nowhere);
    const struct borrowed_task task = {.name       = definition->name.ptr,
                                       .source     = &reader->main,
                                       .pointer    = definition->pointer,
                                       .definition = definition->value};
    reader->draft                   = NULL;
    reader->children                = NULL;
    reader->children_end            = &reader->children;
    buf_clear(&reader->pointer);
    task_borrow(reader, &task, nowhere);
    tasks_read(reader);
}
