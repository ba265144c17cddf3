#include "scheduler/engine/watches/run_watches.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/map.h"
#include "base/mem.h"
#include "scheduler/tables/record.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    REPLY_VIEWS_MAX = 1'000,  /* of one answer; the rest goes with the next */
    SILENT_MS_MAX   = 60'000, /* then a subscriber is forgotten */
    WATCHERS_MAX    = 8,      /* subscribers of one run; a ninth has to ask */
};

/* An end that is to be told, until its reply is acknowledged. */
struct kept_end {
    struct kept_end *next;
    uint64_t reply; /* 0: in none yet */
    size_t size_bytes;
    uint8_t packed[]; /* a RunView */
};

struct subscriber {
    char name[SUBSCRIBER_SIZE_MAX];
    size_t name_len;
    struct rpc_call *parked; /* NULL: none */
    int64_t parked_until_ms;
    int64_t seen_ms;
    uint64_t reply; /* number of the last one */
    struct kept_end *first, *last;
    size_t kept_bytes;
    struct map *watched; /* run id -> the subscriber itself */
};

struct watcher_list {
    size_t count;
    struct subscriber *items[WATCHERS_MAX];
};

struct run_watches {
    uint64_t instance;
    pthread_mutex_t mutex;   /* guards what follows */
    struct map *subscribers; /* name -> struct subscriber */
    struct map *watchers;    /* run id -> struct watcher_list */
};

static void lock(struct run_watches *watches)
{
    int failed = pthread_mutex_lock(&watches->mutex);
    ASSERT(!failed);
}

static void unlock(struct run_watches *watches)
{
    int failed = pthread_mutex_unlock(&watches->mutex);
    ASSERT(!failed);
}

struct run_watches *run_watches_new(uint64_t instance)
{
    struct run_watches *watches = mem_new(1, sizeof *watches);
    int failed                  = pthread_mutex_init(&watches->mutex, NULL);
    ASSERT(!failed);
    watches->instance    = instance;
    watches->subscribers = map_new(SUBSCRIBERS_MAX);
    watches->watchers    = map_new((size_t)SUBSCRIBERS_MAX * WATCHED_MAX);
    return watches;
}

static void subscriber_free(struct subscriber *subscriber)
{
    ASSERT(!subscriber->parked);
    while (subscriber->first) {
        struct kept_end *next = subscriber->first->next;
        free(subscriber->first);
        subscriber->first = next;
    }
    map_free(subscriber->watched);
    free(subscriber);
}

void run_watches_free(struct run_watches *watches)
{
    if (!watches) return;
    size_t cursor = 0;
    void *value   = NULL;
    while (map_next(watches->subscribers, &cursor, NULL, &value)) subscriber_free(value);
    cursor = 0;
    while (map_next(watches->watchers, &cursor, NULL, &value)) free(value);
    map_free(watches->subscribers);
    map_free(watches->watchers);
    (void)pthread_mutex_destroy(&watches->mutex);
    free(watches);
}

/* --- watching; under the lock ------------------------------------------------------------------
 */

static struct subscriber *find(struct run_watches *watches, bytes name)
{
    return map_get(watches->subscribers, (str){.ptr = name.ptr, .len = name.len});
}

static struct subscriber *find_or_make(struct run_watches *watches, bytes name)
{
    struct subscriber *subscriber = find(watches, name);
    if (subscriber) return subscriber;
    if (name.len == 0 || name.len > SUBSCRIBER_SIZE_MAX) return NULL;
    if (map_count(watches->subscribers) == SUBSCRIBERS_MAX) return NULL;

    subscriber = mem_new(1, sizeof *subscriber);
    memcpy(subscriber->name, name.ptr, name.len);
    subscriber->name_len = name.len;
    subscriber->seen_ms  = clock_mono_ms();
    subscriber->watched  = map_new(WATCHED_MAX);
    bool is_put = map_put(watches->subscribers, (str){subscriber->name, name.len}, subscriber);
    ASSERT(is_put);
    return subscriber;
}

static bool watch(struct run_watches *watches, struct subscriber *subscriber, str run)
{
    if (map_get(subscriber->watched, run)) return true;
    struct watcher_list *list = map_get(watches->watchers, run);
    if (!list) {
        list        = mem_new(1, sizeof *list);
        bool is_put = map_put(watches->watchers, run, list);
        ASSERT(is_put);
    }
    if (list->count == WATCHERS_MAX || !map_put(subscriber->watched, run, subscriber)) {
        if (list->count == 0) free(map_remove(watches->watchers, run));
        return false;
    }
    list->items[list->count++] = subscriber;
    return true;
}

