/** snapshot_tie: the second half of reading a snapshot, once all its parts are in the tables. */
#ifndef SCHEDULER_SNAPSHOT_TIE_H
#define SCHEDULER_SNAPSHOT_TIE_H

#include "scheduler/run/state.h"

/** DATA_LOSS: `return snapshot_broken(reterr, "two scopes in one place");` */
status snapshot_broken(struct error *reterr, const char *what);

/** Checks that everything belongs to something, and makes what is cached: links, the index of jobs,
 * times. */
status snapshot_tie(struct run *run, struct error *reterr);

#endif
