/** errors: the eight standard errors of the DSL as RFC 7807 values, and how filters match them. */
#ifndef WORKFLOW_ERRORS_H
#define WORKFLOW_ERRORS_H

#include "base/str.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

enum error_kind {
    ERROR_CONFIGURATION,  /* 400 */
    ERROR_VALIDATION,     /* 400 */
    ERROR_EXPRESSION,     /* 400 */
    ERROR_AUTHENTICATION, /* 401 */
    ERROR_AUTHORIZATION,  /* 403 */
    ERROR_TIMEOUT,        /* 408 */
    ERROR_COMMUNICATION,  /* 500, or the real HTTP status */
    ERROR_RUNTIME,        /* 500, or the real HTTP status */
    ERROR_KIND_COUNT,
};

/** The 1.0.3 URI: "https://serverlessworkflow.io/spec/1.0.0/errors/timeout". */
const char *error_type(enum error_kind kind);
uint32_t error_status(enum error_kind kind);

/** Says whether two type URIs name the same error: three families of URIs are aliases of the eight
 * kinds; all others compare literally. */
bool error_type_equal(str a, str b);

/** {type, status, title, detail?, instance?}. `status` 0: the kind's own. Owned. */
json error_new(enum error_kind kind, uint32_t status, str detail, str instance);

/** Our own errors: "https://tutti.dev/errors/<name>". */
json error_own_new(const char *name, uint32_t status, const char *title, str detail, str instance);

struct error_filter;
bool error_filter_matches(const struct error_filter *filter, json error);

#endif
