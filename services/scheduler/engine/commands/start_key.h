/**
 * start_key: the document's `metadata.tutti.idempotencyKey` (E7): which starts are the same one.
 *
 * The key is evaluated before there is a run, from the raw input and `$workflow.input` alone. The
 * first start with a key makes a run; every later one of the same namespace and workflow, whatever
 * its version, finds that run. The partition that the key names owns it, so there is one row.
 *
 * Threads: any; nothing is shared.
 */
#ifndef SCHEDULER_START_KEY_H
#define SCHEDULER_START_KEY_H

#include "base/arena.h"
#include "workflow/workflow.h"

enum { START_KEY_MAX = 512 /* bytes, as of a task's key */ };

/**
 * The key of a start, empty if the workflow names none. `input` invalid: {}. Lives as long as
 * `arena`. INVALID_ARGUMENT ("input_invalid"): the expression fails for this input, or yields
 * something else than a text of 1 to START_KEY_MAX bytes.
 */
status start_key_eval(const struct workflow *workflow, json input, int64_t now_us,
                      const struct expr_limits *limits, struct arena *arena, str *ret_key,
                      struct error *reterr);

/** The partition that owns a key, which is not empty. */
uint16_t start_key_partition(const struct workflow *workflow, str key, uint16_t count);

#endif
