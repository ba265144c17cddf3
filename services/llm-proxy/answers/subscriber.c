#include "llm-proxy/answers/subscriber.h"

#include "base/assert.h"
#include "base/mem.h"
#include "llm-proxy/answers/llm_item.h"

#include <stdlib.h>

enum {
    ITEMS_PER_REPLY_MAX = 1'024,
    ITEM_OVERHEAD       = 64, /* bytes, roughly */
    GATHER_MS_MAX       = 5,
    GATHER_CALLS        = 100, /* for each of so many pieces wait a millisecond */
};

struct outbox {
    struct subscriber *subscriber;
    struct outbox_owner owner; /* zeroed when it has let go */
    uint64_t call;
    uint64_t seq; /* of the last item */
    size_t size;  /* bytes of its items, sent ones too */
    size_t count; /* of its items, likewise */
    bool is_ready, is_stopped, was_full, is_dropped;
    struct item *first, *last; /* to be sent */
    struct outbox *next;       /* that is ready */
    struct outbox *next_stopped;
};

static str key_of(const uint64_t *call)
{
    return (str){.ptr = (const char *)call, .len = sizeof *call};
}

/* --- life --------------------------------------------------------------------------------------
 */

static void reply_parked(void *context);

struct subscriber *subscriber_new(ProtobufCBinaryData id, uint32_t era, struct loop *loop,
                                  subscriber_reply *reply)
{
    ASSERT(id.len == SUBSCRIBER_ID_SIZE && era > 0);
    struct subscriber *subscriber = mem_new(1, sizeof *subscriber);
    memcpy(subscriber->id, id.data, id.len);
    subscriber->loop         = loop;
    subscriber->reply        = reply;
    subscriber->first_number = (uint64_t)era << SUBSCRIBER_ERA_BITS;
    subscriber->last_reply   = subscriber->first_number;
    subscriber->last_call    = subscriber->first_number;
    subscriber->seen_ms      = loop_now_ms(loop);
    subscriber->outboxes     = map_new(SUBSCRIBER_CALLS_MAX);
    subscriber->timer        = (struct loop_timer){.fire = reply_parked, .context = subscriber};
    return subscriber;
}

static void unpark(struct subscriber *subscriber)
{
    loop_timer_clear(subscriber->loop, &subscriber->timer);
    subscriber->parked = NULL;
}

