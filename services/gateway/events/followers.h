/**
 * followers: clients that read the events of a run as they happen (server-sent events).
 *
 * Truth comes from the journal, read by Runs.History from where the client stands; hints only say
 * when it is worth reading. So a lost hint costs a few seconds, never an event, and a client that
 * comes back with its last id misses and repeats nothing, whichever gateway it finds.
 *
 * Threads: everything on the home loop, but followers_hint() and followers_refresh().
 */
#ifndef GATEWAY_FOLLOWERS_H
#define GATEWAY_FOLLOWERS_H

#include "gateway/api/api.h"
#include "run.pb-c.h"

struct followers *followers_new(struct api *api); /* owned */
void followers_freep(struct followers **followers);

/** Begins to follow for `call`, whose parameters name the run. On the home loop (api_park()). */
void followers_add(struct api_call *call);

/** Tells all clients to go elsewhere. On the home loop. */
void followers_drain(struct followers *followers);

/** Runs of which the scheduler said that they moved. Takes the message. Any thread. */
void followers_hint(struct followers *followers, Pb__RunHints *hints);

/** Hints may have been lost: everybody reads. Any thread. */
void followers_refresh(struct followers *followers);

size_t followers_count(const struct followers *followers);

#endif
