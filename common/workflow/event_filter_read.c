/* Filters of events, and the strategies that put several of them together: what a `listen`, the end
 * of one, or a schedule waits for. */
#include "workflow/event_filter_read.h"
#include "expr/regex.h"

/* --- filters ---------------------------------------------------------------------------------- */

/* A text may be meant literally or as a regular expression; one that is no expression, such as
 * "C++", is literal only. */
static const struct regex *pattern_of(struct reader *reader, str text)
{
    struct regex *pattern = NULL;
    if (regex_compile(text, 0, &pattern, NULL) != STATUS_OK) return NULL;
    reader_hold(reader, HOLDING_REGEX)->regex = pattern;
    return pattern;
}

/* An expression is the whole attribute, or stands anywhere in a map or list of it. */
static void attribute_read(struct reader *reader, json value, struct event_attribute *attribute)
{
    if (json_is(value, JSON_OBJECT) || json_is(value, JSON_ARRAY)) {
        if (holds_expression(value)) {
            template_read(reader, value, &attribute->shape);
        } else {
            attribute->literal = value;
        }
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
        if (event_attribute_check(reader, json_key_at(value, i), json_value_at(value, i), true)) {
            attribute_read(reader, json_value_at(value, i), &filter->attributes[i]);
        }
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

/* --- strategies ------------------------------------------------------------------------------- */

static void filters_read(struct reader *reader, json value, struct event_strategy *strategy)
{
    if (!expect_kind(reader, value, JSON_ARRAY, "the list of event filters")) return;
    size_t count           = json_count(value);
    strategy->filters      = reader_alloc(reader, count, sizeof *strategy->filters);
    strategy->filter_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        size_t back = pointer_enter_index(reader, i);
        (void)object_read(reader, &filter_kind, json_at(value, i), &strategy->filters[i]);
        pointer_leave(reader, back);
    }
}

void strategy_one_read(struct reader *reader, json value, void *target)
{
    struct event_strategy *strategy = target;
    strategy->mode                  = LISTEN_ONE;
    strategy->filters               = reader_alloc(reader, 1, sizeof *strategy->filters);
    strategy->filter_count          = 1;
    (void)object_read(reader, &filter_kind, value, strategy->filters);
}

void strategy_any_read(struct reader *reader, json value, void *target)
{
    struct event_strategy *strategy = target;
    strategy->mode                  = LISTEN_ANY;
    filters_read(reader, value, strategy);
}

void strategy_all_read(struct reader *reader, json value, void *target)
{
    struct event_strategy *strategy = target;
    strategy->mode                  = LISTEN_ALL;
    filters_read(reader, value, strategy);
}

bool strategy_check(struct reader *reader, json value, const char *what)
{
    static const char *const modes[] = {"one", "any", "all"};
    unsigned count                   = 0;
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (!json_is(json_get_text(value, modes[i]), JSON_INVALID)) count++;
    }
    if (count == 1) return true;
    refuse(reader, "V06", value_place(reader), "%s needs exactly one of `one`, `any`, `all`", what);
    return false;
}

static const struct field strategy_fields[] = {
    {"one", strategy_one_read, 0, OPTIONAL},
    {"any", strategy_any_read, 0, OPTIONAL},
    {"all", strategy_all_read, 0, OPTIONAL},
};

void strategy_read(struct reader *reader, json value, const char *what, void *target)
{
    const struct object_kind kind = {
        .what        = what,
        .fields      = strategy_fields,
        .field_count = ARRAY_LEN(strategy_fields),
    };
    if (object_read(reader, &kind, value, target)) (void)strategy_check(reader, value, what);
}

/* --- what is listened to -----------------------------------------------------------------------
 */

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
void consumption_read(struct reader *reader, json value, const char *what,
                      struct listen_body *listen)
{
    const struct object_kind kind = {
        .what        = what,
        .fields      = to_fields,
        .field_count = ARRAY_LEN(to_fields),
    };
    if (!object_read(reader, &kind, value, listen)) return;
    if (!strategy_check(reader, value, what)) return;
    bool has_until = !json_is(json_get_text(value, "until"), JSON_INVALID);
    if (!has_until || listen->to.mode == LISTEN_ANY) return;
    size_t back = pointer_enter(reader, str_from("until"));
    struct diagnostic *finding =
        refuse(reader, "V06", key_place(reader), "`until` ends an `any`; this is `%s`",
               listen->to.mode == LISTEN_ONE ? "one" : "all");
    hint(reader, finding, "`any: [ … ]`, or leave `until` out");
    pointer_leave(reader, back);
}

void event_read_read(struct reader *reader, json value, enum listen_read *target)
{
    static const char *const modes[] = {
        [LISTEN_DATA] = "data", [LISTEN_ENVELOPE] = "envelope", [LISTEN_RAW] = "raw"};
    size_t index;
    if (choice_read(reader, value, modes, ARRAY_LEN(modes), &index)) {
        *target = (enum listen_read)index;
    }
}
