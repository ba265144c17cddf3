#include "gateway/run_waits.h"

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
    WATCH_BATCH_MAX = 1'024,
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

/* The pull of one partition. */
struct pull {
    struct run_waits *waits;
    uint16_t partition;
    bool is_running;
    uint64_t last_reply;
    uint64_t instance;
    char (*added)[ID_LEN + 1]; /* watches to be told with the next pull */
    size_t added_count;
    size_t added_capacity;
    struct loop_timer retry;
};

struct run_waits {
    struct api *api;
    struct map *by_run;                 /* run id -> first struct waiter */
    struct map *early;                  /* run id -> struct early */
    struct pull *pulls[PARTITIONS_MAX]; /* made when first needed */
};

/* An end that nobody waited for yet. */
struct early {
    int64_t since_ms;
};

static void pull_start(struct pull *pull);

struct run_waits *run_waits_new(struct api *api)
{
    struct run_waits *waits = mem_new(1, sizeof *waits);
    waits->api              = api;
    waits->by_run           = map_new(WAITERS_MAX);
    waits->early            = map_new(EARLY_MAX);
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
        free(waits->pulls[i]->added);
        free(waits->pulls[i]);
    }
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

static void on_forget(struct api_waiter *head)
{
    struct waiter *waiter = (struct waiter *)head;
    unlink_waiter(waiter);
    waiter_free(waiter);
}

static void on_time_over(void *context)
{
    struct waiter *waiter = context;
    unlink_waiter(waiter);
    struct api_call *call = api_call_ref(waiter->call);
    run_wait_done *done   = waiter->done;
    waiter_free(waiter);
    if (!api_call_is_gone(call)) done(call, NULL);
    api_call_unref(call);
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

static void watch(struct pull *pull, const char *run_id)
{
    if (pull->added_count == pull->added_capacity) {
        pull->added_capacity = pull->added_capacity ? pull->added_capacity * 2 : 16;
        pull->added          = mem_resize(pull->added, pull->added_capacity, sizeof *pull->added);
    }
    memcpy(pull->added[pull->added_count++], run_id, ID_LEN + 1);
}

/* The scheduler was restarted: it knows none of what we watch. */
static void watch_all(struct pull *pull)
{
    pull->added_count = 0;
    size_t cursor     = 0;
    str key           = {};
    void *value       = NULL;
    while (map_next(pull->waits->by_run, &cursor, &key, &value)) {
        if (id_partition(key) == pull->partition) {
            watch(pull, ((const struct waiter *)value)->run_id);
        }
    }
}

struct pulled {
    struct pull *pull;
    struct rpc_answer *answer; /* owned */
};

static void on_pulled(void *context)
{
    struct pulled *pulled   = context;
    struct pull *pull       = pulled->pull;
    struct run_waits *waits = pull->waits;
    pull->is_running        = false;
    if (pulled->answer->code == STATUS_OK) {
        const Pb__PulledRuns *runs = pulled->answer->message;
        bool is_other              = pull->instance != 0 && runs->instance != pull->instance;
        pull->instance             = runs->instance;
        pull->last_reply           = runs->reply;
        for (size_t i = 0; i < runs->n_ended; i++) settle(waits, runs->ended[i]);
        if (is_other) watch_all(pull);
        forget_early(waits);
        pull_start(pull);
    } else {
        watch_all(pull);
        loop_timer_set(waits->api->home, &pull->retry,
                       loop_now_ms(waits->api->home) + PULL_RETRY_MS);
    }
    rpc_answer_free(pulled->answer);
    free(pulled);
}

static void on_answer(const struct rpc_answer *answer, void *context)
{
    struct pulled *pulled = mem_new(1, sizeof *pulled);
    struct pull *pull     = context;
    *pulled               = (struct pulled){.pull = pull, .answer = rpc_answer_keep(answer)};
    if (loop_post(pull->waits->api->home, on_pulled, pulled) == STATUS_OK) return;
    rpc_answer_free(pulled->answer); /* the loop is over its limit or gone: callers time out */
    free(pulled);
}

static void pull_send(struct pull *pull)
{
    struct api *api = pull->waits->api;
    const char *ids[WATCH_BATCH_MAX];
    size_t count = pull->added_count < WATCH_BATCH_MAX ? pull->added_count : WATCH_BATCH_MAX;
    for (size_t i = 0; i < count; i++) ids[i] = pull->added[pull->added_count - count + i];
    Pb__PullRuns message    = PB__PULL_RUNS__INIT;
    message.subscriber.data = api->subscriber;
    message.subscriber.len  = sizeof api->subscriber;
    message.watch           = ids;
    message.n_watch         = count;
    message.last_reply      = pull->last_reply;
    message.wait_ms         = PULL_WAIT_MS;

    const struct rpc_request request = {
        .service    = &pb__runs__descriptor,
        .method     = "Pull",
        .message    = &message,
        .partition  = pull->partition,
        .timeout_ms = PULL_WAIT_MS + RPC_LONG_SLACK_MS,
        .done       = on_answer,
        .context    = pull,
    };
    if (rpc_client_call(api->scheduler, &request, NULL, NULL) != STATUS_OK) {
        loop_timer_set(api->home, &pull->retry, loop_now_ms(api->home) + PULL_RETRY_MS);
        return;
    }
    pull->added_count -= count;
    pull->is_running = true;
}

static void pull_start(struct pull *pull)
{
    if (loop_timer_is_set(&pull->retry)) return; /* it will send what was added */
    pull_send(pull);
}

static void on_retry(void *context)
{
    pull_send(context);
}

static struct pull *pull_of(struct run_waits *waits, uint16_t partition)
{
    ASSERT(partition < PARTITIONS_MAX);
    struct pull *pull = waits->pulls[partition];
    if (pull) return pull;
    pull  = mem_new(1, sizeof *pull);
    *pull = (struct pull){
        .waits = waits, .partition = partition, .retry = {.fire = on_retry, .context = pull}};
    waits->pulls[partition] = pull;
    return pull;
}

void run_waits_add(struct run_waits *waits, struct api_call *call, const char *run_id,
                   bool is_watched, int64_t wait_ms, run_wait_done *done)
{
    ASSERT(id_is_valid(str_from(run_id)));
    if (api_call_is_gone(call)) return;
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

    struct pull *pull       = pull_of(waits, id_partition(str_from(run_id)));
    struct early *was_early = map_remove(waits->early, str_from(run_id));
    free(was_early);
    /* An end that came before its waiter is asked for once more; it is in the next answer. */
    if (!is_watched || was_early) watch(pull, run_id);
    if (!pull->is_running || !is_watched || was_early) pull_start(pull);
}
