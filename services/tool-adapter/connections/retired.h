/**
 * retired: toolboxes of earlier configurations, kept until nobody uses them any more.
 *
 * Threads: on the loop, or after it has ended.
 */
#ifndef TOOL_ADAPTER_RETIRED_H
#define TOOL_ADAPTER_RETIRED_H

#include "loop/loop.h"
#include "tool-adapter/connections/toolbox.h"

struct retired;

struct retired *retired_new(struct loop *loop); /* borrows; owned */
void retired_freep(struct retired **retired);

/** Takes a reference. */
void retired_add(struct retired *retired, struct toolbox *toolbox);

#endif
