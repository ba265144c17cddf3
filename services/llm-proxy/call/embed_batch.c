/* Texts on their way: batches, what they have cost, and when the next one goes. */
#include "base/assert.h"
#include "base/mem.h"
#include "llm-proxy/call/embed_pool_internal.h"
#include "llm-proxy/call/embed_share.h"

#include <stdio.h>
#include <stdlib.h>

enum { SECOND_MS = 1'000, HTTP_REFUSED_TEXT = 400 };

/* --- a batch -----------------------------------------------------------------------------------
 */

void embed_batch_free(struct embed_batch *batch)
{
    struct embed_pool *pool = batch->pool;
    if (batch->next) batch->next->previous = batch->previous;
    if (batch->previous) {
        batch->previous->next = batch->next;
    } else {
        pool->batches = batch->next;
    }
    if (batch->is_started) pool->flying--;
    arena_free(batch->arena);
    free(batch->texts);
    free(batch);
}

static struct embed_batch *batch_new(struct embed_pool *pool, uint32_t size_max)
{
    struct embed_batch *batch = mem_new(1, sizeof *batch);
    batch->pool               = pool;
    batch->number             = ++pool->pools->batches;
    batch->arena              = arena_new(EMBED_ARENA_MAX);
    batch->texts              = mem_new(size_max, sizeof(struct embed_text *));
    batch->next               = pool->batches;
    if (batch->next) batch->next->previous = batch;
    pool->batches = batch;
    return batch;
}

static void batch_add(struct embed_batch *batch, struct embed_text *text)
{
    text->batch                  = batch;
    batch->texts[batch->count++] = text;
}

static struct saved_answer *vector_new(const struct embed_text *text, str vector,
                                       const struct llm_outcome *outcome, int64_t nanos)
{
    struct saved_answer *saved   = saved_answer_new();
    const struct llm_event event = {.kind = LLM_VECTOR, .bytes = vector};
    str model                    = buf_str(&outcome->answer->model);
    saved->key                   = text->key;
    saved->cost_usd_nanos        = nanos;
    saved->is_simulated          = outcome->is_simulated;
    (void)snprintf(saved->provider, sizeof saved->provider, "%s", outcome->provider);
    (void)snprintf(saved->model, sizeof saved->model, STR_FMT, STR_ARG(model));
    event_log_take(&event, &saved->log);
    return saved;
}

/* Its vectors, and to each text its part of the cost. */
static void share_out(struct embed_batch *batch, const struct llm_outcome *outcome)
{
    struct answer_cache *vectors = batch->pool->pools->pipeline->vectors;
    const struct answer *answer  = outcome->answer;
    size_t size                  = (size_t)answer->dimensions * sizeof(float);
    uint64_t *weights            = mem_new(batch->count, sizeof *weights);
    for (uint32_t i = 0; i < batch->count; i++) {
        weights[i] = batch->texts[i] ? batch->texts[i]->len : 0;
    }
    struct embed_share share = embed_share_begin(&outcome->usage, weights, batch->count);
    for (uint32_t i = 0; i < batch->count; i++) {
        struct embed_text *text = batch->texts[i];
        if (!text) continue;
        struct embed_end end       = {.batch = outcome, .number = batch->number};
        str vector                 = {.ptr = answer->vectors.ptr + i * size, .len = size};
        end.paid                   = embed_share_next(&share, weights[i]);
        struct saved_answer *saved = vector_new(text, vector, outcome, end.paid.cost_usd_nanos);
        end.vector                 = saved;
        answer_cache_put(vectors, saved);
        batch->texts[i] = NULL;
        embed_text_end(text, &end);
        saved_answer_unref(saved);
    }
    free(weights);
}

static void fail_all(struct embed_batch *batch, const struct llm_outcome *outcome,
                     const struct llm_error *error)
{
    bool is_first = true;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct embed_text *text = batch->texts[i];
        if (!text) continue;
        struct embed_end end = {
            .batch = outcome, .number = batch->number, .error = error, .paid = PB__USAGE__INIT};
        if (is_first) end.paid = outcome->usage; /* what tries that failed have cost */
        is_first        = false;
        batch->texts[i] = NULL;
        embed_text_end(text, &end);
    }
}

/* The text that is the reason is in one of the halves. */
static void halve(struct embed_batch *batch)
{
    uint32_t half = batch->count / 2;
    for (int i = 0; i < 2; i++) {
        struct embed_batch *part = batch_new(batch->pool, batch->count);
        uint32_t until           = i == 0 ? half : batch->count;
        for (uint32_t t = i == 0 ? 0 : half; t < until; t++) {
            if (batch->texts[t]) batch_add(part, batch->texts[t]);
            batch->texts[t] = NULL;
        }
        if (part->count == 0) embed_batch_free(part);
    }
}

