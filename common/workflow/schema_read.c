/*
 * `schema: {format, document}` or `{format, resource}`: compiled here, checked by the engine. What
 * is at a URL, or is referred to by one, has been read beforehand, or is noted as needed.
 */
#include "schema/schema.h"

#include "schema/uri.h"
#include "workflow/compile.h"
#include "workflow/link.h"

enum { URL_MAX = 4 << 10 /* bytes */ };

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

/* What a schema's references lead to. */
struct lookup {
    struct reader *reader;
    bool is_missing; /* a document that is named is not there, which has been said or noted */
};

static json lookup_find(str uri, void *context)
{
    struct lookup *lookup = context;
    if (!memmem(uri.ptr, uri.len, "://", 3)) return json_invalid();
    const struct link *link = link_open(lookup->reader, uri, NULL);
    if (link) link_refuse(lookup->reader, link);
    if (link && link->state == LINK_OPEN) return link->value;
    lookup->is_missing = true;
    return json_invalid();
}

/* Compiles the value at hand. */
static void document_read(struct reader *reader, json value, void *target)
{
    const struct schema **result        = target;
    struct diagnostics *findings        = diagnostics_new(reader->scratch);
    struct lookup lookup                = {.reader = reader};
    const struct schema_options options = {
        .uri = reader->source->url, .find = lookup_find, .context = &lookup};
    struct schema *schema = NULL;
    struct error why      = {};
    status s              = schema_compile(value, &options, findings, &schema, &why);
    if (s == STATUS_OK) {
        reader_hold(reader, HOLDING_SCHEMA)->schema = schema;
        *result                                     = schema;
        return;
    }
    if (lookup.is_missing) return;
    relay(reader, findings);
    if (findings->count == 0) {
        refuse(reader, s == STATUS_UNIMPLEMENTED ? "V05" : "V06", value_place(reader),
               "in the schema: %s", why.text);
    }
}

/* --- resources -------------------------------------------------------------------------------- */

struct schema_resource {
    const char *name;
    struct fixed_endpoint endpoint;
};

static const struct field resource_fields[] = {
    {"name", text_read, offsetof(struct schema_resource, name), OPTIONAL},
    {"endpoint", fixed_endpoint_read, offsetof(struct schema_resource, endpoint), REQUIRED},
};
static const struct object_kind resource_kind = {
    .what        = "a resource",
    .fields      = resource_fields,
    .field_count = ARRAY_LEN(resource_fields),
    .synonyms    = resource_synonyms,
};

static void resource_schema_read(struct reader *reader, json value, void *target)
{
    struct schema_resource resource = {};
    if (!object_read(reader, &resource_kind, value, &resource)) return;
    if (resource.endpoint.uri.len == 0) return; /* refused */
    CLEANUP(buf_done) struct buf url = buf_init(URL_MAX);
    if (!link_url(reader, resource.endpoint.uri, "the schema", &url)) return;
    bool has_fragment = false;
    str fragment      = uri_fragment(resource.endpoint.uri, &has_fragment);
    if (fragment.len > 0) {
        struct diagnostic *finding = refuse(reader, "V06", value_place(reader),
                                            "a resource is a whole document, without `#…`");
        hint(reader, finding, "`document: { $ref: '…#…' }` names a part of one");
        return;
    }
    const struct link *link = link_open(reader, buf_str(&url), resource.endpoint.authentication);
    if (!link) return;
    link_refuse(reader, link);
    if (link->state != LINK_OPEN) return;
    struct visit visit = visit_begin(reader, &link->source, "");
    document_read(reader, link->value, target);
    visit_end(reader, &visit);
}

/* --- schema ----------------------------------------------------------------------------------- */

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
    {"resource", resource_schema_read, 0, OPTIONAL},
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
    bool has_document = !json_is(json_get_text(value, "document"), JSON_INVALID);
    bool has_resource = !json_is(json_get_text(value, "resource"), JSON_INVALID);
    if (has_document && has_resource) {
        refuse(reader, "V06", value_place(reader),
               "`schema` needs either `document` or `resource`, not both");
    } else if (!has_document && !has_resource) {
        refuse(reader, "V06", value_place(reader), "`schema` needs `document` or `resource`");
    }
}
