#include "loop/work_pool.h"

#include "base/assert.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>

/* First in, first out. */
struct queue {
    struct work *first, **end;
};

struct work_pool {
    struct loop *loop;
    struct loop_notice ended; /* "look at `finished`" */
    size_t busy;              /* the loop's */
    pthread_mutex_t mutex;    /* of all that follows */
    pthread_cond_t changed;
    struct queue waiting, finished;
    bool is_ending;
    unsigned thread_count;
    pthread_t threads[WORK_POOL_THREADS_MAX];
};

static void queue_clear(struct queue *queue)
{
    *queue = (struct queue){.end = &queue->first};
}

static void queue_put(struct queue *queue, struct work *work)
{
    work->next  = NULL;
    *queue->end = work;
    queue->end  = &work->next;
}

static struct work *queue_take(struct queue *queue)
{
    struct work *work = queue->first;
    if (!work) return NULL;
    queue->first = work->next;
    if (!queue->first) queue->end = &queue->first;
    return work;
}

static bool queue_remove(struct queue *queue, const struct work *work)
{
    for (struct work **at = &queue->first; *at; at = &(*at)->next) {
        if (*at != work) continue;
        *at = work->next;
        if (!*at) queue->end = at;
        return true;
    }
    return false;
}

/* --- the threads -------------------------------------------------------------------------------
 */

/* The next work; NULL: the pool ends. With the mutex. */
static struct work *wait_for_work(struct work_pool *pool)
{
    while (!pool->is_ending && !pool->waiting.first) {
        (void)pthread_cond_wait(&pool->changed, &pool->mutex);
    }
    return pool->is_ending ? NULL : queue_take(&pool->waiting);
}

static void *thread_main(void *context)
{
    struct work_pool *pool = context;
    (void)pthread_mutex_lock(&pool->mutex);
    for (struct work *work; (work = wait_for_work(pool));) {
        (void)pthread_mutex_unlock(&pool->mutex);
        work->run(work->context);
        (void)pthread_mutex_lock(&pool->mutex);
        queue_put(&pool->finished, work);
        loop_notify(pool->loop, &pool->ended);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

/* --- the loop ----------------------------------------------------------------------------------
 */

static struct work *take_finished(struct work_pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
    struct work *work = queue_take(&pool->finished);
    (void)pthread_mutex_unlock(&pool->mutex);
    return work;
}

static void on_ended(void *context)
{
    struct work_pool *pool = context;
    for (struct work *work; (work = take_finished(pool));) {
        pool->busy--;
        work->done(work->context);
    }
}

void work_pool_run(struct work_pool *pool, struct work *work)
{
    ASSERT(work->run && work->done);
    pool->busy++;
    (void)pthread_mutex_lock(&pool->mutex);
    queue_put(&pool->waiting, work);
    (void)pthread_cond_signal(&pool->changed);
    (void)pthread_mutex_unlock(&pool->mutex);
}

bool work_pool_take_back(struct work_pool *pool, struct work *work)
{
    (void)pthread_mutex_lock(&pool->mutex);
    bool is_taken = queue_remove(&pool->waiting, work);
    (void)pthread_mutex_unlock(&pool->mutex);
    if (is_taken) pool->busy--;
    return is_taken;
}

size_t work_pool_busy(const struct work_pool *pool)
{
    return pool->busy;
}

/* --- life --------------------------------------------------------------------------------------
 */

static void end_threads(struct work_pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
    pool->is_ending = true;
    (void)pthread_cond_broadcast(&pool->changed);
    (void)pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->thread_count; i++) (void)pthread_join(pool->threads[i], NULL);
}

status work_pool_new(struct loop *loop, unsigned threads, struct work_pool **ret_pool,
                     struct error *reterr)
{
    if (threads == 0 || threads > WORK_POOL_THREADS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "a pool has 1 to %d threads, not %u",
                    WORK_POOL_THREADS_MAX, threads);
    }
    CLEANUP(work_pool_freep) struct work_pool *pool = mem_new(1, sizeof *pool);
    pool->loop                                      = loop;
    pool->ended = (struct loop_notice){.run = on_ended, .context = pool};
    (void)pthread_mutex_init(&pool->mutex, NULL);
    (void)pthread_cond_init(&pool->changed, NULL);
    queue_clear(&pool->waiting);
    queue_clear(&pool->finished);
    for (unsigned i = 0; i < threads; i++) {
        int failed = pthread_create(&pool->threads[i], NULL, thread_main, pool);
        if (failed) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no thread: error %d", failed);
        pool->thread_count++;
    }
    *ret_pool = TAKE(pool);
    return STATUS_OK;
}

void work_pool_freep(struct work_pool **ref)
{
    struct work_pool *pool = *ref;
    if (!pool) return;
    end_threads(pool);
    loop_notice_clear(pool->loop, &pool->ended);
    on_ended(pool);
    for (struct work *work; (work = queue_take(&pool->waiting));) {
        pool->busy--;
        work->done(work->context);
    }
    (void)pthread_cond_destroy(&pool->changed);
    (void)pthread_mutex_destroy(&pool->mutex);
    free(pool);
    *ref = NULL;
}
