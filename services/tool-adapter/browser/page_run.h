/* Steps on a page (steps.h), one after the other: what is looked for, done, and waited for. */
#ifndef TOOL_ADAPTER_BROWSER_PAGE_RUN_H
#define TOOL_ADAPTER_BROWSER_PAGE_RUN_H

#include "tool-adapter/browser/browser_internal.h"
#include "tool-adapter/browser/page_probe.h"

enum {
    RUN_LEAVE_MS  = 2'000, /* a page that says it goes elsewhere has asked for that by then */
    RUN_PLACE_MAX = 48,
};

enum run_phase {
    RUN_LOOKING,  /* for what the step is about */
    RUN_ACTING,   /* until the browser has done what it was told */
    RUN_RESTING,  /* until the page had a turn to answer */
    RUN_LOADING,  /* until it is where that led */
    RUN_SETTLING, /* until it is quiet, and then taken */
};

struct page_reading;

struct page_run {
    struct page_steps *steps; /* held */
    size_t at;
    enum run_phase phase;
    bool has_begun;
    bool has_acted;   /* something was done that may change things elsewhere */
    bool has_changed; /* and the page has sent something since */
    bool is_leaving;  /* it goes elsewhere, and has not asked for that yet */
    bool has_waited;  /* the step before was a `wait_for` */
    size_t typed;     /* bytes of a text that is typed */
    size_t bytes;     /* of what was made */
    char seen[PROBE_SEEN_MAX + 1];
    json data, images;            /* what was made; owned */
    struct loop_timer patience;   /* with the step */
    struct loop_timer leave;      /* with RUN_LEAVE_MS */
    struct page_reading *reading; /* HTML that is read on the pool; NULL: none */
};

#endif
