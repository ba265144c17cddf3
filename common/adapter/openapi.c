/* The skeleton as text: YAML by hand, since what is to be done stands beside it. */
#include "adapter/openapi_internal.h"
#include "base/arena.h"
#include "base/attr.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    WORDS_MAX   = 400, /* bytes of a summary */
    MEMBERS_MAX = 60,  /* of an answer */
};

static const char *const methods[] = {"get", "head", "post", "put", "patch", "delete"};

/* --- texts ------------------------------------------------------------------------------------ */

/* In double quotes, with everything beyond printable ASCII escaped: YAML takes no control
 * characters, and a description may hold any. */
void import_put_text(struct buf *out, str text)
{
    str valid     = str_slice(text, 0, utf8_valid_prefix(text));
    size_t offset = 0;
    (void)buf_put_byte(out, '"');
    while (offset < valid.len) {
        uint32_t c = utf8_next(valid, &offset);
        if (c == '"' || c == '\\') {
            (void)buf_printf(out, "\\%c", (char)c);
        } else if (c >= ' ' && c < 0x7f) {
            (void)buf_put_byte(out, (char)c);
        } else if (c == '\n' || c == '\r' || c == '\t' || c == 0) {
            (void)buf_put_byte(out, ' ');
        } else {
            (void)buf_printf(out, "\\U%08" PRIx32, c);
        }
    }
    (void)buf_put_byte(out, '"');
}

/* The first line of a text, or a piece of it. */
str import_words(str text)
{
    const char *end = text.len > 0 ? memchr(text.ptr, '\n', text.len) : NULL;
    str line        = str_slice(text, 0, end ? (size_t)(end - text.ptr) : text.len);
    if (line.len > WORDS_MAX) line.len = WORDS_MAX;
    line.len = utf8_valid_prefix(line);
    while (line.len > 0 && line.ptr[line.len - 1] <= ' ') line.len--;
    return line;
}

/* --- what is written -------------------------------------------------------------------------- */

static str type_of(json schema)
{
    json type = json_get_text(schema, "type");
    if (json_is(type, JSON_ARRAY)) type = json_at(type, 0);
    return json_is(type, JSON_TEXT) ? json_str(type) : (str){.ptr = ""};
}

/* The types that JSON Schema knows; anything else is any value. */
static const char *known_type(json schema)
{
    static const char *const types[] = {"string",  "integer", "number",
                                        "boolean", "array",   "object"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (str_is(type_of(schema), types[i])) return types[i];
    }
    return NULL;
}

void import_put_schema(struct buf *out, json schema)
{
    const char *type  = known_type(schema);
    json choices      = json_get_text(schema, "enum");
    bool has_choices  = json_is(choices, JSON_ARRAY) && type && strcmp(type, "string") == 0;
    str words         = import_words(openapi_text(schema, "description"));
    const char *comma = "";
    (void)buf_put_byte(out, '{');
    if (type) {
        (void)buf_printf(out, "type: %s", type);
        comma = ", ";
    }
    if (has_choices) {
        (void)buf_printf(out, "%senum: [", comma);
        comma             = ", ";
        const char *inner = "";
        for (size_t i = 0; i < json_count(choices); i++) {
            if (!json_is(json_at(choices, i), JSON_TEXT)) continue;
            (void)buf_put_text(out, inner);
            import_put_text(out, json_str(json_at(choices, i)));
            inner = ", ";
        }
        (void)buf_put_byte(out, ']');
    }
    if (words.len > 0) {
        (void)buf_printf(out, "%sdescription: ", comma);
        import_put_text(out, words);
    }
    (void)buf_put_byte(out, '}');
}

