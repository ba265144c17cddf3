/** bootstrap: the first admin key, without which nobody could make another one. */
#ifndef SCHEDULER_BOOTSTRAP_H
#define SCHEDULER_BOOTSTRAP_H

#include "scheduler/scheduler.h"

/**
 * Makes sure that the key in `path` is registered as an admin of all namespaces. If the file is
 * missing, a key is made and written to it with mode 0600; the key is never logged. Does nothing if
 * the system partition is another owner's. Waits for a commit. UNAVAILABLE (file system),
 * INVALID_ARGUMENT (the file holds no key).
 */
status bootstrap_key(struct scheduler *scheduler, const char *path, struct error *reterr);

#endif
