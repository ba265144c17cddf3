/* Answers that outlive their callback, and waiting for one. */
#include "base/assert.h"
#include "base/clock.h"
#include "rpc/client_internal.h"

#include <stdio.h>

struct rpc_answer *rpc_answer_keep(const struct rpc_answer *answer)
{
    struct rpc_answer *kept = arena_alloc(answer->arena, sizeof *kept);
    ASSERT(kept); /* the limit of an arena is far above that of its message */
    *kept = *answer;
    /* Callbacks get a const view of what deliver.c made; without its arena it is not given back. */
    ((struct rpc_answer *)(uintptr_t)answer)->arena = NULL;
    return kept;
}

void rpc_answer_free(struct rpc_answer *answer)
{
    if (answer) arena_free(answer->arena); /* holds the answer itself */
}

void rpc_answer_freep(struct rpc_answer **answer)
{
    rpc_answer_free(*answer);
    *answer = NULL;
}

status rpc_answer_error(const struct rpc_answer *answer, const char *const *codes,
                        struct error *reterr)
{
    if (answer->code == STATUS_OK || !reterr) return answer->code;
    (void)snprintf(reterr->text, sizeof reterr->text, "%s", answer->detail);
    reterr->code = NULL;
    for (; codes && *codes; codes++) {
        if (strcmp(*codes, answer->error_code) == 0) reterr->code = *codes;
    }
    return answer->code;
}

/* Lives on the stack of the one who waits: `done` is called exactly once, so nobody comes later. */
struct waiter {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct rpc_answer *answer;
};

static void on_answer(const struct rpc_answer *answer, void *context)
{
    struct waiter *waiter = context;
    (void)pthread_mutex_lock(&waiter->mutex);
    waiter->answer = rpc_answer_keep(answer);
    (void)pthread_cond_signal(&waiter->changed);
    (void)pthread_mutex_unlock(&waiter->mutex);
}

status rpc_client_ask(struct rpc_client *client, const struct rpc_request *request,
                      struct rpc_answer **ret_answer, struct error *reterr)
{
    struct waiter waiter  = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL};
    struct rpc_request it = *request;
    it.done               = on_answer;
    it.context            = &waiter;
    TRY(rpc_client_call(client, &it, NULL, reterr));

    (void)pthread_mutex_lock(&waiter.mutex);
    /* No deadline of its own: the client answers every call at its deadline. */
    while (!waiter.answer) (void)pthread_cond_wait(&waiter.changed, &waiter.mutex);
    (void)pthread_mutex_unlock(&waiter.mutex);

    CLEANUP(rpc_answer_freep) struct rpc_answer *answer = waiter.answer;
    status code                                         = rpc_answer_error(answer, NULL, reterr);
    if (ret_answer) *ret_answer = TAKE(answer);
    return code;
}
