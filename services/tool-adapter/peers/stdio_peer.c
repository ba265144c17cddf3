/* One server as a process: its beginning, what it says, its end and what follows from that. */
#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "tool-adapter/peers/mcp_news.h"
#include "tool-adapter/peers/mcp_stdio_internal.h"
#include "tool-adapter/peers/rpc_reply.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum {
    ARENA_MAX = 64 << 20,
    WORDS_MAX = 4'096 /* bytes of a line, before its secrets are hidden */
};

/* --- what it is told -------------------------------------------------------------------------- */

static void end(struct stdio_peer *peer, const char *why);

static bool write_line(struct stdio_peer *peer, str message)
{
    bool is_written = child_process_write(peer->child, message) &&
                      child_process_write(peer->child, str_from("\n"));
    if (!is_written) end(peer, "the server does not read");
    return is_written;
}

bool stdio_peer_say(struct stdio_peer *peer, const struct stdio_saying *saying)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    const struct mcp_outgoing outgoing       = {.method         = saying->method,
                                                .id             = saying->id,
                                                .params         = saying->params,
                                                .asks           = saying->asks,
                                                .is_modern      = peer->is_modern,
                                                .version        = peer->version,
                                                .session        = "",
                                                .client_name    = str_from(peer->client_name),
                                                .client_version = str_from(peer->client_version),
                                                .traceparent    = saying->traceparent};
    str body                                 = {};
    if (peer->state == STDIO_NONE || peer->state == STDIO_ENDING) return false;
    if (mcp_body_make(&outgoing, arena, &body, NULL) != STATUS_OK) return false;
    return write_line(peer, body);
}

enum mcp_offer stdio_peer_offer(const struct stdio_peer *peer)
{
    bool is_asked = peer->answers && !peer->is_modern;
    return is_asked ? mcp_offer_of(peer->version, true) : MCP_OFFERS_NOTHING;
}

static void answer(struct stdio_peer *peer, json message)
{
    CLEANUP(buf_done) struct buf text = buf_init(RPC_STREAM_MAX);
    CLEANUP(json_unrefp) json answer  = stdio_answer_new(peer, message);
    if (json_print(answer, JSON_COMPACT, &text)) (void)write_line(peer, buf_str(&text));
}

/* --- its end ---------------------------------------------------------------------------------- */

/* Of those that were sent, or of all. */
static void fail_calls(struct stdio_peer *peer, bool is_all, const char *why)
{
    struct mcp_stdio_call *next = NULL;
    for (struct mcp_stdio_call *call = peer->calls; call; call = next) {
        next = call->next;
        if (is_all || call->id != 0) stdio_call_fail(call, STATUS_UNAVAILABLE, why);
    }
}

/* Its process is over soon, and nothing that it says counts any more. `why` is static, or the
 * peer's `reason`. */
static void end(struct stdio_peer *peer, const char *why)
{
    if (peer->state == STDIO_ENDING) return;
    peer->why   = why;
    peer->state = STDIO_ENDING;
    loop_timer_clear(peer->stdio->loop, &peer->patience);
    child_process_kill(peer->child);
}

static void rest(struct stdio_peer *peer)
{
    struct loop *loop = peer->stdio->loop;
    int64_t rest_ms   = peer->rest_ms;
    peer->rest_ms     = rest_ms * 2 < STDIO_REST_MAX_MS ? rest_ms * 2 : STDIO_REST_MAX_MS;
    loop_timer_set(loop, &peer->pump, loop_now_ms(loop) + rest_ms);
}

static void log_end(const struct stdio_peer *peer, int wait_status)
{
    bool is_signal = WIFSIGNALED(wait_status);
    log_write(peer->state == STDIO_ENDING && !peer->why ? LOG_INFO : LOG_WARN,
              "an MCP server has ended", LOG_STR("server", str_from(peer->server->name)),
              LOG_INT(is_signal ? "signal" : "exit_code",
                      is_signal ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status)),
              LOG_STR("reason", str_from(peer->why ? peer->why : "")));
}

static void flush_words(struct stdio_peer *peer);

static void ended(int wait_status, void *context)
{
    struct stdio_peer *peer = context;
    bool was_stopped        = peer->state == STDIO_ENDING && !peer->why;
    const char *why         = peer->why ? peer->why : "the server ended before it answered";
    flush_words(peer);
    log_end(peer, wait_status);
    peer->state = STDIO_NONE;
    loop_timer_clear(peer->stdio->loop, &peer->patience);
    line_frames_done(&peer->frames);
    child_process_freep(&peer->child);
    if (was_stopped) {
        stdio_peer_wake(peer);
        return;
    }
    rest(peer);
    fail_calls(peer, !peer->was_ready, why);
}

