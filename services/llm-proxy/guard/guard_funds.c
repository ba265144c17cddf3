/* Budgets of interactive calls: asked before, told after. What is charged goes with the usage of
 * the call (guard_usage.c), which outlives this process; what was never granted as far as is known,
 * and all ends for a scheduler that does not say whom it has charged, by Settle until that is
 * heard. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "llm-proxy/guard/guard_internal.h"

#include <stdlib.h>

enum { ENDS_MAX = 500 /* of one message */ };

/* What the scheduler was asked for one call. */
struct reservation {
    struct guard_fund *fund; /* NULL: its call is over */
    struct id call;
    bool is_asking; /* the question is under way */
    bool is_told;   /* so is its end */
    bool is_kept;   /* its end is in the journal */
    bool is_lost;   /* there was no answer */
    Pb__CallEnd end;
    Pb__ReservedBudgets *granted; /* owned: whom it is charged to; NULL: nobody has said */
    struct reservation *next, *previous;
};

/* --- all of them -------------------------------------------------------------------------------
 */

static struct reservation *reservation_new(struct guard *guard, struct guard_fund *fund)
{
    struct reservation *reservation = mem_new(1, sizeof *reservation);
    pb__call_end__init(&reservation->end);
    reservation->fund = fund;
    reservation->call = id_next(&guard->call_ids, clock_unix_us() / 1'000, (uint32_t)random_u64());
    reservation->end.call = reservation->call.text;
    reservation->next     = guard->reservations;
    if (reservation->next) reservation->next->previous = reservation;
    guard->reservations = reservation;
    guard->reservation_count++;
    return reservation;
}

static void reservation_drop(struct guard *guard, struct reservation *reservation)
{
    if (reservation->next) reservation->next->previous = reservation->previous;
    if (reservation->previous) {
        reservation->previous->next = reservation->next;
    } else {
        guard->reservations = reservation->next;
    }
    guard->reservation_count--;
    guard->lost_count -= reservation->is_lost;
    if (reservation->granted) {
        pb__reserved_budgets__free_unpacked(reservation->granted, NULL);
    }
    free(reservation);
}

void guard_funds_done(struct guard *guard)
{
    while (guard->reservations) reservation_drop(guard, guard->reservations);
}

struct loop *guard_loop(const struct guard *guard)
{
    return guard->loop;
}

size_t guard_unsettled(const struct guard *guard)
{
    return guard->reservation_count;
}

/* --- telling -----------------------------------------------------------------------------------
 */

static void tell(struct guard *guard);

static void on_settled(void *context, void *, const struct rpc_answer *answer)
{
    struct guard *guard      = context;
    struct reservation *next = NULL;
    bool is_known            = answer->code == STATUS_OK;
    bool has_more            = false;
    guard->is_settling       = false;
    for (struct reservation *one = guard->reservations; one; one = next) {
        next = one->next;
        if (one->is_told && is_known) {
            reservation_drop(guard, one);
            continue;
        }
        one->is_told = false;
        has_more |= !one->fund && !one->is_asking;
    }
    if (is_known && has_more) tell(guard); /* else in a second */
}

/* What has ended, and that this replica is still there. A question that may still arrive after its
 * end is waited for. */
static void tell(struct guard *guard)
{
    Pb__CallEnd *ends[ENDS_MAX];
    Pb__SettleBudgets message  = PB__SETTLE_BUDGETS__INIT;
    struct rpc_request request = {
        .service = &pb__budgets__descriptor, .method = "Settle", .message = &message};
    if (guard->is_settling) return;
    message.holder           = guard->name;
    message.ends             = ends;
    struct reservation *next = guard->reservations;
    for (; next && message.n_ends < ENDS_MAX; next = next->next) {
        if (next->fund || next->is_asking) continue;
        ends[message.n_ends++] = &next->end;
        next->is_told          = true;
    }
    guard->is_settling = guard_ask(guard, NULL, &request, on_settled);
    for (next = guard->reservations; next && !guard->is_settling; next = next->next) {
        next->is_told = false;
    }
}

/* --- every second ------------------------------------------------------------------------------
 */

static void on_budgets(void *context, void *, const struct rpc_answer *answer)
{
    struct guard *guard        = context;
    const Pb__BudgetList *list = answer->message;
    if (answer->code == STATUS_OK && list) guard->may_have_budgets = list->n_budgets > 0;
}

void guard_funds_refresh(struct guard *guard)
{
    Pb__ListBudgets message    = PB__LIST_BUDGETS__INIT;
    Pb__Page page              = PB__PAGE__INIT;
    struct rpc_request request = {
        .service = &pb__budgets__descriptor, .method = "List", .message = &message};
    page.size          = 1;
    message.namespace_ = "*";
    message.page       = &page;
    (void)guard_ask(guard, NULL, &request, on_budgets);
    if (guard->reservations) tell(guard);
}

/* --- a call ------------------------------------------------------------------------------------
 */

static enum guard_verdict verdict_of(const Pb__ReservedBudgets *said)
{
    if (!said) return GUARD_UNKNOWN;
    switch (said->verdict) {
    case PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED: return GUARD_GO;
    case PB__BUDGET_VERDICT__BUDGET_VERDICT_WAITING: return GUARD_LIMIT;
    default: return GUARD_BUDGET;
    }
}

/* Owned. NULL: an older scheduler does not say whom it charges, or it cannot be read. */
static Pb__ReservedBudgets *copy_of(const Pb__ReservedBudgets *said)
{
    if (said->n_budgets == 0) return NULL;
    uint8_t *text             = mem_new(pb__reserved_budgets__get_packed_size(said) + 1, 1);
    size_t packed             = pb__reserved_budgets__pack(said, text);
    Pb__ReservedBudgets *copy = pb__reserved_budgets__unpack(NULL, packed, text);
    free(text);
    return copy;
}

static void name_payers(struct reservation *reservation, const Pb__ReservedBudgets *said)
{
    Pb__CallEnd *end     = &reservation->end;
    reservation->granted = copy_of(said);
    if (!reservation->granted) return;
    end->namespace_ = reservation->granted->namespace_;
    end->budgets    = reservation->granted->budgets;
    end->n_budgets  = reservation->granted->n_budgets;
}

/* Its call is over, and has used nothing. */
static void give_back(struct guard *guard, struct reservation *reservation)
{
    const Pb__Usage nothing        = PB__USAGE__INIT;
    const Pb__CallEnd *end         = &reservation->end;
    const struct usage_owner owner = {.namespace_ = "", .key = "", .ends = &end, .end_count = 1};
    if (!reservation->granted || !guard->journal) {
        tell(guard);
        return;
    }
    guard_note_usage(guard, &owner, &nothing);
    reservation_drop(guard, reservation);
}

/* Nobody knows whether it was let go: it was not made. */
static void lose(struct guard *guard, struct reservation *reservation)
{
    if (guard->lost_count == GUARD_LOST_MAX) {
        reservation_drop(guard, reservation);
        return;
    }
    reservation->is_lost = true;
    guard->lost_count++;
    tell(guard);
}

static void on_reserved(void *context, void *about, const struct rpc_answer *answer)
{
    struct guard *guard             = context;
    struct reservation *reservation = about;
    struct guard_fund *fund         = reservation->fund;
    const Pb__ReservedBudgets *said = answer->code == STATUS_OK ? answer->message : NULL;
    enum guard_verdict verdict      = verdict_of(said);
    struct guard_refusal refusal    = {.reason = str_from("the budgets cannot be asked now")};
    bool is_held                    = said && said->charged;
    reservation->is_asking          = false;
    if (said) {
        refusal = (struct guard_refusal){.reason      = str_from(said->reason),
                                         .needs_price = said->needs_price,
                                         .resets_us   = said->resets_us};
    }
    if (fund) fund->output_tokens = is_held ? said->output_tokens : -1;
    if (fund && !is_held) fund->reservation = NULL;
    if (!is_held) reservation->fund = NULL;
    if (is_held) name_payers(reservation, said);
    if (!said) {
        lose(guard, reservation);
    } else if (!is_held) {
        reservation_drop(guard, reservation); /* there is nothing to settle */
    } else if (!reservation->fund) {
        give_back(guard, reservation);
    }
    if (fund) fund->decided(verdict, &refusal, fund->context);
}

enum guard_verdict guard_reserve(struct guard *guard, Pb__ReserveBudgets *asked,
                                 struct guard_fund *fund)
{
    struct rpc_request request = {.service        = &pb__budgets__descriptor,
                                  .method         = "Reserve",
                                  .message        = asked,
                                  .wait_for_ready = true};
    fund->reservation          = NULL;
    fund->output_tokens        = -1;
    bool may_be_charged        = guard->may_have_budgets || asked->n_purses > 0;
    if (!guard->questions.scheduler || !may_be_charged) return GUARD_GO;
    struct reservation *reservation = reservation_new(guard, fund);
    asked->holder                   = guard->name;
    asked->call                     = reservation->call.text;
    if (!guard_ask(guard, reservation, &request, on_reserved)) {
        reservation_drop(guard, reservation);
        return GUARD_UNKNOWN;
    }
    reservation->is_asking = true;
    fund->reservation      = reservation;
    return GUARD_WAIT;
}

static int64_t tokens_of(const Pb__Usage *usage)
{
    int64_t tokens = 0;
    bool is_over   = __builtin_add_overflow(usage->input_tokens, usage->output_tokens, &tokens);
    return is_over ? INT64_MAX : tokens;
}

const Pb__CallEnd *guard_end(struct guard *guard, const struct guard_fund *fund,
                             const Pb__Usage *used)
{
    struct reservation *reservation = fund->reservation;
    if (!reservation) return NULL;
    if (used) {
        bool is_unknown              = used->cost_source == PB__COST_SOURCE__COST_SOURCE_UNKNOWN;
        reservation->end.used_tokens = tokens_of(used);
        reservation->end.used_nanos  = used->cost_usd_nanos;
        reservation->end.unpriced    = is_unknown && reservation->end.used_tokens > 0;
    }
    reservation->is_kept = reservation->granted && guard->journal;
    return reservation->is_kept ? &reservation->end : NULL;
}

void guard_settle(struct guard *guard, struct guard_fund *fund)
{
    struct reservation *reservation = TAKE(fund->reservation);
    if (!reservation) return;
    reservation->fund = NULL;
    if (reservation->is_kept) {
        reservation_drop(guard, reservation);
    } else if (!reservation->is_asking) {
        tell(guard);
    }
}