void subscriber_free(struct subscriber *subscriber)
{
    size_t cursor = 0;
    str key       = {};
    void *value   = NULL;
    if (subscriber->parked) {
        subscriber->reply(subscriber->parked, STATUS_CANCELLED, NULL);
        unpark(subscriber);
    }
    items_free(subscriber->sent);
    items_free(subscriber->spare.first);
    while (map_next(subscriber->outboxes, &cursor, &key, &value)) {
        struct outbox *outbox = value;
        items_free(outbox->first);
        free(outbox);
    }
    map_free(subscriber->outboxes);
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

/* --- who is next -------------------------------------------------------------------------------
 */

static void make_ready(struct outbox *outbox)
{
    struct subscriber *subscriber = outbox->subscriber;
    if (outbox->is_ready || outbox->is_stopped || !outbox->first) return;
    outbox->is_ready = true;
    outbox->next     = NULL;
    if (subscriber->ready_last) {
        subscriber->ready_last->next = outbox;
    } else {
        subscriber->ready = outbox;
    }
    subscriber->ready_last = outbox;
}

static struct outbox *take_ready(struct subscriber *subscriber)
{
    struct outbox *outbox = subscriber->ready;
    subscriber->ready     = outbox->next;
    if (!subscriber->ready) subscriber->ready_last = NULL;
    outbox->is_ready = false;
    return outbox;
}

static void unready(struct outbox *outbox)
{
    struct subscriber *subscriber = outbox->subscriber;
    struct outbox *before         = NULL;
    if (!outbox->is_ready) return;
    for (struct outbox *at = subscriber->ready; at != outbox; at = at->next) before = at;
    if (before) {
        before->next = outbox->next;
    } else {
        subscriber->ready = outbox->next;
    }
    if (subscriber->ready_last == outbox) subscriber->ready_last = before;
    outbox->is_ready = false;
}

static void start(struct outbox *outbox)
{
    struct outbox **link = &outbox->subscriber->stopped;
    if (!outbox->is_stopped) return;
    while (*link != outbox) link = &(*link)->next_stopped;
    *link              = outbox->next_stopped;
    outbox->is_stopped = false;
    make_ready(outbox);
}

static void stop(struct outbox *outbox)
{
    if (outbox->is_stopped) return;
    unready(outbox);
    outbox->is_stopped          = true;
    outbox->next_stopped        = outbox->subscriber->stopped;
    outbox->subscriber->stopped = outbox;
}

/* In this turn of the loop, with what else comes in it. */
static void answer_soon(struct subscriber *subscriber)
{
    loop_timer_set(subscriber->loop, &subscriber->timer, loop_now_ms(subscriber->loop));
}

/* When what is ready leaves. A message costs more than what it carries: where many answer, pieces
 * wait for others, for as long as nobody sees. Beginnings and ends never do. */
static int64_t due_ms(const struct subscriber *subscriber)
{
    int64_t gather_ms = (int64_t)(map_count(subscriber->outboxes) / GATHER_CALLS);
    if (gather_ms > GATHER_MS_MAX) gather_ms = GATHER_MS_MAX;
    return subscriber->is_urgent ? 0 : subscriber->replied_ms + gather_ms;
}

/* Nothing of it is kept any more, and nothing will come. */
static void free_if_over(struct outbox *outbox)
{
    struct subscriber *subscriber = outbox->subscriber;
    bool is_over                  = outbox->count == 0 && !outbox->owner.relieved;
    if (!is_over) return;
    start(outbox);
    unready(outbox);
    (void)map_remove(subscriber->outboxes, key_of(&outbox->call));
    free(outbox);
    if (map_count(subscriber->outboxes) > 0) return;
    items_free(subscriber->spare.first);
    subscriber->spare = (struct item_spare){};
    if (subscriber->parked) answer_soon(subscriber); /* there is nothing to wait for any more */
}

/* --- replies -----------------------------------------------------------------------------------
 */

static void keep_sent(struct subscriber *subscriber, struct item *item)
{
    item->reply    = subscriber->last_reply;
    item->was_sent = true;
    item->next     = NULL;
    subscriber->unsent--;
    if (subscriber->sent_last) {
        subscriber->sent_last->next = item;
    } else {
        subscriber->sent = item;
    }
    subscriber->sent_last = item;
}

/* What the next one points to is fetched meanwhile: of thousands nothing lies in a cache. */
static void look_ahead(const struct outbox *next)
{
    if (next->next) __builtin_prefetch(next->next);
    if (!next->first) return;
    __builtin_prefetch(next->first);
    __builtin_prefetch(&next->first->reply);
}

/* One item of each in turn. */
static void reply(struct subscriber *subscriber, struct rpc_call *call)
{
    const Pb__LlmPull *pull = call->request;
    Pb__LlmPulled *pulled   = call->response;
    bool is_bounded         = pull->bytes_max > 0 && pull->bytes_max < SUBSCRIBER_REPLY_SIZE;
    size_t size_max         = is_bounded ? pull->bytes_max : SUBSCRIBER_REPLY_SIZE;
    bool is_much            = subscriber->unsent > ITEMS_PER_REPLY_MAX;
    size_t room             = is_much ? ITEMS_PER_REPLY_MAX : subscriber->unsent;
    Pb__LlmItem **list      = mem_alloc((room + 1) * sizeof(Pb__LlmItem *));
    Pb__LlmItem *pieces     = mem_alloc((room + 1) * sizeof *pieces);
    size_t size             = 0;
    subscriber->last_reply++;
    while (subscriber->ready && pulled->n_items < room) {
        struct outbox *outbox = subscriber->ready;
        struct item *item     = outbox->first;
        if (outbox->next) look_ahead(outbox->next);
        if (pulled->n_items > 0 && size + item->size > size_max) break;
        (void)take_ready(subscriber);
        outbox->first = item->next;
        if (!outbox->first) outbox->last = NULL;
        size += item->size;
        if (!item->message) item_print(item, item->outbox->call, &pieces[pulled->n_items]);
        list[pulled->n_items] = item->message ? item->message : &pieces[pulled->n_items];
        pulled->n_items++;
        keep_sent(subscriber, item);
        make_ready(outbox);
    }
    pulled->reply          = subscriber->last_reply;
    pulled->items          = list;
    subscriber->replied_ms = loop_now_ms(subscriber->loop);
    subscriber->is_urgent  = subscriber->ready != NULL; /* it is full */
    subscriber->reply(call, STATUS_OK, NULL);
    free(list);
    free(pieces);
}

static void reply_parked(void *context)
{
    struct subscriber *subscriber = context;
    struct rpc_call *call         = subscriber->parked;
    unpark(subscriber);
    reply(subscriber, call);
}

static void wake(struct subscriber *subscriber)
{
    if (!subscriber->parked || !subscriber->ready) return;
    loop_timer_set(subscriber->loop, &subscriber->timer, due_ms(subscriber));
}

/* --- acknowledgements --------------------------------------------------------------------------
 */

static void relieve(struct outbox *outbox)
{
    bool is_relieved = outbox->was_full && outbox->owner.relieved && outbox->size < OUTBOX_LOW &&
                       !outbox_is_full(outbox);
    if (!is_relieved) return;
    outbox->was_full = false;
    outbox->owner.relieved(outbox->owner.context);
}

static void drop_item(struct item *item)
{
    struct outbox *outbox = item->outbox;
    outbox->size -= item->size;
    outbox->subscriber->size -= item->size;
    outbox->count--;
    if (item->reply == 0) outbox->subscriber->unsent--;
    item_put_back(&outbox->subscriber->spare, item);
    relieve(outbox);
    free_if_over(outbox);
}

static void put_back(struct item *item)
{
    struct outbox *outbox = item->outbox;
    if (outbox->is_dropped) {
        drop_item(item);
        return;
    }
    item->reply = 0;
    outbox->subscriber->unsent++;
    item->next    = outbox->first;
    outbox->first = item;
    if (!outbox->last) outbox->last = item;
    make_ready(outbox);
}

/* Replies up to `acknowledged` have arrived; what was in later ones goes out again, in the order it
 * had. */
static void acknowledge(struct subscriber *subscriber, uint64_t acknowledged)
{
    struct item *lost = NULL; /* the last one first */
    while (subscriber->sent) {
        struct item *item = subscriber->sent;
        subscriber->sent  = item->next;
        if (item->next) {
            __builtin_prefetch(item->next->next);
            __builtin_prefetch(item->next->outbox);
        }
        if (item->reply <= acknowledged) {
            drop_item(item);
        } else {
            item->next = lost;
            lost       = item;
        }
    }
    subscriber->sent_last = NULL;
    while (lost) {
        struct item *next = lost->next;
        put_back(lost);
        lost = next;
    }
}

/* Those, and no others. */
static void stop_calls(struct subscriber *subscriber, const uint64_t *calls, size_t count)
{
    while (subscriber->stopped) start(subscriber->stopped);
    for (size_t i = 0; i < count; i++) {
        struct outbox *outbox = map_get(subscriber->outboxes, key_of(&calls[i]));
        if (outbox) stop(outbox);
    }
}

/* 0: its gateway has heard nothing yet. */
static bool is_of_others(const struct subscriber *subscriber, uint64_t reply)
{
    return reply > 0 && (reply > subscriber->last_reply || reply <= subscriber->first_number);
}

void subscriber_pull(struct subscriber *subscriber, struct rpc_call *call)
{
    const Pb__LlmPull *pull = call->request;
    subscriber->seen_ms     = loop_now_ms(subscriber->loop);
    if (subscriber->parked) reply_parked(subscriber);
    if (is_of_others(subscriber, pull->last_reply)) {
        struct error gone = {};
        subscriber->reply(call, fail(&gone, STATUS_NOT_FOUND, "those calls are gone"), &gone);
        return;
    }
    acknowledge(subscriber, pull->last_reply);
    stop_calls(subscriber, pull->stopped, pull->n_stopped);
    int64_t now_ms = loop_now_ms(subscriber->loop);
    if (subscriber->ready && due_ms(subscriber) <= now_ms) {
        reply(subscriber, call);
        return;
    }
    int64_t wait_ms = subscriber->is_draining ? SUBSCRIBER_DRAIN_MS : SUBSCRIBER_WAIT_MS;
    if (pull->wait_ms < wait_ms) wait_ms = pull->wait_ms;
    int64_t until_ms   = subscriber->ready ? due_ms(subscriber) : now_ms + wait_ms;
    subscriber->parked = call;
    loop_timer_set(subscriber->loop, &subscriber->timer, until_ms);
}

void subscriber_drain(struct subscriber *subscriber)
{
    int64_t until_ms        = loop_now_ms(subscriber->loop) + SUBSCRIBER_DRAIN_MS;
    subscriber->is_draining = true;
    if (subscriber->parked) loop_timer_set(subscriber->loop, &subscriber->timer, until_ms);
}

void subscriber_resume(struct subscriber *subscriber, const uint64_t *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct outbox *outbox = map_get(subscriber->outboxes, key_of(&calls[i]));
        if (outbox) start(outbox);
    }
    wake(subscriber);
}

