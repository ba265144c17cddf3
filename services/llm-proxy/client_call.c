#include "llm-proxy/client_call.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "llm-proxy/dialect.h"
#include "llm-proxy/embed.h"
#include "llm-proxy/llm_charge.h"
#include "llm-proxy/llm_reply.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    BODY_DEPTH_MAX  = 64,
    BODY_VALUES_MAX = 1'000'000,
    HELD_MAX = 8 << 20, /* bytes written of a stream before anything was meant, or of one event */
};

struct client_call {
    struct client_calls *calls;
    struct subscriber *subscriber;
    struct outbox *outbox;
    uint64_t number;
    struct arena *arena;
    json body; /* the request's texts are views of it */
    struct chat_request *request;
    struct llm_route scratch;
    const struct llm_route *route;
    int64_t deadline_ms;
    int64_t created_us;
    struct guard_fund fund;
    const struct dialect *dialect;
    struct llm_call *call;    /* of a chat */
    struct embed_call *embed; /* of embeddings */

    /* Of a stream. */
    void *writer;    /* the dialect's; of the try under way */
    struct buf held; /* what it has written and nobody has got */
    struct llm_try try;
    bool is_committed;
    bool is_broken; /* an event that does not fit: what comes is not written */

    struct client_call *next; /* of the subscriber */
};

static void on_done(const struct llm_outcome *outcome, void *context);

/* --- life --------------------------------------------------------------------------------------
 */

static void relieved(void *context)
{
    struct client_call *client = context;
    if (client->call) llm_call_resume(client->call);
}

static struct client_call *client_call_new(struct client_calls *calls,
                                           struct subscriber *subscriber, const Pb__LlmOpen *open)
{
    struct client_call *client      = mem_new(1, sizeof *client);
    const struct outbox_owner owner = {.relieved = relieved, .context = client};
    client->calls                   = calls;
    client->subscriber              = subscriber;
    client->number                  = ++calls->last;
    client->arena                   = arena_new(CHAT_ARENA_MAX);
    client->dialect                 = dialect_of(open->operation);
    client->deadline_ms             = llm_deadline_ms(open->deadline_us);
    client->created_us              = clock_unix_us();
    client->held                    = buf_init(HELD_MAX);
    client->outbox                  = outbox_new(subscriber, client->number, &owner);
    client->next                    = subscriber->calls;
    subscriber->calls               = client;
    calls->count++;
    ASSERT(client->arena);
    return client;
}

static void client_call_free(struct client_call *client)
{
    struct client_call **link = &client->subscriber->calls;
    while (*link && *link != client) link = &(*link)->next;
    if (*link) *link = client->next;
    client->calls->count--;
    if (client->outbox) outbox_drop(client->outbox);
    if (client->writer) client->dialect->stream_free(client->writer);
    buf_done(&client->held);
    chat_request_done(client->request);
    json_unref(client->body);
    arena_free(client->arena);
    free(client);
}

struct client_call *client_call_of(struct subscriber *subscriber, uint64_t number)
{
    struct client_call *client = subscriber->calls;
    while (client && client->number != number) client = client->next;
    return client;
}

void client_call_cancel(struct client_call *client)
{
    Pb__Usage used = PB__USAGE__INIT;
    if (client->call) {
        llm_call_used(client->call, &used);
        llm_call_cancel(client->call);
    }
    if (client->embed) embed_cancel(client->embed);
    guard_settle(client->calls->guard, &client->fund, used.calls > 0 ? &used : NULL);
    client_call_free(client);
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void log_call(const struct client_call *client, const struct llm_outcome *outcome)
{
    log_write(outcome->is_ok ? LOG_INFO : LOG_WARN, "llm.response",
              LOG_STR("model", client->request->model),
              LOG_STR("provider", str_from(outcome->provider)), LOG_INT("tries", outcome->tries),
              LOG_INT("duration_ms", outcome->duration_ms),
              LOG_INT("input_tokens", outcome->usage.input_tokens),
              LOG_INT("output_tokens", outcome->usage.output_tokens),
              LOG_BOOLEAN("stream", client->request->is_stream),
              LOG_BOOLEAN("simulated", outcome->is_simulated),
              LOG_STR("error.message", outcome->is_ok ? (str){} : outcome->error.text));
}

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
    outbox_head(client->outbox, (uint32_t)http, head.list, head.count);
    outbox_data(client->outbox, buf_str(&body));
    outbox_end(TAKE(client->outbox), &outcome->usage, "complete");
    buf_done(&head.cost);
}

static void flush(struct client_call *client)
{
    outbox_data(client->outbox, buf_str(&client->held));
    buf_clear(&client->held);
}

static void end_stream(struct client_call *client, const struct llm_outcome *outcome)
{
    if (outcome->is_ok) {
        client->dialect->stream_end(client->writer, &outcome->counters, &client->held);
    } else {
        const struct dialect_error error = dialect_error_of(client->dialect, &outcome->error);
        client->dialect->stream_fail(client->writer, &error, &client->held);
    }
    flush(client);
    outbox_end(TAKE(client->outbox), &outcome->usage, outcome->is_ok ? "complete" : "cut");
}

static void on_done(const struct llm_outcome *outcome, void *context)
{
    struct client_call *client = context;
    struct llm_outcome ended   = *outcome;
    client->call               = NULL;
    client->embed              = NULL;
    if (client->is_broken && ended.is_ok) {
        ended.is_ok = false;
        ended.error = (struct llm_error){.class = LLM_ERROR_CONNECT,
                                         .text  = str_from("an event of the answer is too long")};
    }
    guard_settle(client->calls->guard, &client->fund, &outcome->usage);
    if (client->is_committed) {
        end_stream(client, &ended);
    } else {
        send_whole(client, &ended);
    }
    log_call(client, &ended);
    client_call_free(client);
}

