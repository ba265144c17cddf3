/*
 * Where something is: an endpoint (a URI, an expression, or a map of URI and authentication) and an
 * external resource, which is an endpoint with a name (C2).
 */
#include "workflow/compile.h"

static const struct field endpoint_fields[] = {
    {"uri", template_uri_read, offsetof(struct endpoint, uri), REQUIRED},
    {"authentication", authentication_read, offsetof(struct endpoint, authentication), OPTIONAL},
};
const struct synonym endpoint_synonyms[] = {
    {"url", "uri"},
    {"href", "uri"},
    {"auth", "authentication"},
    {},
};
static const struct object_kind endpoint_kind = {
    .what        = "an endpoint",
    .fields      = endpoint_fields,
    .field_count = ARRAY_LEN(endpoint_fields),
    .synonyms    = endpoint_synonyms,
};

void endpoint_read(struct reader *reader, json value, void *target)
{
    struct endpoint *endpoint = target;
    if (json_is(value, JSON_OBJECT)) {
        (void)object_read(reader, &endpoint_kind, value, endpoint);
    } else {
        template_uri_read(reader, value, &endpoint->uri);
    }
}

const struct template *template_of_endpoint(struct reader *reader, const struct endpoint *endpoint)
{
    const struct template_member members[] = {{"uri", endpoint->uri},
                                              {"authentication", endpoint->authentication}};
    return template_of_members(reader, members, ARRAY_LEN(members));
}

/* --- resources -------------------------------------------------------------------------------- */

struct resource {
    const struct template *name;
    struct endpoint endpoint;
};

static const struct field resource_fields[] = {
    {"name", template_text_read, offsetof(struct resource, name), OPTIONAL},
    {"endpoint", endpoint_read, offsetof(struct resource, endpoint), REQUIRED},
};
const struct synonym resource_synonyms[] = {
    {"uri", "endpoint"},
    {"url", "endpoint"},
    {"href", "endpoint"},
    {},
};
static const struct object_kind resource_kind = {
    .what        = "a resource",
    .fields      = resource_fields,
    .field_count = ARRAY_LEN(resource_fields),
    .synonyms    = resource_synonyms,
};

void resource_read(struct reader *reader, json value, void *target)
{
    const struct template **result = target;
    struct resource resource       = {};
    if (!object_read(reader, &resource_kind, value, &resource)) return;
    const struct template_member members[] = {
        {"name", resource.name},
        {"endpoint", template_of_endpoint(reader, &resource.endpoint)},
    };
    *result = template_of_members(reader, members, ARRAY_LEN(members));
}
