/* The arguments of `call: openapi` (K2): {document: resource, operationId, parameters?,
 * authentication?, output?, redirect?}. */
#include "workflow/catalog.h"

struct arguments_of_openapi {
    const struct template *document, *operation, *parameters, *authentication, *output, *redirect;
};

static const struct field openapi_fields[] = {
    {"document", resource_read, offsetof(struct arguments_of_openapi, document), REQUIRED},
    {"operationId", template_text_read, offsetof(struct arguments_of_openapi, operation), REQUIRED},
    {"parameters", template_map_read, offsetof(struct arguments_of_openapi, parameters), OPTIONAL},
    {"authentication", authentication_read, offsetof(struct arguments_of_openapi, authentication),
     OPTIONAL},
    {"output", call_output_read, offsetof(struct arguments_of_openapi, output), OPTIONAL},
    {"redirect", call_redirect_read, offsetof(struct arguments_of_openapi, redirect), OPTIONAL},
};
static const struct synonym openapi_synonyms[] = {
    {"spec", "document"},
    {"operation", "operationId"},
    {"operation_id", "operationId"},
    {"arguments", "parameters"},
    {"params", "parameters"},
    {"body", "parameters"},
    {"auth", "authentication"},
    {},
};
static const struct object_kind openapi_kind = {
    .what        = "an OpenAPI call",
    .fields      = openapi_fields,
    .field_count = ARRAY_LEN(openapi_fields),
    .synonyms    = openapi_synonyms,
};

void openapi_with_read(struct reader *reader, json value, void *target)
{
    const struct template **with          = target;
    struct arguments_of_openapi arguments = {};
    *with = template_of_table(reader, &openapi_kind, value, &arguments);
    authentication_set(reader, arguments.authentication);
}
