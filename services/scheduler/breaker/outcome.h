/**
 * outcome: what the end of a call says about the one who was called.
 *
 * A failure is what another call may meet as well: nobody answered, too late, with a status of 5xx,
 * or with an outcome that nobody knows. Whoever refuses a call with any other status is there: a
 * success. What never left us, and being asked to come later (429), says nothing.
 */
#ifndef SCHEDULER_BREAKER_OUTCOME_H
#define SCHEDULER_BREAKER_OUTCOME_H

#include "json/json.h"

#include <stdbool.h>

enum outcome { OUTCOME_NONE, OUTCOME_SUCCESS, OUTCOME_FAILURE };

/** Of a call that failed with `error`, an error of the language; both words are the worker's. */
enum outcome outcome_of_error(json error, bool is_transient, bool is_unknown);

#endif
