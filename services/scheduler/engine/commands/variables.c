/* A variable of a run, set by hand. */
#include "scheduler/engine/engine_internal.h"

static status answer_variables(struct engine *engine, struct command *command,
                               const struct live_run *live, struct error *reterr)
{
    Pb__RunVariables *answer = command->response;
    answer->last_sequence    = run_sequence(live->run);
    return json_in(engine->arena, run_context(live->run), &answer->context_json, reterr);
}

status engine_set_variable(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__SetRunVariable *request = command->request;
    struct live_run *live             = NULL;
    engine_answer(engine, command);
    TRY(engine_run(engine, str_from(command->run.text), command, &live, reterr));
    if (!live) return STATUS_OK;
    if (request->last_sequence > 0 && request->last_sequence != run_sequence(live->run)) {
        return command_refuse(command, STATUS_ABORTED, "precondition_failed",
                              "the run has moved meanwhile; read it again");
    }
    const struct decide_env env = engine_env(engine);
    engine_work_begin(engine, str_from(live->id.text));
    command->code = run_set_variable(live->run, &env, str_from(request->name), command->values[0],
                                     str_from(request->by), &engine->events, &command->error);
    TRY(engine_decided(engine, command, live, reterr));
    if (command->code != STATUS_OK) return STATUS_OK;
    return answer_variables(engine, command, live, reterr);
}
