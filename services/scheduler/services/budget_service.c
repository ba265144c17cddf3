/* Budgets over many runs. They are kept by the system partition. */
#include "scheduler/engine/budgets/book.h"
#include "scheduler/services/budget_spec.h"
#include "scheduler/services/call.h"
#include "scheduler/services/row_page.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/run_wire.h"

enum {
    HOLDER_MAX = 128, /* bytes */
    TEXT_MAX   = 1'024,
    LABELS_MAX = 64,
    SCOPES_MAX = 1'000, /* of a run */
    ENDS_MAX   = 1'000, /* of one message */
};

static status no_memory(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
}

static str namespace_of(const struct rpc_call *call, const char *named)
{
    return namespace_of_keys(call_namespace(call, named));
}

static status not_found(const char *name, struct error *reterr)
{
    return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no budget `%.*s`",
                     BUDGET_NAME_MAX, name);
}

/* --- put, delete -------------------------------------------------------------------------------
 */

status budget_request_read(struct rpc_call *call, Pb__PutBudget *request, struct error *reterr)
{
    CLEANUP(json_unrefp) json value = json_invalid();
    struct diagnostics *list        = diagnostics_new(call->arena);
    Pb__BudgetSpec *spec            = arena_alloc(call->arena, sizeof *spec);
    if (!list || !spec) return no_memory(reterr);
    TRY(json_out(request->spec_json, "budget", &value, reterr));
    (void)budget_spec_read(value, call->arena, list, spec);
    if (!budget_name_is_valid(str_from(request->name))) {
        (void)diagnostics_add(list, "", SEVERITY_ERROR, str_from("/name"), 0, 0,
                              "must be 1 to %d of a-z, 0-9 and - between them", BUDGET_NAME_MAX);
    }
    request->spec = spec;
    if (list->errors == 0) return STATUS_OK;
    call_set_findings(call, list);
    const struct diagnostic *first = &list->items[0];
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid", "%s: %s",
                     *first->pointer ? first->pointer : "the budget", first->detail);
}

static status post(struct rpc_call *call, enum command_kind kind, const void *request,
                   struct error *reterr)
{
    struct command *command = call_command(call, kind, 0);
    if (!command) return no_memory(reterr);
    command->request = request;
    call_post(call, scheduler_shard(call->context, 0), command);
    return STATUS_OK;
}

static status put(struct rpc_call *call, struct error *reterr)
{
    if (!scheduler_shard(call->context, 0)) return call_moved(call, 0);
    Pb__PutBudget *request = arena_alloc(call->arena, sizeof *request);
    if (!request) return no_memory(reterr);
    *request            = *(const Pb__PutBudget *)call->request;
    request->namespace_ = text_in(call->arena, namespace_of(call, request->namespace_));
    if (!request->namespace_) return no_memory(reterr);
    TRY(budget_request_read(call, request, reterr));
    return post(call, COMMAND_PUT_BUDGET, request, reterr);
}

static status delete_budget(struct rpc_call *call, struct error *reterr)
{
    if (!scheduler_shard(call->context, 0)) return call_moved(call, 0);
    Pb__DeleteBudget *request = arena_alloc(call->arena, sizeof *request);
    if (!request) return no_memory(reterr);
    *request            = *(const Pb__DeleteBudget *)call->request;
    request->namespace_ = text_in(call->arena, namespace_of(call, request->namespace_));
    if (!request->namespace_) return no_memory(reterr);
    if (!budget_name_is_valid(str_from(request->name))) return not_found(request->name, reterr);
    return post(call, COMMAND_DELETE_BUDGET, request, reterr);
}

/* --- calls that are no jobs --------------------------------------------------------------------
 */

static bool is_short(const char *text, size_t max)
{
    return strlen(text) <= max;
}

static bool is_fine(const Pb__ReserveBudgets *request)
{
    bool is_fine = id_is_valid(str_from(request->call)) && *request->holder &&
                   is_short(request->holder, HOLDER_MAX) && is_short(request->model, TEXT_MAX) &&
                   is_short(request->key, TEXT_MAX) && is_short(request->namespace_, TEXT_MAX) &&
                   request->n_labels <= LABELS_MAX && request->n_scopes <= SCOPES_MAX &&
                   request->n_purses <= RUN_PURSES_MAX;
    for (size_t i = 0; is_fine && i < request->n_labels; i++) {
        is_fine = is_short(request->labels[i]->key, TEXT_MAX) &&
                  is_short(request->labels[i]->value, TEXT_MAX);
    }
    for (size_t i = 0; is_fine && i < request->n_purses; i++) {
        is_fine = id_is_valid(str_from(request->purses[i]->run));
    }
    return is_fine;
}

