/**
 * verdict: what became of a call of a program that speaks JSON-RPC, as its run sees it.
 *
 *   an error of JSON-RPC          runtime
 *   401; 403                      authentication; authorization
 *   429, 503                      communication, and may be tried again
 *   408, 5xx                      communication, and may be tried again; of a write: unknown
 *   any other status              communication
 *   no answer                     the same as 5xx once it was sent; before: may be tried again
 *
 * Errors hold what the other side says, cut, and no address but its origin. Pure.
 */
#ifndef TOOL_ADAPTER_VERDICT_H
#define TOOL_ADAPTER_VERDICT_H

#include "tool-adapter/http/http_job.h"

struct verdict_facts {
    bool is_write;   /* twice is not the same as once */
    status code;     /* OK: there is an answer: `error`, or all went well */
    json error;      /* JSON-RPC's; JSON_INVALID: none */
    int http_status; /* 0: there was no answer */
    bool was_sent;
    int64_t wait_ms; /* it said when to come back; 0: it did not */
    const char *why; /* of a failure */
};

/** Of a call that has failed; `value` of the result is owned. */
void verdict_of(const struct verdict_facts *facts, struct http_job_result *ret_result);

#endif
