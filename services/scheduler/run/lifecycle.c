#include "scheduler/run/lifecycle.h"

#include "base/assert.h"
#include "base/clock.h"
#include "scheduler/run/event_match.h"
#include "scheduler/run/job_key.h"
#include "json/json_text.h"
#include "json/json_write.h"

#include <stdio.h>

enum {
    DATA_MAX   = 1 << 20, /* bytes; errors are the longest */
    SOURCE_MAX = 256,
    ID_SIZE    = 96,
};

#define WORKFLOW_EVENT "io.serverlessworkflow.workflow."
#define TASK_EVENT     "io.serverlessworkflow.task."

/* One journal event on its way. */
struct maker {
    const struct run *run;
    const struct event *event;
    lifecycle_fn *visit;
    void *context;
    struct error *reterr;
    const struct task *task; /* NULL: of the run */
    uint32_t slot;           /* of the activation: tells apart what has no sequence of its own */
    char source[SOURCE_MAX];
};

/* --- before the event --------------------------------------------------------------------------
 */

static json correlation_keys(const struct run *run, const struct activation *listener)
{
    const struct listen_body *listen = &activation_task(run, listener)->listen;
    json keys                        = json_object_new(2);
    for (uint32_t i = 0; i < listen->to.filter_count; i++) {
        const struct event_filter *filter = &listen->to.filters[i];
        for (uint32_t j = 0; j < filter->correlation_count; j++) {
            json value = json_at(json_at(listener->items, i), j);
            if (value.kind == JSON_INVALID || json_is(value, JSON_NULL)) continue;
            json_object_put_text(&keys, filter->correlations[j].name, json_ref(value));
        }
    }
    return keys;
}

void lifecycle_note(const struct run *run, struct event *event)
{
    if (event->kind < EVENT_TASK_STARTED || event->iteration.kind != JSON_INVALID) return;
    bool is_start             = event->kind == EVENT_TASK_STARTED;
    const struct scope *scope = NULL;
    char own[16]              = "";
    if (is_start && event->opens != SCOPE_NONE) {
        const struct activation *owner = run_activation(run, event->owner);
        scope                          = owner ? run_scope(run, owner->scope) : NULL;
        if (event->opens == SCOPE_ITERATION) (void)snprintf(own, sizeof own, "%u", event->index);
    } else if (is_start) {
        scope = run_scope(run, event->scope);
    } else {
        const struct activation *activation = run_activation(run, event->activation);
        if (!activation) return;
        scope = run_scope(run, activation->scope);
        if (event->kind == EVENT_TASK_COMPLETED &&
            activation_task(run, activation)->kind == TASK_LISTEN) {
            event->key = correlation_keys(run, activation);
        }
    }
    CLEANUP(buf_done) struct buf text = buf_init(1 << 10);
    if (scope) iteration_put(run, scope, &text);
    if (*own) (void)buf_printf(&text, text.len > 0 ? "/%s" : "%s", own);
    if (text.len > 0) event->iteration = json_text_new(buf_str(&text));
}

/* --- pieces of data ----------------------------------------------------------------------------
 */

static void put_name(const struct maker *maker, struct json_writer *w, const char *member)
{
    char name[2 * WORKFLOW_NAME_MAX + ID_LEN + 8];
    (void)snprintf(name, sizeof name, "%s-%s.%s", maker->run->workflow->name, maker->run->id.text,
                   maker->run->workflow->namespace_);
    json_put_text(w, member, str_from(name));
}

static void put_output(const struct maker *maker, struct json_writer *w)
{
    char uri[256];
    CLEANUP(buf_done) struct buf output = buf_init(LIFECYCLE_OUTPUT_MAX);
    bool is_run                         = maker->task == NULL;
    (void)snprintf(uri, sizeof uri, "/v1/runs/%s/%s", maker->run->id.text,
                   is_run ? "result" : "history");
    json_put_text(w, "outputUri", str_from(uri));
    json value = maker->event->value;
    if (value.kind == JSON_INVALID || !json_print(value, JSON_COMPACT, &output)) return;
    json_member(w, "output");
    json_write_value(w, value);
}

/* What the data have beside their name and time. */
enum with { WITH_NOTHING, WITH_DEFINITION, WITH_ERROR, WITH_OUTPUT, WITH_KEYS, WITH_STATUS };

