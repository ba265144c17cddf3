/*
 * call: queues a job and waits for its answer, or does itself what needs no worker. If a try around
 * it is entered again and a job with this key has completed before, that answer is used and nothing
 * is queued (E7). A call with `cache` asks for the answer of others first (E16).
 */
#include "scheduler/decide/call_assistant.h"
#include "scheduler/decide/call_cache.h"
#include "scheduler/decide/job_arguments.h"
#include "scheduler/decide/job_policy.h"
#include "scheduler/decide/tasks/tasks.h"
#include "scheduler/run/job_key.h"
#include "workflow/function_catalog.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

static bool is_key(json value)
{
    size_t length = json_is(value, JSON_TEXT) ? json_str(value).len : 0;
    return length > 0 && length <= JOB_KEY_OWN_MAX;
}

/* null would be the same key for every run that lacks what the key is made of. */
static bool is_key_or_keys(json value)
{
    if (!json_is(value, JSON_ARRAY)) return is_key(value);
    size_t count = json_count(value);
    bool is_fine = count > 0 && count <= JOB_KEY_ITEMS_MAX;
    for (size_t i = 0; is_fine && i < count; i++) is_fine = is_key(json_at(value, i));
    return is_fine;
}

/* The key that the workflow names, a text, or a list of them, one for each item of what is sent;
 * JSON_INVALID: none. Owned. */
static status own_key(struct scene *scene, json *ret_key, json *ret_error)
{
    const struct template *template = scene->task->idempotency_key;
    if (!template) return STATUS_OK;
    CLEANUP(json_unrefp) json key = json_invalid();
    TRY(scene_eval(scene, template, scene->input, &key, ret_error));
    if (!is_key_or_keys(key)) {
        return scene_fail(scene, ERROR_VALIDATION,
                          "idempotencyKey: a text of 1 to 512 bytes, or 1 to 1024 of them",
                          ret_error);
    }
    *ret_key = json_take(&key);
    return STATUS_OK;
}

/* With which others a job is limited. */
static status limit_key(struct scene *scene, struct event *job, json *ret_error)
{
    enum { KEY_MAX = 100 /* bytes */ };
    const struct limit_rule *own = scene->task->call.limit;
    const struct limit_rule *all = run_workflow(scene->run)->limit;
    job->limit                   = own ? own : all;
    if (!job->limit || !job->limit->key) return STATUS_OK;
    CLEANUP(json_unrefp) json key = json_invalid();
    TRY(scene_eval(scene, job->limit->key, scene->input, &key, ret_error));
    if (!json_is(key, JSON_TEXT)) json_replace(&key, json_to_text_new(key));
    str text     = json_str(key);
    bool is_fine = text.len > 0 && text.len <= KEY_MAX;
    for (size_t i = 0; is_fine && i < text.len; i++) is_fine = (unsigned char)text.ptr[i] >= ' ';
    if (!is_fine) {
        return scene_fail(scene, ERROR_VALIDATION,
                          "limit.key: needs 1 to 100 bytes without control characters", ret_error);
    }
    job->limit_key = json_take(&key);
    return STATUS_OK;
}

/* What a job is, but for its key and its arguments. */
static status job_describe(struct scene *scene, struct event *job, json *ret_error)
{
    const struct task *task        = scene->task;
    const struct job_policy policy = job_policy_of(scene->env, task, task->is_compensation);
    bool has_priority              = task->priority != PRIORITY_INHERIT;
    TRY(job_attempt_timeout(scene, &policy, &job->attempt_timeout_us, ret_error));
    TRY(limit_key(scene, job, ret_error));
    job->attempt      = 1;
    job->attempts_max = job_attempts_max(&policy);
    job->priority     = has_priority ? task->priority : scene->run->priority;
    job->function     = task->call.function;
    job->queue        = task->call.queue;
    if (task->call.description) job->function_version = task->call.description->version;
    return STATUS_OK;
}

/* The job's event but for its key, which the caller has. */
static status job_prepare(struct scene *scene, json patch, struct event *job, json *ret_error)
{
    const struct task *task = scene->task;
    TRY(job_describe(scene, job, ret_error));
    /* What a turn asks follows from the conversation, whenever it is leased. */
    if (!task->call.is_turn) TRY(job_arguments_stored(scene, &job->value, ret_error));
    if (patch.kind != JSON_INVALID) {
        json_replace(&job->value, json_merge_patch_new(job->value, patch));
        TRY(scene_check(scene, task->call.input_schema, job->value, "with", ret_error));
    }
    return STATUS_OK;
}

/* Whoever asks the cache pays only if it has to call. */
static status check_budget(const struct scene *scene, json *ret_error)
{
    if (scene->task->is_compensation) return STATUS_OK;
    return job_check_budget(scene->run, scene->task, ret_error);
}

