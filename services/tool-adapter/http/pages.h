/**
 * pages: where the next page of a list is, and what all pages are together.
 *
 * Of the outputs of several pages lists are joined, other members are the last page's. A page that
 * lies at another origin than `base_url`, more than `max_pages`, and more than PAGES_ITEMS_MAX
 * elements are errors: an incomplete list must not pass for a whole one. Reaching `max_items` cuts.
 *
 * Pure.
 */
#ifndef TOOL_ADAPTER_PAGES_H
#define TOOL_ADAPTER_PAGES_H

#include "adapter/outgoing.h"

enum { PAGES_ITEMS_MAX = 10'000 };

struct pages {
    const struct manifest_action *action;
    struct arena *arena;
    str base_url;
    int64_t items_max; /* -1: all */
    int64_t count;     /* pages read */
    json output;       /* of them together; owned; JSON_INVALID before the first */
    json mark;         /* owned */
    struct page next;
};

/** `scope` is that of the call; `base_url` lives as long as the arena. INVALID_ARGUMENT:
 * `max_items` yields no number. */
status pages_init(const struct manifest_action *action, json scope, str base_url,
                  struct arena *arena, struct pages *ret_pages, struct error *reterr);
void pages_done(struct pages *pages);

/** Adds a page; takes `output`. `scope` holds the answer. `*ret_more`: `pages->next` is to be asked
 * for. OUT_OF_RANGE: as said above. INVALID_ARGUMENT: an expression fails. */
status pages_add(struct pages *pages, json scope, json output, bool *ret_more,
                 struct error *reterr);

#endif