static void put_definition(const struct maker *maker, struct json_writer *w)
{
    const struct workflow *workflow = maker->run->workflow;
    json_member(w, "definition");
    json_begin_object(w);
    json_put_text(w, "namespace", str_from(workflow->namespace_));
    json_put_text(w, "name", str_from(workflow->name));
    json_put_text(w, "version", str_from(workflow->version));
    json_end_object(w);
}

static void put_with(const struct maker *maker, struct json_writer *w, enum with with,
                     const char *state)
{
    const struct event *event = maker->event;
    switch (with) {
    case WITH_NOTHING: break;
    case WITH_DEFINITION: put_definition(maker, w); break;
    case WITH_OUTPUT: put_output(maker, w); break;
    case WITH_STATUS: json_put_text(w, "status", str_from(state)); break;
    case WITH_ERROR:
        json_member(w, "error");
        json_write_value(w, event->error.kind == JSON_INVALID ? json_null() : event->error);
        break;
    case WITH_KEYS:
        json_member(w, "correlationKeys");
        if (event->key.kind == JSON_OBJECT) {
            json_write_value(w, event->key);
        } else {
            json_begin_object(w);
            json_end_object(w);
        }
        break;
    }
}

/* One CloudEvent. `time_name` NULL: none. `extra` names it where its journal event gives several.
 */
struct recipe {
    const char *type, *time_name;
    enum with with;
    const char *state; /* of a status-changed type */
    const char *extra; /* NULL: it is the event of this sequence */
};

static status send(const struct maker *maker, const struct recipe *recipe, str data)
{
    const struct event *event = maker->event;
    char id[ID_SIZE];
    int len = snprintf(id, sizeof id, "%s/%llu", maker->run->id.text,
                       (unsigned long long)event->sequence);
    if (recipe->extra) {
        (void)snprintf(id + len, sizeof id - (size_t)len, "/%s.%u", recipe->extra, maker->slot);
    }
    const struct lifecycle made = {
        .id      = str_from(id),
        .type    = recipe->type,
        .source  = str_from(maker->source),
        .subject = str_from(maker->run->id.text),
        .time_us = event->time_us,
        .iteration =
            json_is(event->iteration, JSON_TEXT) ? json_str(event->iteration) : (str){.ptr = ""},
        .data = data,
    };
    return maker->visit(&made, maker->reterr, maker->context);
}

static status make(const struct maker *maker, const struct recipe *recipe)
{
    CLEANUP(buf_done) struct buf data = buf_init(DATA_MAX);
    struct json_writer w              = json_writer_init(&data);
    bool is_task = maker->task && strncmp(recipe->type, TASK_EVENT, sizeof TASK_EVENT - 1) == 0;
    json_begin_object(&w);
    put_name(maker, &w, is_task ? "workflow" : "name");
    if (is_task) json_put_text(&w, "task", str_from(maker->task->reference));
    put_with(maker, &w, recipe->with, recipe->state);
    if (recipe->time_name) json_put_time(&w, recipe->time_name, maker->event->time_us);
    json_end_object(&w);
    if (data.is_full) return STATUS_OK; /* an error of a megabyte: the history has it */
    return send(maker, recipe, buf_str(&data));
}

static status make_all(const struct maker *maker, const struct recipe *recipes, size_t count)
{
    for (size_t i = 0; i < count; i++) TRY(make(maker, &recipes[i]));
    return STATUS_OK;
}

/* --- runs --------------------------------------------------------------------------------------
 */

#define WORKFLOW_STATUS(state)                                                                     \
    {                                                                                              \
        WORKFLOW_EVENT "status-changed.v1", "updatedAt", WITH_STATUS, state, "status"              \
    }
#define TASK_STATUS(state)                                                                         \
    {                                                                                              \
        TASK_EVENT "status-changed.v1", "updatedAt", WITH_STATUS, state, "status"                  \
    }