static void put_params(struct buf *out, const struct operation *operation)
{
    const char *comma = "";
    if (operation->param_count == 0) {
        (void)buf_put_text(out, "    params: {}\n");
        return;
    }
    (void)buf_put_text(out, "    params:\n      properties:\n");
    for (size_t i = 0; i < operation->param_count; i++) {
        (void)buf_printf(out, "        %s: ", operation->params[i].name);
        if (strcmp(operation->params[i].in, "file") == 0) {
            (void)buf_put_text(out, "{format: blob}");
        } else {
            import_put_schema(out, operation->params[i].schema);
        }
        (void)buf_put_byte(out, '\n');
    }
    (void)buf_put_text(out, "      required: [");
    for (size_t i = 0; i < operation->param_count; i++) {
        if (!operation->params[i].is_required) continue;
        (void)buf_printf(out, "%s%s", comma, operation->params[i].name);
        comma = ", ";
    }
    (void)buf_put_text(out, "]\n");
}

static const struct import_param *param_in(const struct operation *operation, const char *in,
                                           str wire)
{
    for (size_t i = 0; i < operation->param_count; i++) {
        const struct import_param *param = &operation->params[i];
        if (strcmp(param->in, in) == 0 && str_equal(param->wire, wire)) return param;
    }
    return NULL;
}

/* With the parameters' names in its braces. */
static void put_path(struct buf *out, const struct operation *operation)
{
    CLEANUP(buf_done) struct buf path = buf_init(64 << 10);
    str from                          = operation->path;
    for (size_t i = 0; i < from.len; i++) {
        const char *close = from.ptr[i] == '{' ? memchr(from.ptr + i, '}', from.len - i) : NULL;
        size_t end        = close ? (size_t)(close - from.ptr) : 0;
        const struct import_param *param =
            close ? param_in(operation, "path", str_slice(from, i + 1, end)) : NULL;
        if (!param) {
            bool is_brace = from.ptr[i] == '{' || from.ptr[i] == '}';
            if (!is_brace) (void)buf_put_byte(&path, from.ptr[i]);
            continue;
        }
        (void)buf_printf(&path, "{%s}", param->name);
        i = end;
    }
    import_put_text(out, buf_str(&path));
}

/* A map of the parameters that go to one place; nothing if there are none. */
static void put_map(struct buf *out, const char *key, const struct operation *operation,
                    const char *in)
{
    bool is_begun = false;
    for (size_t i = 0; i < operation->param_count; i++) {
        const struct import_param *param = &operation->params[i];
        if (strcmp(param->in, in) != 0) continue;
        if (!is_begun) (void)buf_printf(out, "      %s:\n", key);
        is_begun = true;
        (void)buf_put_text(out, "        ");
        import_put_text(out, param->wire);
        (void)buf_printf(out, ": \"=.params.%s\"\n", param->name);
    }
}

/* Which of them are worth a parameter, and which are the same in every call, is for people to say.
 */
static void put_headers(struct buf *out, const struct operation *operation)
{
    for (size_t i = 0; i < operation->header_count; i++) {
        (void)buf_put_text(out, i == 0 ? "      # headers: described, and not sent as it stands: "
                                       : ", ");
        import_put_text(out, operation->headers[i]);
    }
    if (operation->header_count > 0) (void)buf_put_byte(out, '\n');
}

static void put_body(struct buf *out, const struct operation *operation)
{
    const char *key = operation->body == IMPORT_FORM ? "form" : "body";
    if (operation->content_type && operation->body != IMPORT_PARTS) {
        (void)buf_put_text(out, "      content_type: ");
        import_put_text(out, str_from(operation->content_type));
        (void)buf_put_byte(out, '\n');
    }
    if (operation->body == IMPORT_PARTS) { /* no key of manifests, so that lint asks */
        (void)buf_put_text(out,
                           "      parts: {}          # a form of parts with files: `call: http` "
                           "sends it, a manifest does not\n");
    } else if (operation->body == IMPORT_FILE) {
        const struct import_param *file = param_in(operation, "file", str_from("content"));
        if (file) (void)buf_printf(out, "      body_blob: %s\n", file->name);
    } else if (operation->is_whole_body) {
        (void)buf_printf(out, "      %s: \"=.params.body\"\n", key);
    } else {
        put_map(out, key, operation, "body");
    }
}

