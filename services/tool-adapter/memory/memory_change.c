#include "base/mem.h"
#include "tool-adapter/memory/vector_rows.h"

#include <stdlib.h>

/* --- a transaction ------------------------------------------------------------------------------
 */

static void change_done(struct change *change)
{
    txn_abortp(&change->txn);
    memory_space_row_free(&change->space);
    free(change->vectors);
}

static bool is_as_it_was(struct change *change, const struct key *key, bytes row)
{
    bytes before = {};
    status code  = txn_get(change->txn, TABLE_SPACES, key_bytes(key), &before, NULL);
    return code == STATUS_OK && before.len == row.len && memcmp(before.ptr, row.ptr, row.len) == 0;
}

/* One that is as it was is not written: a commit of nothing waits for no disk. */
static status put_space(struct change *change, struct error *reterr)
{
    struct key key;
    status code = STATUS_OK;
    if (!change->space) return STATUS_OK;
    memory_space_key(&key, change->scope);
    uint8_t *packed = mem_new(pb__memory_space__get_packed_size(change->space), 1);
    const bytes row = {.ptr = packed, .len = pb__memory_space__pack(change->space, packed)};
    if (!is_as_it_was(change, &key, row)) {
        code = txn_put(change->txn, TABLE_SPACES, key_bytes(&key), row, reterr);
    }
    free(packed);
    return code;
}

static status leave_space(struct change *change, struct error *reterr)
{
    TRY(vectors_write(change, reterr));
    return put_space(change, reterr);
}

static bool is_same_space(const struct memory_scope *a, const struct memory_scope *b)
{
    return a && str_equal(a->tenant, b->tenant) && str_equal(a->namespace, b->namespace);
}

static status enter_space(struct change *change, const struct memory_scope *scope,
                          struct error *reterr)
{
    if (is_same_space(change->scope, scope)) return STATUS_OK;
    TRY(leave_space(change, reterr));
    memory_space_row_free(&change->space);
    change->scope = scope;
    return memory_space_row(change->txn, scope, &change->space, reterr);
}

/* --- a call -------------------------------------------------------------------------------------
 */

/* The first `count` of a line. */
static status commit_asks(struct memory_store *store, const struct change_ask *ask, size_t count,
                          struct error *reterr)
{
    CLEANUP(change_done) struct change change = {};
    TRY(txn_begin_write(store->store, &change.txn, reterr));
    for (size_t i = 0; i < count; i++, ask = ask->next) {
        TRY(enter_space(&change, ask->scope, reterr));
        TRY(ask->run(&change, reterr, ask->context));
    }
    TRY(leave_space(&change, reterr));
    return txn_commit(TAKE(change.txn), reterr);
}

/* All at once, or else one by one. */
static void write_asks(struct memory_store *store, struct change_ask *first, size_t count)
{
    bool is_shared = count > 1 && commit_asks(store, first, count, NULL) == STATUS_OK;
    for (struct change_ask *ask = first; count > 0; count--, ask = ask->next) {
        ask->code = is_shared ? STATUS_OK : commit_asks(store, ask, 1, ask->reterr);
    }
}

/* --- the line -----------------------------------------------------------------------------------
 */

void change_queue_init(struct change_queue *queue)
{
    (void)pthread_mutex_init(&queue->mutex, NULL);
    (void)pthread_cond_init(&queue->written, NULL);
}

void change_queue_done(struct change_queue *queue)
{
    (void)pthread_cond_destroy(&queue->written);
    (void)pthread_mutex_destroy(&queue->mutex);
}

static void wait_in_line(struct change_queue *queue, struct change_ask *ask)
{
    if (queue->last) queue->last->next = ask;
    if (!queue->first) queue->first = ask;
    queue->last = ask;
}

static size_t take_first(struct change_queue *queue, struct change_ask **ret_first)
{
    struct change_ask *ask = queue->first;
    size_t count           = 0;
    *ret_first             = ask;
    for (; ask && count < CHANGES_PER_COMMIT; count++) ask = ask->next;
    queue->first = ask;
    if (!ask) queue->last = NULL;
    return count;
}

/* With the mutex, which is let go while the disk is waited for. */
static void write_for_all(struct memory_store *store)
{
    struct change_queue *queue = &store->queue;
    struct change_ask *first   = NULL;
    size_t count               = take_first(queue, &first);
    queue->is_writing          = true;
    (void)pthread_mutex_unlock(&queue->mutex);
    write_asks(store, first, count);
    (void)pthread_mutex_lock(&queue->mutex);
    queue->is_writing = false;
    for (; count > 0; count--, first = first->next) first->is_done = true;
    (void)pthread_cond_broadcast(&queue->written);
}

/* There is no deadline: as long as the disk takes. */
status change_run(struct memory_store *store, const struct memory_scope *scope, change_fn run,
                  void *context, struct error *reterr)
{
    struct change_queue *queue = &store->queue;
    struct change_ask mine     = {.scope = scope, .run = run, .context = context, .reterr = reterr};
    (void)pthread_mutex_lock(&queue->mutex);
    wait_in_line(queue, &mine);
    while (!mine.is_done) {
        if (queue->is_writing) {
            (void)pthread_cond_wait(&queue->written, &queue->mutex);
        } else {
            write_for_all(store);
        }
    }
    (void)pthread_mutex_unlock(&queue->mutex);
    return mine.code;
}
