/* raise: faults with an error of the workflow's own making (RFC 7807). */
#include "scheduler/decide/tasks/tasks.h"

static status member_put(struct scene *scene, json *error, const char *name,
                         const struct template *template, json *ret_error)
{
    if (!template) return STATUS_OK;
    json value = json_invalid();
    TRY(scene_eval(scene, template, scene->input, &value, ret_error));
    json_object_put_text(error, name, value);
    return STATUS_OK;
}

static status raised(struct scene *scene, json *error, json *ret_error)
{
    const struct error_template *raise = &scene->task->raise;
    TRY(member_put(scene, error, "type", raise->type, ret_error));
    TRY(member_put(scene, error, "status", raise->status, ret_error));
    TRY(member_put(scene, error, "title", raise->title, ret_error));
    TRY(member_put(scene, error, "detail", raise->detail, ret_error));
    return member_put(scene, error, "instance", raise->instance, ret_error);
}

static void begin(struct decision *decision, struct activation *activation)
{
    const struct task *task         = activation_task(decision->run, activation);
    struct scene scene              = scene_of(decision->run, decision->env, activation);
    CLEANUP(json_unrefp) json error = json_object_new(5);
    json wrong                      = json_invalid();
    if (raised(&scene, &error, &wrong) != STATUS_OK) {
        task_fault(decision, activation, wrong);
        return;
    }
    if (!task->raise.instance) {
        json_object_put_text(&error, "instance", json_text_from(task->reference));
    }
    task_fault(decision, activation, json_take(&error));
}

const struct task_behaviour raise_behaviour = {.begin = begin};
