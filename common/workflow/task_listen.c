/* listen: waits for events; `until` ends one that takes any number of them, `foreach` works on
 * each. */
#include "workflow/event_filter_read.h"
#include "workflow/task_read.h"

/* --- listen.to -------------------------------------------------------------------------------- */

/* A text is an expression over the events so far; a map says which events end the listening. */
static void until_read(struct reader *reader, json value, void *target)
{
    struct listen_body *listen = target;
    if (json_is(value, JSON_TEXT)) {
        expression_read(reader, value, &listen->until);
    } else if (json_is(value, JSON_OBJECT)) {
        listen->has_until_events = true;
        strategy_read(reader, value, "`until`", &listen->until_events);
    } else {
        refuse(reader, "V06", value_place(reader),
               "`until` is an expression, or a map with `one`, `any` or `all`, not %s",
               kind_words(value.kind));
    }
}

static const struct field to_fields[] = {
    {"one", strategy_one_read, offsetof(struct listen_body, to), OPTIONAL},
    {"any", strategy_any_read, offsetof(struct listen_body, to), OPTIONAL},
    {"all", strategy_all_read, offsetof(struct listen_body, to), OPTIONAL},
    {"until", until_read, 0, OPTIONAL},
};
static const struct object_kind to_kind = {
    .what        = "`listen.to`",
    .fields      = to_fields,
    .field_count = ARRAY_LEN(to_fields),
};

static void to_read(struct reader *reader, json value, void *target)
{
    const struct listen_body *listen = target;
    if (!object_read(reader, &to_kind, value, target)) return;
    if (!strategy_check(reader, value, "`listen.to`")) return;
    bool has_until = !json_is(json_get_text(value, "until"), JSON_INVALID);
    if (!has_until || listen->to.mode == LISTEN_ANY) return;
    size_t back = pointer_enter(reader, str_from("until"));
    struct diagnostic *finding =
        refuse(reader, "V06", key_place(reader), "`until` ends an `any`; this is `%s`",
               listen->to.mode == LISTEN_ONE ? "one" : "all");
    hint(reader, finding, "`any: [ … ]`, or leave `until` out");
    pointer_leave(reader, back);
}

/* --- listen ----------------------------------------------------------------------------------- */

static void mode_read(struct reader *reader, json value, void *target)
{
    static const char *const modes[] = {
        [LISTEN_DATA] = "data", [LISTEN_ENVELOPE] = "envelope", [LISTEN_RAW] = "raw"};
    struct listen_body *listen = target;
    size_t index;
    if (choice_read(reader, value, modes, ARRAY_LEN(modes), &index)) {
        listen->read = (enum listen_read)index;
    }
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
    {"foreach", "foreach: …, beside `listen`"},
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
