/**
 * paging: page tokens of lists that are spread over partitions.
 *
 * A list is read one partition after the other, each in its own order; the token says which one is
 * being read and where. With one partition, which is the default, that is simply its order.
 */
#ifndef GATEWAY_PAGING_H
#define GATEWAY_PAGING_H

#include "common.pb-c.h"
#include "gateway/api.h"

/** Reads page_size and page_token of the call. INVALID_ARGUMENT ("invalid_page_token"). */
status paging_read(struct api_call *call, Pb__Page *page, uint16_t *ret_partition,
                   struct error *reterr);

/** Writes `next_page_token`, if there is a next page. `inner` is the partition's own token. */
void paging_put_next(struct api_call *call, struct json_writer *w, const char *inner);

#endif
