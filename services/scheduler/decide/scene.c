#include "scheduler/decide/scene.h"

#include "base/assert.h"
#include "base/clock.h"
#include "scheduler/decide/scene_secrets.h"
#include "scheduler/run/undo.h"
#include "schema/schema.h"
#include "workflow/duration.h"

#include "json/json_pointer.h"
#include <stdio.h>

enum { US_PER_SECOND = 1'000'000, US_PER_MS = 1'000 };

struct scene scene_of_run(const struct run *run, const struct decide_env *env)
{
    return (struct scene){
        .run        = run,
        .env        = env,
        .place      = {.scope = SLOT_NONE, .owner = SLOT_NONE, .kind = SCOPE_NONE},
        .started_us = run->started_us,
    };
}

struct scene scene_of_task(const struct run *run, const struct decide_env *env,
                           const struct place *place, const struct task *task, json raw_input)
{
    return (struct scene){
        .run        = run,
        .env        = env,
        .place      = *place,
        .task       = task,
        .raw_input  = raw_input,
        .input      = raw_input,
        .started_us = env->now_us,
    };
}

struct scene scene_of(const struct run *run, const struct decide_env *env,
                      const struct activation *activation)
{
    return (struct scene){
        .run        = run,
        .env        = env,
        .place      = place_of(run_scope(run, activation->scope)),
        .task       = activation_task(run, activation),
        .raw_input  = activation->raw_input,
        .input      = activation->input,
        .error      = activation->error,
        .started_us = activation->started_us,
    };
}

void scene_done(struct scene *scene)
{
    for (uint32_t i = 0; i < VARIABLE_STANDARD_COUNT; i++) {
        json_unref(scene->made[i]);
        scene->made[i] = json_invalid();
    }
}

/* --- variables -----------------------------------------------------------------------------------
 */

static json time_new(int64_t time_us)
{
    char text[TIME_TEXT_SIZE];
    time_format(time_us, text);
    json epoch = json_object_new(2);
    json_object_put_text(&epoch, "seconds", json_int(time_us / US_PER_SECOND));
    json_object_put_text(&epoch, "milliseconds", json_int(time_us / US_PER_MS));
    json time = json_object_new(2);
    json_object_put_text(&time, "iso8601", json_text_from(text));
    json_object_put_text(&time, "epoch", epoch);
    return time;
}

static json workflow_variable_new(const struct run *run)
{
    json value = json_object_new(4);
    json_object_put_text(&value, "id", json_text_from(run->id.text));
    json_object_put_text(&value, "definition", json_ref(run->workflow->document));
    json_object_put_text(&value, "input", json_ref(run->input));
    json_object_put_text(&value, "startedAt", time_new(run->started_us));
    return value;
}

/* What an extension stands around; itself may be an extension. */
static const struct task *extended_task(const struct run *run, const struct task *task)
{
    while (task->kind == TASK_EXTENSION) {
        task = &run->workflow->tasks[task->extension.body.tasks[0]];
    }
    return task;
}

/* The extension whose `before` or `after` an expression stands in; NULL: none. */
static const struct activation *extension_around(const struct scene *scene)
{
    struct place place = scene->place;
    for (;;) {
        const struct activation *owner = run_activation(scene->run, place.owner);
        if (!owner) return NULL;
        if (place.kind == SCOPE_BEFORE || place.kind == SCOPE_AFTER) return owner;
        if (scope_is_closed(scene->run, place.owner, place.kind)) return NULL;
        place = place_of(run_scope(scene->run, owner->scope));
    }
}

/* In the tasks of an extension, `$task` is the task that it extends. */
static json task_variable_new(const struct scene *scene)
{
    json value = json_object_new(6);
    if (!scene->task) return value;
    const struct activation *extension = extension_around(scene);
    const struct task *task            = scene->task;
    json input                         = scene->raw_input;
    json output                        = scene->raw_output;
    int64_t started_us                 = scene->started_us;
    if (extension) {
        task       = activation_task(scene->run, extension);
        input      = extension->raw_input;
        output     = extension->result;
        started_us = extension->started_us;
    }
    task            = extended_task(scene->run, task);
    json definition = task->definition;
    if (output.kind == JSON_INVALID) output = json_null();
    if (definition.kind == JSON_INVALID) definition = json_null();
    json_object_put_text(&value, "name", json_text_from(task->name));
    json_object_put_text(&value, "reference", json_text_from(task->reference));
    json_object_put_text(&value, "definition", json_ref(definition));
    json_object_put_text(&value, "input", json_ref(input));
    json_object_put_text(&value, "output", json_ref(output));
    json_object_put_text(&value, "startedAt", time_new(started_us));
    return value;
}

static json runtime_variable_new(void)
{
    json value = json_object_new(3);
    json_object_put_text(&value, "name", json_text_from("tutti"));
    json_object_put_text(&value, "version", json_text_from(TUTTI_VERSION));
    json_object_put_text(&value, "metadata", json_object_new(0));
    return value;
}

/* What the lists within a task have: for its own output.as and export.as. */
static json steps_within(const struct run *run, const struct activation *activation)
{
    json steps = json_invalid();
    for (uint32_t slot = activation->first_scope; slot != SLOT_NONE;) {
        const struct scope *scope = run_scope(run, slot);
        steps                     = steps_overlay(steps, json_ref(scope->steps));
        slot                      = scope->next;
    }
    return steps;
}

static json steps_new(const struct scene *scene)
{
    const struct run *run = scene->run;
    json steps            = scene->body_of ? steps_within(run, scene->body_of) : json_invalid();

    struct place place = scene->place;
    if (!scene->task) place.scope = ROOT_SLOT; /* the workflow's output.as */
    for (;;) {
        const struct scope *scope      = run_scope(run, place.scope);
        const struct activation *owner = run_activation(run, place.owner);
        if (scope) steps = steps_overlay(json_ref(scope->steps), steps);
        if (place.kind == SCOPE_COMPENSATION) { /* as they were: it saw nothing that came later */
            if (!scope) steps = steps_overlay(json_ref(undo_find(run, owner->undo)->steps), steps);
            break;
        }
        if (!owner || scope_is_closed(run, place.owner, place.kind)) break;
        place = place_of(run_scope(run, owner->scope));
    }
    return steps.kind == JSON_INVALID ? json_object_new(0) : steps;
}

/* $item, $index, $error: of the enclosing task that declares them. */
static json declared_variable(const struct scene *scene, const struct scope_variable *declared)
{
    bool is_own = scene->task && scene->task->index == declared->task;
    if (scene->task && scene->task->parent == declared->task && declared->task != TASK_NONE) {
        /* The tasks of an agent go by the agent's policy. */
        is_own = scene->run->workflow->tasks[declared->task].kind == TASK_AGENT;
    }
    if (is_own) {
        switch (declared->kind) {
        case SCOPE_ITEM: return scene->item;
        case SCOPE_INDEX: return json_int(scene->index);
        case SCOPE_ERROR: return scene->error;
        }
    }

    struct place place = scene->place;
    for (;;) {
        const struct activation *owner = run_activation(scene->run, place.owner);
        if (!owner) return json_invalid();
        if (owner->task == declared->task) {
            switch (declared->kind) {
            case SCOPE_ITEM: {
                bool is_loop = activation_task(scene->run, owner)->kind == TASK_FOR;
                return json_at(is_loop ? owner->items : owner->events, place.index);
            }
            case SCOPE_INDEX: return json_int(place.index);
            case SCOPE_ERROR: return owner->error;
            }
        }
        place = place_of(run_scope(scene->run, owner->scope));
    }
}

static json context_of(const struct scene *scene)
{
    if (scene->context.kind != JSON_INVALID) return scene->context;
    const struct scope *scope = run_scope(scene->run, scene->place.scope);
    if (!scope) {
        const struct activation *owner = run_activation(scene->run, scene->place.owner);
        if (scene->place.kind == SCOPE_COMPENSATION) {
            return undo_find(scene->run, owner->undo)->context;
        }
        scope = owner ? run_scope(scene->run, owner->scope) : NULL;
    }
    return scope_context(scene->run, scope);
}

/* What the task undoes that the expression stands in; NULL: nothing. */
static const struct undo *entry_of(const struct scene *scene)
{
    if (!scene->task || !scene->task->is_compensation) return NULL;
    return undo_find(scene->run, undoing_around(scene->run, &scene->place)->undo);
}

/* A variable whose value has to be made. Owned. */
static json variable_new(struct scene *scene, enum variable variable)
{
    switch (variable) {
    case VARIABLE_SECRETS: return scene_secrets_new(scene);
    case VARIABLE_TASK: return task_variable_new(scene);
    case VARIABLE_WORKFLOW: return workflow_variable_new(scene->run);
    case VARIABLE_RUNTIME: return runtime_variable_new();
    case VARIABLE_AUTHORIZATION: return scene_authorization_new(scene);
    case VARIABLE_STEPS: return steps_new(scene);
    case VARIABLE_CONTEXT:
    case VARIABLE_INPUT:
    case VARIABLE_OUTPUT:
    case VARIABLE_STANDARD_COUNT: break;
    }
    return json_invalid();
}

static json variable_get(enum variable variable, const struct scope_variable *declared,
                         void *context)
{
    struct scene *scene = context;
    if (declared) return declared_variable(scene, declared);
    const struct undo *entry = entry_of(scene);
    bool has_output          = scene->output.kind != JSON_INVALID; /* in `export.as` */
    if (variable == VARIABLE_CONTEXT) return context_of(scene);
    if (variable == VARIABLE_INPUT) return entry ? entry->input : scene->input;
    if (variable == VARIABLE_OUTPUT) return entry && !has_output ? entry->output : scene->output;
    /* Each expression gets the secrets that it names; everything else is the same for all. */
    json *made = &scene->made[variable];
    if (variable == VARIABLE_SECRETS) json_replace(made, json_invalid());
    if (made->kind == JSON_INVALID) *made = variable_new(scene, variable);
    return *made;
}

/* --- evaluating ----------------------------------------------------------------------------------
 */

static void expression_begins(const struct expression *expression, void *context)
{
    struct scene *scene  = context;
    scene->secrets_named = expression->secrets_used;
}

static struct variables variables_of(struct scene *scene, bool reveals)
{
    scene->secrets_missing = 0;
    scene->is_revealing    = reveals;
    return (struct variables){
        .begin         = expression_begins,
        .get           = variable_get,
        .context       = scene,
        .masks_secrets = !reveals,
        .now_us        = scene->env->now_us,
        .limits        = scene->env->limits.expressions,
    };
}

static str instance_of(const struct scene *scene)
{
    return str_from(scene->task ? scene->task->reference : "/");
}

status scene_fail(const struct scene *scene, enum error_kind kind, const char *detail,
                  json *ret_error)
{
    *ret_error = error_new(kind, 0, str_from(detail), instance_of(scene));
    return STATUS_INVALID_ARGUMENT;
}

/* What every evaluation ends with: releases what was made for it and judges the outcome. */
static status evaluated(struct scene *scene, status code, const struct error *error,
                        json *ret_error)
{
    scene_done(scene);
    if (scene->secrets_missing) return scene_fail_secrets(scene, ret_error);
    if (code == STATUS_OK) return STATUS_OK;
    return scene_fail(scene, ERROR_EXPRESSION, error->text, ret_error);
}

status scene_eval(struct scene *scene, const struct template *template, json input, json *ret_value,
                  json *ret_error)
{
    struct error error               = {};
    CLEANUP(json_unrefp) json value  = json_invalid();
    const struct variables variables = variables_of(scene, scene->sends);
    TRY(evaluated(scene, template_eval(template, input, &variables, &value, &error), &error,
                  ret_error));
    *ret_value = json_take(&value);
    return STATUS_OK;
}

status scene_eval_expression(struct scene *scene, const struct expression *expression, json input,
                             json *ret_value, json *ret_error)
{
    struct error error               = {};
    CLEANUP(json_unrefp) json value  = json_invalid();
    const struct variables variables = variables_of(scene, scene->sends);
    TRY(evaluated(scene, expression_eval(expression, input, &variables, &value, &error), &error,
                  ret_error));
    *ret_value = json_take(&value);
    return STATUS_OK;
}

status scene_test(struct scene *scene, const struct expression *expression, json input,
                  bool *ret_truth, json *ret_error)
{
    struct error error               = {};
    const struct variables variables = variables_of(scene, true);
    return evaluated(scene, expression_test(expression, input, &variables, ret_truth, &error),
                     &error, ret_error);
}

status scene_duration(struct scene *scene, const struct duration *duration, int64_t *ret_us,
                      json *ret_error)
{
    if (!duration->computed) {
        *ret_us = duration->us;
        return STATUS_OK;
    }
    struct error error              = {};
    CLEANUP(json_unrefp) json value = json_invalid();
    TRY(scene_eval(scene, duration->computed, scene->input, &value, ret_error));
    if (duration_read(value, ret_us, &error) == STATUS_OK) return STATUS_OK;
    return scene_fail(scene, ERROR_EXPRESSION, error.text, ret_error);
}

status scene_check(struct scene *scene, const struct schema *schema, json value, const char *what,
                   json *ret_error)
{
    if (!schema) return STATUS_OK;
    struct error error = {};
    arena_clear(scene->env->scratch);
    if (schema_check(schema, value, scene->env->scratch, NULL, &error) == STATUS_OK) {
        return STATUS_OK;
    }
    char detail[ERROR_TEXT_MAX + 32];
    (void)snprintf(detail, sizeof detail, "%s: %s", what, error.text);
    return scene_fail(scene, ERROR_VALIDATION, detail, ret_error);
}
