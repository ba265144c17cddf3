/* What a step looks for on a page, and what it does there without a mouse or keyboard: a function
 * that runs in the page, in our own world. */
#ifndef TOOL_ADAPTER_BROWSER_PAGE_PROBE_H
#define TOOL_ADAPTER_BROWSER_PAGE_PROBE_H

#include "tool-adapter/browser/browser_internal.h"

enum { PROBE_SEEN_MAX = 120 /* bytes of what it says */ };

enum probe_next {
    PROBE_AGAIN, /* not yet: `seen` says why */
    PROBE_DONE,
    PROBE_CLICK, /* at x, y */
    PROBE_WRITE, /* it has the focus */
    PROBE_WRONG, /* and never will be: `seen` says why */
};

struct probe {
    enum probe_next next;
    double x, y;
    char seen[PROBE_SEEN_MAX + 1];
};

/* Runs it in `world`, the answer of page_enter_world(). */
void page_probe(struct page *page, json world, const struct page_step *step, json hosts,
                wire_answer_fn *answer);
/* Waits until the page had a turn to do what an event asks of it. */
void page_rest(struct page *page, json world, wire_answer_fn *answer);
/* What it found; of an answer that is none, PROBE_AGAIN. `mask` hides what must not be seen of the
 * page's words; NULL: nothing. */
void probe_read(json result, const char *error, const struct json_mask *mask,
                struct probe *ret_probe);

#endif
