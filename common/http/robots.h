/**
 * robots: what a robots.txt allows one robot. RFC 9309; Crawl-delay, which it does not know, as
 * most readers of it do.
 *
 * Only the rules of the groups for our product token count, all of them together; if there is none,
 * those for `*`. The longest pattern that matches decides, and Allow where two are as long.
 * Patterns know `*` and a `$` at the end; both sides are compared with the same percent-encoding.
 *
 * What is not found means: anything else (robots_for_status()). Reading never fails: lines that
 * mean nothing are passed over, as the RFC asks.
 *
 * Immutable once read: any thread.
 */
#ifndef HTTP_ROBOTS_H
#define HTTP_ROBOTS_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ROBOTS_SIZE_MAX     = 500 << 10, /* bytes that are read; RFC 9309 asks for at least that */
    ROBOTS_PATTERN_MAX  = 2'048,     /* bytes; of a longer one the beginning counts */
    ROBOTS_DELAY_MAX_MS = 60'000,    /* a longer Crawl-delay counts as this one */
};

struct robots;

/** Reads `text` for the robot `product` ("tutti"; its case does not matter). Owned:
 * robots_freep(). */
struct robots *robots_read(str text, const char *product);
void robots_free(struct robots *robots);
void robots_freep(struct robots **robots);

/** What stands for a file that could not be had: 4xx allow all; all else (5xx, no answer) allows
 * nothing. 2xx and 3xx are not for here. Owned. */
struct robots *robots_for_status(int http_status);

/** `target`: path and query of a URL, without fragment. /robots.txt is always allowed. */
bool robots_allows(const struct robots *robots, str target);

/** Crawl-delay: how long to wait between two requests; 0: not said. */
int64_t robots_delay_ms(const struct robots *robots);

#endif
