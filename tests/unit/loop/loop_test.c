#include "base/attr.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "support/cmocka.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
    int64_t now_ms;
    struct loop *loop;
};

static int64_t fake_clock(void *context)
{
    return ((struct fixture *)context)->now_ms;
}

static void start(struct fixture *f, size_t posts_max)
{
    *f                                = (struct fixture){.now_ms = 1000};
    const struct loop_options options = {
        .clock = fake_clock, .clock_context = f, .posts_max = posts_max};
    assert_int_equal(loop_new(&options, &f->loop, NULL), STATUS_OK);
}

/* --- timers ----------------------------------------------------------------------------------- */

struct alarm {
    struct loop_timer timer;
    struct loop *loop;
    int64_t fired_ms;
    unsigned count;
    int64_t again_ms; /* set anew after so long; 0: never */
};

static void alarm_fire(void *context)
{
    struct alarm *alarm = context;
    alarm->fired_ms     = loop_now_ms(alarm->loop);
    alarm->count++;
    if (alarm->again_ms) {
        loop_timer_set(alarm->loop, &alarm->timer, alarm->fired_ms + alarm->again_ms);
    }
}

static void alarm_init(struct alarm *alarm, struct loop *loop)
{
    *alarm               = (struct alarm){.loop = loop};
    alarm->timer.fire    = alarm_fire;
    alarm->timer.context = alarm;
}

static void test_timers_fire_when_due(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0);
    struct alarm first;
    struct alarm second;
    alarm_init(&first, f.loop);
    alarm_init(&second, f.loop);
    loop_timer_set(f.loop, &second.timer, 1200);
    loop_timer_set(f.loop, &first.timer, 1100);
    assert_true(loop_timer_is_set(&first.timer));
    f.now_ms = 1099;
    loop_turn(f.loop, 0);
    assert_int_equal(first.count, 0);
    f.now_ms = 1100;
    loop_turn(f.loop, 0);
    assert_int_equal(first.count, 1);
    assert_int_equal(second.count, 0);
    assert_false(loop_timer_is_set(&first.timer));

    loop_timer_set(f.loop, &second.timer, 1300); /* moved */
    f.now_ms = 1299;
    loop_turn(f.loop, 0);
    assert_int_equal(second.count, 0);
    loop_timer_clear(f.loop, &second.timer);
    loop_timer_clear(f.loop, &second.timer); /* again is fine */
    f.now_ms = 2000;
    loop_turn(f.loop, 0);
    assert_int_equal(second.count, 0);
    loop_freep(&f.loop);
}

static void test_timer_that_is_always_due(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0);
    struct alarm eager;
    struct alarm other;
    alarm_init(&eager, f.loop);
    alarm_init(&other, f.loop);
    eager.again_ms = -1;
    loop_timer_set(f.loop, &eager.timer, 0);
    loop_timer_set(f.loop, &other.timer, 1000);
    loop_turn(f.loop, 0);
    assert_int_equal(eager.count, 1);
    assert_int_equal(other.count, 1);
    f.now_ms++;
    loop_turn(f.loop, 0);
    assert_int_equal(eager.count, 2);
    loop_freep(&f.loop);
}

/* Many timers, set, moved and cleared in a fixed disorder: each fires in the turn it is due. */
static void test_many_timers(void **state)
{
    (void)state;
    enum { COUNT = 3000, SPAN = 5000 };
    struct fixture f;
    start(&f, 0);
    struct alarm *alarms = mem_new(COUNT, sizeof *alarms);
    uint32_t random      = 1;
    for (size_t i = 0; i < COUNT; i++) {
        random = random * 1664525 + 1013904223;
        alarm_init(&alarms[i], f.loop);
        loop_timer_set(f.loop, &alarms[i].timer, 1001 + (int64_t)(random >> 8) % SPAN);
    }
    for (size_t i = 0; i < COUNT; i += 3) loop_timer_clear(f.loop, &alarms[i].timer);
    for (size_t i = 1; i < COUNT; i += 3) {
        random = random * 1664525 + 1013904223;
        loop_timer_set(f.loop, &alarms[i].timer, 1001 + (int64_t)(random >> 8) % SPAN);
    }
    while (f.now_ms < 1000 + SPAN) {
        f.now_ms++;
        loop_turn(f.loop, 0);
        for (size_t i = 0; i < COUNT; i += 500) { /* a sample: not set any more means fired */
            bool is_due = alarms[i].timer.due_ms <= f.now_ms && i % 3 != 0;
            assert_int_equal(alarms[i].count, is_due);
        }
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(alarms[i].count, i % 3 != 0);
        if (i % 3 != 0) assert_int_equal(alarms[i].fired_ms, alarms[i].timer.due_ms);
    }
    loop_freep(&f.loop);
    free(alarms);
}

