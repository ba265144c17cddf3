/** wish: the inside of the engine's leases, for lease.c, report.c and wish.c. */
#ifndef SCHEDULER_WISH_H
#define SCHEDULER_WISH_H

#include "job.pb-c.h"
#include "scheduler/engine/engine_internal.h"

/** What a poll gets; `jobs` has room for its `count_max`, in the arena of its command; for a wish,
 * for POLL_JOBS_MAX. */
struct leased_jobs {
    Pb__LeasedJob **jobs;
    size_t count;
    size_t size_bytes; /* of their inputs */
};

/* --- lease.c ------------------------------------------------------------------------------------
 */

/** A poll without queues, of a worker that is noted as the request says. */
void engine_poll_init(struct engine *engine, struct command *command, const Pb__LeaseJobs *request,
                      struct worker *worker, struct poll *ret_poll);

/** Leases what there is for `poll`, until it has enough or `size_max` bytes of inputs. */
status engine_poll_fill(struct engine *engine, const struct poll *poll, size_t size_max,
                        struct leased_jobs *leased, struct error *reterr);

/** Takes room for `count` jobs from a parked poll, which is answered, empty, if none is left. */
void engine_poll_lend(struct engine *engine, struct poll *poll, uint32_t count);

/** Answers a parked poll; `*ret_served` false: there is nothing for it, and it stays. */
status engine_serve_poll(struct engine *engine, struct poll *poll, bool *ret_served,
                         struct error *reterr);

/* --- wish.c -------------------------------------------------------------------------------------
 */

/** Notes what the worker of a COMMAND_REPORT takes in place of what it reports; answered by the
 * turn's dispatch. */
void engine_wish(struct engine *engine, struct command *command, struct worker *worker);

/** Gives jobs to the wishes of this turn. May be called again when there are more. */
status engine_serve_wishes(struct engine *engine, struct error *reterr);

/** The turn is over. */
void engine_forget_wishes(struct engine *engine);

#endif
