/**
 * row_page: a page of a list that is a walk over a table; its token is the key of the last row
 * that was looked at.
 *
 * A walk looks at ROW_PAGE_LOOKED_MAX rows at most, so a page of a list with narrow filters may be
 * short, or empty, and go on.
 *
 * Threads: plain functions.
 */
#ifndef SCHEDULER_ROW_PAGE_H
#define SCHEDULER_ROW_PAGE_H

#include "common.pb-c.h"
#include "scheduler/services/page_token.h"
#include "store/key.h"
#include "store/store.h"

enum { ROW_PAGE_LOOKED_MAX = 20'000 };

struct row_page {
    uint32_t size; /* entries that the answer may have */
    bytes filters;
    struct key place; /* of the last row that was looked at */
    bool has_place;
    bool has_more;
};

/** Reads what a request asks for. `filters`: as page_token_new(); borrowed as long as the page.
 * INVALID_ARGUMENT: the size, or the token. */
status row_page_begin(const Pb__Page *wanted, str filters, struct arena *arena,
                      struct row_page *ret_page, struct error *reterr);

/** Takes a row into the answer, or passes over it; `*ret_is_full`: it belongs to the next page. */
typedef status row_page_fn(struct txn *txn, bytes row, void *context, bool *ret_is_full,
                           struct error *reterr);

/** Walks from where the page begins until it is full, or there are no more rows. `scan` says which
 * rows and in which order. Fails as `take` and the store do. */
status row_page_walk(struct row_page *page, struct txn *txn, unsigned table, struct scan scan,
                     row_page_fn *take, void *context, struct error *reterr);

/** The token of the next page; "": this is the last one. */
const char *row_page_next(const struct row_page *page, struct arena *arena);

#endif
