/** run_start: the start of a run, from the JSON of a request to the question to the scheduler. */
#ifndef GATEWAY_RUN_START_H
#define GATEWAY_RUN_START_H

#include "base/hash.h"
#include "gateway/api/api.h"
#include "run.pb-c.h"

/** Reads a RunStart of the contract, all but its input; texts live as long as the call.
 * INVALID_ARGUMENT names the member. */
status run_start_read(struct api_call *call, json from, Pb__StartRun *ret_message,
                      struct error *reterr);

/** The Idempotency-Key of the call, which is bound to its path and its body as it was sent: another
 * one under the same key is refused. INVALID_ARGUMENT. */
status run_start_read_key(struct api_call *call, Pb__StartRun *message,
                          uint8_t digest[static SHA256_SIZE], struct error *reterr);

/** The partition that is to be asked. */
uint16_t run_start_partition(struct api_call *call, const Pb__StartRun *message);

#endif
