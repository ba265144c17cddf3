/*
 * The front of cursors: turns a scan into two bounds and keeps them.
 *
 * A cursor of a reader steps. In a transaction that has written since the cursor moved, it seeks
 * its last key again instead: whatever the write did to the pages, the order of keys still holds.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "store/store.h"
#include "store/store_internal.h"

#include <stdlib.h>
#include <string.h>

static bytes bound_bytes(const struct bound *bound)
{
    return (bytes){.ptr = bound->data, .len = bound->len};
}

static void bound_set(struct bound *bound, bytes key)
{
    ASSERT(key.len <= STORE_KEY_MAX);
    if (key.len > 0) memcpy(bound->data, key.ptr, key.len);
    bound->len = key.len;
}

static int compare(bytes a, bytes b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order      = shorter == 0 ? 0 : memcmp(a.ptr, b.ptr, shorter);
    if (order != 0) return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

/* Raises the lower bound to `key`, or to the place right behind it. */
static void raise_lower(struct cursor *cursor, bytes key, bool behind)
{
    if (key.len == 0) return;
    struct bound bound = {};
    bound_set(&bound, key);
    if (behind) bound.data[bound.len++] = 0;
    if (compare(bound_bytes(&bound), bound_bytes(&cursor->lower)) > 0) cursor->lower = bound;
}

static void drop_upper(struct cursor *cursor, bytes key)
{
    if (key.len == 0) return;
    bool is_smaller = cursor->upper.len == 0 || compare(key, bound_bytes(&cursor->upper)) < 0;
    if (is_smaller) bound_set(&cursor->upper, key);
}

/* The smallest key that is greater than all with this prefix; none if it is all 0xff. */
static void drop_upper_behind_prefix(struct cursor *cursor, bytes prefix)
{
    struct bound bound = {};
    bound_set(&bound, prefix);
    while (bound.len > 0 && bound.data[bound.len - 1] == 0xff) bound.len--;
    if (bound.len == 0) return;
    bound.data[bound.len - 1]++;
    drop_upper(cursor, bound_bytes(&bound));
}

static void set_bounds(struct cursor *cursor, const struct scan *scan)
{
    raise_lower(cursor, scan->prefix, false);
    raise_lower(cursor, scan->from, false);
    drop_upper_behind_prefix(cursor, scan->prefix);
    drop_upper(cursor, scan->until);
    if (scan->backward) {
        drop_upper(cursor, scan->after);
    } else {
        raise_lower(cursor, scan->after, true);
    }
    cursor->backward = scan->backward;
}

status cursor_open(struct txn *txn, unsigned table, const struct scan *scan,
                   struct cursor **ret_cursor, struct error *reterr)
{
    ASSERT(txn);
    ASSERT(table < txn->store->table_count);
    ASSERT(scan);
    ASSERT(ret_cursor);
    TRY(store_operation(txn->store, "open cursor", reterr));

    const struct store_ops *ops = txn->store->ops;
    ASSERT(ops->cursor_size >= sizeof(struct cursor));
    struct cursor *cursor = mem_new(1, ops->cursor_size);
    cursor->txn           = txn;
    cursor->table         = table;
    set_bounds(cursor, scan);
    status code = ops->cursor_start(cursor, reterr);
    if (code != STATUS_OK) {
        free(cursor);
        return code;
    }

    cursor->next = txn->cursors;
    if (cursor->next) cursor->next->prev = cursor;
    txn->cursors = cursor;
    *ret_cursor  = cursor;
    return STATUS_OK;
}

static void detach(struct cursor *cursor)
{
    struct txn *txn = cursor->txn;
    txn->store->ops->cursor_stop(cursor);
    if (cursor->next) cursor->next->prev = cursor->prev;
    if (cursor->prev) {
        cursor->prev->next = cursor->next;
    } else {
        txn->cursors = cursor->next;
    }
    cursor->txn = NULL;
}

void txn_detach_cursors(struct txn *txn)
{
    while (txn->cursors) detach(txn->cursors);
}

void cursor_close(struct cursor *cursor)
{
    if (!cursor) return;
    if (cursor->txn) detach(cursor);
    free(cursor);
}

