/* Hints: their bytes, who misses some, and the way from publisher to subscriber. */
#include "cmocka.h"
#include "rpc/hint.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void bytes_are_read_as_written(void **)
{
    uint8_t message[HINT_HEADER_SIZE + 2];
    struct hint hint = {.partition = 3, .publisher = 99, .sequence = 7};
    struct hint read;
    hint_header_encode(&hint, message);
    memcpy(message + HINT_HEADER_SIZE, "hi", 2);
    assert_int_equal(hint_decode((bytes){message, sizeof message}, &read, NULL), STATUS_OK);
    assert_int_equal(read.partition, 3);
    assert_int_equal(read.publisher, 99);
    assert_int_equal(read.sequence, 7);
    assert_memory_equal(read.payload.ptr, "hi", 2);
    assert_int_equal(hint_decode((bytes){message, HINT_HEADER_SIZE - 1}, &read, NULL),
                     STATUS_INVALID_ARGUMENT);
    message[0] = 'x';
    assert_int_equal(hint_decode((bytes){message, sizeof message}, &read, NULL),
                     STATUS_INVALID_ARGUMENT);
}

static uint64_t note(struct hint_track *track, uint64_t publisher, uint64_t sequence)
{
    return hint_track_note(track, &(struct hint){.publisher = publisher, .sequence = sequence});
}

static void gaps_are_counted_per_publisher(void **)
{
    struct hint_track track = {};
    assert_int_equal(note(&track, 1, 10), 0); /* joined late: that is no gap */
    assert_int_equal(note(&track, 1, 11), 0);
    assert_int_equal(note(&track, 2, 1), 0);
    assert_int_equal(note(&track, 1, 14), 2);
    assert_int_equal(note(&track, 1, 13), 0); /* late */
    assert_int_equal(note(&track, 1, 15), 0);
    assert_int_equal(note(&track, 2, 2), 0);
}

static void the_oldest_publisher_is_forgotten(void **)
{
    struct hint_track track = {};
    for (uint64_t i = 0; i <= RPC_HINT_PUBLISHERS_MAX; i++) (void)note(&track, 100 + i, 1);
    assert_int_equal(note(&track, 100, 9), 0);                           /* as if new */
    assert_int_equal(note(&track, 100 + RPC_HINT_PUBLISHERS_MAX, 5), 3); /* still known */
}

/* --- over sockets -------------------------------------------------------------------------------
 */

struct seen {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned hints;
    unsigned connected;
    unsigned gaps;
    uint64_t lost;
    char last[16];
};

static void on_hint(uint16_t, bytes payload, void *context)
{
    struct seen *seen = context;
    (void)pthread_mutex_lock(&seen->mutex);
    seen->hints++;
    (void)snprintf(seen->last, sizeof seen->last, "%.*s", (int)payload.len,
                   (const char *)payload.ptr);
    (void)pthread_cond_broadcast(&seen->changed);
    (void)pthread_mutex_unlock(&seen->mutex);
}

static void on_refresh(enum rpc_refresh_reason reason, uint64_t lost, void *context)
{
    struct seen *seen = context;
    (void)pthread_mutex_lock(&seen->mutex);
    if (reason == RPC_REFRESH_CONNECTED) seen->connected++;
    if (reason == RPC_REFRESH_GAP) seen->gaps++;
    seen->lost += lost;
    (void)pthread_cond_broadcast(&seen->changed);
    (void)pthread_mutex_unlock(&seen->mutex);
}

static unsigned value_of(struct seen *seen, const unsigned *value)
{
    (void)pthread_mutex_lock(&seen->mutex);
    unsigned copy = *value;
    (void)pthread_mutex_unlock(&seen->mutex);
    return copy;
}

static void wait_for(struct seen *seen, const unsigned *value, unsigned wanted)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    int error = 0;
    (void)pthread_mutex_lock(&seen->mutex);
    while (*value < wanted && error == 0) {
        error = pthread_cond_timedwait(&seen->changed, &seen->mutex, &until);
    }
    bool is_reached = *value >= wanted;
    (void)pthread_mutex_unlock(&seen->mutex);
    assert_true(is_reached);
}

/* The subscriber may be connected before the publisher knows of it: then a hint is lost. */
static void publish_until_heard(struct rpc_publisher *publisher, struct seen *seen,
                                const char *text)
{
    enum { TRIES = 2'000, PAUSE_NS = 10'000'000 };
    bool is_heard = false;
    for (unsigned i = 0; i < TRIES && !is_heard; i++) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += PAUSE_NS;
        until.tv_sec += until.tv_nsec / 1'000'000'000;
        until.tv_nsec %= 1'000'000'000;
        rpc_publish(publisher, 4, bytes_from(str_from(text)));
        (void)pthread_mutex_lock(&seen->mutex);
        (void)pthread_cond_timedwait(&seen->changed, &seen->mutex, &until);
        is_heard = strcmp(seen->last, text) == 0;
        (void)pthread_mutex_unlock(&seen->mutex);
    }
    assert_true(is_heard);
    /* What was published may still be on its way; another one tells when all of it has arrived. */
    rpc_publish(publisher, 4, bytes_from(str_from("end")));
    (void)pthread_mutex_lock(&seen->mutex);
    while (strcmp(seen->last, "end") != 0) {
        (void)pthread_cond_wait(&seen->changed, &seen->mutex);
    }
    (void)pthread_mutex_unlock(&seen->mutex);
}

