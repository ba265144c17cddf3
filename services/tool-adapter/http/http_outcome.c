/* What became of a `call: http`: the answer as output or error. */
#include "tool-adapter/http/http_job.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "http/http_date.h"
#include "http/url.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <strings.h>

enum {
    ANSWER_DEPTH_MAX   = 64,
    ANSWER_VALUES_MAX  = 100'000,
    DETAIL_MAX         = ERROR_TEXT_MAX,
    RETRY_AFTER_MS_MAX = 86'400'000,
    DIGITS_MAX         = 9,
};

/* --- failures ----------------------------------------------------------------------------------
 */

static enum error_kind kind_of_failure(enum http_failure failure)
{
    switch (failure) {
    case HTTP_REFUSED: return ERROR_AUTHORIZATION;
    case HTTP_TIMEOUT_CONNECT:
    case HTTP_TIMEOUT_FIRST_BYTE:
    case HTTP_TIMEOUT_IDLE:
    case HTTP_TIMEOUT_TOTAL: return ERROR_TIMEOUT;
    case HTTP_TOO_LARGE:
    case HTTP_REDIRECTS: return ERROR_RUNTIME;
    default: return ERROR_COMMUNICATION;
    }
}

static bool is_transient_failure(enum http_failure failure)
{
    switch (failure) {
    case HTTP_REFUSED:
    case HTTP_TLS:
    case HTTP_TOO_LARGE:
    case HTTP_REDIRECTS:
    case HTTP_STOPPED: return false;
    default: return true;
    }
}

static void fail_transfer(const struct http_job *job, const struct http_result *http,
                          struct http_job_result *result)
{
    /* A write that may have arrived is not repeated just because its answer did not come back. */
    result->is_unknown   = http->was_sent && !job->request.is_repeatable;
    result->is_transient = is_transient_failure(http->failure) && !result->is_unknown;
    result->value =
        error_new(kind_of_failure(http->failure), 0, str_from(http->error.text), (str){});
}

static enum error_kind kind_of_status(int http_status)
{
    if (http_status == 401) return ERROR_AUTHENTICATION;
    if (http_status == 403) return ERROR_AUTHORIZATION;
    if (http_status == 408 || http_status == 504) return ERROR_TIMEOUT;
    return ERROR_COMMUNICATION;
}

static bool is_transient_status(int http_status)
{
    return http_status == 408 || http_status == 425 || http_status == 429 || http_status == 500 ||
           http_status == 502 || http_status == 503 || http_status == 504;
}

static bool header_date(const struct http_answer *answer, const char *name, int64_t *ret_unix_s)
{
    str value = {};
    return http_answer_header(answer, name, &value) && http_date_read(value, ret_unix_s);
}

/* Seconds, or a date, which is read against the answer's own: their clock need not be ours. */
static int64_t retry_after_of(const struct http_answer *answer)
{
    str value       = {};
    int64_t seconds = 0;
    int64_t until_s = 0;
    int64_t now_s   = 0;
    if (!http_answer_header(answer, "retry-after", &value) || value.len == 0) return 0;
    if (header_date(answer, "retry-after", &until_s)) {
        if (!header_date(answer, "date", &now_s)) now_s = clock_unix_us() / 1'000'000;
        seconds = until_s > now_s ? until_s - now_s : 0;
    } else {
        for (size_t i = 0; i < value.len && i < DIGITS_MAX; i++) {
            if (value.ptr[i] < '0' || value.ptr[i] > '9') return 0;
            seconds = seconds * 10 + (value.ptr[i] - '0');
        }
    }
    return seconds < RETRY_AFTER_MS_MAX / 1000 ? seconds * 1000 : RETRY_AFTER_MS_MAX;
}