static void put_request(struct buf *out, const struct operation *operation)
{
    char method[8];
    size_t len = 0;
    for (; operation->method[len]; len++) method[len] = (char)(operation->method[len] - 'a' + 'A');
    method[len] = '\0';
    (void)buf_printf(out, "    request:\n      method: %s\n      path: ", method);
    put_path(out, operation);
    (void)buf_put_byte(out, '\n');
    put_map(out, "query", operation, "query");
    put_headers(out, operation);
    put_body(out, operation);
}

/* The schema of the first answer of success. */
static json answer_schema(const struct import *import, const struct operation *operation)
{
    json responses = import_member(import, operation->self, "responses");
    for (size_t i = 0; i < json_count(responses); i++) {
        str code = json_key_at(responses, i);
        if (code.len != 3 || code.ptr[0] != '2') continue;
        json response = import_resolve(import, json_value_at(responses, i));
        json content  = import_member(import, response, "content");
        json media    = json_get_text(content, "application/json");
        return import_member(import, import->is_swagger ? response : media, "schema");
    }
    return json_invalid();
}

static void put_output(const struct import *import, const struct operation *operation)
{
    json schema     = answer_schema(import, operation);
    json properties = import_member(import, schema, "properties");
    struct buf *out = import->out;
    size_t count    = json_is(properties, JSON_OBJECT) ? json_count(properties) : 0;
    if (count == 0) {
        bool is_list = str_is(type_of(schema), "array");
        (void)buf_printf(out, "    output: {%s}\n",
                         is_list                        ? "items: \"=.response.body\""
                         : json_is(schema, JSON_OBJECT) ? "body: \"=.response.body\""
                                                        : "");
        return;
    }
    (void)buf_put_text(out, "    output:\n");
    bool has_status = false;
    for (size_t i = 0; i < count && i < MEMBERS_MAX; i++) {
        str name = json_key_at(properties, i);
        char plain[IMPORT_NAME_SIZE];
        import_name(name, "", plain);
        if (!str_is(name, plain)) continue; /* one that needs quotes is taken by hand */
        (void)buf_printf(out, "      %s: \"=.response.body.%s\"\n", plain, plain);
        has_status = has_status || str_is(name, "status");
    }
    if (!has_status) (void)buf_put_text(out, "      status: \"=.response.status\"\n");
}

void import_put_example_value(struct buf *out, json schema)
{
    const char *type = known_type(schema);
    json choices     = json_get_text(schema, "enum");
    json first       = json_at(choices, 0);
    if (!type || strcmp(type, "string") == 0) {
        import_put_text(out,
                        json_is(first, JSON_TEXT) && type ? json_str(first) : str_from("text"));
        return;
    }
    bool is_number = strcmp(type, "integer") == 0 || strcmp(type, "number") == 0;
    (void)buf_put_text(out, is_number                      ? "1"
                            : strcmp(type, "boolean") == 0 ? "true"
                            : strcmp(type, "array") == 0   ? "[]"
                                                           : "{}");
}

static void put_example(struct buf *out, const struct operation *operation)
{
    const char *comma = "";
    (void)buf_put_text(out, "    example: {params: {");
    for (size_t i = 0; i < operation->param_count; i++) {
        const struct import_param *param = &operation->params[i];
        if (!param->is_required) continue;
        (void)buf_printf(out, "%s%s: ", comma, param->name);
        import_put_example_value(out, param->schema);
        comma = ", ";
    }
    (void)buf_put_text(out, "}}\n");
}

const char *import_effect_of(const char *method)
{
    if (strcmp(method, "get") == 0 || strcmp(method, "head") == 0) return "read";
    if (strcmp(method, "post") == 0) return "create";
    return strcmp(method, "delete") == 0 ? "delete" : "update";
}

