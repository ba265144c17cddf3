/** standin_worker: a real worker that registers functions and does their jobs as the script says.
 */
#ifndef LANGUAGE_STANDIN_WORKER_H
#define LANGUAGE_STANDIN_WORKER_H

#include "base/status.h"
#include "language/script.h"
#include "json/json.h"

struct api_key;
struct standin_worker;

/** Leases jobs of the queues "tools.standin" and "default" from the scheduler at `endpoint`. Owned.
 */
status standin_worker_start(const char *endpoint, struct script *script,
                            struct standin_worker **ret_worker, struct error *reterr);
void standin_worker_stopp(struct standin_worker **worker);

/** Registers functions, each as a version that is newer than all before, so that other scenarios'
 * contracts do not matter. */
status standin_worker_offer(struct standin_worker *worker, json functions, struct error *reterr);

/** Makes an admin's key with a label ("team:leads"): there is no way to do so over HTTP yet. */
status standin_worker_make_key(struct standin_worker *worker, const char *label,
                               struct api_key *ret_key, struct error *reterr);

#endif
