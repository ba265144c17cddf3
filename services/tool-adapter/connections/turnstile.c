#include "tool-adapter/connections/turnstile.h"

#include "base/assert.h"
#include "base/attr.h"

#include <math.h>

static int64_t now_ms(const struct turnstile *turnstile)
{
    return loop_now_ms(turnstile->loop);
}

static double burst_of(const struct turnstile_rules *rules)
{
    return rules->burst > 0 ? (double)rules->burst : 1.0;
}

/* Tokens come evenly, up to the burst. */
static void fill(struct turnstile *turnstile)
{
    const struct turnstile_rules *rules = &turnstile->rules;
    if (rules->rate_count <= 0) return;
    double most = burst_of(rules);
    double more = (double)(now_ms(turnstile) - turnstile->filled_ms) * (double)rules->rate_count /
                  (double)rules->rate_per_ms;
    turnstile->tokens =
        turnstile->is_filled && turnstile->tokens + more < most ? turnstile->tokens + more : most;
    turnstile->is_filled = true;
    turnstile->filled_ms = now_ms(turnstile);
}

/* When `pass` may go as far as time is concerned; now or before: at once. */
static int64_t due_ms(const struct turnstile *turnstile, bool is_write)
{
    const struct turnstile_rules *rules = &turnstile->rules;
    int64_t due                         = turnstile->due_ms[is_write];
    if (rules->rate_count <= 0 || turnstile->tokens >= 1.0) return due;
    double wait_ms =
        (1.0 - turnstile->tokens) * (double)rules->rate_per_ms / (double)rules->rate_count;
    int64_t token_ms = turnstile->filled_ms + (int64_t)ceil(wait_ms);
    return token_ms > due ? token_ms : due;
}

static bool is_full(const struct turnstile *turnstile)
{
    return turnstile->rules.concurrency > 0 && turnstile->inside >= turnstile->rules.concurrency;
}

static void let_in(struct turnstile *turnstile, struct turnstile_pass *pass)
{
    const struct turnstile_rules *rules = &turnstile->rules;
    int64_t gap_ms                      = pass->is_write ? rules->gap_write_ms : rules->gap_read_ms;
    pass->place                         = TURNSTILE_INSIDE;
    turnstile->inside++;
    if (rules->rate_count > 0) turnstile->tokens -= 1.0;
    turnstile->due_ms[pass->is_write] = now_ms(turnstile) + gap_ms; /* none rests: it is let in */
}

static void pop(struct turnstile *turnstile)
{
    struct turnstile_pass *pass = turnstile->first;
    turnstile->first            = pass->next;
    if (!turnstile->first) turnstile->last = NULL;
    pass->next = NULL;
}

/* Lets in who may go; the timer comes for the next one that waits for time. */
static void admit(struct turnstile *turnstile)
{
    fill(turnstile);
    while (turnstile->first && !is_full(turnstile)) {
        struct turnstile_pass *pass = turnstile->first;
        int64_t due                 = due_ms(turnstile, pass->is_write);
        if (due > now_ms(turnstile)) {
            loop_timer_set(turnstile->loop, &turnstile->timer, due);
            return;
        }
        pop(turnstile);
        let_in(turnstile, pass);
        pass->enter(pass->context);
    }
    loop_timer_clear(turnstile->loop, &turnstile->timer);
}

static void on_timer(void *context)
{
    admit(context);
}

static void use_loop(struct turnstile *turnstile, struct loop *loop)
{
    if (turnstile->loop) return;
    turnstile->loop  = loop;
    turnstile->timer = (struct loop_timer){.fire = on_timer, .context = turnstile};
}

bool turnstile_ask(struct turnstile *turnstile, struct loop *loop, struct turnstile_pass *pass)
{
    ASSERT(pass->place == TURNSTILE_OUTSIDE);
    use_loop(turnstile, loop);
    turnstile->used_ms = now_ms(turnstile);
    fill(turnstile);
    bool is_next = !turnstile->first && !is_full(turnstile);
    if (is_next && due_ms(turnstile, pass->is_write) <= now_ms(turnstile)) {
        let_in(turnstile, pass);
        return true;
    }
    pass->place                                                     = TURNSTILE_WAITING;
    pass->next                                                      = NULL;
    *(turnstile->last ? &turnstile->last->next : &turnstile->first) = pass;
    turnstile->last                                                 = pass;
    if (is_next) loop_timer_set(loop, &turnstile->timer, due_ms(turnstile, pass->is_write));
    return false;
}

static void unlink_pass(struct turnstile *turnstile, struct turnstile_pass *pass)
{
    struct turnstile_pass **at   = &turnstile->first;
    struct turnstile_pass *prior = NULL;
    while (*at != pass) {
        prior = *at;
        at    = &(*at)->next;
    }
    *at = pass->next;
    if (turnstile->last == pass) turnstile->last = prior;
    pass->next = NULL;
}

void turnstile_leave(struct turnstile *turnstile, struct turnstile_pass *pass)
{
    if (pass->place == TURNSTILE_OUTSIDE) return;
    if (pass->place == TURNSTILE_WAITING) unlink_pass(turnstile, pass);
    if (pass->place == TURNSTILE_INSIDE) turnstile->inside--;
    pass->place = TURNSTILE_OUTSIDE;
    /* Who waits enters from the loop, not from inside the end of another one. */
    if (turnstile->first) loop_timer_set(turnstile->loop, &turnstile->timer, now_ms(turnstile));
    if (!turnstile->first) loop_timer_clear(turnstile->loop, &turnstile->timer);
}

void turnstile_rest(struct turnstile *turnstile, struct loop *loop, int64_t wait_ms)
{
    use_loop(turnstile, loop);
    int64_t until_ms = now_ms(turnstile) + wait_ms;
    for (size_t i = 0; i < ARRAY_LEN(turnstile->due_ms); i++) {
        if (turnstile->due_ms[i] < until_ms) turnstile->due_ms[i] = until_ms;
    }
    if (turnstile->first) loop_timer_set(loop, &turnstile->timer, now_ms(turnstile));
}

bool turnstile_was_used(const struct turnstile *turnstile, int64_t within_ms)
{
    return turnstile->loop && turnstile->used_ms > 0 &&
           now_ms(turnstile) - turnstile->used_ms <= within_ms;
}

int64_t turnstile_wait_ms(const struct turnstile *turnstile, bool is_write)
{
    if (!turnstile->loop) return 0;
    const struct turnstile_rules *rules = &turnstile->rules;
    int64_t gap_ms                      = is_write ? rules->gap_write_ms : rules->gap_read_ms;
    int64_t waiting                     = 0;
    for (const struct turnstile_pass *pass = turnstile->first; pass; pass = pass->next) waiting++;
    if (rules->rate_count > 0 && rules->rate_per_ms / rules->rate_count > gap_ms) {
        gap_ms = rules->rate_per_ms / rules->rate_count;
    }
    int64_t due = due_ms(turnstile, is_write) - now_ms(turnstile);
    return (due > 0 ? due : 0) + waiting * gap_ms;
}
