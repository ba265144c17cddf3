#include "gateway/api/problem.h"

#include "base/assert.h"
#include "base/attr.h"
#include "json/json_write.h"

enum { PROBLEM_TYPE_MAX = 128 }; /* bytes */

/* clang-format off */
static const struct problem_kind kinds[] = {
    /* the first of a gRPC status is what the status alone means; see defaults below */
    {"invalid_request",            "The request is not valid",              400, false},
    {"unknown_parameter",          "There is no such parameter",            400, false},
    {"invalid_json",               "The body is not JSON",                  400, false},
    {"invalid_page_token",         "The page token is not valid",           400, false},
    {"idempotency_key_required",   "An Idempotency-Key is required",        400, false},
    {"unauthenticated",            "A valid API key is required",           401, false},
    {"budget_exceeded",            "The budget is spent",                   402, false},
    {"forbidden",                  "The key may not do this",               403, false},
    {"not_assignee",               "Somebody else has to decide this",      403, false},
    {"self_approval",              "Who started it may not approve it",     403, false},
    {"not_found",                  "There is no such thing",                404, false},
    {"model_not_found",            "There is no such model",                404, false},
    {"method_not_allowed",         "The path does not know this method",    405, false},
    {"not_acceptable",             "No such representation",                406, false},
    {"request_timeout",            "The request came too slowly",           408, false},
    {"conflict",                   "The state does not allow this",         409, false},
    {"run_id_in_use",              "The run id is in use",                  409, false},
    {"run_finished",               "The run has ended",                     409, false},
    {"run_not_paused",             "The run is not suspended",              409, false},
    {"run_not_draft",              "The run is no draft",                   409, false},
    {"nothing_to_compensate",      "There is nothing to undo",              409, false},
    {"nothing_to_retry",           "There is nothing to retry",             409, false},
    {"nothing_to_fail",            "Nothing waits for an operator",         409, false},
    {"run_not_finished",           "The run has not ended",                 409, false},
    {"run_erased",                 "The run is erased",                     409, false},
    {"lease_lost",                 "The lease is lost",                     409, false},
    {"approval_closed",            "The approval is closed",                409, false},
    {"already_exists",             "It exists with other content",          409, false},
    {"variables_invalid",          "The variables are not valid",           422, false},
    {"in_use",                     "It is in use",                          409, false},
    {"key_revoked",                "The key was revoked",                   409, false},
    {"last_admin_key",             "Nobody could make keys any more",       409, false},
    {"idempotency_in_progress",    "The first request is still running",    409, true},
    {"stream_expired",             "The stream cannot be resumed",          410, false},
    {"history_trimmed",            "This part of the history is gone",      410, false},
    {"precondition_failed",        "It was changed meanwhile",              412, false},
    {"body_too_large",             "The body is too large",                 413, false},
    {"uri_too_long",               "The path is too long",                  414, false},
    {"media_type_not_allowed",     "Files of this type are not kept",      415, false},
    {"media_type_mismatch",        "The file is not what it is said to be", 415, false},
    {"unsupported_media_type",     "The content type is not supported",     415, false},
    {"expectation_failed",         "The expectation cannot be met",         417, false},
    {"input_invalid",              "The input does not fit the schema",     422, false},
    {"workflow_invalid",           "The workflow has errors",               422, false},
    {"run_invalid",                "The line is no run",                    422, false},
    {"schedule_invalid",           "The schedule has errors",               422, false},
    {"namespace_mismatch",         "The namespace is another one",          422, false},
    {"arguments_invalid",          "The arguments do not fit the schema",   422, false},
    {"idempotency_key_reused",     "The Idempotency-Key stands for another request", 422, false},
    {"tool_invalid",               "The call was refused",                  422, false},
    {"run_failed",                 "The run did not complete",              424, false},
    {"precondition_required",      "If-Match is required",                  428, false},
    {"rate_limited",               "Too many requests",                     429, true},
    {"quota_exceeded",             "A quota is used up",                    429, true},
    {"header_too_large",           "The header is too large",               431, false},
    {"cancelled",                  "The request was given up",              499, false},
    {"run_damaged",                "What is stored of the run is damaged",  500, false},
    {"internal",                   "Something is wrong inside",             500, true},
    {"not_implemented",            "This is not there yet",                 501, false},
    {"upstream_error",             "The upstream failed",                   502, true},
    {"tool_failed",                "The call failed",                       502, false},
    {"output_invalid",             "The answer does not fit the schema",    502, false},
    {"overloaded",                 "Too much work is waiting",              503, true},
    {"unavailable",                "The service behind is not reachable",   503, true},
    {"draining",                   "The service is shutting down",          503, true},
    {"breaker_open",               "The circuit breaker is open",           503, true},
    {"unknown_outcome",            "Nobody knows whether it was done",      504, false},
    {"upstream_timeout",           "The answer took too long",              504, true},
    {"store_full",                 "The store takes no new runs",           507, true},
};

