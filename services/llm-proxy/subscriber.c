#include "llm-proxy/subscriber.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdlib.h>

enum { ITEMS_PER_REPLY_MAX = 1'024 };

struct item {
    Pb__LlmItem *message; /* owned: unpacked from our own bytes */
    size_t size;          /* bytes, roughly */
    uint64_t reply;       /* that carried it; 0: none yet */
    struct item *next;
};

struct subscriber *subscriber_new(ProtobufCBinaryData id, int64_t now_ms)
{
    ASSERT(id.len == SUBSCRIBER_ID_SIZE);
    struct subscriber *subscriber = mem_new(1, sizeof *subscriber);
    memcpy(subscriber->id, id.data, id.len);
    subscriber->seen_ms = now_ms;
    return subscriber;
}

static void item_free(struct item *item)
{
    pb__llm_item__free_unpacked(item->message, NULL);
    free(item);
}

static void unpark(struct subscriber *subscriber)
{
    loop_timer_clear(subscriber->loop, &subscriber->timer);
    subscriber->parked = NULL;
}

void subscriber_free(struct subscriber *subscriber)
{
    if (subscriber->parked) {
        rpc_reply(subscriber->parked, STATUS_CANCELLED, NULL);
        unpark(subscriber);
    }
    for (struct item *item = subscriber->first; item;) {
        struct item *next = item->next;
        item_free(item);
        item = next;
    }
    free(subscriber);
}

str subscriber_id(const struct subscriber *subscriber)
{
    return (str){.ptr = (const char *)subscriber->id, .len = SUBSCRIBER_ID_SIZE};
}

bool subscriber_is_silent(const struct subscriber *subscriber, int64_t since_ms)
{
    return !subscriber->parked && subscriber->seen_ms < since_ms;
}

/* --- replies -----------------------------------------------------------------------------------
 */

static bool has_unsent(const struct subscriber *subscriber)
{
    for (const struct item *item = subscriber->first; item; item = item->next) {
        if (item->reply == 0) return true;
    }
    return false;
}

static void reply(struct subscriber *subscriber, struct rpc_call *call)
{
    const Pb__LlmPull *pull = call->request;
    Pb__LlmPulled *pulled   = call->response;
    size_t size_max         = pull->bytes_max > 0 && pull->bytes_max < SUBSCRIBER_REPLY_SIZE
                                  ? pull->bytes_max
                                  : SUBSCRIBER_REPLY_SIZE;
    Pb__LlmItem *items[ITEMS_PER_REPLY_MAX];
    size_t size = 0;
    subscriber->last_reply++;
    for (struct item *item = subscriber->first; item; item = item->next) {
        if (item->reply != 0) continue;
        bool is_full = pulled->n_items > 0 && size + item->size > size_max;
        if (is_full || pulled->n_items == ITEMS_PER_REPLY_MAX) break;
        items[pulled->n_items++] = item->message;
        item->reply              = subscriber->last_reply;
        size += item->size;
    }
    pulled->reply = subscriber->last_reply;
    pulled->items = items;
    rpc_reply(call, STATUS_OK, NULL);
}

static void reply_parked(struct subscriber *subscriber)
{
    struct rpc_call *call = subscriber->parked;
    unpark(subscriber);
    reply(subscriber, call);
}

static void on_timer(void *context)
{
    reply_parked(context);
}

/* Replies up to `acknowledged` have arrived; what was in later ones goes out again. */
static void acknowledge(struct subscriber *subscriber, uint64_t acknowledged)
{
    while (subscriber->first && subscriber->first->reply != 0 &&
           subscriber->first->reply <= acknowledged) {
        struct item *gone = subscriber->first;
        subscriber->first = gone->next;
        item_free(gone);
    }
    if (!subscriber->first) subscriber->last = NULL;
    for (struct item *item = subscriber->first; item; item = item->next) item->reply = 0;
}

void subscriber_pull(struct subscriber *subscriber, struct rpc_call *call, struct loop *loop)
{
    const Pb__LlmPull *pull = call->request;
    subscriber->loop        = loop;
    subscriber->seen_ms     = loop_now_ms(loop);
    if (subscriber->parked) reply_parked(subscriber);
    acknowledge(subscriber, pull->last_reply);
    if (has_unsent(subscriber)) {
        reply(subscriber, call);
        return;
    }
    int64_t wait_ms    = pull->wait_ms < SUBSCRIBER_WAIT_MS ? pull->wait_ms : SUBSCRIBER_WAIT_MS;
    subscriber->parked = call;
    subscriber->timer  = (struct loop_timer){.fire = on_timer, .context = subscriber};
    loop_timer_set(loop, &subscriber->timer, loop_now_ms(loop) + wait_ms);
}

/* --- items -------------------------------------------------------------------------------------
 */

static void append(struct subscriber *subscriber, const Pb__LlmItem *message)
{
    size_t size     = pb__llm_item__get_packed_size(message);
    uint8_t *packed = mem_new(1, size + 1);
    (void)pb__llm_item__pack(message, packed);
    struct item *item = mem_new(1, sizeof *item);
    item->message     = pb__llm_item__unpack(NULL, size, packed);
    item->size        = size;
    free(packed);
    ASSERT(item->message); /* it was ours */
    if (subscriber->last) {
        subscriber->last->next = item;
    } else {
        subscriber->first = item;
    }
    subscriber->last = item;
}

void subscriber_send(struct subscriber *subscriber, const struct subscriber_answer *answer)
{
    Pb__LlmItem head = PB__LLM_ITEM__INIT;
    head.call        = answer->call;
    head.seq         = 1;
    head.kind        = PB__LLM_ITEM_KIND__LLM_ITEM_KIND_HEAD;
    head.http_status = answer->http_status;
    head.headers     = answer->headers;
    head.n_headers   = answer->header_count;
    append(subscriber, &head);

    uint64_t seq = 1;
    for (size_t from = 0; from < answer->body.len; from += SUBSCRIBER_REPLY_SIZE) {
        str piece        = str_slice(answer->body, from, from + SUBSCRIBER_REPLY_SIZE);
        Pb__LlmItem data = PB__LLM_ITEM__INIT;
        data.call        = answer->call;
        data.seq         = ++seq;
        data.kind        = PB__LLM_ITEM_KIND__LLM_ITEM_KIND_DATA;
        data.data =
            (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)piece.ptr, .len = piece.len};
        append(subscriber, &data);
    }
    Pb__LlmItem end = PB__LLM_ITEM__INIT;
    end.call        = answer->call;
    end.seq         = ++seq;
    end.kind        = PB__LLM_ITEM_KIND__LLM_ITEM_KIND_END;
    end.usage       = (Pb__Usage *)(uintptr_t)answer->usage;
    end.outcome     = "complete";
    append(subscriber, &end);
    if (subscriber->parked) reply_parked(subscriber);
}
