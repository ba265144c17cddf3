#include "llm-proxy/call/embed_pool_internal.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    POOLS_MAX     = 10'000,
    TEXTS_MAX     = 1'000'000, /* of a pool */
    NAME_SIZE_MAX = 16 << 10,  /* bytes: of a pool */
};

/* --- texts -------------------------------------------------------------------------------------
 */

static void queue_put(struct embed_text *text)
{
    struct embed_pool *pool = text->pool;
    text->batch             = NULL;
    text->next              = NULL;
    text->previous          = pool->last;
    if (pool->last) pool->last->next = text;
    if (!pool->first) pool->first = text;
    pool->last = text;
}

void embed_queue_remove(struct embed_text *text)
{
    struct embed_pool *pool = text->pool;
    if (text->previous) {
        text->previous->next = text->next;
    } else {
        pool->first = text->next;
    }
    if (text->next) {
        text->next->previous = text->previous;
    } else {
        pool->last = text->previous;
    }
    text->next     = NULL;
    text->previous = NULL;
}

static struct embed_text *text_new(struct embed_pool *pool, str content,
                                   const struct answer_key *key)
{
    struct embed_text *text = mem_new(1, sizeof *text + content.len + 1);
    text->pool              = pool;
    text->key               = *key;
    text->len               = content.len;
    memcpy(text->content, content.ptr, content.len);
    return text;
}

/* Whoever waits is told, and the text is gone. */
void embed_text_end(struct embed_text *text, struct embed_end *end)
{
    struct embed_seat *seat = text->seats;
    (void)map_remove(text->pool->texts, embed_content(text));
    for (struct embed_seat *next = NULL; seat; seat = next) {
        next       = seat->next;
        seat->text = NULL;
        seat->ended(seat, end);
        end->paid.calls = 0; /* the first one pays */
    }
    free(text);
}

/* --- pools -------------------------------------------------------------------------------------
 */

static void put_name(const struct embed_kind *kind, struct buf *out)
{
    const struct route_target *target = &kind->route->targets[0];
    (void)buf_put_u64(out, (uint64_t)kind->dimensions);
    (void)buf_put_byte(out, kind->has_tokens ? 1 : 0);
    (void)buf_put_u32(out, kind->route->target_count);
    (void)buf_put_text(out, kind->let_pass ? kind->let_pass : "-");
    (void)buf_put_byte(out, '\0');
    (void)buf_put_text(out, target->provider->name);
    (void)buf_put_byte(out, '\0');
    str model = kind->route->target_count == 1 ? target->model : kind->route->name;
    (void)buf_put_u32(out, (uint32_t)model.len); /* a text follows where this is hashed */
    (void)buf_put_str(out, model);
}

/* A route made for one request has texts of that request. */
static void own_route(struct embed_pool *pool, const struct llm_route *route)
{
    pool->arena      = arena_new(EMBED_ARENA_MAX);
    pool->route      = *route;
    pool->route.name = str_from(arena_strdup(pool->arena, route->name));
    for (uint32_t i = 0; i < route->target_count; i++) {
        const char *model = arena_strdup(pool->arena, route->targets[i].model);
        ASSERT(model);
        pool->route.targets[i].model = str_from(model);
    }
}

static struct embed_pool *pool_of(struct embed_pools *pools, const struct embed_kind *kind,
                                  bool may_make)
{
    CLEANUP(buf_done) struct buf name = buf_init(NAME_SIZE_MAX);
    put_name(kind, &name);
    struct embed_pool *pool = map_get(pools->by_name, buf_str(&name));
    if (pool || !may_make) return pool;
    pool             = mem_new(1, sizeof *pool);
    pool->pools      = pools;
    pool->dimensions = kind->dimensions;
    pool->has_tokens = kind->has_tokens;
    pool->texts      = map_new(TEXTS_MAX);
    pool->name       = (str){.ptr = mem_dup(name.ptr, name.len), .len = name.len};
    if (kind->let_pass) pool->let_pass = mem_dup(kind->let_pass, strlen(kind->let_pass));
    own_route(pool, kind->route);
    bool is_put = map_put(pools->by_name, pool->name, pool);
    ASSERT(is_put); /* there are fewer calls than this */
    return pool;
}

