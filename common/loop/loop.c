/*
 * A turn never serves more than one epoll_wait() returned, and a removed watch stays in memory
 * until the batch that may still name it is done: the two rules that keep "ready" callbacks from
 * meeting freed memory. Timers and posts that callbacks add wait for the next turn for the same
 * reason that descriptors do: nobody may starve the others.
 */
#include "loop/loop.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "loop/loop_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct post {
    loop_post_fn *run;
    void *context;
};

struct loop {
    int epoll_fd;
    int wake_fd;
    loop_clock_fn *clock;
    void *clock_context;
    int64_t now_ms;
    _Atomic int64_t turned_ms;
    atomic_bool is_stopped;
    atomic_bool is_running;
    _Atomic(pthread_t) owner; /* valid while it is running */
    pthread_t thread;
    bool has_thread;
    struct timer_heap timers;
    bool is_firing;
    bool has_own_message; /* the loop's thread has left one: the next turn does not wait */
    struct loop_watch *removed;
    struct loop_turn_end *turn_ends;

    size_t posts_max;
    pthread_mutex_t mutex; /* guards all below */
    struct post *posts;
    size_t post_count;
    size_t post_capacity;
    struct loop_notice *notices; /* newest first */
};

static int64_t real_clock(void *context)
{
    (void)context;
    return clock_mono_ms();
}

static void lock(struct loop *loop)
{
    int failed = pthread_mutex_lock(&loop->mutex);
    ASSERT(failed == 0);
}

static void unlock(struct loop *loop)
{
    int failed = pthread_mutex_unlock(&loop->mutex);
    ASSERT(failed == 0);
}

bool loop_is_own_thread(const struct loop *loop)
{
    return atomic_load(&loop->is_running) &&
           pthread_equal(atomic_load(&loop->owner), pthread_self());
}

/* Whoever touches the loop owns it, or nobody runs it. */
static void assert_owned(const struct loop *loop)
{
    ASSERT(!atomic_load_explicit(&loop->is_running, memory_order_relaxed) ||
           loop_is_own_thread(loop));
}

static status watch_wake_fd(struct loop *loop, struct error *reterr)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) != 0) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "cannot watch the wake-up descriptor: %m");
    }
    return STATUS_OK;
}

status loop_new(const struct loop_options *options, struct loop **ret_loop, struct error *reterr)
{
    struct loop_options chosen            = options ? *options : (struct loop_options){};
    CLEANUP(loop_freep) struct loop *loop = mem_new(1, sizeof *loop);
    loop->mutex                           = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    loop->clock                           = chosen.clock ? chosen.clock : real_clock;
    loop->clock_context                   = chosen.clock_context;
    loop->posts_max = chosen.posts_max > 0 ? chosen.posts_max : LOOP_POSTS_MAX;
    loop->now_ms    = loop->clock(loop->clock_context);
    atomic_store(&loop->turned_ms, loop->now_ms);

    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd  = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->wake_fd < 0) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "cannot make an event loop: %m");
    }
    TRY(watch_wake_fd(loop, reterr));
    *ret_loop = TAKE(loop);
    return STATUS_OK;
}

static void free_removed(struct loop *loop)
{
    while (loop->removed) {
        struct loop_watch *watch = loop->removed;
        loop->removed            = watch->next;
        free(watch);
    }
}

void loop_free(struct loop *loop)
{
    if (!loop) return;
    ASSERT(!atomic_load(&loop->is_running));
    ASSERT(!loop->has_thread);
    free_removed(loop);
    timer_heap_done(&loop->timers);
    free(loop->posts);
    if (loop->epoll_fd >= 0) (void)close(loop->epoll_fd);
    if (loop->wake_fd >= 0) (void)close(loop->wake_fd);
    free(loop);
}

void loop_freep(struct loop **loop)
{
    loop_free(*loop);
    *loop = NULL;
}

/* --- messages from other threads -------------------------------------------------------------- */

static void wake(struct loop *loop)
{
    uint64_t one = 1;
    ssize_t written;
    do {
        written = write(loop->wake_fd, &one, sizeof one);
    } while (written < 0 && errno == EINTR);
    /* EAGAIN: the counter is full, so the loop is awake already. */
}

/* There is a first message. Who runs the loop needs no descriptor to hear of it. */
static void announce(struct loop *loop)
{
    if (loop_is_own_thread(loop)) {
        loop->has_own_message = true;
    } else {
        wake(loop);
    }
}

/* Under the mutex. */
static bool has_messages(const struct loop *loop)
{
    return loop->post_count > 0 || loop->notices != NULL;
}

status loop_post(struct loop *loop, loop_post_fn *run, void *context)
{
    ASSERT(run != NULL);
    lock(loop);
    bool is_first = !has_messages(loop);
    bool is_full  = loop->post_count == loop->posts_max;
    if (!is_full) {
        if (loop->post_count == loop->post_capacity) {
            loop->post_capacity = loop->post_capacity ? loop->post_capacity * 2 : 64;
            loop->posts         = mem_resize(loop->posts, loop->post_capacity, sizeof *loop->posts);
        }
        loop->posts[loop->post_count++] = (struct post){.run = run, .context = context};
    }
    unlock(loop);
    if (is_full) return STATUS_RESOURCE_EXHAUSTED;
    if (is_first) announce(loop);
    return STATUS_OK;
}