/* Nobody needs it. */
static void stop(struct stdio_peer *peer)
{
    peer->why   = NULL;
    peer->state = STDIO_ENDING;
    child_process_stop(peer->child);
}

/* --- its beginning ---------------------------------------------------------------------------- */

static void set_patience(struct stdio_peer *peer, int64_t wait_ms)
{
    struct loop *loop = peer->stdio->loop;
    loop_timer_set(loop, &peer->patience, loop_now_ms(loop) + wait_ms);
}

static void become_ready(struct stdio_peer *peer)
{
    loop_timer_clear(peer->stdio->loop, &peer->patience);
    peer->state     = STDIO_READY;
    peer->was_ready = true;
    log_write(LOG_INFO, "an MCP server is ready", LOG_STR("server", str_from(peer->server->name)),
              LOG_INT("pid", child_process_id(peer->child)),
              LOG_STR("version", str_from(peer->version)));
    stdio_peer_wake(peer);
}

static void introduce(struct stdio_peer *peer, const char *version)
{
    peer->is_modern    = false;
    peer->version      = version;
    peer->state        = STDIO_INTRODUCING;
    peer->handshake_id = ++peer->last_id;
    set_patience(peer, STDIO_INTRODUCE_MS);
    const struct stdio_saying saying = {
        .method = "initialize", .id = peer->handshake_id, .asks = peer->answers};
    (void)stdio_peer_say(peer, &saying);
}

static void probe(struct stdio_peer *peer)
{
    peer->is_modern    = true;
    peer->version      = MCP_MODERN;
    peer->state        = STDIO_PROBING;
    peer->handshake_id = ++peer->last_id;
    set_patience(peer, STDIO_PROBE_MS);
    const struct stdio_saying saying = {.method = "server/discover", .id = peer->handshake_id};
    (void)stdio_peer_say(peer, &saying);
}

static void begin(struct stdio_peer *peer)
{
    bool is_modern = false;
    if (peer->wanted_version) {
        (void)mcp_version_is_known(str_from(peer->wanted_version), &is_modern);
        if (!is_modern) {
            introduce(peer, peer->wanted_version);
            return;
        }
        peer->is_modern = true; /* it needs no introduction */
        peer->version   = MCP_MODERN;
        become_ready(peer);
    } else if (peer->is_known_legacy) {
        introduce(peer, MCP_LEGACY);
    } else {
        probe(peer);
    }
}

static const char *const spoken[] = {MCP_MODERN, MCP_LEGACY, "2025-06-18", "2025-03-26"};

/* Static; NULL: it is no text, or no revision that is spoken here. */
static const char *spoken_of(json version)
{
    for (size_t i = 0; json_is(version, JSON_TEXT) && i < ARRAY_LEN(spoken); i++) {
        if (str_is(json_str(version), spoken[i])) return spoken[i];
    }
    return NULL;
}

/* The newest of a list. */
static const char *newest_of(json list)
{
    for (size_t k = 0; k < ARRAY_LEN(spoken); k++) {
        for (size_t i = 0; json_is(list, JSON_ARRAY) && i < json_count(list); i++) {
            if (spoken_of(json_at(list, i)) == spoken[k]) return spoken[k];
        }
    }
    return NULL;
}

/* Refusals that only the newer era has are of somebody who speaks it. */
static void take_discovery(struct stdio_peer *peer, json result, json error)
{
    int64_t code        = rpc_error_code(error);
    bool is_modern      = code <= MCP_HEADER_MISMATCH && code >= MCP_UNSUPPORTED_VERSION;
    const char *version = newest_of(json_get_text(result, "supportedVersions"));
    if (is_modern) {
        version = newest_of(json_get_text(json_get_text(error, "data"), "supported"));
        if (!version && code != MCP_UNSUPPORTED_VERSION) version = MCP_MODERN;
    }
    if (version && strcmp(version, MCP_MODERN) == 0) {
        become_ready(peer);
        return;
    }
    introduce(peer, version ? version : MCP_LEGACY);
}

static void take_introduction(struct stdio_peer *peer, json result, json error)
{
    const char *version = spoken_of(json_get_text(result, "protocolVersion"));
    if (json_is(error, JSON_OBJECT)) {
        CLEANUP(buf_done) struct buf said = buf_init(ERROR_TEXT_MAX);
        CLEANUP(json_unrefp) json shown   = json_mask_apply(peer->server->mask, error);
        rpc_error_put(shown, &said);
        (void)fail(&peer->reason, STATUS_UNAVAILABLE, "the server takes no introduction: %.200s",
                   buf_str(&said).ptr);
        end(peer, peer->reason.text);
        return;
    }
    if (!version || strcmp(version, MCP_MODERN) == 0) {
        end(peer, "the server speaks no revision of the protocol that is known here");
        return;
    }
    peer->version                    = version;
    peer->is_known_legacy            = !peer->wanted_version;
    const struct stdio_saying saying = {.method = "notifications/initialized"};
    if (stdio_peer_say(peer, &saying)) become_ready(peer);
}

