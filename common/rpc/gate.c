#include "rpc/gate.h"

#define GATE_CLOSED (1U << 31)

void gate_init(struct gate *gate)
{
    atomic_init(&gate->inside, 0);
    (void)pthread_mutex_init(&gate->mutex, NULL);
    (void)pthread_cond_init(&gate->left, NULL);
}

void gate_done(struct gate *gate)
{
    (void)pthread_mutex_destroy(&gate->mutex);
    (void)pthread_cond_destroy(&gate->left);
}

bool gate_enter(struct gate *gate)
{
    unsigned before = atomic_load(&gate->inside);
    while (!(before & GATE_CLOSED)) {
        if (atomic_compare_exchange_weak(&gate->inside, &before, before + 1)) return true;
    }
    return false;
}

void gate_leave(struct gate *gate)
{
    /* Under the mutex only where somebody waits: he may free the gate as soon as he has it. */
    unsigned before = atomic_load(&gate->inside);
    while (!(before & GATE_CLOSED)) {
        if (atomic_compare_exchange_weak(&gate->inside, &before, before - 1)) return;
    }
    (void)pthread_mutex_lock(&gate->mutex);
    atomic_fetch_sub(&gate->inside, 1);
    (void)pthread_cond_signal(&gate->left);
    (void)pthread_mutex_unlock(&gate->mutex);
}

void gate_close(struct gate *gate)
{
    (void)pthread_mutex_lock(&gate->mutex);
    atomic_fetch_or(&gate->inside, GATE_CLOSED);
    while (atomic_load(&gate->inside) != GATE_CLOSED) {
        (void)pthread_cond_wait(&gate->left, &gate->mutex);
    }
    (void)pthread_mutex_unlock(&gate->mutex);
}
