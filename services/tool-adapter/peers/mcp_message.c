#include "tool-adapter/peers/mcp_message.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define META "io.modelcontextprotocol/"

enum { BODY_MAX = HTTP_BODY_SENT_MAX, OWN_HEADERS = 8, PROPERTIES_MAX = 200 };

/* --- versions and methods --------------------------------------------------------------------- */

bool mcp_version_is_known(str version, bool *ret_is_modern)
{
    static const char *const legacy[] = {MCP_LEGACY, "2025-06-18", "2025-03-26"};
    *ret_is_modern                    = str_is(version, MCP_MODERN);
    if (*ret_is_modern) return true;
    for (size_t i = 0; i < ARRAY_LEN(legacy); i++) {
        if (str_is(version, legacy[i])) return true;
    }
    return false;
}

enum mcp_offer mcp_offer_of(const char *version, bool asks)
{
    if (!asks || !version || strcmp(version, "2025-03-26") == 0) return MCP_OFFERS_NOTHING;
    return strcmp(version, "2025-06-18") == 0 ? MCP_OFFERS_FORMS : MCP_OFFERS_ADDRESSES;
}

const char *mcp_list_of(const char *method)
{
    static const char *const rows[][2] = {
        {"tools/list", "tools"},
        {"prompts/list", "prompts"},
        {"resources/list", "resources"},
        {"resources/templates/list", "resourceTemplates"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(method, rows[i][0]) == 0) return rows[i][1];
    }
    return NULL;
}

/* --- bodies ----------------------------------------------------------------------------------- */

static json client_new(const struct mcp_outgoing *outgoing)
{
    json client = json_object_new(2);
    json_object_put_text(&client, "name", json_text_lossy(outgoing->client_name));
    json_object_put_text(&client, "version", json_text_lossy(outgoing->client_version));
    return client;
}

json mcp_params_again(json params, json responses, json state)
{
    json again = json_is(params, JSON_OBJECT) ? params : json_object_new(2);
    (void)json_object_remove(&again, str_from("inputResponses"));
    (void)json_object_remove(&again, str_from("requestState"));
    if (json_is(responses, JSON_OBJECT)) {
        json_object_put_text(&again, "inputResponses", json_ref(responses));
    }
    if (json_is(state, JSON_TEXT)) json_object_put_text(&again, "requestState", json_ref(state));
    return again;
}

static json capabilities_new(const struct mcp_outgoing *outgoing)
{
    json capabilities    = json_object_new(1);
    enum mcp_offer offer = mcp_offer_of(outgoing->version, outgoing->asks);
    if (offer == MCP_OFFERS_NOTHING) return capabilities;
    json modes = json_object_new(2);
    if (offer == MCP_OFFERS_ADDRESSES) { /* where there are only forms, they have no name */
        json_object_put_text(&modes, "form", json_object_new(0));
        json_object_put_text(&modes, "url", json_object_new(0));
    }
    json_object_put_text(&capabilities, "elicitation", modes);
    return capabilities;
}

static json params_new(const struct mcp_outgoing *outgoing)
{
    json params =
        json_is(outgoing->params, JSON_OBJECT) ? json_ref(outgoing->params) : json_object_new(1);
    json given = json_get_text(params, "_meta");
    json meta  = json_is(given, JSON_OBJECT) ? json_ref(given) : json_object_new(4);
    if (outgoing->is_modern) {
        json_object_put_text(&meta, META "protocolVersion", json_text_from(outgoing->version));
        json_object_put_text(&meta, META "clientCapabilities", capabilities_new(outgoing));
        json_object_put_text(&meta, META "clientInfo", client_new(outgoing));
        if (outgoing->traceparent.len > 0) {
            json_object_put_text(&meta, "traceparent", json_text_lossy(outgoing->traceparent));
        }
    }
    /* Who sends news about a long call keeps its connection alive. */
    if (strcmp(outgoing->method, "tools/call") == 0) {
        json_object_put_text(&meta, "progressToken", json_int(outgoing->id));
        if (!json_is(json_get_text(params, "arguments"), JSON_OBJECT)) {
            json_object_put_text(&params, "arguments", json_object_new(0));
        }
    }
    if (strcmp(outgoing->method, "initialize") == 0) {
        json_object_put_text(&params, "protocolVersion", json_text_from(outgoing->version));
        json_object_put_text(&params, "capabilities", capabilities_new(outgoing));
        json_object_put_text(&params, "clientInfo", client_new(outgoing));
    }
    if (json_count(meta) > 0) {
        json_object_put_text(&params, "_meta", meta);
    } else {
        json_unref(meta);
    }
    return params;
}