void loop_notify(struct loop *loop, struct loop_notice *notice)
{
    lock(loop);
    bool is_first = !has_messages(loop);
    if (!notice->is_pending) {
        notice->is_pending = true;
        notice->next       = loop->notices;
        loop->notices      = notice;
    }
    unlock(loop);
    if (is_first) announce(loop);
}

void loop_notice_clear(struct loop *loop, struct loop_notice *notice)
{
    assert_owned(loop);
    lock(loop);
    for (struct loop_notice **at = &loop->notices; *at; at = &(*at)->next) {
        if (*at != notice) continue;
        *at = notice->next;
        break;
    }
    notice->is_pending = false;
    unlock(loop);
}

static struct loop_notice *take_notice(struct loop *loop)
{
    lock(loop);
    struct loop_notice *notice = loop->notices;
    if (notice) {
        loop->notices      = notice->next;
        notice->is_pending = false;
    }
    unlock(loop);
    return notice;
}

/* Runs what waits now. A notice raised meanwhile is delivered in the same go, but never more
 * notices than a turn may serve descriptors; posts added meanwhile wait. */
static void run_messages(struct loop *loop)
{
    for (size_t i = 0; i < LOOP_EVENTS_BATCH; i++) {
        struct loop_notice *notice = take_notice(loop);
        if (!notice) break;
        notice->run(notice->context);
    }

    lock(loop);
    struct post *posts  = TAKE(loop->posts);
    size_t count        = loop->post_count;
    loop->post_count    = 0;
    loop->post_capacity = 0;
    unlock(loop);
    for (size_t i = 0; i < count; i++) posts[i].run(posts[i].context);
    free(posts);

    lock(loop);
    bool is_left = has_messages(loop); /* their sender may have seen the queue not empty */
    unlock(loop);
    if (is_left) announce(loop);
}

/* --- descriptors ------------------------------------------------------------------------------ */

static uint32_t to_epoll(unsigned events)
{
    return (events & LOOP_READ ? EPOLLIN : 0u) | (events & LOOP_WRITE ? EPOLLOUT : 0u) |
           (events & LOOP_HANGUP ? EPOLLRDHUP : 0u) | (events & LOOP_EDGE ? EPOLLET : 0u);
}

static unsigned from_epoll(uint32_t events)
{
    return (events & EPOLLIN ? LOOP_READ : 0u) | (events & EPOLLOUT ? LOOP_WRITE : 0u) |
           (events & EPOLLRDHUP ? LOOP_HANGUP : 0u) |
           (events & (EPOLLERR | EPOLLHUP) ? LOOP_FAILED : 0u);
}

status loop_watch_add(struct loop *loop, int fd, unsigned events, loop_watch_fn *ready,
                      void *context, struct loop_watch **ret_watch, struct error *reterr)
{
    assert_owned(loop);
    ASSERT(ready != NULL);
    struct loop_watch *watch = mem_new(1, sizeof *watch);
    watch->loop              = loop;
    watch->fd                = fd;
    watch->events            = events;
    watch->ready             = ready;
    watch->context           = context;
    struct epoll_event event = {.events = to_epoll(events), .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        free(watch);
        bool is_ours = errno == EPERM || errno == EEXIST || errno == EBADF;
        return fail(reterr, is_ours ? STATUS_INVALID_ARGUMENT : STATUS_RESOURCE_EXHAUSTED,
                    "cannot watch descriptor %d: %m", fd);
    }
    *ret_watch = watch;
    return STATUS_OK;
}

void loop_watch_again(struct loop_watch *watch)
{
    assert_owned(watch->loop);
    ASSERT(!watch->is_removed);
    struct epoll_event event = {.events = to_epoll(watch->events), .data.ptr = watch};
    int failed               = epoll_ctl(watch->loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
    ASSERT(failed == 0);
}

void loop_watch_set(struct loop_watch *watch, unsigned events)
{
    if (watch->events == events) return;
    watch->events = events;
    loop_watch_again(watch);
}

/* Returns what epoll_ctl() did. */
static int unwatch(struct loop_watch *watch)
{
    assert_owned(watch->loop);
    ASSERT(!watch->is_removed);
    int failed = epoll_ctl(watch->loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);

    watch->is_removed    = true;
    watch->ahead         = NULL; /* its owner goes */
    watch->next          = watch->loop->removed;
    watch->loop->removed = watch;
    return failed;
}

void loop_watch_remove(struct loop_watch *watch)
{
    if (!watch) return;
    int failed = unwatch(watch);
    ASSERT(failed == 0); /* else `fd` was closed before: then it may already be someone else's */
}

void loop_watch_forget(struct loop_watch *watch)
{
    if (watch) (void)unwatch(watch); /* the kernel forgot a closed one by itself */
}

/* --- timers ----------------------------------------------------------------------------------- */

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t due_ms)
{
    assert_owned(loop);
    ASSERT(timer->fire != NULL);
    if (loop->is_firing && due_ms <= loop->now_ms) due_ms = loop->now_ms + 1;
    timer_heap_put(&loop->timers, timer, due_ms);
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
    assert_owned(loop);
    timer_heap_remove(&loop->timers, timer);
}