static void test_free_with_timers_set(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0);
    struct alarm alarm;
    alarm_init(&alarm, f.loop);
    loop_timer_set(f.loop, &alarm.timer, 5000);
    loop_freep(&f.loop);
    assert_false(loop_timer_is_set(&alarm.timer));
}

static void test_clock_never_goes_back(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0);
    f.now_ms = 900;
    loop_turn(f.loop, 0);
    assert_int_equal(loop_now_ms(f.loop), 1000);
    f.now_ms = 1100;
    loop_turn(f.loop, 0);
    assert_int_equal(loop_now_ms(f.loop), 1100);
    assert_int_equal(loop_turned_ms(f.loop), 1100);
    loop_freep(&f.loop);
}

/* --- descriptors ------------------------------------------------------------------------------ */

struct end {
    int fd;
    struct loop_watch *watch;
    struct end *victim; /* removed by the first event */
    unsigned events;    /* of all calls */
    unsigned count;
};

static void end_ready(unsigned events, void *context)
{
    struct end *end = context;
    end->events |= events;
    end->count++;
    if (!end->victim || !end->victim->watch) return;
    loop_watch_remove(end->victim->watch);
    end->victim->watch = NULL;
    (void)close(end->victim->fd);
}

static void pair(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

static void test_events(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0);
    int fds[2];
    pair(fds);
    struct end end = {.fd = fds[0]};
    assert_int_equal(
        loop_watch_add(f.loop, fds[0], LOOP_READ | LOOP_HANGUP, end_ready, &end, &end.watch, NULL),
        STATUS_OK);
    loop_turn(f.loop, 0);
    assert_int_equal(end.count, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    loop_turn(f.loop, 0);
    loop_turn(f.loop, 0);
    assert_int_equal(end.count, 2); /* level-triggered: nobody has read it */
    assert_int_equal(end.events, LOOP_READ);

    loop_watch_set(end.watch, LOOP_WRITE);
    end.events = 0;
    loop_turn(f.loop, 0);
    assert_int_equal(end.events, LOOP_WRITE);

    loop_watch_set(end.watch, LOOP_HANGUP);
    end.events = 0;
    loop_turn(f.loop, 0);
    assert_int_equal(end.events, 0);
    assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
    loop_turn(f.loop, 0);
    assert_int_equal(end.events, LOOP_HANGUP);
    (void)close(fds[1]);
    loop_turn(f.loop, 0);
    assert_int_equal(end.events, LOOP_HANGUP | LOOP_FAILED);

    loop_watch_remove(end.watch);
    loop_watch_remove(NULL);
    end.events = 0;
    loop_turn(f.loop, 0);
    assert_int_equal(end.events, 0);
    (void)close(fds[0]);
    loop_freep(&f.loop);
}

static void test_edges(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0);
    int fds[2];
    pair(fds);
    struct end end = {.fd = fds[0]};
    assert_int_equal(loop_watch_add(f.loop, fds[0], LOOP_READ | LOOP_HANGUP | LOOP_EDGE, end_ready,
                                    &end, &end.watch, NULL),
                     STATUS_OK);
    assert_int_equal(write(fds[1], "x", 1), 1);
    loop_turn(f.loop, 0);
    loop_turn(f.loop, 0);
    assert_int_equal(end.count, 1); /* nobody has read it, and it is not told again */
    assert_int_equal(end.events, LOOP_READ);
    assert_int_equal(write(fds[1], "x", 1), 1);
    loop_turn(f.loop, 0);
    loop_turn(f.loop, 0);
    assert_int_equal(end.count, 2); /* more has come */
    loop_watch_again(end.watch);
    loop_turn(f.loop, 0);
    loop_turn(f.loop, 0);
    assert_int_equal(end.count, 3); /* asked for */
    assert_int_equal(end.events, LOOP_READ);
    (void)close(fds[1]);
    loop_turn(f.loop, 0);
    loop_turn(f.loop, 0);
    assert_int_equal(end.count, 4);
    assert_int_equal(end.events, LOOP_READ | LOOP_HANGUP | LOOP_FAILED);

    loop_watch_remove(end.watch);
    (void)close(fds[0]);
    loop_freep(&f.loop);
}

