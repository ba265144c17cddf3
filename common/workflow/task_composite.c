/* Tasks made of tasks: do, for, fork. */
#include "workflow/task_read.h"

/* --- do --------------------------------------------------------------------------------------- */

static const struct field do_fields[] = {
    {"do", body_read, offsetof(struct task, list), REQUIRED},
};

const struct object_kind do_task = {
    .what        = "a `do`",
    .fields      = do_fields,
    .field_count = ARRAY_LEN(do_fields),
    .base        = &task_base,
};

/* --- for -------------------------------------------------------------------------------------- */

/* `in`: one expression, or (main dialect) a list, evaluated leaf by leaf. */
static void items_read(struct reader *reader, json value, void *target)
{
    const struct template **items = target;
    if (json_is(value, JSON_ARRAY)) {
        template_read(reader, value, target);
        return;
    }
    const struct expression *expression = NULL;
    expression_value_read(reader, value, &expression);
    if (expression) *items = template_of_expression(reader, expression);
}

static const struct field loop_fields[] = {
    {"each", variable_name_read, offsetof(struct task, loop.each), OPTIONAL},
    {"in", items_read, offsetof(struct task, loop.in), REQUIRED},
    {"at", variable_name_read, offsetof(struct task, loop.at), OPTIONAL},
};
static const struct synonym loop_synonyms[] = {
    {"item", "each"}, {"as", "each"}, {"index", "at"}, {"of", "in"}, {"items", "in"}, {},
};
static const struct object_kind loop_kind = {
    .what        = "`for`",
    .fields      = loop_fields,
    .field_count = ARRAY_LEN(loop_fields),
    .synonyms    = loop_synonyms,
};

static void loop_read(struct reader *reader, json value, void *target)
{
    struct draft *draft   = target;
    struct for_body *loop = &draft->task.loop;
    loop->each            = "item";
    loop->at              = "index";
    (void)object_read(reader, &loop_kind, value, &draft->task);
    if (strcmp(loop->each, loop->at) == 0) {
        struct diagnostic *finding =
            refuse(reader, "V15", value_place(reader), "`each` and `at` are both `%s`", loop->each);
        hint(reader, finding, "rename one of the two");
    }
    const struct scope_variable own[] = {
        {.name = loop->each, .task = draft->task.index, .kind = SCOPE_ITEM},
        {.name = loop->at, .task = draft->task.index, .kind = SCOPE_INDEX},
    };
    draft->body_scope = scope_extend(reader, own, ARRAY_LEN(own));
}

static void while_read(struct reader *reader, json value, void *target)
{
    struct draft *draft = reader->draft;
    reader->scope       = draft->body_scope;
    expression_read(reader, value, target);
    reader->scope = draft->scope;
}

static const struct field for_fields[] = {
    {"for", loop_read, 0, REQUIRED},
    {"while", while_read, offsetof(struct task, loop.while_), OPTIONAL},
    {"do", body_read, offsetof(struct task, loop.body), REQUIRED},
};

const struct object_kind for_task = {
    .what        = "a `for`",
    .fields      = for_fields,
    .field_count = ARRAY_LEN(for_fields),
    .base        = &task_base,
};

/* --- fork ------------------------------------------------------------------------------------- */

static void branches_read(struct reader *reader, json value, void *target)
{
    struct task_names *names = task_list_read(reader, value, target, reader->draft->body_scope);
    if (names) names->is_concurrent = true;
}

static const struct field branch_fields[] = {
    {"branches", branches_read, offsetof(struct task, fork.branches), REQUIRED},
    {"compete", boolean_read, offsetof(struct task, fork.is_compete), OPTIONAL},
};
static const struct synonym branch_synonyms[] = {
    {"do", "branches"},
    {"tasks", "branches"},
    {"race", "compete"},
    {},
};
static const struct object_kind branch_kind = {
    .what        = "`fork`",
    .fields      = branch_fields,
    .field_count = ARRAY_LEN(branch_fields),
    .synonyms    = branch_synonyms,
};

static void fork_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &branch_kind, value, target);
}

static const struct field fork_fields[] = {
    {"fork", fork_read, 0, REQUIRED},
};

const struct object_kind fork_task = {
    .what        = "a `fork`",
    .fields      = fork_fields,
    .field_count = ARRAY_LEN(fork_fields),
    .base        = &task_base,
};
