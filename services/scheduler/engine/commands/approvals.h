/* engine_approvals: the rows of approvals, as events change them. Part of the engine. */
#ifndef SCHEDULER_ENGINE_APPROVALS_H
#define SCHEDULER_ENGINE_APPROVALS_H

#include "scheduler/engine/engine_internal.h"

status engine_approval_event(struct engine *engine, struct live_run *live,
                             const struct event *event, struct error *reterr);

#endif
