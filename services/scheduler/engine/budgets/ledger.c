#include "base/assert.h"
#include "base/mem.h"
#include "scheduler/engine/budgets/ledger_internal.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 1'024 /* bytes of "namespace\x1fname" */ };

/* --- making and freeing ------------------------------------------------------------------------
 */

static struct ledger_budget *budget_of(const struct heap_link *link)
{
    uintptr_t place = (uintptr_t)link - offsetof(struct ledger_budget, by_reset);
    return (struct ledger_budget *)place;
}

static bool resets_before(const struct heap_link *a, const struct heap_link *b)
{
    return budget_of(a)->resets_us < budget_of(b)->resets_us;
}

struct ledger *ledger_new(void)
{
    struct ledger *ledger = mem_new(1, sizeof *ledger);
    ledger->budgets       = map_new(BUDGETS_MAX + LEDGER_PURSES_MAX);
    ledger->asks          = map_new(LEDGER_ASKS_MAX);
    ledger->by_reset      = heap_init(resets_before);
    ledger->over          = over_calls_new();
    ledger->next_sequence = 1;
    ledger->sweep_us      = INT64_MAX;
    return ledger;
}

static void spec_done(Pb__BudgetSpec *spec)
{
    free((char *)(uintptr_t)spec->label);
    free((char *)(uintptr_t)spec->value);
    free((char *)(uintptr_t)spec->time_zone);
}

static void budget_free(struct ledger_budget *budget)
{
    spec_done(&budget->spec);
    timetable_done(&budget->days);
    free(budget->namespace);
    free(budget->name);
    free(budget->created_by);
    free(budget);
}

void ledger_free(struct ledger *ledger)
{
    if (!ledger) return;
    ledger_asks_free(ledger);
    size_t cursor = 0;
    struct ledger_budget *budget;
    while ((budget = ledger_next(ledger, &cursor))) budget_free(budget);
    map_free(ledger->budgets);
    heap_done(&ledger->by_reset);
    over_calls_free(ledger->over);
    free(ledger);
}

struct ledger_budget *ledger_next(const struct ledger *ledger, size_t *cursor)
{
    void *budget = NULL;
    return map_next(ledger->budgets, cursor, NULL, &budget) ? budget : NULL;
}

static str key_of(str namespace, str name, struct buf *out)
{
    (void)buf_put_str(out, namespace);
    (void)buf_put_byte(out, '\x1f');
    (void)buf_put_str(out, name);
    return buf_str(out);
}

struct ledger_budget *ledger_find(const struct ledger *ledger, str namespace, str name)
{
    CLEANUP(buf_done) struct buf key = buf_init(KEY_MAX);
    bool is_purse                    = str_starts_with(name, str_from(LEDGER_PURSE));
    return map_get(ledger->budgets, key_of(is_purse ? (str){} : namespace, name, &key));
}

/* --- what has changed --------------------------------------------------------------------------
 */

void ledger_changed(struct ledger *ledger, struct ledger_budget *budget)
{
    if (budget->is_changed) return;
    budget->is_changed    = true;
    budget->next_changed  = ledger->first_changed;
    ledger->first_changed = budget;
}

struct ledger_budget *ledger_take_changed(struct ledger *ledger)
{
    struct ledger_budget *budget = ledger->first_changed;
    if (!budget) return NULL;
    ledger->first_changed = budget->next_changed;
    budget->is_changed    = false;
    return budget;
}

static void unlist_changed(struct ledger *ledger, struct ledger_budget *budget)
{
    struct ledger_budget **place = &ledger->first_changed;
    while (*place && *place != budget) place = &(*place)->next_changed;
    if (*place) *place = budget->next_changed;
}

bool ledger_has_news(const struct ledger *ledger)
{
    return ledger->first_changed || ledger->first_told || ledger->first_row;
}

/* --- put, drop ---------------------------------------------------------------------------------
 */

static char *copy(const char *text)
{
    return mem_dup(text, strlen(text));
}

static void spec_copy(const Pb__BudgetSpec *from, Pb__BudgetSpec *to)
{
    *to           = *from;
    to->label     = copy(from->label);
    to->value     = copy(from->value);
    to->time_zone = copy(from->time_zone);
}

/* When its days begin. */
static status read_days(const Pb__BudgetSpec *spec, struct timetable *ret_days,
                        struct error *reterr)
{
    *ret_days = (struct timetable){.kind = TIMETABLE_CRON};
    if (!spec->daily) return STATUS_OK;
    TRY(cron_parse(str_from("0 0 * * *"), &ret_days->cron, reterr));
    if (!*spec->time_zone || strcmp(spec->time_zone, "UTC") == 0) return STATUS_OK;
    return zone_load(str_from(spec->time_zone), &ret_days->zone, reterr);
}