/* Both are ready in one batch; whoever comes first removes the other, which must not be called. */
static void test_removed_in_the_same_batch(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0);
    int fds[2][2];
    struct end ends[2] = {};
    for (size_t i = 0; i < 2; i++) {
        pair(fds[i]);
        ends[i] = (struct end){.fd = fds[i][0], .victim = &ends[1 - i]};
        assert_int_equal(
            loop_watch_add(f.loop, fds[i][0], LOOP_READ, end_ready, &ends[i], &ends[i].watch, NULL),
            STATUS_OK);
        assert_int_equal(write(fds[i][1], "x", 1), 1);
    }
    loop_turn(f.loop, 0);
    assert_int_equal(ends[0].count + ends[1].count, 1);
    size_t left = ends[0].watch ? 0 : 1;
    loop_watch_remove(ends[left].watch);
    (void)close(ends[left].fd);
    for (size_t i = 0; i < 2; i++) (void)close(fds[i][1]);
    loop_freep(&f.loop);
}

/* What is looked at ahead of time goes with its watch, also in the middle of a batch. */
struct looked_at {
    struct end end;
    int peer;
    struct loop_ahead *ahead; /* owned */
    struct looked_at *next;   /* goes when this one is served; NULL: none */
};

static void let_go(struct looked_at *gone)
{
    loop_watch_remove(gone->end.watch);
    gone->end.watch = NULL;
    free(gone->ahead);
    gone->ahead = NULL;
}

static void looked_at_ready(unsigned events, void *context)
{
    struct looked_at *at = context;
    end_ready(events, &at->end);
    if (at->next && at->next->end.watch) let_go(at->next);
}

static void test_look_ahead(void **state)
{
    (void)state;
    enum { COUNT = 16 };
    struct fixture f;
    start(&f, 0);
    struct looked_at all[COUNT] = {};
    for (size_t i = 0; i < COUNT; i++) {
        int fds[2];
        pair(fds);
        all[i].end.fd = fds[0];
        all[i].peer   = fds[1];
        all[i].next   = i % 2 ? NULL : &all[i + 1];
        all[i].ahead  = mem_new(1, sizeof *all[i].ahead);
        assert_int_equal(loop_watch_add(f.loop, fds[0], LOOP_READ, looked_at_ready, &all[i],
                                        &all[i].end.watch, NULL),
                         STATUS_OK);
        for (int n = 0; n <= LOOP_AHEAD_MAX; n++) loop_ahead_add(all[i].ahead, &all[i], 100);
        assert_int_equal(all[i].ahead->count, LOOP_AHEAD_MAX);
        loop_watch_ahead(all[i].end.watch, all[i].ahead);
        assert_int_equal(write(fds[1], "x", 1), 1);
    }
    loop_turn(f.loop, 0);
    for (size_t i = 0; i < COUNT; i++) {
        bool is_left = i % 2 == 0;
        assert_int_equal(all[i].end.watch != NULL, is_left);
        assert_int_equal(all[i].end.count, is_left ? 1 : 0);
        if (is_left) let_go(&all[i]);
        (void)close(all[i].end.fd);
        (void)close(all[i].peer);
    }
    loop_freep(&f.loop);
}

static void test_watch_fails(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0);
    struct loop_watch *watch = NULL;
    struct error error       = {};
    assert_int_equal(loop_watch_add(f.loop, -1, LOOP_READ, end_ready, NULL, &watch, &error),
                     STATUS_INVALID_ARGUMENT);
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(
        loop_watch_add(f.loop, fileno(file), LOOP_READ, end_ready, NULL, &watch, &error),
        STATUS_INVALID_ARGUMENT);
    assert_null(watch);
    assert_non_null(strstr(error.text, "descriptor"));
    (void)fclose(file);
    loop_freep(&f.loop);
}

/* --- posts and notices ------------------------------------------------------------------------ */

struct list {
    struct loop *loop;
    int values[16];
    size_t count;
    bool posts_again;
};

struct item {
    struct list *list;
    int value;
};

static void item_run(void *context)
{
    struct item *item                       = context;
    item->list->values[item->list->count++] = item->value;
    if (!item->list->posts_again) return;
    item->list->posts_again = false;
    assert_int_equal(loop_post(item->list->loop, item_run, context), STATUS_OK);
}

static void test_posts(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 3);
    struct list list     = {.loop = f.loop};
    struct item items[4] = {{&list, 1}, {&list, 2}, {&list, 3}, {&list, 4}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(loop_post(f.loop, item_run, &items[i]), STATUS_OK);
    }
    assert_int_equal(loop_post(f.loop, item_run, &items[3]), STATUS_RESOURCE_EXHAUSTED);
    list.posts_again = true;
    loop_turn(f.loop, 0);
    assert_int_equal(list.count, 3);
    loop_turn(f.loop, 0); /* what was posted meanwhile */
    assert_int_equal(list.count, 4);
    const int wanted[] = {1, 2, 3, 1};
    assert_memory_equal(list.values, wanted, sizeof wanted);
    assert_int_equal(loop_post(f.loop, item_run, &items[3]), STATUS_OK);
    loop_freep(&f.loop); /* dropped */
    assert_int_equal(list.count, 4);
}

