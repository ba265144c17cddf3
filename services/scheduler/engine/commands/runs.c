/* Commands to runs that exist. */
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/removal/erasure.h"

/* --- one command to one run --------------------------------------------------------------------
 */

status engine_decided(struct engine *engine, struct command *command, struct live_run *live,
                      struct error *reterr)
{
    status kept = STATUS_OK;
    if (command->code == STATUS_OK) kept = engine_keep(engine, live, reterr);
    engine_work_end(engine);
    return kept;
}

status engine_answer_view(struct engine *engine, struct command *command, struct live_run *live,
                          struct error *reterr)
{
    if (command->code != STATUS_OK) return STATUS_OK;
    Pb__RunView *view = NULL;
    TRY(engine_view(engine, live, false, engine->arena, &view, reterr));
    *(Pb__RunView *)command->response = *view;
    return STATUS_OK;
}

/* The run that a command is for. NULL: the command is answered, because the run cannot be had, or
 * because it has changed it before and is only repeated: also after a restart. */
static status begin(struct engine *engine, struct command *command, struct live_run **ret_live,
                    struct error *reterr)
{
    const struct made_by_request *made = NULL;
    struct live_run *live              = NULL;
    engine_answer(engine, command);
    TRY(engine_run(engine, str_from(command->run.text), command, &live, reterr));
    if (!live) return STATUS_OK;
    TRY(engine_request_find(engine, command->request_id, &made, reterr));
    if (made) return engine_answer_view(engine, command, live, reterr);
    *ret_live = live;
    return STATUS_OK;
}

/* It has decided: what it changed is kept, and that it did. */
static status end(struct engine *engine, struct command *command, struct live_run *live,
                  struct error *reterr)
{
    if (command->code != STATUS_OK) return STATUS_OK;
    TRY(engine_request_keep(engine, command->request_id, str_from(live->id.text), (str){}, reterr));
    return engine_answer_view(engine, command, live, reterr);
}

/* --- cancel ------------------------------------------------------------------------------------
 */

status engine_cancel_run(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__CancelRun *request = command->request;
    struct live_run *live        = NULL;
    TRY(begin(engine, command, &live, reterr));
    if (!live) return STATUS_OK;

    const struct decide_env env = engine_env(engine);
    engine_work_begin(engine, str_from(live->id.text));
    command->code = run_cancel(live->run, &env, str_from(request->reason), str_from(request->by),
                               &engine->events, &command->error);
    TRY(engine_decided(engine, command, live, reterr));
    return end(engine, command, live, reterr);
}

/* --- terminate, suspend, resume ----------------------------------------------------------------
 */

typedef status run_stop(struct run *run, const struct decide_env *env, str reason, str by,
                        struct event_list *events, struct error *reterr);

/* Resumed, it does at once what became due meanwhile. */
static status resume(struct run *run, const struct decide_env *env, str reason, str by,
                     struct event_list *events, struct error *reterr)
{
    TRY(run_resume(run, env, reason, by, events, reterr));
    return run_has_more(run) ? STATUS_OK : run_due(run, env, events, reterr);
}

static status stop_run(struct engine *engine, struct command *command, run_stop *decide,
                       struct error *reterr)
{
    const Pb__StopRun *request = command->request;
    struct live_run *live      = NULL;
    TRY(begin(engine, command, &live, reterr));
    if (!live) return STATUS_OK;

    const struct decide_env env = engine_env(engine);
    engine_work_begin(engine, str_from(live->id.text));
    command->code = decide(live->run, &env, str_from(request->reason), str_from(request->by),
                           &engine->events, &command->error);
    TRY(engine_decided(engine, command, live, reterr));
    return end(engine, command, live, reterr);
}

status engine_terminate_run(struct engine *engine, struct command *command, struct error *reterr)
{
    return stop_run(engine, command, run_terminate, reterr);
}

status engine_suspend_run(struct engine *engine, struct command *command, struct error *reterr)
{
    return stop_run(engine, command, run_suspend, reterr);
}

status engine_resume_run(struct engine *engine, struct command *command, struct error *reterr)
{
    return stop_run(engine, command, resume, reterr);
}

status engine_resume(struct engine *engine, struct live_run *live, str reason, str by,
                     struct error *reterr)
{
    const struct decide_env env = engine_env(engine);
    struct error why            = {};
    engine_work_begin(engine, str_from(live->id.text));
    status decided = resume(live->run, &env, reason, by, &engine->events, &why);
    status kept    = decided == STATUS_OK ? engine_keep(engine, live, reterr) : STATUS_OK;
    engine_work_end(engine);
    return kept;
}

status engine_terminate(struct engine *engine, struct live_run *live, str reason, str by,
                        struct error *reterr)
{
    const struct decide_env env = engine_env(engine);
    struct error why            = {};
    engine_work_begin(engine, str_from(live->id.text));
    status decided = run_terminate(live->run, &env, reason, by, &engine->events, &why);
    status kept    = decided == STATUS_OK ? engine_keep(engine, live, reterr) : STATUS_OK;
    engine_work_end(engine);
    return kept;
}

