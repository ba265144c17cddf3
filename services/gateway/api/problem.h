/**
 * problem: errors of the HTTP API as RFC 9457 documents, from one table of codes.
 *
 * Every code of docs/reference/errors.md is in the table with its status, title and whether the
 * same request may succeed later. Services name codes in their answers; a code that is not in the
 * table follows from the gRPC status.
 */
#ifndef GATEWAY_PROBLEM_H
#define GATEWAY_PROBLEM_H

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct problem_kind {
    const char *code;
    const char *title;
    int http;
    bool is_retryable;
};

/** The row of `code`; if there is none, the one that `status_code` stands for. Never NULL. */
const struct problem_kind *problem_kind_of(str code, status status_code);

/** One problem to be shown. */
struct problem {
    const struct problem_kind *kind;
    str detail;   /* what is wrong, where, and the fix */
    str instance; /* request path; empty: left out */
    str request_id;
    str trace_id;        /* empty: left out */
    str findings_json;   /* array of {pointer, line, column, code, severity, detail, hint}; empty */
    str run_error_json;  /* empty: left out, as the next */
    str tool_error_json; /* as a workflow would see it */
    str undo_json;       /* the calls that undo the part that is done */
};

/** Appends the document. */
void problem_print(const struct problem *problem, struct buf *out);

/** Appends the same in the shape of OpenAI's API: {"error": {message, type, param, code}}. */
void problem_print_openai(const struct problem *problem, struct buf *out);

/** In that of Anthropic's: {"type": "error", "error": {type, message}, "request_id"}. */
void problem_print_anthropic(const struct problem *problem, struct buf *out);

/** In that of Gemini's: {"error": {code, message, status, details}}. */
void problem_print_gemini(const struct problem *problem, struct buf *out);

#endif
