/* Budgets: who sets, raises and lowers them, and what the stand-in for a provider charges for calls
 * of its model. */
#include "base/assert.h"
#include "base/mem.h"
#include "scheduler/engine/budgets/ledger.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/run/event_codec.h"
#include "scheduler/tables/run_store.h"
#include "sim.h"
#include "workflow/token_estimate.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    CALL_TOKENS    = 70, /* about what one takes */
    PICOS_PER_NANO = 1'000,
    BEYOND_MAX     = 50,
    TURN_INPUT     = 20, /* tokens of each turn of an agent that is answered */
    TURN_OUTPUT    = 10,
    TURN_LARGE     = 4'000, /* input, where an agent has a budget of tokens: over twice of what the
                               texts of a conversation come to */
    ROW_MAX = 1 << 20,
};

static const char *const teams[] = {"red", "blue"};
static const char *const keys[]  = {"key0", "key1"};

int64_t sim_nanos_of(const struct sim *sim, int64_t input, int64_t output)
{
    int64_t picos = input * sim->budgets.input_picos + output * sim->budgets.output_picos;
    return (picos + PICOS_PER_NANO - 1) / PICOS_PER_NANO;
}

/* --- drawing and setting ------------------------------------------------------------------------
 */

static struct spend draw_more(struct sim *sim, bool has_tokens, bool has_money)
{
    int64_t calls     = 1 + (int64_t)sim_draw(sim, 5);
    struct spend more = {};
    if (has_tokens) more.tokens = calls * CALL_TOKENS;
    if (has_money) more.nanos = sim_nanos_of(sim, 12, CALL_TOKENS - 12) * calls;
    return more;
}