static const struct recipe run_started[] = {
    {WORKFLOW_EVENT "started.v1", "startedAt", WITH_DEFINITION, NULL, NULL},
    WORKFLOW_STATUS("running"),
};
static const struct recipe run_suspended[] = {
    {WORKFLOW_EVENT "suspended.v1", "suspendedAt", WITH_NOTHING, NULL, NULL},
    WORKFLOW_STATUS("suspended"),
};
static const struct recipe run_resumed[] = {
    {WORKFLOW_EVENT "resumed.v1", "resumedAt", WITH_NOTHING, NULL, NULL},
    WORKFLOW_STATUS("running"),
};
static const struct recipe run_cancelled[] = {
    {WORKFLOW_EVENT "cancelled.v1", "cancelledAt", WITH_NOTHING, NULL, NULL},
    WORKFLOW_STATUS("cancelled"),
};
static const struct recipe run_faulted[] = {
    {WORKFLOW_EVENT "faulted.v1", "faultedAt", WITH_ERROR, NULL, NULL},
    WORKFLOW_STATUS("faulted"),
};
static const struct recipe run_completed[] = {
    {WORKFLOW_EVENT "completed.v1", "completedAt", WITH_OUTPUT, NULL, NULL},
    WORKFLOW_STATUS("completed"),
};
static const struct recipe task_suspended[] = {
    {TASK_EVENT "suspended.v1", "suspendedAt", WITH_NOTHING, NULL, "suspended"},
    TASK_STATUS("suspended"),
};
static const struct recipe task_resumed[] = {
    {TASK_EVENT "resumed.v1", "resumedAt", WITH_NOTHING, NULL, "resumed"},
    TASK_STATUS("running"),
};

/* Suspending or resuming a run does so to every task that is open. */
static status each_open(const struct maker *maker, const struct recipe *recipes, size_t count)
{
    for (uint32_t i = 0; i < maker->run->activations.count; i++) {
        const struct activation *activation = run_activation(maker->run, i);
        if (!activation) continue;
        struct maker of_task = *maker;
        of_task.task         = activation_task(maker->run, activation);
        of_task.slot         = i;
        TRY(make_all(&of_task, recipes, count));
    }
    return STATUS_OK;
}

/* --- tasks -------------------------------------------------------------------------------------
 */

static const struct recipe task_started[] = {
    {TASK_EVENT "created.v1", "createdAt", WITH_NOTHING, NULL, "created"},
    {TASK_EVENT "started.v1", "startedAt", WITH_NOTHING, NULL, NULL},
    TASK_STATUS("running"),
};
static const struct recipe task_retried[] = {
    {TASK_EVENT "retried.v1", "retriedAt", WITH_NOTHING, NULL, NULL},
};
static const struct recipe task_cancelled[] = {
    {TASK_EVENT "cancelled.v1", "cancelledAt", WITH_NOTHING, NULL, NULL},
    TASK_STATUS("cancelled"),
};
static const struct recipe task_faulted[] = {
    {TASK_EVENT "faulted.v1", "faultedAt", WITH_ERROR, NULL, NULL},
    TASK_STATUS("faulted"),
};
static const struct recipe task_completed[] = {
    {TASK_EVENT "completed.v1", "completedAt", WITH_OUTPUT, NULL, NULL},
    TASK_STATUS("completed"),
};
static const struct recipe correlation_started   = {WORKFLOW_EVENT "correlation-started.v1",
                                                    "startedAt", WITH_NOTHING, NULL, "correlation"};
static const struct recipe correlation_completed = {WORKFLOW_EVENT "correlation-completed.v1",
                                                    "completedAt", WITH_KEYS, NULL, "correlation"};

/* --- tutti's own -------------------------------------------------------------------------------
 */

/* What the value of an event is in the data of its CloudEvent; NULL: not in it. */
static const char *member_of_value(enum event_kind kind)
{
    switch (kind) {
    case EVENT_APPROVAL_REQUESTED: return "approval";
    case EVENT_APPROVAL_DECIDED: return "decision";
    case EVENT_EMITTED: return "letter";
    default: return NULL;
    }
}

static status make_own(const struct maker *maker, const char *type, const char *extra)
{
    const struct event *event         = maker->event;
    const struct recipe recipe        = {.type = type, .extra = extra};
    CLEANUP(buf_done) struct buf data = buf_init(DATA_MAX);
    struct json_writer w              = json_writer_init(&data);
    json_begin_object(&w);
    json_put_text(&w, "run", str_from(maker->run->id.text));
    json_put_text(&w, "task", str_from(maker->task->reference));
    if (event->id.text[0]) json_put_text(&w, "id", str_from(event->id.text));
    if (event->attempt > 0) json_put_int(&w, "attempts", event->attempt);
    if (event->error.kind != JSON_INVALID) {
        json_member(&w, "error");
        json_write_value(&w, event->error);
    }
    const char *member = member_of_value(event->kind);
    if (member) {
        bool is_emitted = event->kind == EVENT_EMITTED;
        json value      = is_emitted ? json_get_text(event->value, "data") : event->value;
        json_member(&w, member);
        json_write_value(&w, value.kind == JSON_INVALID ? json_null() : value);
    }
    if (event->due_us != 0) json_put_time(&w, "due_at", event->due_us);
    json_end_object(&w);
    return data.is_full ? STATUS_OK : send(maker, &recipe, buf_str(&data));
}

