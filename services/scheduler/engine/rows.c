#include "scheduler/engine/rows.h"

#include "base/hash.h"
#include "base/log.h"
#include "scheduler/engine/metrics.h"

enum { ROWS_PER_PAGE = 1'000 };

void engine_row_unreadable(struct engine *engine, enum table table, bytes key,
                           const struct error *why)
{
    char hex[2 * STORE_KEY_MAX + 1];
    hex_encode(key.ptr, key.len, hex);
    log_write(LOG_ERROR, "row.unreadable", LOG_INT("partition", engine->partition->index),
              LOG_TEXT_OF("table", table_names[table]), LOG_TEXT_OF("key", hex),
              LOG_TEXT_OF("error", why->text));
    count_unreadable_row(engine->options.metrics, table_names[table]);
}

status engine_row_drop(struct engine *engine, enum table table, struct cursor *cursor, bytes key,
                       struct error *reterr)
{
    struct error why = {};
    (void)fail(&why, STATUS_DATA_LOSS, "its key says no time");
    engine_row_unreadable(engine, table, key, &why);
    return cursor_delete(cursor, reterr);
}

struct visitor {
    struct engine *engine;
    enum table table;
    page_fn visit;
    void *context;
};

static status visit_row(bytes key, bytes value, struct error *reterr, void *context)
{
    const struct visitor *visitor = context;
    struct error why              = {};
    status read                   = visitor->visit(key, value, &why, visitor->context);
    if (read == STATUS_OK) return STATUS_OK;
    if (read != STATUS_DATA_LOSS) return fail(reterr, read, "%s", why.text);
    engine_row_unreadable(visitor->engine, visitor->table, key, &why);
    return STATUS_OK;
}

status engine_each_row(struct engine *engine, enum table table, page_fn visit, void *context,
                       struct error *reterr)
{
    struct visitor visitor = {engine, table, visit, context};
    struct page page       = {.has_more = true};
    const struct scan scan = {};
    while (page.has_more) {
        TRY(txn_page(engine->txn, table, &scan, ROWS_PER_PAGE, &page, visit_row, &visitor, reterr));
    }
    return STATUS_OK;
}
