#include "gateway/llm_pull.h"

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "llm.pb-c.h"

#include <stdlib.h>

enum {
    CALLS_MAX     = 50'000,
    PULL_WAIT_MS  = 10'000,
    PULL_RETRY_MS = 200,
    BODY_MAX      = 64 << 20, /* bytes of one answer */
    HEADERS_MAX   = 8,
    HEADER_MAX    = 512,    /* bytes, name or value */
    ORPHAN_MS     = 30'000, /* items whose Open never answered */
};

/* One answer on its way. */
struct incoming {
    struct api_waiter head; /* first: it is what call->waiter points to */
    struct replica *replica;
    struct api_call *call; /* a reference; NULL: Open has not answered yet */
    uint64_t number;
    uint64_t seq; /* of the last item taken */
    uint32_t http_status;
    struct {
        char name[HEADER_MAX], value[HEADER_MAX];
    } headers[HEADERS_MAX];
    size_t header_count;
    struct buf body;
    bool is_complete;
    int64_t since_ms;
};

struct replica {
    struct llm_pull *pull;
    uint16_t index;
    struct map *calls;  /* number (8 bytes) -> struct incoming */
    atomic_size_t open; /* how many: for llm_pull_choose() on other loops */
    uint64_t last_reply;
    bool is_running;
    struct loop_timer retry;
    struct loop_notice notice; /* `answer` is there */
    struct rpc_answer *answer; /* of the pull under way; owned */
};

struct llm_pull {
    struct api *api;
    uint32_t replica_count;
    struct replica replicas[LLM_REPLICAS_MAX];
};

static void pull_send(struct replica *replica);
static void on_pulled(void *context);

static str key_of(const uint64_t *number)
{
    return (str){.ptr = (const char *)number, .len = sizeof *number};
}

static void on_retry(void *context)
{
    pull_send(context);
}

struct llm_pull *llm_pull_new(struct api *api, uint32_t replicas)
{
    ASSERT(replicas >= 1 && replicas <= LLM_REPLICAS_MAX);
    struct llm_pull *pull = mem_new(1, sizeof *pull);
    pull->api             = api;
    pull->replica_count   = replicas;
    /* NOLINTNEXTLINE(bugprone-too-small-loop-variable): asserted above */
    for (uint16_t i = 0; i < replicas; i++) {
        struct replica *replica = &pull->replicas[i];
        replica->pull           = pull;
        replica->index          = i;
        replica->calls          = map_new(CALLS_MAX);
        replica->retry          = (struct loop_timer){.fire = on_retry, .context = replica};
        replica->notice         = (struct loop_notice){.run = on_pulled, .context = replica};
    }
    return pull;
}

static void incoming_free(struct incoming *incoming)
{
    (void)map_remove(incoming->replica->calls, key_of(&incoming->number));
    atomic_fetch_sub(&incoming->replica->open, 1);
    if (incoming->call) {
        incoming->call->waiter = NULL;
        api_call_unref(incoming->call);
    }
    buf_done(&incoming->body);
    free(incoming);
}

void llm_pull_freep(struct llm_pull **ref)
{
    struct llm_pull *pull = *ref;
    if (!pull) return;
    for (uint32_t i = 0; i < pull->replica_count; i++) {
        struct replica *replica = &pull->replicas[i];
        size_t cursor           = 0;
        str key                 = {};
        void *value             = NULL;
        while (map_next(replica->calls, &cursor, &key, &value)) incoming_free(value);
        loop_timer_clear(pull->api->home, &replica->retry);
        loop_notice_clear(pull->api->home, &replica->notice);
        map_free(replica->calls);
    }
    free(pull);
    *ref = NULL;
}

uint16_t llm_pull_choose(struct llm_pull *pull)
{
    uint16_t best = 0;
    /* NOLINTNEXTLINE(bugprone-too-small-loop-variable): at most LLM_REPLICAS_MAX */
    for (uint16_t i = 1; i < pull->replica_count; i++) {
        bool is_up = rpc_client_is_connected(pull->api->llm, i);
        bool is_less =
            atomic_load(&pull->replicas[i].open) < atomic_load(&pull->replicas[best].open);
        if (is_up && (is_less || !rpc_client_is_connected(pull->api->llm, best))) best = i;
    }
    return best;
}