static void put_action(struct import *import, const struct operation *operation, const char *name)
{
    struct buf *out = import->out;
    str summary     = import_words(openapi_text(operation->self, "summary"));
    if (summary.len == 0) summary = import_words(openapi_text(operation->self, "description"));
    if (summary.len == 0) summary = str_from(name);
    const char *effect = import_effect_of(operation->method);
    bool is_write      = strcmp(effect, "read") != 0;
    (void)buf_printf(out, "\n  %s:\n    summary: ", name);
    import_put_text(out, summary);
    (void)buf_printf(out, "\n    effect: %s          # guessed from the method\n", effect);
    put_params(out, operation);
    put_request(out, operation);
    put_output(import, operation);
    if (is_write) {
        (void)buf_put_text(out,
                           "    # idempotency: what if it is done twice? natural, none, {header: "
                           "...}, {lookup: [...]}, ...\n");
    }
    if (strcmp(effect, "create") == 0) {
        (void)buf_put_text(out, "    # compensate: [{action: ..., with: {...}}], or irreversible: "
                                "why\n");
    }
    put_example(out, operation);
}

/* --- operations ------------------------------------------------------------------------------- */

static status add_operation(struct import *import, struct operation *operation,
                            struct error *reterr)
{
    str id = openapi_text(operation->self, "operationId");
    char name[IMPORT_NAME_SIZE];
    CLEANUP(buf_done) struct buf made = buf_init(64 << 10);
    (void)buf_printf(&made, "%s" STR_FMT, operation->method, STR_ARG(operation->path));
    str called = id.len > 0 ? id : buf_str(&made);
    import_note_id(import, called);
    if (!import_is_wanted(import->options->operations, called)) return STATUS_OK;
    if (import->count == OPENAPI_OPERATIONS_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED,
                    "more than %d operations: name those that are wanted (--operations)",
                    OPENAPI_OPERATIONS_MAX);
    }
    import_action_name(import, called, name);
    memcpy(import->names[import->count++], name, IMPORT_NAME_SIZE);
    operation_read(import, operation);
    put_action(import, operation, name);
    return STATUS_OK;
}

static status add_operations(struct import *import, struct operation *scratch, struct error *reterr)
{
    json paths = json_get_text(import->root, "paths");
    for (size_t i = 0; i < json_count(paths); i++) {
        str path  = json_key_at(paths, i);
        json item = import_resolve(import, json_value_at(paths, i));
        if (path.len == 0 || path.ptr[0] != '/') continue;
        for (size_t k = 0; k < ARRAY_LEN(methods); k++) {
            json self = import_member(import, item, methods[k]);
            if (!json_is(self, JSON_OBJECT)) continue;
            *scratch =
                (struct operation){.method = methods[k], .path = path, .item = item, .self = self};
            TRY(add_operation(import, scratch, reterr));
        }
    }
    return STATUS_OK;
}

/* --- the top ---------------------------------------------------------------------------------- */

static bool is_address(str text)
{
    return (str_starts_with(text, str_from("https://")) ||
            str_starts_with(text, str_from("http://"))) &&
           !memchr(text.ptr, '{', text.len) && text.len == utf8_valid_prefix(text);
}

static void put_base(const struct import *import)
{
    struct buf *out = import->out;
    str host        = openapi_text(import->root, "host");
    str url         = openapi_text(json_at(json_get_text(import->root, "servers"), 0), "url");
    CLEANUP(buf_done) struct buf made = buf_init(4 << 10);
    if (import->is_swagger && host.len > 0) {
        (void)buf_printf(&made, "https://" STR_FMT STR_FMT, STR_ARG(host),
                         STR_ARG(openapi_text(import->root, "basePath")));
        url = buf_str(&made);
    }
    (void)buf_put_text(out, "  base_url: {type: string, default: ");
    import_put_text(out, is_address(url) ? url : str_from("https://api.example.com"));
    (void)buf_put_text(out, "}\n");
}

/* The first way to prove who asks; JSON_INVALID: there is none. */
static json scheme_of(const struct import *import)
{
    json schemes =
        import->is_swagger
            ? json_get_text(import->root, "securityDefinitions")
            : import_member(import, json_get_text(import->root, "components"), "securitySchemes");
    json found = json_count(schemes) > 0 ? import_resolve(import, json_value_at(schemes, 0))
                                         : json_invalid();
    return json_is(found, JSON_OBJECT) ? found : json_invalid();
}

static bool is_basic(json scheme)
{
    return str_is(openapi_text(scheme, "type"), "basic") ||
           str_is(openapi_text(scheme, "scheme"), "basic");
}

