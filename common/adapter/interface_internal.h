/**
 * interface: functions that several adapters have in common, so that a workflow goes on as it is
 * when its connection becomes one of another adapter (`implements`).
 */
#ifndef ADAPTER_INTERFACE_INTERNAL_H
#define ADAPTER_INTERFACE_INTERNAL_H

#include "adapter/manifest_internal.h"

/** Finds what a manifest lacks of the interface that it says it implements: actions, their
 * parameters, members of their outputs. More of each is its own affair. */
void interface_lint(struct reading *reading);

#endif