static void count_up(void *context)
{
    (*(unsigned *)context)++;
}

static void test_notices(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0);
    unsigned count            = 0;
    unsigned other_count      = 0;
    struct loop_notice notice = {.run = count_up, .context = &count};
    struct loop_notice other  = {.run = count_up, .context = &other_count};
    for (int i = 0; i < 5; i++) loop_notify(f.loop, &notice);
    loop_notify(f.loop, &other);
    loop_turn(f.loop, 0);
    assert_int_equal(count, 1);
    assert_int_equal(other_count, 1);
    loop_notify(f.loop, &notice);
    loop_notify(f.loop, &other);
    loop_notice_clear(f.loop, &notice);
    loop_notice_clear(f.loop, &notice);
    loop_turn(f.loop, 0);
    assert_int_equal(count, 1);
    assert_int_equal(other_count, 2);
    loop_freep(&f.loop);
}

/* After everything else of a turn, and once per turn. */
static void test_turn_ends(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0);
    struct list list         = {.loop = f.loop};
    struct item items[2]     = {{&list, 1}, {&list, 2}};
    struct loop_turn_end end = {.run = item_run, .context = &items[1]};
    loop_turn_end_remove(f.loop, &end); /* was not added */
    loop_turn_end_add(f.loop, &end);
    assert_int_equal(loop_post(f.loop, item_run, &items[0]), STATUS_OK);
    loop_turn(f.loop, 0);
    loop_turn(f.loop, 0);
    loop_turn_end_remove(f.loop, &end);
    loop_turn(f.loop, 0);
    const int wanted[] = {1, 2, 2};
    assert_int_equal(list.count, 3);
    assert_memory_equal(list.values, wanted, sizeof wanted);
    loop_freep(&f.loop);
}

enum { THREADS = 4, POSTS = 20000 };

struct poster {
    struct loop *loop;
    atomic_uint *ran;
    struct loop_notice notice;
};

static void ran(void *context)
{
    (void)atomic_fetch_add((atomic_uint *)context, 1);
}

static void *post_many(void *context)
{
    struct poster *poster = context;
    for (int i = 0; i < POSTS; i++) {
        loop_notify(poster->loop, &poster->notice);
        while (loop_post(poster->loop, ran, poster->ran) != STATUS_OK) {
            (void)sched_yield(); /* full: the loop is behind */
        }
    }
    return NULL;
}

static void test_posts_from_threads(void **state)
{
    (void)state;
    struct loop *loop                 = NULL;
    const struct loop_options options = {.posts_max = 100};
    assert_int_equal(loop_new(&options, &loop, NULL), STATUS_OK);
    assert_int_equal(loop_start(loop, "test", NULL), STATUS_OK);
    assert_false(loop_is_own_thread(loop));
    atomic_uint count    = 0;
    atomic_uint noticed  = 0;
    struct poster poster = {.loop = loop, .ran = &count};
    poster.notice        = (struct loop_notice){.run = ran, .context = &noticed};
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &poster), 0);
    }
    for (size_t i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    loop_stop(loop); /* what was posted before still runs */
    loop_join(loop);
    assert_int_equal(atomic_load(&count), THREADS * POSTS);
    assert_in_range(atomic_load(&noticed), 1, THREADS * POSTS);
    loop_freep(&loop);
}

static void test_stop_before_run(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0);
    unsigned count = 0;
    assert_int_equal(loop_post(f.loop, count_up, &count), STATUS_OK);
    loop_stop(f.loop);
    loop_run(f.loop);
    assert_int_equal(count, 1);
    loop_freep(&f.loop);
    loop_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_fire_when_due),
        cmocka_unit_test(test_timer_that_is_always_due),
        cmocka_unit_test(test_many_timers),
        cmocka_unit_test(test_free_with_timers_set),
        cmocka_unit_test(test_clock_never_goes_back),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_removed_in_the_same_batch),
        cmocka_unit_test(test_look_ahead),
        cmocka_unit_test(test_watch_fails),
        cmocka_unit_test(test_posts),
        cmocka_unit_test(test_notices),
        cmocka_unit_test(test_turn_ends),
        cmocka_unit_test(test_posts_from_threads),
        cmocka_unit_test(test_stop_before_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
