/*
 * `then`: where a list goes on, resolved to a position; and the search for tasks that nothing leads
 * to.
 */
#include "workflow/task_read.h"

enum { NEAR_MAX = 64 /* names that are compared for "did you mean" */ };

static const struct {
    const char *word;
    enum flow_kind kind;
} words[] = {{"continue", FLOW_CONTINUE}, {"exit", FLOW_EXIT}, {"end", FLOW_END}};

static void refuse_name(struct reader *reader, str name)
{
    const struct task_names *names = reader->draft->names;
    struct diagnostic *finding =
        refuse(reader, "V11", value_place(reader), "`" STR_FMT "` is no task of this list",
               STR_ARG(shown(name)));
    unsigned levels = 0;
    for (const struct draft *d = names->owner; d && !names->is_closed; d = d->names->owner) {
        levels++;
        if (!map_get(d->names->by_name, name)) continue;
        hint(reader, finding,
             "`" STR_FMT "` is %u level%s up: use `exit`, or move it into this list",
             STR_ARG(shown(name)), levels, levels == 1 ? "" : "s");
        return;
    }
    const char *near[NEAR_MAX];
    size_t count = 0;
    for (uint32_t i = 0; i < names->count && count < NEAR_MAX; i++) {
        if (names->entries[i].name) near[count++] = names->entries[i].name;
    }
    for (size_t i = 0; i < ARRAY_LEN(words) && count < NEAR_MAX; i++) near[count++] = words[i].word;
    const char *nearest = nearest_name(name, near, count);
    if (nearest) {
        hint(reader, finding, "did you mean `%s`?", nearest);
    } else {
        hint(reader, finding, "`continue`, `exit`, `end`, or the name of a task of this list");
    }
}

void flow_read(struct reader *reader, json value, void *target)
{
    struct flow *flow = target;
    if (!expect_kind(reader, value, JSON_TEXT, "`then`")) return;
    str name = json_str(value);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!str_is(name, words[i].word)) continue;
        *flow = (struct flow){.kind = words[i].kind};
        if (flow->kind == FLOW_END && reader->draft->task.is_compensation) {
            struct diagnostic *finding =
                refuse(reader, "V11", value_place(reader),
                       "`end` finishes the run, and a compensation is no part of its way");
            hint(reader, finding, "`exit` ends the list");
        }
        return;
    }
    const struct task_names *names = reader->draft->names;
    const struct task_name *entry  = map_get(names->by_name, name);
    if (!entry) {
        refuse_name(reader, name);
    } else if (names->is_concurrent) {
        struct diagnostic *finding = refuse(reader, "V11", value_place(reader),
                                            "the branches of a `fork` do not follow each "
                                            "other");
        hint(reader, finding, "put the tasks of a branch into a `do`");
    } else {
        *flow = (struct flow){.kind = FLOW_GOTO, .position = entry->position};
    }
}

/* --- tasks that nothing leads to -------------------------------------------------------------- */

/* One list: positions that were reached, and those whose successors are still to be looked at. */
struct walk {
    bool *is_reached;
    uint32_t *open;
    uint32_t open_count;
    uint32_t count;
};

static void reach(struct walk *walk, uint32_t from, struct flow flow)
{
    uint32_t to = from + 1;
    if (flow.kind == FLOW_EXIT || flow.kind == FLOW_END) return;
    if (flow.kind == FLOW_GOTO) to = flow.position;
    if (to >= walk->count || walk->is_reached[to]) return;
    walk->is_reached[to]           = true;
    walk->open[walk->open_count++] = to;
}

static void reach_from(struct walk *walk, uint32_t from, const struct draft *draft)
{
    const struct task *task       = &draft->task;
    static const struct flow next = {.kind = FLOW_CONTINUE};
    bool has_default              = false;
    if (task->condition || draft->is_conditional) reach(walk, from, next);
    if (task->kind == TASK_RAISE) return;
    if (task->kind == TASK_SWITCH) {
        for (uint32_t i = 0; i < task->choice.case_count; i++) {
            reach(walk, from, task->choice.cases[i].then);
            has_default = has_default || !task->choice.cases[i].when;
        }
    }
    if (task->kind == TASK_TRY && task->try_.has_then) reach(walk, from, task->try_.then);
    if (!has_default) reach(walk, from, task->then);
}

static void names_check(struct reader *reader, const struct task_names *names)
{
    if (names->count == 0 || names->is_concurrent) return;
    struct walk walk = {
        .is_reached = scratch_alloc(reader, names->count, sizeof *walk.is_reached),
        .open       = scratch_alloc(reader, names->count, sizeof *walk.open),
        .count      = names->count,
    };
    reach(&walk, UINT32_MAX, (struct flow){.kind = FLOW_CONTINUE});
    while (walk.open_count > 0) {
        uint32_t at = walk.open[--walk.open_count];
        reach_from(&walk, at, names->entries[at].draft);
    }
    for (uint32_t i = 0; i < names->count; i++) {
        if (walk.is_reached[i] || (i > 0 && !walk.is_reached[i - 1])) continue; /* one of a row */
        const struct draft *draft  = names->entries[i].draft;
        const struct task *task    = &draft->task;
        struct jump jump           = pointer_jump(reader, str_from(draft->pointer));
        reader->source             = draft->source;
        struct diagnostic *finding = warn(reader, "V43", key_place(reader),
                                          "nothing leads to `%s`: it never runs", task->name);
        hint(reader, finding,
             "a `then` before it goes elsewhere; name it in a `then`, or remove it");
        pointer_return(reader, &jump);
        reader->source = &reader->main;
    }
}

void flow_check(struct reader *reader)
{
    for (const struct task_names *n = reader->names; n; n = n->next) names_check(reader, n);
}