status mcp_body_make(const struct mcp_outgoing *outgoing, struct arena *arena, str *ret_body,
                     struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(BODY_MAX);
    CLEANUP(json_unrefp) json message = json_object_new(4);
    json params                       = params_new(outgoing);
    json_object_put_text(&message, "jsonrpc", json_text_from("2.0"));
    if (outgoing->id != 0) json_object_put_text(&message, "id", json_int(outgoing->id));
    json_object_put_text(&message, "method", json_text_from(outgoing->method));
    if (json_count(params) > 0) {
        json_object_put_text(&message, "params", params);
    } else {
        json_unref(params);
    }
    char *copy =
        json_print(message, JSON_COMPACT, &text) ? arena_strdup(arena, buf_str(&text)) : NULL;
    if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    *ret_body = (str){.ptr = copy, .len = text.len};
    return STATUS_OK;
}

/* --- headers ---------------------------------------------------------------------------------- */

struct header_list {
    struct arena *arena;
    struct http_header *items;
    size_t count;
};

static bool is_plain(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < ' ' || text.ptr[i] > '~') return false;
    }
    static const char mark[] = "=?base64?";
    bool is_padded = text.len > 0 && (text.ptr[0] == ' ' || text.ptr[text.len - 1] == ' ');
    bool is_marked = text.len >= sizeof mark - 1 && memcmp(text.ptr, mark, sizeof mark - 1) == 0;
    return !is_padded && !is_marked;
}

/* A value that no header can hold goes as base64, and says so. */
static bool add_text(struct header_list *list, const char *name, str value)
{
    const char *copy = NULL;
    if (is_plain(value)) {
        copy = arena_strdup(list->arena, value);
    } else {
        char *encoded = arena_alloc(list->arena, base64_size(value.len) + 1);
        if (!encoded) return false;
        base64_encode(value.ptr, value.len, encoded);
        encoded[base64_size(value.len)] = '\0';
        copy                            = arena_printf(list->arena, "=?base64?%s?=", encoded);
    }
    if (!copy) return false;
    list->items[list->count++] =
        (struct http_header){.name = str_from(name), .value = str_from(copy)};
    return true;
}

/* A header name of RFC 9110. */
static bool is_token(str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c         = name.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_letter && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c))) return false;
    }
    return name.len > 0;
}

static json mark_of(json schema)
{
    return json_get_text(schema, "x-mcp-header");
}

static bool is_scalar_schema(json schema)
{
    json type = json_get_text(schema, "type");
    if (!json_is(type, JSON_TEXT)) return false;
    str name = json_str(type);
    return str_is(name, "string") || str_is(name, "integer") || str_is(name, "boolean");
}

