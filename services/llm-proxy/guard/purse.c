#include "llm-proxy/guard/purse.h"

#include "base/mem.h"

#include <stdlib.h>

enum {
    DRAWN_TOKENS =
        4'096 /* of answer at a time, as the scheduler does (scheduler/budget/budget.h) */
};

struct purse_step {
    struct purse *purse;
    struct guard_fund fund;
    struct purse_step *next;
};

/* --- the beginning -----------------------------------------------------------------------------
 */

/* The run has said whether it may go, and who pays beside it. */
static void on_run(enum guard_verdict verdict, const struct guard_refusal *refusal, void *context)
{
    const struct guard_refusal nobody = {.reason = str_from("the budgets cannot be asked now")};
    struct purse *purse               = context;
    if (verdict == GUARD_GO) {
        const Pb__ReservedRun *run = purse->run.run;
        purse->asked.namespace_    = run->namespace_;
        purse->asked.scopes        = run->scopes;
        purse->asked.n_scopes      = run->n_scopes;
        purse->asked.purses        = run->purses;
        purse->asked.n_purses      = run->n_purses;
        refusal                    = &nobody;
        verdict                    = guard_reserve(purse->guard, &purse->asked, &purse->fund);
    }
    if (verdict != GUARD_WAIT) purse->fund.decided(verdict, refusal, purse->fund.context);
}

enum guard_verdict purse_open(struct purse *purse)
{
    if (!purse->run.name) return guard_reserve(purse->guard, &purse->asked, &purse->fund);
    purse->run.decided = on_run;
    purse->run.context = purse;
    return guard_ask_run(purse->guard, &purse->run, &purse->asked, false);
}

/* --- more --------------------------------------------------------------------------------------
 */

static bool outgrows_run(const struct purse *purse, int64_t output_tokens)
{
    return purse->run.run && purse->run.output_tokens >= 0 &&
           output_tokens > purse->run.output_tokens;
}

static bool outgrows_budgets(const struct purse *purse, int64_t output_tokens)
{
    int64_t room = purse->fund.output_tokens;
    if (room < 0) return false;
    for (const struct purse_step *step = purse->steps; step; step = step->next) {
        if (step->fund.output_tokens < 0) return false; /* there are no budgets any more */
        room += step->fund.output_tokens;
    }
    return output_tokens > room;
}

bool purse_is_outgrown(const struct purse *purse, int64_t output_tokens)
{
    return !purse->is_drawing &&
           (outgrows_budgets(purse, output_tokens) || outgrows_run(purse, output_tokens));
}

static void drawn(struct purse *purse, bool is_granted)
{
    purse->is_drawing = false;
    purse->drawn(is_granted, purse->context);
}

static bool is_granted(enum guard_verdict verdict, struct purse_step *step)
{
    bool is_granted = verdict == GUARD_GO && step->fund.output_tokens != 0;
    if (!is_granted) step->fund.output_tokens = 0;
    return is_granted;
}

static void on_decided(enum guard_verdict verdict, const struct guard_refusal *, void *context)
{
    struct purse_step *step = context;
    drawn(step->purse, is_granted(verdict, step));
}

/* GUARD_WAIT, or what was decided at once. */
static enum guard_verdict draw_step(struct purse *purse)
{
    struct purse_step *step    = mem_new(1, sizeof *step);
    Pb__ReserveBudgets more    = purse->asked;
    step->purse                = purse;
    step->fund                 = (struct guard_fund){.decided = on_decided, .context = step};
    step->next                 = purse->steps;
    purse->steps               = step;
    more.input_tokens          = 0;
    more.output_tokens         = -1;
    enum guard_verdict verdict = guard_reserve(purse->guard, &more, &step->fund);
    if (verdict == GUARD_WAIT) return verdict;
    return is_granted(verdict, step) ? GUARD_GO : GUARD_BUDGET;
}

static void on_run_drawn(enum guard_verdict verdict, const struct guard_refusal *, void *context)
{
    struct purse *purse = context;
    bool is_granted     = verdict == GUARD_GO && !outgrows_run(purse, purse->wanted);
    if (is_granted && outgrows_budgets(purse, purse->wanted)) {
        verdict = draw_step(purse);
        if (verdict == GUARD_WAIT) return;
        is_granted = verdict == GUARD_GO;
    }
    drawn(purse, is_granted);
}

static enum guard_verdict draw_run(struct purse *purse)
{
    Pb__ReserveBudgets more = purse->asked;
    more.output_tokens      = purse->run.output_tokens + DRAWN_TOKENS;
    if (more.output_tokens < purse->wanted) more.output_tokens = purse->wanted;
    purse->run.decided = on_run_drawn;
    return guard_ask_run(purse->guard, &purse->run, &more, true);
}

static void on_late(void *context)
{
    struct purse *purse = context;
    drawn(purse, purse->is_late_granted);
}

static void decide_late(struct purse *purse, bool is_granted)
{
    struct loop *loop      = guard_loop(purse->guard);
    purse->is_late_granted = is_granted;
    purse->late            = (struct loop_timer){.fire = on_late, .context = purse};
    loop_timer_set(loop, &purse->late, loop_now_ms(loop));
}

bool purse_draw(struct purse *purse, int64_t output_tokens)
{
    if (purse->is_drawing) return false;
    purse->is_drawing = true;
    purse->wanted     = output_tokens;
    enum guard_verdict verdict =
        outgrows_run(purse, output_tokens) ? draw_run(purse) : draw_step(purse);
    if (verdict != GUARD_WAIT) decide_late(purse, verdict == GUARD_GO);
    return true;
}

/* --- the end -----------------------------------------------------------------------------------
 */

/* What its budgets are told; all of it is charged to what was set aside first. `room` for all. */
static size_t collect_ends(const struct purse *purse, const Pb__Usage *used,
                           const Pb__CallEnd **room)
{
    size_t count = 0;
    room[count]  = guard_end(purse->guard, &purse->fund, used);
    count += room[count] != NULL;
    for (const struct purse_step *step = purse->steps; step; step = step->next) {
        room[count] = guard_end(purse->guard, &step->fund, NULL);
        count += room[count] != NULL;
    }
    return count;
}

/* In one piece: no budget is charged with what is not counted, whoever dies. */
static void note(const struct purse *purse, const struct usage_owner *owner, const Pb__Usage *used)
{
    static const Pb__Usage nothing = PB__USAGE__INIT;
    struct usage_owner whole       = {.namespace_ = "", .key = ""};
    size_t count                   = 1;
    for (const struct purse_step *step = purse->steps; step; step = step->next) count++;
    if (owner) whole = *owner;
    whole.ends      = mem_new(count, sizeof *whole.ends);
    whole.end_count = collect_ends(purse, owner && used->calls > 0 ? used : NULL, whole.ends);
    guard_note_usage(purse->guard, &whole, owner ? used : &nothing);
    free(whole.ends);
}

void purse_settle(struct purse *purse, const struct usage_owner *owner, const Pb__Usage *used)
{
    if (loop_timer_is_set(&purse->late)) loop_timer_clear(guard_loop(purse->guard), &purse->late);
    note(purse, owner, used);
    guard_settle(purse->guard, &purse->fund);
    for (struct purse_step *next = NULL; purse->steps; purse->steps = next) {
        next = purse->steps->next;
        guard_settle(purse->guard, &purse->steps->fund);
        free(purse->steps);
    }
    purse->is_drawing     = false;
    purse->asked.scopes   = NULL;
    purse->asked.n_scopes = 0;
    purse->asked.purses   = NULL;
    purse->asked.n_purses = 0;
    guard_leave_run(purse->guard, &purse->run);
}