static bool has_text(json object, const char *member, const char *text)
{
    json value = json_get_text(object, member);
    return json_is(value, JSON_TEXT) && str_is(json_str(value), text);
}

/* Of the task that would have spent more; those around it fault with the same error. */
static bool is_over_budget(const struct maker *maker)
{
    bool may_spend = maker->task->kind == TASK_CALL || maker->task->kind == TASK_AGENT;
    return may_spend && has_text(maker->event->error, "type", "https://tutti.dev/errors/budget") &&
           has_text(maker->event->error, "instance", maker->task->reference);
}

static bool is_dead_letter(const struct event *event)
{
    return has_text(event->value, "type", "dev.tutti.deadletter.v1");
}

/* --- all ---------------------------------------------------------------------------------------
 */

static status of_run(const struct maker *maker)
{
    switch (maker->event->kind) {
    case EVENT_RUN_STARTED: return make_all(maker, run_started, ARRAY_LEN(run_started));
    case EVENT_RUN_COMPLETED: return make_all(maker, run_completed, ARRAY_LEN(run_completed));
    case EVENT_RUN_FAULTED: return make_all(maker, run_faulted, ARRAY_LEN(run_faulted));
    case EVENT_RUN_CANCELLED:
    case EVENT_RUN_TERMINATED: return make_all(maker, run_cancelled, ARRAY_LEN(run_cancelled));
    case EVENT_RUN_SUSPENDED:
        TRY(make_all(maker, run_suspended, ARRAY_LEN(run_suspended)));
        return each_open(maker, task_suspended, ARRAY_LEN(task_suspended));
    case EVENT_RUN_RESUMED:
        TRY(make_all(maker, run_resumed, ARRAY_LEN(run_resumed)));
        return each_open(maker, task_resumed, ARRAY_LEN(task_resumed));
    default: return STATUS_OK;
    }
}

static status of_task(const struct maker *maker)
{
    bool is_listen = maker->task->kind == TASK_LISTEN;
    switch (maker->event->kind) {
    case EVENT_TASK_STARTED:
        TRY(make_all(maker, task_started, ARRAY_LEN(task_started)));
        return is_listen ? make(maker, &correlation_started) : STATUS_OK;
    case EVENT_TASK_COMPLETED:
        if (is_listen) TRY(make(maker, &correlation_completed));
        return make_all(maker, task_completed, ARRAY_LEN(task_completed));
    case EVENT_TASK_FAULTED:
        if (is_over_budget(maker)) {
            TRY(make_own(maker, "dev.tutti.budget.exceeded.v1", "budget"));
        }
        return make_all(maker, task_faulted, ARRAY_LEN(task_faulted));
    case EVENT_TASK_CANCELLED: return make_all(maker, task_cancelled, ARRAY_LEN(task_cancelled));
    case EVENT_TASK_RETRIED:
    case EVENT_JOB_RETRIED: return make_all(maker, task_retried, ARRAY_LEN(task_retried));
    case EVENT_JOB_DEAD: return make_own(maker, "dev.tutti.deadletter.v1", NULL);
    case EVENT_EMITTED:
        return is_dead_letter(maker->event) ? make_own(maker, "dev.tutti.deadletter.v1", NULL)
                                            : STATUS_OK;
    case EVENT_APPROVAL_REQUESTED: return make_own(maker, "dev.tutti.approval.requested.v1", NULL);
    case EVENT_APPROVAL_DECIDED: return make_own(maker, "dev.tutti.approval.decided.v1", NULL);
    default: return STATUS_OK;
    }
}

status lifecycle_visit(const struct run *run, const struct event *event, lifecycle_fn *visit,
                       void *context, struct error *reterr)
{
    struct maker maker = {
        .run = run, .event = event, .visit = visit, .context = context, .reterr = reterr};
    (void)snprintf(maker.source, sizeof maker.source, "/%s/%s/%s", run->workflow->namespace_,
                   run->workflow->name, run->workflow->version);
    if (event->task >= run->workflow->task_count) return of_run(&maker);
    maker.task = &run->workflow->tasks[event->task];
    maker.slot = event->activation;
    return of_task(&maker);
}
