/* The system partition: it keeps the ledger, and says what it has decided. */
#include "base/log.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/budgets/late_funds.h"
#include "scheduler/engine/budgets/ledger.h"
#include "scheduler/engine/budgets/prices.h"
#include "scheduler/engine/rows.h"

enum { ROW_ARENA_MAX = 4 << 20 };

/* --- rows --------------------------------------------------------------------------------------
 */

/* Where the row of one stands. */
static enum table place_of(const struct ledger_budget *budget, struct key *ret_key)
{
    if (!budget->is_purse) {
        budget_key(ret_key, str_from(budget->namespace), str_from(budget->name));
        return TABLE_BUDGETS;
    }
    id_key(ret_key, str_from(budget->spec.value));
    return TABLE_RUN_PURSES;
}

static status put_budget(struct engine *engine, const struct ledger_budget *budget,
                         struct error *reterr)
{
    struct key key;
    Pb__BudgetView row;
    ledger_view(budget, &row);
    enum table table = place_of(budget, &key);
    return record_put(engine->txn, table, key_bytes(&key), &row.base, reterr);
}

/* One that was made in this turn has none yet. */
static status drop_row(struct engine *engine, const struct ledger_budget *budget,
                       struct error *reterr)
{
    struct key key;
    enum table table = place_of(budget, &key);
    status deleted   = txn_delete(engine->txn, table, key_bytes(&key), NULL);
    if (deleted == STATUS_OK || deleted == STATUS_NOT_FOUND) return STATUS_OK;
    return fail(reterr, deleted, "the row of a budget cannot be deleted");
}

static status put_ask(struct engine *engine, str job, const struct ledger_ask *ask,
                      struct error *reterr)
{
    struct key key;
    Pb__BudgetAskRecord row;
    if (!id_is_valid(job)) return STATUS_OK;
    id_key(&key, job);
    if (ask) {
        TRY(ledger_ask_row(ask, engine->arena, &row, reterr));
        return record_put(engine->txn, TABLE_BUDGET_ASKS, key_bytes(&key), &row.base, reterr);
    }
    status deleted = txn_delete(engine->txn, TABLE_BUDGET_ASKS, key_bytes(&key), NULL);
    if (deleted == STATUS_OK || deleted == STATUS_NOT_FOUND) return STATUS_OK;
    return fail(reterr, deleted, "the row of a question cannot be deleted");
}

/* --- messages ----------------------------------------------------------------------------------
 */

status engine_take_budget_ask(struct engine *engine, const Pb__BudgetAsk *ask, struct error *)
{
    Pb__BudgetAsk priced = *ask;
    if (!engine->ledger) return STATUS_OK;
    if (!ask->price) {
        priced.price = (Pb__ModelPrice *)(uintptr_t)engine_price_of(engine, ask->model);
    }
    ledger_ask(engine->ledger, &priced);
    return STATUS_OK;
}

status engine_take_budget_end(struct engine *engine, const Pb__BudgetEnd *end, struct error *reterr)
{
    if (!engine->ledger) return STATUS_OK;
    if (end->price) TRY(engine_price_learn(engine, end->model, end->price, reterr));
    ledger_end(engine->ledger, end);
    return STATUS_OK;
}

status engine_take_purse_end(struct engine *engine, const Pb__RunPurseEnd *end,
                             struct error *reterr)
{
    struct ledger_budget *purse = NULL;
    if (engine->ledger) {
        purse = ledger_purse(engine->ledger, str_from(end->run));
    }
    if (!purse) return STATUS_OK;
    TRY(drop_row(engine, purse, reterr));
    ledger_drop(engine->ledger, purse);
    return STATUS_OK;
}

static status tell(struct engine *engine, const struct ledger_answer *told, struct error *reterr)
{
    Pb__BudgetAnswer answer = PB__BUDGET_ANSWER__INIT;
    answer.job              = told->job.text;
    answer.number           = told->number;
    answer.verdict          = told->verdict;
    answer.budget           = told->budget;
    answer.reason           = told->reason;
    answer.needs_price      = told->needs_price;
    Pb__BudgetRoom room     = PB__BUDGET_ROOM__INIT;
    room.tokens             = told->room.tokens;
    room.nanos              = told->room.nanos;
    answer.room             = &room;
    if (told->partition == engine->partition->index) {
        return engine_take_budget_answer(engine, &answer, reterr);
    }
    Pb__Message message   = PB__MESSAGE__INIT;
    message.content_case  = PB__MESSAGE__CONTENT_BUDGET_ANSWER;
    message.budget_answer = &answer;
    return engine_tell(engine, told->partition, &message, reterr);
}

