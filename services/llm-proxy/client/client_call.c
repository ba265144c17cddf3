#include "llm-proxy/client/client_call_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "llm-proxy/call/cache_wish.h"
#include "llm-proxy/chat/repair.h"
#include "llm-proxy/dialects/llm_reply.h"
#include "llm-proxy/guard/llm_charge.h"

#include <stdlib.h>

enum {
    RUN_NAME_MAX = 128, /* bytes, as of a client's own id */
    HELD_MAX = 8 << 20, /* bytes written of a stream before anything was meant, or of one event */
};

/* --- life --------------------------------------------------------------------------------------
 */

static struct client_call *client_call_new(struct client_calls *calls,
                                           struct subscriber *subscriber, const Pb__LlmOpen *open)
{
    struct client_call *client = mem_new(1, sizeof *client);
    client->calls              = calls;
    client->subscriber         = subscriber;
    client->number             = subscriber_next_call(subscriber);
    client->arena              = arena_new(CHAT_ARENA_MAX);
    client->asked              = arena_new(CHAT_ARENA_MAX);
    client->dialect            = dialect_of(open->operation);
    client->deadline_ms        = llm_deadline_ms(open->deadline_us);
    client->created_us         = clock_unix_us();
    client->held               = buf_init(HELD_MAX);
    client->next               = subscriber->calls;
    if (client->next) client->next->previous = client;
    subscriber->calls = client;
    client->pipeline  = pipeline_hold(calls->pipeline);
    calls->count++;
    ASSERT(client->arena && client->asked);
    return client;
}

/* Its client may leave: it is none of its subscriber's any more. */
static void leave_subscriber(struct client_call *client)
{
    struct subscriber *subscriber = TAKE(client->subscriber);
    if (!subscriber) return;
    if (client->next) client->next->previous = client->previous;
    if (client->previous) {
        client->previous->next = client->next;
    } else {
        subscriber->calls = client->next;
    }
}

static void client_call_free(struct client_call *client)
{
    leave_subscriber(client);
    client->calls->count--;
    peers_search_drop(client->search);
    answers_unclaim(&client->claim);
    client_check_done(client);
    if (client->recording) recording_drop(client->recording);
    if (client->writer) client->dialect->stream_free(client->writer);
    buf_done(&client->held);
    chat_request_done(client->request);
    json_unref(client->body);
    free(client->spelling);
    arena_free(client->asked);
    arena_free(client->arena);
    pipeline_release(client->pipeline);
    free(client);
}

struct client_call *client_call_of(struct subscriber *subscriber, uint64_t number)
{
    struct client_call *client = subscriber->calls;
    while (client && client->number != number) client = client->next;
    return client;
}

/* Whose it is, with what its run says of itself; `labels` has room for both. */
static struct usage_owner owner_of(const struct client_call *client, Pb__Label **labels)
{
    const Pb__ReservedRun *run = client->purse.run.run;
    struct usage_owner owner   = client->owner;
    if (!run) return owner;
    size_t own        = owner.label_count;
    owner.namespace_  = run->namespace_;
    owner.workflow    = run->workflow;
    owner.run         = run->run;
    owner.call        = client->purse.run.call.text;
    owner.labels      = labels;
    owner.label_count = 0;
    for (size_t i = 0; i < own; i++) labels[owner.label_count++] = client->owner.labels[i];
    for (size_t i = 0; i < run->n_labels; i++) {
        bool is_said = false;
        for (size_t at = 0; at < own && !is_said; at++) {
            is_said = strcmp(labels[at]->key, run->labels[i]->key) == 0 &&
                      strcmp(labels[at]->value, run->labels[i]->value) == 0;
        }
        if (!is_said) labels[owner.label_count++] = run->labels[i];
    }
    return owner;
}

/* What it has used is charged, and counted. */
static void settle(struct client_call *client, const Pb__Usage *used)
{
    const Pb__ReservedRun *run     = client->purse.run.run;
    size_t count                   = client->owner.label_count + (run ? run->n_labels : 0);
    Pb__Label **labels             = run ? mem_new(count + 1, sizeof(Pb__Label *)) : NULL;
    const struct usage_owner owner = owner_of(client, labels);
    if (run) client->charged_run = arena_strdup(client->arena, str_from(run->run));
    purse_settle(&client->purse, client->is_reported ? NULL : &owner, used);
    free(labels);
}

