/**
 * web: the module behind the adapter `web`: pages as a robot with manners reads them (visit.h).
 *
 *   web.fetch        {url, form: source | text}          -> {url, status, content_type, text}
 *   web.scrape       {url, selectors?, render?, wait_for?} -> {url, data}
 *   web.robots       {url}                               -> {url, allowed, crawl_delay_ms}
 *   web.scrape_many  {urls, selectors?, max_concurrent?, render?}
 *                                                        -> {results: [{url, ok, data | error}]}
 *
 * `selectors` are those of html/extract.h; without them a page's title, description and text are
 * found. `render`: a browser shows the page first (browser/browser.h), until `wait_for`, a
 * selector, matches, for `timeout` seconds at most. `scrape_many` answers in the order of `urls`,
 * and pages that cannot be read are no failure of it. Setting of the connection: `contact`, an
 * address that stands in the User-Agent.
 *
 * A page that cannot be had is an answer with its HTTP status (403: robots.txt or the guard does
 * not allow it, 413, 415, 422, 508: redirects) and {error: {type, status, detail}}; when nobody
 * answered at all, the request fails.
 *
 * Threads: belongs to the loop.
 */
#ifndef TOOL_ADAPTER_WEB_WEB_H
#define TOOL_ADAPTER_WEB_WEB_H

#include "tool-adapter/connections/engine.h"
#include "tool-adapter/web/visit.h"

enum {
    WEB_CALLS_MAX      = 1'000, /* at once */
    WEB_URLS_MAX       = 1'000, /* of one batch */
    WEB_CONCURRENT     = 5,
    WEB_CONCURRENT_MAX = 50,
    WEB_BATCH_SIZE_MAX = 8 << 20, /* bytes of what a batch has found */
};

struct web;

/** `means` is copied; what it names outlives it. Owned: web_freep(). */
struct web *web_new(const struct visit_means *means);

/** No call may be under way. NULL is fine. */
void web_freep(struct web **web);

/** As a row of a table of engines. */
struct engine web_engine(struct web *web);

#endif
