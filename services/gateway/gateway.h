/** gateway: the parts of a running gateway, started and stopped in order. */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "base/status.h"
#include "gateway/config.h"

#include <stdint.h>

struct gateway;

/** Serves from now on; ready once a scheduler was reached. Owned: gateway_stopp(). */
status gateway_start(const struct options *options, struct gateway **ret_gateway,
                     struct error *reterr);

/** The port of the HTTP API. */
uint16_t gateway_port(const struct gateway *gateway);

/** Stops taking requests, waits for open ones (options.drain_ms), frees. NULL is fine. */
void gateway_stopp(struct gateway **gateway);

#endif
