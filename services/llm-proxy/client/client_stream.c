/* A client's stream: events in its dialect, held back until it commits. */
#include "base/attr.h"
#include "llm-proxy/client/client_call_internal.h"
#include "llm-proxy/dialects/llm_reply.h"

#include <inttypes.h>
#include <stdlib.h>

enum { WRITER_SIZE = 128 /* bytes at its front, roughly */ };

/* --- its events --------------------------------------------------------------------------------
 */

static void on_begun(const struct llm_try *begun, void *context)
{
    struct client_call *client = context;
    client->try                = *begun;
    client->try.number += client->tries;
    client_stream_renew(client);
}

void client_stream_renew(struct client_call *client)
{
    const struct dialect *dialect = client->dialect;
    const char *id                = arena_printf(client->arena, "tutti-%" PRIu64, client->number);
    const struct dialect_about about = {.request      = client->request,
                                        .id           = str_from(id ? id : ""),
                                        .created_us   = client->created_us,
                                        .is_simulated = client->try.is_simulated};
    if (client->writer) dialect->stream_free(client->writer);
    buf_clear(&client->held);
    client->writer = dialect->stream_new(&about);
}

/* A prompt may be large, and its answer take minutes. Another shape may be asked for again. */
static void let_go_of_request(struct client_call *client)
{
    bool is_needed = client->is_checked || !client->call || !llm_call_is_committed(client->call);
    if (is_needed) return;
    chat_request_strip(client->request);
    json_unref(json_take(&client->body));
    free(TAKE(client->spelling));
    arena_free(TAKE(client->asked));
}

/* What each event needs. */
static void look_ahead(const struct client_call *client)
{
    struct loop_ahead *ahead = client->call ? llm_call_ahead(client->call) : NULL;
    if (!ahead) return;
    loop_ahead_add(ahead, client, offsetof(struct client_call, try));
    loop_ahead_add(ahead, &client->purse, sizeof client->purse);
    loop_ahead_add(ahead, client->writer, WRITER_SIZE);
    recording_ahead(client->recording, ahead);
}

void client_stream_commit(struct client_call *client)
{
    struct llm_reply_head head;
    client->is_committed = true;
    let_go_of_request(client);
    llm_reply_fill_stream_head(&head, &client->try, client->dialect->stream_type);
    recording_head(client->recording, 200, head.list, head.count);
    buf_done(&head.cost);
    look_ahead(client);
}

static void flush(struct client_call *client)
{
    if (client->held.len == 0) return;
    recording_data(client->recording, buf_str(&client->held));
    buf_done(&client->held); /* a stream that waits keeps no empty buffer */
}

/* What ends an answer that is kept goes out when it is; the end of one choice of several, when
 * another one goes on. */
static bool is_last(struct client_call *client, const struct llm_event *event)
{
    bool is_end = event->kind == LLM_FINISH ||
                  (event->kind == LLM_CHUNK && str_is(event->name, "message_stop"));
    bool is_more = llm_event_is_meaningful(event) || event->kind == LLM_TOOL_ARGS;
    if (is_end || is_more) client->is_finishing = is_end;
    return client->is_finishing && recording_is_kept(client->recording);
}

void client_stream_write(const struct llm_event *event, void *context)
{
    struct client_call *client = context;
    if (client->is_broken) return;
    client->dialect->stream_event(client->writer, event, &client->held);
    if (!client->held.is_full) return;
    client->is_broken = true;
    buf_clear(&client->held);
}

/* False: what is held waits for more. */
static bool send(struct client_call *client, const struct llm_event *event)
{
    if (!client->is_committed && !llm_event_is_meaningful(event)) return false;
    if (!client->is_committed) client_stream_commit(client);
    if (is_last(client, event)) return false;
    flush(client);
    if (recording_is_full(client->recording)) llm_call_pause(client->call);
    return true;
}

static void on_event(const struct llm_event *event, void *context)
{
    struct client_call *client = context;
    client_stream_write(event, client);
    if (client->is_broken) return;
    if (client->is_checked ? is_last(client, event) : !send(client, event)) return;
    bool is_paid   = client->try.cached == CACHED_HIT || client->try.cached == CACHED_JOINED;
    int64_t output = llm_call_output(client->call);
    bool is_outgrown =
        !is_paid && !client->is_finishing && purse_is_outgrown(&client->purse, output);
    if (!is_outgrown) return;
    llm_call_pause(client->call);
    purse_draw(&client->purse, output);
}

void client_stream_go_on(struct client_call *client)
{
    if (!client->call || client->purse.is_drawing) return;
    if (!recording_is_full(client->recording)) llm_call_resume(client->call);
}

void client_stream_drawn(bool is_granted, void *context)
{
    struct client_call *client = context;
    if (!client->call) return;
    if (is_granted) {
        client_stream_go_on(client);
    } else if (!client->is_finishing) {
        client->dialect->stream_stop(client->writer);
        llm_call_stop(client->call);
    }
}

const struct llm_stream client_stream = {.begun = on_begun, .event = on_event};

/* --- the end -----------------------------------------------------------------------------------
 */

void client_stream_fail(struct client_call *client, const struct llm_error *failed)
{
    const struct dialect_error error = dialect_error_of(client->dialect, failed);
    client->dialect->stream_fail(client->writer, &error, &client->held);
}

void client_stream_end(struct client_call *client, const struct llm_outcome *outcome)
{
    if (outcome->is_ok) {
        client->dialect->stream_end(client->writer, &outcome->counters, &client->held);
    } else {
        client_stream_fail(client, &outcome->error);
    }
    recording_end(TAKE(client->recording), buf_str(&client->held), &outcome->usage,
                  outcome->is_ok ? RECORDING_BOUGHT : RECORDING_CUT);
}