static status attempt(struct scene *scene, struct activation *activation, json patch,
                      struct event *ret_job, json *ret_remembered, json *ret_error)
{
    CLEANUP(json_unrefp) json own = json_invalid();
    TRY(own_key(scene, &own, ret_error));
    CLEANUP(json_unrefp) json key = job_key_new(scene->run, activation, own);
    json remembered               = remembered_output(scene->run, activation, key);
    if (remembered.kind != JSON_INVALID) {
        *ret_remembered = json_ref(remembered);
        ret_job->key    = json_take(&key);
        return STATUS_OK;
    }
    if (!call_cache_is_asked(scene)) TRY(check_budget(scene, ret_error));
    TRY(job_prepare(scene, patch, ret_job, ret_error));
    ret_job->key       = json_take(&key);
    ret_job->iteration = iteration_new(scene->run, run_scope(scene->run, activation->scope));
    ret_job->reference = reference_new(scene->run, activation);
    return STATUS_OK;
}

/* What the engine answers itself. It is journalled as the output of the task. */
static void assistants_begin(struct decision *decision, struct activation *activation)
{
    struct scene scene               = scene_of(decision->run, decision->env, activation);
    CLEANUP(json_unrefp) json with   = json_object_new(0);
    CLEANUP(json_unrefp) json output = json_invalid();
    json error                       = json_invalid();
    status code                      = STATUS_OK;
    if (scene.task->call.with) {
        json_replace(&with, json_invalid());
        code = scene_eval(&scene, scene.task->call.with, scene.input, &with, &error);
    }
    if (code == STATUS_OK) code = assistant_list(&scene, with, &output, &error);
    if (code != STATUS_OK) {
        task_fault(decision, activation, error);
    } else {
        task_complete(decision, activation, output, NULL);
    }
}

/* What an agent calls has no longer than the agent. */
static int64_t deadline_of(const struct run *run, const struct activation *activation)
{
    const struct activation *parent = activation_parent(run, activation);
    bool is_of_agent                = parent && activation_task(run, parent)->kind == TASK_AGENT;
    return is_of_agent ? parent->deadline_us : activation->deadline_us;
}

/* The job, or the question to the cache. Takes the values of `job` unless it fails. */
static status job_emit(struct decision *decision, struct scene *scene,
                       struct activation *activation, struct event *job, bool is_fresh,
                       json *ret_error)
{
    if (call_cache_is_asked(scene)) {
        bool is_refused = is_fresh || job_was_refused(decision->run, activation);
        return call_cache_ask(decision, scene, activation, job, is_refused, ret_error);
    }
    job->id = decide_id(decision->env);
    (void)decide_emit(decision, job);
    return STATUS_OK;
}

static void job_begin(struct decision *decision, struct activation *activation, json patch,
                      bool is_fresh)
{
    struct scene scene = scene_of(decision->run, decision->env, activation);
    struct event event = {
        .kind        = EVENT_JOB_SCHEDULED,
        .activation  = activation->slot,
        .deadline_us = deadline_of(decision->run, activation),
    };
    CLEANUP(json_unrefp) json remembered = json_invalid();
    json error                           = json_invalid();
    status code = attempt(&scene, activation, patch, &event, &remembered, &error);
    if (code == STATUS_OK && remembered.kind != JSON_INVALID) {
        task_complete_under(decision, activation, remembered, event.key);
        event_done(&event);
        return;
    }
    if (code == STATUS_OK) {
        code = job_emit(decision, &scene, activation, &event, is_fresh, &error);
    }
    if (code == STATUS_OK) return;
    event_done(&event);
    task_fault(decision, activation, error);
}

/* Its arguments and its key are those with which it asked. */
static status granted(struct scene *scene, const struct activation *activation,
                      struct event *ret_job, json *ret_error)
{
    TRY(check_budget(scene, ret_error));
    TRY(job_describe(scene, ret_job, ret_error));
    bool has_own_key   = json_is(activation->key, JSON_TEXT);
    ret_job->value     = json_ref(activation->payload);
    ret_job->key       = has_own_key ? json_ref(activation->key)
                                     : job_key_new(scene->run, activation, json_invalid());
    ret_job->iteration = iteration_new(scene->run, run_scope(scene->run, activation->scope));
    ret_job->reference = reference_new(scene->run, activation);
    return STATUS_OK;
}

void call_begin_granted(struct decision *decision, struct activation *activation)
{
    struct scene scene = scene_of(decision->run, decision->env, activation);
    struct event event = {
        .kind        = EVENT_JOB_SCHEDULED,
        .activation  = activation->slot,
        .id          = activation->id,
        .deadline_us = deadline_of(decision->run, activation),
    };
    json error = json_invalid();
    if (granted(&scene, activation, &event, &error) == STATUS_OK) {
        (void)decide_emit(decision, &event);
        return;
    }
    event_done(&event);
    task_fault(decision, activation, error);
}

static void begin(struct decision *decision, struct activation *activation)
{
    switch (activation_task(decision->run, activation)->call.by) {
    case CALL_JOB: job_begin(decision, activation, json_invalid(), false); break;
    case CALL_COMPENSATE: compensate_begin(decision, activation); break;
    case CALL_VARIANT: variant_begin(decision, activation); break;
    case CALL_ASSISTANTS: assistants_begin(decision, activation); break;
    }
}

void call_begin_again(struct decision *decision, struct activation *activation, json patch,
                      bool is_fresh)
{
    job_begin(decision, activation, patch, is_fresh);
}

const struct task_behaviour call_behaviour = {.begin = begin};
