/**
 * turnstile: when the next request of a connection may leave: how many at once, how many per time,
 * and how far apart (`rate_limit` of the manifest, which the connection's entry overrides).
 *
 * Requests leave in the order in which they asked. It counts those of this process alone: what
 * holds over all tool-adapters is the matter of admission.h.
 *
 * Threads: belongs to one loop.
 */
#ifndef TOOL_ADAPTER_TURNSTILE_H
#define TOOL_ADAPTER_TURNSTILE_H

#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

/** 0: no such limit. */
struct turnstile_rules {
    int64_t concurrency;
    int64_t rate_count, rate_per_ms; /* so many in so long, evenly */
    int64_t burst;                   /* so many at once after a pause; 0: one */
    int64_t gap_read_ms, gap_write_ms;
};

/** Zeroed but for `rules`. */
struct turnstile {
    struct turnstile_rules rules;
    int64_t inside;    /* requests under way */
    int64_t due_ms[2]; /* when the next read, the next write may go; by `is_write` */
    double tokens;     /* of the rate */
    int64_t filled_ms; /* when they were counted */
    bool is_filled;
    int64_t used_ms;                     /* when somebody asked last; 0: never */
    struct turnstile_pass *first, *last; /* who waits */
    struct loop *loop;
    struct loop_timer timer;
};

/** A request at the turnstile; lies in the memory of its owner, zeroed but for what is set here. */
struct turnstile_pass {
    bool is_write;
    void (*enter)(void *context); /* from the loop: it may leave now */
    void *context;
    enum {
        TURNSTILE_OUTSIDE,
        TURNSTILE_WAITING,
        TURNSTILE_INSIDE
    } place; /* the turnstile's, as the next */
    struct turnstile_pass *next;
};

/** True: it is inside at once. False: `enter` will be called. */
bool turnstile_ask(struct turnstile *turnstile, struct loop *loop, struct turnstile_pass *pass);

/** Its answer is there, or it gives up waiting. Does nothing for one that is outside. */
void turnstile_leave(struct turnstile *turnstile, struct turnstile_pass *pass);

/** Nobody enters for so long from now on: the service has asked for rest. */
void turnstile_rest(struct turnstile *turnstile, struct loop *loop, int64_t wait_ms);

/** Says whether somebody asked within the last `within_ms`. */
bool turnstile_was_used(const struct turnstile *turnstile, int64_t within_ms);

/** How long one that asked now would wait at least, as far as one can tell. */
int64_t turnstile_wait_ms(const struct turnstile *turnstile, bool is_write);

#endif
