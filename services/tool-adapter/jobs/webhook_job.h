/**
 * webhook_job: one event for one subscriber, as a POST in the CloudEvents binary mode, signed as
 * Standard Webhooks say.
 *
 * Input, made by the scheduler at each lease: {url, secret (base64), id, type, source, subject,
 * time, iteration?, data (text: JSON)}.
 *
 *     webhook-id         the event's id, the same in every attempt
 *     webhook-timestamp  seconds, of this attempt
 *     webhook-signature  v1,<base64 of HMAC-SHA256 over id.timestamp.body>
 *
 * 2xx: done. Anything else is an error with the answer's status. Redirects are not followed. Where
 * it may go is what the egress rules of this tool-adapter say: https and public addresses.
 */
#ifndef TOOL_ADAPTER_WEBHOOK_JOB_H
#define TOOL_ADAPTER_WEBHOOK_JOB_H

#include "tool-adapter/http/http_job.h"

enum { WEBHOOK_TIMEOUT_MS = 10'000, WEBHOOK_SECRET_MAX = 256 /* bytes */ };

/** Texts live as long as `arena` and `input`. `now_us` is the time of this attempt. */
status webhook_job_read(json input, int64_t now_us, struct arena *arena, struct http_job *ret_job,
                        struct error *reterr);

/** As http_job_finish(): the value is null, or the error. */
void webhook_job_finish(const struct http_result *http, struct http_job_result *ret_result);

#endif
