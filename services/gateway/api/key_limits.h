/**
 * key_limits: what the limits of an API key let pass (docs/guide/api-keys.md).
 *
 * Limits are kept by the scheduler's system partition, so that they hold over all gateways and over
 * restarts. A request with a key that has limits asks it once, for all of them: requests, starts of
 * runs, and, of a call of a model, tokens and calls at a time. It gets all or nothing. Requests
 * with other keys ask nobody. While the scheduler cannot be reached, requests with such keys fail.
 *
 * A permit of a call at a time is the request's own, until it has ended; the scheduler hears every
 * few seconds that it is under way, and takes it back from a gateway that is silent.
 *
 * When keys were last used is told now and then, too, for all of them in one message.
 *
 * Threads: any, but for the timer, which is the home loop's.
 */
#ifndef GATEWAY_KEY_LIMITS_H
#define GATEWAY_KEY_LIMITS_H

#include "gateway/api/api.h"
#include "loop/loop.h"

enum {
    KEY_LIMITS_CARE_MS    = 10'000,
    KEY_LIMITS_FIELDS_MAX = 6, /* header fields of an answer */
};

struct key_watch;

/** Owned. key_watch_start() and _stop() are said on the home loop, or while it does not run. */
struct key_watch *key_watch_new(struct api *api);
void key_watch_start(struct key_watch *watch);
void key_watch_stop(struct key_watch *watch); /* tells what is not told yet */
void key_watch_freep(struct key_watch **watch);

/** Asks whether the call may go, whose key and route are known: then `go` follows later, on any
 * thread; or the call is answered. False: its key has no such limits, and nobody was asked. */
bool key_limits_ask(struct api_call *call, void (*go)(struct api_call *call));

/** The call has ended: what it held others may have. */
void key_limits_leave(struct api_call *call);

/** How its key stands, as the protocol of the call says it; how many fields. They live as long as
 * the call. */
size_t key_limits_fields(struct api_call *call, struct httpd_field *fields);

#endif
