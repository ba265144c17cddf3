/* task: a callback on one of NNG's task threads, which may be held there. */
#ifndef SUPPORT_TASK_H
#define SUPPORT_TASK_H

#include <pthread.h>
#include <stdbool.h>

struct nng_aio;

struct task {
    struct nng_aio *aio;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t thread; /* that runs it; after task_await() */
    bool is_running;
    bool may_end;
};

/** Queues a task; unless it may end, it stays on its thread until task_end(). */
void task_start(struct task *task, bool may_end);

/** Waits until a thread runs it. */
void task_await(struct task *task);

/** Lets it end, and waits for that. */
void task_end(struct task *task);

#endif
