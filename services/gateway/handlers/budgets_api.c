/* Budgets over many runs. */
#include "budget.pb-c.h"
#include "gateway/api/view.h"
#include "gateway/handlers/handlers.h"

enum { SPEC_MAX = 16 << 10 /* bytes */ };

static void ask(struct api_call *call, const char *method, const void *message, api_then *then)
{
    const struct api_ask request = {
        .service = &pb__budgets__descriptor, .method = method, .message = message, .then = then};
    api_ask_scheduler(call, &request);
}

/* --- views -------------------------------------------------------------------------------------
 */

static void put_scope(struct json_writer *w, const Pb__BudgetSpec *spec)
{
    json_member(w, "scope");
    if (spec->scope == PB__BUDGET_SCOPE__BUDGET_SCOPE_NAMESPACE) {
        json_write_text(w, str_from("namespace"));
        return;
    }
    json_begin_object(w);
    if (spec->scope == PB__BUDGET_SCOPE__BUDGET_SCOPE_LABEL) {
        json_member(w, "label");
        json_begin_object(w);
        json_member(w, spec->label);
        json_write_text(w, str_from(spec->value));
        json_end_object(w);
    } else {
        bool is_key = spec->scope == PB__BUDGET_SCOPE__BUDGET_SCOPE_KEY;
        json_put_text(w, is_key ? "key" : "run", str_from(spec->value));
    }
    json_end_object(w);
}

struct amount {
    const char *name;
    int64_t tokens, nanos;
};

/* What is left may be less than nothing for a moment: then it is nothing. */
static int64_t left_of(int64_t limit, int64_t spent, int64_t reserved)
{
    int64_t room = spent < limit ? limit - spent : 0;
    return reserved < room ? room - reserved : 0;
}

static void put_amount(struct json_writer *w, const Pb__BudgetSpec *spec,
                       const struct amount *amount, bool only_limited)
{
    json_member(w, amount->name);
    json_begin_object(w);
    if (!only_limited || spec->tokens > 0) json_put_int(w, "tokens", amount->tokens);
    if (!only_limited || spec->usd_nanos > 0) view_money(w, "usd", amount->nanos);
    json_end_object(w);
}

static void put_account(struct json_writer *w, const Pb__BudgetView *budget)
{
    const Pb__BudgetSpec *spec = budget->spec;
    const struct amount spent  = {"spent", budget->spent_tokens, budget->spent_nanos};
    const struct amount aside  = {"reserved", budget->reserved_tokens, budget->reserved_nanos};
    const struct amount left   = {
          "remaining", left_of(spec->tokens, budget->spent_tokens, budget->reserved_tokens),
          left_of(spec->usd_nanos, budget->spent_nanos, budget->reserved_nanos)};
    put_amount(w, spec, &spent, false);
    put_amount(w, spec, &aside, false);
    put_amount(w, spec, &left, true);
}

static void put_budget(struct json_writer *w, const Pb__BudgetView *budget)
{
    const Pb__BudgetSpec *spec = budget->spec;
    json_begin_object(w);
    json_put_text(w, "name", str_from(budget->name));
    json_put_text(w, "namespace", str_from(budget->namespace_));
    put_scope(w, spec);
    if (spec->tokens > 0) json_put_int(w, "tokens", spec->tokens);
    if (spec->usd_nanos > 0) view_money(w, "usd", spec->usd_nanos);
    json_put_text(w, "period", str_from(spec->daily ? "day" : "total"));
    if (spec->daily) {
        json_put_text(w, "time_zone", str_from(*spec->time_zone ? spec->time_zone : "UTC"));
    }
    json_put_text(w, "on_spent", str_from(spec->pauses ? "pause" : "refuse"));
    json_put_text(w, "unpriced", str_from(spec->allows_unpriced ? "allow" : "refuse"));
    put_account(w, budget);
    json_put_int(w, "waiting", (int64_t)budget->waiting);
    json_put_int(w, "paused", (int64_t)budget->paused);
    json_put_int(w, "unpriced_calls", (int64_t)budget->unpriced);
    json_put_time(w, "since", budget->since_us);
    view_time_if(w, "resets_at", budget->resets_us);
    json_put_time(w, "created_at", budget->created_us);
    json_put_time(w, "updated_at", budget->updated_us);
    view_text_if(w, "created_by", budget->created_by);
    json_end_object(w);
}

static void on_budget(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__BudgetView *budget = answer->message;
    struct api_answer response;
    api_answer_begin(&response, call);
    put_budget(&response.json, budget);
    api_answer_send_tagged(&response, 200, budget->revision);
}

static void on_listed(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__BudgetList *list = answer->message;
    struct api_answer response;
    api_list_begin(&response, call);
    for (size_t i = 0; i < list->n_budgets; i++) put_budget(&response.json, list->budgets[i]);
    api_list_send(&response, list->next_token);
}

/* --- operations --------------------------------------------------------------------------------
 */

void budgets_list(struct api_call *call)
{
    Pb__ListBudgets message = PB__LIST_BUDGETS__INIT;
    Pb__Page page           = PB__PAGE__INIT;
    if (!api_read_page(call, &page.size, &page.token)) return;
    message.namespace_ = api_namespace(call);
    message.page       = &page;
    ask(call, "List", &message, on_listed);
}

void budgets_get(struct api_call *call)
{
    Pb__GetBudget message = PB__GET_BUDGET__INIT;
    message.namespace_    = api_namespace(call);
    message.name          = api_text(call, call->params[0]);
    ask(call, "Get", &message, on_budget);
}

void budgets_put(struct api_call *call)
{
    CLEANUP(buf_done) struct buf spec = buf_init(SPEC_MAX);
    Pb__PutBudget message             = PB__PUT_BUDGET__INIT;
    if (!api_match(call, "budget", &message.revision)) return;
    if (!api_print(call, call->body, &spec)) return;
    message.namespace_ = api_namespace(call);
    message.name       = api_text(call, call->params[0]);
    message.spec_json  = (ProtobufCBinaryData){.data = (uint8_t *)spec.ptr, .len = spec.len};
    message.by         = call->identity.key_id;
    ask(call, "Put", &message, on_budget);
}

void budgets_delete(struct api_call *call)
{
    Pb__DeleteBudget message = PB__DELETE_BUDGET__INIT;
    message.namespace_       = api_namespace(call);
    message.name             = api_text(call, call->params[0]);
    ask(call, "Delete", &message, api_send_nothing);
}
