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

/** The same function under another name, `family.action`, which says whose it is. Owned. */
json description_alias_new(json description, str family, str action);

#endif
