/** version: semantic versions (semver.org 2.0.0). version_compare() is in workflow.h. */
#ifndef WORKFLOW_VERSION_H
#define WORKFLOW_VERSION_H

#include "workflow/workflow.h"

#include <stdbool.h>

/** "1.2.0", "1.2.0-rc.1+linux"; not "1.2", "v1.2.0", "01.2.0". */
bool version_is_valid(str text);

#endif