status engine_ledger_settle(struct engine *engine, struct error *reterr)
{
    struct ledger *ledger = engine->ledger;
    struct ledger_answer answer;
    struct ledger_budget *budget;
    const struct ledger_ask *asked = NULL;
    struct id job;
    ledger_advance(ledger, engine->now_us);
    while (ledger_take_answer(ledger, &answer)) TRY(tell(engine, &answer, reterr));
    while ((budget = ledger_take_changed(ledger))) TRY(put_budget(engine, budget, reterr));
    while (ledger_take_row(ledger, &job, &asked)) {
        TRY(put_ask(engine, str_from(job.text), asked, reterr));
    }
    return STATUS_OK;
}

/* --- commands ----------------------------------------------------------------------------------
 */

/* Everybody hears that there is a budget, or none any more. */
static status tell_all(struct engine *engine, Pb__BudgetView *view, bool is_gone,
                       struct error *reterr)
{
    Pb__BudgetView told  = PB__BUDGET_VIEW__INIT;
    Pb__BudgetNews news  = PB__BUDGET_NEWS__INIT;
    Pb__Message message  = PB__MESSAGE__INIT;
    told.namespace_      = view->namespace_;
    told.name            = view->name;
    told.spec            = view->spec;
    news.budget          = &told;
    news.gone            = is_gone;
    message.content_case = PB__MESSAGE__CONTENT_BUDGET_NEWS;
    message.budget_news  = &news;
    TRY(engine_take_budget_news(engine, &news, reterr));
    for (uint16_t i = 1; i < engine->partition->count; i++) {
        TRY(engine_tell(engine, i, &message, reterr));
    }
    return STATUS_OK;
}

static bool has_scope(const Pb__BudgetSpec *one, const Pb__BudgetSpec *two)
{
    return one->scope == two->scope && strcmp(one->label, two->label) == 0 &&
           strcmp(one->value, two->value) == 0;
}

static bool is_refused(struct command *command, const Pb__PutBudget *request,
                       const struct ledger_budget *there)
{
    if (request->revision > 0 && (!there || there->revision != request->revision)) {
        (void)command_refuse(command, STATUS_FAILED_PRECONDITION, "precondition_failed",
                             "the budget has changed, or is gone");
        return true;
    }
    if (there && !has_scope(&there->spec, request->spec)) {
        (void)command_refuse(command, STATUS_FAILED_PRECONDITION, "conflict",
                             "budget %s is of another scope: delete it, and what was spent with it",
                             request->name);
        return true;
    }
    return false;
}

/* A view that stays when the budget goes. */
static status answer_view(struct command *command, const struct ledger_budget *budget)
{
    Pb__BudgetView view;
    ledger_view(budget, &view);
    size_t size   = pb__budget_view__get_packed_size(&view);
    uint8_t *text = arena_alloc(command->arena, size + 1);
    if (!text) return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, NULL, "no memory");
    (void)pb__budget_view__pack(&view, text);
    ProtobufCAllocator allocator = arena_allocator(command->arena);
    const Pb__BudgetView *copy   = pb__budget_view__unpack(&allocator, size, text);
    if (!copy) return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, NULL, "no memory");
    *(Pb__BudgetView *)command->response = *copy;
    return STATUS_OK;
}

/* `*ret_budget` NULL: the command was refused. */
static status put_one(struct engine *engine, struct command *command, const Pb__PutBudget *request,
                      struct ledger_budget **ret_budget, struct error *reterr)
{
    struct ledger_budget *budget =
        ledger_find(engine->ledger, str_from(request->namespace_), str_from(request->name));
    struct error why = {};
    Pb__BudgetView view;
    *ret_budget = NULL;
    if (is_refused(command, request, budget)) return STATUS_OK;
    bool is_new = !budget;
    status put  = ledger_put(engine->ledger, request->namespace_, request->name, request->spec,
                             engine->now_us, &budget, &why);
    if (put != STATUS_OK) {
        bool is_zone = put == STATUS_NOT_FOUND || put == STATUS_INVALID_ARGUMENT;
        return command_refuse(command, is_zone ? STATUS_INVALID_ARGUMENT : put,
                              is_zone ? "input_invalid" : why.code, "%s", why.text);
    }
    if (is_new) ledger_set_creator(budget, request->by);
    ledger_view(budget, &view);
    TRY(tell_all(engine, &view, false, reterr));
    log_write(LOG_INFO, "budget.put", LOG_TEXT_OF("budget", request->name),
              LOG_TEXT_OF("namespace", request->namespace_), LOG_TEXT_OF("by", request->by));
    *ret_budget = budget;
    return STATUS_OK;
}

