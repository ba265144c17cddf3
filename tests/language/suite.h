/** suite: `tutti up` as a process, on a folder of its own below /tmp. */
#ifndef LANGUAGE_SUITE_H
#define LANGUAGE_SUITE_H

#include "base/status.h"
#include "base/str.h"

#include <sys/types.h>

struct suite {
    char folder[64];
    pid_t pid; /* 0: does not run */
    char url[64];
    char rpc[128]; /* where its scheduler listens for workers */
    char key[128];
};

/** Makes the folder. UNAVAILABLE. */
status suite_init(struct suite *suite, struct error *reterr);

/** Writes a file into the folder. */
status suite_write(const struct suite *suite, const char *name, str text, struct error *reterr);

/** Starts it with the configuration "tutti.yaml" of the folder and waits until it is ready.
 * UNAVAILABLE, with the last lines that it said. */
status suite_start(struct suite *suite, const char *programs, struct error *reterr);

/** A moment until one looks again at something outside of this process. */
void suite_pause(void);

/** Kills one of its processes ("scheduler") as a power failure does. */
status suite_kill(const struct suite *suite, const char *service, struct error *reterr);

/** Stops it as an operator does. FAILED_PRECONDITION: it did not end well, or a log holds what no
 * log may hold. */
status suite_stop(struct suite *suite, struct error *reterr);

/** Removes the folder; kills what still runs. */
void suite_done(struct suite *suite);

#endif