/* Its limits and days from now on. Takes `days`. */
static void set_spec(struct ledger *ledger, struct ledger_budget *budget,
                     const Pb__BudgetSpec *spec, struct timetable days, int64_t now_us)
{
    spec_done(&budget->spec);
    timetable_done(&budget->days);
    spec_copy(spec, &budget->spec);
    budget->days          = days;
    budget->account.limit = (struct spend){spec->tokens, spec->usd_nanos};
    budget->resets_us     = spec->daily ? timetable_next(&budget->days, now_us) : INT64_MAX;
    heap_move(&ledger->by_reset, &budget->by_reset);
}

static struct ledger_budget *budget_new(struct ledger *ledger, const char *namespace,
                                        const char *name)
{
    CLEANUP(buf_done) struct buf key = buf_init(KEY_MAX);
    str full                         = key_of(str_from(namespace), str_from(name), &key);
    bool is_purse                    = str_starts_with(str_from(name), str_from(LEDGER_PURSE));
    size_t *count                    = is_purse ? &ledger->purse_count : &ledger->named_count;
    size_t count_max                 = is_purse ? LEDGER_PURSES_MAX : BUDGETS_MAX;
    struct ledger_budget *budget     = mem_new(1, sizeof *budget);
    if (*count >= count_max || !map_put(ledger->budgets, full, budget)) {
        free(budget);
        return NULL;
    }
    (*count)++;
    budget->is_purse = is_purse;
    pb__budget_spec__init(&budget->spec);
    spec_copy(&(Pb__BudgetSpec)PB__BUDGET_SPEC__INIT, &budget->spec);
    budget->namespace  = copy(namespace);
    budget->name       = copy(name);
    budget->created_by = copy("");
    budget->resets_us  = INT64_MAX;
    heap_add(&ledger->by_reset, &budget->by_reset);
    return budget;
}

status ledger_put(struct ledger *ledger, const char *namespace, const char *name,
                  const Pb__BudgetSpec *spec, int64_t now_us, struct ledger_budget **ret_budget,
                  struct error *reterr)
{
    struct timetable days = {};
    TRY(read_days(spec, &days, reterr));
    struct ledger_budget *budget = ledger_find(ledger, str_from(namespace), str_from(name));
    bool is_new                  = !budget;
    if (is_new) budget = budget_new(ledger, namespace, name);
    if (!budget) {
        timetable_done(&days);
        return fail_code(reterr, STATUS_RESOURCE_EXHAUSTED, "quota_exceeded", "over %d budgets",
                         BUDGETS_MAX);
    }
    set_spec(ledger, budget, spec, days, now_us);
    if (is_new) budget->since_us = budget->created_us = now_us;
    budget->updated_us = now_us;
    budget->revision++;
    ledger_changed(ledger, budget);
    ledger_moved(ledger, budget);
    ledger_wake_paused(ledger, budget);
    ledger_settle(ledger);
    *ret_budget = budget;
    return STATUS_OK;
}

static str purse_name(str run, struct buf *out)
{
    (void)buf_put_text(out, LEDGER_PURSE);
    (void)buf_put_str(out, run);
    return buf_str(out);
}

struct ledger_budget *ledger_purse(const struct ledger *ledger, str run)
{
    CLEANUP(buf_done) struct buf name = buf_init(BUDGET_NAME_MAX);
    return ledger_find(ledger, (str){}, purse_name(run, &name));
}

struct ledger_budget *ledger_purse_at(struct ledger *ledger, const Pb__RunPurse *purse)
{
    CLEANUP(buf_done) struct buf name = buf_init(BUDGET_NAME_MAX);
    Pb__BudgetSpec spec               = PB__BUDGET_SPEC__INIT;
    struct error why                  = {};
    if (!id_is_valid(str_from(purse->run))) return NULL;
    struct ledger_budget *there = ledger_purse(ledger, str_from(purse->run));
    if (there) return there;
    str full       = purse_name(str_from(purse->run), &name);
    spec.scope     = PB__BUDGET_SCOPE__BUDGET_SCOPE_RUN;
    spec.value     = purse->run;
    spec.tokens    = purse->tokens > 0 ? purse->tokens : 0;
    spec.usd_nanos = purse->usd_nanos > 0 ? purse->usd_nanos : 0;
    status put     = ledger_put(ledger, "", full.ptr, &spec, 0, &there, &why);
    return put == STATUS_OK ? there : NULL;
}

