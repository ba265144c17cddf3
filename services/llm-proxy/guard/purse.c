#include "llm-proxy/guard/purse.h"

#include "base/mem.h"

#include <stdlib.h>

struct purse_step {
    struct purse *purse;
    struct guard_fund fund;
    struct purse_step *next;
};

enum guard_verdict purse_open(struct purse *purse)
{
    return guard_reserve(purse->guard, &purse->asked, &purse->fund);
}

bool purse_is_outgrown(const struct purse *purse, int64_t output_tokens)
{
    int64_t room = purse->fund.output_tokens;
    if (room < 0 || purse->is_drawing) return false;
    for (const struct purse_step *step = purse->steps; step; step = step->next) {
        if (step->fund.output_tokens < 0) return false; /* there are no budgets any more */
        room += step->fund.output_tokens;
    }
    return output_tokens > room;
}

static void on_decided(enum guard_verdict verdict, const struct guard_refusal *, void *context)
{
    struct purse_step *step = context;
    struct purse *purse     = step->purse;
    bool is_granted         = verdict == GUARD_GO && step->fund.output_tokens != 0;
    if (!is_granted) step->fund.output_tokens = 0;
    purse->is_drawing = false;
    purse->drawn(is_granted, purse->context);
}

static void on_late(void *context)
{
    struct purse *purse = context;
    on_decided(purse->verdict, NULL, purse->steps); /* the newest one is what is drawn */
}

static void decide_late(struct purse *purse, enum guard_verdict verdict)
{
    struct loop *loop = guard_loop(purse->guard);
    purse->verdict    = verdict;
    purse->late       = (struct loop_timer){.fire = on_late, .context = purse};
    loop_timer_set(loop, &purse->late, loop_now_ms(loop));
}

bool purse_draw(struct purse *purse)
{
    if (purse->is_drawing) return false;
    struct purse_step *step    = mem_new(1, sizeof *step);
    Pb__ReserveBudgets more    = purse->asked;
    step->purse                = purse;
    step->fund                 = (struct guard_fund){.decided = on_decided, .context = step};
    step->next                 = purse->steps;
    purse->steps               = step;
    more.input_tokens          = 0;
    more.output_tokens         = -1;
    purse->is_drawing          = true;
    enum guard_verdict verdict = guard_reserve(purse->guard, &more, &step->fund);
    if (verdict != GUARD_WAIT) decide_late(purse, verdict);
    return true;
}

/* All of it is charged to what was set aside first; the rest comes back. */
void purse_settle(struct purse *purse, const Pb__Usage *used)
{
    if (loop_timer_is_set(&purse->late)) loop_timer_clear(guard_loop(purse->guard), &purse->late);
    guard_settle(purse->guard, &purse->fund, used);
    for (struct purse_step *next = NULL; purse->steps; purse->steps = next) {
        next = purse->steps->next;
        guard_settle(purse->guard, &purse->steps->fund, NULL);
        free(purse->steps);
    }
    purse->is_drawing = false;
}
