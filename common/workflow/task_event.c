/* emit: makes an event. */
#include "workflow/task_read.h"

/* --- emit ------------------------------------------------------------------------------------- */

static void attributes_read(struct reader *reader, json value, void *target)
{
    if (!expect_kind(reader, value, JSON_OBJECT, "`event.with`")) return;
    if (json_is(json_get_text(value, "type"), JSON_INVALID)) {
        struct diagnostic *finding =
            refuse(reader, "V06", value_place(reader), "an event needs `type`");
        hint(reader, finding, "`type: com.example.order.placed.v1`");
    }
    for (size_t i = 0; i < json_count(value); i++) {
        str name    = json_key_at(value, i);
        size_t back = pointer_enter(reader, name);
        (void)event_attribute_check(reader, name, json_value_at(value, i), false);
        pointer_leave(reader, back);
    }
    template_read(reader, value, target);
}

static const struct field event_fields[] = {
    {"with", attributes_read, offsetof(struct task, emit), REQUIRED},
};
static const struct synonym event_synonyms[] = {
    {"type", "with: { type: … }"},
    {"data", "with: { data: … }"},
    {"source", "with: { source: … }"},
    {},
};
static const struct object_kind event_kind = {
    .what        = "`event`",
    .fields      = event_fields,
    .field_count = ARRAY_LEN(event_fields),
    .synonyms    = event_synonyms,
};

static void event_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &event_kind, value, target);
}

static const struct field emitted_fields[] = {
    {"event", event_read, 0, REQUIRED},
};
static const struct object_kind emitted_kind = {
    .what = "`emit`", .fields = emitted_fields, .field_count = ARRAY_LEN(emitted_fields)};

static void emit_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &emitted_kind, value, target);
}

static const struct field emit_fields[] = {
    {"emit", emit_read, 0, REQUIRED},
};

const struct object_kind emit_task = {
    .what        = "an `emit`",
    .fields      = emit_fields,
    .field_count = ARRAY_LEN(emit_fields),
    .base        = &task_base,
};