void sim_budgets_draw(struct sim *sim)
{
    struct sim_budgets *budgets = &sim->budgets;
    budgets->input_picos        = 1 + (int64_t)sim_draw(sim, 20'000);
    budgets->output_picos       = 1 + (int64_t)sim_draw(sim, 20'000);
    if (sim_draw(sim, 3) == 0) return;
    budgets->count    = sim_draw(sim, BUDGETS_MAX_SIM + 1);
    budgets->has_own  = sim_draw(sim, 3) == 0;
    budgets->overruns = sim_draw(sim, 4) == 0;
    for (size_t i = 0; i < budgets->count; i++) {
        struct sim_budget *budget = &budgets->items[i];
        uint64_t kinds            = 1 + sim_draw(sim, 3);
        (void)snprintf(budget->name, sizeof budget->name, "b%zu", i);
        budget->scope    = OF_NAMESPACE + (unsigned)sim_draw(sim, OF_KEY + 1);
        budget->pauses   = sim_draw(sim, 2) == 0;
        budget->is_daily = sim_draw(sim, 8) == 0;
        budget->limit    = draw_more(sim, kinds & 1, kinds & 2);
        budgets->may_refuse |= !budget->pauses;
    }
    budgets->may_refuse |= budgets->has_own;
}

void sim_budgets_own(struct sim *sim, struct plan *plan)
{
    plan->team = teams[sim_draw(sim, 2)];
    plan->key  = keys[sim_draw(sim, 2)];
    if (sim->budgets.has_own && sim_draw(sim, 2) == 0) {
        plan->tokens = draw_more(sim, true, false).tokens;
    }
}

/* An agent whose calls may be refused comes to other results; none is in seeds where they are. Its
 * turns are so large that the budgets of others would not hold them. */
void sim_budgets_wish(const struct sim *sim, struct program_wishes *wishes)
{
    bool is_alone       = sim->budgets.count == 0 && !sim->budgets.has_own;
    int64_t input       = is_alone ? TURN_LARGE : TURN_INPUT;
    wishes->has_agents  = !sim->budgets.may_refuse;
    wishes->has_tokens  = is_alone;
    wishes->turn_tokens = input + TURN_OUTPUT;
    wishes->turn_nanos  = sim_nanos_of(sim, input, TURN_OUTPUT);
}

static struct stage_call *put_new(const struct sim_budget *budget, uint64_t revision)
{
    static const Pb__BudgetScope scopes[] = {
        [OF_NAMESPACE] = PB__BUDGET_SCOPE__BUDGET_SCOPE_NAMESPACE,
        [OF_TEAM]      = PB__BUDGET_SCOPE__BUDGET_SCOPE_LABEL,
        [OF_KEY]       = PB__BUDGET_SCOPE__BUDGET_SCOPE_KEY,
    };
    static const char *const values[] = {[OF_NAMESPACE] = "", [OF_TEAM] = "red", [OF_KEY] = "key0"};
    struct stage_call *call           = stage_call_new(COMMAND_PUT_BUDGET, 0);
    Pb__PutBudget *request            = stage_call_alloc(call, sizeof *request);
    Pb__BudgetView *response          = stage_call_alloc(call, sizeof *response);
    Pb__BudgetSpec *spec              = stage_call_alloc(call, sizeof *spec);
    *request                          = (Pb__PutBudget)PB__PUT_BUDGET__INIT;
    *response                         = (Pb__BudgetView)PB__BUDGET_VIEW__INIT;
    *spec                             = (Pb__BudgetSpec)PB__BUDGET_SPEC__INIT;
    spec->scope                       = scopes[budget->scope];
    spec->label                       = budget->scope == OF_TEAM ? "team" : "";
    spec->value                       = values[budget->scope];
    spec->tokens                      = budget->limit.tokens;
    spec->usd_nanos                   = budget->limit.nanos;
    spec->daily                       = budget->is_daily;
    spec->pauses                      = budget->pauses;
    request->namespace_               = "sim";
    request->name                     = budget->name;
    request->by                       = "sim";
    request->revision                 = revision;
    request->spec                     = spec;
    call->command.request             = request;
    call->command.response            = response;
    return call;
}

bool sim_budgets_set_up(struct sim *sim)
{
    for (size_t i = 0; i < sim->budgets.count; i++) {
        CLEANUP(stage_call_freep) struct stage_call *call = put_new(&sim->budgets.items[i], 0);
        struct error error                                = {};
        call->command.namespace                           = str_from("sim");
        sim->budgets.items[i].holds                       = sim->budgets.items[i].limit;
        if (stage_ask(sim->stage, 0, call, &error) != STATUS_OK) {
            sim_fail(sim, "a budget is refused: %s", error.text);
            return false;
        }
    }
    return true;
}

struct stage_call *sim_budgets_make(const struct op *op)
{
    return put_new(op->budget, op->revision);
}

/* --- changing -----------------------------------------------------------------------------------
 */

static void change(struct sim *sim, struct sim_budget *budget, struct spend limit,
                   uint64_t revision)
{
    budget->limit = limit;
    budget->changes++;
    budget->change           = client_op(sim, OP_BUDGET, NULL);
    budget->change->budget   = budget;
    budget->change->revision = revision;
    sim_at(sim, (int64_t)sim_draw(sim, 3'000) * MS, client_send, budget->change);
}

static bool is_changing(const struct sim_budget *budget)
{
    return budget->change && !budget->change->is_done;
}

static struct spend draw_change(struct sim *sim, const struct sim_budget *budget)
{
    return draw_more(sim, budget->limit.tokens > 0, budget->limit.nanos > 0);
}

static int64_t lowered(int64_t limit, int64_t by)
{
    if (limit == 0) return 0; /* there is none */
    return limit > by ? limit - by : 1;
}

/* Those that are at work by then may go beyond it. */
void sim_budgets_committed(struct sim_budget *budget, const struct spend *limit)
{
    const struct spend before = budget->holds;
    budget->over.tokens += before.tokens - limit->tokens;
    budget->over.nanos += before.nanos - limit->nanos;
    if (budget->over.tokens < 0) budget->over.tokens = 0;
    if (budget->over.nanos < 0) budget->over.nanos = 0;
    budget->holds = *limit;
}

/* Of those that wait for more: more. `is_any`: of any, less or more. */
static void look_at(struct sim *sim, struct txn *txn, struct sim_budget *budget, bool is_any)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ROW_MAX);
    Pb__BudgetView *view                     = NULL;
    struct key key;
    bytes row = {};
    budget_key(&key, str_from("sim"), str_from(budget->name));
    status got = txn_get(txn, TABLE_BUDGETS, key_bytes(&key), &row, NULL);
    if (got == STATUS_OK) {
        got = record_read(row, &pb__budget_view__descriptor, arena, &view, NULL);
    }
    if (got != STATUS_OK) {
        sim_fail(sim, "budget %s is not there", budget->name);
    } else if (is_any || view->paused > 0) {
        const struct spend by   = draw_change(sim, budget);
        bool is_less            = is_any && sim_draw(sim, 4) > 0;
        const struct spend less = {lowered(budget->limit.tokens, by.tokens),
                                   lowered(budget->limit.nanos, by.nanos)};
        change(sim, budget, is_less ? less : spend_add(budget->limit, by), view->revision);
    }
}

void sim_budgets_care(struct sim *sim)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    if (sim->budgets.count == 0) return;
    if (txn_begin_read(stage_store(sim->stage, 0), &txn, NULL) != STATUS_OK) return;
    for (size_t i = 0; i < sim->budgets.count; i++) {
        struct sim_budget *budget = &sim->budgets.items[i];
        if (!budget->pauses || is_changing(budget)) continue;
        if (!sim->is_calm && sim_draw(sim, 4) > 0) continue;
        look_at(sim, txn, budget, false);
    }
}

void sim_budgets_change(struct sim *sim)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    if (sim->budgets.count == 0) return;
    struct sim_budget *budget = &sim->budgets.items[sim_draw(sim, sim->budgets.count)];
    if (is_changing(budget)) return;
    if (txn_begin_read(stage_store(sim->stage, 0), &txn, NULL) != STATUS_OK) return;
    look_at(sim, txn, budget, true);
}

