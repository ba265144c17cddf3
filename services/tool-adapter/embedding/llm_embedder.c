#include "tool-adapter/embedding/llm_embedder.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"
#include "llm.pb-c.h"
#include "json/json_text.h"
#include "json/json_write.h"

#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

enum {
    SUBSCRIBER_SIZE = 16, /* bytes */
    ERA_BITS        = 32, /* a number's lower half (llm-proxy/answers/subscriber.h) */
    SUBSCRIBERS_MAX = 64, /* that wait for the next question */
    REQUEST_MAX     = 48 << 20,
    REASON_MAX      = 200, /* bytes of what a refusal says */
    OPEN_MS         = 10'000,
};

/* Whom answers are for, at one replica. It is used again: a llm-proxy remembers each for a while,
 * and only so many. */
struct subscriber {
    uint8_t id[SUBSCRIBER_SIZE];
    uint16_t replica;
    uint64_t last_reply;
};

struct llm_embedder {
    struct rpc_client *client; /* NULL: nobody to ask */
    uint16_t replicas;
    pthread_mutex_t mutex; /* of what follows */
    struct subscriber idle[SUBSCRIBERS_MAX];
    size_t idle_count;
};

/* One question. */
struct question {
    struct rpc_client *client;
    struct subscriber subscriber;
    uint64_t call;
    uint32_t http_status;
    bool is_over;
    bool is_owed;     /* what an answer cost that was bought before counts, too */
    bool is_replayed; /* this one was */
    struct buf body;
    Pb__Usage *usage;
    struct arena *arena;
};

/* --- life ---------------------------------------------------------------------------------------
 */

static uint16_t count_endpoints(const char *endpoints)
{
    uint16_t count = 1;
    for (; *endpoints; endpoints++) count = (uint16_t)(count + (*endpoints == ','));
    return count;
}

status llm_embedder_open(const char *endpoints, const struct rpc_identity *identity,
                         const struct rpc_tls *tls, struct llm_embedder **ret_embedder,
                         struct error *reterr)
{
    static const ProtobufCServiceDescriptor *const services[] = {&pb__llm__descriptor, NULL};
    struct llm_embedder *embedder                             = mem_new(1, sizeof *embedder);
    *ret_embedder                                             = embedder;
    if (!endpoints || !*endpoints) return STATUS_OK;
    const struct rpc_client_options options = {.endpoints = endpoints,
                                               .choice    = RPC_OWNER,
                                               .services  = services,
                                               .identity  = *identity,
                                               .tls       = *tls};
    embedder->replicas                      = count_endpoints(endpoints);
    status code                             = rpc_client_open(&options, &embedder->client, reterr);
    if (code != STATUS_OK) llm_embedder_closep(ret_embedder);
    return code;
}

void llm_embedder_closep(struct llm_embedder **ref)
{
    if (!*ref) return;
    rpc_client_closep(&(*ref)->client);
    (void)pthread_mutex_destroy(&(*ref)->mutex);
    free(*ref);
    *ref = NULL;
}

/* --- the answer's body --------------------------------------------------------------------------
 */

static status unreadable(struct error *reterr)
{
    return fail(reterr, STATUS_UNAVAILABLE, "the model's answer holds no embeddings");
}

/* The numbers of one vector; `*dimensions` 0: the first one says how many there are. */
static status take_vector(json value, struct arena *arena, size_t at, size_t count,
                          struct embed_answer *answer, struct error *reterr)
{
    bool is_text                     = json_is(value, JSON_TEXT);
    str encoded                      = is_text ? json_str(value) : (str){};
    size_t size                      = encoded.len / 4 * 3;
    CLEANUP(buf_done) struct buf raw = buf_init(size + 4);
    char *place                      = buf_reserve(&raw, size + 1);
    if (is_text && !base64_decode(encoded, place, &size)) return unreadable(reterr);
    size_t dimensions = is_text ? size / sizeof(float) : json_count(value);
    if (dimensions == 0 || dimensions > EMBED_DIMENSIONS_MAX) return unreadable(reterr);
    if (at == 0) {
        answer->dimensions = (uint32_t)dimensions;
        answer->vectors    = arena_alloc(arena, count * dimensions * sizeof *answer->vectors);
        if (!answer->vectors) {
            return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the embeddings take too much memory");
        }
    }
    if (dimensions != answer->dimensions) return unreadable(reterr);
    float *vector = answer->vectors + at * dimensions;
    if (is_text) {
        memcpy(vector, place, dimensions * sizeof *vector);
        return STATUS_OK;
    }
    for (size_t i = 0; i < dimensions; i++) {
        json number = json_at(value, i);
        if (!json_is_number(number)) return unreadable(reterr);
        vector[i] = (float)json_number(number);
    }
    return STATUS_OK;
}

