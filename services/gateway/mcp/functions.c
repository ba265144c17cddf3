#include "gateway/mcp/functions.h"

#include "gateway/mcp/tools.h"
#include "json/json_text.h"

enum { ITEM_MAX = 256 << 10 /* bytes of one tool */, NAME_LEN_MAX = 128 };

static str text_of(json object, const char *key)
{
    json value = json_get_text(object, key);
    return json_is(value, JSON_TEXT) ? json_str(value) : (str){.ptr = "", .len = 0};
}

/* Some connection of the adapter that "adapter.action" is of can be used. */
static bool is_usable(const Pb__ToolList *list, str name)
{
    const char *dot = memchr(name.ptr, '.', name.len);
    str adapter     = {.ptr = name.ptr, .len = dot ? (size_t)(dot - name.ptr) : 0};
    for (size_t i = 0; i < list->n_connections; i++) {
        const Pb__ToolConnection *connection = list->connections[i];
        if (*connection->lacks == '\0' && str_is(adapter, connection->adapter)) return true;
    }
    return false;
}

/* The protocol's hints, of the effect: what is read changes nothing; updates and deletions destroy.
 */
static const char *hints_of(str effect)
{
    if (str_is(effect, "read")) return "{\"readOnlyHint\":true,\"openWorldHint\":true}";
    if (str_is(effect, "update") || str_is(effect, "delete")) {
        return "{\"readOnlyHint\":false,\"destructiveHint\":true,\"openWorldHint\":true}";
    }
    return "{\"readOnlyHint\":false,\"destructiveHint\":false,\"openWorldHint\":true}";
}

static void print_one(json function, struct buf *out)
{
    CLEANUP(buf_done) struct buf item   = buf_init(ITEM_MAX);
    CLEANUP(buf_done) struct buf schema = buf_init(ITEM_MAX);
    struct json_writer w                = json_writer_init(&item);
    json input                          = json_get_text(function, "input_schema");
    if (json_is(input, JSON_OBJECT)) (void)json_print(input, JSON_COMPACT, &schema);
    const struct mcp_description description = {
        .name        = text_of(function, "name"),
        .description = text_of(function, "summary"),
        .schema      = buf_str(&schema),
        .hints       = str_from(hints_of(text_of(function, "effect"))),
    };
    mcp_description_print(&description, &w);
    if (item.is_full || schema.is_full || item.len + 1 > out->len_max - out->len) return;
    if (out->len > 0) (void)buf_put_byte(out, ',');
    (void)buf_put_str(out, buf_str(&item));
}

void mcp_functions_print(const Pb__ToolList *list, struct buf *out)
{
    char last[NAME_LEN_MAX + 1] = ""; /* versions come newest first */
    for (size_t i = 0; i < list->n_functions_json; i++) {
        str text = {(const char *)list->functions_json[i].data, list->functions_json[i].len};
        CLEANUP(json_unrefp) json function = json_invalid();
        if (json_parse(text, NULL, &function, NULL, NULL) != STATUS_OK) continue;
        str name = text_of(function, "name");
        if (name.len == 0 || name.len > NAME_LEN_MAX || str_is(name, last)) continue;
        bool is_alias = !json_is(json_get_text(function, "alias_of"), JSON_INVALID);
        if (is_alias || !is_usable(list, name)) continue;
        memcpy(last, name.ptr, name.len);
        last[name.len] = '\0';
        print_one(function, out);
    }
}