static const char *const defaults[STATUS_COUNT] = {
    [STATUS_OK]                  = "internal",
    [STATUS_CANCELLED]           = "cancelled",
    [STATUS_UNKNOWN]             = "internal",
    [STATUS_INVALID_ARGUMENT]    = "invalid_request",
    [STATUS_DEADLINE_EXCEEDED]   = "upstream_timeout",
    [STATUS_NOT_FOUND]           = "not_found",
    [STATUS_ALREADY_EXISTS]      = "already_exists",
    [STATUS_PERMISSION_DENIED]   = "forbidden",
    [STATUS_RESOURCE_EXHAUSTED]  = "overloaded",
    [STATUS_FAILED_PRECONDITION] = "conflict",
    [STATUS_ABORTED]             = "conflict",
    [STATUS_OUT_OF_RANGE]        = "history_trimmed",
    [STATUS_UNIMPLEMENTED]       = "not_implemented",
    [STATUS_INTERNAL]            = "internal",
    [STATUS_UNAVAILABLE]         = "unavailable",
    [STATUS_DATA_LOSS]           = "internal",
    /* Keys of callers are checked here, by name. This is of a service that does not know us: no
     * fault of theirs. */
    [STATUS_UNAUTHENTICATED]     = "unavailable",
};
/* clang-format on */

static const struct problem_kind *find(str code)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (str_is(code, kinds[i].code)) return &kinds[i];
    }
    return NULL;
}

const struct problem_kind *problem_kind_of(str code, status status_code)
{
    const struct problem_kind *kind = code.len > 0 ? find(code) : NULL;
    if (kind) return kind;
    status known = (unsigned)status_code < STATUS_COUNT ? status_code : STATUS_UNKNOWN;
    kind         = find(str_from(defaults[known]));
    ASSERT(kind);
    return kind;
}

void problem_print(const struct problem *problem, struct buf *out)
{
    const struct problem_kind *kind = problem->kind;
    struct json_writer w            = json_writer_init(out);
    json_begin_object(&w);
    json_member(&w, "type");
    CLEANUP(buf_done) struct buf type = buf_init(PROBLEM_TYPE_MAX);
    (void)buf_printf(&type, "urn:tutti:problem:%s", kind->code);
    json_write_text(&w, buf_str(&type));
    json_put_text(&w, "title", str_from(kind->title));
    json_put_int(&w, "status", kind->http);
    json_put_text(&w, "detail", problem->detail.len > 0 ? problem->detail : str_from(kind->title));
    if (problem->instance.len > 0) json_put_text(&w, "instance", problem->instance);
    json_put_text(&w, "code", str_from(kind->code));
    json_put_text(&w, "request_id", problem->request_id);
    if (problem->trace_id.len > 0) json_put_text(&w, "trace_id", problem->trace_id);
    json_put_bool(&w, "retryable", kind->is_retryable);
    if (problem->run_error_json.len > 0) json_put_raw(&w, "run_error", problem->run_error_json);
    if (problem->tool_error_json.len > 0) json_put_raw(&w, "tool_error", problem->tool_error_json);
    if (problem->undo_json.len > 0) json_put_raw(&w, "undo", problem->undo_json);
    if (problem->findings_json.len > 0) json_put_raw(&w, "errors", problem->findings_json);
    json_end_object(&w);
}