status llm_embedder_read(str body, size_t count, struct arena *arena,
                         struct embed_answer *ret_answer, struct error *reterr)
{
    const struct json_limits limits = {.values_max = 8'000'000, .allow_duplicate_keys = true};
    CLEANUP(json_unrefp) json value = json_invalid();
    struct embed_answer answer      = {};
    if (json_parse(body, &limits, &value, NULL, NULL) != STATUS_OK) return unreadable(reterr);
    json data  = json_get_text(value, "data");
    json model = json_get_text(value, "model");
    if (!json_is(data, JSON_ARRAY) || json_count(data) != count || !json_is(model, JSON_TEXT)) {
        return unreadable(reterr);
    }
    for (size_t i = 0; i < count; i++) {
        json embedding = json_get_text(json_at(data, i), "embedding");
        if (!json_is(embedding, JSON_TEXT) && !json_is(embedding, JSON_ARRAY)) {
            return unreadable(reterr);
        }
        TRY(take_vector(embedding, arena, i, count, &answer, reterr));
    }
    char *name = arena_strdup(arena, json_str(model));
    if (!name || json_str(model).len > EMBED_MODEL_MAX) return unreadable(reterr);
    answer.model = str_from(name);
    *ret_answer  = answer;
    return STATUS_OK;
}

/* --- the question -------------------------------------------------------------------------------
 */

static void write_body(const struct embed_ask *ask, struct buf *out)
{
    struct json_writer w = json_writer_init(out);
    json_begin_object(&w);
    json_put_text(&w, "model", ask->model);
    json_put_text(&w, "encoding_format", str_from("base64"));
    json_member(&w, "input");
    json_begin_array(&w);
    for (size_t i = 0; i < ask->count; i++) json_write_text(&w, ask->texts[i]);
    json_end_array(&w);
    json_end_object(&w);
}

static status ask_rpc(struct question *question, const char *method, const void *message,
                      int64_t timeout_ms, struct rpc_answer **ret_answer, struct error *reterr)
{
    const struct rpc_request request = {.service        = &pb__llm__descriptor,
                                        .method         = method,
                                        .message        = message,
                                        .partition      = question->subscriber.replica,
                                        .timeout_ms     = timeout_ms,
                                        .wait_for_ready = true};
    return rpc_client_ask(question->client, &request, ret_answer, reterr);
}

static void add_usage(struct question *question, const Pb__Usage *more)
{
    Pb__Usage *usage = question->usage;
    if (!more || (question->is_replayed && !question->is_owed)) return;
    usage->input_tokens += more->input_tokens;
    usage->output_tokens += more->output_tokens;
    usage->cached_tokens += more->cached_tokens;
    usage->cost_usd_nanos += more->cost_usd_nanos;
    usage->calls += more->calls;
    usage->simulated     = usage->simulated || more->simulated;
    usage->cost_source   = more->cost_source;
    const char *provider = arena_strdup(question->arena, str_from(more->provider));
    const char *model    = arena_strdup(question->arena, str_from(more->model));
    if (provider) usage->provider = provider;
    if (model) usage->model = model;
}

static void take_answer(struct question *question, uint32_t http_status, ProtobufCBinaryData body)
{
    question->http_status = http_status;
    (void)buf_put(&question->body, body.data, body.len);
    question->is_over = true;
}

static void take_head(struct question *question, const Pb__LlmItem *item)
{
    question->http_status = item->http_status;
    for (size_t i = 0; i < item->n_headers; i++) {
        if (strcasecmp(item->headers[i]->name, "Idempotent-Replayed") == 0) {
            question->is_replayed = true;
        }
    }
}

static void take_item(struct question *question, const Pb__LlmItem *item)
{
    if (item->call != question->call || question->is_over) return;
    switch (item->kind) {
    case PB__LLM_ITEM_KIND__LLM_ITEM_KIND_HEAD: take_head(question, item); break;
    case PB__LLM_ITEM_KIND__LLM_ITEM_KIND_DATA:
        (void)buf_put(&question->body, item->data.data, item->data.len);
        break;
    case PB__LLM_ITEM_KIND__LLM_ITEM_KIND_END:
        add_usage(question, item->usage);
        question->is_over = true;
        break;
    default: break;
    }
}