/* --- the provider -------------------------------------------------------------------------------
 */

bool sim_budgets_expect(const Pb__LeasedJob *job, struct token_estimate *ret)
{
    CLEANUP(json_unrefp) json input = json_invalid();
    const str text                  = {(const char *)job->input_json.data, job->input_json.len};
    if (strcmp(job->function, "llm.chat") != 0) return false;
    if (json_parse(text, NULL, &input, NULL, NULL) != STATUS_OK) return false;
    *ret = token_estimate_of(input, false);
    return true;
}

void sim_budgets_bill(struct sim *sim, struct task_in_hand *task, const Pb__LeasedJob *job)
{
    struct token_estimate most = {};
    if (!sim_budgets_expect(job, &most)) return;
    if (sim->programs.sites[task->site].kind == SITE_TURN) {
        if (task->ending != ENDS_COMPLETED) return;
        task->output_tokens = TURN_OUTPUT;
        task->used          = (struct spend){sim->programs.turn_tokens, sim->programs.turn_nanos};
        return;
    }
    bool is_over  = sim->budgets.overruns && sim_draw(sim, 4) == 0;
    int64_t limit = most.output >= 0 ? most.output : 4 * CALL_TOKENS;
    if (task->ending == ENDS_RELEASED || (task->ending != ENDS_COMPLETED && sim_draw(sim, 2))) {
        return;
    }
    task->output_tokens = 1 + (int64_t)sim_draw(sim, (uint64_t)limit);
    if (is_over) task->output_tokens = limit + (int64_t)sim_draw(sim, BEYOND_MAX);
    int64_t input = 1 + (int64_t)sim_draw(sim, (uint64_t)most.input);
    task->used =
        (struct spend){input + task->output_tokens, sim_nanos_of(sim, input, task->output_tokens)};
}

void sim_budgets_put(const struct sim *sim, struct stage_call *call,
                     const struct task_in_hand *task, Pb__JobReport *report)
{
    if (task->used.tokens == 0) return;
    Pb__Usage *usage      = stage_call_alloc(call, sizeof *usage);
    Pb__ModelPrice *price = stage_call_alloc(call, sizeof *price);
    *usage                = (Pb__Usage)PB__USAGE__INIT;
    *price                = (Pb__ModelPrice)PB__MODEL_PRICE__INIT;
    usage->output_tokens  = task->output_tokens;
    usage->input_tokens   = task->used.tokens - task->output_tokens;
    usage->cost_usd_nanos = task->used.nanos;
    usage->cost_source    = PB__COST_SOURCE__COST_SOURCE_REPORTED;
    price->input_picos    = sim->budgets.input_picos;
    price->output_picos   = sim->budgets.output_picos;
    if (report->result_case == PB__JOB_REPORT__RESULT_COMPLETED) {
        report->completed->usage = usage;
        report->completed->price = price;
    } else if (report->result_case == PB__JOB_REPORT__RESULT_FAILED) {
        report->failed->usage = usage;
        report->failed->price = price;
    } else {
        report->released->usage = usage;
        report->released->price = price;
    }
}

bool sim_budget_is_of(const struct sim_budget *budget, const struct plan *root)
{
    if (budget->scope == OF_NAMESPACE) return true;
    return strcmp(budget->scope == OF_TEAM ? root->team : root->key,
                  budget->scope == OF_TEAM ? teams[0] : keys[0]) == 0;
}
