/** keys: commands to API keys, in the system partition. Part of the engine. */
#ifndef SCHEDULER_ENGINE_KEYS_H
#define SCHEDULER_ENGINE_KEYS_H

#include "scheduler/engine/engine_internal.h"

enum { API_KEYS_MAX = 100'000 /* revoked ones included: their rows stay */ };

/** Writes a key as it is; one with this id is replaced. */
status engine_put_key(struct engine *engine, struct command *command, struct error *reterr);

/** Makes a key and the budget that it asks for: both, or neither. Refused: ALREADY_EXISTS,
 * RESOURCE_EXHAUSTED past API_KEYS_MAX, and what a budget is refused for. */
status engine_create_key(struct engine *engine, struct command *command, struct error *reterr);

/** Another secret. NOT_FOUND; FAILED_PRECONDITION "key_revoked". */
status engine_rotate_key(struct engine *engine, struct command *command, struct error *reterr);

/** They were used: kept to the minute. A key that is not there, or was used later, stays as it is.
 */
status engine_note_keys(struct engine *engine, struct command *command, struct error *reterr);

/** It is good for nothing from now on; again: nothing happens. FAILED_PRECONDITION
 * "last_admin_key": nobody could make keys any more. */
status engine_revoke_key(struct engine *engine, struct command *command, struct error *reterr);

#endif
