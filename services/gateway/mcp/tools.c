#include "gateway/mcp/tools.h"

#include "base/assert.h"
#include "base/diagnostic.h"
#include "base/mem.h"
#include "schema/schema.h"
#include "yaml/yaml.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>

/* From tools.yaml, at build time. */
extern const unsigned char mcp_tools_yaml[];
extern const size_t mcp_tools_yaml_size;

enum {
    ARENA_MAX     = 4 << 20, /* bytes of findings */
    TOOL_PATH_MAX = 1024,    /* bytes */
    QUERY_MAX     = 4096,    /* bytes */
    BODY_MAX      = 1 << 20, /* bytes */
};

struct mcp_tool {
    json source; /* its entry; a view */
    json input;  /* JSON Schema, closed; owned */
    struct schema *schema;
    enum method method;
};

struct mcp_tools {
    struct yaml_document *document;
    struct mcp_tool *items;
    size_t count;
};

/* --- reading ------------------------------------------------------------------------------------
 */

static str text_of(json object, const char *key)
{
    json value = json_get_text(object, key);
    return json_is(value, JSON_TEXT) ? json_str(value) : (str){.ptr = "", .len = 0};
}

/* What is not named is refused: an agent learns that it has guessed. A tree of its own, so that it
 * can be shared by threads. */
static status read_input(json source, json *ret_input, struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(BODY_MAX);
    CLEANUP(json_unrefp) json schema  = json_object_new(json_count(source) + 2);
    CLEANUP(json_unrefp) json own     = json_invalid();
    json_object_put_text(&schema, "type", json_text_from("object"));
    for (size_t i = 0; i < json_count(source); i++) {
        json_object_put(&schema, json_key_at(source, i), json_ref(json_value_at(source, i)));
    }
    json_object_put_text(&schema, "additionalProperties", json_bool(false));
    (void)json_print(schema, JSON_COMPACT, &text);
    TRY(json_parse(buf_str(&text), NULL, &own, NULL, reterr));
    *ret_input = json_freeze(json_take(&own));
    return STATUS_OK;
}

static status check_operation(const struct contract *contract, const struct mcp_tool *tool,
                              struct error *reterr)
{
    json request             = json_get_text(tool->source, "request");
    struct route_match match = contract_match(contract, tool->method, text_of(request, "path"));
    if (match.route && match.route->media != MEDIA_OPAQUE) return STATUS_OK;
    return fail(reterr, STATUS_INTERNAL, "tools.yaml: " STR_FMT ": there is no such operation",
                STR_ARG(text_of(tool->source, "name")));
}

static status read_tool(const struct contract *contract, json source, struct mcp_tool *tool,
                        struct error *reterr)
{
    json request = json_get_text(source, "request");
    tool->source = source;
    TRY(read_input(json_get_text(source, "input"), &tool->input, reterr));
    if (!method_parse(text_of(request, "method"), &tool->method)) {
        return fail(reterr, STATUS_INTERNAL, "tools.yaml: a request needs a method");
    }
    TRY(schema_compile(tool->input, NULL, NULL, &tool->schema, reterr));
    return check_operation(contract, tool, reterr);
}

status mcp_tools_read(const struct contract *contract, struct mcp_tools **ret_tools,
                      struct error *reterr)
{
    CLEANUP(mcp_tools_freep) struct mcp_tools *tools = mem_new(1, sizeof *tools);
    CLEANUP(arena_freep) struct arena *arena         = arena_new(ARENA_MAX);
    str text = {.ptr = (const char *)mcp_tools_yaml, .len = mcp_tools_yaml_size};
    TRY(yaml_parse(text, diagnostics_new(arena), &tools->document, reterr));
    json root    = yaml_root(tools->document);
    tools->items = mem_new(json_count(root), sizeof *tools->items);
    for (size_t i = 0; i < json_count(root); i++) {
        TRY(read_tool(contract, json_at(root, i), &tools->items[tools->count++], reterr));
    }
    *ret_tools = TAKE(tools);
    return STATUS_OK;
}

