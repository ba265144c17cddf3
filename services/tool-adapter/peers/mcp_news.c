/* What a server tells on the stream of its answer: how far it is, and what it notes. Both are a
 * stranger's words: cut, and good for nothing but to be looked at. */
#include "tool-adapter/peers/mcp_news.h"
#include "base/log.h"
#include "base/utf8.h"
#include "tool-adapter/peers/mcp_internal.h"
#include "json/json_mask.h"
#include "json/json_text.h"

#include <math.h>

enum { LEVEL_MAX = 20 /* bytes */ };

static str cut(str text, size_t max)
{
    if (text.len > max) text.len = max;
    text.len = utf8_valid_prefix(text);
    return text;
}

static bool is_finite_number(json value)
{
    return json_is_number(value) && isfinite(json_number(value));
}

json mcp_news_progress(json params, int64_t id, double *last)
{
    int64_t token = 0;
    json at       = json_get_text(params, "progress");
    json total    = json_get_text(params, "total");
    json message  = json_get_text(params, "message");
    bool is_ours  = json_to_int(json_get_text(params, "progressToken"), &token) && token == id;
    if (!is_ours || !is_finite_number(at) || json_number(at) <= *last) return json_invalid();
    *last     = json_number(at);
    json said = json_object_new(3);
    json_object_put_text(&said, "progress", json_ref(at));
    if (is_finite_number(total)) json_object_put_text(&said, "total", json_ref(total));
    if (json_is(message, JSON_TEXT)) {
        json_object_put_text(&said, "message", json_text_new(cut(json_str(message), MCP_SAID_MAX)));
    }
    return said;
}

static void log_message(json params)
{
    json level = json_get_text(params, "level");
    json data  = json_get_text(params, "data");
    if (json_is(data, JSON_INVALID)) return; /* there need be none */
    CLEANUP(json_unrefp)
    json text = json_is(data, JSON_TEXT) ? json_ref(data) : json_to_text_new(data);
    log_write(
        LOG_DEBUG, "mcp.message",
        LOG_STR("level", json_is(level, JSON_TEXT) ? cut(json_str(level), LEVEL_MAX) : (str){}),
        LOG_STR("said", cut(json_str(text), MCP_SAID_MAX)));
}

/* Nothing hangs on it: a server need not send it, and the person who has opened the address says
 * when to go on. */
static void log_visit(json params)
{
    json id = json_get_text(params, "elicitationId");
    if (!json_is(id, JSON_TEXT)) return;
    log_write(LOG_DEBUG, "mcp.address.done", LOG_STR("id", cut(json_str(id), MCP_SAID_MAX)));
}

void mcp_news_log(str method, json params)
{
    if (str_is(method, "notifications/message")) log_message(params);
    if (str_is(method, "notifications/elicitation/complete")) log_visit(params);
}

json mcp_call_hide(const struct mcp_call *call, json said)
{
    if (call->authorization.kind == AUTHORIZATION_NONE) return json_ref(said);
    CLEANUP(json_mask_freep) struct json_mask *mask = json_mask_new();
    authorization_hide(&call->authorization, call->token, mask);
    json hidden = json_mask_apply(mask, said);
    if (json_is(hidden, JSON_OBJECT) || !json_is(said, JSON_OBJECT)) return hidden;
    json_unref(hidden);
    return json_object_new(1);
}

void mcp_call_hear(struct mcp_call *call, str method, json params)
{
    CLEANUP(json_unrefp) json hidden = mcp_call_hide(call, params);
    mcp_news_log(method, hidden);
    if (!str_is(method, "notifications/progress") || !call->handlers.progress) return;
    CLEANUP(json_unrefp) json said = mcp_news_progress(hidden, call->id, &call->progress);
    if (json_is(said, JSON_OBJECT)) call->handlers.progress(said, call->handlers.context);
}
