#include "stage/play.h"

#include "approval.pb-c.h"
#include "assistant.pb-c.h"
#include "base/assert.h"
#include "base/mem.h"
#include "event.pb-c.h"
#include "run.pb-c.h"
#include "scheduler/tables/run_store.h"
#include "scheduler/tables/run_wire.h"
#include "schema/schema.h"
#include "stage/play_internal.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARENA_MAX = 64 << 20 };

/* --- open and close -----------------------------------------------------------------------------
 */

static json get_secret(str, str name, void *context)
{
    const struct play *play = context;
    json value              = json_get(play->secrets, name);
    return json_is(value, JSON_INVALID) ? value : json_ref(value);
}

status play_open(const struct play_options *options, struct play **ret_play, struct error *reterr)
{
    CLEANUP(play_closep) struct play *play = mem_new(1, sizeof *play);
    play->secrets =
        json_is(options->secrets, JSON_OBJECT) ? json_ref(options->secrets) : json_object_new(0);
    play->secret_source              = (struct secret_source){get_secret, play};
    const struct stage_options stage = {
        .partitions = 1, .seed = 1, .now_us = options->now_us, .secrets = &play->secret_source};
    TRY(stage_open(&stage, &play->stage, reterr));
    *ret_play = TAKE(play);
    return STATUS_OK;
}

void play_close(struct play *play)
{
    if (!play) return;
    stage_close(play->stage);
    workflow_unref(play->workflow);
    json_unref(play->secrets);
    free(play);
}

void play_closep(struct play **play)
{
    play_close(*play);
    *play = NULL;
}

status play_put(struct play *play, const struct workflow *workflow, struct error *reterr)
{
    return stage_put(play->stage, workflow, reterr);
}

status play_put_assistant(struct play *play, const char *namespace, const char *name,
                          json definition, struct error *reterr)
{
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_PUT_ASSISTANT, 2);
    Pb__PutAssistant *request                         = stage_call_alloc(call, sizeof *request);
    Pb__PutAssistantAnswer *response                  = stage_call_alloc(call, sizeof *response);
    *request                                          = (Pb__PutAssistant)PB__PUT_ASSISTANT__INIT;
    *response               = (Pb__PutAssistantAnswer)PB__PUT_ASSISTANT_ANSWER__INIT;
    request->namespace_     = namespace;
    request->name           = name;
    request->by             = "test";
    call->command.request   = request;
    call->command.response  = response;
    call->command.namespace = str_from(namespace);
    json own                = json_ref(definition);
    json labels             = json_get_text(definition, "labels");
    call->command.values[1] = json_is(labels, JSON_INVALID) ? json_object_new(0) : json_ref(labels);
    (void)json_object_remove(&own, str_from("labels"));
    call->command.values[0] = own;
    return stage_ask(play->stage, 0, call, reterr);
}

/* --- the run ------------------------------------------------------------------------------------
 */

static status check_input(const struct workflow *workflow, json input, struct error *reterr)
{
    if (!workflow->input_schema) return STATUS_OK;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json nothing        = json_object_new(0);
    struct error why                         = {};
    json checked                             = json_is(input, JSON_INVALID) ? nothing : input;
    if (schema_check(workflow->input_schema, checked, arena, NULL, &why) == STATUS_OK) {
        return STATUS_OK;
    }
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid", "the input: %s", why.text);
}

static void on_started(struct stage_call *call)
{
    struct play *play              = call->context;
    const Pb__StartedRun *response = call->command.response;
    if (call->command.code != STATUS_OK) return;
    memcpy(play->run.text, response->run->id, ID_LEN);
}

status play_start(struct play *play, const struct workflow *workflow, json input,
                  struct error *reterr)
{
    ASSERT(!play->workflow);
    TRY(check_input(workflow, input, reterr));
    play->workflow                                    = workflow_ref(workflow);
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_START, 1);
    Pb__StartRun *request                             = stage_call_alloc(call, sizeof *request);
    Pb__StartedRun *response                          = stage_call_alloc(call, sizeof *response);
    *request                                          = (Pb__StartRun)PB__START_RUN__INIT;
    *response                                         = (Pb__StartedRun)PB__STARTED_RUN__INIT;
    request->created_by                               = "test";
    call->command.request                             = request;
    call->command.response                            = response;
    call->command.workflow                            = workflow_ref(workflow);
    call->command.values[0] = json_is(input, JSON_INVALID) ? json_invalid() : json_ref(input);
    call->context           = play;
    call->done              = on_started;
    return stage_ask(play->stage, 0, call, reterr);
}

