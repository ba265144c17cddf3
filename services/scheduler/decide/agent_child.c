#include "scheduler/decide/agent_child.h"

#include "scheduler/decide/tasks/tasks.h"

void child_description_done(struct child_description *description)
{
    json_unref(description->schema);
    json_unref(description->summary);
    *description = (struct child_description){};
}

status agent_child_describe(struct scene *scene, const struct agent_tool *tool,
                            struct child_description *ret_description, json *ret_error)
{
    const struct task *task           = &scene->run->workflow->tasks[tool->task];
    const struct child_places *places = scene->env->children;
    CLEANUP(json_unrefp) json name    = json_invalid();
    CLEANUP(json_unrefp) json version = json_invalid();
    struct error why                  = {};
    *ret_description                  = (struct child_description){};
    if (task->kind != TASK_RUN) return STATUS_OK;
    TRY(scene_eval(scene, task->run.name, scene->input, &name, ret_error));
    TRY(scene_eval(scene, task->run.version, scene->input, &version, ret_error));
    str wanted                   = json_str(version);
    size_t size                  = sizeof ret_description->version;
    bool is_latest               = str_is(wanted, "latest");
    const struct child_wish wish = {
        .namespace = str_from(scene->run->workflow->namespace_),
        .name      = json_str(name),
        .version   = is_latest ? (str){} : wanted,
    };
    if (wanted.len >= size) {
        return scene_fail(scene, ERROR_CONFIGURATION, "the version of a tool is too long",
                          ret_error);
    }
    if (!places) {
        memcpy(ret_description->version, wanted.ptr, wanted.len);
        return STATUS_OK;
    }
    status found = places->describe(&wish, ret_description, &why, places->context);
    if (found != STATUS_OK) return child_unfound(scene, found, &why, ret_error);
    return STATUS_OK;
}

json agent_pinned_version_new(const struct scene *scene)
{
    const struct activation *agent = run_activation(scene->run, scene->place.owner);
    if (!agent || activation_task(scene->run, agent)->kind != TASK_AGENT) return json_invalid();
    const struct agent_body *body = &activation_task(scene->run, agent)->agent;
    for (uint32_t i = 0; i < body->tool_count; i++) {
        if (body->tools[i].task != scene->task->index) continue;
        return json_ref(json_at(json_get_text(agent->items, "versions"), i));
    }
    return json_invalid();
}
