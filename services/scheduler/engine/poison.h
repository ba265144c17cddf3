/**
 * poison: which run the engine was working on when the process died.
 *
 * A small mapped file beside the store. Around each decision the engine marks the run; the mark
 * outlives a crash of the process, because the kernel keeps mapped pages. If two starts in a row
 * of work on the same run end in a crash, the run is poison: the engine parks it instead of trying
 * a third time. One crash is not enough, since a kill -9 may hit any run once.
 *
 * It need not survive power loss: a machine that dies was not killed by a run.
 *
 * Threads: the engine thread only. File: magic "tutti-poison-1\n\0", then what struct marks holds.
 */
#ifndef SCHEDULER_POISON_H
#define SCHEDULER_POISON_H

#include "base/id.h"
#include "base/status.h"

#include <stdbool.h>

enum { POISON_CRASHES = 2 /* with one run, until it is parked */ };

struct poison;

/**
 * Maps the file in `folder` (created if missing, begun anew if it makes no sense) and counts the
 * crash that its mark tells of. Owned: poison_close(). Fails with UNAVAILABLE (file system).
 */
status poison_open(const char *folder, struct poison **ret_poison, struct error *reterr);
void poison_close(struct poison *poison);

/** The run that has crashed the engine POISON_CRASHES times, if there is one. */
bool poison_run(const struct poison *poison, struct id *ret_run);

/** Work on `run` begins; ends. After an end the run is no suspect any more. */
void poison_begin(struct poison *poison, str run);
void poison_end(struct poison *poison);

#endif