static void unwatch(struct run_watches *watches, struct subscriber *subscriber, str run)
{
    if (!map_remove(subscriber->watched, run)) return;
    struct watcher_list *list = map_get(watches->watchers, run);
    ASSERT(list);
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i] == subscriber) list->items[i--] = list->items[--list->count];
    }
    if (list->count == 0) free(map_remove(watches->watchers, run));
}

status run_watch_add(struct run_watches *watches, bytes subscriber, str run, struct error *reterr)
{
    lock(watches);
    struct subscriber *found = find_or_make(watches, subscriber);
    bool is_watched          = found && watch(watches, found, run);
    unlock(watches);
    if (is_watched) return STATUS_OK;
    return fail_code(reterr, STATUS_RESOURCE_EXHAUSTED, "quota_exceeded", "too many watched runs");
}

void run_watch_remove(struct run_watches *watches, bytes subscriber, str run)
{
    lock(watches);
    struct subscriber *found = find(watches, subscriber);
    if (found) unwatch(watches, found, run);
    unlock(watches);
}

bool run_is_watched(struct run_watches *watches, str run)
{
    lock(watches);
    bool is_watched = map_get(watches->watchers, run) != NULL;
    unlock(watches);
    return is_watched;
}

/* --- replies; under the lock -------------------------------------------------------------------
 */

/* Unpacks what is kept into the reply, which from now on may be acknowledged. */
static void fill_reply(struct subscriber *subscriber, struct rpc_call *call, uint64_t instance)
{
    Pb__PulledRuns *reply = call->response;
    reply->reply          = ++subscriber->reply;
    reply->instance       = instance;
    reply->ended          = arena_alloc(call->arena, REPLY_VIEWS_MAX * sizeof *reply->ended);
    if (!reply->ended) return;
    size_t size_bytes      = 0;
    struct kept_end *ended = subscriber->first;
    for (; ended && reply->n_ended < REPLY_VIEWS_MAX; ended = ended->next) {
        size_bytes += ended->size_bytes;
        if (size_bytes > KEPT_SIZE_MAX && reply->n_ended > 0) break;
        Pb__RunView *view = NULL;
        status read       = record_read((bytes){ended->packed, ended->size_bytes},
                                        &pb__run_view__descriptor, call->arena, &view, NULL);
        if (read != STATUS_OK) break;
        ended->reply                   = reply->reply;
        reply->ended[reply->n_ended++] = view;
    }
}

/* Takes the parked call out; the caller replies without the lock. */
static struct rpc_call *unpark(struct subscriber *subscriber)
{
    struct rpc_call *call = subscriber->parked;
    subscriber->parked    = NULL;
    return call;
}

static void acknowledge(struct subscriber *subscriber, uint64_t reply)
{
    while (subscriber->first && subscriber->first->reply > 0 && subscriber->first->reply <= reply) {
        struct kept_end *ended = subscriber->first;
        subscriber->first      = ended->next;
        if (!subscriber->first) subscriber->last = NULL;
        subscriber->kept_bytes -= ended->size_bytes;
        free(ended);
    }
}

static void keep(struct subscriber *subscriber, const Pb__RunView *view)
{
    Pb__RunView brief = *view;
    size_t size_bytes = protobuf_c_message_get_packed_size(&view->base);
    if (size_bytes + subscriber->kept_bytes > KEPT_SIZE_MAX) {
        brief.input_json  = (ProtobufCBinaryData){};
        brief.output_json = (ProtobufCBinaryData){};
        size_bytes        = protobuf_c_message_get_packed_size(&brief.base);
    }
    struct kept_end *ended = mem_new(1, sizeof *ended + size_bytes);
    ended->size_bytes      = protobuf_c_message_pack(&brief.base, ended->packed);
    if (subscriber->last) {
        subscriber->last->next = ended;
    } else {
        subscriber->first = ended;
    }
    subscriber->last = ended;
    subscriber->kept_bytes += ended->size_bytes;
}

/* --- events ------------------------------------------------------------------------------------
 */

