/* Many pages, as many at a time as was asked for. What is there after every few of them is kept for
 * a later attempt, as far as there is room. */
#include "base/assert.h"
#include "tool-adapter/connections/module.h"
#include "tool-adapter/web/web_internal.h"
#include "json/json_text.h"

enum { PAGES_A_TIME = 20 };

/* One page may be large: then it is fetched again. */
static void keep(struct web_call *call, size_t index, json page)
{
    CLEANUP(buf_done) struct buf text = buf_init(ENGINE_PROGRESS_MAX);
    size_t least                      = json_count(call->urls) * sizeof "null,";
    if (!json_print(page, JSON_COMPACT, &text)) return;
    if (least + call->kept_bytes + text.len > ENGINE_PROGRESS_MAX) return;
    call->kept_bytes += text.len + 1;
    json_array_set(&call->kept, index, json_ref(page));
}

/* Pages that an earlier attempt has read; one at least is left: an answer never comes from inside
 * the start. */
static void take_over(struct web_call *call, json progress)
{
    size_t count = json_count(call->urls);
    if (!json_is(progress, JSON_ARRAY) || json_count(progress) != count) return;
    for (size_t i = 0; i < count && call->ended + 1 < count; i++) {
        json page = json_at(progress, i);
        json url  = json_get_text(page, "url");
        if (!json_is(url, JSON_TEXT) || !json_equal(url, json_at(call->urls, i))) continue;
        keep(call, i, page);
        json_array_set(&call->results, i, json_ref(page));
        call->ended++;
    }
    call->bytes = call->kept_bytes;
}

status web_batch_read(struct web_call *call, json settings, struct error *reterr)
{
    json urls          = json_get_text(settings, "urls");
    int64_t concurrent = 0;
    if (!json_is(urls, JSON_ARRAY) || json_count(urls) > WEB_URLS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`urls` must be a list of at most %d texts",
                    WEB_URLS_MAX);
    }
    for (size_t i = 0; i < json_count(urls); i++) {
        if (json_is(json_at(urls, i), JSON_TEXT)) continue;
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`urls` must be a list of texts");
    }
    TRY(module_int(settings, "max_concurrent", WEB_CONCURRENT, 1, WEB_CONCURRENT_MAX, &concurrent,
                   reterr));
    call->urls       = json_ref(urls);
    call->slot_count = (size_t)concurrent;
    call->results    = json_array_new(json_count(urls));
    call->kept       = json_array_new(json_count(urls));
    for (size_t i = 0; i < json_count(urls); i++) {
        json_array_push(&call->results, json_null());
        json_array_push(&call->kept, json_null());
    }
    take_over(call, call->progress);
    return STATUS_OK;
}

/* Says so after every PAGES_A_TIME; the last ones come with the answer. */
static void tell_progress(struct web_call *call)
{
    bool is_whole = call->ended == json_count(call->urls);
    if (++call->unsaid < PAGES_A_TIME || is_whole || !call->handlers.progress) return;
    call->unsaid = 0;
    call->handlers.progress(json_ref(call->kept), call->handlers.context);
}

static void take_result(struct web_call *call, size_t index, const struct visit_result *result)
{
    json page = json_object_new(3);
    json_object_put_text(&page, "url", json_ref(json_at(call->urls, index)));
    json_object_put_text(&page, "ok", json_bool(!result->fault));
    if (result->fault) {
        json_object_put_text(&page, "error", web_fault_new(result));
    } else {
        json_object_put_text(&page, "data", json_ref(result->data));
        call->bytes += result->data_bytes;
    }
    keep(call, index, page);
    json_array_set(&call->results, index, page);
    call->ended++;
}

static void page_came(const struct visit_result *result, void *context);

/* False: all of them are there, or under way. */
static bool find_next(struct web_call *call)
{
    size_t count = json_count(call->urls);
    while (call->next < count && !json_is(json_at(call->results, call->next), JSON_NULL)) {
        call->next++;
    }
    return call->next < count;
}

static void fill_slots(struct web_call *call)
{
    for (size_t i = 0; i < call->slot_count && find_next(call); i++) {
        struct batch_slot *slot = &call->slots[i];
        if (slot->visit) continue;
        str url                            = json_str(json_at(call->urls, call->next));
        const struct visit_request request = web_visit_request(call, url);
        *slot       = (struct batch_slot){.call = call, .index = call->next++};
        slot->visit = visit_start(&call->web->means, &request, page_came, slot);
    }
}

static void finish(struct web_call *call)
{
    json body = json_object_new(1);
    json_object_put_text(&body, "results", json_take(&call->results));
    web_respond(call, 200, (str){}, body);
}

static void page_came(const struct visit_result *result, void *context)
{
    struct batch_slot *slot = context;
    struct web_call *call   = slot->call;
    slot->visit             = NULL;
    take_result(call, slot->index, result);
    if (call->bytes > WEB_BATCH_SIZE_MAX) {
        struct error error = {};
        status code =
            fail(&error, STATUS_RESOURCE_EXHAUSTED,
                 "what was found on these pages has more than %d bytes", WEB_BATCH_SIZE_MAX);
        web_batch_cancel(call);
        web_fail(call, code, &error);
    } else if (call->ended == json_count(call->urls)) {
        finish(call);
    } else {
        tell_progress(call);
        fill_slots(call);
    }
}

void web_batch_start(struct web_call *call)
{
    fill_slots(call);
}

void web_batch_cancel(struct web_call *call)
{
    for (size_t i = 0; i < call->slot_count; i++) {
        if (call->slots[i].visit) visit_cancel(TAKE(call->slots[i].visit));
    }
}
