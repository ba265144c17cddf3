/**
 * loop: one thread that waits for many descriptors, timers and messages from other threads.
 *
 * epoll, level-triggered unless a watch asks for edges; an eventfd wakes it. A turn is: wait, serve
 * exactly the descriptors that were ready, then timers that are due, then notices and posts, then
 * the ends of a turn. Callbacks never overlap and may not block: what waits for a disk, the network
 * or a lock held for long belongs to another thread.
 *
 * What it does not do: watch files, spawn threads for callbacks, repeat timers by itself.
 *
 * Threads: a loop belongs to the thread that runs it. Only loop_post(), loop_notify(), loop_stop()
 * and loop_turned_ms() may be called from any thread; everything else from its own thread, or from
 * one thread before it runs and after it was joined.
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOOP_POSTS_MAX    = 65536, /* waiting posts, unless the options say less */
    LOOP_TIMERS_MAX   = 1 << 20,
    LOOP_TURN_MAX_MS  = 1000, /* an idle loop turns at least this often, for its heartbeat */
    LOOP_LIVE_MAX_MS  = 5000, /* one that has not turned for so long counts as stuck */
    LOOP_EVENTS_BATCH = 256,  /* descriptors served per turn */
};

struct loop;

/** Monotonic milliseconds; tests pass their own clock. */
typedef int64_t loop_clock_fn(void *context);

struct loop_options {
    loop_clock_fn *clock; /* NULL: clock_mono_ms() */
    void *clock_context;
    size_t posts_max; /* 0: LOOP_POSTS_MAX */
};

/** Makes a loop. `options` may be NULL. Owned: loop_free(). Fails with RESOURCE_EXHAUSTED when the
 * process has no descriptors left. */
status loop_new(const struct loop_options *options, struct loop **ret_loop, struct error *reterr);

/** Frees a loop that does not run. What was posted and has not run is dropped. NULL is fine. */
void loop_free(struct loop *loop);
void loop_freep(struct loop **loop);

/* --- running ---------------------------------------------------------------------------------- */

/** Runs until loop_stop(), then runs what was posted before that, and returns. */
void loop_run(struct loop *loop);

/** Runs the loop in a thread of its own; `name` (at most 15 bytes) shows in top and debuggers.
 * Fails with RESOURCE_EXHAUSTED. */
status loop_start(struct loop *loop, const char *name, struct error *reterr);

/** Waits for the thread of loop_start(), if there is one. Call loop_stop() before. */
void loop_join(struct loop *loop);

/** Ends loop_run() after the turn it is in. Any thread, also before it runs. */
void loop_stop(struct loop *loop);

/** One turn that waits at most `wait_ms` for something to happen. For tests and for mains that have
 * their own loop. */
void loop_turn(struct loop *loop, int64_t wait_ms);

/** The time of the current turn: cheap, and the same for all callbacks of a turn. */
int64_t loop_now_ms(const struct loop *loop);

/** When the last turn began, on the loop's clock. Any thread. */
int64_t loop_turned_ms(const struct loop *loop);

/** Says whether the caller is the loop's thread. Any thread. */
bool loop_is_own_thread(const struct loop *loop);

/* --- descriptors ------------------------------------------------------------------------------ */

enum loop_event {
    LOOP_READ   = 1 << 0, /* there is something to read, or the end of it */
    LOOP_WRITE  = 1 << 1, /* there is room to write */
    LOOP_HANGUP = 1 << 2, /* the peer has closed its side (EPOLLRDHUP) */
    LOOP_FAILED = 1 << 3, /* error, or both sides closed; reported whether asked for or not */
    LOOP_EDGE   = 1 << 4, /* asked for only: each event once, when it happens (EPOLLET) */
};

/** `events` are of enum loop_event. What stays ready is reported again on the next turn, which asks
 * the kernel about each descriptor twice; not with LOOP_EDGE: loop_watch_again(). */
typedef void loop_watch_fn(unsigned events, void *context);

struct loop_watch;

/** Calls `ready` whenever one of `events` is true of `fd`, which stays the caller's. Owned by the
 * loop: loop_watch_remove(). Fails with RESOURCE_EXHAUSTED, or INVALID_ARGUMENT if `fd` cannot be
 * watched (a plain file) or is watched already. */