/* --- a stream ----------------------------------------------------------------------------------
 */

static void on_begun(const struct llm_try *begun, void *context)
{
    struct client_call *client    = context;
    const struct dialect *dialect = client->dialect;
    const char *id                = arena_printf(client->arena, "tutti-%" PRIu64, client->number);
    const struct dialect_about about = {.request      = client->request,
                                        .id           = str_from(id ? id : ""),
                                        .created_us   = client->created_us,
                                        .is_simulated = begun->is_simulated};
    if (client->writer) dialect->stream_free(client->writer);
    buf_clear(&client->held);
    client->writer = dialect->stream_new(&about);
    client->try    = *begun;
}

static void commit(struct client_call *client)
{
    struct llm_reply_head head;
    client->is_committed = true;
    llm_reply_fill_stream_head(&head, &client->try, client->dialect->stream_type);
    outbox_head(client->outbox, 200, head.list, head.count);
    buf_done(&head.cost);
}

static void on_event(const struct llm_event *event, void *context)
{
    struct client_call *client = context;
    if (client->is_broken) return;
    client->dialect->stream_event(client->writer, event, &client->held);
    if (client->held.is_full) {
        client->is_broken = true;
        buf_clear(&client->held);
        return;
    }
    if (!client->is_committed && !llm_event_is_meaningful(event)) return;
    if (!client->is_committed) commit(client);
    flush(client);
    if (outbox_is_full(client->outbox)) llm_call_pause(client->call);
}

/* --- the beginning -----------------------------------------------------------------------------
 */

static void run(struct client_call *client)
{
    struct pipeline *pipeline      = client->calls->pipeline;
    const struct llm_stream stream = {.begun = on_begun, .event = on_event, .context = client};
    if (client->dialect == &dialect_openai_embeddings) {
        client->embed = embed_start(pipeline, client->request, client->route, client->deadline_ms,
                                    on_done, client);
        return;
    }
    client->call = llm_call_start(pipeline, client->request, client->route, client->deadline_ms,
                                  on_done, client);
    if (client->request->is_stream) llm_call_stream(client->call, &stream);
}

/* Its budgets have said whether it may go. */
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
    on_done(&outcome, client);
}

/* Goes, or asks its budgets first; what they say comes later. The HTTP status that refuses it, or
 * 200. */
static int begin(struct client_call *client, const Pb__LlmOpen *open, struct error *reterr)
{
    Pb__ReserveBudgets asked = PB__RESERVE_BUDGETS__INIT;
    Pb__ModelPrice price     = PB__MODEL_PRICE__INIT;
    llm_charge_fill(open, client->body, client->dialect == &dialect_openai_embeddings, &asked);
    if (!llm_charge_labels(open, client->arena, &asked)) {
        (void)fail(reterr, STATUS_INVALID_ARGUMENT,
                   "Tutti-Labels: at most %d of KEY=VALUE, with commas between them",
                   LLM_CHARGE_LABELS_MAX);
        return 400;
    }
    bool is_priced = catalog_dearest(client->calls->catalog, client->route, &price.input_picos,
                                     &price.output_picos);
    if (is_priced) asked.price = &price;
    asked.model  = arena_printf(client->arena, STR_FMT, STR_ARG(client->request->model));
    client->fund = (struct guard_fund){.decided = on_funded, .context = client};
    enum guard_verdict verdict = guard_reserve(client->calls->guard, &asked, &client->fund);
    if (verdict == GUARD_UNKNOWN) {
        (void)fail(reterr, STATUS_UNAVAILABLE, "the budgets cannot be asked now");
        return 503;
    }
    if (verdict == GUARD_GO) run(client);
    return 200;
}

/* Reads the body and finds the route: the HTTP status that refuses it, or 200. */
static int admit(struct client_call *client, const Pb__LlmOpen *open, struct error *reterr)
{
    str text                        = {.ptr = (const char *)open->body.data, .len = open->body.len};
    const struct json_limits limits = {.depth_max = BODY_DEPTH_MAX, .values_max = BODY_VALUES_MAX};
    if (json_parse(text, &limits, &client->body, NULL, reterr) != STATUS_OK) return 400;
    status code =
        dialect_read(client->dialect, open, client->body, client->arena, &client->request, reterr);
    if (code != STATUS_OK) return code == STATUS_UNIMPLEMENTED ? 501 : 400;
    const char *near = NULL;
    client->route =
        catalog_find(client->calls->catalog, client->request->model, &client->scratch, &near);
    if (client->route) return 200;
    (void)fail(reterr, STATUS_NOT_FOUND, "there is no model `" STR_FMT "`%s%s%s",
               STR_ARG(client->request->model), near ? "; did you mean `" : "", near ? near : "",
               near ? "`?" : "");
    return 404;
}

int client_call_start(struct client_calls *calls, struct subscriber *subscriber,
                      const Pb__LlmOpen *open, uint64_t *ret_number, struct error *reterr)
{
    struct client_call *client = client_call_new(calls, subscriber, open);
    int http                   = client->outbox ? admit(client, open, reterr) : 503;
    *ret_number                = client->number;
    if (http == 200) http = begin(client, open, reterr);
    if (http != 200) client_call_free(client);
    return http;
}
