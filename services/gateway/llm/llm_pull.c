#include "gateway/llm/llm_pull.h"

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "gateway/llm/llm_incoming.h"
#include "llm.pb-c.h"

#include <stdlib.h>

enum {
    ERA_BITS      = 32, /* a number's lower half (llm-proxy/answers/subscriber.h) */
    CALLS_MAX     = 50'000,
    PULL_WAIT_MS  = 10'000,
    PULL_RETRY_MS = 200,
    ORPHAN_MS     = 30'000, /* items whose Open never answered; looked for every */
    SWEEP_MS      = 1'000,
    AHEAD         = 6, /* items */
};

struct replica {
    struct llm_pull *pull;
    uint16_t index;
    struct map *calls;           /* number (8 bytes) -> struct llm_incoming */
    struct llm_incoming *recent; /* of the last item: the next is often of the same call; or NULL */
    struct llm_incoming *held;   /* streams that have something unsent */
    atomic_size_t open;          /* how many: for llm_pull_choose() on other loops */
    uint64_t last_reply;
    int64_t swept_ms;
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

static void hold(struct llm_incoming *incoming)
{
    if (incoming->is_held) return;
    incoming->is_held       = true;
    incoming->next_held     = incoming->replica->held;
    incoming->replica->held = incoming;
}

static void unhold(struct llm_incoming *incoming)
{
    struct llm_incoming **link = &incoming->replica->held;
    if (!incoming->is_held) return;
    while (*link != incoming) link = &(*link)->next_held;
    *link             = incoming->next_held;
    incoming->is_held = false;
}

static void incoming_free(struct llm_incoming *incoming)
{
    unhold(incoming);
    if (incoming->replica->recent == incoming) incoming->replica->recent = NULL;
    if (incoming->tap) incoming->tap->incoming = NULL;
    (void)map_remove(incoming->replica->calls, key_of(&incoming->number));
    atomic_fetch_sub(&incoming->replica->open, 1);
    if (incoming->call) {
        incoming->call->waiter = NULL;
        api_call_unref(incoming->call);
    }
    llm_incoming_done(incoming);
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

uint16_t llm_pull_replicas(const struct llm_pull *pull)
{
    return (uint16_t)pull->replica_count;
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

/* --- what is said of calls ---------------------------------------------------------------------
 */

static void on_said(const struct rpc_answer *, void *)
{
    /* Lost or not: a replica's own timeout ends what nobody pulls, and the next Pull says who is
     * slow. */
}

/* Cancel and Resume look alike. */
static void say(struct llm_incoming *incoming, const char *method, const void *message)
{
    const struct api *api            = incoming->replica->pull->api;
    const struct rpc_request request = {.service   = &pb__llm__descriptor,
                                        .method    = method,
                                        .message   = message,
                                        .partition = incoming->replica->index,
                                        .done      = on_said};
    (void)api_call_llm(api, &request, NULL);
}

static ProtobufCBinaryData subscriber_of(const struct llm_incoming *incoming)
{
    struct api *api = incoming->replica->pull->api;
    return (ProtobufCBinaryData){.data = api->subscriber, .len = sizeof api->subscriber};
}

static void cancel(struct llm_incoming *incoming)
{
    Pb__LlmCancel message = PB__LLM_CANCEL__INIT;
    message.subscriber    = subscriber_of(incoming);
    message.calls         = &incoming->number;
    message.n_calls       = 1;
    say(incoming, "Cancel", &message);
}

static void resume(struct llm_incoming *incoming)
{
    Pb__LlmResume message = PB__LLM_RESUME__INIT;
    message.subscriber    = subscriber_of(incoming);
    message.calls         = &incoming->number;
    message.n_calls       = 1;
    say(incoming, "Resume", &message);
}

static void send_on(struct llm_incoming *incoming)
{
    if (llm_incoming_send(incoming)) {
        incoming_free(incoming);
        return;
    }
    if (llm_incoming_is_slow(incoming)) {
        hold(incoming);
        return;
    }
    unhold(incoming);
    if (incoming->is_stopped) resume(incoming);
    incoming->is_stopped = false;
}

static void on_resume(struct api_waiter *head)
{
    send_on((struct llm_incoming *)head);
}

static void on_forget(struct api_waiter *head)
{
    struct llm_incoming *incoming = (struct llm_incoming *)head;
    if (!incoming->is_complete) cancel(incoming);
    incoming_free(incoming);
}

/* --- items -------------------------------------------------------------------------------------
 */

static struct llm_incoming *incoming_of(struct replica *replica, uint64_t number)
{
    struct llm_incoming *incoming = replica->recent;
    if (incoming && incoming->number == number) return incoming;
    incoming        = map_get(replica->calls, key_of(&number));
    replica->recent = incoming;
    if (incoming) return incoming;
    incoming  = mem_new(1, sizeof *incoming);
    *incoming = (struct llm_incoming){.head     = {.forget = on_forget, .resume = on_resume},
                                      .replica  = replica,
                                      .number   = number,
                                      .since_ms = loop_now_ms(replica->pull->api->home)};
    llm_incoming_init(incoming);
    if (!map_put(replica->calls, key_of(&number), incoming)) {
        free(incoming);
        return NULL;
    }
    atomic_fetch_add(&replica->open, 1);
    replica->recent = incoming;
    return incoming;
}

static void give_to_tap(struct llm_incoming *incoming)
{
    const struct llm_tap *tap = incoming->tap;
    if (incoming->body.len > 0) tap->take(buf_str(&incoming->body), tap->context);
    buf_clear(&incoming->body);
}

static void take_item(struct replica *replica, const Pb__LlmItem *item)
{
    struct llm_incoming *incoming = incoming_of(replica, item->call);
    if (!incoming || llm_incoming_pass(incoming, item)) return;
    llm_incoming_take(incoming, item);
    if (incoming->tap) {
        give_to_tap(incoming);
    } else if (incoming->call) {
        send_on(incoming);
    }
}

/* Of thousands of streams few lie in a cache. */
static void look_ahead(const struct replica *replica, const Pb__LlmItem *item)
{
    const struct llm_incoming *incoming = map_get(replica->calls, key_of(&item->call));
    if (incoming) llm_incoming_look_ahead(incoming);
}

/* Of those that are held: word that their clients take bytes again may have been lost. */
static void send_held(struct replica *replica)
{
    struct llm_incoming *next = NULL;
    for (struct llm_incoming *incoming = replica->held; incoming; incoming = next) {
        next = incoming->next_held;
        send_on(incoming);
    }
}

static void forget_orphans(struct replica *replica)
{
    int64_t now_ms = loop_now_ms(replica->pull->api->home);
    size_t cursor  = 0;
    str key        = {};
    void *value    = NULL;
    if (now_ms - replica->swept_ms < SWEEP_MS) return;
    replica->swept_ms = now_ms;
    while (map_next(replica->calls, &cursor, &key, &value)) {
        struct llm_incoming *incoming = value;
        bool is_orphan                = !incoming->call && !incoming->tap;
        if (is_orphan && now_ms - incoming->since_ms > ORPHAN_MS) incoming_free(incoming);
    }
}

/* The replica was restarted, or gave us up: the calls that it had then are gone with it, and no
 * others, such as the first one after a rest. 0: all. */
static void fail_lost(struct replica *replica, const struct rpc_answer *answer, uint64_t era)
{
    struct rpc_answer gone = *answer;
    size_t cursor          = 0;
    str key                = {};
    void *value            = NULL;
    gone.code              = STATUS_UNAVAILABLE;
    gone.error_code        = "";
    answer                 = &gone;
    while (map_next(replica->calls, &cursor, &key, &value)) {
        struct llm_incoming *incoming = value;
        if (era > 0 && incoming->number >> ERA_BITS != era) continue;
        const struct llm_tap *tap = incoming->tap;
        if (incoming->call) llm_incoming_fail(incoming, answer);
        incoming_free(incoming);
        if (tap) tap->lost(tap->context);
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
        for (size_t i = 0; i < items->n_items; i++) {
            if (i + AHEAD < items->n_items) look_ahead(replica, items->items[i + AHEAD]);
            take_item(replica, items->items[i]);
        }
        send_held(replica);
        forget_orphans(replica);
        if (map_count(replica->calls) > 0) pull_send(replica);
        return;
    }
    if (answer->code == STATUS_UNAVAILABLE) fail_lost(replica, answer, 0);
    if (answer->code == STATUS_NOT_FOUND && replica->last_reply > 0) {
        fail_lost(replica, answer, replica->last_reply >> ERA_BITS);
        replica->last_reply = 0; /* which is not refused again */
        if (map_count(replica->calls) > 0 && !replica->is_running) pull_send(replica);
        return;
    }
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

/* Their replica keeps what comes for those that are held. Owned. */
static uint64_t *stopped_calls(struct replica *replica, size_t *ret_count)
{
    uint64_t *numbers = NULL;
    for (struct llm_incoming *incoming = replica->held; incoming; incoming = incoming->next_held) {
        incoming->is_stopped    = true;
        numbers                 = mem_resize(numbers, *ret_count + 1, sizeof *numbers);
        numbers[(*ret_count)++] = incoming->number;
    }
    return numbers;
}

static void pull_send(struct replica *replica)
{
    struct api *api     = replica->pull->api;
    Pb__LlmPull message = PB__LLM_PULL__INIT;
    message.subscriber =
        (ProtobufCBinaryData){.data = api->subscriber, .len = sizeof api->subscriber};
    message.last_reply = replica->last_reply;
    message.wait_ms    = PULL_WAIT_MS;
    message.stopped    = stopped_calls(replica, &message.n_stopped);

    const struct rpc_request request = {.service    = &pb__llm__descriptor,
                                        .method     = "Pull",
                                        .message    = &message,
                                        .partition  = replica->index,
                                        .timeout_ms = PULL_WAIT_MS + RPC_LONG_SLACK_MS,
                                        .done       = on_answer,
                                        .context    = replica};
    replica->is_running              = api_call_llm(api, &request, NULL) == STATUS_OK;
    free(message.stopped);
    if (replica->is_running) return;
    loop_timer_set(api->home, &replica->retry, loop_now_ms(api->home) + PULL_RETRY_MS);
}

static void pull_if_idle(struct replica *replica)
{
    if (!replica->is_running && !loop_timer_is_set(&replica->retry)) pull_send(replica);
}

void llm_pull_add(struct llm_pull *pull, struct api_call *api_call, uint16_t replica_index,
                  uint64_t number)
{
    ASSERT(replica_index < pull->replica_count);
    struct replica *replica       = &pull->replicas[replica_index];
    struct llm_incoming *incoming = incoming_of(replica, number);
    if (!incoming) {
        api_fail_with(api_call, "overloaded", (str){}, "too many calls are open; try again");
        return;
    }
    incoming->call   = api_call_ref(api_call);
    incoming->handle = api_call->handle;
    api_call->waiter = &incoming->head;
    if (api_call_is_gone(api_call)) {
        on_forget(&incoming->head);
        return;
    }
    send_on(incoming);
    pull_if_idle(replica);
}

bool llm_pull_tap(struct llm_pull *pull, struct llm_tap *tap, uint16_t replica_index,
                  uint64_t number)
{
    ASSERT(replica_index < pull->replica_count && !tap->incoming);
    struct replica *replica = &pull->replicas[replica_index];
    tap->incoming           = incoming_of(replica, number);
    if (!tap->incoming) return false;
    tap->incoming->tap = tap;
    pull_if_idle(replica);
    give_to_tap(tap->incoming);
    return true;
}

void llm_pull_untap(struct llm_tap *tap)
{
    struct llm_incoming *incoming = tap->incoming;
    if (!incoming) return;
    cancel(incoming);
    incoming_free(incoming);
}
