/* Whose budgets the calls of a run are charged to. */
#include "scheduler/engine/budgets/engine_budgets.h"

status engine_run_row(struct engine *engine, str run, Pb__RunView **ret_row, struct error *reterr)
{
    const struct live_run *live = run_cache_find(&engine->cache, run);
    *ret_row                    = live ? live->row : NULL;
    return *ret_row ? STATUS_OK : run_row_get(engine->txn, run, engine->arena, ret_row, reterr);
}

struct scopes {
    struct engine *engine;
    const char **items;
    size_t count;
};

static status add(struct scopes *scopes, Pb__BudgetScope scope, const char *label,
                  const char *value, struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(BUDGET_SCOPE_MAX);
    if (!budget_scope_put(scope, label, value, &text)) return STATUS_OK; /* no budget has it */
    char *item = text_in(scopes->engine->arena, buf_str(&text));
    if (!item) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    scopes->items[scopes->count++] = item;
    return STATUS_OK;
}

status engine_scopes_of(struct engine *engine, const Pb__RunView *row, const char ***ret_scopes,
                        size_t *ret_count, struct error *reterr)
{
    enum { OWN = 2 };
    const struct live_run *live = run_cache_find(&engine->cache, str_from(row->id));
    size_t added                = 0;
    const struct added_label *label;
    for (label = live ? live->labels : NULL; label; label = label->next) added++;
    size_t max           = OWN + row->n_labels + added + row->n_charged_to;
    struct scopes scopes = {.engine = engine};
    scopes.items         = arena_alloc(engine->arena, max * sizeof *scopes.items);
    if (!scopes.items) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    TRY(add(&scopes, PB__BUDGET_SCOPE__BUDGET_SCOPE_RUN, "", row->id, reterr));
    TRY(add(&scopes, PB__BUDGET_SCOPE__BUDGET_SCOPE_KEY, "", row->created_by, reterr));
    for (size_t i = 0; i < row->n_labels; i++) {
        TRY(add(&scopes, PB__BUDGET_SCOPE__BUDGET_SCOPE_LABEL, row->labels[i]->key,
                row->labels[i]->value, reterr));
    }
    for (label = live ? live->labels : NULL; label; label = label->next) {
        TRY(add(&scopes, PB__BUDGET_SCOPE__BUDGET_SCOPE_LABEL, label->key, label->value, reterr));
    }
    for (size_t i = 0; i < row->n_charged_to; i++) {
        scopes.items[scopes.count++] = text_in(engine->arena, str_from(row->charged_to[i]));
    }
    *ret_scopes = scopes.items;
    *ret_count  = scopes.count;
    return STATUS_OK;
}

status engine_payers(struct engine *engine, str run, struct payers *ret_payers,
                     const char **ret_namespace, struct error *reterr)
{
    struct live_run *live = NULL;
    Pb__RunView *row      = NULL;
    const char **scopes   = NULL;
    size_t count          = 0;
    *ret_payers           = (struct payers){};
    *ret_namespace        = "";
    TRY(engine_run(engine, run, NULL, &live, reterr));
    TRY(engine_run_row(engine, run, &row, reterr));
    if (live) TRY(engine_purses_of(engine, live, row, ret_payers, reterr));
    if (book_count(engine->book) == 0 && ret_payers->purse_count == 0) return STATUS_OK;
    TRY(engine_scopes_of(engine, row, &scopes, &count, reterr));
    str namespace  = str_from(row->namespace_);
    *ret_namespace = row->namespace_;
    bool fits      = book_add_payers(engine->book, namespace, str_from("namespace"), ret_payers);
    for (size_t i = 0; i < count && fits; i++) {
        fits = book_add_payers(engine->book, namespace, str_from(scopes[i]), ret_payers);
    }
    if (fits) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "the run is charged to more than %d budgets",
                BUDGET_PAYERS_MAX);
}
