/* Lives of calls and answers; what handlers read of a request. */
#include "gateway/api/api.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/diagnostic.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"
#include "gateway/api/api_inner.h"
#include "gateway/api/audit.h"
#include "gateway/api/documents.h"
#include "gateway/api/key_limits.h"
#include "json/json_text.h"

#include <stdlib.h>

enum {
    HEADERS_MAX   = 32,
    QUERY_MAX     = 4096, /* bytes of one decoded parameter */
    PAGE_SIZE     = 50,
    PAGE_SIZE_MAX = 500,
};

struct api_call *api_call_ref(struct api_call *call)
{
    atomic_fetch_add_explicit(&call->references, 1, memory_order_relaxed);
    return call;
}

void api_call_unref(struct api_call *call)
{
    if (atomic_fetch_sub_explicit(&call->references, 1, memory_order_acq_rel) > 1) return;
    struct api_call *inner = atomic_load(&call->inner);
    if (inner) api_call_unref(inner);
    httpd_request_free(call->request);
    json_unref(call->body);
    documents_free(call->documents);
    arena_free(call->arena);
    free(call->path);
    free(call);
}

/* A message to the home loop: what to do with which call. */
struct parking {
    struct api_call *call; /* a reference */
    void (*run)(struct api_call *call);
};

static void on_home(void *context)
{
    struct parking *parking = context;
    parking->run(parking->call);
    api_call_unref(parking->call);
    free(parking);
}

bool api_send_home(struct api_call *call, void (*run)(struct api_call *call))
{
    struct parking *parking = mem_new(1, sizeof *parking);
    *parking                = (struct parking){.call = api_call_ref(call), .run = run};
    if (loop_post(call->api->home, on_home, parking) == STATUS_OK) return true;
    api_call_unref(call);
    free(parking);
    return false;
}

void api_park(struct api_call *call, void (*run)(struct api_call *call))
{
    atomic_store(&call->is_parked, true);
    if (api_send_home(call, run)) return;
    api_fail_with(call, "overloaded", (str){}, "too many calls are waiting; try again");
}

void api_new_rpc_id(struct api_call *call)
{
    api_random_id(call->rpc_id);
}

void api_random_id(char ret_id[static API_RPC_ID_LEN + 1])
{
    enum { TIME_SIZE = API_RPC_ID_TIME_LEN / 2 };
    uint8_t id[API_RPC_ID_LEN / 2];
    uint64_t ms = (uint64_t)(clock_unix_us() / 1000);
    random_bytes(id, sizeof id);
    for (int i = TIME_SIZE - 1; i >= 0; i--, ms >>= 8) id[i] = (uint8_t)ms;
    hex_encode(id, sizeof id, ret_id);
}

static void forget(struct api_call *call)
{
    struct api_waiter *waiter = call->waiter;
    if (waiter) waiter->forget(waiter);
}

static void resume(struct api_call *call)
{
    struct api_waiter *waiter = call->waiter;
    if (waiter && waiter->resume) waiter->resume(waiter);
}

void api_call_resume(struct api_call *call)
{
    (void)api_send_home(call, resume);
}

void api_call_gone(struct api_call *call)
{
    /* Sequentially consistent, as in api_park() and api_call_is_gone(): either we see that it is
     * parked, or whoever parks it sees that it is gone. If the loop's queue is full the waiter
     * finds out itself: it looks at is_gone before it acts. */
    atomic_store(&call->is_gone, true);
    if (atomic_load(&call->is_parked)) (void)api_send_home(call, forget);
    struct api_call *inner = atomic_load(&call->inner);
    if (inner) api_inner_end(inner);
}

bool api_call_is_gone(const struct api_call *call)
{
    return atomic_load(&call->is_gone);
}

void api_call_unsent(struct api_call *call)
{
    void (*take_back)(struct api_call *) = atomic_exchange(&call->take_back, NULL);
    if (take_back) take_back(call);
}

void api_call_hands_over(struct api_call *call, void (*take_back)(struct api_call *call))
{
    /* Sequentially consistent, as in api_call_gone(): of the two that look, one finds both. */
    atomic_store(&call->take_back, take_back);
    if (api_call_is_gone(call)) api_call_unsent(call);
}

/* --- answering ---------------------------------------------------------------------------------
 */

void api_respond(struct api_call *call, int http_status, const char *content_type, str body,
                 const struct httpd_field *extra, size_t extra_count)
{
    bool was_answered = atomic_exchange(&call->is_answered, true);
    ASSERT(!was_answered);
    audit_answered(call, http_status);
    if (call->inner_done) {
        api_inner_answer(call, http_status, body);
        return;
    }
    struct httpd_field fields[HEADERS_MAX];
    size_t count    = 0;
    fields[count++] = (struct httpd_field){str_from("X-Request-Id"), str_from(call->request_id)};
    fields[count++] = (struct httpd_field){str_from("Cache-Control"), str_from("no-store")};
    fields[count++] = (struct httpd_field){str_from("X-Content-Type-Options"), str_from("nosniff")};
    if (content_type) {
        fields[count++] = (struct httpd_field){str_from("Content-Type"), str_from(content_type)};
    }
    if (atomic_load(&call->is_replayed)) {
        fields[count++] = (struct httpd_field){str_from("Idempotent-Replayed"), str_from("true")};
    }
    count += key_limits_fields(call, fields + count);
    for (size_t i = 0; i < extra_count && count < HEADERS_MAX; i++) fields[count++] = extra[i];
    const struct httpd_response response = {.http_status  = http_status,
                                            .fields       = fields,
                                            .field_count  = count,
                                            .body         = body,
                                            .needs_client = atomic_load(&call->take_back) != NULL};
    httpd_respond(call->api->httpd, call->handle, &response);
}

