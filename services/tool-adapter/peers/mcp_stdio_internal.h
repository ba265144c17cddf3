/* mcp_stdio_internal: what the files of mcp_stdio share. */
#ifndef TOOL_ADAPTER_MCP_STDIO_INTERNAL_H
#define TOOL_ADAPTER_MCP_STDIO_INTERNAL_H

#include "base/arena.h"
#include "base/map.h"
#include "tool-adapter/peers/line_frames.h"
#include "tool-adapter/peers/mcp_message.h"
#include "tool-adapter/peers/mcp_pages.h"
#include "tool-adapter/peers/mcp_stdio.h"
#include "tool-adapter/peers/mcp_wanted.h"
#include "tool-adapter/processes/child_process.h"

struct mcp_stdio {
    const struct stdio_servers *servers;
    struct loop *loop;
    struct map *peers; /* struct stdio_peer by its key */
};

enum stdio_state {
    STDIO_NONE,        /* no process */
    STDIO_PROBING,     /* server/discover was sent */
    STDIO_INTRODUCING, /* initialize was sent */
    STDIO_READY,
    STDIO_ENDING, /* its process is stopped or killed */
};

/* Who may use a process, and the process while there is one. */
struct stdio_peer {
    struct mcp_stdio *stdio;
    const struct stdio_server *server;
    char *wanted_version; /* NULL: whichever it knows; owned, as the next */
    char *client_name, *client_version;
    enum stdio_state state;
    struct child_process *child;
    struct line_frames frames;
    struct loop_timer pump;     /* what is to do, soon or after a rest */
    struct loop_timer patience; /* with the beginning; or until it is stopped as idle */
    struct mcp_stdio_call *calls;
    struct map *asked; /* those that were sent, by the eight bytes of the id */
    unsigned call_count;
    int64_t last_id, handshake_id;
    const char *version; /* agreed upon; of static text */
    bool is_modern, is_known_legacy;
    bool answers;    /* its calls do, as of struct mcp_request */
    bool was_ready;  /* this process */
    int64_t rest_ms; /* after the next death */
    const char *why; /* it is ended; NULL: by itself */
    struct error reason;
    struct buf words; /* the line that it is saying to people */
    unsigned lines, unsaid;
    int64_t lines_since_ms;
};

struct mcp_stdio_call {
    struct mcp_stdio_call *next, *previous;
    struct stdio_peer *peer;
    struct mcp_request request;
    struct mcp_handlers handlers;
    json params; /* owned */
    int64_t id;  /* 0: it was not sent */
    struct loop_timer until;
    struct mcp_pages list;
    unsigned states;
    double progress; /* the last one that was said */
    struct mcp_wanted wanted;
};

/* stdio_peer.c: the process. */
struct stdio_peer *stdio_peer_new(struct mcp_stdio *stdio, const struct stdio_server *server,
                                  const struct mcp_request *first);
void stdio_peer_freep(struct stdio_peer **peer);
void stdio_peer_wake(struct stdio_peer *peer); /* there is something to do */
/* It is ready, and nobody uses it: stopped with the next turn, unless a call comes. */
void stdio_peer_tire(struct stdio_peer *peer);
/* What it may ask while it is called. */
enum mcp_offer stdio_peer_offer(const struct stdio_peer *peer);
/* A call that it was sent has no owner any more: what it asks then would be taken for the next
 * one's, so another process serves that. */
void stdio_peer_give_up(struct stdio_peer *peer);
struct stdio_saying {
    const char *method;
    int64_t id;      /* 0: a notification */
    json params;     /* JSON_INVALID: none */
    str traceparent; /* empty: none */
    bool asks;       /* as of struct mcp_outgoing */
};
/* One message. False: it is too large, or the peer is ending. */
bool stdio_peer_say(struct stdio_peer *peer, const struct stdio_saying *saying);

/* mcp_stdio.c: the calls. */
struct mcp_stdio_call *stdio_call_of(const struct stdio_peer *peer, int64_t id); /* NULL: none */
void stdio_call_send(struct mcp_stdio_call *call); /* the peer is ready */
void stdio_call_take(struct mcp_stdio_call *call, json message);
void stdio_call_hear(struct mcp_stdio_call *call, json params); /* of notifications/progress */
void stdio_call_fail(struct mcp_stdio_call *call, status code, const char *why);
json stdio_answer_new(struct stdio_peer *peer, json message); /* to its request; owned */

#endif
