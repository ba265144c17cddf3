/* Tasks that make a value, a pause or an error: set, wait, raise. */
#include "workflow/task_read.h"

/* --- set -------------------------------------------------------------------------------------- */

static void set_read(struct reader *reader, json value, void *target)
{
    if (!json_is(value, JSON_OBJECT) && !json_is(value, JSON_TEXT)) {
        refuse(reader, "V06", value_place(reader), "`set` is a map or an expression, not %s",
               kind_words(value.kind));
        return;
    }
    if (json_is(value, JSON_TEXT) && !is_expression(value) && !reader->is_loose) {
        struct text_form form = text_form_of(reader, json_str(value));
        if (form.kind == TEXT_REFUSED) return;
        struct diagnostic *finding = refuse(reader, "V06", value_place(reader),
                                            "`set` is a map or an expression, not a plain text");
        hint(reader, finding, "`${ … }`");
        return;
    }
    if (json_is(value, JSON_OBJECT) && json_count(value) == 0) {
        struct diagnostic *finding =
            refuse(reader, "V06", value_place(reader), "`set` is an empty map");
        hint(reader, finding, "`${ {} }` for an empty object");
        return;
    }
    template_read(reader, value, target);
}

static const struct field set_fields[] = {
    {"set", set_read, offsetof(struct task, set), REQUIRED},
};

const struct object_kind set_task = {
    .what        = "a `set`",
    .fields      = set_fields,
    .field_count = ARRAY_LEN(set_fields),
    .base        = &task_base,
};

/* --- wait ------------------------------------------------------------------------------------- */

static const struct field wait_fields[] = {
    {"wait", span_read, offsetof(struct task, wait), REQUIRED},
};

const struct object_kind wait_task = {
    .what        = "a `wait`",
    .fields      = wait_fields,
    .field_count = ARRAY_LEN(wait_fields),
    .base        = &task_base,
};

/* --- raise ------------------------------------------------------------------------------------ */

static const struct field raised_fields[] = {
    {"error", error_read, offsetof(struct task, raise), REQUIRED},
};
static const struct object_kind raised_kind = {
    .what = "`raise`", .fields = raised_fields, .field_count = ARRAY_LEN(raised_fields)};

static void raise_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &raised_kind, value, target);
}

static const struct field raise_fields[] = {
    {"raise", raise_read, 0, REQUIRED},
};

const struct object_kind raise_task = {
    .what        = "a `raise`",
    .fields      = raise_fields,
    .field_count = ARRAY_LEN(raise_fields),
    .base        = &task_base,
};
