/* Calls that outgrow what is set aside for them, and draw more. A draw names what the answer takes
 * in all, so it may be repeated, and is lost with the partition's memory without harm. */
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/budgets/ledger.h"

/* Of the run's own budget, which is kept here; -1: it has none. */
static status draw_own(struct engine *engine, struct open_job *job, const Pb__BudgetDraw *draw,
                       struct spend *ret_room, struct error *reterr)
{
    struct funding *funding = job->funding;
    struct live_run *live   = NULL;
    *ret_room               = (struct spend){-1, -1};
    if (!funding->has_own) return STATUS_OK;
    TRY(engine_run(engine, str_from(job->run.text), NULL, &live, reterr));
    if (!live) return STATUS_OK; /* it cannot be read: nobody waits for the job */
    const struct budget budget      = engine_own_budget(engine, live);
    const struct call_estimate call = {
        .input_tokens  = funding->input_tokens,
        .output_tokens = draw->output_tokens > 0 ? draw->output_tokens : 0,
        .is_priced     = draw->price != NULL,
        .input_picos   = draw->price ? draw->price->input_picos : 0,
        .output_picos  = draw->price ? draw->price->output_picos : 0,
    };
    const struct spend more = budget_more(&budget, &call, funding->own);
    fundings_add(job_queues_fundings(engine->queues), funding, str_from(job->run.text), more);
    *ret_room = budget_room(&budget, funding->own);
    return spend_is_none(more) ? STATUS_OK : engine_ready_put(engine, job, reterr);
}

/* Of those that are the system partition's. `*ret_waits`: it has been asked. */
static status draw_shared(struct engine *engine, struct open_job *job, const Pb__BudgetDraw *wanted,
                          struct spend *ret_room, bool *ret_waits, struct error *reterr)
{
    struct funding *funding = job->funding;
    Pb__BudgetDraw draw     = *wanted;
    *ret_room               = (struct spend){-1, -1};
    draw.job                = job->id.text;
    draw.number             = funding->number;
    draw.output_tokens      = wanted->output_tokens > 0 ? wanted->output_tokens : 1;
    if (!funding->has_asked) return STATUS_OK;
    if (engine->ledger) {
        ledger_draw(engine->ledger, &draw, ret_room);
        return STATUS_OK;
    }
    if (funding->drawn_for >= draw.output_tokens) {
        *ret_room = funding->drawn;
        return STATUS_OK;
    }
    *ret_waits = true;
    if (funding->is_drawing) return STATUS_OK;
    funding->is_drawing  = true;
    Pb__Message message  = PB__MESSAGE__INIT;
    message.content_case = PB__MESSAGE__CONTENT_BUDGET_DRAW;
    message.budget_draw  = &draw;
    return engine_tell(engine, 0, &message, reterr);
}

status engine_draw(struct engine *engine, struct open_job *job, const Pb__BudgetDraw *draw,
                   struct arena *arena, Pb__HeartbeatAnswer *answer, struct error *reterr)
{
    struct funding *funding = job->funding;
    struct spend own        = {-1, -1};
    struct spend shared     = {-1, -1};
    bool is_granted         = funding && funding->state == PB__FUNDING_STATE__FUNDING_STATE_GRANTED;
    if (!is_granted) return STATUS_OK; /* it has no budget */
    Pb__BudgetRoom *room = arena_alloc(arena, sizeof *room);
    if (!room) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    TRY(draw_own(engine, job, draw, &own, reterr));
    bool waits = false;
    TRY(draw_shared(engine, job, draw, &shared, &waits, reterr));
    answer->drawing = waits;
    if (waits) return STATUS_OK;
    funding->room = spend_least(own, shared);
    answer->room  = funding_put_room(funding, room);
    return STATUS_OK;
}

/* --- between partitions ------------------------------------------------------------------------
 */

status engine_take_budget_draw(struct engine *engine, const Pb__BudgetDraw *draw,
                               struct error *reterr)
{
    Pb__BudgetDrawn drawn = PB__BUDGET_DRAWN__INIT;
    Pb__BudgetRoom room   = PB__BUDGET_ROOM__INIT;
    Pb__Message message   = PB__MESSAGE__INIT;
    struct spend amount   = {};
    if (!engine->ledger || !id_is_valid(str_from(draw->job))) return STATUS_OK;
    ledger_draw(engine->ledger, draw, &amount);
    room.tokens          = amount.tokens;
    room.nanos           = amount.nanos;
    drawn.job            = draw->job;
    drawn.number         = draw->number;
    drawn.output_tokens  = draw->output_tokens;
    drawn.room           = &room;
    message.content_case = PB__MESSAGE__CONTENT_BUDGET_DRAWN;
    message.budget_drawn = &drawn;
    return engine_tell(engine, id_partition(str_from(draw->job)), &message, reterr);
}

status engine_take_budget_drawn(struct engine *engine, const Pb__BudgetDrawn *drawn, struct error *)
{
    const struct open_job *job = open_job_find(engine->queues, str_from(drawn->job));
    struct funding *funding    = job ? job->funding : NULL;
    bool is_wanted             = funding && funding->is_drawing && funding->number == drawn->number;
    if (!is_wanted || !drawn->room) return STATUS_OK; /* the attempt is over */
    funding->is_drawing = false;
    funding->drawn_for  = drawn->output_tokens;
    funding->drawn      = (struct spend){drawn->room->tokens, drawn->room->nanos};
    return STATUS_OK;
}
