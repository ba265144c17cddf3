/**
 * http_job: one `call: http` of the workflow language, from the job's arguments to its output.
 *
 * Arguments, made by the engine: {method, endpoint, headers?, query?, body?, output?, redirect?,
 * authentication?}, of which authorization.h reads the last. Output, by `output`:
 *   content   the parsed body (JSON), else its text; the default
 *   raw       the body in base64
 *   response  {request: {method, uri, headers}, statusCode, headers, content}
 *
 * A body that is a map goes as JSON, or as a form if the header Content-Type says so (urlencoded,
 * or multipart/form-data: form_data.h, with a boundary of its own); a text goes as it is. A status
 * outside of 200..299 is an error; with `redirect: true` redirects are followed and 3xx is none.
 * Errors carry the DSL's types; no error text holds a path, query, header or body.
 *
 * Pure but for the HTTP client; one job belongs to one loop.
 */
#ifndef TOOL_ADAPTER_HTTP_JOB_H
#define TOOL_ADAPTER_HTTP_JOB_H

#include "base/arena.h"
#include "base/status.h"
#include "http/http.h"
#include "tool-adapter/files/file_set.h"
#include "workflow/errors.h"
#include "json/json.h"

#include <stdbool.h>

enum {
    HTTP_JOB_ARENA_MAX  = 48 << 20, /* bytes */
    HTTP_JOB_BODY_MAX   = 10 << 20, /* bytes of an answer: it becomes part of the run */
    HTTP_JOB_FIELDS_MAX = 100,      /* headers, query parameters */
};

enum http_job_output { HTTP_JOB_CONTENT, HTTP_JOB_RAW, HTTP_JOB_RESPONSE };

struct http_job {
    struct http_request request; /* texts live as long as the arena */
    struct http_header *headers; /* of the request, with room for one more */
    enum http_job_output output;
    bool follows_redirects;
};

/** Reads arguments. `files` are those of http_job_files(); NULL: none. `key` is the job's
 * idempotency key, the same in every attempt: a call that writes carries it as Idempotency-Key
 * unless it has such a header already. `json` values stay the caller's and must outlive the job.
 * INVALID_ARGUMENT names the member; the error kind is `configuration`. */
status http_job_read(json arguments, str key, const struct file_set *files, struct arena *arena,
                     struct http_job *ret_job, struct error *reterr);

/** The ids of stored files that its body, a form, has parts of; as form_data_files(). */
size_t http_job_files(json arguments, str ret_ids[FILE_SET_MAX + 1]);

/** What became of it. `value` is the output or the DSL error; owned by the caller. */
struct http_job_result {
    bool is_ok;
    json value;
    bool is_transient;
    bool is_unknown;        /* the other side may have acted */
    int64_t retry_after_ms; /* 0: not said */
    bool wants_rest;        /* it said "later" and when (429 or 503 with Retry-After): nothing was
                             * done, and nobody should call before */
    bool is_failing;        /* beside that: it is not well (503) */
};

void http_job_finish(const struct http_job *job, const struct http_result *http,
                     struct http_job_result *ret_result);

#endif
