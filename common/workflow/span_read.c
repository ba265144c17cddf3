/* Durations and timeouts in a definition. */
#include "workflow/compile.h"
#include "workflow/duration.h"
#include "workflow/use.h"

static const char *const units[] = {"days", "hours", "minutes", "seconds", "milliseconds"};

/* `5m`, `30s`: what other tools write. */
static bool short_form(str text, char *unit)
{
    size_t i = 0;
    while (i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9') i++;
    if (i == 0 || i + 1 != text.len || !strchr("smhd", text.ptr[i])) return false;
    *unit = text.ptr[i];
    return true;
}

static const char *right_unit(json map)
{
    for (size_t i = 0; i < json_count(map); i++) {
        str key    = json_key_at(map, i);
        bool known = false;
        for (size_t k = 0; k < ARRAY_LEN(units); k++) known = known || str_is(key, units[k]);
        if (!known) return nearest_name(key, units, ARRAY_LEN(units));
    }
    return NULL;
}

static void offer(struct reader *reader, struct diagnostic *finding, json value)
{
    char unit;
    const char *right = json_is(value, JSON_OBJECT) ? right_unit(value) : NULL;
    if (right) {
        hint(reader, finding, "did you mean `%s`?", right);
    } else if (json_is(value, JSON_TEXT) && short_form(json_str(value), &unit)) {
        str text    = json_str(value);
        str number  = str_slice(text, 0, text.len - 1);
        char letter = (char)(unit - 'a' + 'A');
        hint(reader, finding, "`P%s" STR_FMT "%c`", unit == 'd' ? "" : "T", STR_ARG(shown(number)),
             letter);
    } else {
        hint(reader, finding, "`PT30S`, `PT5M`, `P1D`, or `{ minutes: 5 }`");
    }
}

void span_read(struct reader *reader, json value, void *target)
{
    struct duration *duration = target;
    if (json_is(value, JSON_TEXT)) {
        struct text_form form = text_form_of(reader, json_str(value));
        if (form.kind == TEXT_REFUSED) return;
        if (form.kind == TEXT_EXPRESSION) {
            const struct expression *expression =
                expression_compile(reader, form.source, form.offset);
            if (expression) duration->computed = template_of_expression(reader, expression);
            return;
        }
    }
    struct error why = {};
    int64_t us;
    if (duration_read(value, &us, &why) != STATUS_OK) {
        offer(reader, refuse(reader, "V07", value_place(reader), "%s", why.text), value);
        return;
    }
    duration->us = us;
}

/* --- timeouts --------------------------------------------------------------------------------- */

static const struct field timeout_fields[] = {
    {"after", span_read, 0, REQUIRED},
};
static const struct synonym timeout_synonyms[] = {
    {"duration", "after"},
    {"seconds", "after: { seconds: … }"},
    {"minutes", "after: { minutes: … }"},
    {},
};
static const struct object_kind timeout_kind = {
    .what        = "a timeout",
    .fields      = timeout_fields,
    .field_count = ARRAY_LEN(timeout_fields),
    .synonyms    = timeout_synonyms,
};

void timeout_inline_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &timeout_kind, value, target);
}

void timeout_read(struct reader *reader, json value, void *target)
{
    if (!json_is(value, JSON_TEXT)) {
        timeout_inline_read(reader, value, target);
        return;
    }
    struct definition *definition = definition_find(reader, DEFINITION_TIMEOUT, json_str(value));
    if (definition) definition_read(reader, definition, timeout_inline_read, target);
}
