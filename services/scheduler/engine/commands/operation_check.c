#include "scheduler/engine/commands/operation_check.h"

#include "scheduler/decide/run_retry.h"
#include "scheduler/engine/removal/erasure.h"

/* Of what is done to rows: a deletion, an erasure. */
static status check_row(struct engine *engine, str run, const Pb__StartBulk *asked,
                        struct command *outcome, struct error *reterr)
{
    bool is_deletion  = asked->action == PB__BULK_ACTION__BULK_ACTION_DELETE;
    Pb__RunView *row  = NULL;
    struct error *why = &outcome->error;
    outcome->code     = run_row_get(engine->txn, run, engine->arena, &row, why);
    if (outcome->code == STATUS_NOT_FOUND || outcome->code == STATUS_DATA_LOSS) return STATUS_OK;
    if (outcome->code != STATUS_OK) return fail(reterr, outcome->code, "%s", why->text);
    if (run_status_wire_is_final(row->status) || (is_deletion && asked->force)) return STATUS_OK;
    return command_refuse(outcome, STATUS_FAILED_PRECONDITION, "run_not_finished",
                          "run " STR_FMT " has not ended", STR_ARG(run));
}

static status decide(struct engine *engine, struct run *run, const Pb__StartBulk *asked,
                     struct error *ret_why)
{
    const struct decide_env env  = engine_env(engine);
    const struct run_retry retry = {.patch = json_invalid(), .by = str_from(asked->by)};
    if (asked->action == PB__BULK_ACTION__BULK_ACTION_RETRY) {
        return run_retry(run, &env, &retry, &engine->events, ret_why);
    }
    return run_cancel(run, &env, str_from(asked->reason), str_from(asked->by), &engine->events,
                      ret_why);
}

static status check_decision(struct engine *engine, str run, const Pb__StartBulk *asked,
                             struct command *outcome, struct error *reterr)
{
    struct live_run *live = NULL;
    bool is_retry         = asked->action == PB__BULK_ACTION__BULK_ACTION_RETRY;
    if (is_retry && engine_refuse_erased(engine, outcome, run)) return STATUS_OK;
    TRY(engine_run(engine, run, outcome, &live, reterr));
    if (!live) return STATUS_OK;
    if (!is_retry && run_status_is_final(run_status(live->run))) {
        return command_refuse(outcome, STATUS_FAILED_PRECONDITION, "run_finished", "it has ended");
    }
    if (asked->action == PB__BULK_ACTION__BULK_ACTION_TERMINATE) return STATUS_OK;
    engine_work_begin(engine, run);
    outcome->code = decide(engine, live->run, asked, &outcome->error);
    engine_work_end(engine);
    event_list_clear(&engine->events);
    run_cache_drop(&engine->cache, live); /* as it is kept it is loaded again */
    return STATUS_OK;
}

status engine_operation_check(struct engine *engine, const struct id *run,
                              const Pb__StartBulk *asked, struct command *outcome, bool *ret_later,
                              struct error *reterr)
{
    str id                      = str_from(run->text);
    const struct live_run *live = run_cache_find(&engine->cache, id);
    *ret_later                  = live && (live->is_touched || live->is_new);
    if (*ret_later) return STATUS_OK;
    switch (asked->action) {
    case PB__BULK_ACTION__BULK_ACTION_DELETE:
    case PB__BULK_ACTION__BULK_ACTION_ERASE: return check_row(engine, id, asked, outcome, reterr);
    default: return check_decision(engine, id, asked, outcome, reterr);
    }
}
