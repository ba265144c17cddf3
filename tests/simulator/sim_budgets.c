/* Budgets: who sets and raises them, what the stand-in for a provider charges for calls of its
 * model, and whether the ledger says the same. */
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

static int64_t nanos_of(const struct sim *sim, int64_t input, int64_t output)
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
    if (has_money) more.nanos = nanos_of(sim, 12, CALL_TOKENS - 12) * calls;
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
    wishes->turn_nanos  = nanos_of(sim, input, TURN_OUTPUT);
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

/* --- raising ------------------------------------------------------------------------------------
 */

static void raise_it(struct sim *sim, struct sim_budget *budget, uint64_t revision)
{
    const struct spend more = draw_more(sim, budget->limit.tokens > 0, budget->limit.nanos > 0);
    budget->limit           = spend_add(budget->limit, more);
    budget->raises++;
    budget->raise           = client_op(sim, OP_RAISE, NULL);
    budget->raise->budget   = budget;
    budget->raise->revision = revision;
    sim_at(sim, (int64_t)sim_draw(sim, 3'000) * MS, client_send, budget->raise);
}

static void look_at(struct sim *sim, struct txn *txn, struct sim_budget *budget)
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
    } else if (view->paused > 0) {
        raise_it(sim, budget, view->revision);
    }
}

void sim_budgets_care(struct sim *sim)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    if (sim->budgets.count == 0) return;
    if (txn_begin_read(stage_store(sim->stage, 0), &txn, NULL) != STATUS_OK) return;
    for (size_t i = 0; i < sim->budgets.count; i++) {
        struct sim_budget *budget = &sim->budgets.items[i];
        bool is_raised            = budget->raise && !budget->raise->is_done;
        if (!budget->pauses || is_raised || (!sim->is_calm && sim_draw(sim, 4) > 0)) continue;
        look_at(sim, txn, budget);
    }
}

/* --- the provider -------------------------------------------------------------------------------
 */

static bool expect(const Pb__LeasedJob *job, struct token_estimate *ret)
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
    if (!expect(job, &most)) return;
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
        (struct spend){input + task->output_tokens, nanos_of(sim, input, task->output_tokens)};
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

/* --- the books ----------------------------------------------------------------------------------
 */

/* The run that a client has started, around this one; NULL: one of them is gone. */
static struct plan *root_of(struct sim *sim, const char *run)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ROW_MAX);
    char id[ID_LEN + 1];
    (void)snprintf(id, sizeof id, "%s", run);
    for (;;) {
        CLEANUP(txn_abortp) struct txn *txn = NULL;
        Pb__RunView *row                    = NULL;
        Pb__RunHead *head                   = NULL;
        struct store *store                 = stage_store(sim->stage, id_partition(str_from(id)));
        status got                          = txn_begin_read(store, &txn, NULL);
        if (got == STATUS_OK) got = run_rows_get(txn, str_from(id), arena, &row, &head, NULL);
        if (got != STATUS_OK) return NULL;
        if (!*row->parent_run) {
            size_t index = strtoul(row->client_id + 1, NULL, 10);
            return *row->client_id == 'c' && index < sim->plan_count ? &sim->plans[index] : NULL;
        }
        (void)snprintf(id, sizeof id, "%s", row->parent_run);
    }
}

void sim_budgets_leased(struct sim *sim, struct lease_note *note, const Pb__LeasedJob *job)
{
    struct token_estimate most = {};
    if (!expect(job, &most)) return;
    note->root = root_of(sim, job->run);
    (void)snprintf(note->run, sizeof note->run, "%s", job->run);
    if (most.output < 0) return; /* for it what is left is set aside, be it next to nothing */
    note->expected =
        (struct spend){most.input + most.output, nanos_of(sim, most.input, most.output)};
}

static bool is_charged(const struct sim_budget *budget, const struct plan *root)
{
    if (budget->scope == OF_NAMESPACE) return true;
    return strcmp(budget->scope == OF_TEAM ? root->team : root->key,
                  budget->scope == OF_TEAM ? teams[0] : keys[0]) == 0;
}

static int64_t over(int64_t used, int64_t expected)
{
    return used > expected ? used - expected : 0;
}

