#include "support/echo.h"

#include "base/assert.h"
#include "base/clock.h"
#include "health.pb-c.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* clang-format off */
static const struct rpc_contract_method echo_contract_methods[] = {
    {"Say",   RPC_FAST,   true,  RPC_BY_ALL},
    {"Write", RPC_COMMIT, false, RPC_BY_GATEWAY},
    {"Park",  RPC_LONG,   false, RPC_BY_ALL},
    {"Once",  RPC_FAST,   false, RPC_BY_ALL},
    {"Rest",  RPC_FAST,   true,  RPC_BY_ALL},
    {},
};

const struct rpc_contract_service echo_contract[] = {
    {"tutti.test.Echo", 60, echo_contract_methods},
    {},
};
/* clang-format on */

static void copy(char *to, size_t size, str text)
{
    (void)snprintf(to, size, STR_FMT, STR_ARG(text));
}

static void note(struct echo *echo, const struct rpc_call *call)
{
    (void)pthread_mutex_lock(&echo->mutex);
    echo->said++;
    copy(echo->last_caller, sizeof echo->last_caller, call->caller.service);
    copy(echo->last_key, sizeof echo->last_key, call->caller.key_id);
    copy(echo->last_request_id, sizeof echo->last_request_id, call->request_id);
    copy(echo->last_moved_key, sizeof echo->last_moved_key, call->moved_key);
    (void)pthread_mutex_unlock(&echo->mutex);
}

static void answer(struct rpc_call *call)
{
    const Test__Saying *request = call->request;
    Test__Saying *response      = call->response;
    response->text              = request->text;
    response->data              = request->data;
    response->number            = request->number;
    rpc_reply(call, STATUS_OK, NULL);
}

static void hold(struct echo *echo, struct rpc_call *call)
{
    (void)pthread_mutex_lock(&echo->mutex);
    ASSERT(echo->held_count < ECHO_HELD_MAX);
    echo->held[echo->held_count++] = call;
    (void)pthread_cond_broadcast(&echo->changed);
    (void)pthread_mutex_unlock(&echo->mutex);
}

static status say(struct rpc_call *call, struct error *reterr)
{
    struct echo *echo           = call->context;
    const Test__Saying *request = call->request;
    note(echo, call);
    if (echo->dies && strcmp(request->text, "die") == 0) (void)raise(SIGKILL);
    if (strcmp(request->text, "fail") == 0) {
        call->retry_after_ms = 1'500;
        call->details_json   = bytes_from(str_from("[{\"pointer\":\"/a\"}]"));
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "run_finished", "it is over");
    }
    if (strcmp(request->text, "moved") == 0 && call->partition != echo->moved_partition) {
        const struct rpc_moved moved = {
            .partition = echo->moved_partition,
            .epoch     = 3,
            .owner     = str_from(echo->moved_to),
            .key       = str_from("the-key"),
        };
        rpc_reply_moved(call, &moved);
        return STATUS_OK;
    }
    if (strcmp(request->text, "big") == 0) {
        Test__Saying *response = call->response;
        response->data.len     = request->number;
        response->data.data    = arena_alloc(call->arena, request->number);
        rpc_reply(call, STATUS_OK, NULL);
        return STATUS_OK;
    }
    if (strcmp(request->text, "hold") == 0) {
        hold(echo, call);
        return STATUS_OK;
    }
    answer(call);
    return STATUS_OK;
}

/* Writes of one batch, linked through their responses' data. */
struct staged {
    struct rpc_call *call;
    struct staged *next;
};

static status write_one(struct rpc_call *call, struct error *)
{
    struct staged *staged = arena_alloc(call->arena, sizeof *staged);
    ASSERT(staged);
    *staged       = (struct staged){call, *call->staged};
    *call->staged = staged;
    note(call->context, call);
    return STATUS_OK;
}

void echo_batch_end(uint16_t, void *first, void *context)
{
    struct echo *echo = context;
    (void)pthread_mutex_lock(&echo->mutex);
    echo->batches++;
    bool holds = echo->holds_writes;
    (void)pthread_mutex_unlock(&echo->mutex);
    for (struct staged *at = first; at;) {
        struct staged *next = at->next; /* lies in the call's arena, which goes with the answer */
        if (holds) {
            hold(echo, at->call);
        } else {
            answer(at->call);
        }
        at = next;
    }
}

static status park(struct rpc_call *call, struct error *)
{
    hold(call->context, call);
    return STATUS_OK;
}

