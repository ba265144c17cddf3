/**
 * operation_check: what an operation would come to at one run, without doing it (a dry run).
 *
 * Whatever decides it is asked in the same way: the run is loaded, decides, and is thrown away with
 * its events before anything is written.
 *
 * Threads: the engine's.
 */
#ifndef SCHEDULER_OPERATION_CHECK_H
#define SCHEDULER_OPERATION_CHECK_H

#include "scheduler/engine/engine_internal.h"

/**
 * `outcome` gets the code, and why not, that the action of `asked` would get. `*ret_later`: the run
 * has moved in this very turn, ask again in the next one; nothing was said then.
 */
status engine_operation_check(struct engine *engine, const struct id *run,
                              const Pb__StartBulk *asked, struct command *outcome, bool *ret_later,
                              struct error *reterr);

#endif