/* What was set aside comes back when the lease is over, although its report may still count. */
static struct spend set_aside(const struct sim *sim, const struct lease_note *note)
{
    bool is_late = sim_engine_us(sim, note->partition) >= note->expires_us;
    return is_late ? (struct spend){} : note->expected;
}

static const Pb__Usage *usage_of(const Pb__JobReport *report)
{
    switch (report->result_case) {
    case PB__JOB_REPORT__RESULT_COMPLETED: return report->completed->usage;
    case PB__JOB_REPORT__RESULT_FAILED: return report->failed->usage;
    case PB__JOB_REPORT__RESULT_RELEASED: return report->released->usage;
    default: return NULL;
    }
}

static void charge(struct sim *sim, const struct lease_note *note, const Pb__Usage *usage,
                   struct spend aside)
{
    const struct spend used   = {usage->input_tokens + usage->output_tokens, usage->cost_usd_nanos};
    const struct spend beyond = {over(used.tokens, aside.tokens), over(used.nanos, aside.nanos)};
    int64_t *dearest          = &sim->budgets.dearest_nanos;
    if (used.nanos > *dearest) *dearest = used.nanos;
    for (size_t i = 0; i < sim->budgets.count; i++) {
        struct sim_budget *budget = &sim->budgets.items[i];
        if (!note->root && budget->scope != OF_NAMESPACE) {
            budget->is_unsure = true;
        } else if (is_charged(budget, note->root)) {
            budget->charged = spend_add(budget->charged, used);
            budget->beyond  = spend_add(budget->beyond, beyond);
        }
    }
}

void sim_budgets_charge(struct sim *sim, const struct lease_note *note, const Pb__JobReport *report)
{
    const Pb__Usage *usage = usage_of(report);
    if (note->is_model && usage) charge(sim, note, usage, set_aside(sim, note));
}

/* What the run's own journal says of a job. */
struct charged {
    const char *job;
    size_t count;
};

static void see_event(const struct event *event, void *context)
{
    struct charged *charged = context;
    bool is_it = event->kind == EVENT_RUN_CHARGED && strcmp(event->id.text, charged->job) == 0;
    charged->count += is_it;
}

static status see_charges(bytes entry, void *context, struct error *reterr)
{
    const struct entry_scanner scanner = {.event = see_event, .context = context};
    return entry_scan(entry, &scanner, reterr);
}

/* NOT_FOUND: the run is gone. */
static status count_charges(struct sim *sim, const struct lease_note *note, size_t *ret_count)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ROW_MAX);
    CLEANUP(txn_abortp) struct txn *txn      = NULL;
    struct charged charged                   = {.job = note->job};
    Pb__RunView *row                         = NULL;
    Pb__RunHead *head                        = NULL;
    TRY(txn_begin_read(stage_store(sim->stage, note->partition), &txn, NULL));
    TRY(run_rows_get(txn, str_from(note->run), arena, &row, &head, NULL));
    TRY(run_entries_walk(txn, head->last_entry, see_charges, &charged, NULL));
    *ret_count = charged.count;
    return STATUS_OK;
}

void sim_budgets_see(struct sim *sim, struct lease_note *note)
{
    size_t count = 0;
    if (note->is_model && count_charges(sim, note, &count) == STATUS_OK) note->charges = count;
}

static bool is_newest(const struct lease_note *note, const Pb__JobReport *report)
{
    return note->token_len == report->lease_token.len &&
           memcmp(note->token, report->lease_token.data, note->token_len) == 0;
}

void sim_budgets_charge_late(struct sim *sim, struct lease_note *note, const Pb__JobReport *report,
                             bool is_first)
{
    size_t count           = 0;
    const Pb__Usage *usage = usage_of(report);
    if (!note->is_model || !usage) return;
    if (count_charges(sim, note, &count) != STATUS_OK) {
        for (size_t i = 0; i < sim->budgets.count; i++) {
            sim->budgets.items[i].is_unsure =
                true; /* it went with its run, or was charged before */
        }
        return;
    }
    bool is_charged_now = count > note->charges;
    note->charges       = count;
    if (is_charged_now != is_first) {
        sim_fail(sim, "budgets: what was used under a lost lease of job %s is %s", note->job,
                 is_first ? "lost" : "charged twice");
    }
    const struct spend aside = is_newest(note, report) ? set_aside(sim, note) : (struct spend){};
    if (is_charged_now) charge(sim, note, usage, aside);
}

