#include "scheduler/decide/scene_secrets.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { CREDENTIALS_MAX = 16 << 10 /* bytes of user and password */ };
#define HIDDEN "***"

/* --- $secrets ----------------------------------------------------------------------------------
 */

static json secret_get(const struct workflow *workflow, const struct secret_source *source,
                       uint32_t index)
{
    if (!source) return json_invalid();
    return source->get(str_from(workflow->namespace_), str_from(workflow->secrets[index]),
                       source->context);
}

/* `***`, and for a map one per member, so that `$secrets.mail.password` is `***` as well. */
static json hidden_new(json secret)
{
    if (!json_is(secret, JSON_OBJECT)) return json_text_from(HIDDEN);
    json hidden = json_object_new(json_count(secret));
    for (size_t i = 0; i < json_count(secret); i++) {
        json_object_put_key(&hidden, json_key_value_at(secret, i), json_text_from(HIDDEN));
    }
    return hidden;
}

json scene_secrets_new(struct scene *scene)
{
    const struct workflow *workflow = scene->run->workflow;
    json secrets                    = json_object_new(workflow->secret_count);
    for (uint32_t i = 0; i < workflow->secret_count; i++) {
        uint64_t bit = UINT64_C(1) << i;
        if (!(scene->secrets_named & bit)) continue;
        CLEANUP(json_unrefp) json secret = secret_get(workflow, scene->env->secrets, i);
        if (secret.kind == JSON_INVALID) {
            scene->secrets_missing |= bit;
            continue;
        }
        json value = scene->is_revealing ? json_ref(secret) : hidden_new(secret);
        json_object_put_text(&secrets, workflow->secrets[i], value);
    }
    return secrets;
}

status scene_fail_secrets(const struct scene *scene, json *ret_error)
{
    const struct workflow *workflow = scene->run->workflow;
    uint32_t index                  = 0;
    while (!(scene->secrets_missing & UINT64_C(1) << index)) index++;
    struct error detail = {};
    (void)fail(&detail, STATUS_PERMISSION_DENIED,
               "the secret `%s` is not configured for the namespace `%s`", workflow->secrets[index],
               workflow->namespace_);
    return scene_fail(scene, ERROR_AUTHORIZATION, detail.text, ret_error);
}

struct json_mask *secret_mask_new(const struct workflow *workflow,
                                  const struct secret_source *source)
{
    struct json_mask *mask = json_mask_new();
    for (uint32_t i = 0; i < workflow->secret_count; i++) {
        CLEANUP(json_unrefp) json secret = secret_get(workflow, source, i);
        json_mask_add_all(mask, secret);
    }
    return mask;
}

/* --- $authorization ----------------------------------------------------------------------------
 */

static str member(json object, const char *key)
{
    json value = json_get_text(object, key);
    return json_is(value, JSON_TEXT) ? json_str(value) : (str){};
}

/* RFC 7617: the base64 of user, colon, password. */
static json basic_new(json basic)
{
    CLEANUP(buf_done) struct buf pair = buf_init(CREDENTIALS_MAX);
    (void)buf_put_str(&pair, member(basic, "username"));
    (void)buf_put_byte(&pair, ':');
    (void)buf_put_str(&pair, member(basic, "password"));
    size_t size = base64_size(pair.len);
    char *text  = mem_new(size + 1, 1);
    base64_encode(pair.ptr, pair.len, text);
    json parameter = json_text_new((str){.ptr = text, .len = size});
    free(text);
    return parameter;
}

static json bearer_new(json bearer)
{
    str token = json_is(bearer, JSON_TEXT) ? json_str(bearer) : member(bearer, "token");
    return json_text_new(token);
}

/* What the policy says, with the secrets in it. The expressions of a policy cannot name
 * `$authorization` in a way that matters: it is not there yet. */
static json parameter_new(struct scene *scene, const char *kind)
{
    if (!scene->is_revealing) return json_text_from(HIDDEN);
    if (scene->authorization.len > 0) return json_text_new(scene->authorization);

    struct scene inner              = *scene;
    CLEANUP(json_unrefp) json error = json_invalid();
    CLEANUP(json_unrefp) json value = json_invalid();
    memset(inner.made, 0, sizeof inner.made);
    inner.made[VARIABLE_AUTHORIZATION] = json_object_new(0);
    inner.sends                        = true;
    (void)scene_eval(&inner, scene->task->call.authentication, scene->input, &value, &error);
    scene->secrets_missing |= inner.secrets_missing;
    json policy = json_get_text(value, kind);
    if (strcmp(kind, "basic") == 0) return basic_new(policy);
    if (strcmp(kind, "bearer") == 0) return bearer_new(policy);
    return json_null();
}

json scene_authorization_new(struct scene *scene)
{
    bool is_call     = scene->task && scene->task->kind == TASK_CALL;
    const char *kind = is_call ? scene->task->call.authentication_kind : NULL;
    if (!kind) return json_invalid();
    bool is_basic      = strcmp(kind, "basic") == 0;
    bool is_digest     = strcmp(kind, "digest") == 0;
    json authorization = json_object_new(2);
    json_object_put_text(&authorization, "scheme",
                         json_text_from(is_basic    ? "Basic"
                                        : is_digest ? "Digest"
                                                    : "Bearer"));
    json_object_put_text(&authorization, "parameter", parameter_new(scene, kind));
    return authorization;
}
