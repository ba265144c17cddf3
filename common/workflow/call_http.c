/*
 * The arguments of `call: http` (K1). What the worker gets is a plain object; the forms of
 * `endpoint` are brought to one:
 *
 *     {method, endpoint, headers?, query?, body?, output?, redirect?,
 *      authentication?: {basic | bearer | digest | oauth2 | oidc: {…}}}
 */
#include "workflow/catalog.h"

#include <ctype.h>

struct http_arguments {
    const struct template *method, *headers, *query, *body, *output, *redirect;
    struct endpoint endpoint;
};

static void method_read(struct reader *reader, json value, void *target)
{
    if (json_is(value, JSON_TEXT) && !is_expression(value)) {
        str method = json_str(value);
        size_t len = 0;
        while (len < method.len && isalpha((unsigned char)method.ptr[len])) len++;
        if (len == 0 || len < method.len) {
            refuse(reader, "V06", value_place(reader), "`" STR_FMT "` is not an HTTP method",
                   STR_ARG(shown(method)));
            return;
        }
    }
    template_text_read(reader, value, target);
}

/* --- headers, query --------------------------------------------------------------------------- */

static void headers_read(struct reader *reader, json value, void *target)
{
    texts_read(reader, value, "header", target);
}

static void query_read(struct reader *reader, json value, void *target)
{
    texts_read(reader, value, "query", target);
}

/* --- the rest --------------------------------------------------------------------------------- */

void call_output_read(struct reader *reader, json value, void *target)
{
    static const char *const forms[] = {"raw", "content", "response"};
    size_t index;
    if (choice_read(reader, value, forms, ARRAY_LEN(forms), &index)) {
        template_read(reader, value, target);
    }
}

void call_redirect_read(struct reader *reader, json value, void *target)
{
    const struct template **redirect = target;
    bool truth;
    boolean_read(reader, value, &truth);
    *redirect = template_of_constant(reader, value);
}

static const struct field http_fields[] = {
    {"method", method_read, offsetof(struct http_arguments, method), REQUIRED},
    {"endpoint", endpoint_read, offsetof(struct http_arguments, endpoint), REQUIRED},
    {"headers", headers_read, offsetof(struct http_arguments, headers), OPTIONAL},
    {"query", query_read, offsetof(struct http_arguments, query), OPTIONAL},
    {"body", template_read, offsetof(struct http_arguments, body), OPTIONAL},
    {"output", call_output_read, offsetof(struct http_arguments, output), OPTIONAL},
    {"redirect", call_redirect_read, offsetof(struct http_arguments, redirect), OPTIONAL},
};
static const struct synonym http_synonyms[] = {
    {"url", "endpoint"},
    {"uri", "endpoint"},
    {"params", "query"},
    {"parameters", "query"},
    {"data", "body"},
    {"json", "body"},
    {"payload", "body"},
    {"verb", "method"},
    {"authentication", "endpoint: { uri: …, authentication: … }"},
    {"auth", "endpoint: { uri: …, authentication: … }"},
    {"followRedirects", "redirect"},
    {},
};
static const struct object_kind http_kind = {
    .what        = "an HTTP call",
    .fields      = http_fields,
    .field_count = ARRAY_LEN(http_fields),
    .synonyms    = http_synonyms,
};

void http_with_read(struct reader *reader, json value, void *target)
{
    const struct template **with    = target;
    struct http_arguments arguments = {};
    (void)object_read(reader, &http_kind, value, &arguments);
    const struct template_member members[] = {
        {"method", arguments.method},     {"endpoint", arguments.endpoint.uri},
        {"headers", arguments.headers},   {"query", arguments.query},
        {"body", arguments.body},         {"output", arguments.output},
        {"redirect", arguments.redirect}, {"authentication", arguments.endpoint.authentication},
    };
    authentication_set(reader, arguments.endpoint.authentication);
    *with = template_of_members(reader, members, ARRAY_LEN(members));
}