/* --- what it says ----------------------------------------------------------------------------- */

static void hear(struct stdio_peer *peer, str method, json params)
{
    int64_t token                   = 0;
    CLEANUP(json_unrefp) json shown = json_mask_apply(peer->server->mask, params);
    mcp_news_log(method, shown);
    if (!str_is(method, "notifications/progress")) return;
    if (!json_to_int(json_get_text(params, "progressToken"), &token)) return;
    struct mcp_stdio_call *call = stdio_call_of(peer, token);
    if (call) stdio_call_hear(call, params);
}

static void take_message(struct stdio_peer *peer, json message)
{
    json id     = json_get_text(message, "id");
    json method = json_get_text(message, "method");
    json error  = json_get_text(message, "error");
    json result = json_get_text(message, "result");
    int64_t of  = 0;
    if (json_is(method, JSON_TEXT)) {
        json params = json_get_text(message, "params");
        if (json_is(id, JSON_INVALID)) hear(peer, json_str(method), params);
        if (!json_is(id, JSON_INVALID)) answer(peer, message);
        return;
    }
    if (!json_to_int(id, &of)) return;
    if (of == peer->handshake_id && peer->state == STDIO_PROBING) {
        take_discovery(peer, result, error);
    } else if (of == peer->handshake_id && peer->state == STDIO_INTRODUCING) {
        take_introduction(peer, result, error);
    } else {
        struct mcp_stdio_call *call = stdio_call_of(peer, of);
        if (call) stdio_call_take(call, message);
    }
}

static void came(str piece, void *context)
{
    struct stdio_peer *peer = context;
    if (peer->state == STDIO_ENDING) return;
    line_frames_put(&peer->frames, piece);
    while (peer->state != STDIO_ENDING) {
        CLEANUP(json_unrefp) json message = json_invalid();
        if (line_frames_next(&peer->frames, &message, &peer->reason) != STATUS_OK) {
            end(peer, peer->reason.text);
            return;
        }
        if (json_is(message, JSON_INVALID)) return;
        bool is_batch = json_is(message, JSON_ARRAY); /* of 2025-03-26 */
        size_t count  = is_batch ? json_count(message) : 1;
        for (size_t i = 0; i < count && peer->state != STDIO_ENDING; i++) {
            take_message(peer, is_batch ? json_at(message, i) : message);
        }
    }
}

/* --- what it says to people ------------------------------------------------------------------- */

static void log_line(struct stdio_peer *peer, str line)
{
    int64_t now_ms = loop_now_ms(peer->stdio->loop);
    if (now_ms - peer->lines_since_ms >= STDIO_LINES_SPAN_MS) {
        if (peer->unsaid > 0) {
            log_write(LOG_WARN, "an MCP server says more than is logged",
                      LOG_STR("server", str_from(peer->server->name)),
                      LOG_INT("lines", peer->unsaid));
        }
        peer->lines_since_ms = now_ms;
        peer->lines          = 0;
        peer->unsaid         = 0;
    }
    if (peer->lines++ >= STDIO_LINES_MAX) {
        peer->unsaid++;
        return;
    }
    CLEANUP(json_unrefp) json text   = json_text_lossy(line);
    CLEANUP(json_unrefp) json hidden = json_mask_apply(peer->server->mask, text);
    str cut                          = json_str(hidden);
    if (cut.len > STDIO_LINE_MAX) cut.len = STDIO_LINE_MAX;
    cut.len = utf8_valid_prefix(cut);
    log_write(LOG_INFO, "an MCP server says", LOG_STR("server", str_from(peer->server->name)),
              LOG_STR("text", cut));
}

static void flush_words(struct stdio_peer *peer)
{
    if (peer->words.len > 0) log_line(peer, buf_str(&peer->words));
    buf_clear(&peer->words);
}

/* What is behind WORDS_MAX bytes of a line is dropped. */
static void said(str piece, void *context)
{
    struct stdio_peer *peer = context;
    for (size_t i = 0; i < piece.len; i++) {
        if (piece.ptr[i] == '\n') {
            flush_words(peer);
        } else if (peer->words.len < WORDS_MAX) {
            (void)buf_put_byte(&peer->words, piece.ptr[i]);
        }
    }
}

/* --- what is to do ---------------------------------------------------------------------------- */

