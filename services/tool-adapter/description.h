/**
 * description: an action as the function that workflows call (workflow/function_catalog.h).
 *
 * The input schema is that of the parameters, without those defaults that are expressions, and with
 * `connection`. A parameter with a default need not be given. The version is the manifest's.
 */
#ifndef TOOL_ADAPTER_DESCRIPTION_H
#define TOOL_ADAPTER_DESCRIPTION_H

#include "adapter/manifest.h"

/** Owned. `queue` is that of its jobs. */
json description_new(const struct manifest_action *action, const char *queue);

#endif
