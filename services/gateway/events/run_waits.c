#include "gateway/events/run_waits.h"

#include "base/assert.h"
#include "base/id.h"
#include "base/map.h"
#include "base/mem.h"

#include <stdlib.h>

enum {
    PULL_WAIT_MS    = 20'000,
    PULL_RETRY_MS   = 200, /* after a failed pull: the scheduler is away */
    PARTITIONS_MAX  = 1'024,
    WAITERS_MAX     = 100'000,
    EARLY_MAX       = 10'000,
    EARLY_KEPT_MS   = 10'000,
    WATCH_BATCH_MAX = 512,
};

struct waiter {
    struct api_waiter head; /* first: it is what call->waiter points to */
    struct run_waits *waits;
    struct api_call *call; /* a reference */
    char run_id[ID_LEN + 1];
    run_wait_done *done;
    struct loop_timer timer;
    struct waiter *next; /* another one for the same run */
};

struct ids {
    char (*items)[ID_LEN + 1]; /* owned */
    size_t count, capacity;
};

struct pulled;

/* The pull of one partition. */
struct pull {
    struct run_waits *waits;
    uint16_t partition;
    uint32_t running; /* pulls under way: a new one makes the parked one come back */
    uint64_t last_reply;
    uint64_t instance;
    struct ids added;   /* to be watched, to be told with the next pull */
    struct ids removed; /* not any more, likewise */
    struct loop_timer retry;
    struct loop_notice notice;
    _Atomic(struct pulled *) arrived; /* pushed by RPC threads, newest first */
};

struct run_waits {
    struct api *api;
    struct map *by_run;                 /* run id -> first struct waiter */
    struct map *early;                  /* run id -> struct early */
    struct pull *pulls[PARTITIONS_MAX]; /* made when first needed */
    struct loop_notice reconnected;
};

/* An end that nobody waited for yet. */
struct early {
    int64_t since_ms;
};

static void pull_start(struct pull *pull);
static void on_reconnected(void *context);

struct run_waits *run_waits_new(struct api *api)
{
    struct run_waits *waits = mem_new(1, sizeof *waits);
    waits->api              = api;
    waits->by_run           = map_new(WAITERS_MAX);
    waits->early            = map_new(EARLY_MAX);
    waits->reconnected      = (struct loop_notice){.run = on_reconnected, .context = waits};
    return waits;
}

static void waiter_free(struct waiter *waiter)
{
    loop_timer_clear(waiter->waits->api->home, &waiter->timer);
    waiter->call->waiter = NULL;
    api_call_unref(waiter->call);
    free(waiter);
}

void run_waits_freep(struct run_waits **ref)
{
    struct run_waits *waits = *ref;
    if (!waits) return;
    size_t cursor = 0;
    str key       = {};
    void *value   = NULL;
    while (map_next(waits->by_run, &cursor, &key, &value)) {
        for (struct waiter *waiter = value; waiter;) {
            struct waiter *next = waiter->next;
            waiter_free(waiter);
            waiter = next;
        }
    }
    cursor = 0;
    while (map_next(waits->early, &cursor, &key, &value)) free(value);
    for (size_t i = 0; i < PARTITIONS_MAX; i++) {
        if (!waits->pulls[i]) continue;
        loop_timer_clear(waits->api->home, &waits->pulls[i]->retry);
        loop_notice_clear(waits->api->home, &waits->pulls[i]->notice);
        free(waits->pulls[i]->added.items);
        free(waits->pulls[i]->removed.items);
        free(waits->pulls[i]);
    }
    loop_notice_clear(waits->api->home, &waits->reconnected);
    map_free(waits->by_run);
    map_free(waits->early);
    free(waits);
    *ref = NULL;
}

/* --- waiters -----------------------------------------------------------------------------------
 */

static void unlink_waiter(struct waiter *waiter)
{
    struct map *map      = waiter->waits->by_run;
    struct waiter *first = map_remove(map, str_from(waiter->run_id));
    struct waiter **link = &first;
    while (*link && *link != waiter) link = &(*link)->next;
    if (*link) *link = waiter->next;
    if (first) {
        bool is_kept = map_put(map, str_from(waiter->run_id), first);
        ASSERT(is_kept); /* one was just taken out */
    }
}

static void settle(struct run_waits *waits, const Pb__RunView *run)
{
    struct waiter *waiter = map_remove(waits->by_run, str_from(run->id));
    if (!waiter) {
        struct early *early = mem_new(1, sizeof *early);
        early->since_ms     = loop_now_ms(waits->api->home);
        free(map_remove(waits->early, str_from(run->id)));
        if (!map_put(waits->early, str_from(run->id), early)) free(early);
        return;
    }
    while (waiter) {
        struct waiter *next   = waiter->next;
        struct api_call *call = api_call_ref(waiter->call);
        run_wait_done *done   = waiter->done;
        waiter_free(waiter);
        if (!api_call_is_gone(call)) done(call, run);
        api_call_unref(call);
        waiter = next;
    }
}

