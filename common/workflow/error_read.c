/* Errors in a definition: what `raise` raises and what `catch` takes. */
#include "workflow/compile.h"
#include "workflow/use.h"

enum { STATUS_MAX = 999 };

/* --- filters ---------------------------------------------------------------------------------- */

/* A text, or an expression: the member of `computed` that is at the same place. */
static void filter_member_read(struct reader *reader, json value, const char **literal,
                               const struct template **computed)
{
    if (is_expression(value)) {
        template_expression_read(reader, value, computed);
    } else {
        text_read(reader, value, literal);
    }
}

static void filter_type_read(struct reader *reader, json value, void *target)
{
    struct error_filter *filter = target;
    filter_member_read(reader, value, &filter->type, &filter->computed.type);
}

static void filter_instance_read(struct reader *reader, json value, void *target)
{
    struct error_filter *filter = target;
    filter_member_read(reader, value, &filter->instance, &filter->computed.instance);
}

static void filter_title_read(struct reader *reader, json value, void *target)
{
    struct error_filter *filter = target;
    filter_member_read(reader, value, &filter->title, &filter->computed.title);
}

static void filter_detail_read(struct reader *reader, json value, void *target)
{
    struct error_filter *filter = target;
    filter_member_read(reader, value, &filter->detail, &filter->computed.detail);
}

static void filter_status_read(struct reader *reader, json value, void *target)
{
    struct error_filter *filter = target;
    int64_t code;
    if (is_expression(value)) {
        template_expression_read(reader, value, &filter->computed.status);
    } else if (integer_read(reader, value, 1, STATUS_MAX, &code)) {
        filter->status = (uint32_t)code;
    }
}

/* 1.0.3 says `details`, the main dialect `detail`. */
static const struct field filter_fields[] = {
    {"type", filter_type_read, 0, OPTIONAL},         {"status", filter_status_read, 0, OPTIONAL},
    {"instance", filter_instance_read, 0, OPTIONAL}, {"title", filter_title_read, 0, OPTIONAL},
    {"details", filter_detail_read, 0, OPTIONAL},    {"detail", filter_detail_read, 0, OPTIONAL},
};
static const struct synonym filter_synonyms[] = {
    {"code", "status"},
    {"message", "title"},
    {"kind", "type"},
    {},
};
static const struct object_kind filter_kind = {
    .what        = "`errors.with`",
    .fields      = filter_fields,
    .field_count = ARRAY_LEN(filter_fields),
    .synonyms    = filter_synonyms,
};

void error_filter_read(struct reader *reader, json value, void *target)
{
    if (!object_read(reader, &filter_kind, value, target)) return;
    if (json_count(value) == 0) {
        struct diagnostic *finding =
            refuse(reader, "V06", value_place(reader), "`errors.with` names nothing");
        hint(reader, finding, "leave `errors` out to catch every error");
    }
}

/* --- errors to raise -------------------------------------------------------------------------- */

static void status_read(struct reader *reader, json value, void *target)
{
    const struct template **result = target;
    int64_t number;
    if (is_expression(value)) {
        template_read(reader, value, target);
    } else if (integer_read(reader, value, 1, STATUS_MAX, &number)) {
        *result = template_of_constant(reader, value);
    }
}

/* A URI, or a part of one: nobody fetches it, so a relative one names an error as well. */
static void type_read(struct reader *reader, json value, void *target)
{
    if (json_is(value, JSON_TEXT) && !holds_expression(value)) {
        str type      = json_str(value);
        bool is_blank = type.len == 0;
        for (size_t i = 0; i < type.len; i++) is_blank = is_blank || type.ptr[i] <= ' ';
        if (is_blank) {
            struct diagnostic *finding =
                refuse(reader, "V06", value_place(reader), "the type of an error is a URI");
            hint(reader, finding, "`https://example.com/errors/not-found`");
            return;
        }
    }
    template_text_read(reader, value, target);
}

static bool is_pointer(str text)
{
    if (text.len > 0 && text.ptr[0] != '/') return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '~') continue;
        if (i + 1 == text.len || (text.ptr[i + 1] != '0' && text.ptr[i + 1] != '1')) return false;
    }
    return true;
}

static void instance_read(struct reader *reader, json value, void *target)
{
    if (json_is(value, JSON_TEXT) && !holds_expression(value) && !is_pointer(json_str(value))) {
        struct diagnostic *finding = refuse(reader, "V06", value_place(reader),
                                            "the instance of an error is a JSON pointer");
        hint(reader, finding, "`/do/0/pay`");
        return;
    }
    template_text_read(reader, value, target);
}

static const struct field error_fields[] = {
    {"type", type_read, offsetof(struct error_template, type), REQUIRED},
    {"status", status_read, offsetof(struct error_template, status), REQUIRED},
    {"title", template_text_read, offsetof(struct error_template, title), OPTIONAL},
    {"detail", template_text_read, offsetof(struct error_template, detail), OPTIONAL},
    {"details", template_text_read, offsetof(struct error_template, detail), OPTIONAL},
    {"instance", instance_read, offsetof(struct error_template, instance), OPTIONAL},
};
static const struct synonym error_synonyms[] = {
    {"code", "status"}, {"message", "title"}, {"kind", "type"}, {"description", "detail"}, {},
};
static const struct object_kind error_kind = {
    .what        = "an error",
    .fields      = error_fields,
    .field_count = ARRAY_LEN(error_fields),
    .synonyms    = error_synonyms,
};

void error_inline_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &error_kind, value, target);
}

void error_read(struct reader *reader, json value, void *target)
{
    if (!json_is(value, JSON_TEXT)) {
        error_inline_read(reader, value, target);
        return;
    }
    struct definition *definition = definition_find(reader, DEFINITION_ERROR, json_str(value));
    if (definition) definition_read(reader, definition, error_inline_read, target);
}
