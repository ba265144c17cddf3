/* The books of budgets: what calls of models have cost by the simulation's own count, and whether
 * the ledger says the same. */
#include "base/assert.h"
#include "scheduler/engine/budgets/ledger.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/run/event_codec.h"
#include "scheduler/tables/run_store.h"
#include "sim.h"
#include "workflow/token_estimate.h"

#include <inttypes.h>
#include <stdlib.h>

enum { ROW_MAX = 1 << 20 };

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
    if (!sim_budgets_expect(job, &most)) return;
    note->root = root_of(sim, job->run);
    (void)snprintf(note->run, sizeof note->run, "%s", job->run);
    if (most.output < 0) return; /* for it what is left is set aside, be it next to nothing */
    note->expected =
        (struct spend){most.input + most.output, sim_nanos_of(sim, most.input, most.output)};
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
        } else if (sim_budget_is_of(budget, note->root)) {
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
    return (struct spend){.nanos = (1 + budget->changes) * sim->budgets.dearest_nanos};
}

static bool is_more(const struct budget *account, const struct sim_budget *budget)
{
    return account->spent.tokens > budget->charged.tokens ||
           account->spent.nanos > budget->charged.nanos;
}

/* So much is beyond a limit. Of what was beyond it when it was lowered no more can come back. */
static int64_t beyond_of(int64_t all, int64_t limit, int64_t may, int64_t *over_it)
{
    if (limit == 0) return 0;
    int64_t beyond = over(all, limit + may);
    int64_t more   = over(beyond, *over_it);
    if (beyond < *over_it) *over_it = beyond;
    return more;
}

static void check_bounds(struct sim *sim, struct sim_budget *budget, const struct budget *account)
{
    const struct spend slack  = slack_of(sim, budget);
    const struct spend all    = spend_add(account->spent, account->reserved);
    const struct spend *holds = &budget->holds;
    int64_t tokens = beyond_of(all.tokens, holds->tokens, budget->beyond.tokens + slack.tokens,
                               &budget->over.tokens);
    int64_t nanos =
        beyond_of(all.nanos, holds->nanos, budget->beyond.nanos + slack.nanos, &budget->over.nanos);
    if (account->limit.tokens != holds->tokens || account->limit.nanos != holds->nanos) {
        sim_fail(sim, "budget %s: %" PRId64 " tokens are its limit, %" PRId64 " were set",
                 budget->name, account->limit.tokens, holds->tokens);
    }
    if (tokens > 0 || nanos > 0) {
        sim_fail(sim,
                 "budget %s: %" PRId64 " tokens and %" PRId64 " nano-dollars are spent or set "
                 "aside, of %" PRId64 " and %" PRId64,
                 budget->name, all.tokens, all.nanos, holds->tokens, holds->nanos);
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
