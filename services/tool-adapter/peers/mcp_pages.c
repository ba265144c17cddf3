#include "tool-adapter/peers/mcp_pages.h"

#include "tool-adapter/peers/mcp_message.h"

enum mcp_page mcp_pages_turn(struct mcp_pages *pages, const char *method, json params, json result,
                             json *ret_cursor)
{
    const char *list = mcp_list_of(method);
    json items       = list ? json_get_text(result, list) : json_invalid();
    bool is_own      = !json_is(json_get_text(params, "cursor"), JSON_INVALID);
    *ret_cursor      = json_get_text(result, "nextCursor");
    if (is_own || !json_is(items, JSON_ARRAY)) return MCP_PAGE_LAST;
    bool is_last = !json_is(*ret_cursor, JSON_TEXT);
    if (is_last && pages->count == 0) return MCP_PAGE_LAST;
    if (pages->count == 0) pages->items = json_array_new(json_count(items));
    if (json_count(pages->items) + json_count(items) > MCP_ITEMS_MAX) return MCP_PAGE_TOO_MANY;
    if (!is_last && ++pages->count >= MCP_PAGES_MAX) return MCP_PAGE_TOO_MANY;
    for (size_t i = 0; i < json_count(items); i++) {
        json_array_push(&pages->items, json_ref(json_at(items, i)));
    }
    return is_last ? MCP_PAGE_LAST : MCP_PAGE_NEXT;
}

json mcp_pages_whole(const struct mcp_pages *pages, const char *method, json result)
{
    json whole = json_ref(result);
    if (pages->count > 0) {
        json_object_put_text(&whole, mcp_list_of(method), json_ref(pages->items));
        (void)json_object_remove(&whole, str_from("nextCursor"));
    }
    (void)json_object_remove(&whole, str_from("resultType"));
    return whole;
}

void mcp_pages_done(struct mcp_pages *pages)
{
    json_unref(pages->items);
    *pages = (struct mcp_pages){};
}
