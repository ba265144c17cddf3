/**
 * event_hub: what an engine has in memory of the events that go through a namespace. How they get
 * from a sender to every `listen` is told in docs/internals/events.md.
 */
#ifndef SCHEDULER_EVENT_HUB_H
#define SCHEDULER_EVENT_HUB_H

#include "base/id.h"
#include "base/map.h"
#include "base/status.h"
#include "store/store.h"
#include "json/json.h"

enum {
    EVENTS_KEPT_MAX     = 1'000,     /* per type, that nobody has taken; as many taken ones (A17) */
    EVENT_SIZE_MAX      = 256 << 10, /* bytes of JSON */
    EVENTS_PER_CALL_MAX = 500,
    EVENT_RUNS_PER_TURN = 1'000, /* who gets one event; the rest in later turns */
};
#define EVENT_KEPT_US (INT64_C(7) * 24 * 3600 * 1'000'000) /* A17 */
#define EVENT_ID_US   (INT64_C(24) * 3600 * 1'000'000)     /* (source, id) is remembered */

/** An event on its way. */
struct arrival {
    str namespace;
    struct id id; /* ours */
    json event;   /* borrowed */
    int64_t received_us;
    str from_run;  /* emitted by it, which has heard of it already; empty: none */
    bool is_taken; /* by somebody so far */
};

/** An `emit` of this turn. */
struct emitted {
    struct emitted *next;
    struct id run;
    char *namespace; /* owned */
    json event;      /* owned */
    bool is_taken;   /* by its own run */
};

struct event_hub {
    struct map *known_types; /* "namespace 0x1f type": rows of TABLE_EVENT_TYPES */
    struct map *kept;        /* the same -> struct kept_count, owned */
    struct emitted *first, **last;
    bool has_work;
    bool has_new_subscriptions; /* by this turn */
    struct page kept_sweep, id_sweep;
};

void event_hub_init(struct event_hub *hub);
void event_hub_done(struct event_hub *hub);

#endif
