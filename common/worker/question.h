/**
 * question: what a service asks the scheduler, and uses the answer of on its loop.
 *
 * Threads: all on the loop.
 */
#ifndef WORKER_QUESTION_H
#define WORKER_QUESTION_H

#include "loop/loop.h"
#include "rpc/rpc_client.h"

/** Who asks. Outlives the client, whose close answers everything. */
struct questions {
    struct loop *loop;
    struct rpc_client *scheduler; /* NULL: nobody can be asked, and no answer is used any more */
    void *context;
    int64_t timeout_ms;
};

/** `answer` is valid for the call. */
typedef void question_use_fn(void *context, void *about, const struct rpc_answer *answer);

/** Asks. False: the scheduler cannot be asked, and `use` will not be called. */
bool question_ask(const struct questions *questions, void *about, struct rpc_request *request,
                  question_use_fn *use);

#endif