static bool is_same_name(str a, str b)
{
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

/* The first place where a mark stands that cannot be carried out makes it no tool. */
static bool marks_are_fine(json properties)
{
    for (size_t i = 0; i < json_count(properties); i++) {
        json one  = json_value_at(properties, i);
        json mark = mark_of(one);
        if (json_is(mark, JSON_INVALID)) continue;
        if (!json_is(mark, JSON_TEXT) || !is_token(json_str(mark)) || !is_scalar_schema(one)) {
            return false;
        }
        for (size_t k = 0; k < i; k++) {
            json other = mark_of(json_value_at(properties, k));
            if (json_is(other, JSON_TEXT) && is_same_name(json_str(other), json_str(mark))) {
                return false;
            }
        }
    }
    return true;
}

/* Marks may stand on members of maps in maps; each level is looked at in its turn. */
static bool put_marks(struct header_list *list, json schema, json arguments)
{
    struct level {
        json schema, value;
    } levels[PROPERTIES_MAX];
    size_t count    = 0;
    levels[count++] = (struct level){schema, arguments};
    for (size_t at = 0; at < count; at++) {
        json properties = json_get_text(levels[at].schema, "properties");
        for (size_t i = 0; json_is(properties, JSON_OBJECT) && i < json_count(properties); i++) {
            json one   = json_value_at(properties, i);
            json value = json_get(levels[at].value, json_key_at(properties, i));
            json mark  = mark_of(one);
            if (json_is(value, JSON_OBJECT) && count < PROPERTIES_MAX) {
                levels[count++] = (struct level){one, value};
            }
            bool is_value =
                json_is(value, JSON_TEXT) || json_is_number(value) || json_is_bool(value);
            if (!json_is(mark, JSON_TEXT) || !is_token(json_str(mark)) || !is_value) continue;
            CLEANUP(json_unrefp)
            json text = json_is(value, JSON_TEXT) ? json_ref(value) : json_to_text_new(value);
            const char *name =
                arena_printf(list->arena, "Mcp-Param-" STR_FMT, STR_ARG(json_str(mark)));
            if (list->count >= MCP_HEADERS_MAX + OWN_HEADERS + MCP_PARAM_HEADERS_MAX) return false;
            if (!name || !add_text(list, name, json_str(text))) return false;
        }
    }
    return true;
}

bool mcp_tool_is_callable(json tool)
{
    json levels[PROPERTIES_MAX];
    size_t count    = 0;
    levels[count++] = json_get_text(tool, "inputSchema");
    for (size_t at = 0; at < count; at++) {
        json properties = json_get_text(levels[at], "properties");
        if (!json_is(properties, JSON_OBJECT)) continue;
        if (!marks_are_fine(properties)) return false;
        for (size_t i = 0; i < json_count(properties) && count < PROPERTIES_MAX; i++) {
            levels[count++] = json_value_at(properties, i);
        }
    }
    return true;
}

/* What `Mcp-Name` repeats; empty: nothing. */
static str named(const struct mcp_outgoing *outgoing)
{
    bool is_call =
        strcmp(outgoing->method, "tools/call") == 0 || strcmp(outgoing->method, "prompts/get") == 0;
    bool is_read = strcmp(outgoing->method, "resources/read") == 0;
    json name    = json_get_text(outgoing->params, is_read ? "uri" : "name");
    return (is_call || is_read) && json_is(name, JSON_TEXT) ? json_str(name) : (str){};
}

static status add_given(struct header_list *list, json headers, struct error *reterr)
{
    if (json_is(headers, JSON_INVALID) || json_is(headers, JSON_NULL)) return STATUS_OK;
    if (!json_is(headers, JSON_OBJECT) || json_count(headers) > MCP_HEADERS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "/transport/http/headers: a map of at most %d",
                    MCP_HEADERS_MAX);
    }
    for (size_t i = 0; i < json_count(headers); i++) {
        json value = json_value_at(headers, i);
        CLEANUP(json_unrefp)
        json text  = json_is(value, JSON_TEXT) ? json_ref(value) : json_to_text_new(value);
        char *copy = arena_strdup(list->arena, json_str(text));
        if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
        list->items[list->count++] = (struct http_header){
            .name = json_key_at(headers, i), .value = str_from(copy), .is_secret = true};
    }
    return STATUS_OK;
}

static bool add_own(struct header_list *list, const struct mcp_outgoing *outgoing)
{
    bool is_fine = true;
    bool is_get  = outgoing->last_id != NULL;
    str name     = named(outgoing);
    is_fine =
        add_text(list, "Accept",
                 str_from(is_get ? "text/event-stream" : "application/json, text/event-stream"));
    if (!is_get) is_fine = is_fine && add_text(list, "Content-Type", str_from("application/json"));
    bool is_agreed = outgoing->version && strcmp(outgoing->method, "initialize") != 0;
    if (is_agreed) {
        is_fine = is_fine && add_text(list, "MCP-Protocol-Version", str_from(outgoing->version));
    }
    if (*outgoing->session) {
        is_fine = is_fine && add_text(list, "Mcp-Session-Id", str_from(outgoing->session));
    }
    if (is_get && !*outgoing->last_id) return is_fine;
    if (is_get) return is_fine && add_text(list, "Last-Event-ID", str_from(outgoing->last_id));
    if (!outgoing->is_modern) return is_fine;
    is_fine = is_fine && add_text(list, "Mcp-Method", str_from(outgoing->method));
    if (name.len > 0) is_fine = is_fine && add_text(list, "Mcp-Name", name);
    return is_fine &&
           put_marks(list, outgoing->schema, json_get_text(outgoing->params, "arguments"));
}

status mcp_headers_make(const struct mcp_outgoing *outgoing, struct arena *arena,
                        struct http_header **ret_headers, size_t *ret_count, struct error *reterr)
{
    size_t room             = MCP_HEADERS_MAX + OWN_HEADERS + MCP_PARAM_HEADERS_MAX;
    struct header_list list = {.arena = arena,
                               .items = arena_alloc(arena, room * sizeof(struct http_header))};
    if (!list.items) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    TRY(add_given(&list, outgoing->headers, reterr));
    if (!add_own(&list, outgoing)) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request has too many headers");
    }
    *ret_headers = list.items;
    *ret_count   = list.count;
    return STATUS_OK;
}
