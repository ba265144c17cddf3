/*
 * One call of the module. web.c reads it and answers; batch.c has many pages read.
 */
#ifndef TOOL_ADAPTER_WEB_WEB_INTERNAL_H
#define TOOL_ADAPTER_WEB_WEB_INTERNAL_H

#include "tool-adapter/connections/agent.h"
#include "tool-adapter/web/web.h"

enum { RENDER_S = 30, RENDER_S_MAX = 50 /* seconds for a page in a browser */ };

struct web {
    struct visit_means means;
    unsigned calls;
};

struct web_call;

/* One page of a batch that is under way. */
struct batch_slot {
    struct web_call *call;
    struct visit *visit; /* NULL: free */
    size_t index;        /* in `urls` */
};

struct web_call {
    struct web *web;
    struct engine_handlers handlers;
    struct recipe *recipe;
    enum visit_form form;
    char agent[AGENT_SIZE];
    bool allow_private, is_rendered;
    char *proxy;        /* owned; may be empty */
    json wait_for_kept; /* owned */
    str wait_for;
    int64_t render_ms;
    struct loop_timer timer; /* its time is over */
    struct visit *visit;     /* of a single page */
    struct turn turn;        /* of web.robots */
    json urls;               /* of a batch; owned, as the next */
    json results;            /* null where a page is not there yet */
    json kept;               /* those of `results` that a later attempt may get; owned */
    size_t kept_bytes, unsaid;
    json progress; /* of an earlier attempt; a view while it starts */
    json url;      /* of a single page */
    size_t next, ended, bytes;
    size_t slot_count;
    struct batch_slot slots[WEB_CONCURRENT_MAX];
};

/* {type, status?, detail} */
json web_fault_new(const struct visit_result *result);
struct visit_request web_visit_request(const struct web_call *call, str url);
void web_respond(struct web_call *call, int http_status, str retry_after, json body); /* takes */
void web_fail(struct web_call *call, status code, const struct error *error);

/* batch.c */
status web_batch_read(struct web_call *call, json settings, struct error *reterr);
void web_batch_start(struct web_call *call);
void web_batch_cancel(struct web_call *call);

#endif
