/** engine_webhooks: telling subscribers what happens to runs. How: docs/internals/webhooks.md. */
#ifndef SCHEDULER_ENGINE_WEBHOOKS_H
#define SCHEDULER_ENGINE_WEBHOOKS_H

#include "scheduler/engine/engine_internal.h"
#include "subscription.pb-c.h"

/** The queue of deliveries; workers that poll it get jobs of this function. */
#define WEBHOOK_QUEUE    "tools.webhooks"
#define WEBHOOK_FUNCTION "webhook.deliver"
#define WEBHOOK_LETTERS  "webhooks" /* where what could not be delivered lies, in its namespace */

/* --- commands, partition 0 ----------------------------------------------------------------------
 */

status engine_subscribe(struct engine *engine, struct command *command, struct error *reterr);
status engine_unsubscribe(struct engine *engine, struct command *command, struct error *reterr);
status engine_subscription_off(struct engine *engine, const Pb__SubscriptionOff *message,
                               struct error *reterr);

/** What the answer to a repeated COMMAND_SUBSCRIBE lacks, from its row: the secret. Without the row
 * nothing. */
status engine_subscription_recall(struct engine *engine, Pb__Subscription *view,
                                  struct arena *arena, struct error *reterr);

/** After the commit of a change: all engines see it. */
void engine_subscriptions_refresh(struct engine *engine);

/* --- deliveries --------------------------------------------------------------------------------
 */

/** Says whether anybody has subscribed. */
bool engine_has_subscribers(const struct engine *engine);

/** Queues what an event that was just decided means for subscribers. */
status engine_tell_subscribers(struct engine *engine, const struct live_run *live,
                               const struct event *event, struct error *reterr);

/** Says whether a job is a delivery. */
bool job_is_delivery(const struct open_job *job);

/** What the worker needs, as the input of its job. False: nobody wants it any more; it is gone. */
status engine_delivery_fill(struct engine *engine, struct open_job *job, Pb__JobRecord *record,
                            struct arena *arena, bool *ret_filled, struct error *reterr);

/** A delivery was made, or failed with `error` (JSON_INVALID: it was made). */
status engine_delivery_settle(struct engine *engine, struct open_job *job, json error,
                              struct error *reterr);

#endif
