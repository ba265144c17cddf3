#include "scheduler/budget/budget.h"

#include "base/assert.h"

enum { PICOS_PER_NANO = 1'000 };

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static int64_t times(int64_t a, int64_t b)
{
    int64_t product = 0;
    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

static int64_t at_most(int64_t value, int64_t max)
{
    return value < max ? value : max;
}

struct spend spend_add(struct spend a, struct spend b)
{
    return (struct spend){add(a.tokens, b.tokens), add(a.nanos, b.nanos)};
}

bool spend_is_none(struct spend spend)
{
    return spend.tokens == 0 && spend.nanos == 0;
}

/* --- asking ------------------------------------------------------------------------------------
 */

/* Of one kind. `least` is what the call needs to begin, `most` what it may take. */
static enum budget_answer fit(int64_t limit, int64_t spent, int64_t reserved, int64_t least,
                              int64_t most, int64_t *ret_amount)
{
    *ret_amount = 0;
    if (limit == 0 || least == 0) return BUDGET_FITS;
    int64_t room = limit - spent; /* neither is negative */
    int64_t left = room - at_most(reserved, room > 0 ? room : 0);
    if (least <= left) {
        *ret_amount = at_most(most, left);
        return BUDGET_FITS;
    }
    return least <= room ? BUDGET_WAITS : BUDGET_SPENT;
}

/* Rounded up. */
static int64_t cost(const struct call_estimate *call, int64_t output_tokens)
{
    int64_t picos =
        add(times(call->input_tokens, call->input_picos), times(output_tokens, call->output_picos));
    return picos / PICOS_PER_NANO + (picos % PICOS_PER_NANO > 0);
}

enum budget_answer budget_ask(const struct budget *budget, const struct call_estimate *call,
                              struct spend *ret_amount)
{
    bool says_output          = call->output_tokens >= 0;
    int64_t output_least      = says_output ? call->output_tokens : 1;
    int64_t output_most       = says_output ? call->output_tokens : BUDGET_OUTPUT_TOKENS;
    int64_t nanos_least       = call->is_priced ? cost(call, output_least) : 1;
    int64_t nanos_most        = call->is_priced ? cost(call, output_most) : INT64_MAX;
    enum budget_answer tokens = fit(budget->limit.tokens, budget->spent.tokens,
                                    budget->reserved.tokens, add(call->input_tokens, output_least),
                                    add(call->input_tokens, output_most), &ret_amount->tokens);
    enum budget_answer money = fit(budget->limit.nanos, budget->spent.nanos, budget->reserved.nanos,
                                   nanos_least, nanos_most, &ret_amount->nanos);
    return tokens > money ? tokens : money; /* the worse one */
}

/* --- moving ------------------------------------------------------------------------------------
 */

void budget_reserve(struct budget *budget, struct spend amount)
{
    budget->reserved = spend_add(budget->reserved, amount);
}

void budget_settle(struct budget *budget, struct spend amount, struct spend used)
{
    ASSERT(amount.tokens <= budget->reserved.tokens && amount.nanos <= budget->reserved.nanos);
    budget->reserved.tokens -= amount.tokens;
    budget->reserved.nanos -= amount.nanos;
    budget->spent = spend_add(budget->spent, used);
}

static int64_t left_of(int64_t limit, int64_t spent, int64_t reserved)
{
    if (limit == 0 || spent >= limit) return 0;
    int64_t room = limit - spent;
    return reserved < room ? room - reserved : 0;
}

struct spend budget_left(const struct budget *budget)
{
    return (struct spend){
        left_of(budget->limit.tokens, budget->spent.tokens, budget->reserved.tokens),
        left_of(budget->limit.nanos, budget->spent.nanos, budget->reserved.nanos)};
}

struct spend budget_room(const struct budget *budget, struct spend amount)
{
    return (struct spend){budget->limit.tokens > 0 ? amount.tokens : -1,
                          budget->limit.nanos > 0 ? amount.nanos : -1};
}

struct spend budget_more(const struct budget *budget, const struct call_estimate *call,
                         struct spend amount)
{
    const struct spend left = budget_left(budget); /* nothing where there is no limit */
    int64_t tokens          = add(call->input_tokens, call->output_tokens);
    int64_t nanos           = call->is_priced ? cost(call, call->output_tokens) : INT64_MAX;
    return (struct spend){tokens > amount.tokens ? at_most(tokens - amount.tokens, left.tokens) : 0,
                          nanos > amount.nanos ? at_most(nanos - amount.nanos, left.nanos) : 0};
}

static int64_t least(int64_t a, int64_t b)
{
    if (a < 0) return b;
    return b < 0 || a < b ? a : b;
}

int64_t budget_output_room(const struct budget *budget, const struct call_estimate *call,
                           struct spend amount)
{
    int64_t room = -1;
    if (budget->limit.tokens > 0) {
        int64_t tokens = amount.tokens - call->input_tokens;
        room           = tokens > 0 ? tokens : 0;
    }
    if (budget->limit.nanos == 0 || !call->is_priced || call->output_picos <= 0) return room;
    __int128 picos =
        (__int128)amount.nanos * 1'000 - (__int128)call->input_tokens * call->input_picos;
    __int128 paid = picos > 0 ? picos / call->output_picos : 0;
    return least(room, paid < INT64_MAX ? (int64_t)paid : INT64_MAX);
}

struct spend spend_least(struct spend a, struct spend b)
{
    return (struct spend){least(a.tokens, b.tokens), least(a.nanos, b.nanos)};
}
