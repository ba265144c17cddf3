#include "scheduler/decide/job_arguments.h"

#include "scheduler/decide/call_assistant.h"
#include "scheduler/decide/scene_secrets.h"

/* The arguments that an agent adds to those of the model, with the secrets that they name: in its
 * plan `***` stands in their place. */
static status fill_fixed(const struct scene *scene, json *value, json *ret_error)
{
    const struct activation *agent  = run_activation(scene->run, scene->place.owner);
    struct scene around             = scene_of(scene->run, scene->env, agent);
    CLEANUP(json_unrefp) json fixed = json_invalid();
    around.sends                    = true;
    TRY(scene_eval(&around, scene->task->call.fixed, around.input, &fixed, ret_error));
    for (size_t i = 0; json_is(fixed, JSON_OBJECT) && i < json_count(fixed); i++) {
        json_object_put_key(value, json_key_value_at(fixed, i), json_ref(json_value_at(fixed, i)));
    }
    return STATUS_OK;
}

static status evaluate(struct scene *scene, json *ret_value, json *ret_error)
{
    const struct call_body *call = &scene->task->call;
    if (call->with) return scene_eval(scene, call->with, scene->input, ret_value, ret_error);
    if (!call->takes_input) {
        *ret_value = json_object_new(0);
        return STATUS_OK;
    }
    CLEANUP(json_unrefp) json value = json_ref(scene->input);
    if (call->fixed && scene->sends) TRY(fill_fixed(scene, &value, ret_error));
    *ret_value = json_take(&value);
    return STATUS_OK;
}

/* OAuth2 and OpenID Connect: the worker fetches the token. */
static bool is_fetched(const struct task *task)
{
    const char *kind = task->call.authentication_kind;
    return kind && (strcmp(kind, "oauth2") == 0 || strcmp(kind, "oidc") == 0);
}

/* Fills in what the sent form has beyond `with`: the token that the worker fetches, and the
 * assistant as the job was pinned to it. */
static void complete(str placeholder, json stored, json *value)
{
    json authentication = json_get_text(*value, "authentication");
    if (placeholder.len > 0 && json_is(authentication, JSON_OBJECT)) {
        json known = json_ref(authentication);
        json_object_put_text(&known, "placeholder", json_text_new(placeholder));
        json_object_put_text(value, "authentication", known);
    }
    json pinned = json_get_text(stored, "assistant");
    if (json_is(pinned, JSON_TEXT) && json_is(*value, JSON_OBJECT)) {
        json_object_put_text(value, "assistant", json_ref(pinned));
    }
}

/* A schema's message may hold what it found. */
static status check(struct scene *scene, json value, json *ret_error)
{
    const struct call_body *call = &scene->task->call;
    json error                   = json_invalid();
    if (call->is_constant_fit && json_same(value, call->constant)) return STATUS_OK;
    status checked = scene_check(scene, call->input_schema, value, "with", &error);
    if (checked == STATUS_OK) return STATUS_OK;
    *ret_error = job_value_masked(scene->run, scene->env, scene->task, error);
    json_unref(error);
    return checked;
}

status job_arguments_sent(struct scene *scene, str placeholder, json stored, json *ret_value,
                          json *ret_error)
{
    const struct task *task         = scene->task;
    struct scene sent               = *scene;
    CLEANUP(json_unrefp) json input = json_invalid();
    CLEANUP(json_unrefp) json value = json_invalid();
    sent.sends                      = true;
    if (is_fetched(task)) sent.authorization = placeholder;
    if (task->input_from) {
        sent.input = scene->raw_input;
        TRY(scene_eval(&sent, task->input_from, scene->raw_input, &input, ret_error));
        sent.input = input;
    }
    TRY(evaluate(&sent, &value, ret_error));
    TRY(check(&sent, value, ret_error));
    complete(sent.authorization, stored, &value);
    TRY(call_assistant(&sent, &value, ret_error));
    *ret_value = json_take(&value);
    return STATUS_OK;
}

status job_arguments_stored(struct scene *scene, json *ret_value, json *ret_error)
{
    CLEANUP(json_unrefp) json sent  = json_invalid();
    CLEANUP(json_unrefp) json value = json_invalid();
    bool sends                      = scene->task->sends_secrets;
    if (sends) TRY(job_arguments_sent(scene, (str){}, json_invalid(), &sent, ret_error));
    TRY(evaluate(scene, &value, ret_error));
    if (!sends) TRY(check(scene, value, ret_error));
    TRY(call_assistant(scene, &value, ret_error));
    *ret_value = json_take(&value);
    return STATUS_OK;
}

json job_value_masked(const struct run *run, const struct decide_env *env, const struct task *task,
                      json value)
{
    if (!task->sends_secrets) return json_ref(value);
    CLEANUP(json_mask_freep)
    struct json_mask *mask = secret_mask_new(run_workflow(run), env->secrets);
    return json_mask_apply(mask, value);
}
