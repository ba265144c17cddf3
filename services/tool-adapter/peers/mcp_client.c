/* What outlives a call: the eras of servers, sessions (mcp_session.c), and messages whose answers
 * nobody waits for. */
#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/url.h"
#include "tool-adapter/peers/mcp_session.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA_MAX = 1 << 20, ANSWER_MAX = 64 << 10, ORIGIN_MAX = 1 << 10 };

/* One message under way. */
struct aside {
    struct aside *next, *previous;
    struct mcp_client *client;
    struct arena *arena;
    const char *origin; /* whom it is for; in the arena */
    json endpoint;      /* the authorization's texts are views of it, as is the address */
    json headers;       /* the caller's, in the request */
    struct authorization authorization;
    struct http_request request;
    struct errand *errand;
};

struct mcp_client *mcp_client_new(struct http_client *http, struct loop *loop,
                                  struct tokens *tokens)
{
    struct mcp_client *client = mem_new(1, sizeof *client);
    client->http              = http;
    client->loop              = loop;
    client->tokens            = tokens;
    client->eras              = map_new(MCP_ERAS_MAX);
    client->session_keys      = map_new(MCP_SESSIONS_MAX);
    client->policies          = map_new(MCP_POLICIES_MAX);
    return client;
}

static void aside_free(struct aside *aside)
{
    if (aside->next) aside->next->previous = aside->previous;
    *(aside->previous ? &aside->previous->next : &aside->client->asides) = aside->next;
    aside->client->aside_count--;
    json_unref(aside->endpoint);
    json_unref(aside->headers);
    arena_free(aside->arena);
    free(aside);
}

void mcp_client_freep(struct mcp_client **ref)
{
    struct mcp_client *client = *ref;
    if (!client) return;
    while (client->asides) {
        if (client->asides->errand) errand_cancel(client->asides->errand);
        aside_free(client->asides);
    }
    mcp_sessions_forget(client);
    map_free(client->session_keys);
    mcp_policies_free(client->policies);
    map_free(client->eras);
    free(client);
    *ref = NULL;
}

/* --- eras ------------------------------------------------------------------------------------- */

/* "https://host:443"; an address that is none stands for itself. */
static str origin_of(str address, struct buf *out)
{
    struct url url = {};
    return url_parse(address, &url) && url_put_origin(out, &url) ? buf_str(out) : address;
}

enum mcp_era mcp_era_of(const struct mcp_client *client, str address)
{
    CLEANUP(buf_done) struct buf text = buf_init(ORIGIN_MAX);
    return (enum mcp_era)(uintptr_t)map_get(client->eras, origin_of(address, &text));
}

void mcp_era_set(struct mcp_client *client, str address, enum mcp_era era)
{
    CLEANUP(buf_done) struct buf text = buf_init(ORIGIN_MAX);
    str origin                        = origin_of(address, &text);
    (void)map_remove(client->eras, origin);
    if (era == MCP_ERA_UNKNOWN) return;
    if (map_count(client->eras) == MCP_ERAS_MAX) { /* found out again when they are asked */
        map_free(client->eras);
        client->eras = map_new(MCP_ERAS_MAX);
    }
    (void)map_put(client->eras, origin, (void *)(uintptr_t)era);
}

size_t mcp_client_leave(struct mcp_client *client)
{
    client->is_ending = true;
    mcp_sessions_end(client);
    return client->aside_count;
}

/* --- messages without an answer --------------------------------------------------------------- */

static status prepare(str, struct http_request *ret_request, void *context, struct error *)
{
    const struct aside *aside = context;
    *ret_request              = aside->request;
    return STATUS_OK;
}

static void on_done(const struct errand_result *, void *context)
{
    aside_free(context);
}

static status message_make(struct aside *aside, const struct mcp_aside *from, struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(ANSWER_MAX);
    struct http_header *headers       = NULL;
    size_t count                      = 0;
    str body                          = {};
    bool is_farewell                  = strcmp(from->http_method, "DELETE") == 0;
    TRY(mcp_headers_make(from->outgoing, aside->arena, &headers, &count, reterr));
    if (!json_is(from->message, JSON_INVALID)) {
        char *copy = json_print(from->message, JSON_COMPACT, &text)
                         ? arena_strdup(aside->arena, buf_str(&text))
                         : NULL;
        if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the answer is too large");
        body = (str){.ptr = copy, .len = text.len};
    } else if (strcmp(from->http_method, "POST") == 0) {
        TRY(mcp_body_make(from->outgoing, aside->arena, &body, reterr));
    }
    aside->request = (struct http_request){
        .method        = str_from(from->http_method),
        .url           = json_str(json_get_text(aside->endpoint, "uri")),
        .headers       = headers,
        .header_count  = count,
        .body          = bytes_from(body),
        .body_max      = ANSWER_MAX,
        .timeouts      = {.total_ms = is_farewell ? MCP_FAREWELL_MS : MCP_ASIDE_MS},
        .allow_private = !from->keeps_private_out,
    };
    const char *proxy = arena_strdup(aside->arena, from->proxy);
    if (!proxy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the message is too large");
    aside->request.proxy = str_from(proxy);
    return STATUS_OK;
}

static bool has_room(const struct mcp_client *client, str origin)
{
    size_t count = 0;
    for (const struct aside *aside = client->asides; aside; aside = aside->next) {
        count += str_is(origin, aside->origin) ? 1 : 0;
    }
    bool has = client->aside_count < MCP_ASIDES_MAX && count < MCP_ASIDES_EACH;
    if (!has) log_write(LOG_DEBUG, "mcp.message_dropped", LOG_STR("origin", origin));
    return has;
}

void mcp_aside_send(struct mcp_client *client, const struct mcp_aside *from)
{
    CLEANUP(buf_done) struct buf text = buf_init(ORIGIN_MAX);
    str origin = origin_of(json_str(json_get_text(from->endpoint, "uri")), &text);
    struct errand_options options = {.http = client->http, .tokens = client->tokens};
    if (!has_room(client, origin)) return;
    struct aside *aside = mem_new(1, sizeof *aside);
    aside->client       = client;
    aside->next         = client->asides;
    aside->endpoint     = json_ref(from->endpoint);
    aside->headers      = json_ref(from->outgoing->headers);
    aside->arena        = arena_new(ARENA_MAX);
    if (aside->next) aside->next->previous = aside;
    client->asides = aside;
    client->aside_count++;
    aside->origin = arena_strdup(aside->arena, origin);
    ASSERT(aside->origin); /* ARENA_MAX */
    status code = authorization_read(json_get_text(aside->endpoint, "authentication"),
                                     &aside->authorization, NULL);
    if (code == STATUS_OK) code = message_make(aside, from, NULL);
    if (code != STATUS_OK) {
        aside_free(aside);
        return;
    }
    options.authorization = &aside->authorization;
    options.arena         = aside->arena;
    options.prepare       = prepare;
    options.done          = on_done;
    options.context       = aside;
    struct errand *errand = errand_start(&options);
    if (errand) aside->errand = errand; /* else it is over */
}