/* The name of a header or parameter; any but plain ones is left to whoever goes on. */
static str key_name(json scheme)
{
    str name     = openapi_text(scheme, "name");
    bool is_good = name.len > 0 && name.len <= 100;
    for (size_t i = 0; i < name.len; i++) {
        char c  = name.ptr[i];
        is_good = is_good && (c == '-' || c == '_' || (c >= '0' && c <= '9') ||
                              (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'));
    }
    return is_good ? name : str_from("X-Api-Key");
}

static void put_auth(const struct import *import)
{
    struct buf *out = import->out;
    json scheme     = scheme_of(import);
    str in          = openapi_text(scheme, "in");
    bool is_header  = str_is(in, "header");
    bool is_key     = str_is(openapi_text(scheme, "type"), "apiKey");
    if (json_is(scheme, JSON_INVALID)) {
        (void)buf_put_text(out, "auth: none\n");
    } else if (is_basic(scheme)) {
        (void)buf_put_text(out, "secrets:\n  password: {}\nauth: {type: basic, user: "
                                "\"=.config.user\", password: password}\n");
    } else if (is_key && (is_header || str_is(in, "query"))) {
        (void)buf_printf(
            out, "secrets:\n  key: {}\nauth: {type: %s, name: \"" STR_FMT "\", secret: key}\n",
            is_header ? "header" : "query", STR_ARG(key_name(scheme)));
    } else {
        (void)buf_put_text(out, "secrets:\n  token: {}\nauth: {type: bearer, secret: token}\n");
    }
}

void import_put_top(const struct import *import)
{
    struct buf *out = import->out;
    json info       = json_get_text(import->root, "info");
    str title       = import_words(openapi_text(info, "title"));
    str docs        = openapi_text(json_get_text(import->root, "externalDocs"), "url");
    bool is_page    = str_starts_with(docs, str_from("https://"));
    (void)buf_printf(out,
                     "# Manifest of the adapter `%s`, begun from the description of its API. What "
                     "is left to do:\n# `tutti adapter lint FILE`. Format: "
                     "docs/reference/adapters.md.\nmanifest: tutti/adapter/v1\nname: "
                     "%s\nversion: \"1.0.0\"\ntitle: ",
                     import->options->name, import->options->name);
    import_put_text(out, title.len > 0 ? title : str_from(import->options->name));
    (void)buf_put_text(out, "\ndocs: ");
    import_put_text(out, is_page ? docs : str_from("https://example.com"));
    (void)buf_put_text(out, "          # the page the facts come from\n\nconfig:\n");
    if (is_basic(scheme_of(import))) {
        (void)buf_put_text(out, "  user: {type: string, default: tutti}\n");
    }
    put_base(import);
    put_auth(import);
    (void)buf_put_text(out, "\nhttp: {base_url: \"=.config.base_url\"}\n\nactions:\n");
}

status openapi_skeleton(json description, const struct openapi_options *options, struct buf *out,
                        struct error *reterr)
{
    struct import import = {.root = description, .options = options, .out = out};
    TRY(openapi_check(description, &import.is_swagger, reterr));
    CLEANUP(arena_freep) struct arena *arena = arena_new(4 << 20);
    struct operation *scratch                = arena_alloc(arena, sizeof *scratch);
    import.names = arena_alloc(arena, OPENAPI_OPERATIONS_MAX * sizeof *import.names);
    import.ids   = arena_alloc(arena, IMPORT_IDS_MAX * sizeof *import.ids);
    import.arena = arena;
    if (!scratch || !import.names || !import.ids) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    }
    import_put_top(&import);
    TRY(add_operations(&import, scratch, reterr));
    TRY(import_check_wanted(options->operations, import.ids, import.id_count, reterr));
    if (import.count == 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "it describes no operations");
    }
    if (!out->is_full) return STATUS_OK;
    return fail(
        reterr, STATUS_RESOURCE_EXHAUSTED,
        "the manifest would be too large: name the operations that are wanted (--operations)");
}
