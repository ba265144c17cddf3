/* gate: nobody is inside when gate_close() returns, and nobody enters afterwards. */
#include "rpc/gate.h"

#include "cmocka.h"

enum { THREADS = 4, PASSES_BEFORE_CLOSE = 1'000 };

static void it_lets_pass_until_it_is_closed(void **state)
{
    (void)state;
    struct gate gate;
    gate_init(&gate);
    assert_true(gate_enter(&gate));
    assert_true(gate_enter(&gate));
    gate_leave(&gate);
    gate_leave(&gate);
    gate_close(&gate);
    assert_false(gate_enter(&gate));
    gate_close(&gate);
    assert_false(gate_enter(&gate));
    gate_done(&gate);
}

struct crowd {
    struct gate gate;
    atomic_int inside; /* as the threads themselves count */
    atomic_int passes;
    atomic_bool is_over; /* gate_close() has returned */
    atomic_int late;     /* who was inside then */
};

static void *pass(void *argument)
{
    struct crowd *crowd = argument;
    while (gate_enter(&crowd->gate)) {
        atomic_fetch_add(&crowd->inside, 1);
        if (atomic_load(&crowd->is_over)) atomic_fetch_add(&crowd->late, 1);
        atomic_fetch_add(&crowd->passes, 1);
        atomic_fetch_sub(&crowd->inside, 1);
        gate_leave(&crowd->gate);
    }
    return NULL;
}

static void who_closes_it_waits_for_those_inside(void **state)
{
    (void)state;
    struct crowd crowd = {};
    pthread_t threads[THREADS];
    gate_init(&crowd.gate);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, pass, &crowd), 0);
    }
    while (atomic_load(&crowd.passes) < PASSES_BEFORE_CLOSE) continue;
    gate_close(&crowd.gate);
    atomic_store(&crowd.is_over, true);
    assert_int_equal(atomic_load(&crowd.inside), 0);
    for (int i = 0; i < THREADS; i++) (void)pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&crowd.late), 0);
    gate_done(&crowd.gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_lets_pass_until_it_is_closed),
        cmocka_unit_test(who_closes_it_waits_for_those_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