static void hints_arrive_and_losses_are_noticed(void **state)
{
    struct seen *seen = calloc(1, sizeof *seen);
    (void)pthread_mutex_init(&seen->mutex, NULL);
    (void)pthread_cond_init(&seen->changed, NULL);
    char url[128];
    const char *scheme = *state;
    bool is_tcp        = strncmp(scheme, "tcp", 3) == 0;
    (void)snprintf(url, sizeof url, "%s%d", scheme, is_tcp ? 0 : (int)getpid());
    struct rpc_publisher *publisher   = NULL;
    struct rpc_subscriber *subscriber = NULL;
    struct error error                = {};
    assert_int_equal(rpc_publisher_start(url, NULL, &publisher, &error), STATUS_OK);
    (void)snprintf(url, sizeof url, "%s", rpc_publisher_url(publisher));
    const struct rpc_subscriber_options options = {
        .urls = url, .hint = on_hint, .refresh = on_refresh, .context = seen};
    assert_int_equal(rpc_subscriber_start(&options, &subscriber, &error), STATUS_OK);
    wait_for(seen, &seen->connected, 1);

    publish_until_heard(publisher, seen, "one");
    unsigned gaps  = value_of(seen, &seen->gaps);
    unsigned hints = value_of(seen, &seen->hints);

    /* One that is too large is left out, and missed. */
    void *large = calloc(1, RPC_HINT_SIZE_MAX + 1);
    rpc_publish(publisher, 4, (bytes){large, RPC_HINT_SIZE_MAX + 1});
    rpc_publish(publisher, 4, bytes_from(str_from("three")));
    wait_for(seen, &seen->hints, hints + 1);
    assert_int_equal(value_of(seen, &seen->gaps), gaps + 1);
    free(large);

    /* Another publisher at the same place: the subscriber is told when it is connected again. */
    rpc_publisher_stopp(&publisher);
    assert_int_equal(rpc_publisher_start(url, NULL, &publisher, &error), STATUS_OK);
    wait_for(seen, &seen->connected, 2);
    publish_until_heard(publisher, seen, "new");

    rpc_subscriber_stopp(&subscriber);
    rpc_publisher_stopp(&publisher);
    free(seen);
}

/* --- who wants none -----------------------------------------------------------------------------
 */

struct choosy {
    struct seen seen; /* first: it is the context of on_hint() and on_refresh() */
    atomic_bool wants;
};

static bool on_is_wanted(void *context)
{
    struct choosy *choosy = context;
    return atomic_load(&choosy->wants);
}

static void wait_until_heard(const struct rpc_publisher *publisher, bool is_heard)
{
    const struct timespec pause = {.tv_nsec = 5'000'000};
    for (unsigned i = 0; i < 6'000 && rpc_publisher_is_heard(publisher) != is_heard; i++) {
        (void)nanosleep(&pause, NULL);
    }
    assert_int_equal(rpc_publisher_is_heard(publisher), is_heard);
}

static void who_wants_none_is_not_connected(void **)
{
    struct choosy *choosy = calloc(1, sizeof *choosy);
    (void)pthread_mutex_init(&choosy->seen.mutex, NULL);
    (void)pthread_cond_init(&choosy->seen.changed, NULL);
    struct rpc_publisher *publisher   = NULL;
    struct rpc_subscriber *subscriber = NULL;
    struct error error                = {};
    assert_int_equal(rpc_publisher_start("tcp://127.0.0.1:0", NULL, &publisher, &error), STATUS_OK);
    struct rpc_subscriber_options options = {.urls      = "dns+tcp://a:1",
                                             .hint      = on_hint,
                                             .refresh   = on_refresh,
                                             .is_wanted = on_is_wanted,
                                             .context   = choosy};
    assert_int_equal(rpc_subscriber_start(&options, &subscriber, &error), STATUS_INVALID_ARGUMENT);
    options.urls = rpc_publisher_url(publisher);
    assert_int_equal(rpc_subscriber_start(&options, &subscriber, &error), STATUS_OK);
    rpc_subscriber_wake(subscriber); /* it asks, and still there is no need */

    atomic_store(&choosy->wants, true);
    rpc_subscriber_wake(subscriber);
    wait_for(&choosy->seen, &choosy->seen.connected, 1);
    wait_until_heard(publisher, true);
    publish_until_heard(publisher, &choosy->seen, "one");

    atomic_store(&choosy->wants, false); /* noticed with the next period */
    wait_until_heard(publisher, false);
    atomic_store(&choosy->wants, true);
    rpc_subscriber_wake(subscriber);
    wait_for(&choosy->seen, &choosy->seen.connected, 2);
    publish_until_heard(publisher, &choosy->seen, "two");

    rpc_subscriber_stopp(&subscriber);
    rpc_publisher_stopp(&publisher);
    free(choosy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_read_as_written),
        cmocka_unit_test(gaps_are_counted_per_publisher),
        cmocka_unit_test(the_oldest_publisher_is_forgotten),
        row_test("hints over ipc", hints_arrive_and_losses_are_noticed, "ipc:///tmp/tutti-hint-"),
        row_test("hints over inproc", hints_arrive_and_losses_are_noticed, "inproc://hint-"),
        cmocka_unit_test(who_wants_none_is_not_connected),
        row_test("hints over tcp", hints_arrive_and_losses_are_noticed, "tcp://127.0.0.1:"),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