static void forget_early(struct run_waits *waits)
{
    int64_t now_ms = loop_now_ms(waits->api->home);
    size_t cursor  = 0;
    str key        = {};
    void *value    = NULL;
    while (map_next(waits->early, &cursor, &key, &value)) {
        const struct early *early = value;
        if (now_ms - early->since_ms < EARLY_KEPT_MS) continue;
        (void)map_remove(waits->early, key);
        free(value);
    }
}

/* --- pulls -------------------------------------------------------------------------------------
 */

static void ids_add(struct ids *ids, const char *run_id)
{
    if (ids->count == ids->capacity) {
        ids->capacity = ids->capacity ? ids->capacity * 2 : 16;
        ids->items    = mem_resize(ids->items, ids->capacity, sizeof *ids->items);
    }
    memcpy(ids->items[ids->count++], run_id, ID_LEN + 1);
}

/* Takes up to WATCH_BATCH_MAX ids that are wanted (or not wanted) now; what is asked for and given
 * up before the scheduler heard of it drops out. The texts stay until the next ids_add(). */
static size_t ids_take(struct ids *ids, const struct map *by_run, bool is_wanted,
                       const char **ret_ids)
{
    size_t count = 0;
    while (ids->count > 0 && count < WATCH_BATCH_MAX) {
        const char *id = ids->items[--ids->count];
        if ((map_get(by_run, str_from(id)) != NULL) == is_wanted) ret_ids[count++] = id;
    }
    return count;
}

/* The scheduler was restarted, or a message to it was lost: it is told of all that we watch. */
static void watch_all(struct pull *pull)
{
    pull->added.count = 0;
    size_t cursor     = 0;
    str key           = {};
    void *value       = NULL;
    while (map_next(pull->waits->by_run, &cursor, &key, &value)) {
        if (id_partition(key) == pull->partition) {
            ids_add(&pull->added, ((const struct waiter *)value)->run_id);
        }
    }
}

static void on_pulled(struct pull *pull, const struct rpc_answer *answer)
{
    struct run_waits *waits = pull->waits;
    if (answer->code != STATUS_OK) {
        watch_all(pull);
        loop_timer_set(waits->api->home, &pull->retry,
                       loop_now_ms(waits->api->home) + PULL_RETRY_MS);
        return;
    }
    const Pb__PulledRuns *runs = answer->message;
    bool is_other              = pull->instance != 0 && runs->instance != pull->instance;
    if (is_other || runs->reply > pull->last_reply) pull->last_reply = runs->reply;
    pull->instance = runs->instance;
    for (size_t i = 0; i < runs->n_ended; i++) settle(waits, runs->ended[i]);
    if (is_other) watch_all(pull);
    forget_early(waits);
    /* While a newer pull is under way, this one was only answered to make room for it. */
    if (pull->running == 0) pull_start(pull);
}

struct pulled {
    struct pull *pull;
    struct rpc_answer *answer; /* owned */
    struct pulled *next;
};

/* On the home loop: everything that has arrived. */
static void on_arrived(void *context)
{
    struct pull *pull      = context;
    struct pulled *arrived = atomic_exchange(&pull->arrived, NULL);
    while (arrived) {
        struct pulled *next = arrived->next;
        ASSERT(pull->running > 0);
        pull->running--;
        on_pulled(pull, arrived->answer);
        rpc_answer_free(arrived->answer);
        free(arrived);
        arrived = next;
    }
}

/* A notice cannot be refused as a post can, so a busy loop never loses the pull for good. */
static void on_answer(const struct rpc_answer *answer, void *context)
{
    struct pull *pull     = context;
    struct pulled *pulled = mem_new(1, sizeof *pulled);
    *pulled               = (struct pulled){.pull = pull, .answer = rpc_answer_keep(answer)};
    pulled->next          = atomic_load(&pull->arrived);
    while (!atomic_compare_exchange_weak(&pull->arrived, &pulled->next, pulled)) {
    }
    loop_notify(pull->waits->api->home, &pull->notice);
}

static void pull_start(struct pull *pull)
{
    struct api *api = pull->waits->api;
    const char *added[WATCH_BATCH_MAX];
    const char *removed[WATCH_BATCH_MAX];
    if (loop_timer_is_set(&pull->retry)) return; /* it will send what was added */
    Pb__PullRuns message    = PB__PULL_RUNS__INIT;
    message.subscriber.data = api->subscriber;
    message.subscriber.len  = sizeof api->subscriber;
    message.watch           = added;
    message.n_watch         = ids_take(&pull->added, pull->waits->by_run, true, added);
    message.unwatch         = removed;
    message.n_unwatch       = ids_take(&pull->removed, pull->waits->by_run, false, removed);
    message.last_reply      = pull->last_reply;
    bool has_more           = pull->added.count > 0 || pull->removed.count > 0;
    message.wait_ms         = has_more ? 0 : PULL_WAIT_MS; /* the rest follows at once */

    const struct rpc_request request = {
        .service    = &pb__runs__descriptor,
        .method     = "Pull",
        .message    = &message,
        .partition  = pull->partition,
        .timeout_ms = PULL_WAIT_MS + RPC_LONG_SLACK_MS,
        .done       = on_answer,
        .context    = pull,
    };
    pull->running++;
    if (api_call_scheduler(api, &request, NULL) == STATUS_OK) return;
    pull->running--;
    watch_all(pull);
    loop_timer_set(api->home, &pull->retry, loop_now_ms(api->home) + PULL_RETRY_MS);
}