/* --- outboxes ----------------------------------------------------------------------------------
 */

struct outbox *outbox_new(struct subscriber *subscriber, uint64_t call,
                          const struct outbox_owner *owner)
{
    ASSERT(owner->relieved);
    struct outbox *outbox = mem_new(1, sizeof *outbox);
    outbox->subscriber    = subscriber;
    outbox->owner         = *owner;
    outbox->call          = call;
    if (map_put(subscriber->outboxes, key_of(&call), outbox)) return outbox;
    free(outbox);
    return NULL;
}

static struct item *append(struct outbox *outbox)
{
    struct item *item = item_take(&outbox->subscriber->spare, SUBSCRIBER_REPLY_SIZE);
    item->outbox      = outbox;
    item->seq         = ++outbox->seq;
    outbox->subscriber->unsent++;
    if (outbox->last) {
        outbox->last->next = item;
    } else {
        outbox->first = item;
    }
    outbox->last = item;
    outbox->count++;
    make_ready(outbox);
    return item;
}

static void grow(struct item *item, size_t size)
{
    struct outbox *outbox = item->outbox;
    item->size += size;
    outbox->size += size;
    outbox->subscriber->size += size;
    (void)outbox_is_full(outbox);
    wake(outbox->subscriber);
}

static void append_message(struct outbox *outbox, Pb__LlmItem *message)
{
    struct item *item             = append(outbox);
    message->call                 = outbox->call;
    message->seq                  = item->seq;
    size_t size                   = 0;
    item->message                 = llm_item_copy(message, &size);
    outbox->subscriber->is_urgent = true;
    grow(item, size + ITEM_OVERHEAD);
}

