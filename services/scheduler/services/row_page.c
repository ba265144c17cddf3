#include "scheduler/services/row_page.h"

static void stand_at(struct row_page *page, bytes key)
{
    key_begin(&page->place);
    memcpy(page->place.data, key.ptr, key.len);
    page->place.len = key.len;
    page->has_place = true;
}

status row_page_begin(const Pb__Page *wanted, str filters, struct arena *arena,
                      struct row_page *ret_page, struct error *reterr)
{
    *ret_page   = (struct row_page){.filters = bytes_from(filters)};
    bytes place = {};
    TRY(page_size_read(wanted ? wanted->size : 0, &ret_page->size, reterr));
    if (!wanted || !*wanted->token) return STATUS_OK;
    TRY(page_token_read(str_from(wanted->token), ret_page->filters, arena, &place, reterr));
    stand_at(ret_page, place);
    return STATUS_OK;
}

status row_page_walk(struct row_page *page, struct txn *txn, unsigned table, struct scan scan,
                     row_page_fn *take, void *context, struct error *reterr)
{
    struct key begin = page->place; /* it moves on below */
    if (page->has_place) scan.after = key_bytes(&begin);
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(txn, table, &scan, &cursor, reterr));
    page->has_more = true;
    for (unsigned i = 0; i < ROW_PAGE_LOOKED_MAX; i++) {
        bytes key    = {};
        bytes row    = {};
        bool is_full = false;
        status next  = cursor_next(cursor, &key, &row, NULL);
        if (next == STATUS_NOT_FOUND) {
            page->has_more = false;
            return STATUS_OK;
        }
        if (next != STATUS_OK) return fail(reterr, next, "a list cannot be read");
        TRY(take(txn, row, context, &is_full, reterr));
        if (is_full) return STATUS_OK;
        stand_at(page, key);
    }
    return STATUS_OK;
}

const char *row_page_next(const struct row_page *page, struct arena *arena)
{
    if (!page->has_more || !page->has_place) return "";
    const char *token = page_token_new(page->filters, key_bytes(&page->place), arena);
    return token ? token : "";
}
