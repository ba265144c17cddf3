/* `schema: {format, document}`: compiled here, checked by the engine. */
#include "schema/schema.h"

#include "workflow/compile.h"

/* The schema layer reports pointers into the schema; ours are into the definition. */
static void relay(struct reader *reader, const struct diagnostics *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct diagnostic *f = &findings->items[i];
        size_t back                = reader->pointer.len;
        if (back + strlen(f->pointer) < POINTER_MAX) {
            (void)buf_put_text(&reader->pointer, f->pointer);
        }
        struct diagnostic *finding =
            refuse(reader, "V06", value_place(reader), "in the schema: %s", f->detail);
        if (f->hint[0]) hint(reader, finding, "%s", f->hint);
        pointer_leave(reader, back);
    }
}

static void document_read(struct reader *reader, json value, void *target)
{
    const struct schema **result = target;
    struct diagnostics *findings = diagnostics_new(reader->scratch);
    struct schema *schema        = NULL;
    struct error why             = {};
    status s                     = schema_compile(value, NULL, findings, &schema, &why);
    if (s == STATUS_OK) {
        reader_hold(reader, HOLDING_SCHEMA)->schema = schema;
        *result                                     = schema;
        return;
    }
    relay(reader, findings);
    if (findings->count == 0) {
        refuse(reader, s == STATUS_UNIMPLEMENTED ? "V05" : "V06", value_place(reader),
               "in the schema: %s", why.text);
    }
}

static void format_read(struct reader *reader, json value, void *)
{
    if (!expect_kind(reader, value, JSON_TEXT, "`format`") || str_is(json_str(value), "json")) {
        return;
    }
    refuse(reader, "V05", value_place(reader),
           "schemas of format `" STR_FMT "` are not supported "
           "yet",
           STR_ARG(shown(json_str(value))));
}

static const struct field schema_fields[] = {
    {"format", format_read, 0, OPTIONAL},
    {"document", document_read, 0, OPTIONAL},
    {"resource", NULL, 0, OPTIONAL},
};
static const struct synonym schema_synonyms[] = {
    {"type", "document: { type: … }"},
    {"properties", "document: { properties: … }"},
    {"required", "document: { required: … }"},
    {"$ref", "document: { $ref: … }"},
    {},
};
static const struct object_kind schema_kind = {
    .what        = "`schema`",
    .fields      = schema_fields,
    .field_count = ARRAY_LEN(schema_fields),
    .synonyms    = schema_synonyms,
};

void schema_read(struct reader *reader, json value, void *target)
{
    if (!object_read(reader, &schema_kind, value, target)) return;
    if (json_is(json_get_text(value, "document"), JSON_INVALID) &&
        json_is(json_get_text(value, "resource"), JSON_INVALID)) {
        refuse(reader, "V06", value_place(reader), "`schema` needs `document`");
    }
}