void ledger_set_creator(struct ledger_budget *budget, const char *by)
{
    free(budget->created_by);
    budget->created_by = copy(by);
}

void ledger_drop(struct ledger *ledger, struct ledger_budget *budget)
{
    CLEANUP(buf_done) struct buf key = buf_init(KEY_MAX);
    str full      = key_of(str_from(budget->namespace), str_from(budget->name), &key);
    void *removed = map_remove(ledger->budgets, full);
    ASSERT(removed == budget);
    if (budget->is_purse) {
        ledger->purse_count--;
    } else {
        ledger->named_count--;
    }
    heap_remove(&ledger->by_reset, &budget->by_reset);
    ledger_forget_charges(ledger, budget);
    if (budget->is_changed) unlist_changed(ledger, budget);
    ASSERT(!budget->is_moved);
    budget_free(budget);
}

/* --- days --------------------------------------------------------------------------------------
 */

static int64_t next_day_us(const struct ledger *ledger)
{
    const struct heap_link *first = heap_first(&ledger->by_reset);
    return first ? budget_of(first)->resets_us : INT64_MAX;
}

void ledger_advance(struct ledger *ledger, int64_t now_us)
{
    while (next_day_us(ledger) <= now_us) {
        struct ledger_budget *budget = budget_of(heap_first(&ledger->by_reset));
        budget->account.spent        = (struct spend){};
        budget->unpriced             = 0;
        budget->since_us             = budget->resets_us;
        budget->resets_us            = timetable_next(&budget->days, now_us);
        heap_move(&ledger->by_reset, &budget->by_reset);
        ledger_changed(ledger, budget);
        ledger_moved(ledger, budget);
        ledger_wake_paused(ledger, budget);
        ledger_settle(ledger);
    }
    if (ledger->sweep_us <= now_us) ledger_calls_sweep(ledger, now_us);
}

int64_t ledger_due_us(const struct ledger *ledger)
{
    int64_t day_us = next_day_us(ledger);
    return day_us < ledger->sweep_us ? day_us : ledger->sweep_us;
}

/* --- rows --------------------------------------------------------------------------------------
 */

void ledger_view(const struct ledger_budget *budget, Pb__BudgetView *ret_view)
{
    const struct budget *account = &budget->account;
    *ret_view                    = (Pb__BudgetView)PB__BUDGET_VIEW__INIT;
    ret_view->namespace_         = budget->namespace;
    ret_view->name               = budget->name;
    ret_view->spec               = (Pb__BudgetSpec *)(uintptr_t)&budget->spec;
    ret_view->spent_tokens       = account->spent.tokens;
    ret_view->spent_nanos        = account->spent.nanos;
    ret_view->reserved_tokens    = account->reserved.tokens;
    ret_view->reserved_nanos     = account->reserved.nanos;
    ret_view->resets_us          = budget->resets_us < INT64_MAX ? budget->resets_us : 0;
    ret_view->since_us           = budget->since_us;
    ret_view->revision           = budget->revision;
    ret_view->created_us         = budget->created_us;
    ret_view->updated_us         = budget->updated_us;
    ret_view->created_by         = budget->created_by;
    ret_view->waiting            = budget->waiting_count;
    ret_view->paused             = budget->paused_count;
    ret_view->unpriced           = budget->unpriced;
    ret_view->of_run             = budget->is_purse;
}

/* What is set aside comes back with the questions. */
void ledger_restore_budget(struct ledger *ledger, const Pb__BudgetView *row)
{
    struct timetable days        = {};
    struct error why             = {};
    struct ledger_budget *budget = budget_new(ledger, row->namespace_, row->name);
    if (!budget) return;
    /* A zone that the system has lost: its days begin as those of UTC. */
    if (read_days(row->spec, &days, &why) != STATUS_OK) days.zone = NULL;
    set_spec(ledger, budget, row->spec, days, row->updated_us);
    free(budget->created_by);
    budget->created_by    = copy(row->created_by);
    budget->account.spent = (struct spend){row->spent_tokens, row->spent_nanos};
    budget->resets_us     = row->resets_us > 0 ? row->resets_us : INT64_MAX;
    budget->since_us      = row->since_us;
    budget->revision      = row->revision;
    budget->created_us    = row->created_us;
    budget->updated_us    = row->updated_us;
    budget->unpriced      = row->unpriced;
    heap_move(&ledger->by_reset, &budget->by_reset);
}
