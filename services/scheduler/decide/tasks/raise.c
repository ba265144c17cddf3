/* raise: faults with an error of the workflow's own making (RFC 7807). */
#include "scheduler/decide/tasks/tasks.h"
#include "json/json_text.h"

static status member_put(struct scene *scene, json *error, const char *name,
                         const struct template *template, json *ret_error)
{
    if (!template) return STATUS_OK;
    json value = json_invalid();
    TRY(scene_eval(scene, template, scene->input, &value, ret_error));
    json_object_put_text(error, name, value);
    return STATUS_OK;
}

/* `title` and `detail` are for people: what is computed for them is shown, null is nothing. */
static status words_put(struct scene *scene, json *error, const char *name,
                        const struct template *template, json *ret_error)
{
    if (!template) return STATUS_OK;
    CLEANUP(json_unrefp) json value = json_invalid();
    TRY(scene_eval(scene, template, scene->input, &value, ret_error));
    if (json_is(value, JSON_NULL)) return STATUS_OK;
    if (!json_is(value, JSON_TEXT)) json_replace(&value, json_to_text_new(value));
    json_object_put_text(error, name, json_take(&value));
    return STATUS_OK;
}

/* Of what is computed only now. */
static status check(struct scene *scene, json error, json *ret_error)
{
    enum { STATUS_MAX = 999 };
    json type     = json_get_text(error, "type");
    json instance = json_get_text(error, "instance");
    json number   = json_get_text(error, "status");
    int64_t code  = 0;
    if (!json_is(type, JSON_TEXT) || json_str(type).len == 0) {
        return scene_fail(scene, ERROR_EXPRESSION, "`type` of an error is a URI", ret_error);
    }
    if (!json_is_number(number) || !json_to_int(number, &code) || code < 1 || code > STATUS_MAX) {
        return scene_fail(scene, ERROR_EXPRESSION, "`status` of an error is a number, 1 to 999",
                          ret_error);
    }
    if (instance.kind != JSON_INVALID && !json_is(instance, JSON_TEXT)) {
        return scene_fail(scene, ERROR_EXPRESSION, "`instance` of an error is a JSON pointer",
                          ret_error);
    }
    return STATUS_OK;
}

static status raised(struct scene *scene, json *error, json *ret_error)
{
    const struct error_template *raise = &scene->task->raise;
    TRY(member_put(scene, error, "type", raise->type, ret_error));
    TRY(member_put(scene, error, "status", raise->status, ret_error));
    TRY(words_put(scene, error, "title", raise->title, ret_error));
    TRY(words_put(scene, error, "detail", raise->detail, ret_error));
    TRY(member_put(scene, error, "instance", raise->instance, ret_error));
    return check(scene, *error, ret_error);
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