/* Its upstream sees the connection close; what was produced is charged. */
static void stop_call(struct client_call *client, Pb__Usage *ret_used)
{
    pb__usage__init(ret_used);
    if (client->call) {
        llm_call_used(client->call, ret_used);
        llm_call_cancel(TAKE(client->call));
    }
    if (client->embed) {
        embed_used(client->embed, ret_used);
        embed_cancel(TAKE(client->embed));
    }
    settle(client, ret_used);
}

void client_call_cancel(struct client_call *client)
{
    Pb__Usage used;
    stop_call(client, &used);
    client_call_free(client);
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void send_whole(struct client_call *client, const struct llm_outcome *outcome)
{
    CLEANUP(buf_done) struct buf body = buf_init(CLIENT_CALL_BODY_MAX);
    int http                          = 200;
    if (outcome->is_ok) {
        client->dialect->print_answer(outcome, client->request, &body);
    } else {
        const struct dialect_error error = dialect_error_of(client->dialect, &outcome->error);
        client->dialect->print_error(&error, &body);
        http = error.http;
    }
    struct llm_reply_head head;
    llm_reply_fill_head(&head, outcome);
    recording_head(client->recording, (uint32_t)http, head.list, head.count);
    recording_end(TAKE(client->recording), buf_str(&body), &outcome->usage,
                  outcome->is_ok ? RECORDING_BOUGHT : RECORDING_FAILED);
    buf_done(&head.cost);
}

/* A durable stream that nobody reads any more. */
static void on_abandoned(void *context)
{
    struct client_call *client = context;
    Pb__Usage used;
    stop_call(client, &used);
    repair_add_usage(&used, &client->spent);
    if (client->is_committed) {
        const struct llm_error error = {
            .class = LLM_ERROR_INTERRUPTED,
            .text  = str_from("the stream was given up before it was whole")};
        if (client->is_checked) client_stream_renew(client);
        client_stream_fail(client, &error);
        recording_end(TAKE(client->recording), buf_str(&client->held), &used, RECORDING_CUT);
    }
    client_call_free(client);
}

/* What was held back of a stream goes out, or an error alone. */
static void prepare_held(struct client_call *client, bool is_ok)
{
    if (!client->request->is_stream) return;
    if (is_ok && !client->is_committed) client_stream_commit(client);
    if (!is_ok && client->is_committed) client_stream_renew(client);
}

void client_call_cut(struct client_call *client)
{
    struct llm_outcome outcome = {.provider = "", .usage = PB__USAGE__INIT};
    outcome.error.class = client->is_committed ? LLM_ERROR_INTERRUPTED : LLM_ERROR_OVERLOADED;
    outcome.error.text  = str_from("this llm-proxy is being stopped");
    stop_call(client, &outcome.usage);
    repair_add_usage(&outcome.usage, &client->spent);
    if (client->is_checked) prepare_held(client, false);
    if (client->is_committed) {
        client_stream_end(client, &outcome);
    } else {
        send_whole(client, &outcome);
    }
    client_call_free(client);
}

void client_call_end(struct client_call *client, const struct llm_outcome *outcome)
{
    struct llm_outcome ended = *outcome;
    if (client->is_broken && ended.is_ok) {
        ended.is_ok = false;
        ended.error = (struct llm_error){.class = LLM_ERROR_CONNECT,
                                         .text  = str_from("an event of the answer is too long")};
    }
    settle(client, &outcome->usage);
    if (client->is_checked && client_check_answer(client, &ended)) return;
    client->call  = NULL;
    client->embed = NULL;
    if (client->is_checked) prepare_held(client, ended.is_ok);
    if (client->is_committed) {
        client_stream_end(client, &ended);
    } else {
        send_whole(client, &ended);
    }
    client_log_end(client, &ended);
    client_call_free(client);
}

static void on_done(const struct llm_outcome *outcome, void *context)
{
    client_call_end(context, outcome);
}

/* --- the beginning -----------------------------------------------------------------------------
 */

static void run(struct client_call *client)
{
    struct pipeline *pipeline = client->pipeline;
    struct llm_stream stream  = client_stream;
    client_log_request(client);
    if (client->dialect == &dialect_openai_embeddings) {
        client->embed = embed_start(pipeline, client->request, client->route, NULL,
                                    client->deadline_ms, on_done, client);
        return;
    }
    client->call = llm_call_start(pipeline, client->request, client->route, client->deadline_ms,
                                  on_done, client);
    llm_call_is_of(client->call, str_from(client->owner.namespace_));
    llm_call_guess(client->call, client->estimate.input);
    stream.context      = client;
    stream.is_collected = client->is_checked || pipeline_catalog(pipeline)->logs_content;
    if (client->request->is_stream) llm_call_stream(client->call, &stream);
    struct answer_key key;
    if (client->cache_age_ms >= 0 && cache_wish_key(client->request, client->body, client->route,
                                                    client->owner.namespace_, &key)) {
        llm_call_save(client->call, &key, client->cache_age_ms);
    }
}

/* Its run and its budgets have said whether it may go. */
static void on_funded(enum guard_verdict verdict, const struct guard_refusal *refusal,
                      void *context)
{
    struct client_call *client = context;
    if (verdict == GUARD_GO) {
        run(client);
        return;
    }
    const struct llm_outcome outcome = {
        .error    = llm_charge_error(verdict, refusal),
        .provider = "",
        .usage    = PB__USAGE__INIT,
    };
    client_call_end(client, &outcome);
}

bool client_call_ask(struct client_call *client)
{
    bool is_free               = client->request->is_count; /* nobody charges for counting */
    enum guard_verdict verdict = is_free ? GUARD_GO : purse_open(&client->purse);
    if (verdict == GUARD_GO) run(client);
    return verdict != GUARD_UNKNOWN;
}

/* The run that it is charged to, if it names one. Counting is free, and what its caller reports is
 * charged by that. */
static int find_run(struct client_call *client, const Pb__LlmOpen *open, struct error *reterr)
{
    str header = llm_open_header(open, "tutti-run");
    str name   = str_trim(header, STR_BLANKS);
    if (!header.ptr || client->is_reported || client->request->is_count) return 200;
    if (name.len == 0 || name.len > RUN_NAME_MAX) {
        (void)fail(reterr, STATUS_INVALID_ARGUMENT,
                   "Tutti-Run: the id of a run, or a client's own one");
        return 400;
    }
    client->purse.run.name      = arena_strdup(client->arena, name);
    client->purse.run.partition = (uint16_t)open->run_partition;
    if (client->purse.run.name) return 200;
    (void)fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    return 413;
}

/* Who it is charged to, and what it may cost. The HTTP status that refuses it, or 200. */
static int prepare(struct client_call *client, const Pb__LlmOpen *open, struct error *reterr)
{
    struct purse *purse            = &client->purse;
    Pb__ReserveBudgets *asked      = &purse->asked;
    struct token_estimate estimate = client->estimate;
    estimate.input = llm_question_tokens(client->calls->guard, client->route, client->request,
                                         client->estimate.input);
    llm_charge_fill(open, &estimate, asked);
    if (!llm_charge_labels(open, client->arena, asked)) {
        (void)fail(reterr, STATUS_INVALID_ARGUMENT,
                   "Tutti-Labels: at most %d of KEY=VALUE, with commas between them",
                   LLM_CHARGE_LABELS_MAX);
        return 400;
    }
    client->owner = (struct usage_owner){
        .namespace_  = arena_strdup(client->arena, str_from(open->namespace_)),
        .key         = arena_strdup(client->arena, str_from(open->key_id)),
        .labels      = asked->labels,
        .label_count = asked->n_labels,
    };
    client->request_id = arena_strdup(client->arena, str_from(open->request_id));
    if (!client->owner.namespace_ || !client->owner.key || !client->request_id) {
        (void)fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
        return 413;
    }
    client->is_reported = open->usage_reported;
    pb__model_price__init(&purse->price);
    bool is_priced    = catalog_dearest(pipeline_catalog(client->pipeline), client->route,
                                        &purse->price.input_picos, &purse->price.output_picos);
    asked->price      = is_priced ? &purse->price : NULL;
    asked->namespace_ = client->owner.namespace_;
    asked->key        = client->owner.key;
    asked->model      = arena_strdup(client->arena, client->request->model);
    purse->guard      = client->calls->guard;
    purse->fund       = (struct guard_fund){.decided = on_funded, .context = client};
    purse->drawn      = client_stream_drawn;
    purse->context    = client;
    return find_run(client, open, reterr);
}

/* Its budgets are asked. False: they cannot be. */
static bool go(struct client_call *client)
{
    client_check_begin(client);
    return client_call_ask(client);
}

/* --- keys, and streams that go on --------------------------------------------------------------
 */

static int refuse_key(enum answers_verdict verdict, struct error *reterr)
{
    switch (verdict) {
    case ANSWERS_RUNNING:
        (void)fail_code(reterr, STATUS_ALREADY_EXISTS, "idempotency_in_progress",
                        "Idempotency-Key: the first request with it is still running");
        return 409;
    case ANSWERS_OTHER:
        (void)fail_code(reterr, STATUS_INVALID_ARGUMENT, "idempotency_key_reused",
                        "Idempotency-Key: it stands for another request");
        return 422;
    default:
        (void)fail(reterr, STATUS_UNAVAILABLE, "the answers that are kept cannot be read now");
        return 503;
    }
}

static int refuse_full(struct error *reterr)
{
    (void)fail(reterr, STATUS_UNAVAILABLE,
               "too many answers are on their way: try again in a moment");
    return 503;
}

/* 0: there is nothing under its key. 200: that goes out. Else it is refused. */
static int look_up(struct client_call *client, const Pb__LlmOpen *open, struct error *reterr)
{
    Pb__KeptAnswer *kept = NULL;
    void *owner          = NULL;
    if (!*open->idempotency_key) return 0;
    answers_name_call(open, client->claim.name);
    answers_digest_call(open, client->claim.request);
    enum answers_verdict verdict =
        answers_claim(client->calls->answers, &client->claim, &kept, &owner);
    if (verdict == ANSWERS_CLAIMED) return 0;
    if (verdict != ANSWERS_KEPT) return refuse_key(verdict, reterr);
    bool is_sent = recordings_replay(client->subscriber, client->number, kept);
    pb__kept_answer__free_unpacked(kept, NULL);
    return is_sent ? 200 : refuse_full(reterr);
}

/* Its Open was answered already. */
static void refuse_late(struct client_call *client, int http, const struct error *cause)
{
    CLEANUP(buf_done) struct buf body = buf_init(CLIENT_CALL_BODY_MAX);
    const Pb__Usage none              = PB__USAGE__INIT;
    Pb__LlmHeader retry               = PB__LLM_HEADER__INIT;
    Pb__LlmHeader *headers[]          = {&retry};
    retry.name                        = "x-should-retry";
    retry.value                       = http == 422 ? "false" : "true";
    llm_reply_print_refusal(client->dialect, http, cause, &body);
    recording_head(client->recording, (uint32_t)http, headers, ARRAY_LEN(headers));
    recording_end(TAKE(client->recording), buf_str(&body), &none, RECORDING_FAILED);
    client_call_free(client);
}

/* What other llm-proxies say about its key. */
static void on_found(enum answers_verdict verdict, const Pb__KeptAnswer *kept, void *context)
{
    struct client_call *client        = context;
    const struct guard_refusal nobody = {};
    struct error error                = {};
    client->search                    = NULL;
    if (verdict == ANSWERS_CLAIMED) {
        if (!go(client)) on_funded(GUARD_UNKNOWN, &nobody, client);
    } else if (verdict == ANSWERS_KEPT) {
        recording_replay(TAKE(client->recording), kept);
        client_call_free(client);
    } else {
        int http = refuse_key(verdict, &error);
        refuse_late(client, http, &error);
    }
}

/* The HTTP status that refuses it, or 200. */
static int begin(struct client_call *client, const Pb__LlmOpen *open, struct error *reterr)
{
    if (*open->idempotency_key) {
        client->search = peers_seek(client->calls->peers, &client->claim, "", on_found, client);
    }
    if (client->search || go(client)) return 200;
    (void)fail(reterr, STATUS_UNAVAILABLE, "the budgets cannot be asked now");
    return 503;
}

static void relieved(void *context)
{
    client_stream_go_on(context);
}

static bool record(struct client_call *client, const Pb__LlmOpen *open)
{
    bool is_durable =
        client->request->is_stream && str_is(llm_open_header(open, "tutti-durable"), "true");
    const struct recording_owner owner = {
        .relieved = relieved, .abandoned = is_durable ? on_abandoned : NULL, .context = client};
    client->recording =
        recording_new(client->calls->recordings, open, is_durable, &client->claim, &owner);
    if (!client->recording) return false;
    if (!recording_follow(client->recording, client->subscriber, client->number)) return false;
    if (is_durable) leave_subscriber(client);
    return true;
}

int client_call_start(struct client_calls *calls, struct subscriber *subscriber,
                      const Pb__LlmOpen *open, uint64_t *ret_number, struct error *reterr)
{
    struct client_call *client = client_call_new(calls, subscriber, open);
    *ret_number                = client->number;
    int http                   = look_up(client, open, reterr);
    if (http == 0) {
        http = client_request_read(client, open, reterr);
        if (http == 200) http = prepare(client, open, reterr);
        if (http == 200 && !record(client, open)) http = refuse_full(reterr);
        if (http == 200) http = begin(client, open, reterr);
        if (http == 200) return 200;
    }
    client_call_free(client);
    return http;
}
