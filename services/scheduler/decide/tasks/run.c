/*
 * run: a child run. The task waits for its end (or, with `await: false`, for its start, so that a
 * child that cannot be started is the task's fault). The child's id is made here, so it is known,
 * and can be cancelled, before the child exists.
 */
#include "scheduler/decide/agent_child.h"
#include "scheduler/decide/child.h"
#include "scheduler/decide/job_policy.h"
#include "scheduler/decide/tasks/tasks.h"
#include "scheduler/run/job_key.h"

#include <stdio.h>

struct wish {
    json namespace, name, version, input; /* owned */
};

static void wish_done(struct wish *wish)
{
    json_unref(wish->namespace);
    json_unref(wish->name);
    json_unref(wish->version);
    json_unref(wish->input);
}

/* A text that is to be a part of a reference. */
static status text_eval(struct scene *scene, const struct template *template, const char *what,
                        json *ret_text, json *ret_error)
{
    TRY(scene_eval(scene, template, scene->input, ret_text, ret_error));
    str text     = json_is(*ret_text, JSON_TEXT) ? json_str(*ret_text) : (str){};
    bool is_part = text.len > 0 && text.len < sizeof((struct child_place *)0)->version &&
                   !memchr(text.ptr, '/', text.len) && !memchr(text.ptr, ':', text.len) &&
                   !memchr(text.ptr, '\0', text.len);
    if (is_part) return STATUS_OK;
    char detail[96];
    (void)snprintf(detail, sizeof detail, "run.workflow.%s: is no %s of a workflow", what, what);
    return scene_fail(scene, ERROR_CONFIGURATION, detail, ret_error);
}

static status wish_eval(struct scene *scene, struct wish *wish, json *ret_error)
{
    const struct run_body *run = &scene->task->run;
    TRY(text_eval(scene, run->namespace_, "namespace", &wish->namespace, ret_error));
    TRY(text_eval(scene, run->name, "name", &wish->name, ret_error));
    if (run->is_tool) {
        wish->version = agent_pinned_version_new(scene);
    } else {
        TRY(text_eval(scene, run->version, "version", &wish->version, ret_error));
    }
    if (!str_is(json_str(wish->namespace), scene->run->workflow->namespace_)) {
        return scene_fail(scene, ERROR_CONFIGURATION,
                          "run.workflow.namespace: a child run stays in the namespace of its "
                          "parent",
                          ret_error);
    }
    if (run->is_tool) {
        wish->input = json_ref(scene->input);
        return STATUS_OK;
    }
    if (!run->input) {
        wish->input = json_object_new(0);
        return STATUS_OK;
    }
    TRY(scene_eval(scene, run->input, scene->input, &wish->input, ret_error));
    if (json_is(wish->input, JSON_OBJECT)) return STATUS_OK;
    return scene_fail(scene, ERROR_EXPRESSION, "run.workflow.input: yields no map", ret_error);
}

status child_unfound(struct scene *scene, status found, const struct error *why, json *ret_error)
{
    switch (found) {
    case STATUS_INVALID_ARGUMENT: return scene_fail(scene, ERROR_VALIDATION, why->text, ret_error);
    case STATUS_NOT_FOUND: return scene_fail(scene, ERROR_CONFIGURATION, why->text, ret_error);
    default: return scene_fail(scene, ERROR_COMMUNICATION, why->text, ret_error);
    }
}

/* Where it goes, and which version it is from now on. */
static status place_find(struct scene *scene, const struct wish *wish,
                         struct child_place *ret_place, json *ret_error)
{
    const struct child_places *places = scene->env->children;
    str version                       = json_str(wish->version);
    bool is_latest                    = str_is(version, "latest");
    if (!places) {
        ret_place->partition = scene->env->ids->partition;
        memcpy(ret_place->version, version.ptr, version.len);
        ret_place->version[version.len] = '\0';
        return STATUS_OK;
    }
    const struct child_wish asked = {
        .namespace = json_str(wish->namespace),
        .name      = json_str(wish->name),
        .version   = is_latest ? (str){} : version,
        .input     = wish->input,
    };
    struct error why = {};
    status found     = places->find(&asked, ret_place, &why, places->context);
    return found == STATUS_OK ? STATUS_OK : child_unfound(scene, found, &why, ret_error);
}

/* An id of this partition's source that belongs to another one. */
static struct id child_id(const struct decide_env *env, uint16_t partition)
{
    struct id_source *ids = env->ids;
    uint16_t own          = ids->partition;
    ids->partition        = partition;
    struct id id          = decide_id(env);
    ids->partition        = own;
    return id;
}

static status attempt(struct scene *scene, struct event *ret_child, json *ret_error)
{
    if (scene->run->depth + 1 >= CHILD_DEPTH_MAX) {
        char detail[96];
        (void)snprintf(detail, sizeof detail,
                       "run.workflow: child runs are nested %d deep, which is the limit",
                       CHILD_DEPTH_MAX);
        return scene_fail(scene, ERROR_RUNTIME, detail, ret_error);
    }
    bool is_bounded = !scene->task->is_compensation && !scene->task->run.is_detached;
    if (is_bounded) {
        TRY(job_check_budget(scene->run, scene->task, ret_error));
        job_budget_left(scene->run, &ret_child->budget_usd_nanos, &ret_child->budget_tokens);
    }
    CLEANUP(wish_done) struct wish wish = {};
    struct child_place place            = {};
    TRY(wish_eval(scene, &wish, ret_error));
    TRY(place_find(scene, &wish, &place, ret_error));
    char reference[CHILD_REFERENCE_MAX];
    int length =
        snprintf(reference, sizeof reference, STR_FMT "/" STR_FMT ":%s",
                 STR_ARG(json_str(wish.namespace)), STR_ARG(json_str(wish.name)), place.version);
    if (length < 0 || (size_t)length >= sizeof reference) {
        return scene_fail(scene, ERROR_CONFIGURATION, "run.workflow: the name is too long",
                          ret_error);
    }
    ret_child->key   = json_text_new((str){reference, (size_t)length});
    ret_child->value = json_take(&wish.input);
    ret_child->id    = child_id(scene->env, place.partition);
    return STATUS_OK;
}

static void begin(struct decision *decision, struct activation *activation)
{
    struct scene scene = scene_of(decision->run, decision->env, activation);
    struct event event = {
        .kind       = EVENT_CHILD_SCHEDULED,
        .activation = activation->slot,
        .is_kept    = !scene.task->run.is_detached,
    };
    json error = json_invalid();
    if (attempt(&scene, &event, &error) != STATUS_OK) {
        event_done(&event);
        json place = reference_new(decision->run, activation);
        if (place.kind != JSON_INVALID) json_object_put_text(&error, "instance", place);
        task_fault(decision, activation, error);
        return;
    }
    (void)decide_emit(decision, &event);
}

const struct task_behaviour run_behaviour = {.begin = begin};