/* --- retry, signal -----------------------------------------------------------------------------
 */

status engine_retry(struct engine *engine, struct command *command,
                    const struct engine_retry *retry, struct live_run **ret_live,
                    struct error *reterr)
{
    struct live_run *live = NULL;
    if (engine_refuse_erased(engine, command, str_from(retry->run))) return STATUS_OK;
    TRY(engine_run(engine, str_from(retry->run), command, &live, reterr));
    if (!live) return STATUS_OK;
    if (live->is_touched && run_is_reopenable(live->run)) {
        return command_refuse(command, STATUS_UNAVAILABLE, "unavailable",
                              "the run has faulted just now; try again");
    }
    bool has_ended               = run_status_is_final(run_status(live->run));
    const struct run_retry asked = {
        .task  = str_from(retry->task),
        .job   = str_from(retry->job ? retry->job : ""),
        .patch = command->value_count > 0 ? command->values[0] : json_invalid(),
        .by    = str_from(retry->by),
    };
    const struct decide_env env = engine_env(engine);
    engine_work_begin(engine, str_from(live->id.text));
    command->code          = run_retry(live->run, &env, &asked, &engine->events, &command->error);
    engine->is_asked_again = retry->is_answered_for;
    status kept            = engine_decided(engine, command, live, reterr);
    engine->is_asked_again = false;
    TRY(kept);
    if (command->code != STATUS_OK) return STATUS_OK;
    if (ret_live) *ret_live = live;
    if (!has_ended) return STATUS_OK; /* those of the tasks that go on went with their events */
    return engine_drop_letters_of(engine, str_from(live->id.text), reterr);
}

status engine_fail(struct engine *engine, struct command *command,
                   const struct engine_retry *given_up, struct live_run **ret_live,
                   struct error *reterr)
{
    struct live_run *live        = NULL;
    const struct run_retry asked = {
        .task = str_from(given_up->task),
        .job  = str_from(given_up->job ? given_up->job : ""),
        .by   = str_from(given_up->by),
    };
    TRY(engine_run(engine, str_from(given_up->run), command, &live, reterr));
    if (!live) return STATUS_OK;
    const struct decide_env env = engine_env(engine);
    engine_work_begin(engine, str_from(live->id.text));
    command->code = run_give_up(live->run, &env, &asked, &engine->events, &command->error);
    TRY(engine_decided(engine, command, live, reterr));
    if (command->code == STATUS_OK && ret_live) *ret_live = live;
    return STATUS_OK;
}

status engine_fail_run(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__FailRun *request       = command->request;
    struct live_run *live            = NULL;
    const struct engine_retry failed = {
        .run = command->run.text, .task = request->task, .by = request->by};
    TRY(begin(engine, command, &live, reterr));
    if (!live) return STATUS_OK;
    live = NULL;
    TRY(engine_fail(engine, command, &failed, &live, reterr));
    return live ? end(engine, command, live, reterr) : STATUS_OK;
}

status engine_retry_run(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__RetryRun *request     = command->request;
    struct live_run *live           = NULL;
    const struct engine_retry retry = {.run             = command->run.text,
                                       .task            = request->task,
                                       .by              = request->by,
                                       .is_answered_for = true};
    TRY(begin(engine, command, &live, reterr));
    if (!live) return STATUS_OK;
    live = NULL;
    TRY(engine_retry(engine, command, &retry, &live, reterr));
    return live ? end(engine, command, live, reterr) : STATUS_OK;
}

status engine_signal(struct engine *engine, struct command *command, struct live_run *live,
                     str name, json data, struct id *ret_event, struct error *reterr)
{
    const struct run_signal signal = {.name = name, .data = data};
    const struct decide_env env    = engine_env(engine);
    engine_work_begin(engine, str_from(live->id.text));
    command->code =
        run_signal(live->run, &env, &signal, ret_event, &engine->events, &command->error);
    return engine_decided(engine, command, live, reterr);
}

status engine_signal_run(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__SignalRun *request = command->request;
    Pb__SignalledRun *answer     = command->response;
    engine_answer(engine, command);
    const struct made_by_request *made = NULL;
    TRY(engine_request_find(engine, command->request_id, &made, reterr));
    if (made) {
        answer->event_id = text_in(command->arena, str_from(made->event.text));
        return STATUS_OK;
    }
    struct live_run *live = NULL;
    struct id event       = {};
    TRY(engine_run(engine, str_from(command->run.text), command, &live, reterr));
    if (!live) return STATUS_OK;
    TRY(engine_signal(engine, command, live, str_from(request->name), command->values[0], &event,
                      reterr));
    if (command->code != STATUS_OK) return STATUS_OK;

    answer->event_id = text_in(command->arena, str_from(event.text));
    return engine_request_keep(engine, command->request_id, str_from(live->id.text),
                               str_from(event.text), reterr);
}
