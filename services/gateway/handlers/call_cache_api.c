/* What is kept of answers of calls (`metadata.tutti.cache`), and deleting it. */
#include "call_cache.pb-c.h"
#include "gateway/handlers/handlers.h"

static void ask(struct api_call *call, const char *method, const void *message, api_then *then)
{
    const struct api_ask request = {
        .service = &pb__call_cache__descriptor, .method = method, .message = message, .then = then};
    api_ask_scheduler(call, &request);
}

static void on_stats(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__CacheStats *stats = answer->message;
    struct api_answer response;
    api_answer_begin(&response, call);
    struct json_writer *w = &response.json;
    json_begin_object(w);
    json_put_int(w, "hits", (int64_t)stats->hits);
    json_put_int(w, "misses", (int64_t)stats->misses);
    json_put_int(w, "entries", (int64_t)stats->entries);
    json_put_int(w, "bytes", (int64_t)stats->bytes);
    json_member(w, "limits");
    json_begin_object(w);
    json_put_int(w, "entries", (int64_t)stats->entries_max);
    json_put_int(w, "bytes", (int64_t)stats->bytes_max);
    json_put_int(w, "value_bytes", (int64_t)stats->value_bytes_max);
    json_end_object(w);
    json_end_object(w);
    api_answer_send(&response, 200, NULL);
}

void call_cache_get(struct api_call *call)
{
    Pb__CacheStatsRequest message = PB__CACHE_STATS_REQUEST__INIT;
    message.namespace_            = api_namespace(call);
    ask(call, "Stats", &message, on_stats);
}

static void on_cleared(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__ClearedCache *cleared = answer->message;
    struct api_answer response;
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    json_put_int(&response.json, "deleted", (int64_t)cleared->entries);
    json_put_int(&response.json, "bytes", (int64_t)cleared->bytes);
    json_put_bool(&response.json, "has_more", cleared->has_more);
    json_end_object(&response.json);
    api_answer_send(&response, 200, NULL);
}

/* An empty filter would fit everything: it is a variable that was not set. */
static bool read_filter(struct api_call *call, const char *name, const char **ret_filter)
{
    str text = {};
    if (!api_query(call, name, &text)) return true;
    if (text.len == 0) {
        api_fail_with(call, "invalid_request", (str){},
                      "%s: is empty; leave it out to delete without this filter", name);
        return false;
    }
    *ret_filter = text.ptr;
    return true;
}

void call_cache_clear(struct api_call *call)
{
    Pb__ClearCache message = PB__CLEAR_CACHE__INIT;
    message.namespace_     = api_namespace(call);
    if (!read_filter(call, "prefix", &message.prefix)) return;
    if (!read_filter(call, "function", &message.function)) return;
    if (!read_filter(call, "workflow", &message.workflow)) return;
    ask(call, "Clear", &message, on_cleared);
}