void mcp_tools_freep(struct mcp_tools **ref)
{
    struct mcp_tools *tools = *ref;
    if (!tools) return;
    for (size_t i = 0; i < tools->count; i++) {
        schema_free(tools->items[i].schema);
        json_thaw_and_free(tools->items[i].input);
    }
    free(tools->items);
    yaml_freep(&tools->document);
    free(tools);
    *ref = NULL;
}

const struct mcp_tool *mcp_tools_find(const struct mcp_tools *tools, str name)
{
    for (size_t i = 0; i < tools->count; i++) {
        if (str_equal(text_of(tools->items[i].source, "name"), name)) return &tools->items[i];
    }
    return NULL;
}

/* --- describing ---------------------------------------------------------------------------------
 */

void mcp_description_print(const struct mcp_description *description, struct json_writer *w)
{
    static const char anything[] = "{\"type\":\"object\"}";
    json_begin_object(w);
    json_put_text(w, "name", description->name);
    if (description->title.len > 0) json_put_text(w, "title", description->title);
    json_put_text(w, "description", description->description);
    json_put_raw(w, "inputSchema",
                 description->schema.len > 0 ? description->schema : str_from(anything));
    if (description->hints.len > 0) json_put_raw(w, "annotations", description->hints);
    json_end_object(w);
}

/* With the prefix in its place. */
static void put_text(str text, const char *prefix, struct buf *out)
{
    str place = str_from("{prefix}");
    for (size_t i = 0; i < text.len; i++) {
        bool is_place = str_starts_with(str_slice(text, i, text.len), place);
        if (is_place) {
            (void)buf_put_text(out, prefix);
            i += place.len - 1;
        } else {
            (void)buf_put_byte(out, text.ptr[i]);
        }
    }
}

void mcp_tools_print(const struct mcp_tools *tools, const char *prefix, struct json_writer *w)
{
    for (size_t i = 0; i < tools->count; i++) {
        const struct mcp_tool *tool        = &tools->items[i];
        CLEANUP(buf_done) struct buf input = buf_init(BODY_MAX);
        CLEANUP(buf_done) struct buf hints = buf_init(BODY_MAX);
        CLEANUP(buf_done) struct buf about = buf_init(BODY_MAX);
        put_text(text_of(tool->source, "description"), prefix, &about);
        (void)json_print(tool->input, JSON_COMPACT, &input);
        (void)json_print(json_get_text(tool->source, "hints"), JSON_COMPACT, &hints);
        const struct mcp_description description = {
            .name        = text_of(tool->source, "name"),
            .title       = text_of(tool->source, "title"),
            .description = buf_str(&about),
            .schema      = buf_str(&input),
            .hints       = buf_str(&hints),
        };
        mcp_description_print(&description, w);
    }
}

/* --- asking -------------------------------------------------------------------------------------
 */

static void put_encoded(str text, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool keeps = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (keeps) {
            (void)buf_put_byte(out, (char)c);
        } else {
            (void)buf_printf(out, "%%%c%c", hex[c >> 4], hex[c & 15]);
        }
    }
}

/* A text as it is, anything else as JSON. */
static void put_scalar(json value, struct buf *out)
{
    if (json_is(value, JSON_TEXT)) {
        (void)buf_put_str(out, json_str(value));
    } else {
        (void)json_print(value, JSON_COMPACT, out);
    }
}

