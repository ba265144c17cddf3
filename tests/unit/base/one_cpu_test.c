/* Whether all threads are on one CPU when they should be: the times are told, the CPUs are real. */
#include "base/one_cpu.h"

#include "support/cmocka.h"

#include <pthread.h>
#include <sched.h>

#define LOOK_US (ONE_CPU_LOOK_MS * INT64_C(1'000))
#define STAY_US (ONE_CPU_STAY_MS * INT64_C(1'000))

enum { THREADS = 3 };

/* Threads that only wait, and what they may use while they do. */
struct crowd {
    pthread_t threads[THREADS];
    pthread_mutex_t gate; /* held until they are to end */
    cpu_set_t allowed;    /* before */
};

static void *wait_at_gate(void *context)
{
    struct crowd *crowd = context;
    (void)pthread_mutex_lock(&crowd->gate);
    (void)pthread_mutex_unlock(&crowd->gate);
    return NULL;
}

static void crowd_begin(struct crowd *crowd)
{
    assert_int_equal(sched_getaffinity(0, sizeof crowd->allowed, &crowd->allowed), 0);
    (void)pthread_mutex_init(&crowd->gate, NULL);
    (void)pthread_mutex_lock(&crowd->gate);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&crowd->threads[i], NULL, wait_at_gate, crowd), 0);
    }
}

static void crowd_end(struct crowd *crowd)
{
    (void)pthread_mutex_unlock(&crowd->gate);
    for (size_t i = 0; i < THREADS; i++) (void)pthread_join(crowd->threads[i], NULL);
    (void)pthread_mutex_destroy(&crowd->gate);
}

/* The CPUs that each of the threads and the caller may use; fails if they are not the same ones. */
static cpu_set_t cpus_of(const struct crowd *crowd)
{
    cpu_set_t own;
    assert_int_equal(sched_getaffinity(0, sizeof own, &own), 0);
    for (size_t i = 0; i < THREADS; i++) {
        cpu_set_t other;
        assert_int_equal(pthread_getaffinity_np(crowd->threads[i], sizeof other, &other), 0);
        assert_true(CPU_EQUAL(&own, &other));
    }
    return own;
}

static void assert_gathered(const struct crowd *crowd)
{
    cpu_set_t now = cpus_of(crowd);
    assert_int_equal(CPU_COUNT(&now), 1);
}

static void assert_spread(const struct crowd *crowd)
{
    cpu_set_t now = cpus_of(crowd);
    assert_true(CPU_EQUAL(&now, &crowd->allowed));
}

/* Tends it once a look; each time a part of a CPU was used. */
struct tended {
    struct one_cpu *one;
    int64_t now_us, used_us;
};

static void tend(struct tended *tended, int64_t percent)
{
    tended->now_us += LOOK_US;
    tended->used_us += LOOK_US / 100 * percent;
    one_cpu_tend(tended->one, tended->now_us, tended->used_us);
}

/* A process that has used a third of a CPU since the look before: its threads are together. */
static struct tended gathered(const struct crowd *crowd)
{
    struct tended tended = {.one = one_cpu_new(), .now_us = 1'000'000, .used_us = 5'000'000};
    if (!tended.one) return tended;
    tend(&tended, 33); /* the first look only looks */
    assert_spread(crowd);
    tend(&tended, 33);
    assert_gathered(crowd);
    return tended;
}

static void with_crowd(void (*body)(struct crowd *crowd, struct tended *tended))
{
    struct crowd crowd;
    crowd_begin(&crowd);
    struct tended tended = gathered(&crowd);
    if (tended.one) body(&crowd, &tended);
    one_cpu_free(tended.one);
    assert_spread(&crowd);
    crowd_end(&crowd);
    if (!tended.one) skip(); /* one CPU is all that there is */
}

static void stay_a_while(struct crowd *crowd, struct tended *tended)
{
    int64_t since_us = tended->now_us;
    while (tended->now_us + LOOK_US - since_us < STAY_US) {
        tend(tended, 50);
        assert_gathered(crowd);
    }
    tend(tended, 50); /* the kernel may put them elsewhere */
    assert_spread(crowd);
    tend(tended, 50);
    assert_gathered(crowd);
}

static void need_more(struct crowd *crowd, struct tended *tended)
{
    tend(tended, ONE_CPU_FULL_PERCENT);
    assert_spread(crowd);
    tend(tended, 130);
    assert_spread(crowd);
    tend(tended, ONE_CPU_FULL_PERCENT - 1);
    assert_gathered(crowd);
}

static void do_nothing(struct crowd *crowd, struct tended *tended)
{
    tend(tended, ONE_CPU_FULL_PERCENT);
    for (int i = 0; i < 3; i++) {
        tend(tended, ONE_CPU_IDLE_PERCENT - 1);
        assert_spread(crowd);
    }
}

static void ask_often(struct crowd *crowd, struct tended *tended)
{
    /* Between two looks nothing is decided, however much was used. */
    one_cpu_tend(tended->one, tended->now_us + LOOK_US - 1, tended->used_us + LOOK_US);
    assert_gathered(crowd);
    one_cpu_tend(tended->one, tended->now_us + LOOK_US, tended->used_us + LOOK_US);
    assert_spread(crowd);
}

static void test_stays_where_it_is_for_a_while(void **)
{
    with_crowd(stay_a_while);
}

static void test_has_all_cpus_when_one_is_not_enough(void **)
{
    with_crowd(need_more);
}

static void test_leaves_an_idle_process_alone(void **)
{
    with_crowd(do_nothing);
}

static void test_looks_once_a_second(void **)
{
    with_crowd(ask_often);
}

static void test_has_nothing_to_do_on_one_cpu(void **)
{
    cpu_set_t before, only;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&only);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&only) == 0; i++) {
        if (CPU_ISSET(i, &before)) CPU_SET(i, &only);
    }
    assert_int_equal(sched_setaffinity(0, sizeof only, &only), 0);
    assert_null(one_cpu_new());
    one_cpu_tend(NULL, 0, 0);
    one_cpu_free(NULL);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stays_where_it_is_for_a_while),
        cmocka_unit_test(test_has_all_cpus_when_one_is_not_enough),
        cmocka_unit_test(test_leaves_an_idle_process_alone),
        cmocka_unit_test(test_looks_once_a_second),
        cmocka_unit_test(test_has_nothing_to_do_on_one_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
