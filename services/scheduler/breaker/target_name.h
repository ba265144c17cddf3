/**
 * target_name: whom a job calls, as breakers name it.
 *
 *   tool:HOST:PORT      `call: http`; the host in small letters
 *   tool:CONNECTION     a function of an adapter; by default the one of the adapter's name
 *   llm:PROVIDER        a model that is named `PROVIDER/MODEL`; the llm-proxy says of all others
 *                       whom it asked
 *   worker:FUNCTION     what workflows call `worker.FUNCTION`, if breaker_rules.h asks for it
 *
 * Pure. What names nobody has no breaker.
 */
#ifndef SCHEDULER_BREAKER_TARGET_NAME_H
#define SCHEDULER_BREAKER_TARGET_NAME_H

#include "base/buf.h"
#include "json/json.h"

enum { TARGET_NAME_MAX = 250 /* bytes: more do not stand in a key */ };

/** Appends the name; `queue` is the job's, `arguments` its input. Nothing and false: none. */
bool target_name_put(str queue, str function, json arguments, struct buf *out);

/** "tool:", "llm:" or "worker:" and something behind it, of printable ASCII without spaces; a HOST
 * in small letters. */
bool target_name_is_valid(str name);

/** Says whether it is a worker's function, which has a breaker only if it is asked for. */
bool target_name_is_worker(str name);

#endif