/* Ends, because what a callback sets is due later than this turn. */
static void run_timers(struct loop *loop)
{
    loop->is_firing = true;
    for (struct loop_timer *timer                      = timer_heap_first(&loop->timers);
         timer && timer->due_ms <= loop->now_ms; timer = timer_heap_first(&loop->timers)) {
        timer_heap_remove(&loop->timers, timer);
        timer->fire(timer->context);
    }
    loop->is_firing = false;
}

/* --- running ---------------------------------------------------------------------------------- */

static void take_time(struct loop *loop)
{
    int64_t now_ms = loop->clock(loop->clock_context);
    if (now_ms > loop->now_ms) loop->now_ms = now_ms;
    atomic_store_explicit(&loop->turned_ms, loop->now_ms, memory_order_relaxed);
}

static int wait_of(struct loop *loop, int64_t wait_ms)
{
    if (loop->has_own_message) return 0;
    if (wait_ms > LOOP_TURN_MAX_MS) wait_ms = LOOP_TURN_MAX_MS;
    const struct loop_timer *first = timer_heap_first(&loop->timers);
    if (first) {
        int64_t left_ms = first->due_ms - loop->clock(loop->clock_context);
        if (left_ms < wait_ms) wait_ms = left_ms;
    }
    return wait_ms > 0 ? (int)wait_ms : 0;
}

static void turn(struct loop *loop, int64_t wait_ms)
{
    struct epoll_event events[LOOP_EVENTS_BATCH];
    int count = epoll_wait(loop->epoll_fd, events, LOOP_EVENTS_BATCH, wait_of(loop, wait_ms));
    ASSERT(count >= 0 || errno == EINTR);
    take_time(loop);

    bool has_message = loop->has_own_message;
    bool is_woken    = false;
    for (int i = 0; i < count; i++) {
        struct loop_watch *watch = events[i].data.ptr;
        loop_look_ahead(events + i, count - i);
        if (!watch) {
            is_woken = true;
        } else if (!watch->is_removed) {
            watch->ready(from_epoll(events[i].events), watch->context);
        }
    }
    free_removed(loop);
    run_timers(loop);
    if (is_woken) {
        uint64_t wakes;
        ssize_t ignored = read(loop->wake_fd, &wakes, sizeof wakes); /* before the queue is read */
        (void)ignored;
    }
    if (has_message || is_woken) {
        loop->has_own_message = false;
        run_messages(loop);
    }
    for (struct loop_turn_end *end = loop->turn_ends; end; end = end->next) end->run(end->context);
    free_removed(loop);
}

void loop_turn_end_add(struct loop *loop, struct loop_turn_end *end)
{
    assert_owned(loop);
    end->next       = loop->turn_ends;
    loop->turn_ends = end;
}

void loop_turn_end_remove(struct loop *loop, struct loop_turn_end *end)
{
    assert_owned(loop);
    struct loop_turn_end **at = &loop->turn_ends;
    while (*at && *at != end) at = &(*at)->next;
    if (*at) *at = end->next;
}

static void own(struct loop *loop)
{
    ASSERT(!atomic_load(&loop->is_running));
    atomic_store(&loop->owner, pthread_self());
    atomic_store(&loop->is_running, true);
}

static void disown(struct loop *loop)
{
    atomic_store(&loop->is_running, false);
}

void loop_turn(struct loop *loop, int64_t wait_ms)
{
    own(loop);
    turn(loop, wait_ms);
    disown(loop);
}

void loop_run(struct loop *loop)
{
    own(loop);
    while (!atomic_load(&loop->is_stopped)) turn(loop, LOOP_TURN_MAX_MS);
    turn(loop, 0); /* what was posted before the stop */
    disown(loop);
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->is_stopped, true);
    wake(loop);
}

static void *thread_main(void *context)
{
    loop_run(context);
    return NULL;
}

status loop_start(struct loop *loop, const char *name, struct error *reterr)
{
    ASSERT(!loop->has_thread);
    int failed = pthread_create(&loop->thread, NULL, thread_main, loop);
    if (failed) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "cannot start thread %s: error %d", name,
                    failed);
    }
    loop->has_thread = true;
    (void)pthread_setname_np(loop->thread, name); /* a wrong name harms nobody */
    return STATUS_OK;
}

void loop_join(struct loop *loop)
{
    if (!loop->has_thread) return;
    int failed = pthread_join(loop->thread, NULL);
    ASSERT(failed == 0);
    loop->has_thread = false;
}

int64_t loop_now_ms(const struct loop *loop)
{
    return loop->now_ms;
}

int64_t loop_turned_ms(const struct loop *loop)
{
    return atomic_load_explicit(&loop->turned_ms, memory_order_relaxed);
}