void outbox_head(struct outbox *outbox, uint32_t http_status, Pb__LlmHeader **headers,
                 size_t header_count)
{
    Pb__LlmItem head = PB__LLM_ITEM__INIT;
    head.kind        = PB__LLM_ITEM_KIND__LLM_ITEM_KIND_HEAD;
    head.http_status = http_status;
    head.headers     = headers;
    head.n_headers   = header_count;
    append_message(outbox, &head);
}

void outbox_data(struct outbox *outbox, str data)
{
    while (data.len > 0) {
        struct item *last = outbox->last;
        bool may_join =
            last && !last->message && !last->was_sent && last->data.len < OUTBOX_ITEM_SIZE;
        struct item *item = may_join ? last : append(outbox);
        str piece         = str_slice(data, 0, OUTBOX_ITEM_SIZE - item->data.len);
        bool is_kept      = buf_put_str(&item->data, piece);
        ASSERT(is_kept);
        data = str_slice(data, piece.len, data.len);
        grow(item, piece.len + (may_join ? 0 : ITEM_OVERHEAD));
    }
}

void outbox_ahead(const struct outbox *outbox, struct loop_ahead *ahead)
{
    loop_ahead_add(ahead, outbox, sizeof *outbox);
}

void outbox_end(struct outbox *outbox, const Pb__Usage *usage, const char *outcome)
{
    Pb__LlmItem end = PB__LLM_ITEM__INIT;
    end.kind        = PB__LLM_ITEM_KIND__LLM_ITEM_KIND_END;
    end.usage       = (Pb__Usage *)(uintptr_t)usage;
    end.outcome     = outcome;
    append_message(outbox, &end);
    outbox->owner = (struct outbox_owner){};
}

void outbox_drop(struct outbox *outbox)
{
    unready(outbox);
    outbox->owner      = (struct outbox_owner){};
    outbox->is_dropped = true;
    outbox->count++; /* so that it lasts until the end of this */
    while (outbox->first) {
        struct item *item = outbox->first;
        outbox->first     = item->next;
        drop_item(item);
    }
    outbox->last = NULL;
    outbox->count--;
    free_if_over(outbox);
}

bool outbox_is_full(struct outbox *outbox)
{
    bool is_crowded = outbox->subscriber->size >= SUBSCRIBER_SIZE_MAX;
    bool is_full    = outbox->size >= (is_crowded ? OUTBOX_CROWDED : OUTBOX_FULL);
    if (is_full) outbox->was_full = true;
    return is_full;
}