static const char *openai_type(int http)
{
    if (http == 402) return "budget_exceeded";
    if (http == 401) return "authentication_error";
    if (http == 403) return "permission_error";
    if (http == 429) return "rate_limit_error";
    return http < 500 ? "invalid_request_error" : "server_error";
}

void problem_print_openai(const struct problem *problem, struct buf *out)
{
    const struct problem_kind *kind = problem->kind;
    struct json_writer w            = json_writer_init(out);
    json_begin_object(&w);
    json_member(&w, "error");
    json_begin_object(&w);
    json_put_text(&w, "message", problem->detail.len > 0 ? problem->detail : str_from(kind->title));
    json_put_text(&w, "type", str_from(openai_type(kind->http)));
    json_member(&w, "param");
    json_write_null(&w);
    json_put_text(&w, "code", str_from(kind->code));
    json_end_object(&w);
    json_put_text(&w, "request_id", problem->request_id);
    json_end_object(&w);
}

/* What stands for a status in two foreign APIs. */
static const struct foreign_word {
    int http;
    const char *anthropic, *gemini;
} foreign_words[] = {
    {400, "invalid_request_error", "INVALID_ARGUMENT"},
    {401, "authentication_error", "UNAUTHENTICATED"},
    {402, "billing_error", "FAILED_PRECONDITION"},
    {403, "permission_error", "PERMISSION_DENIED"},
    {404, "not_found_error", "NOT_FOUND"},
    {409, "conflict_error", "ABORTED"},
    {413, "request_too_large", "INVALID_ARGUMENT"},
    {429, "rate_limit_error", "RESOURCE_EXHAUSTED"},
    {503, "overloaded_error", "UNAVAILABLE"},
    {504, "timeout_error", "DEADLINE_EXCEEDED"},
};

static const struct foreign_word *foreign_word_of(int http)
{
    static const struct foreign_word client = {0, "invalid_request_error", "INVALID_ARGUMENT"};
    static const struct foreign_word server = {0, "api_error", "INTERNAL"};
    for (size_t i = 0; i < ARRAY_LEN(foreign_words); i++) {
        if (foreign_words[i].http == http) return &foreign_words[i];
    }
    return http < 500 ? &client : &server;
}

static str text_of(const struct problem *problem)
{
    return problem->detail.len > 0 ? problem->detail : str_from(problem->kind->title);
}

void problem_print_anthropic(const struct problem *problem, struct buf *out)
{
    struct json_writer w = json_writer_init(out);
    json_begin_object(&w);
    json_put_text(&w, "type", str_from("error"));
    json_member(&w, "error");
    json_begin_object(&w);
    json_put_text(&w, "type", str_from(foreign_word_of(problem->kind->http)->anthropic));
    json_put_text(&w, "message", text_of(problem));
    json_member(&w, "details");
    json_begin_object(&w);
    json_put_text(&w, "error_code", str_from(problem->kind->code));
    json_end_object(&w);
    json_end_object(&w);
    json_put_text(&w, "request_id", problem->request_id);
    json_end_object(&w);
}

void problem_print_gemini(const struct problem *problem, struct buf *out)
{
    struct json_writer w = json_writer_init(out);
    json_begin_object(&w);
    json_member(&w, "error");
    json_begin_object(&w);
    json_put_int(&w, "code", problem->kind->http);
    json_put_text(&w, "message", text_of(problem));
    json_put_text(&w, "status", str_from(foreign_word_of(problem->kind->http)->gemini));
    json_member(&w, "details");
    json_begin_array(&w);
    json_begin_object(&w);
    json_put_text(&w, "@type", str_from("type.googleapis.com/google.rpc.ErrorInfo"));
    json_put_text(&w, "reason", str_from(problem->kind->code));
    json_put_text(&w, "domain", str_from("tutti"));
    json_end_object(&w);
    json_end_array(&w);
    json_end_object(&w);
    json_end_object(&w);
}