static bool is_complete(const struct embed_batch *batch, const struct answer *answer)
{
    return answer->vector_count == batch->count && answer->dimensions > 0;
}

static void on_batch_done(const struct llm_outcome *outcome, void *context)
{
    static const struct llm_error incomplete = {
        .class       = LLM_ERROR_CONNECT,
        .http_status = 200,
        .text        = {"the upstream's answer has not one vector per input",
                        sizeof "the upstream's answer has not one vector per input" - 1}};
    struct embed_batch *batch = context;
    struct embed_pool *pool   = batch->pool;
    bool is_refused           = !outcome->is_ok && outcome->error.class == LLM_ERROR_REQUEST &&
                      outcome->error.http_status == HTTP_REFUSED_TEXT;
    batch->call = NULL;
    if (outcome->is_ok && is_complete(batch, outcome->answer)) {
        share_out(batch, outcome);
    } else if (is_refused && batch->count > 1) {
        halve(batch);
    } else {
        fail_all(batch, outcome, outcome->is_ok ? &incomplete : &outcome->error);
    }
    embed_batch_free(batch);
    embed_pool_send(pool);
    embed_pool_tidy(pool);
}

static void start(struct embed_batch *batch)
{
    struct embed_pool *pool = batch->pool;
    uint32_t count          = 0;
    batch->is_started       = true;
    pool->flying++;
    for (uint32_t i = 0; i < batch->count; i++) { /* some may be gone since it was made */
        if (batch->texts[i]) batch->texts[count++] = batch->texts[i];
    }
    batch->count = count;
    str *inputs  = arena_alloc(batch->arena, batch->count * sizeof *inputs);
    ASSERT(inputs);
    for (uint32_t i = 0; i < batch->count; i++) { /* texts may go while it is under way */
        const char *content = arena_strdup(batch->arena, embed_content(batch->texts[i]));
        ASSERT(content);
        inputs[i] = (str){.ptr = content, .len = batch->texts[i]->len};
    }
    batch->request = (struct chat_request){.arena       = batch->arena,
                                           .model       = pool->route.name,
                                           .inputs      = inputs,
                                           .input_count = batch->count,
                                           .has_tokens  = pool->has_tokens,
                                           .dimensions  = pool->dimensions};
    batch->call    = llm_call_start(pool->pools->pipeline, &batch->request, &pool->route, 0,
                                    on_batch_done, batch);
    if (pool->let_pass) llm_call_is_job(batch->call, pool->let_pass);
}

/* --- sending -----------------------------------------------------------------------------------
 */

static void on_rate(void *context)
{
    struct embed_pool *pool = context;
    embed_pool_send(pool);
    embed_pool_tidy(pool);
}

void embed_pool_wait(struct embed_pool *pool)
{
    pool->timer = (struct loop_timer){.fire = on_rate, .context = pool};
    loop_timer_set(pool->pools->pipeline->options.loop, &pool->timer, pool->next_ms);
}

/* Says whether its rate lets a batch go now. */
static bool may_go(struct embed_pool *pool, uint32_t rate)
{
    struct loop *loop = pool->pools->pipeline->options.loop;
    int64_t now_ms    = loop_now_ms(loop);
    if (rate == 0) return true;
    if (loop_timer_is_set(&pool->timer)) return false;
    if (now_ms < pool->next_ms) {
        embed_pool_wait(pool);
        return false;
    }
    pool->next_ms = now_ms + SECOND_MS / rate;
    return true;
}

static struct embed_batch *waiting_half(const struct embed_pool *pool)
{
    struct embed_batch *batch = pool->batches;
    while (batch && batch->is_started) batch = batch->next;
    return batch;
}

static struct embed_batch *batch_of_queue(struct embed_pool *pool, uint32_t count_max)
{
    struct embed_batch *batch = batch_new(pool, count_max);
    size_t size               = 0;
    while (pool->first && batch->count < count_max) {
        struct embed_text *text = pool->first;
        bool is_much            = size + text->len > EMBED_BATCH_BYTES_MAX;
        if (is_much && batch->count > 0) break;
        size += text->len;
        embed_queue_remove(text);
        batch_add(batch, text);
    }
    return batch;
}

void embed_pool_send(struct embed_pool *pool)
{
    const struct embed_limits *limits = &pool->route.targets[0].provider->embed;
    for (;;) {
        struct embed_batch *batch = waiting_half(pool);
        bool has_more             = batch || pool->first;
        if (!has_more || pool->flying >= limits->concurrency) return;
        if (!may_go(pool, limits->rate)) return;
        if (!batch) batch = batch_of_queue(pool, limits->batch);
        start(batch);
    }
}
