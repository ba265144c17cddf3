/* listen: waits for events; `until` ends one that takes any number of them, `foreach` works on
 * each. */
#include "workflow/event_filter_read.h"
#include "workflow/task_read.h"

/* --- listen ----------------------------------------------------------------------------------- */

static void to_read(struct reader *reader, json value, void *target)
{
    consumption_read(reader, value, "`listen.to`", target);
}

static void mode_read(struct reader *reader, json value, void *target)
{
    struct listen_body *listen = target;
    event_read_read(reader, value, &listen->read);
}

static const struct field listened_fields[] = {
    {"to", to_read, offsetof(struct task, listen), REQUIRED},
    {"read", mode_read, offsetof(struct task, listen), OPTIONAL},
};
static const struct synonym listened_synonyms[] = {
    {"one", "to: { one: … }"},
    {"any", "to: { any: … }"},
    {"all", "to: { all: … }"},
    {"until", "to: { any: [ … ], until: … }"},
    {"foreach", "foreach: …` beside `listen"},
    {"for", "to"},
    {},
};
static const struct object_kind listened_kind = {
    .what        = "`listen`",
    .fields      = listened_fields,
    .field_count = ARRAY_LEN(listened_fields),
    .synonyms    = listened_synonyms,
};

static void listen_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &listened_kind, value, target);
}

/* --- foreach ---------------------------------------------------------------------------------- */

static const struct field output_fields[] = {
    {"as", transform_read, offsetof(struct foreach_body, output_as), PLACE_TASK_OUTPUT},
    {"schema", schema_read, offsetof(struct foreach_body, output_schema), OPTIONAL},
};
static const struct object_kind output_kind = {
    .what = "`output`", .fields = output_fields, .field_count = ARRAY_LEN(output_fields)};

static const struct field export_fields[] = {
    {"as", transform_read, offsetof(struct foreach_body, export_as), PLACE_TASK_EXPORT},
    {"schema", schema_read, offsetof(struct foreach_body, export_schema), OPTIONAL},
};
static const struct object_kind export_kind = {
    .what = "`export`", .fields = export_fields, .field_count = ARRAY_LEN(export_fields)};

/* What stands in `foreach` sees its variables, once their names are known. */
static void scope_enter(struct reader *reader, const struct foreach_body *foreach)
{
    struct draft *draft = reader->draft;
    if (draft->body_scope.variables == draft->scope.variables) {
        const struct scope_variable own[] = {
            {.name = foreach->item, .task = draft->task.index, .kind = SCOPE_ITEM},
            {.name = foreach->at, .task = draft->task.index, .kind = SCOPE_INDEX},
        };
        draft->body_scope = scope_extend(reader, own, ARRAY_LEN(own));
    }
    reader->scope = draft->body_scope;
}

static void output_read(struct reader *reader, json value, void *target)
{
    scope_enter(reader, target);
    (void)object_read(reader, &output_kind, value, target);
    reader->scope = reader->draft->scope;
}

static void export_read(struct reader *reader, json value, void *target)
{
    scope_enter(reader, target);
    (void)object_read(reader, &export_kind, value, target);
    reader->scope = reader->draft->scope;
}

static void do_read(struct reader *reader, json value, void *target)
{
    struct foreach_body *foreach = target;
    scope_enter(reader, foreach);
    body_read(reader, value, &foreach->body);
    reader->scope = reader->draft->scope;
}

/* `do` before `output`, which asks for the names in it; the names of variables before both. */
static const struct field foreach_fields[] = {
    {"item", variable_name_read, offsetof(struct foreach_body, item), OPTIONAL},
    {"at", variable_name_read, offsetof(struct foreach_body, at), OPTIONAL},
    {"do", do_read, 0, OPTIONAL},
    {"output", output_read, 0, OPTIONAL},
    {"export", export_read, 0, OPTIONAL},
};
static const struct synonym foreach_synonyms[] = {
    {"each", "item"}, {"as", "item"}, {"index", "at"}, {"tasks", "do"}, {},
};
static const struct object_kind foreach_kind = {
    .what        = "`foreach`",
    .fields      = foreach_fields,
    .field_count = ARRAY_LEN(foreach_fields),
    .synonyms    = foreach_synonyms,
};

static void foreach_read(struct reader *reader, json value, void *target)
{
    struct foreach_body *foreach = reader_alloc(reader, 1, sizeof *foreach);
    foreach
        ->item = "item";
    foreach
        ->at = "index";
    if (!object_read(reader, &foreach_kind, value, foreach)) return;
    if (strcmp(foreach->item, foreach->at) == 0) {
        struct diagnostic *finding = refuse(reader, "V15", value_place(reader),
                                            "`item` and `at` are both `%s`", foreach->item);
        hint(reader, finding, "rename one of the two");
    }
    *(const struct foreach_body **)target = foreach;
}

static const struct field listen_fields[] = {
    {"listen", listen_read, 0, REQUIRED},
    {"foreach", foreach_read, offsetof(struct task, listen.foreach), OPTIONAL},
};

const struct object_kind listen_task = {
    .what        = "a `listen`",
    .fields      = listen_fields,
    .field_count = ARRAY_LEN(listen_fields),
    .base        = &task_base,
};