static void fail_status(const struct http_job *job, const struct http_result *http,
                        struct http_job_result *result)
{
    int http_status                   = http->answer.http_status;
    struct url parts                  = {};
    CLEANUP(buf_done) struct buf text = buf_init(DETAIL_MAX);
    (void)buf_printf(&text, "HTTP %d from " STR_FMT " ", http_status, STR_ARG(job->request.method));
    if (url_parse(http->answer.url, &parts)) (void)url_put_origin(&text, &parts);
    result->value =
        error_new(kind_of_status(http_status), (uint32_t)http_status, buf_str(&text), (str){});
    result->is_transient   = is_transient_status(http_status);
    result->retry_after_ms = retry_after_of(&http->answer);
    bool says_later        = http_status == 429 || http_status == 503;
    result->wants_rest     = says_later && result->retry_after_ms > 0;
    result->is_failing     = http_status == 503;
}

/* --- output ------------------------------------------------------------------------------------
 */

static bool is_json(const struct http_answer *answer)
{
    str type = {};
    if (!http_answer_header(answer, "content-type", &type)) return false;
    const char *end = memchr(type.ptr, ';', type.len);
    str media       = str_slice(type, 0, end ? (size_t)(end - type.ptr) : type.len);
    while (media.len > 0 && media.ptr[media.len - 1] == ' ') media.len--;
    static const char plain[] = "application/json";
    static const char plus[]  = "+json";
    if (media.len == sizeof plain - 1 && strncasecmp(media.ptr, plain, media.len) == 0) return true;
    return media.len > sizeof plus - 1 &&
           strncasecmp(media.ptr + media.len - (sizeof plus - 1), plus, sizeof plus - 1) == 0;
}

static json content_new(const struct http_result *http)
{
    const struct json_limits limits = {.depth_max            = ANSWER_DEPTH_MAX,
                                       .values_max           = ANSWER_VALUES_MAX,
                                       .allow_duplicate_keys = true};
    json value                      = json_invalid();
    if (http->body.len == 0) return json_null();
    if (is_json(&http->answer) &&
        json_parse(http->body, &limits, &value, NULL, NULL) == STATUS_OK) {
        return value;
    }
    return json_text_lossy(http->body); /* what calls itself JSON and is not stays text */
}

static json raw_new(str body)
{
    size_t size = base64_size(body.len);
    char *text  = mem_new(1, size + 1);
    base64_encode(body.ptr, body.len, text);
    json value = json_text_new((str){.ptr = text, .len = size});
    free(text);
    return value;
}

static json headers_new(const struct http_header *headers, size_t count)
{
    json object = json_object_new(count);
    for (size_t i = 0; i < count; i++) {
        if (headers[i].is_secret) continue;
        json_object_put(&object, headers[i].name, json_text_lossy(headers[i].value));
    }
    return object;
}

static json response_new(const struct http_job *job, const struct http_result *http)
{
    json request = json_object_new(3);
    json_object_put_text(&request, "method", json_text_lossy(job->request.method));
    json_object_put_text(&request, "uri", json_text_lossy(job->request.url));
    json_object_put_text(&request, "headers",
                         headers_new(job->request.headers, job->request.header_count));
    json response = json_object_new(4);
    json_object_put_text(&response, "request", request);
    json_object_put_text(&response, "statusCode", json_int(http->answer.http_status));
    json_object_put_text(&response, "headers",
                         headers_new(http->answer.headers, http->answer.header_count));
    json_object_put_text(&response, "content", content_new(http));
    return response;
}

static json output_new(const struct http_job *job, const struct http_result *http)
{
    switch (job->output) {
    case HTTP_JOB_RAW: return raw_new(http->body);
    case HTTP_JOB_RESPONSE: return response_new(job, http);
    case HTTP_JOB_CONTENT: return content_new(http);
    }
    return json_null();
}

void http_job_finish(const struct http_job *job, const struct http_result *http,
                     struct http_job_result *ret_result)
{
    *ret_result     = (struct http_job_result){};
    int http_status = http->answer.http_status;
    int status_max  = job->follows_redirects ? 399 : 299;
    if (http->code != STATUS_OK) {
        fail_transfer(job, http, ret_result);
    } else if (http_status < 200 || http_status > status_max) {
        fail_status(job, http, ret_result);
    } else {
        ret_result->is_ok = true;
        ret_result->value = output_new(job, http);
    }
}