/* --- items -------------------------------------------------------------------------------------
 */

static void respond(struct incoming *incoming)
{
    struct api_call *call = incoming->call;
    struct httpd_field fields[HEADERS_MAX];
    const char *type = "application/json";
    size_t count     = 0;
    for (size_t i = 0; i < incoming->header_count; i++) {
        if (str_is(str_from(incoming->headers[i].name), "content-type")) {
            type = incoming->headers[i].value;
            continue;
        }
        fields[count++] = (struct httpd_field){str_from(incoming->headers[i].name),
                                               str_from(incoming->headers[i].value)};
    }
    bool is_sound = incoming->http_status >= 200 && incoming->http_status <= 599;
    if (api_call_is_gone(call)) {
        /* nobody reads it */
    } else if (!is_sound || incoming->body.is_full) {
        api_fail_with(call, "upstream_error", (str){},
                      "the answer of the model is broken or over %d bytes", BODY_MAX);
    } else {
        api_respond(call, (int)incoming->http_status, type, buf_str(&incoming->body), fields,
                    count);
    }
    incoming_free(incoming);
}

static void on_cancelled(const struct rpc_answer *, void *)
{
    /* Lost or not: the replica's own timeout ends what nobody pulls. */
}

static void cancel(struct incoming *incoming)
{
    struct api *api      = incoming->replica->pull->api;
    Pb__LlmCancel cancel = PB__LLM_CANCEL__INIT;
    cancel.subscriber =
        (ProtobufCBinaryData){.data = api->subscriber, .len = sizeof api->subscriber};
    cancel.calls                     = &incoming->number;
    cancel.n_calls                   = 1;
    const struct rpc_request request = {.service   = &pb__llm__descriptor,
                                        .method    = "Cancel",
                                        .message   = &cancel,
                                        .partition = incoming->replica->index,
                                        .done      = on_cancelled};
    if (api->llm) (void)rpc_client_call(api->llm, &request, NULL, NULL);
}

static void on_forget(struct api_waiter *head)
{
    struct incoming *incoming = (struct incoming *)head;
    if (!incoming->is_complete) cancel(incoming);
    incoming_free(incoming);
}

static void take_head(struct incoming *incoming, const Pb__LlmItem *item)
{
    incoming->http_status = item->http_status;
    for (size_t i = 0; i < item->n_headers && incoming->header_count < HEADERS_MAX; i++) {
        str name  = str_from(item->headers[i]->name);
        str value = str_from(item->headers[i]->value);
        if (name.len >= HEADER_MAX || value.len >= HEADER_MAX) continue;
        memcpy(incoming->headers[incoming->header_count].name, name.ptr, name.len);
        memcpy(incoming->headers[incoming->header_count].value, value.ptr, value.len);
        incoming->header_count++;
    }
}

static struct incoming *incoming_of(struct replica *replica, uint64_t number)
{
    struct incoming *incoming = map_get(replica->calls, key_of(&number));
    if (incoming) return incoming;
    incoming  = mem_new(1, sizeof *incoming);
    *incoming = (struct incoming){.head     = {.forget = on_forget},
                                  .replica  = replica,
                                  .number   = number,
                                  .body     = buf_init(BODY_MAX),
                                  .since_ms = loop_now_ms(replica->pull->api->home)};
    if (!map_put(replica->calls, key_of(&number), incoming)) {
        free(incoming);
        return NULL;
    }
    atomic_fetch_add(&replica->open, 1);
    return incoming;
}

static void take_item(struct replica *replica, const Pb__LlmItem *item)
{
    struct incoming *incoming = incoming_of(replica, item->call);
    if (!incoming || item->seq <= incoming->seq) return; /* sent again: we have it */
    incoming->seq = item->seq;
    switch (item->kind) {
    case PB__LLM_ITEM_KIND__LLM_ITEM_KIND_HEAD: take_head(incoming, item); break;
    case PB__LLM_ITEM_KIND__LLM_ITEM_KIND_DATA:
        (void)buf_put(&incoming->body, item->data.data, item->data.len);
        break;
    case PB__LLM_ITEM_KIND__LLM_ITEM_KIND_END:
        incoming->is_complete = true;
        if (incoming->call) respond(incoming);
        break;
    default: break; /* of a newer release */
    }
}

