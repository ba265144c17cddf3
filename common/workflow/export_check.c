/*
 * Exports that lose what an earlier one left in `$context` (V42): `export.as` replaces it, so one
 * that does not mention it drops it; and branches of a fork export one beside the other.
 */
#include "workflow/task_read.h"

/* Says whether an expression in `template` mentions `$context`. */
static bool mentions_context(const struct template *template)
{
    const struct template *stack[YAML_DEPTH_MAX * 2];
    uint32_t next[YAML_DEPTH_MAX * 2];
    size_t depth  = 0;
    stack[depth]  = template;
    next[depth++] = 0;
    while (depth > 0) {
        const struct template *at = stack[depth - 1];
        bool is_program           = at->kind == TEMPLATE_EXPRESSION;
        if (is_program && (at->expression->variables_used & (1U << VARIABLE_CONTEXT))) return true;
        bool is_inner = at->kind == TEMPLATE_ARRAY || at->kind == TEMPLATE_OBJECT;
        if (!is_inner || next[depth - 1] == at->count || depth == ARRAY_LEN(stack)) {
            depth--;
            continue;
        }
        stack[depth]  = at->items[next[depth - 1]++];
        next[depth++] = 0;
    }
    return false;
}

/* Where the text of it stands, which is elsewhere than where it runs, in a declared function. */
static struct yaml_place enter_export(struct reader *reader, const struct draft *draft,
                                      struct jump *ret_jump)
{
    *ret_jump      = pointer_jump(reader, str_from(draft->pointer));
    reader->source = draft->source;
    (void)pointer_enter(reader, str_from("export"));
    (void)pointer_enter(reader, str_from("as"));
    return key_place(reader);
}

/* The fork that both stand in, in different branches; NULL if there is none. */
static const struct task *fork_between(const struct reader *reader, const struct task *one,
                                       const struct task *other)
{
    for (const struct task *a = one; a->parent != TASK_NONE; a = &reader->drafts[a->parent]->task) {
        const struct task *fork = &reader->drafts[a->parent]->task;
        if (fork->kind != TASK_FORK) continue;
        for (const struct task *b = other; b->parent != TASK_NONE;
             b                    = &reader->drafts[b->parent]->task) {
            if (b->parent == fork->index && b != a) return fork;
        }
    }
    return NULL;
}

static void check_one(struct reader *reader, const struct draft *draft, const struct task *before)
{
    const struct task *task = &draft->task;
    struct jump jump;
    const struct task *fork    = fork_between(reader, task, before);
    struct yaml_place where    = enter_export(reader, draft, &jump);
    struct diagnostic *finding = NULL;
    if (fork) {
        finding =
            warn(reader, "V42", where,
                 "`%s` exports in another branch of `%s`: which of the two comes last is chance",
                 before->name, fork->name);
        hint(reader, finding, "`$steps`, which the fork's own `output.as` and `export.as` see");
    } else if (!mentions_context(task->export_as)) {
        finding = warn(reader, "V42", where, "this drops what `%s` has exported", before->name);
        hint(reader, finding, "`$context + { … }`, or `$steps`");
    }
    pointer_return(reader, &jump);
    reader->source = &reader->main;
}

void exports_check(struct reader *reader)
{
    const struct task *before = NULL;
    for (uint32_t i = 0; i < reader->draft_count; i++) {
        const struct task *task = &reader->drafts[i]->task;
        if (!task->export_as) continue;
        if (before) check_one(reader, reader->drafts[i], before);
        before = task;
    }
}