static status start(struct stdio_peer *peer, struct error *reterr)
{
    const struct stdio_server *server          = peer->server;
    const struct child_process_options options = {.loop            = peer->stdio->loop,
                                                  .path            = server->arguments[0],
                                                  .arguments       = server->arguments,
                                                  .environment     = server->environment,
                                                  .folder          = server->folder,
                                                  .memory_max      = server->memory_max,
                                                  .file_size_max   = server->file_size_max,
                                                  .descriptors_max = server->descriptors_max,
                                                  .unread_max      = STDIO_UNREAD_MAX,
                                                  .came            = came,
                                                  .said            = said,
                                                  .ended           = ended,
                                                  .context         = peer};
    TRY(child_process_start(&options, &peer->child, reterr));
    line_frames_init(&peer->frames, server->message_max);
    peer->why       = NULL;
    peer->was_ready = false;
    log_write(LOG_INFO, "an MCP server was started", LOG_STR("server", str_from(server->name)),
              LOG_INT("pid", child_process_id(peer->child)));
    begin(peer);
    return STATUS_OK;
}

/* One that asks has one call at a time, in the order in which they came. */
static void send_one(struct stdio_peer *peer)
{
    struct mcp_stdio_call *first = NULL;
    for (struct mcp_stdio_call *call = peer->calls; call; call = call->next) {
        if (call->id != 0) return;
        first = call;
    }
    if (first) stdio_call_send(first);
}

static void send_waiting(struct stdio_peer *peer)
{
    struct mcp_stdio_call *next = NULL;
    if (stdio_peer_offer(peer) != MCP_OFFERS_NOTHING) {
        send_one(peer);
        return;
    }
    for (struct mcp_stdio_call *call = peer->calls; call && peer->state == STDIO_READY;
         call                        = next) {
        next = call->next;
        if (call->id == 0) stdio_call_send(call);
    }
}

static void on_pump(void *context)
{
    struct stdio_peer *peer = context;
    if (peer->state == STDIO_NONE && peer->calls) {
        if (start(peer, &peer->reason) == STATUS_OK) return;
        rest(peer);
        fail_calls(peer, true, peer->reason.text);
    } else if (peer->state == STDIO_READY) {
        send_waiting(peer);
        if (peer->state == STDIO_READY && !peer->calls) set_patience(peer, peer->server->idle_ms);
    }
}

static void on_patience(void *context)
{
    struct stdio_peer *peer = context;
    if (peer->state == STDIO_PROBING) {
        introduce(peer, MCP_LEGACY);
    } else if (peer->state == STDIO_INTRODUCING) {
        end(peer, "the server does not answer its introduction");
    } else if (peer->state == STDIO_READY && !peer->calls) {
        stop(peer);
    }
}

void stdio_peer_tire(struct stdio_peer *peer)
{
    set_patience(peer, 0);
}

void stdio_peer_give_up(struct stdio_peer *peer)
{
    bool may_ask = peer->state == STDIO_READY && stdio_peer_offer(peer) != MCP_OFFERS_NOTHING;
    if (may_ask) stop(peer);
}

/* A rest is not cut short. */
void stdio_peer_wake(struct stdio_peer *peer)
{
    struct loop *loop = peer->stdio->loop;
    if (!loop_timer_is_set(&peer->pump)) loop_timer_set(loop, &peer->pump, loop_now_ms(loop));
}

/* --- life ------------------------------------------------------------------------------------- */

static char *copy_of(str text, const char *fallback)
{
    if (text.len == 0) text = str_from(fallback);
    return mem_dup(text.ptr, text.len);
}

struct stdio_peer *stdio_peer_new(struct mcp_stdio *stdio, const struct stdio_server *server,
                                  const struct mcp_request *first)
{
    struct stdio_peer *peer = mem_new(1, sizeof *peer);
    peer->stdio             = stdio;
    peer->server            = server;
    peer->client_name       = copy_of(first->name, "tutti");
    peer->client_version    = copy_of(first->name_version, TUTTI_VERSION);
    if (first->version.len > 0) peer->wanted_version = copy_of(first->version, "");
    peer->answers  = first->answers;
    peer->asked    = map_new(STDIO_CALLS_MAX);
    peer->words    = buf_init(WORDS_MAX);
    peer->rest_ms  = STDIO_REST_MS;
    peer->pump     = (struct loop_timer){.fire = on_pump, .context = peer};
    peer->patience = (struct loop_timer){.fire = on_patience, .context = peer};
    return peer;
}

void stdio_peer_freep(struct stdio_peer **ref)
{
    struct stdio_peer *peer = *ref;
    if (!peer) return;
    ASSERT(!peer->calls);
    loop_timer_clear(peer->stdio->loop, &peer->pump);
    loop_timer_clear(peer->stdio->loop, &peer->patience);
    if (peer->state != STDIO_NONE) line_frames_done(&peer->frames);
    child_process_freep(&peer->child);
    map_free(peer->asked);
    buf_done(&peer->words);
    free(peer->wanted_version);
    free(peer->client_name);
    free(peer->client_version);
    free(peer);
    *ref = NULL;
}