static void forget_orphans(struct replica *replica)
{
    int64_t now_ms = loop_now_ms(replica->pull->api->home);
    size_t cursor  = 0;
    str key        = {};
    void *value    = NULL;
    while (map_next(replica->calls, &cursor, &key, &value)) {
        struct incoming *incoming = value;
        if (!incoming->call && now_ms - incoming->since_ms > ORPHAN_MS) incoming_free(incoming);
    }
}

/* The replica was restarted, or gave us up: its calls are gone with it. */
static void fail_all(struct replica *replica, const struct rpc_answer *answer)
{
    size_t cursor = 0;
    str key       = {};
    void *value   = NULL;
    while (map_next(replica->calls, &cursor, &key, &value)) {
        struct incoming *incoming = value;
        if (incoming->call && !api_call_is_gone(incoming->call)) {
            api_fail_answer(incoming->call, answer);
        }
        incoming_free(incoming);
    }
}

/* --- pulling -----------------------------------------------------------------------------------
 */

static void on_pulled(void *context)
{
    struct replica *replica                             = context;
    struct api *api                                     = replica->pull->api;
    CLEANUP(rpc_answer_freep) struct rpc_answer *answer = replica->answer;
    replica->is_running                                 = false;
    if (answer->code == STATUS_OK) {
        const Pb__LlmPulled *items = answer->message;
        replica->last_reply        = items->reply;
        for (size_t i = 0; i < items->n_items; i++) take_item(replica, items->items[i]);
        forget_orphans(replica);
        if (map_count(replica->calls) > 0) pull_send(replica);
        return;
    }
    if (answer->code == STATUS_UNAVAILABLE) fail_all(replica, answer);
    if (map_count(replica->calls) == 0) return;
    loop_timer_set(api->home, &replica->retry, loop_now_ms(api->home) + PULL_RETRY_MS);
}

/* One pull of a replica is under way at a time, so there is one answer. A notice cannot be refused
 * as a post can. */
static void on_answer(const struct rpc_answer *answer, void *context)
{
    struct replica *replica = context;
    replica->answer         = rpc_answer_keep(answer);
    loop_notify(replica->pull->api->home, &replica->notice);
}

static void pull_send(struct replica *replica)
{
    struct api *api     = replica->pull->api;
    Pb__LlmPull message = PB__LLM_PULL__INIT;
    message.subscriber =
        (ProtobufCBinaryData){.data = api->subscriber, .len = sizeof api->subscriber};
    message.last_reply = replica->last_reply;
    message.wait_ms    = PULL_WAIT_MS;

    const struct rpc_request request = {.service    = &pb__llm__descriptor,
                                        .method     = "Pull",
                                        .message    = &message,
                                        .partition  = replica->index,
                                        .timeout_ms = PULL_WAIT_MS + RPC_LONG_SLACK_MS,
                                        .done       = on_answer,
                                        .context    = replica};
    replica->is_running              = true;
    if (api->llm && rpc_client_call(api->llm, &request, NULL, NULL) == STATUS_OK) return;
    replica->is_running = false;
    loop_timer_set(api->home, &replica->retry, loop_now_ms(api->home) + PULL_RETRY_MS);
}

void llm_pull_add(struct llm_pull *pull, struct api_call *api_call, uint16_t replica_index,
                  uint64_t number)
{
    ASSERT(replica_index < pull->replica_count);
    struct replica *replica   = &pull->replicas[replica_index];
    struct incoming *incoming = incoming_of(replica, number);
    if (!incoming) {
        api_fail_with(api_call, "overloaded", (str){}, "too many calls are open; try again");
        return;
    }
    incoming->call   = api_call_ref(api_call);
    api_call->waiter = &incoming->head;
    if (incoming->is_complete) {
        respond(incoming);
    } else if (api_call_is_gone(api_call)) {
        on_forget(&incoming->head);
    } else if (!replica->is_running && !loop_timer_is_set(&replica->retry)) {
        pull_send(replica);
    }
}
