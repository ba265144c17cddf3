/**
 * page_token: where a list goes on.
 *
 * Opaque to callers: lower-case hexadecimal of 8 bytes that stand for the filters and the key of
 * the last entry shown. A token that comes back with other filters is refused, because its place
 * would mean something else. Nothing in it is secret, and none of it is trusted: what it names is
 * only where a scan begins.
 */
#ifndef SCHEDULER_PAGE_TOKEN_H
#define SCHEDULER_PAGE_TOKEN_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

#include <stdint.h>

enum {
    PAGE_FILTERS_SIZE = 8,   /* bytes of their digest */
    PAGE_PLACE_MAX    = 511, /* bytes: STORE_KEY_MAX */
    PAGE_SIZE_DEFAULT = 50,
    PAGE_SIZE_MAX     = 500,
};

/** Lives as long as `arena`; NULL past its limit. `filters`: the filters in one unambiguous form.
 */
const char *page_token_new(bytes filters, bytes place, struct arena *arena);

/** Reads a token back; the place lives as long as `arena`. INVALID_ARGUMENT with code
 * "invalid_page_token": no token, or one of other filters. */
status page_token_read(str token, bytes filters, struct arena *arena, bytes *ret_place,
                       struct error *reterr);

/** The page size that a request means: 0 is the default. INVALID_ARGUMENT above the maximum. */
status page_size_read(uint32_t size, uint32_t *ret_size, struct error *reterr);

#endif