static void on_retry(void *context)
{
    struct pull *pull = context;
    if (pull->running == 0) pull_start(pull);
}

static struct pull *pull_of(struct run_waits *waits, uint16_t partition)
{
    ASSERT(partition < PARTITIONS_MAX);
    struct pull *pull = waits->pulls[partition];
    if (pull) return pull;
    pull                    = mem_new(1, sizeof *pull);
    pull->waits             = waits;
    pull->partition         = partition;
    pull->retry             = (struct loop_timer){.fire = on_retry, .context = pull};
    pull->notice            = (struct loop_notice){.run = on_arrived, .context = pull};
    waits->pulls[partition] = pull;
    return pull;
}

/* A scheduler that was killed has forgotten what it was to watch, and the pull that was parked at
 * it is repeated by the RPC client as it was: it would stay parked for its whole time. */
static void on_reconnected(void *context)
{
    struct run_waits *waits = context;
    for (size_t i = 0; i < PARTITIONS_MAX; i++) {
        struct pull *pull = waits->pulls[i];
        if (!pull) continue;
        watch_all(pull);
        if (pull->added.count > 0) pull_start(pull);
    }
}

void run_waits_reconnected(struct run_waits *waits)
{
    loop_notify(waits->api->home, &waits->reconnected);
}

/* Nobody waits for the run any more: the scheduler is told with the next pull. Without that every
 * `wait` that was over before its run would stay watched until the run ends. */
static void unwatch(struct run_waits *waits, const char *run_id)
{
    if (map_get(waits->by_run, str_from(run_id))) return;
    ids_add(&pull_of(waits, id_partition(str_from(run_id)))->removed, run_id);
}

/* --- giving up ---------------------------------------------------------------------------------
 */

static void on_forget(struct api_waiter *head)
{
    struct waiter *waiter = (struct waiter *)head;
    unlink_waiter(waiter);
    unwatch(waiter->waits, waiter->run_id);
    waiter_free(waiter);
}

static void end_waiting(struct waiter *waiter)
{
    unlink_waiter(waiter);
    unwatch(waiter->waits, waiter->run_id);
    struct api_call *call = api_call_ref(waiter->call);
    run_wait_done *done   = waiter->done;
    waiter_free(waiter);
    if (!api_call_is_gone(call)) done(call, NULL);
    api_call_unref(call);
}

static void on_time_over(void *context)
{
    end_waiting(context);
}

void run_waits_drain(struct run_waits *waits)
{
    for (;;) {
        size_t cursor = 0;
        str key       = {};
        void *value   = NULL;
        if (!map_next(waits->by_run, &cursor, &key, &value)) return;
        end_waiting(value);
    }
}

void run_waits_add(struct run_waits *waits, struct api_call *call, const char *run_id,
                   bool is_watched, int64_t wait_ms, run_wait_done *done)
{
    ASSERT(id_is_valid(str_from(run_id)));
    struct pull *pull = pull_of(waits, id_partition(str_from(run_id)));
    if (api_call_is_gone(call)) {
        if (is_watched) unwatch(waits, run_id);
        return;
    }
    if (atomic_load(&call->api->is_draining)) wait_ms = 0; /* the answer tells to come back */
    struct waiter *waiter = mem_new(1, sizeof *waiter);
    *waiter               = (struct waiter){.head  = {.forget = on_forget},
                                            .waits = waits,
                                            .call  = api_call_ref(call),
                                            .done  = done,
                                            .timer = {.fire = on_time_over, .context = waiter}};
    memcpy(waiter->run_id, run_id, ID_LEN + 1);
    waiter->next = map_remove(waits->by_run, str_from(run_id));
    if (!map_put(waits->by_run, str_from(run_id), waiter)) {
        ASSERT(!waiter->next); /* an entry that was just taken out has room */
        api_call_unref(call);
        free(waiter);
        api_fail_with(call, "overloaded", (str){}, "too many calls are waiting; try again");
        return;
    }
    call->waiter = &waiter->head;
    loop_timer_set(waits->api->home, &waiter->timer, loop_now_ms(waits->api->home) + wait_ms);

    struct early *was_early = map_remove(waits->early, str_from(run_id));
    bool must_tell          = !is_watched || was_early;
    free(was_early);
    /* An end that came before its waiter is asked for once more; it is in the next answer. */
    if (must_tell) ids_add(&pull->added, run_id);
    if (pull->running == 0 || must_tell) pull_start(pull);
}
