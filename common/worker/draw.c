/*
 * Draws: a heartbeat of one job that asks its budgets for more. It names what is wanted in all, so
 * it is repeated until it is answered: while nobody can be reached, and while the job's partition
 * has asked the one that keeps the budgets.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "worker/worker_internal.h"

#include <stdlib.h>

struct draw {
    struct held *held; /* NULL: its job has ended, and the answer under way frees this */
    int64_t output_tokens;
    bool has_price;
    Pb__ModelPrice price;
    worker_drawn_fn *drawn;
    void *context;
    bool is_asking;
    struct loop_timer again;
};

static void ask(void *context);

void draw_forget(struct held *held)
{
    struct draw *draw = held->draw;
    held->draw        = NULL;
    if (!draw) return;
    loop_timer_clear(held->worker->options.loop, &draw->again);
    draw->held = NULL;
    if (!draw->is_asking) free(draw);
}

static void ask_again(struct draw *draw, int64_t delay_ms)
{
    struct worker *worker = draw->held->worker;
    draw->again           = (struct loop_timer){.fire = ask, .context = draw};
    loop_timer_set(worker->options.loop, &draw->again, worker_now_ms(worker) + delay_ms);
}

static void on_answer(struct rpc_answer *answer, void *context)
{
    struct draw *draw                   = context;
    const Pb__HeartbeatAnswers *answers = answer->code == STATUS_OK ? answer->message : NULL;
    const Pb__HeartbeatAnswer *said     = answers && answers->n_jobs == 1 ? answers->jobs[0] : NULL;
    draw->is_asking                     = false;
    bool is_wanted                      = draw->held && !draw->held->worker->is_stopped;
    if (!draw->held) {
        free(draw);
    } else if (!is_wanted) {
        draw_forget(draw->held);
    } else if (!said) {
        ask_again(draw, WORKER_RETRY_MS);
    } else if (said->cancel || said->status != STATUS_OK) {
        struct worker *worker = draw->held->worker;
        draw_forget(draw->held);
        worker_take_beats(worker, answer);
    } else if (said->drawing) {
        ask_again(draw, WORKER_DRAW_MS);
    } else {
        const struct draw ended = *draw;
        draw_forget(draw->held);
        ended.drawn(said->room, ended.context);
    }
    rpc_answer_free(answer);
}

static void ask(void *context)
{
    struct draw *draw            = context;
    struct held *held            = draw->held;
    const struct worker_job *job = &held->public;
    Pb__Heartbeat beat           = PB__HEARTBEAT__INIT;
    Pb__BudgetDraw wanted        = PB__BUDGET_DRAW__INIT;
    Pb__Heartbeats message       = PB__HEARTBEATS__INIT;
    Pb__Heartbeat *list[]        = {&beat};
    struct rpc_request request   = {.service   = &pb__jobs__descriptor,
                                    .method    = "Heartbeat",
                                    .message   = &message,
                                    .partition = held->partition};
    wanted.output_tokens         = draw->output_tokens;
    if (draw->has_price) wanted.price = &draw->price;
    beat.job         = job->leased->id;
    beat.lease_token = job->leased->lease_token;
    beat.draw        = &wanted;
    message.worker   = held->worker->name;
    message.instance = held->worker->options.instance;
    message.jobs     = list;
    message.n_jobs   = 1;
    held->is_told    = true;
    draw->is_asking  = worker_call(held->worker, &request, on_answer, draw, NULL);
    if (!draw->is_asking) ask_again(draw, WORKER_RETRY_MS);
}

void worker_draw(struct worker_job *job, int64_t output_tokens, const Pb__ModelPrice *price,
                 worker_drawn_fn *drawn, void *context)
{
    struct held *held = (struct held *)job;
    ASSERT(!held->is_ended);
    ASSERT(!held->draw);
    struct draw *draw = mem_new(1, sizeof *draw);
    *draw             = (struct draw){.held          = held,
                                      .output_tokens = output_tokens,
                                      .has_price     = price != NULL,
                                      .drawn         = drawn,
                                      .context       = context};
    if (price) draw->price = *price;
    held->draw = draw;
    ask(draw);
}