status loop_watch_add(struct loop *loop, int fd, unsigned events, loop_watch_fn *ready,
                      void *context, struct loop_watch **ret_watch, struct error *reterr);

/** Changes what is asked for. Costs a system call only if something changes. */
void loop_watch_set(struct loop_watch *watch, unsigned events);

/** With LOOP_EDGE: what is ready now is reported once more. For who has not read until the kernel
 * had nothing left (less than was asked for), or was told of a hangup. A system call. */
void loop_watch_again(struct loop_watch *watch);

/** `ready` is never called again, not even for events of this turn; so the caller may close `fd`
 * and free the context right after this. Before close(fd), always. NULL is fine. */
void loop_watch_remove(struct loop_watch *watch);

/** The same for a library's descriptor that may be closed already (libcurl 7.88 closes sockets that
 * never connected before it says so). NULL is fine. */
void loop_watch_forget(struct loop_watch *watch);

/* --- memory that callbacks look at ------------------------------------------------------------ */

enum { LOOP_AHEAD_MAX = 12 };

/** Pieces of memory that a `ready` is going to look at. Of thousands of descriptors nothing lies in
 * a cache; where many are ready in a turn, it is fetched while those before are served. It lies in
 * its owner's memory; zeroed, it has none. What it names is never read, so it may be gone already.
 */
struct loop_ahead {
    unsigned count;
    struct {
        const void *from;
        size_t size;
    } pieces[LOOP_AHEAD_MAX];
};

/** NULL, and more than LOOP_AHEAD_MAX, are not kept. */
void loop_ahead_add(struct loop_ahead *ahead, const void *memory, size_t size);

/** `ahead` stays until loop_watch_remove(). NULL: none any more. */
void loop_watch_ahead(struct loop_watch *watch, const struct loop_ahead *ahead);

/* --- timers ----------------------------------------------------------------------------------- */

typedef void loop_timer_fn(void *context);

/** A timer lies in the memory of its owner; set `fire` and `context`, the rest is the loop's. */
struct loop_timer {
    loop_timer_fn *fire;
    void *context;
    int64_t due_ms;  /* on the loop's clock */
    size_t position; /* in the heap, from 1; 0: not set */
};

/** Fires once, when the loop's clock has reached `due_ms`; sets anew if it was set. Timers with the
 * same time fire in no order. O(log n). Set by the callback of a timer, it fires a millisecond
 * after this turn at the earliest, so one that is always due starves nobody. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t due_ms);

/** Does nothing if it is not set. Before its memory goes away, always. */
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);

static inline bool loop_timer_is_set(const struct loop_timer *timer)
{
    return timer->position != 0;
}

/* --- messages from other threads -------------------------------------------------------------- */

typedef void loop_post_fn(void *context);

/** Runs `run(context)` on the loop's thread, in the order of posting. Any thread, the own one too.
 * Wakes the loop only if nothing was waiting. Fails with RESOURCE_EXHAUSTED when the queue is full;
 * then nothing was taken. */
status loop_post(struct loop *loop, loop_post_fn *run, void *context);

/** A standing message that cannot fail: it lies in its owner's memory and is delivered once for any
 * number of loop_notify() before the delivery. For "look at your queue". Set `run` and `context`.
 */
struct loop_notice {
    loop_post_fn *run;
    void *context;
    struct loop_notice *next; /* the loop's, under its mutex */
    bool is_pending;          /* the loop's, under its mutex */
};

/** Any thread. Notices come in no order, and before posts. */
void loop_notify(struct loop *loop, struct loop_notice *notice);

/** Takes back a notice that may be pending. On the loop's thread, when no other thread can notify
 * any more; before its memory goes away. */
void loop_notice_clear(struct loop *loop, struct loop_notice *notice);

/* --- the end of a turn ------------------------------------------------------------------------ */

/** Runs at the end of every turn, so that what its callbacks gathered leaves together. It lies in
 * its owner's memory. Set `run` and `context`. */
struct loop_turn_end {
    loop_post_fn *run;
    void *context;
    struct loop_turn_end *next; /* the loop's */
};

/** Own thread, or before the loop runs. */
void loop_turn_end_add(struct loop *loop, struct loop_turn_end *end);

/** Not from a turn end. Does nothing if it was not added. */
void loop_turn_end_remove(struct loop *loop, struct loop_turn_end *end);

#endif