static status reserve(struct rpc_call *call, struct error *reterr)
{
    if (!scheduler_shard(call->context, 0)) return call_moved(call, 0);
    Pb__ReserveBudgets *request = arena_alloc(call->arena, sizeof *request);
    if (!request) return no_memory(reterr);
    *request            = *(const Pb__ReserveBudgets *)call->request;
    request->namespace_ = text_in(call->arena, namespace_of(call, request->namespace_));
    if (!request->namespace_) return no_memory(reterr);
    if (!is_fine(request)) {
        return fail(
            reterr, STATUS_INVALID_ARGUMENT,
            "a call has an id, a holder of at most %d bytes, at most %d labels, and texts of "
            "at most %d bytes",
            HOLDER_MAX, LABELS_MAX, TEXT_MAX);
    }
    return post(call, COMMAND_RESERVE_BUDGETS, request, reterr);
}

static status admit(struct rpc_call *call, struct error *reterr)
{
    Pb__ReserveRun *request = arena_alloc(call->arena, sizeof *request);
    struct run_place place  = {};
    if (!request) return no_memory(reterr);
    *request = *(const Pb__ReserveRun *)call->request;
    if (!id_is_valid(str_from(request->call)) || !is_short(request->model, TEXT_MAX)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "a call has an id, and a model of at most %d bytes", TEXT_MAX);
    }
    TRY(run_find(call->context, str_from(request->run), call_namespace(call, request->namespace_),
                 call->arena, &place, reterr));
    if (!place.shard) return call_moved(call, place.partition);
    request->run            = text_in(call->arena, str_from(place.id.text));
    struct command *command = call_command(call, COMMAND_RESERVE_RUN, 0);
    if (!command || !request->run) return no_memory(reterr);
    command->request = request;
    call_post(call, place.shard, command);
    return STATUS_OK;
}

static status settle(struct rpc_call *call, struct error *reterr)
{
    const Pb__SettleBudgets *request = call->request;
    if (!scheduler_shard(call->context, 0)) return call_moved(call, 0);
    if (!*request->holder || !is_short(request->holder, HOLDER_MAX) || request->n_ends > ENDS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "at most %d calls, and a holder", ENDS_MAX);
    }
    return post(call, COMMAND_SETTLE_BUDGETS, request, reterr);
}

/* --- reading -----------------------------------------------------------------------------------
 */

static status get(struct rpc_call *call, struct error *reterr)
{
    const Pb__GetBudget *request        = call->request;
    struct shard *shard                 = scheduler_shard(call->context, 0);
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    Pb__BudgetView *row                 = NULL;
    struct key key;
    if (!shard) return call_moved(call, 0);
    if (!budget_name_is_valid(str_from(request->name))) return not_found(request->name, reterr);
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    budget_key(&key, namespace_of(call, request->namespace_), str_from(request->name));
    status got = record_get(txn, TABLE_BUDGETS, key_bytes(&key), &pb__budget_view__descriptor,
                            call->arena, &row, reterr);
    if (got == STATUS_NOT_FOUND) return not_found(request->name, reterr);
    TRY(got);
    *(Pb__BudgetView *)call->response = *row;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

struct listing {
    struct arena *arena;
    Pb__BudgetList *answer;
    struct row_page page;
};

static status take_row(struct txn *, bytes value, void *context, bool *ret_is_full,
                       struct error *reterr)
{
    struct listing *list = context;
    Pb__BudgetList *to   = list->answer;
    Pb__BudgetView *row  = NULL;
    *ret_is_full         = to->n_budgets == list->page.size;
    if (*ret_is_full) return STATUS_OK;
    TRY(record_read(value, &pb__budget_view__descriptor, list->arena, &row, reterr));
    to->budgets[to->n_budgets++] = row;
    return STATUS_OK;
}

static status list(struct rpc_call *call, struct error *reterr)
{
    const Pb__ListBudgets *request      = call->request;
    struct shard *shard                 = scheduler_shard(call->context, 0);
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct listing listing              = {.arena = call->arena, .answer = call->response};
    struct scan scan                    = {};
    struct key prefix;
    if (!shard) return call_moved(call, 0);
    str namespace = call_namespace(call, request->namespace_);
    TRY(row_page_begin(request->page, namespace, call->arena, &listing.page, reterr));
    listing.answer->budgets = arena_alloc(call->arena, listing.page.size * sizeof(void *));
    if (!listing.answer->budgets) return no_memory(reterr);
    if (!str_is(namespace, "*")) {
        budget_key(&prefix, namespace, (str){});
        scan.prefix = key_bytes(&prefix);
    }
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    TRY(row_page_walk(&listing.page, txn, TABLE_BUDGETS, scan, take_row, &listing, reterr));
    listing.answer->next_token = row_page_next(&listing.page, call->arena);
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

const struct rpc_method budget_service_methods[] = {
    {.name = "Put", .handle = put},         {.name = "Get", .handle = get},
    {.name = "List", .handle = list},       {.name = "Delete", .handle = delete_budget},
    {.name = "Reserve", .handle = reserve}, {.name = "Settle", .handle = settle},
    {.name = "Admit", .handle = admit},     {},
};
