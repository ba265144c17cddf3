#include "llm-proxy/embed.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>

enum { VECTORS_MAX = 512 << 20 /* bytes of all vectors of a request */ };

/* Some of the inputs, and the call for them. */
struct batch {
    struct embed_call *embed;
    struct chat_request request; /* its inputs are a part of the whole's */
    struct llm_call *call;       /* NULL: not yet, or over */
    struct buf vectors;
};

struct embed_call {
    struct pipeline *pipeline;
    const struct llm_route *route;
    int64_t deadline_ms, started_ms;
    llm_call_done *done;
    void *context;
    struct batch *batches; /* owned */
    uint32_t count, next, over;
    struct answer answer; /* of all */
    struct llm_outcome outcome;
    const char *let_pass; /* of its job; NULL: it is none */
};

static void start_batch(struct embed_call *embed);

static void embed_free(struct embed_call *embed)
{
    for (uint32_t i = 0; i < embed->count; i++) buf_done(&embed->batches[i].vectors);
    answer_done(&embed->answer);
    free(embed->batches);
    free(embed);
}

static void cancel_batches(struct embed_call *embed)
{
    for (uint32_t i = 0; i < embed->count; i++) {
        if (embed->batches[i].call) llm_call_cancel(TAKE(embed->batches[i].call));
    }
}

void embed_cancel(struct embed_call *embed)
{
    cancel_batches(embed);
    embed_free(embed);
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void finish(struct embed_call *embed)
{
    embed->outcome.duration_ms = clock_mono_ms() - embed->started_ms;
    embed->done(&embed->outcome, embed->context);
    embed_free(embed);
}

static void fail_all(struct embed_call *embed, const struct llm_outcome *outcome,
                     const struct llm_error *error)
{
    cancel_batches(embed);
    embed->outcome       = *outcome;
    embed->outcome.is_ok = false;
    embed->outcome.error = *error;
    finish(embed);
}

static void add_usage(Pb__Usage *total, const Pb__Usage *more)
{
    total->input_tokens += more->input_tokens;
    total->output_tokens += more->output_tokens;
    total->cached_tokens += more->cached_tokens;
    total->cost_usd_nanos += more->cost_usd_nanos;
    total->calls += more->calls;
    total->simulated = total->simulated || more->simulated;
    if (more->cost_source > total->cost_source) total->cost_source = more->cost_source;
    total->provider = more->provider;
    total->model    = more->model;
}

static void join(struct embed_call *embed)
{
    for (uint32_t i = 0; i < embed->count; i++) {
        if (!buf_put_str(&embed->answer.vectors, buf_str(&embed->batches[i].vectors))) {
            embed->answer.is_too_large = true;
        }
    }
    embed->outcome.answer = &embed->answer;
    embed->outcome.is_ok  = !embed->answer.is_too_large;
    if (!embed->outcome.is_ok) {
        embed->outcome.error = (struct llm_error){.class = LLM_ERROR_REQUEST,
                                                  .text  = str_from("the answer is too large")};
    }
    finish(embed);
}

/* --- batches -----------------------------------------------------------------------------------
 */

static bool is_complete(const struct batch *batch, const struct answer *answer)
{
    const struct answer *whole = &batch->embed->answer;
    bool is_first              = whole->dimensions == 0;
    return answer->vector_count == batch->request.input_count && answer->dimensions > 0 &&
           (is_first || answer->dimensions == whole->dimensions);
}

static void on_batch_done(const struct llm_outcome *outcome, void *context)
{
    struct batch *batch      = context;
    struct embed_call *embed = batch->embed;
    batch->call              = NULL;
    embed->outcome.tries += outcome->tries;
    if (!outcome->is_ok) {
        fail_all(embed, outcome, &outcome->error);
        return;
    }
    if (!is_complete(batch, outcome->answer)) {
        const struct llm_error error = {
            .class       = LLM_ERROR_CONNECT,
            .http_status = 200,
            .text        = str_from("the upstream's answer has not one vector per input")};
        fail_all(embed, outcome, &error);
        return;
    }
    struct answer *answer = &embed->answer;
    if (answer->model.len == 0) (void)buf_put_str(&answer->model, buf_str(&outcome->answer->model));
    answer->dimensions = outcome->answer->dimensions;
    answer->vector_count += outcome->answer->vector_count;
    (void)buf_put_str(&batch->vectors, buf_str(&outcome->answer->vectors));
    add_usage(&embed->outcome.usage, &outcome->usage);
    embed->outcome.is_simulated = outcome->is_simulated;
    embed->outcome.provider     = outcome->provider;
    embed->outcome.model        = outcome->model;
    if (++embed->over == embed->count) {
        join(embed);
    } else if (embed->next < embed->count) {
        start_batch(embed);
    }
}

static void start_batch(struct embed_call *embed)
{
    struct batch *batch = &embed->batches[embed->next++];
    batch->call = llm_call_start(embed->pipeline, &batch->request, embed->route, embed->deadline_ms,
                                 on_batch_done, batch);
    if (embed->let_pass) llm_call_is_job(batch->call, embed->let_pass);
}

void embed_is_job(struct embed_call *embed, const char *target)
{
    embed->let_pass = target;
    for (uint32_t i = 0; i < embed->count; i++) {
        if (embed->batches[i].call) llm_call_is_job(embed->batches[i].call, target);
    }
}

struct embed_call *embed_start(struct pipeline *pipeline, const struct chat_request *request,
                               const struct llm_route *route, int64_t deadline_ms,
                               llm_call_done *done, void *context)
{
    ASSERT(request->input_count > 0);
    bool is_local  = route->targets[0].provider->kind == &provider_compatible;
    uint32_t size  = is_local ? EMBED_BATCH_LOCAL : EMBED_BATCH;
    uint32_t count = (request->input_count + size - 1) / size;

    struct embed_call *embed = mem_new(1, sizeof *embed);
    embed->pipeline          = pipeline;
    embed->route             = route;
    embed->deadline_ms       = deadline_ms;
    embed->started_ms        = clock_mono_ms();
    embed->done              = done;
    embed->context           = context;
    embed->batches           = mem_new(count, sizeof *embed->batches);
    embed->count             = count;
    answer_init(&embed->answer);
    embed->answer.vectors   = buf_init(VECTORS_MAX);
    embed->outcome.provider = "";
    pb__usage__init(&embed->outcome.usage);
    for (uint32_t i = 0; i < count; i++) {
        struct batch *batch        = &embed->batches[i];
        uint32_t first             = i * size;
        uint32_t left              = request->input_count - first;
        batch->embed               = embed;
        batch->vectors             = buf_init(VECTORS_MAX);
        batch->request             = *request;
        batch->request.inputs      = request->inputs + first;
        batch->request.input_count = left < size ? left : size;
    }
    while (embed->next < count && embed->next < EMBED_PARALLEL_MAX) start_batch(embed);
    return embed;
}
