/* Calls that fail: problem documents, in the shape of the API that they are one of. */
#include "base/diagnostic.h"
#include "base/log.h"
#include "gateway/api/api.h"
#include "gateway/api/problem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    PROBLEM_MAX      = 1 << 20, /* bytes */
    RETRY_AFTER_SIZE = 24,
    ALLOW_MAX        = 128, /* bytes */
};

/* What is wrong inside is not for people outside; the request id finds it in the log. */
static void hide_inside(const struct api_call *call, struct problem *problem)
{
    if (problem->kind->http != 500) return;
    log_write(LOG_ERROR, "a request failed", LOG_STR("request_id", str_from(call->request_id)),
              LOG_STR("operation", str_from(call->route ? call->route->operation : "")),
              LOG_STR("error.message", problem->detail));
    problem->detail        = (str){};
    problem->findings_json = (str){};
}

void api_print_problem(const struct api_call *call, const struct problem *problem, struct buf *out)
{
    switch (call->error_shape) {
    case SHAPE_PROBLEM: problem_print(problem, out); break;
    case SHAPE_OPENAI: problem_print_openai(problem, out); break;
    case SHAPE_ANTHROPIC: problem_print_anthropic(problem, out); break;
    case SHAPE_GEMINI: problem_print_gemini(problem, out); break;
    }
}

static void send_problem(struct api_call *call, struct problem *problem, int64_t retry_after_ms,
                         str allow)
{
    hide_inside(call, problem);
    call->refused_as                  = problem->kind->code;
    problem->request_id               = str_from(call->request_id);
    problem->trace_id                 = str_from(call->trace_id);
    problem->instance                 = str_from(call->path ? call->path : "");
    CLEANUP(buf_done) struct buf body = buf_init(PROBLEM_MAX);
    api_print_problem(call, problem, &body);
    struct httpd_field extra[5];
    size_t extra_count = 0;
    char seconds[RETRY_AFTER_SIZE];
    int http = problem->kind->http;
    if (retry_after_ms > 0 || http == 429 || http == 503 || http == 507) {
        (void)snprintf(seconds, sizeof seconds, "%" PRId64,
                       retry_after_ms > 1000 ? (retry_after_ms + 999) / 1000 : 1);
        extra[extra_count++] = (struct httpd_field){str_from("Retry-After"), str_from(seconds)};
    }
    /* The SDKs of model vendors ask again by themselves, as these say. */
    if (call->error_shape != SHAPE_PROBLEM) {
        extra[extra_count++] = (struct httpd_field){
            str_from("x-should-retry"), str_from(problem->kind->is_retryable ? "true" : "false")};
    }
    char milliseconds[RETRY_AFTER_SIZE];
    if (call->error_shape != SHAPE_PROBLEM && retry_after_ms > 0) {
        (void)snprintf(milliseconds, sizeof milliseconds, "%" PRId64, retry_after_ms);
        extra[extra_count++] =
            (struct httpd_field){str_from("retry-after-ms"), str_from(milliseconds)};
    }
    if (http == 401) {
        extra[extra_count++] =
            (struct httpd_field){str_from("WWW-Authenticate"), str_from("Bearer")};
    }
    if (allow.len > 0) extra[extra_count++] = (struct httpd_field){str_from("Allow"), allow};
    api_respond(call, http,
                call->error_shape == SHAPE_PROBLEM ? "application/problem+json"
                                                   : "application/json",
                buf_str(&body), extra, extra_count);
}

void api_fail(struct api_call *call, status code, const struct error *error)
{
    str name               = error && error->code ? str_from(error->code) : (str){};
    struct problem problem = {.kind   = problem_kind_of(name, code),
                              .detail = error ? str_from(error->text) : (str){}};
    send_problem(call, &problem, 0, (str){});
}

void api_fail_method(struct api_call *call, unsigned allowed)
{
    CLEANUP(buf_done) struct buf list = buf_init(ALLOW_MAX);
    method_list(allowed, &list);
    struct problem problem = {
        .kind = problem_kind_of(str_from("method_not_allowed"), STATUS_UNIMPLEMENTED)};
    send_problem(call, &problem, 0, buf_str(&list));
}

PRINTF_LIKE(4, 0)
static void send_text(struct api_call *call, struct problem *problem, int64_t retry_after_ms,
                      const char *format, va_list args)
{
    char detail[ERROR_TEXT_MAX];
    (void)vsnprintf(detail, sizeof detail, format, args);
    problem->detail = str_from(detail);
    send_problem(call, problem, retry_after_ms, (str){});
}

void api_fail_with(struct api_call *call, const char *code, str findings_json, const char *format,
                   ...)
{
    struct problem problem = {.kind          = problem_kind_of(str_from(code), STATUS_INTERNAL),
                              .findings_json = findings_json};
    va_list args;
    va_start(args, format);
    send_text(call, &problem, 0, format, args);
    va_end(args);
}

void api_fail_limited(struct api_call *call, int64_t retry_after_ms, const char *format, ...)
{
    struct problem problem = {.kind = problem_kind_of(str_from("rate_limited"), STATUS_INTERNAL)};
    va_list args;
    va_start(args, format);
    send_text(call, &problem, retry_after_ms, format, args);
    va_end(args);
}

void api_fail_run(struct api_call *call, str run_error_json, const char *format, ...)
{
    struct problem problem = {.kind = problem_kind_of(str_from("run_failed"), STATUS_INTERNAL),
                              .run_error_json = run_error_json};
    va_list args;
    va_start(args, format);
    send_text(call, &problem, 0, format, args);
    va_end(args);
}

void api_fail_tool(struct api_call *call, const struct tool_failure *failure)
{
    struct problem problem = {.kind   = problem_kind_of(str_from(failure->code), STATUS_INTERNAL),
                              .detail = failure->detail,
                              .tool_error_json = failure->error_json,
                              .undo_json       = failure->undo_json};
    send_problem(call, &problem, failure->retry_after_ms, (str){});
}

/* Details of an error are a JSON array of findings, made by the service that refused. */
static str findings_of(const struct rpc_answer *answer)
{
    str details = {.ptr = answer->details_json.ptr, .len = answer->details_json.len};
    return details.len > 0 && details.ptr[0] == '[' ? details : (str){};
}

/* Names of sockets say nothing to a client; what to do does. */
static str detail_of(const struct rpc_answer *answer)
{
    str code = str_from(answer->error_code);
    if (str_is(code, RPC_NOT_SENT)) {
        return str_from("the scheduler is not there at the moment, perhaps it starts again: "
                        "nothing was done; try again in a second (`tutti doctor` says more)");
    }
    if (str_is(code, RPC_ANSWER_LOST)) {
        return str_from("the scheduler was lost before it answered: this may or may not have been "
                        "done; look, or repeat it with the same Idempotency-Key");
    }
    return str_from(answer->detail);
}

void api_fail_answer(struct api_call *call, const struct rpc_answer *answer)
{
    struct problem problem = {
        .kind          = problem_kind_of(str_from(answer->error_code), answer->code),
        .detail        = detail_of(answer),
        .findings_json = findings_of(answer),
    };
    send_problem(call, &problem, answer->retry_after_ms, (str){});
}