/* Whether both numbers were given by the same subscriber there. One that was silent for long, or
 * whose llm-proxy was started again, is another one under the same id, and has none of its calls.
 */
static bool is_of_one_era(uint64_t a, uint64_t b)
{
    return a >> ERA_BITS == b >> ERA_BITS;
}

/* It comes again, and an answer that was bought is given by its key. */
static status lost(struct error *reterr)
{
    return fail(reterr, STATUS_UNAVAILABLE,
                "the llm-proxy was started again before the model had answered");
}

static status pull(struct question *question, struct error *reterr)
{
    CLEANUP(rpc_answer_freep) struct rpc_answer *answer = NULL;
    Pb__LlmPull message                                 = PB__LLM_PULL__INIT;
    message.subscriber =
        (ProtobufCBinaryData){.data = question->subscriber.id, .len = SUBSCRIBER_SIZE};
    message.last_reply = question->subscriber.last_reply;
    message.wait_ms    = LLM_EMBEDDER_PULL_MS;
    status code = ask_rpc(question, "Pull", &message, LLM_EMBEDDER_PULL_MS + RPC_LONG_SLACK_MS,
                          &answer, reterr);
    if (code == STATUS_NOT_FOUND) return lost(reterr);
    if (code != STATUS_OK) return code;
    const Pb__LlmPulled *pulled = answer->message;
    if (!is_of_one_era(pulled->reply, question->call)) return lost(reterr);
    question->subscriber.last_reply = pulled->reply;
    for (size_t i = 0; i < pulled->n_items; i++) take_item(question, pulled->items[i]);
    if (!question->body.is_full) return STATUS_OK;
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the embeddings take more than %d MiB",
                LLM_EMBEDDER_ANSWER_MAX >> 20);
}

static void give_up(struct question *question)
{
    CLEANUP(rpc_answer_freep) struct rpc_answer *answer = NULL;
    Pb__LlmCancel message                               = PB__LLM_CANCEL__INIT;
    message.subscriber =
        (ProtobufCBinaryData){.data = question->subscriber.id, .len = SUBSCRIBER_SIZE};
    message.calls   = &question->call;
    message.n_calls = 1;
    (void)!ask_rpc(question, "Cancel", &message, LLM_EMBEDDER_PULL_MS, &answer, NULL);
}

/* One key stands for one question, and a call of memory may have several: of each version, and one
 * more if others changed the namespace meanwhile. Empty: none was given. */
static const char *key_of(const struct embed_ask *ask, str body)
{
    uint8_t digest[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    if (ask->idempotency_key.len == 0) return "";
    sha256(bytes_from(body), digest);
    hex_encode(digest, sizeof digest, hex);
    return arena_printf(ask->arena, STR_FMT "\x1f%s", STR_ARG(ask->idempotency_key), hex);
}

static status open_call(struct question *question, const struct embed_ask *ask,
                        struct error *reterr)
{
    CLEANUP(buf_done) struct buf body                   = buf_init(REQUEST_MAX);
    CLEANUP(rpc_answer_freep) struct rpc_answer *answer = NULL;
    Pb__LlmOpen message                                 = PB__LLM_OPEN__INIT;
    write_body(ask, &body);
    if (body.is_full) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the texts take more than %d MiB",
                    REQUEST_MAX >> 20);
    }
    const char *key       = key_of(ask, buf_str(&body));
    const char *namespace = arena_strdup(ask->arena, ask->tenant);
    const char *key_id    = arena_strdup(ask->arena, ask->payer.key_id);
    if (!key || !namespace || !key_id) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the call takes too much memory");
    }
    message.subscriber =
        (ProtobufCBinaryData){.data = question->subscriber.id, .len = SUBSCRIBER_SIZE};
    message.operation       = PB__LLM_OPERATION__LLM_OPERATION_OPENAI_EMBEDDINGS;
    message.path            = "/v1/embeddings";
    message.body            = (ProtobufCBinaryData){.data = (uint8_t *)body.ptr, .len = body.len};
    message.namespace_      = namespace;
    message.key_id          = key_id;
    message.usage_reported  = ask->payer.is_reported;
    message.idempotency_key = key;
    message.deadline_us     = clock_unix_us() + (ask->deadline_ms - clock_mono_ms()) * 1000;
    TRY(ask_rpc(question, "Open", &message, OPEN_MS, &answer, reterr));
    const Pb__LlmOpened *opened = answer->message;
    question->call              = opened->call;
    if (opened->call == 0 && opened->answer) {
        take_answer(question, opened->answer->http_status, opened->answer->body);
    } else if (!is_of_one_era(opened->call, question->subscriber.last_reply)) {
        question->subscriber.last_reply = 0; /* nothing was heard of this one */
    }
    return STATUS_OK;
}

