/** duration: the DSL's time spans as values: {days, hours, minutes, seconds, milliseconds} or ISO
 * 8601 text. */
#ifndef WORKFLOW_DURATION_H
#define WORKFLOW_DURATION_H

#include "base/status.h"
#include "json/json.h"

#include <stdint.h>

/** Reads a duration value. INVALID_ARGUMENT says what is wrong with it ("unknown key `minute`"). */
status duration_read(json value, int64_t *ret_us, struct error *reterr);

#endif
