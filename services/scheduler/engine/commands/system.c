/* Commands of the system partition: definitions. */
#include "base/assert.h"
#include "base/log.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/events/events.h"
#include "workflow.pb-c.h"

static Pb__WorkflowView make_view(struct engine *engine, const struct command *command)
{
    const Pb__PutWorkflow *request  = command->request;
    const struct workflow *workflow = command->workflow;
    Pb__WorkflowView view           = PB__WORKFLOW_VIEW__INIT;
    view.namespace_                 = text_in(engine->arena, str_from(workflow->namespace_));
    view.name                       = text_in(engine->arena, str_from(workflow->name));
    view.version                    = text_in(engine->arena, str_from(workflow->version));
    view.title                      = text_in(engine->arena, str_from(workflow->title));
    view.digest = bytes_in(engine->arena, (str){(const char *)workflow->digest, SHA256_SIZE});
    if (workflow->pins) {
        view.source_digest =
            bytes_in(engine->arena, (str){(const char *)workflow->source_digest, SHA256_SIZE});
    }
    view.created_us = engine->now_us;
    view.created_by = text_in(engine->arena, str_from(request->by));
    return view;
}

static status answer(struct engine *engine, struct command *command, const Pb__WorkflowView *view,
                     bool is_created, struct error *reterr)
{
    Pb__PutWorkflowAnswer *response = command->response;
    response->workflow              = arena_alloc(engine->arena, sizeof *response->workflow);
    if (!response->workflow) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    *response->workflow = *view;
    response->created   = is_created;
    return STATUS_OK;
}

/* A version is what it was when it was registered: other content needs another number. */
status engine_put_workflow(struct engine *engine, struct command *command, struct error *reterr)
{
    const struct workflow *workflow = command->workflow;
    engine_answer(engine, command);

    struct key key;
    workflow_key(&key, str_from(workflow->namespace_), str_from(workflow->name),
                 str_from(workflow->version));
    const ProtobufCMessageDescriptor *type = &pb__workflow_view__descriptor;
    Pb__WorkflowView *existing             = NULL;
    status got = record_get(engine->txn, TABLE_WORKFLOWS, key_bytes(&key), type, engine->arena,
                            &existing, reterr);
    if (got == STATUS_OK) {
        /* What its names stood for then, they stand for now: only what was written counts. */
        str source  = {(const char *)workflow->source_digest, SHA256_SIZE};
        bool is_old = existing->source_digest.len == 0;
        str there   = str_of(is_old ? existing->digest : existing->source_digest);
        if (str_equal(there, source)) return answer(engine, command, existing, false, reterr);
        return command_refuse(command, STATUS_ALREADY_EXISTS, "already_exists",
                              "%s/%s:%s is registered with other content; a changed workflow needs "
                              "a new version",
                              workflow->namespace_, workflow->name, workflow->version);
    }
    if (got != STATUS_NOT_FOUND) return got;
    if (!engine->accepts_runs) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "store_full",
                              "the store is nearly full");
    }
    const Pb__WorkflowView view = make_view(engine, command);
    TRY(definition_keep(engine->txn, workflow, reterr));
    TRY(engine_event_types_put(engine, workflow, reterr));
    TRY(record_put(engine->txn, TABLE_WORKFLOWS, key_bytes(&key), &view.base, reterr));
    TRY(engine_schedule(engine, workflow, reterr));
    return answer(engine, command, &view, true, reterr);
}
