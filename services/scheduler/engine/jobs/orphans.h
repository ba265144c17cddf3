/**
 * orphans: jobs that nobody has any more although their leases are not over, as their worker says
 * itself.
 *
 * It tells what it holds after an answer may have been lost: what its process was given before we
 * died, and does not know of, was in that answer. And one that was started anew, and knows which
 * process it takes the place of, says that this one is dead, and those before it, whose deaths
 * nobody may have heard of: what they had begun nobody goes on with. Either way another may have
 * the job now, and not only when its lease is over.
 *
 * No attempt is burnt, since the job has not failed; but one that has taken ORPHAN_DEATHS_MAX
 * processes with it may be what they died of: then the attempt has failed.
 */
#ifndef SCHEDULER_ORPHANS_H
#define SCHEDULER_ORPHANS_H

#include "scheduler/engine/engine_internal.h"

enum {
    ORPHAN_DEATHS_MAX = 3,  /* of one attempt; the last one fails it */
    ORPHAN_DEAD_MAX   = 16, /* processes before the one whose place is taken; others are not looked
                             * at: their leases end by themselves */
};

status engine_offer_orphans(struct engine *engine, const Pb__Heartbeats *told,
                            struct error *reterr);

#endif
