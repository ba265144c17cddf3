/** measures: the gateway's metrics (docs/reference/metrics.md). */
#ifndef GATEWAY_MEASURES_H
#define GATEWAY_MEASURES_H

#include "telemetry/metrics.h"

#include <stdint.h>

struct api;
struct measures;

struct measures *measures_new(struct metrics *metrics, struct api *api); /* owned */
void measures_freep(struct measures **measures);

/** One request is over. `route` is the path of the contract, "none" if there was none. Any thread.
 */
void measures_request(struct measures *measures, const char *route, const char *method,
                      int http_status, int64_t duration_ms);

#endif
