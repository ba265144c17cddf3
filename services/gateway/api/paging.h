/**
 * paging: pages of lists that are spread over partitions.
 *
 * A list is read one partition after the other, each in its own order; the token says which one is
 * being read and where. A page that a partition does not fill goes on in the next one, so a page is
 * short only at the end of all, or where a partition ended it early. With one partition, which is
 * the default, that is simply its order.
 *
 *     paging_begin(call, &error);             handler: once
 *     paging_page(call, &page);               for each question: which rows, of which partition
 *     paging_items(call)                      its answer: write the items there, then
 *     if (!paging_ended(call, n, token)) ask(call);
 */
#ifndef GATEWAY_PAGING_H
#define GATEWAY_PAGING_H

#include "common.pb-c.h"
#include "gateway/api/api.h"

/** Reads page_size and page_token of the call, and takes call->state. INVALID_ARGUMENT
 * ("invalid_page_token"). */
status paging_begin(struct api_call *call, struct error *reterr);

/** Says what is to be asked next; returns the partition. */
uint16_t paging_page(struct api_call *call, Pb__Page *ret_page);

/** Where the items of an answer are written: within the array `items`. */
struct json_writer *paging_items(struct api_call *call);

/** `count` items were written; `inner` is the partition's own token for more of them. True: the
 * page was sent. False: the next partition is to be asked. */
bool paging_ended(struct api_call *call, size_t count, const char *inner);

/** What paging_ended() decides, without sending: true: the page ends, and `*ret_token` (of the
 * call's arena) leads to the next one; "": there is none. */
bool paging_advance(struct api_call *call, size_t count, const char *inner, const char **ret_token);

/** api_ask.failed: sends the problem in place of the page. */
void paging_failed(struct api_call *call, const struct rpc_answer *answer);

#endif
