#include "support/task.h"

#include "cmocka.h"

#include <nng/nng.h>

static void on_task(void *argument)
{
    struct task *task = argument;
    (void)pthread_mutex_lock(&task->mutex);
    task->thread     = pthread_self();
    task->is_running = true;
    (void)pthread_cond_broadcast(&task->changed);
    while (!task->may_end) (void)pthread_cond_wait(&task->changed, &task->mutex);
    (void)pthread_mutex_unlock(&task->mutex);
}

void task_start(struct task *task, bool may_end)
{
    *task = (struct task){.may_end = may_end};
    (void)pthread_mutex_init(&task->mutex, NULL);
    (void)pthread_cond_init(&task->changed, NULL);
    assert_int_equal(nng_aio_alloc(&task->aio, on_task, task), 0);
    nng_sleep_aio(0, task->aio);
}

void task_await(struct task *task)
{
    (void)pthread_mutex_lock(&task->mutex);
    while (!task->is_running) (void)pthread_cond_wait(&task->changed, &task->mutex);
    (void)pthread_mutex_unlock(&task->mutex);
}

void task_end(struct task *task)
{
    (void)pthread_mutex_lock(&task->mutex);
    task->may_end = true;
    (void)pthread_cond_broadcast(&task->changed);
    (void)pthread_mutex_unlock(&task->mutex);
    nng_aio_wait(task->aio);
    nng_aio_free(task->aio);
    (void)pthread_mutex_destroy(&task->mutex);
    (void)pthread_cond_destroy(&task->changed);
}