static void cancel(struct rpc_call *call)
{
    struct echo *echo           = call->context;
    const Test__Saying *request = call->request;
    bool was_held               = false;
    bool is_stubborn            = strcmp(request->text, "stay") == 0;
    (void)pthread_mutex_lock(&echo->mutex);
    for (unsigned i = 0; i < echo->held_count && !was_held; i++) {
        if (echo->held[i] != call || is_stubborn) continue;
        echo->held[i] = echo->held[--echo->held_count];
        was_held      = true;
    }
    echo->cancelled++;
    (void)pthread_cond_broadcast(&echo->changed);
    (void)pthread_mutex_unlock(&echo->mutex);
    if (was_held) rpc_reply(call, STATUS_CANCELLED, NULL);
}

const struct rpc_method echo_methods[] = {
    {.name = "Say", .handle = say},
    {.name = "Write", .handle = write_one},
    {.name = "Park", .handle = park, .cancel = cancel},
    {.name = "Once", .handle = say},
    {},
};

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

static struct timespec wait_limit(void)
{
    int64_t until_ms = clock_mono_ms() + ECHO_WAIT_MS;
    return (struct timespec){(time_t)(until_ms / 1000), (long)(until_ms % 1000) * 1'000'000};
}

void echo_init(struct echo *echo)
{
    memset(echo, 0, sizeof *echo);
    (void)pthread_mutex_init(&echo->mutex, NULL);
    init_condition(&echo->changed);
}

void echo_done(struct echo *echo)
{
    (void)pthread_cond_destroy(&echo->changed);
    (void)pthread_mutex_destroy(&echo->mutex);
}

void echo_services(struct echo *echo, struct rpc_service services[static 2])
{
    services[0] = (struct rpc_service){&test__echo__descriptor, echo_methods, echo};
    services[1] = (struct rpc_service){};
}

static bool wait_for(struct echo *echo, const unsigned *value, unsigned count)
{
    struct timespec until = wait_limit();
    int error             = 0;
    (void)pthread_mutex_lock(&echo->mutex);
    while (*value < count && error == 0) {
        error = pthread_cond_timedwait(&echo->changed, &echo->mutex, &until);
    }
    bool is_reached = *value >= count;
    (void)pthread_mutex_unlock(&echo->mutex);
    return is_reached;
}

bool echo_wait_held(struct echo *echo, unsigned count)
{
    return wait_for(echo, &echo->held_count, count);
}

bool echo_wait_cancelled(struct echo *echo, unsigned count)
{
    return wait_for(echo, &echo->cancelled, count);
}

void echo_release(struct echo *echo)
{
    for (;;) {
        struct rpc_call *call = NULL;
        (void)pthread_mutex_lock(&echo->mutex);
        echo->holds_writes = false;
        if (echo->held_count > 0) call = echo->held[--echo->held_count];
        (void)pthread_mutex_unlock(&echo->mutex);
        if (!call) return;
        answer(call);
    }
}

void inbox_init(struct inbox *inbox)
{
    memset(inbox, 0, sizeof *inbox);
    (void)pthread_mutex_init(&inbox->mutex, NULL);
    init_condition(&inbox->changed);
}

void inbox_done(struct inbox *inbox)
{
    (void)pthread_cond_destroy(&inbox->changed);
    (void)pthread_mutex_destroy(&inbox->mutex);
}

void inbox_put(const struct rpc_answer *got, void *context)
{
    struct inbox *inbox = context;
    (void)pthread_mutex_lock(&inbox->mutex);
    inbox->count++;
    inbox->by_status[got->code]++;
    (void)pthread_cond_broadcast(&inbox->changed);
    (void)pthread_mutex_unlock(&inbox->mutex);
}

bool inbox_wait(struct inbox *inbox, unsigned count)
{
    struct timespec until = wait_limit();
    int error             = 0;
    (void)pthread_mutex_lock(&inbox->mutex);
    while (inbox->count < count && error == 0) {
        error = pthread_cond_timedwait(&inbox->changed, &inbox->mutex, &until);
    }
    bool is_reached = inbox->count >= count;
    (void)pthread_mutex_unlock(&inbox->mutex);
    return is_reached;
}

static const ProtobufCServiceDescriptor *const called[] = {
    &test__echo__descriptor,
    &pb__health__descriptor,
    NULL,
};

struct rpc_client_options echo_client_options(const char *endpoints)
{
    return (struct rpc_client_options){
        .endpoints = endpoints,
        .services  = called,
        .contract  = echo_contract,
    };
}
