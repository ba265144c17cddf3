/* Drafts: runs that start when somebody approves them. */
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/events/events.h"

status engine_edit_run(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__EditRun *request = command->request;
    struct live_run *live      = NULL;
    engine_answer(engine, command);
    TRY(engine_run(engine, str_from(command->run.text), command, &live, reterr));
    if (!live) return STATUS_OK;
    bool is_other = request->last_sequence > 0 && request->last_sequence != run_sequence(live->run);
    if (is_other) {
        return command_refuse(command, STATUS_ABORTED, "precondition_failed",
                              "the run was changed meanwhile; read it again");
    }
    const struct decide_env env = engine_env(engine);
    engine_work_begin(engine, str_from(live->id.text));
    command->code = run_edit(live->run, &env, command->values[0], str_from(request->by),
                             &engine->events, &command->error);
    TRY(engine_decided(engine, command, live, reterr));
    return engine_answer_view(engine, command, live, reterr);
}

/* The key of its workflow: a draft gets it when its input is what it stays. */
static status take_start_key(struct engine *engine, struct command *command,
                             const struct live_run *live, struct error *reterr)
{
    if (command->start_key.len == 0) return STATUS_OK;
    const struct workflow *workflow        = run_workflow(live->run);
    const ProtobufCMessageDescriptor *type = &pb__client_id_record__descriptor;
    Pb__ClientIdRecord *record             = NULL;
    struct key key;
    start_key_key(&key, str_from(workflow->namespace_), str_from(workflow->name),
                  command->start_key);
    status got = record_get(engine->txn, TABLE_START_KEYS, key_bytes(&key), type, engine->arena,
                            &record, reterr);
    if (got == STATUS_OK) {
        return command_refuse(command, STATUS_ALREADY_EXISTS, "run_id_in_use",
                              "run %s has the idempotencyKey of this input already", record->run);
    }
    if (got != STATUS_NOT_FOUND) return got;
    Pb__ClientIdRecord fresh = PB__CLIENT_ID_RECORD__INIT;
    fresh.run                = live->id.text;
    return record_put(engine->txn, TABLE_START_KEYS, key_bytes(&key), &fresh.base, reterr);
}

status engine_approve_run(struct engine *engine, struct command *command, struct error *reterr)
{
    struct live_run *live = NULL;
    engine_answer(engine, command);
    TRY(engine_run(engine, str_from(command->run.text), command, &live, reterr));
    if (!live) return STATUS_OK;
    if (run_status(live->run) != RUN_DRAFT) {
        return command_refuse(command, STATUS_FAILED_PRECONDITION, "run_not_draft",
                              "run %s is no draft (any more)", live->id.text);
    }
    TRY(take_start_key(engine, command, live, reterr));
    if (command->code != STATUS_OK) return STATUS_OK;
    const Pb__ApproveRun *request = command->request;
    struct run_start start        = run_drafted(live->run);
    start.approved_by             = str_from(request->by);
    start.comment                 = str_from(request->comment);
    const struct decide_env env   = engine_env(engine);
    engine_work_begin(engine, str_from(live->id.text));
    command->code = run_start(live->run, &env, &start, &engine->events, &command->error);
    TRY(engine_decided(engine, command, live, reterr));
    if (command->code != STATUS_OK) return STATUS_OK;
    TRY(engine_event_types_put(engine, run_workflow(live->run), reterr));
    return engine_answer_view(engine, command, live, reterr);
}