status play_signal(struct play *play, const char *name, json data, struct error *reterr)
{
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_SIGNAL, 1);
    Pb__SignalRun *request                            = stage_call_alloc(call, sizeof *request);
    Pb__SignalledRun *response                        = stage_call_alloc(call, sizeof *response);
    *request                                          = (Pb__SignalRun)PB__SIGNAL_RUN__INIT;
    *response                                         = (Pb__SignalledRun)PB__SIGNALLED_RUN__INIT;
    request->name                                     = name;
    call->command.request                             = request;
    call->command.response                            = response;
    call->command.run                                 = play->run;
    call->command.values[0] = json_is(data, JSON_INVALID) ? json_invalid() : json_ref(data);
    return stage_ask(play->stage, 0, call, reterr);
}

static void put_missing(json *event, const char *name, const char *text)
{
    if (!json_is(json_get_text(*event, name), JSON_INVALID)) return;
    json_object_put_text(event, name, json_text_from(text));
}

status play_publish(struct play *play, json event, struct error *reterr)
{
    if (!json_is(json_get_text(event, "type"), JSON_TEXT)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "an event has a `type`");
    }
    char id[32];
    (void)snprintf(id, sizeof id, "test-%u", ++play->events);
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_PUBLISH, 1);
    Pb__PublishEvents *request                        = stage_call_alloc(call, sizeof *request);
    Pb__PublishedEvents *response                     = stage_call_alloc(call, sizeof *response);
    *request                                          = (Pb__PublishEvents)PB__PUBLISH_EVENTS__INIT;
    *response  = (Pb__PublishedEvents)PB__PUBLISHED_EVENTS__INIT;
    json whole = json_ref(event);
    put_missing(&whole, "specversion", "1.0");
    put_missing(&whole, "id", id);
    put_missing(&whole, "source", "/test");
    call->command.request   = request;
    call->command.response  = response;
    call->command.namespace = str_from(play->workflow->namespace_);
    call->command.values[0] = whole;
    return stage_ask(play->stage, 0, call, reterr);
}

/* What a command to the run asks, with a reason where it has one. Lives as long as the call. */
static const void *control_request(struct stage_call *call, enum command_kind kind)
{
    static const char reason[] = "asked by the test";
    Pb__CancelRun *cancel      = stage_call_alloc(call, sizeof *cancel);
    Pb__StopRun *stop          = stage_call_alloc(call, sizeof *stop);
    Pb__RetryRun *retry        = stage_call_alloc(call, sizeof *retry);
    Pb__FailRun *fail_run      = stage_call_alloc(call, sizeof *fail_run);
    *cancel                    = (Pb__CancelRun)PB__CANCEL_RUN__INIT;
    *stop                      = (Pb__StopRun)PB__STOP_RUN__INIT;
    *retry                     = (Pb__RetryRun)PB__RETRY_RUN__INIT;
    *fail_run                  = (Pb__FailRun)PB__FAIL_RUN__INIT;
    cancel->reason = stop->reason = reason;
    switch (kind) {
    case COMMAND_CANCEL: return cancel;
    case COMMAND_RETRY: return retry;
    case COMMAND_FAIL_RUN: return fail_run;
    default: return stop;
    }
}

