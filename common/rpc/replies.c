/*
 * Messages with answers leave. nng_ctx_send() wakes one of NNG's threads while it holds the locks
 * that this thread wants: whoever sends several messages from a thread of its own is interrupted
 * four times by each, and waits for its CPU as often. So what one thread answers in a row is handed
 * to such a thread as a whole, which wakes nobody when it sends.
 */
#include "base/mem.h"
#include "rpc/server_internal.h"

enum { TOGETHER_SIZE_MIN = 4 << 10 /* bytes; so large is a message with answers to many calls */ };

/* What this thread has answered since rpc_replies_hold(), in order. */
static _Thread_local struct {
    bool is_open;
    struct context *first, *last;
} held;

static void leave_now(struct context *context)
{
    struct rpc_server *server = context->listener->server;
    struct gate *gate         = &context->listener->gate;
    unsigned calls            = context->reply_calls;
    nng_msg *reply            = TAKE(context->reply);
    if (gate_enter(gate)) {
        nng_aio_set_msg(context->send, reply);
        nng_ctx_send(context->ctx, context->send);
        gate_leave(gate);
    } else {
        nng_msg_free(reply);
    }
    /* The context may already be at its next message; who stops the server waits for the count. */
    atomic_fetch_sub(&server->counters.open, calls);
}

static void leave_all(struct context *first)
{
    while (first) {
        struct context *context = first;
        first                   = TAKE(context->next_reply); /* it is not ours once it has left */
        leave_now(context);
    }
}

void reply_leave(struct context *context, nng_msg *reply, unsigned calls)
{
    context->reply       = reply;
    context->reply_calls = calls;
    context->next_reply  = NULL;
    if (!held.is_open) {
        leave_now(context);
        return;
    }
    if (held.last) {
        held.last->next_reply = context;
    } else {
        held.first = context;
    }
    held.last = context;
}

bool replies_go_on(struct context *context)
{
    bool is_handed_over = context->reply != NULL;
    if (is_handed_over) leave_all(context);
    return is_handed_over;
}

void rpc_replies_hold(void)
{
    held.is_open = true;
}

/* The operation by which the first one will be sent ends at once, which calls replies_go_on(). */
static bool hand_over(struct context *first)
{
    struct gate *gate = &first->listener->gate;
    if (!gate_enter(gate)) return false;
    bool is_begun = nng_aio_begin(first->send);
    if (is_begun) nng_aio_finish(first->send, 0);
    gate_leave(gate);
    return is_begun;
}

/* Somebody who is alone waits for his answer: he gets it a thread earlier. */
static bool is_worth_it(const struct context *first)
{
    return first->next_reply || nng_msg_len(first->reply) >= TOGETHER_SIZE_MIN;
}

void rpc_replies_release(void)
{
    struct context *first = TAKE(held.first);
    held.last             = NULL;
    held.is_open          = false;
    if (first && is_worth_it(first) && hand_over(first)) return;
    leave_all(first);
}
