/** scene_secrets: `$secrets` and `$authorization` of a scene. For scene.c. */
#ifndef SCHEDULER_SCENE_SECRETS_H
#define SCHEDULER_SCENE_SECRETS_H

#include "scheduler/decide/scene.h"
#include "json/json_mask.h"

/** `$secrets` as far as the expression at hand names them: themselves if the evaluation reveals,
 * else `***` in their shape. Notes which are missing. Owned. */
json scene_secrets_new(struct scene *scene);

/** `$authorization` of the task, {scheme, parameter}; JSON_INVALID: it has none. Owned. */
json scene_authorization_new(struct scene *scene);

/** The `authorization` error for the secrets that are missing; always fails. */
status scene_fail_secrets(const struct scene *scene, json *ret_error);

/** Hides all secrets of the workflow that are there. Owned. */
struct json_mask *secret_mask_new(const struct workflow *workflow,
                                  const struct secret_source *source);

#endif