status play_control(struct play *play, const char *verb, struct error *reterr)
{
    static const struct {
        const char *verb;
        enum command_kind kind;
    } verbs[] = {{"cancel", COMMAND_CANCEL}, {"terminate", COMMAND_TERMINATE},
                 {"pause", COMMAND_SUSPEND}, {"retry", COMMAND_RETRY},
                 {"fail", COMMAND_FAIL_RUN}, {"resume", COMMAND_RESUME}};
    size_t at = 0;
    while (at < ARRAY_LEN(verbs) && strcmp(verbs[at].verb, verb) != 0) at++;
    if (at == ARRAY_LEN(verbs)) return fail(reterr, STATUS_INVALID_ARGUMENT, "`%s`", verb);
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(verbs[at].kind, 0);
    Pb__RunView *response                             = stage_call_alloc(call, sizeof *response);
    *response                                         = (Pb__RunView)PB__RUN_VIEW__INIT;
    call->command.request                             = control_request(call, verbs[at].kind);
    call->command.response                            = response;
    call->command.run                                 = play->run;
    return stage_ask(play->stage, 0, call, reterr);
}

/* --- time ---------------------------------------------------------------------------------------
 */

int64_t play_now_us(const struct play *play)
{
    return stage_now_us(play->stage);
}

int64_t play_wait_us(const struct play *play)
{
    return stage_wait_us(play->stage);
}

status play_pass(struct play *play, int64_t us, struct error *reterr)
{
    stage_pass(play->stage, us);
    return stage_settle(play->stage, reterr);
}

/* --- looking ------------------------------------------------------------------------------------
 */

static const char *state_name(enum run_status state)
{
    switch (state) {
    case RUN_DRAFT: return "draft";
    case RUN_PENDING: return "pending";
    case RUN_RUNNING: return "running";
    case RUN_WAITING: return "waiting";
    case RUN_COMPLETED: return "completed";
    case RUN_FAULTED: return "faulted";
    case RUN_CANCELLED: return "cancelled";
    case RUN_TERMINATED: return "terminated";
    case RUN_SUSPENDED: return "suspended";
    }
    return "unknown";
}

static json waiting_new(const struct run *run)
{
    struct run_wait waits[RUN_WAITS_SHOWN_MAX];
    size_t count = run_waits(run, waits, ARRAY_LEN(waits));
    json list    = json_array_new(count);
    for (size_t i = 0; i < count; i++) {
        CLEANUP(buf_done) struct buf reference = buf_init(1 << 16);
        run_wait_put(run, &waits[i], &reference);
        json_array_push(&list, json_text_lossy(buf_str(&reference)));
    }
    return list;
}

static void fill_view(const struct play *play, const struct run *run, const Pb__RunView *row,
                      struct play_view *view)
{
    enum run_status state = run_status(run);
    json output           = run_output(run);
    json problem          = run_error(run);
    *view                 = (struct play_view){
                        .state    = state_name(state),
                        .is_final = run_status_is_final(state),
                        .output   = json_is(output, JSON_INVALID) ? output : json_ref(output),
                        .error    = json_is(problem, JSON_INVALID) ? problem : json_ref(problem),
                        .labels   = json_object_new(row->n_labels),
                        .waiting  = waiting_new(run),
    };
    for (size_t i = 0; i < row->n_labels; i++) {
        json_object_put_text(&view->labels, row->labels[i]->key,
                             json_text_from(row->labels[i]->value));
    }
    int64_t ended_us = view->is_final ? run_ended_us(run) : play_now_us(play);
    view->took_us    = ended_us - run_started_us(run);
}

status play_view(struct play *play, struct play_view *ret_view, struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(txn_abortp) struct txn *txn      = NULL;
    CLEANUP(run_freep) struct run *run       = NULL;
    Pb__RunView *row                         = NULL;
    Pb__RunHead *head                        = NULL;
    str id                                   = str_from(play->run.text);
    TRY(txn_begin_read(stage_store(play->stage, 0), &txn, reterr));
    TRY(run_rows_get(txn, id, arena, &row, &head, reterr));
    TRY(run_load(txn, stage_definitions(play->stage), id, head,
                 (bytes){row->digest.data, row->digest.len}, false, NULL, &run, reterr));
    fill_view(play, run, row, ret_view);
    return STATUS_OK;
}

void play_view_done(struct play_view *view)
{
    json_unref(view->output);
    json_unref(view->error);
    json_unref(view->labels);
    json_unref(view->waiting);
}
