#include "scheduler/engine/budgets/prices.h"

#include "base/map.h"
#include "base/mem.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/budgets/ledger.h"

#include <stdlib.h>

struct prices {
    struct map *by_model; /* Pb__ModelPrice, owned */
};

struct prices *prices_new(void)
{
    struct prices *prices = mem_new(1, sizeof *prices);
    prices->by_model      = map_new(PRICES_MAX);
    return prices;
}

void prices_free(struct prices *prices)
{
    if (!prices) return;
    size_t cursor = 0;
    void *price   = NULL;
    while (map_next(prices->by_model, &cursor, NULL, &price)) free(price);
    map_free(prices->by_model);
    free(prices);
}

const Pb__ModelPrice *prices_find(const struct prices *prices, str model)
{
    return map_get(prices->by_model, model);
}

bool prices_put(struct prices *prices, str model, const Pb__ModelPrice *price)
{
    if (model.len == 0 || model.len > PRICE_MODEL_MAX) return false;
    if (price->input_picos < 0 || price->output_picos < 0) return false;
    Pb__ModelPrice *known = map_get(prices->by_model, model);
    bool is_same          = known && known->input_picos == price->input_picos &&
                   known->output_picos == price->output_picos;
    if (is_same) return false;
    if (!known) {
        known = mem_new(1, sizeof *known);
        pb__model_price__init(known);
        if (!map_put(prices->by_model, model, known)) {
            free(known);
            return false;
        }
    }
    known->input_picos  = price->input_picos;
    known->output_picos = price->output_picos;
    return true;
}

/* --- in the engine -----------------------------------------------------------------------------
 */

const Pb__ModelPrice *engine_price_of(const struct engine *engine, const char *model)
{
    return prices_find(engine->prices, str_from(model));
}

status engine_price_learn(struct engine *engine, const char *model, const Pb__ModelPrice *price,
                          struct error *reterr)
{
    struct key key;
    if (!prices_put(engine->prices, str_from(model), price)) return STATUS_OK;
    if (engine->ledger) ledger_set_price(engine->ledger, model, price);
    model_price_key(&key, str_from(model));
    return record_put(engine->txn, TABLE_MODEL_PRICES, key_bytes(&key), &price->base, reterr);
}
