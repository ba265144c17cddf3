/** provider_keys: commands to keys of providers, in the system partition. Part of the engine. */
#ifndef SCHEDULER_ENGINE_PROVIDER_KEYS_H
#define SCHEDULER_ENGINE_PROVIDER_KEYS_H

#include "scheduler/engine/engine_internal.h"

enum { PROVIDER_KEYS_KEPT_MAX = 256 };

/** Sets the key of a provider; one that is there is replaced. RESOURCE_EXHAUSTED past
 * PROVIDER_KEYS_KEPT_MAX. The answer has nothing that is sealed. */
status engine_put_provider_key(struct engine *engine, struct command *command,
                               struct error *reterr);

/** NOT_FOUND: none was set. */
status engine_delete_provider_key(struct engine *engine, struct command *command,
                                  struct error *reterr);

#endif