/* --- the ledger ---------------------------------------------------------------------------------
 */

/* What a call may cost of whose model nobody has heard the price: it goes alone then. */
static struct spend slack_of(const struct sim *sim, const struct sim_budget *budget)
{
    return (struct spend){.nanos = (1 + budget->raises) * sim->budgets.dearest_nanos};
}

static bool is_more(const struct budget *account, const struct sim_budget *budget)
{
    return account->spent.tokens > budget->charged.tokens ||
           account->spent.nanos > budget->charged.nanos;
}

static void check_bounds(struct sim *sim, const struct sim_budget *budget,
                         const struct budget *account)
{
    const struct spend slack = slack_of(sim, budget);
    const struct spend all   = spend_add(account->spent, account->reserved);
    bool is_over             = (account->limit.tokens > 0 &&
                    all.tokens > account->limit.tokens + budget->beyond.tokens + slack.tokens) ||
                   (account->limit.nanos > 0 &&
                    all.nanos > account->limit.nanos + budget->beyond.nanos + slack.nanos);
    if (is_over) {
        sim_fail(sim,
                 "budget %s: %" PRId64 " tokens and %" PRId64 " nano-dollars are spent or set "
                 "aside, of %" PRId64 " and %" PRId64,
                 budget->name, all.tokens, all.nanos, account->limit.tokens, account->limit.nanos);
    }
    if (is_more(account, budget) && !budget->is_unsure) {
        sim_fail(sim, "budget %s: %" PRId64 " tokens are charged, and calls cost %" PRId64,
                 budget->name, account->spent.tokens, budget->charged.tokens);
    }
}

static void check_end(struct sim *sim, const struct sim_budget *budget,
                      const struct ledger_budget *there)
{
    const struct budget *account = &there->account;
    bool is_less                 = account->spent.tokens < budget->charged.tokens ||
                   account->spent.nanos < budget->charged.nanos;
    if ((is_less || is_more(account, budget)) && !budget->is_daily && !budget->is_unsure) {
        sim_fail(sim, "budget %s: %" PRId64 " tokens are charged, and calls cost %" PRId64,
                 budget->name, account->spent.tokens, budget->charged.tokens);
    }
    if (spend_is_none(account->reserved) && there->waiting_count == 0 && there->paused_count == 0) {
        return;
    }
    sim_fail(sim,
             "budget %s: all is over, and %" PRId64 " tokens, %" PRId64
             " nano-dollars are set aside, %zu wait, %zu are paused",
             budget->name, account->reserved.tokens, account->reserved.nanos, there->waiting_count,
             there->paused_count);
}

static void check_purses(struct sim *sim)
{
    for (uint16_t i = 0; i < stage_partition_count(sim->stage); i++) {
        const struct engine *engine = stage_engine(sim->stage, i);
        size_t count                = map_count(job_queues_fundings(engine->queues)->purses);
        if (count == 0) continue;
        sim_fail(sim, "%zu runs of partition %u have something of their budgets set aside", count,
                 i);
    }
}

void sim_budgets_check(struct sim *sim, bool is_final)
{
    size_t waiting      = 0;
    bool is_any_granted = false;
    if (!stage_is_up(sim->stage) || stage_has_failed(sim->stage)) return;
    for (size_t i = 0; i < sim->budgets.count; i++) {
        struct sim_budget *budget         = &sim->budgets.items[i];
        const struct ledger_budget *there = ledger_find(stage_engine(sim->stage, 0)->ledger,
                                                        str_from("sim"), str_from(budget->name));
        if (!there) {
            sim_fail(sim, "budget %s is not there", budget->name);
            return;
        }
        waiting += there->waiting_count;
        is_any_granted |= !spend_is_none(there->account.reserved);
        check_bounds(sim, budget, &there->account);
        if (is_final) check_end(sim, budget, there);
    }
    if (waiting > 0 && !is_any_granted) {
        sim_fail(sim, "%zu calls wait for what is set aside, and nothing is", waiting);
    }
    if (is_final) check_purses(sim);
}
