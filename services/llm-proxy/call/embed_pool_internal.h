/* What embed_pool.c and embed_batch.c share. */
#ifndef LLM_PROXY_EMBED_POOL_INTERNAL_H
#define LLM_PROXY_EMBED_POOL_INTERNAL_H

#include "base/map.h"
#include "llm-proxy/call/call_internal.h"
#include "llm-proxy/call/embed_pool.h"

enum { EMBED_ARENA_MAX = 128 << 20 /* bytes: a batch has one text at least, however long */ };

struct embed_pools {
    struct pipeline *pipeline;
    struct map *by_name; /* struct embed_pool */
    uint64_t batches;    /* so far */
};

/* Texts that may go out together. */
struct embed_pool {
    struct embed_pools *pools;
    str name; /* owned: its place in the map */
    struct llm_route route;
    struct arena *arena; /* of the route's texts */
    int64_t dimensions;
    bool has_tokens;
    char *let_pass;    /* owned; NULL: no job's */
    struct map *texts; /* by content: all that somebody waits for */
    struct embed_text *first, *last;
    struct embed_batch *batches; /* under way, and halves that wait */
    uint32_t flying;
    struct loop_timer timer; /* the rate lets the next one go */
    int64_t next_ms;
};

struct embed_text {
    struct embed_pool *pool;
    struct answer_key key;
    struct embed_seat *seats;
    struct embed_batch *batch; /* NULL: it is in the queue */
    struct embed_text *next, *previous;
    size_t len;
    char content[];
};

struct embed_batch {
    struct embed_pool *pool;
    uint64_t number; /* of all, from 1 */
    struct llm_call *call;
    struct arena *arena;
    struct chat_request request;
    struct embed_text **texts; /* owned; NULL: nobody waits for that one any more */
    uint32_t count;
    bool is_started; /* else it is a half that waits */
    struct embed_batch *next, *previous;
};

static inline str embed_content(const struct embed_text *text)
{
    return (str){.ptr = text->content, .len = text->len};
}

/* Out of the queue. */
void embed_queue_remove(struct embed_text *text);

/* Whoever waits is told, and the text is gone. */
void embed_text_end(struct embed_text *text, struct embed_end *end);

/* Frees a pool that nobody needs any more. */
void embed_pool_tidy(struct embed_pool *pool);

/* Sends what may go. */
void embed_pool_send(struct embed_pool *pool);

/* Does that again when its rate lets the next batch go. */
void embed_pool_wait(struct embed_pool *pool);

void embed_batch_free(struct embed_batch *batch);

#endif