static void pool_free(struct embed_pool *pool)
{
    loop_timer_clear(pool->pools->pipeline->options.loop, &pool->timer);
    (void)map_remove(pool->pools->by_name, pool->name);
    map_free(pool->texts);
    arena_free(pool->arena);
    free(pool->let_pass);
    free((char *)(uintptr_t)pool->name.ptr);
    free(pool);
}

/* It goes with its last text, but not before it would let the next batch go. */
void embed_pool_tidy(struct embed_pool *pool)
{
    if (map_count(pool->texts) > 0 || pool->flying > 0) return;
    if (loop_timer_is_set(&pool->timer)) return;
    if (loop_now_ms(pool->pools->pipeline->options.loop) < pool->next_ms) {
        embed_pool_wait(pool);
    } else {
        pool_free(pool);
    }
}

void embed_pools_go(struct embed_pools *pools, const struct embed_kind *kind)
{
    struct embed_pool *pool = pool_of(pools, kind, false);
    if (pool) embed_pool_send(pool);
}

/* Nobody hears of it any more. */
static void pool_drop(struct embed_pool *pool)
{
    size_t cursor = 0;
    str content   = {};
    void *text    = NULL;
    while (pool->batches) {
        if (pool->batches->call) llm_call_cancel(pool->batches->call);
        embed_batch_free(pool->batches);
    }
    while (map_next(pool->texts, &cursor, &content, &text)) free(text);
    pool_free(pool);
}

/* --- from outside ------------------------------------------------------------------------------
 */

struct embed_pools *embed_pools_new(struct pipeline *pipeline)
{
    struct embed_pools *pools = mem_new(1, sizeof *pools);
    pools->pipeline           = pipeline;
    pools->by_name            = map_new(POOLS_MAX);
    return pools;
}

void embed_pools_freep(struct embed_pools **ref)
{
    struct embed_pools *pools = *ref;
    size_t cursor             = 0;
    str name                  = {};
    void *pool                = NULL;
    if (!pools) return;
    while (map_next(pools->by_name, &cursor, &name, &pool)) pool_drop(pool);
    map_free(pools->by_name);
    free(pools);
    *ref = NULL;
}

struct saved_answer *embed_pools_want(struct embed_pools *pools, const struct embed_kind *kind,
                                      str content, struct embed_seat *seat)
{
    struct embed_kind anybody         = *kind;
    struct answer_key key             = {};
    CLEANUP(buf_done) struct buf name = buf_init(NAME_SIZE_MAX);
    anybody.let_pass                  = NULL; /* a vector is the same for all */
    put_name(&anybody, &name);
    const bytes parts[] = {{name.ptr, name.len}, {content.ptr, content.len}};
    sha256_parts(parts, ARRAY_LEN(parts), key.digest);
    struct saved_answer *known = answer_cache_find(pools->pipeline->vectors, &key, INT64_MAX, 0);
    if (known) return known;
    struct embed_pool *pool = pool_of(pools, kind, true);
    struct embed_text *text = map_get(pool->texts, content);
    if (!text) {
        text = text_new(pool, content, &key);
        (void)map_put(pool->texts, content, text); /* else it is asked for twice */
        queue_put(text);
    }
    struct embed_seat **last = &text->seats;
    while (*last) last = &(*last)->next;
    *last      = seat;
    seat->next = NULL;
    seat->text = text;
    return NULL;
}

static bool is_waited_for(const struct embed_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->texts[i]) return true;
    }
    return false;
}

/* Its batch goes on as long as somebody waits for another text of it. */
static void forget_text(struct embed_text *text)
{
    struct embed_batch *batch = text->batch;
    (void)map_remove(text->pool->texts, embed_content(text));
    if (!batch) embed_queue_remove(text);
    for (uint32_t i = 0; batch && i < batch->count; i++) {
        if (batch->texts[i] == text) batch->texts[i] = NULL;
    }
    bool is_idle = batch && (batch->call || !batch->is_started) && !is_waited_for(batch);
    if (is_idle) {
        if (batch->call) llm_call_cancel(TAKE(batch->call));
        embed_batch_free(batch);
    }
    free(text);
}

void embed_pools_leave(struct embed_seat *seat)
{
    struct embed_text *text = seat->text;
    if (!text) return;
    struct embed_pool *pool   = text->pool;
    struct embed_seat **place = &text->seats;
    while (*place != seat) place = &(*place)->next;
    *place     = seat->next;
    seat->text = NULL;
    if (text->seats) return;
    forget_text(text);
    embed_pool_send(pool);
    embed_pool_tidy(pool);
}
