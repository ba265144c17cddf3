/**
 * visit: one page, fetched with manners (hosts.h) and past the guard, and what is in it.
 *
 * Redirects are followed by hand, at most HTTP_REDIRECTS_MAX: each is a request like the first,
 * with its own robots.txt, turn and check. Limits of the answer: VISIT_SIZE_MAX bytes,
 * decompressed, 100 times what was received at most, VISIT_TOTAL_MS per request, VISIT_IDLE_MS
 * without a byte. Reading and querying HTML is done on a thread of the pool.
 *
 * Threads: belongs to the loop; `done` never comes from inside visit_start().
 */
#ifndef TOOL_ADAPTER_WEB_VISIT_H
#define TOOL_ADAPTER_WEB_VISIT_H

#include "html/extract.h"
#include "loop/work_pool.h"
#include "tool-adapter/browser/browser.h"
#include "tool-adapter/connections/hosts.h"

enum {
    VISIT_SIZE_MAX = 10 << 20, /* bytes */
    VISIT_TOTAL_MS = 30'000,
    VISIT_IDLE_MS  = 10'000,
};

enum visit_form {
    VISIT_DATA,   /* HTML; what the extraction finds */
    VISIT_TEXT,   /* HTML; its text as a reader sees it */
    VISIT_SOURCE, /* any text, in UTF-8, as it is */
};

/** An extraction that several visits use; counted on the loop alone. */
struct recipe {
    unsigned users;
    struct extraction *extraction;
};
void recipe_release(struct recipe *recipe); /* the last user frees it; NULL is fine */

struct visit_means {
    struct loop *loop;
    struct http_client *http;
    struct work_pool *pool;
    struct hosts *hosts;
    struct browser *browser;
};

struct visit_request {
    str url; /* copied, as user_agent */
    str user_agent;
    enum visit_form form;
    struct recipe *recipe; /* of VISIT_DATA; the visit becomes a user of it */
    str proxy;             /* as of http.h; copied */
    bool allow_private;
    bool is_rendered; /* by the browser; what follows is its page's */
    str wait_for;     /* copied */
    int64_t render_ms;
};

struct visit_result {
    /* NULL: `data` holds. Else what went wrong: "url", "robots", "refused", "network", "timeout",
     * "status", "redirects", "content", "too_large", "browser". */
    const char *fault;
    status code;     /* of a fault: OK if an answer came, with `http_status` */
    int http_status; /* 0: there was no answer */
    str url;         /* where it came from, after redirects */
    str content_type, retry_after;
    json data; /* a view, as all here */
    size_t data_bytes;
    struct error error; /* without path and query */
};

struct visit;

/** Always succeeds: faults come by `done`, exactly once, unless cancelled. The visit is gone then.
 * `means` is borrowed. */
struct visit *visit_start(const struct visit_means *means, const struct visit_request *request,
                          void (*done)(const struct visit_result *result, void *context),
                          void *context);
void visit_cancel(struct visit *visit);

#endif