void api_answer_begin(struct api_answer *ret_answer, struct api_call *call)
{
    *ret_answer      = (struct api_answer){.call = call, .body = buf_init(API_ANSWER_MAX)};
    ret_answer->json = json_writer_init(&ret_answer->body);
}

void api_answer_send(struct api_answer *answer, int http_status, const struct httpd_field *extra)
{
    api_answer_send_fields(answer, http_status, extra, extra ? 1 : 0);
}

void api_answer_send_fields(struct api_answer *answer, int http_status,
                            const struct httpd_field *extra, size_t extra_count)
{
    if (answer->body.is_full) {
        api_fail_with(answer->call, "internal", (str){}, "the answer is over %d bytes",
                      API_ANSWER_MAX);
    } else {
        api_respond(answer->call, http_status, "application/json", buf_str(&answer->body), extra,
                    extra_count);
    }
    buf_done(&answer->body);
}

/* --- reading -----------------------------------------------------------------------------------
 */

const char *api_text(struct api_call *call, str text)
{
    const char *copy = arena_strdup(call->arena, text);
    ASSERT(copy); /* a request has at most 16 KiB of head; the arena holds megabytes */
    return copy;
}

bool api_query_next(struct api_call *call, const char *name, size_t *cursor, str *ret_value)
{
    str raw_name  = {};
    str raw_value = {};
    while (httpd_query_next(call->request->query, cursor, &raw_name, &raw_value)) {
        CLEANUP(buf_done) struct buf key = buf_init(QUERY_MAX);
        if (!httpd_decode(raw_name, true, &key) || !str_is(buf_str(&key), name)) continue;
        CLEANUP(buf_done) struct buf value = buf_init(QUERY_MAX);
        if (!httpd_decode(raw_value, true, &value)) continue;
        *ret_value = str_from(api_text(call, buf_str(&value)));
        return true;
    }
    return false;
}

bool api_query(struct api_call *call, const char *name, str *ret_value)
{
    size_t cursor = 0;
    return api_query_next(call, name, &cursor, ret_value);
}

bool api_check_query(struct api_call *call)
{
    size_t cursor = 0;
    str name      = {};
    str value     = {};
    while (httpd_query_next(call->request->query, &cursor, &name, &value)) {
        CLEANUP(buf_done) struct buf text = buf_init(QUERY_MAX);
        bool is_name                      = httpd_decode(name, true, &text);
        text.len                          = 0;
        if (is_name && httpd_decode(value, true, &text)) continue;
        api_fail_with(call, "invalid_request", (str){},
                      "the query: names and values are percent-encoded UTF-8 without NUL, at most "
                      "%d bytes each",
                      QUERY_MAX);
        return false;
    }
    return true;
}

bool api_check_query_names(struct api_call *call)
{
    const struct route *route = call->route;
    size_t cursor             = 0;
    str name                  = {};
    str value                 = {};
    if (route->is_public || route->media == MEDIA_OPAQUE) return true;
    while (httpd_query_next(call->request->query, &cursor, &name, &value)) {
        CLEANUP(buf_done) struct buf text = buf_init(QUERY_MAX);
        bool is_known                     = false;
        (void)httpd_decode(name, true, &text); /* api_check_query() has seen that it can be */
        str said = buf_str(&text);
        for (uint32_t i = 0; i < route->query_count; i++) {
            is_known = is_known || str_is(said, route->query_names[i]);
        }
        if (is_known) continue;
        const char *near = nearest_name(said, route->query_names, route->query_count);
        api_fail_with(call, "unknown_parameter", (str){},
                      "the query: there is no parameter `%.*s` here%s%s%s", (int)said.len, said.ptr,
                      near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
        return false;
    }
    return true;
}

bool api_print(struct api_call *call, json value, struct buf *out)
{
    if (json_is(value, JSON_INVALID) || json_print(value, JSON_COMPACT, out)) return true;
    api_fail_with(call, "body_too_large", (str){}, "over %zu bytes when numbers are written out",
                  out->len_max);
    return false;
}

static bool parse_count(str text, uint32_t max, uint32_t *ret_count)
{
    uint64_t value = 0;
    if (text.len == 0 || text.len > 9) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
        value = value * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    if (value < 1 || value > max) return false;
    *ret_count = (uint32_t)value;
    return true;
}

status api_page(struct api_call *call, uint32_t *ret_size, const char **ret_token,
                struct error *reterr)
{
    str text  = {};
    *ret_size = PAGE_SIZE;
    if (api_query(call, "page_size", &text) && !parse_count(text, PAGE_SIZE_MAX, ret_size)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "page_size: 1 to %d", PAGE_SIZE_MAX);
    }
    *ret_token = "";
    if (api_query(call, "page_token", &text)) *ret_token = text.ptr;
    return STATUS_OK;
}

status api_wait_ms(struct api_call *call, int64_t *ret_wait_ms, struct error *reterr)
{
    str text     = {};
    *ret_wait_ms = 0;
    if (!api_query(call, "wait", &text)) return STATUS_OK;
    int64_t wait_us = 0;
    if (!duration_parse(text, &wait_us)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "wait: a duration such as `30s` is required");
    }
    *ret_wait_ms = wait_us / 1000;
    if (*ret_wait_ms > call->route->wait_ms_max) *ret_wait_ms = call->route->wait_ms_max;
    return STATUS_OK;
}

const char *api_namespace(struct api_call *call)
{
    const struct identity *identity = &call->identity;
    return *identity->requested ? identity->requested : identity->namespace_;
}
