#include "tool-adapter/peers/verdict.h"

#include "tool-adapter/http/job_report.h"
#include "tool-adapter/peers/rpc_reply.h"

enum { DETAIL_MAX = 1'000 };

static bool is_ill_status(int http_status)
{
    return http_status == 408 || http_status == 429 || (http_status >= 500 && http_status <= 599);
}

/* It says that it did nothing. */
static bool says_later(int http_status)
{
    return http_status == 429 || http_status == 503;
}

static enum error_kind kind_of_status(int http_status)
{
    if (http_status == 401) return ERROR_AUTHENTICATION;
    return http_status == 403 ? ERROR_AUTHORIZATION : ERROR_COMMUNICATION;
}

static void judge_status(const struct verdict_facts *facts, struct http_job_result *result)
{
    int http_status      = facts->http_status;
    bool is_ill          = is_ill_status(http_status);
    result->is_unknown   = is_ill && facts->is_write && !says_later(http_status);
    result->is_transient = is_ill && !result->is_unknown;
    result->is_failing   = http_status == 503;
    result->wants_rest   = says_later(http_status) && facts->wait_ms > 0;
    if (says_later(http_status)) result->retry_after_ms = facts->wait_ms;
}

static void judge_silence(const struct verdict_facts *facts, struct http_job_result *result)
{
    bool is_too_large = facts->code == STATUS_RESOURCE_EXHAUSTED && facts->was_sent;
    bool may_pass =
        !is_too_large && (status_is_transient(facts->code) || facts->code == STATUS_DATA_LOSS);
    result->is_unknown   = facts->was_sent && facts->is_write;
    result->is_transient = may_pass && !result->is_unknown;
}

void verdict_of(const struct verdict_facts *facts, struct http_job_result *ret_result)
{
    CLEANUP(buf_done) struct buf text = buf_init(DETAIL_MAX);
    bool is_rpc                       = json_is(facts->error, JSON_OBJECT);
    bool has_status =
        facts->http_status != 0 && (facts->http_status < 200 || facts->http_status > 299);
    enum error_kind kind = ERROR_RUNTIME;
    *ret_result          = (struct http_job_result){};
    if (is_rpc) rpc_error_put(facts->error, &text);
    if (!is_rpc) (void)buf_put_text(&text, facts->why);
    if (has_status && (!is_rpc || is_ill_status(facts->http_status) ||
                       kind_of_status(facts->http_status) != ERROR_COMMUNICATION)) {
        kind = kind_of_status(facts->http_status);
        judge_status(facts, ret_result);
    } else if (!is_rpc) {
        kind = job_error_kind(facts->code);
        if (facts->code == STATUS_DATA_LOSS) kind = ERROR_COMMUNICATION;
        if (facts->code == STATUS_RESOURCE_EXHAUSTED) kind = ERROR_RUNTIME;
        judge_silence(facts, ret_result);
    }
    if (ret_result->is_unknown) {
        ret_result->value = error_own_new(
            "unknown-outcome", 504, "Nobody knows whether it was done", buf_str(&text), (str){});
        return;
    }
    bool shows_status = kind == ERROR_COMMUNICATION && facts->http_status >= 300;
    ret_result->value =
        error_new(kind, shows_status ? (uint32_t)facts->http_status : 0, buf_str(&text), (str){});
}