/* What a refusal says, in words of ours and a piece of theirs. */
static status refusal(struct question *question, struct error *reterr)
{
    CLEANUP(json_unrefp) json value = json_invalid();
    str reason                      = {};
    int http                        = (int)question->http_status;
    if (json_parse(buf_str(&question->body), NULL, &value, NULL, NULL) == STATUS_OK) {
        json message = json_get_text(json_get_text(value, "error"), "message");
        if (json_is(message, JSON_TEXT)) reason = str_slice(json_str(message), 0, REASON_MAX);
    }
    status code = STATUS_UNAVAILABLE;
    if (http == 402) code = STATUS_FAILED_PRECONDITION;
    /* 409: an attempt that was lost has asked the same, and its answer is on its way. */
    bool is_passing = http == 402 || http == 408 || http == 409 || http == 429;
    if (http >= 400 && http < 500 && !is_passing) code = STATUS_INVALID_ARGUMENT;
    return fail(reterr, code, "the embedding model answered %d: " STR_FMT, http, STR_ARG(reason));
}

static status run(struct question *question, const struct embed_ask *ask,
                  struct embed_answer *ret_answer, struct error *reterr)
{
    TRY(open_call(question, ask, reterr));
    while (!question->is_over) {
        if (atomic_load(ask->is_cancelled)) return fail(reterr, STATUS_CANCELLED, "cancelled");
        if (clock_mono_ms() >= ask->deadline_ms) {
            return fail(reterr, STATUS_DEADLINE_EXCEEDED, "the embedding model took too long");
        }
        TRY(pull(question, reterr));
    }
    if (question->http_status != 200) return refusal(question, reterr);
    return llm_embedder_read(buf_str(&question->body), ask->count, ask->arena, ret_answer, reterr);
}

static struct subscriber take_subscriber(struct llm_embedder *embedder)
{
    struct subscriber taken = {};
    (void)pthread_mutex_lock(&embedder->mutex);
    bool is_there = embedder->idle_count > 0;
    if (is_there) taken = embedder->idle[--embedder->idle_count];
    (void)pthread_mutex_unlock(&embedder->mutex);
    if (is_there) return taken;
    random_bytes(taken.id, sizeof taken.id);
    taken.replica = (uint16_t)(random_u64() % embedder->replicas);
    return taken;
}

/* One whose question did not end well is not used again. */
static void give_subscriber(struct llm_embedder *embedder, const struct subscriber *subscriber)
{
    (void)pthread_mutex_lock(&embedder->mutex);
    bool has_room = embedder->idle_count < SUBSCRIBERS_MAX;
    if (has_room) embedder->idle[embedder->idle_count++] = *subscriber;
    (void)pthread_mutex_unlock(&embedder->mutex);
}

static status embed(void *self, const struct embed_ask *ask, struct embed_answer *ret_answer,
                    Pb__Usage *usage, struct error *reterr)
{
    struct llm_embedder *embedder = self;
    if (!embedder->client) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "no llm-proxy embeds texts here: set tools.llm, or give `vector`");
    }
    struct question question = {.client     = embedder->client,
                                .subscriber = take_subscriber(embedder),
                                .body       = buf_init(LLM_EMBEDDER_ANSWER_MAX),
                                .is_owed    = ask->payer.is_owed,
                                .usage      = usage,
                                .arena      = ask->arena};
    status code              = run(&question, ask, ret_answer, reterr);
    if (question.call && !question.is_over) give_up(&question);
    if (question.is_over) give_subscriber(embedder, &question.subscriber);
    buf_done(&question.body);
    return code;
}

struct embedder llm_embedder_of(struct llm_embedder *embedder)
{
    return (struct embedder){.embed = embed, .self = embedder};
}
