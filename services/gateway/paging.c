#include "gateway/paging.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

enum { TOKEN_MAX = 2048, PARTITION_DIGITS_MAX = 5 };

/* "3.<inner>": the partition, a dot, its own token (empty: from its start). */
status paging_read(struct api_call *call, Pb__Page *page, uint16_t *ret_partition,
                   struct error *reterr)
{
    const char *token = "";
    TRY(api_page(call, &page->size, &token, reterr));
    unsigned partition = 0;
    if (*token) {
        size_t i = 0;
        for (; i < PARTITION_DIGITS_MAX && token[i] >= '0' && token[i] <= '9'; i++) {
            partition = partition * 10 + (unsigned)(token[i] - '0');
        }
        unsigned known = atomic_load(&call->api->partitions); /* 0: not yet */
        if (i == 0 || token[i] != '.' || partition >= (known > 0 ? known : 1) ||
            strlen(token) > TOKEN_MAX) {
            return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_page_token",
                             "page_token: take it from `next_page_token` of the page before");
        }
        page->token = (token + i + 1);
    }
    *ret_partition = (uint16_t)partition;
    call->state    = (void *)(uintptr_t)partition;
    return STATUS_OK;
}

void paging_put_next(struct api_call *call, struct json_writer *w, const char *inner)
{
    unsigned partition  = (unsigned)(uintptr_t)call->state;
    unsigned partitions = atomic_load(&call->api->partitions);
    if (!*inner && partition + 1 >= partitions) return;
    char token[TOKEN_MAX + PARTITION_DIGITS_MAX + 2];
    (void)snprintf(token, sizeof token, "%u.%s", *inner ? partition : partition + 1, inner);
    json_put_text(w, "next_page_token", str_from(token));
}