/* What stands in a segment of a path cannot leave it: the API decodes no more. */
static status fill_path(str path, json arguments, struct buf *out, struct error *reterr)
{
    for (size_t i = 0; i < path.len; i++) {
        const char *close = path.ptr[i] == '{' ? memchr(path.ptr + i, '}', path.len - i) : NULL;
        if (!close) {
            (void)buf_put_byte(out, path.ptr[i]);
            continue;
        }
        str name   = str_slice(path, i + 1, (size_t)(close - path.ptr));
        json value = json_get(arguments, name);
        str text   = json_is(value, JSON_TEXT) ? json_str(value) : (str){};
        if (text.len == 0 || memchr(text.ptr, '/', text.len)) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "/" STR_FMT ": a name without slashes",
                        STR_ARG(name));
        }
        (void)buf_put_str(out, text);
        i = (size_t)(close - path.ptr);
    }
    return STATUS_OK;
}

static void fill_query(json names, json arguments, struct buf *out)
{
    for (size_t i = 0; i < json_count(names); i++) {
        CLEANUP(buf_done) struct buf text = buf_init(QUERY_MAX);
        str name                          = json_str(json_at(names, i));
        json value                        = json_get(arguments, name);
        if (json_is(value, JSON_INVALID)) continue;
        put_scalar(value, &text);
        (void)buf_printf(out, "%s" STR_FMT "=", out->len ? "&" : "", STR_ARG(name));
        put_encoded(buf_str(&text), out);
    }
}

static bool fill_body(json request, json arguments, struct buf *out)
{
    json names   = json_get_text(request, "body");
    json payload = json_get_text(request, "payload");
    if (json_is(payload, JSON_TEXT)) {
        json value = json_get(arguments, json_str(payload));
        return json_is(value, JSON_INVALID) ? buf_put_text(out, "null")
                                            : json_print(value, JSON_COMPACT, out);
    }
    if (json_is(names, JSON_INVALID)) return true;
    CLEANUP(json_unrefp) json body = json_object_new(json_count(names));
    for (size_t i = 0; i < json_count(names); i++) {
        json value = json_get(arguments, json_str(json_at(names, i)));
        if (json_is(value, JSON_INVALID)) continue;
        json_object_put(&body, json_str(json_at(names, i)), json_ref(value));
    }
    return json_print(body, JSON_COMPACT, out);
}

static status check_arguments(const struct mcp_tool *tool, struct api_call *call, json arguments,
                              struct error *reterr)
{
    struct schema_errors *errors = arena_alloc(call->arena, sizeof *errors);
    struct error error           = {};
    ASSERT(errors);
    *errors = (struct schema_errors){};
    if (schema_check(tool->schema, arguments, call->arena, errors, &error) == STATUS_OK) {
        return STATUS_OK;
    }
    const struct schema_error *first = errors->count > 0 ? &errors->items[0] : NULL;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: %s",
                first && *first->pointer ? first->pointer : "the arguments",
                first ? first->sentence : error.text);
}

status mcp_tool_request(const struct mcp_tool *tool, struct api_call *call, json arguments,
                        struct api_inner *ret_inner, struct error *reterr)
{
    json request                       = json_get_text(tool->source, "request");
    CLEANUP(json_unrefp) json none     = json_object_new(0);
    CLEANUP(buf_done) struct buf path  = buf_init(TOOL_PATH_MAX);
    CLEANUP(buf_done) struct buf query = buf_init(QUERY_MAX);
    CLEANUP(buf_done) struct buf body  = buf_init(BODY_MAX);
    if (json_is(arguments, JSON_INVALID)) arguments = none;
    TRY(check_arguments(tool, call, arguments, reterr));
    TRY(fill_path(text_of(request, "path"), arguments, &path, reterr));
    fill_query(json_get_text(request, "query"), arguments, &query);
    if (!fill_body(request, arguments, &body) || path.is_full || query.is_full) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the arguments are too large");
    }
    *ret_inner = (struct api_inner){
        .method = tool->method,
        .path   = str_from(api_text(call, buf_str(&path))),
        .query  = str_from(api_text(call, buf_str(&query))),
        .body   = str_from(api_text(call, buf_str(&body))),
    };
    return STATUS_OK;
}