status engine_put_budget(struct engine *engine, struct command *command, struct error *reterr)
{
    struct ledger_budget *budget = NULL;
    engine_answer(engine, command);
    TRY(put_one(engine, command, command->request, &budget, reterr));
    return budget ? answer_view(command, budget) : STATUS_OK;
}

status engine_make_budget(struct engine *engine, struct command *command,
                          const Pb__PutBudget *request, struct error *reterr)
{
    struct ledger_budget *budget = NULL;
    return put_one(engine, command, request, &budget, reterr);
}

status engine_delete_budget(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__DeleteBudget *request = command->request;
    struct ledger_budget *budget =
        ledger_find(engine->ledger, str_from(request->namespace_), str_from(request->name));
    Pb__BudgetView view;
    engine_answer(engine, command);
    if (!budget) {
        return command_refuse(command, STATUS_NOT_FOUND, "not_found", "there is no budget `%s`",
                              request->name);
    }
    ledger_view(budget, &view);
    TRY(tell_all(engine, &view, true, reterr));
    TRY(drop_row(engine, budget, reterr));
    log_write(LOG_INFO, "budget.deleted", LOG_TEXT_OF("budget", request->name),
              LOG_TEXT_OF("namespace", request->namespace_));
    ledger_drop(engine->ledger, budget);
    return STATUS_OK;
}

/* --- recovery ----------------------------------------------------------------------------------
 */

struct recovery {
    struct engine *engine;
    struct arena *arena;
};

static status recover_budget(bytes, bytes row, struct error *reterr, void *context)
{
    const struct recovery *recovery = context;
    struct engine *engine           = recovery->engine;
    Pb__BudgetView *view            = NULL;
    arena_clear(recovery->arena);
    TRY(record_read(row, &pb__budget_view__descriptor, recovery->arena, &view, reterr));
    if (!view->spec) return fail(reterr, STATUS_DATA_LOSS, "table budgets: a row");
    if (!view->of_run) (void)book_put(engine->book, view);
    if (engine->ledger) ledger_restore_budget(engine->ledger, view);
    return STATUS_OK;
}

static status recover_ask(bytes, bytes row, struct error *reterr, void *context)
{
    const struct recovery *recovery = context;
    Pb__BudgetAskRecord *record     = NULL;
    arena_clear(recovery->arena);
    TRY(record_read(row, &pb__budget_ask_record__descriptor, recovery->arena, &record, reterr));
    if (recovery->engine->ledger) ledger_restore_ask(recovery->engine->ledger, record);
    return STATUS_OK;
}

static status recover_price(bytes key, bytes row, struct error *reterr, void *context)
{
    const struct recovery *recovery = context;
    struct key_text model           = {};
    Pb__ModelPrice *price           = NULL;
    bytes rest                      = key;
    arena_clear(recovery->arena);
    if (!key_take_text(&rest, &model)) {
        return fail(reterr, STATUS_DATA_LOSS, "table model_prices: a key");
    }
    TRY(record_read(row, &pb__model_price__descriptor, recovery->arena, &price, reterr));
    (void)prices_put(recovery->engine->prices, (str){model.data, model.len}, price);
    return STATUS_OK;
}

status engine_budgets_recover(struct engine *engine, struct error *reterr)
{
    engine->book       = book_new();
    engine->prices     = prices_new();
    engine->late_funds = late_funds_new();
    if (engine->partition->index == 0) engine->ledger = ledger_new();
    CLEANUP(arena_freep) struct arena *arena = arena_new(ROW_ARENA_MAX);
    struct recovery recovery                 = {.engine = engine, .arena = arena};
    TRY(engine_each_row(engine, TABLE_BUDGETS, recover_budget, &recovery, reterr));
    TRY(engine_each_row(engine, TABLE_RUN_PURSES, recover_budget, &recovery, reterr));
    TRY(engine_each_row(engine, TABLE_MODEL_PRICES, recover_price, &recovery, reterr));
    TRY(engine_each_row(engine, TABLE_BUDGET_ASKS, recover_ask, &recovery, reterr));
    if (engine->ledger) ledger_restored(engine->ledger);
    return engine_late_funds_recover(engine, reterr);
}

void engine_budgets_forget(struct engine *engine)
{
    book_free(engine->book);
    prices_free(engine->prices);
    ledger_free(engine->ledger);
    late_funds_free(engine->late_funds);
    engine->book       = NULL;
    engine->prices     = NULL;
    engine->ledger     = NULL;
    engine->late_funds = NULL;
}
