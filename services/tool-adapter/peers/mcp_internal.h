/* mcp_internal: what the files of the MCP client share. */
#ifndef TOOL_ADAPTER_MCP_INTERNAL_H
#define TOOL_ADAPTER_MCP_INTERNAL_H

#include "base/arena.h"
#include "base/map.h"
#include "tool-adapter/http/errand.h"
#include "tool-adapter/peers/mcp_client.h"
#include "tool-adapter/peers/mcp_message.h"
#include "tool-adapter/peers/mcp_pages.h"
#include "tool-adapter/peers/mcp_wanted.h"
#include "tool-adapter/peers/rpc_reply.h"

enum mcp_era { MCP_ERA_UNKNOWN, MCP_ERA_MODERN, MCP_ERA_LEGACY };

struct mcp_client {
    struct http_client *http;
    struct loop *loop;
    struct tokens *tokens;
    struct map *eras;     /* by origin: a pointer that is the era */
    struct aside *asides; /* under way */
    unsigned aside_count;
    struct mcp_session *sessions; /* owned: all of them, and */
    struct map *session_keys;     /* those that can be found */
    bool is_ending;               /* none is kept any more */
    struct map *policies;         /* of mcp_authorize.h: owned `json *` */
};

/* Of the origin of an endpoint's address. */
enum mcp_era mcp_era_of(const struct mcp_client *client, str url);
void mcp_era_set(struct mcp_client *client, str url, enum mcp_era era);

/* A message whose answer nobody waits for. */
struct mcp_aside {
    const char *http_method; /* "POST" */
    json endpoint;
    const struct mcp_outgoing *outgoing;
    json message; /* instead of the outgoing's own; JSON_INVALID: that */
    str proxy;    /* copied */
    bool keeps_private_out;
};
void mcp_policies_free(struct map *policies);
void mcp_aside_send(struct mcp_client *client, const struct mcp_aside *aside);

/* What was sent last. */
enum mcp_step {
    MCP_STEP_ASK,        /* the request itself */
    MCP_STEP_INITIALIZE, /* of the older era, as the next two */
    MCP_STEP_INITIALIZED,
    MCP_STEP_RESUME,
    MCP_STEP_LIST, /* of tools: which headers does this one want? */
};

struct mcp_call {
    struct mcp_client *client;
    struct mcp_request request;
    struct mcp_handlers handlers;
    struct arena *arena;
    struct authorization authorization;
    json params, schema;             /* owned: they change from page to page */
    json endpoint;                   /* owned; with what it proves itself by, once that is known */
    struct mcp_discovery *discovery; /* under way */
    str challenge;                   /* of a 401; in the arena */
    bool has_discovered;

    enum mcp_step step;
    bool is_modern;
    const char *version; /* NULL: not agreed upon yet; in the arena */
    char session[MCP_SESSION_MAX + 1];
    struct mcp_session *shared;    /* that of its connection; NULL: its own, or none */
    struct mcp_call *next_waiting; /* for it */
    bool is_waiting, has_introduced;
    unsigned sessions, resumes, states;
    int64_t id;

    struct mcp_ear *ear;     /* open; NULL: none is */
    struct errand *errand;   /* under way; or */
    struct loop_timer pause; /* until it goes on with */
    enum mcp_step next_step;
    struct rpc_reply reply;
    bool has_reply;
    status read_code; /* of what has arrived */
    struct error read_error;
    int http_status;
    int64_t wait_ms;

    double progress;       /* the last one that was said */
    struct mcp_pages list; /* the pages so far */
    struct mcp_wanted wanted;
    json first_error; /* how the newer era was refused; owned */
    int first_status;
    str token; /* in the arena */
    bool is_starting, is_over;
};

void mcp_call_send(struct mcp_call *call, enum mcp_step step);
void mcp_call_send_soon(struct mcp_call *call, enum mcp_step step, int64_t wait_ms);
int64_t mcp_call_next_id(struct mcp_call *call);

/* Each may be the end of the call. */
void mcp_call_finish(struct mcp_call *call, const struct mcp_result *result);
void mcp_call_fail(struct mcp_call *call, status code, bool was_sent, const char *why);

/* What follows from an answer that has come as a whole, or ended before (mcp_settle.c). */
void mcp_call_settle(struct mcp_call *call);

/* The older era: an introduction, from which a session may come. */
void mcp_call_introduce(struct mcp_call *call, const char *version);

/* Asks for the rest of a stream that was cut, when the server wants to be asked; false: it cannot.
 */
bool mcp_call_resume(struct mcp_call *call);

/* A GET that goes on behind `last_id` (empty: at the beginning), or, NULL, the POST of its step. */
status mcp_call_request(struct mcp_call *call, const char *last_id,
                        struct http_request *ret_request, struct error *reterr);

/* With the proofs and in the arena of the call; as errand_start(). */
struct errand *mcp_call_errand(struct mcp_call *call, struct errand_options options);

/* A message that is no answer; `context` is the call. */
void mcp_call_take_message(json message, void *context);

/* Without what the call proves itself with, before a cut could leave a part of it, and before any
 * of it is kept for a person; an object that is too large to be looked through is an empty one.
 * Owned. */
json mcp_call_hide(const struct mcp_call *call, json said);

/* News on the stream of an answer (mcp_news.c); what is none counts for nothing. */
void mcp_call_hear(struct mcp_call *call, str method, json params);

bool mcp_call_is_fine(const struct mcp_call *call);
str mcp_call_address(const struct mcp_call *call);

#endif
