/**
 * hosts: manners. Who wants to fetch a page waits here for its turn at the page's host.
 *
 * A host's robots.txt is read before its first page and kept for a day (one that could not be had
 * for a minute). Its Crawl-delay, if there is one, is the gap between the beginnings of two
 * requests, of all tool-adapters together (worker/tollgate.h); and never more than
 * HOST_CONNECTIONS_MAX requests of this one are under way at one host. What robots.txt forbids gets
 * no turn.
 *
 * Hosts are kept apart by scheme, name and port, and by whether private addresses may be called and
 * which proxy is between: what one connection may not see is no answer for another that may.
 *
 * Threads: belongs to the loop. `ready` never comes from inside turn_begin() or turn_end().
 */
#ifndef TOOL_ADAPTER_HOSTS_H
#define TOOL_ADAPTER_HOSTS_H

#include "base/str.h"
#include "http/http.h"
#include "http/url.h"
#include "loop/loop.h"
#include "worker/tollgate.h"

enum {
    HOSTS_MAX            = 10'000, /* kept at a time; idle ones give way */
    HOST_CONNECTIONS_MAX = 2,
    HOST_KEPT_MS         = 24 * 3'600'000,
    HOST_RETRY_MS        = 60'000,
};

#define WEB_PRODUCT "tutti" /* our name in robots.txt */

struct hosts;
struct host;

enum verdict {
    TURN_GRANTED,
    TURN_FORBIDDEN,   /* by robots.txt */
    TURN_UNREADABLE,  /* its server failed (5xx), which forbids everything for now */
    TURN_UNREACHABLE, /* nobody answered, or the guard refused: `why` says it */
};

/** Lies in its owner's memory. Set `ready` and `context`. */
struct turn {
    void (*ready)(struct turn *turn);
    void *context;

    /* Set when `ready` comes: */
    enum verdict verdict;
    int64_t delay_ms; /* Crawl-delay of the host */
    status code;      /* of TURN_UNREACHABLE */
    struct error why;

    /* The rest is of hosts.c. */
    struct host *host;
    struct turn *previous, *next;
    bool wants_slot, has_slot;
    struct tollgate_pass pass;
    char *target; /* path and query; owned */
};

/** All are borrowed and outlive it. `tollgates` NULL: gaps hold in this process alone. Owned:
 * hosts_freep(). */
struct hosts *hosts_new(struct loop *loop, struct http_client *http, struct tollgates *tollgates);
/** No turn may be open. NULL is fine. */
void hosts_freep(struct hosts **hosts);

struct turn_rules {
    str user_agent;
    str proxy; /* as of http.h; empty: none */
    bool allow_private;
    bool wants_slot; /* false: only the verdict is wanted */
};

/** Asks for a turn at `url`, in the order of asking; `rules` are copied. RESOURCE_EXHAUSTED: too
 * many hosts are in use; `ready` does not come then. */
status turn_begin(struct hosts *hosts, struct turn *turn, const struct url *url,
                  const struct turn_rules *rules, struct error *reterr);

/** Ends a turn, or takes the wish for one back. Does nothing for one that was never begun. */
void turn_end(struct turn *turn);

#endif