void run_watch_ended(struct run_watches *watches, const Pb__RunView *view)
{
    str run = str_from(view->id);
    lock(watches);
    struct watcher_list *list = map_remove(watches->watchers, run);
    for (size_t i = 0; list && i < list->count; i++) {
        void *removed = map_remove(list->items[i]->watched, run);
        ASSERT(removed);
        keep(list->items[i], view);
    }
    unlock(watches);
    free(list);
}

void run_watches_tell(struct run_watches *watches)
{
    struct rpc_call *woken[SUBSCRIBERS_MAX];
    size_t count  = 0;
    size_t cursor = 0;
    void *value   = NULL;
    lock(watches);
    while (map_next(watches->subscribers, &cursor, NULL, &value)) {
        struct subscriber *subscriber = value;
        if (!subscriber->parked || !subscriber->first) continue;
        fill_reply(subscriber, subscriber->parked, watches->instance);
        woken[count++] = unpark(subscriber);
    }
    unlock(watches);
    for (size_t i = 0; i < count; i++) rpc_reply(woken[i], STATUS_OK, NULL);
}

status run_watch_pull(struct run_watches *watches, struct rpc_call *call, struct error *reterr)
{
    const Pb__PullRuns *request = call->request;
    struct rpc_call *before     = NULL;
    bool is_answered            = false;

    lock(watches);
    struct subscriber *subscriber =
        find_or_make(watches, (bytes){request->subscriber.data, request->subscriber.len});
    if (subscriber) {
        subscriber->seen_ms = clock_mono_ms();
        before              = unpark(subscriber);
        if (before) { /* empty: what is kept goes with the new call */
            Pb__PulledRuns *empty = before->response;
            empty->reply          = subscriber->reply;
            empty->instance       = watches->instance;
        }
        acknowledge(subscriber, request->last_reply);
        is_answered = subscriber->first || request->wait_ms == 0;
        if (is_answered) {
            fill_reply(subscriber, call, watches->instance);
        } else {
            subscriber->parked          = call;
            subscriber->parked_until_ms = subscriber->seen_ms + request->wait_ms;
        }
    }
    unlock(watches);

    if (!subscriber) {
        return fail_code(reterr, STATUS_RESOURCE_EXHAUSTED, "quota_exceeded",
                         "over %d subscribers, or no name", SUBSCRIBERS_MAX);
    }
    if (before) rpc_reply(before, STATUS_OK, NULL);
    if (is_answered) rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

void run_watch_cancel(struct run_watches *watches, const struct rpc_call *call)
{
    struct rpc_call *cancelled = NULL;
    lock(watches);
    size_t cursor = 0;
    void *value   = NULL;
    while (!cancelled && map_next(watches->subscribers, &cursor, NULL, &value)) {
        struct subscriber *subscriber = value;
        if (subscriber->parked == call) cancelled = unpark(subscriber);
    }
    unlock(watches);
    if (cancelled) rpc_reply(cancelled, STATUS_CANCELLED, NULL);
}

static void forget(struct run_watches *watches, struct subscriber *subscriber)
{
    size_t cursor = 0;
    str run       = {};
    while (map_next(subscriber->watched, &cursor, &run, NULL)) {
        struct id id = {};
        memcpy(id.text, run.ptr, run.len < ID_LEN ? run.len : ID_LEN);
        unwatch(watches, subscriber, str_from(id.text));
    }
    void *removed = map_remove(watches->subscribers, (str){subscriber->name, subscriber->name_len});
    ASSERT(removed == subscriber);
    subscriber_free(subscriber);
}

void run_watches_tick(struct run_watches *watches, int64_t now_ms)
{
    struct rpc_call *over[SUBSCRIBERS_MAX];
    size_t count  = 0;
    size_t cursor = 0;
    void *value   = NULL;
    lock(watches);
    while (map_next(watches->subscribers, &cursor, NULL, &value)) {
        struct subscriber *subscriber = value;
        if (subscriber->parked && subscriber->parked_until_ms <= now_ms) {
            fill_reply(subscriber, subscriber->parked, watches->instance);
            over[count++]       = unpark(subscriber);
            subscriber->seen_ms = clock_mono_ms();
        } else if (!subscriber->parked && now_ms != INT64_MAX &&
                   now_ms - subscriber->seen_ms > SILENT_MS_MAX) {
            forget(watches, subscriber);
        }
    }
    unlock(watches);
    for (size_t i = 0; i < count; i++) rpc_reply(over[i], STATUS_OK, NULL);
}
