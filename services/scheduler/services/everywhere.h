/**
 * everywhere: one command to each partition of this process; the call is answered when all have
 * done it.
 *
 * The first that fails is the answer: others may have done it, and the call may be repeated. What
 * NOT_FOUND means is up to who asks: with `tolerates_missing` it is the answer only if all say so.
 *
 * Threads: a call's. What it needs lives in the arena of the call.
 */
#ifndef SCHEDULER_EVERYWHERE_H
#define SCHEDULER_EVERYWHERE_H

#include "scheduler/services/call.h"

struct everywhere {
    enum command_kind kind;
    str namespace; /* of the caller */
    bool tolerates_missing;
    /** Adds what a partition has answered to the answer of the call, which begins empty. */
    void (*add)(struct rpc_call *call, ProtobufCMessage *part);
};

/** The command gets the request of the call, and an answer of its type. */
status everywhere_handle(struct rpc_call *call, const struct everywhere *what,
                         struct error *reterr);

#endif
