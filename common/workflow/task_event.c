/* Tasks about events: emit, listen. */
#include "expr/regex.h"
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

/* --- event filters ---------------------------------------------------------------------------- */

/* A text may be meant literally or as a regular expression; one that is no expression, such as
 * "C++", is literal only. */
static const struct regex *pattern_of(struct reader *reader, str text)
{
    struct regex *pattern = NULL;
    if (regex_compile(text, 0, &pattern, NULL) != STATUS_OK) return NULL;
    reader_hold(reader, HOLDING_REGEX)->regex = pattern;
    return pattern;
}

/* An attribute of an event is one value, so an expression is the whole of it. */
static void attribute_read(struct reader *reader, json value, struct event_attribute *attribute)
{
    if (json_is(value, JSON_OBJECT) || json_is(value, JSON_ARRAY)) {
        if (holds_expression(value)) {
            struct diagnostic *finding =
                refuse(reader, "V05", value_place(reader),
                       "expressions inside a %s of an event filter are not supported yet",
                       json_is(value, JSON_OBJECT) ? "map" : "list");
            hint(reader, finding, "one expression for the whole attribute; `.` is its value");
        }
        attribute->literal = value;
        return;
    }
    if (!json_is(value, JSON_TEXT)) {
        attribute->literal = value;
        return;
    }
    struct text_form form = text_form_of(reader, json_str(value));
    if (form.kind == TEXT_EXPRESSION) {
        attribute->expr = expression_compile(reader, form.source, form.offset);
    } else if (form.kind == TEXT_LITERAL) {
        attribute->literal = value;
        attribute->pattern = pattern_of(reader, json_str(value));
    }
}

static void filter_with_read(struct reader *reader, json value, void *target)
{
    struct event_filter *filter = target;
    if (!expect_kind(reader, value, JSON_OBJECT, "`with`")) return;
    size_t count = json_count(value);
    if (count == 0) {
        struct diagnostic *finding =
            refuse(reader, "V06", value_place(reader), "an event filter needs an attribute");
        hint(reader, finding, "`any: []` takes every event");
    }
    filter->attributes      = reader_alloc(reader, count, sizeof *filter->attributes);
    filter->attribute_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        size_t back                = pointer_enter(reader, json_key_at(value, i));
        filter->attributes[i].name = json_str(json_key_value_at(value, i)).ptr;
        attribute_read(reader, json_value_at(value, i), &filter->attributes[i]);
        pointer_leave(reader, back);
    }
}

static const struct field correlation_fields[] = {
    {"from", expression_read, offsetof(struct event_correlation, from), REQUIRED},
    {"expect", template_text_read, offsetof(struct event_correlation, expect), OPTIONAL},
};
static const struct object_kind correlation_kind = {
    .what        = "a correlation",
    .fields      = correlation_fields,
    .field_count = ARRAY_LEN(correlation_fields),
};

static void correlate_read(struct reader *reader, json value, void *target)
{
    struct event_filter *filter = target;
    if (!expect_kind(reader, value, JSON_OBJECT, "`correlate`")) return;
    size_t count              = json_count(value);
    filter->correlations      = reader_alloc(reader, count, sizeof *filter->correlations);
    filter->correlation_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        size_t back                  = pointer_enter(reader, json_key_at(value, i));
        filter->correlations[i].name = json_str(json_key_value_at(value, i)).ptr;
        (void)object_read(reader, &correlation_kind, json_value_at(value, i),
                          &filter->correlations[i]);
        pointer_leave(reader, back);
    }
}

static const struct field filter_fields[] = {
    {"with", filter_with_read, 0, REQUIRED},
    {"correlate", correlate_read, 0, OPTIONAL},
};
static const struct synonym filter_synonyms[] = {
    {"type", "with: { type: … }"},
    {"source", "with: { source: … }"},
    {"correlation", "correlate"},
    {},
};
static const struct object_kind filter_kind = {
    .what        = "an event filter",
    .fields      = filter_fields,
    .field_count = ARRAY_LEN(filter_fields),
    .synonyms    = filter_synonyms,
};

/* --- listen ----------------------------------------------------------------------------------- */

static void filters_read(struct reader *reader, json value, struct listen_body *listen)
{
    if (!expect_kind(reader, value, JSON_ARRAY, "the list of event filters")) return;
    size_t count         = json_count(value);
    listen->filters      = reader_alloc(reader, count, sizeof *listen->filters);
    listen->filter_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        size_t back = pointer_enter_index(reader, i);
        (void)object_read(reader, &filter_kind, json_at(value, i), &listen->filters[i]);
        pointer_leave(reader, back);
    }
}

static void one_read(struct reader *reader, json value, void *target)
{
    struct listen_body *listen = target;
    listen->mode               = LISTEN_ONE;
    listen->filters            = reader_alloc(reader, 1, sizeof *listen->filters);
    listen->filter_count       = 1;
    (void)object_read(reader, &filter_kind, value, listen->filters);
}

static void any_read(struct reader *reader, json value, void *target)
{
    struct listen_body *listen = target;
    listen->mode               = LISTEN_ANY;
    filters_read(reader, value, listen);
}

static void all_read(struct reader *reader, json value, void *target)
{
    struct listen_body *listen = target;
    listen->mode               = LISTEN_ALL;
    filters_read(reader, value, listen);
}

static const struct field strategy_fields[]   = {{.key = "one", .read = one_read},
                                                 {.key = "any", .read = any_read},
                                                 {.key = "all", .read = all_read},
                                                 {.key = "until"}};
static const struct object_kind strategy_kind = {
    .what        = "`listen.to`",
    .fields      = strategy_fields,
    .field_count = ARRAY_LEN(strategy_fields),
};

static void to_read(struct reader *reader, json value, void *target)
{
    static const char *const modes[] = {"one", "any", "all"};
    unsigned count                   = 0;
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (!json_is(json_get_text(value, modes[i]), JSON_INVALID)) count++;
    }
    if (object_read(reader, &strategy_kind, value, target) && count != 1) {
        refuse(reader, "V06", value_place(reader),
               "`listen.to` needs exactly one of `one`, `any`, `all`");
    }
}

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

static const struct field listen_fields[] = {
    {"listen", listen_read, 0, REQUIRED},
    {"foreach", NULL, 0, OPTIONAL},
};

const struct object_kind listen_task = {
    .what        = "a `listen`",
    .fields      = listen_fields,
    .field_count = ARRAY_LEN(listen_fields),
    .base        = &task_base,
};