void cursor_closep(struct cursor **cursor)
{
    cursor_close(*cursor);
}

/* --- Moving ----------------------------------------------------------------------------------- */

static status seek(struct cursor *cursor, bytes *ret_key, bytes *ret_value, struct error *reterr)
{
    const struct store_ops *ops = cursor->txn->store->ops;
    if (cursor->backward) {
        bytes before = bound_bytes(cursor->state == CURSOR_NEW ? &cursor->upper : &cursor->last);
        return ops->seek_before(cursor, before, ret_key, ret_value, reterr);
    }
    if (cursor->state == CURSOR_NEW) {
        return ops->seek(cursor, bound_bytes(&cursor->lower), ret_key, ret_value, reterr);
    }
    struct bound behind       = cursor->last;
    behind.data[behind.len++] = 0;
    return ops->seek(cursor, bound_bytes(&behind), ret_key, ret_value, reterr);
}

static bool is_within(const struct cursor *cursor, bytes key)
{
    if (cursor->backward) return compare(key, bound_bytes(&cursor->lower)) >= 0;
    return cursor->upper.len == 0 || compare(key, bound_bytes(&cursor->upper)) < 0;
}

status cursor_next(struct cursor *cursor, bytes *ret_key, bytes *ret_value, struct error *reterr)
{
    ASSERT(cursor->txn);
    ASSERT(ret_key);
    ASSERT(ret_value);
    struct txn *txn             = cursor->txn;
    const struct store_ops *ops = txn->store->ops;
    TRY(store_operation(txn->store, "cursor", reterr));
    if (cursor->state == CURSOR_END) return fail(reterr, STATUS_NOT_FOUND, "store: end of scan");

    bytes key;
    bytes value;
    bool can_step = ops->step && cursor->state == CURSOR_ON && cursor->writes_seen == txn->writes;
    status code =
        can_step ? ops->step(cursor, &key, &value, reterr) : seek(cursor, &key, &value, reterr);
    if (code == STATUS_OK && !is_within(cursor, key)) {
        code = fail(reterr, STATUS_NOT_FOUND, "store: end of scan");
    }
    if (code == STATUS_NOT_FOUND) cursor->state = CURSOR_END;
    TRY(code);

    if (txn->is_write || !ops->step) bound_set(&cursor->last, key);
    cursor->state       = CURSOR_ON;
    cursor->writes_seen = txn->writes;
    *ret_key            = key;
    *ret_value          = value;
    return STATUS_OK;
}

status cursor_delete(struct cursor *cursor, struct error *reterr)
{
    ASSERT(cursor->txn);
    ASSERT(cursor->state == CURSOR_ON);
    TRY(txn_delete(cursor->txn, cursor->table, bound_bytes(&cursor->last), reterr));
    cursor->state = CURSOR_DELETED;
    return STATUS_OK;
}

status txn_last(struct txn *txn, unsigned table, bytes *ret_key, bytes *ret_value,
                struct error *reterr)
{
    const struct scan scan                       = {.backward = true};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(txn, table, &scan, &cursor, reterr));
    return cursor_next(cursor, ret_key, ret_value, reterr);
}

/* NOLINTNEXTLINE(readability-function-size): its parameters are store.h's */
status txn_page(struct txn *txn, unsigned table, const struct scan *scan, unsigned count_max,
                struct page *page, page_fn visit, void *context, struct error *reterr)
{
    ASSERT(count_max > 0);
    ASSERT(page);
    ASSERT(visit);
    struct scan rest                             = *scan;
    rest.after                                   = (bytes){.ptr = page->key, .len = page->key_len};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(txn, table, &rest, &cursor, reterr));

    page->has_more = false;
    for (unsigned count = 0;; count++) {
        bytes key;
        bytes value;
        status code = cursor_next(cursor, &key, &value, reterr);
        if (code == STATUS_NOT_FOUND) return STATUS_OK;
        TRY(code);
        if (count == count_max) {
            page->has_more = true;
            return STATUS_OK;
        }
        TRY(visit(key, value, reterr, context));
        memcpy(page->key, key.ptr, key.len);
        page->key_len = key.len;
    }
}
