#include "tool-adapter/http_job.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "http/url.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
    URL_SIZE_MAX       = HTTP_URL_MAX,
    BODY_SENT_MAX      = HTTP_BODY_SENT_MAX,
    CREDENTIALS_MAX    = 8 << 10, /* bytes */
    ANSWER_DEPTH_MAX   = 64,
    ANSWER_VALUES_MAX  = 100'000,
    DETAIL_MAX         = ERROR_TEXT_MAX,
    RETRY_AFTER_MS_MAX = 86'400'000,
    KEY_SENT_MAX       = 255, /* bytes of an Idempotency-Key; a longer one goes as its SHA-256 */
    REDIRECTS          = 5,
};

/* --- arguments ---------------------------------------------------------------------------------
 */

static status wrong(struct error *reterr, const char *pointer, const char *expected)
{
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: %s", pointer, expected);
}

static status no_memory(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
}

static str text_of(json object, const char *key)
{
    json value = json_get_text(object, key);
    return json_is(value, JSON_TEXT) ? json_str(value) : (str){};
}

static status add_query(struct buf *url, json query, struct error *reterr)
{
    if (json_is(query, JSON_INVALID) || json_is(query, JSON_NULL)) return STATUS_OK;
    if (!json_is(query, JSON_OBJECT) || json_count(query) > HTTP_JOB_FIELDS_MAX) {
        return wrong(reterr, "/query", "a map of at most 100 parameters");
    }
    for (size_t i = 0; i < json_count(query); i++) {
        CLEANUP(json_unrefp) json text = json_invalid();
        json value                     = json_value_at(query, i);
        text = json_is(value, JSON_TEXT) ? json_ref(value) : json_to_text_new(value);
        if (!url_add_query(url, json_key_at(query, i), json_str(text))) return no_memory(reterr);
    }
    return STATUS_OK;
}

static status read_url(json arguments, struct arena *arena, struct http_job *job,
                       struct error *reterr)
{
    str endpoint = text_of(arguments, "endpoint");
    if (endpoint.len == 0) return wrong(reterr, "/endpoint", "a URL is required");
    CLEANUP(buf_done) struct buf url = buf_init(URL_SIZE_MAX);
    (void)buf_put_str(&url, endpoint);
    TRY(add_query(&url, json_get_text(arguments, "query"), reterr));
    struct url parts = {};
    if (url.is_full || !url_parse(buf_str(&url), &parts)) {
        return wrong(reterr, "/endpoint", "is no http or https URL");
    }
    char *copy = arena_strdup(arena, buf_str(&url));
    if (!copy) return no_memory(reterr);
    job->request.url = str_from(copy);
    return STATUS_OK;
}

struct header_list {
    struct http_header items[HTTP_JOB_FIELDS_MAX + 3]; /* and content type, authorization, key */
    size_t count;
};

static bool has_header(const struct header_list *list, const char *name)
{
    str wanted = str_from(name);
    for (size_t i = 0; i < list->count; i++) {
        str have = list->items[i].name;
        if (have.len == wanted.len && strncasecmp(have.ptr, wanted.ptr, have.len) == 0) return true;
    }
    return false;
}

static status read_headers(json headers, struct arena *arena, struct header_list *list,
                           struct error *reterr)
{
    if (json_is(headers, JSON_INVALID) || json_is(headers, JSON_NULL)) return STATUS_OK;
    if (!json_is(headers, JSON_OBJECT) || json_count(headers) > HTTP_JOB_FIELDS_MAX) {
        return wrong(reterr, "/headers", "a map of at most 100 headers");
    }
    for (size_t i = 0; i < json_count(headers); i++) {
        json value = json_value_at(headers, i);
        CLEANUP(json_unrefp)
        json text  = json_is(value, JSON_TEXT) ? json_ref(value) : json_to_text_new(value);
        char *copy = arena_strdup(arena, json_str(text));
        if (!copy) return no_memory(reterr);
        list->items[list->count++] =
            (struct http_header){.name = json_key_at(headers, i), .value = str_from(copy)};
    }
    return STATUS_OK;
}

/* RFC 7617: the base64 of user, colon, password. */
static status add_basic(json basic, struct arena *arena, struct header_list *list,
                        struct error *reterr)
{
    CLEANUP(buf_done) struct buf pair = buf_init(CREDENTIALS_MAX);
    (void)buf_put_str(&pair, text_of(basic, "username"));
    (void)buf_put_byte(&pair, ':');
    (void)buf_put_str(&pair, text_of(basic, "password"));
    static const char prefix[] = "Basic ";
    size_t size                = sizeof prefix - 1 + base64_size(pair.len) + 1;
    char *value                = pair.is_full ? NULL : arena_alloc(arena, size);
    if (!value) return no_memory(reterr);
    memcpy(value, prefix, sizeof prefix - 1);
    base64_encode(pair.ptr, pair.len, value + sizeof prefix - 1);
    list->items[list->count++] = (struct http_header){
        .name = str_from("Authorization"), .value = str_from(value), .is_secret = true};
    return STATUS_OK;
}

static status add_authentication(json authentication, struct arena *arena, struct header_list *list,
                                 struct error *reterr)
{
    json basic  = json_get_text(authentication, "basic");
    json bearer = json_get_text(authentication, "bearer");
    if (json_is(basic, JSON_OBJECT)) return add_basic(basic, arena, list, reterr);
    if (!json_is(authentication, JSON_OBJECT)) return STATUS_OK;
    if (!json_is(bearer, JSON_OBJECT)) {
        return wrong(reterr, "/authentication", "this kind is not supported yet");
    }
    const char *value = arena_printf(arena, "Bearer " STR_FMT, STR_ARG(text_of(bearer, "token")));
    if (!value) return no_memory(reterr);
    list->items[list->count++] = (struct http_header){
        .name = str_from("Authorization"), .value = str_from(value), .is_secret = true};
    return STATUS_OK;
}

static status read_body(json body, struct arena *arena, struct http_job *job,
                        struct header_list *list, struct error *reterr)
{
    if (json_is(body, JSON_INVALID)) return STATUS_OK;
    const char *type = "text/plain; charset=utf-8";
    if (json_is(body, JSON_TEXT)) {
        str text          = json_str(body);
        job->request.body = (bytes){.ptr = text.ptr, .len = text.len};
    } else {
        CLEANUP(buf_done) struct buf text = buf_init(BODY_SENT_MAX);
        char *copy                        = NULL;
        if (json_print(body, JSON_COMPACT, &text)) copy = arena_strdup(arena, buf_str(&text));
        if (!copy) return no_memory(reterr);
        job->request.body = (bytes){.ptr = copy, .len = text.len};
        type              = "application/json";
    }
    if (has_header(list, "content-type")) return STATUS_OK;
    list->items[list->count++] =
        (struct http_header){.name = str_from("Content-Type"), .value = str_from(type)};
    return STATUS_OK;
}

static status read_output(json arguments, struct http_job *job, struct error *reterr)
{
    str output   = text_of(arguments, "output");
    bool is_done = output.len == 0 || str_is(output, "content");
    if (is_done) return STATUS_OK;
    job->output = str_is(output, "raw") ? HTTP_JOB_RAW : HTTP_JOB_RESPONSE;
    if (job->output == HTTP_JOB_RAW || str_is(output, "response")) return STATUS_OK;
    return wrong(reterr, "/output", "raw, content or response");
}

static bool is_safe(str method)
{
    return str_is(method, "GET") || str_is(method, "HEAD") || str_is(method, "OPTIONS");
}

static status read_method(json arguments, struct arena *arena, struct http_job *job,
                          struct error *reterr)
{
    str method = text_of(arguments, "method");
    char *copy = arena_strdup(arena, method);
    if (!copy) return no_memory(reterr);
    if (method.len == 0) return wrong(reterr, "/method", "a method is required");
    for (size_t i = 0; i < method.len; i++) {
        if (copy[i] >= 'a' && copy[i] <= 'z') copy[i] = (char)(copy[i] - 'a' + 'A');
    }
    job->request.method        = str_from(copy);
    job->request.is_repeatable = is_safe(job->request.method);
    return STATUS_OK;
}

static bool is_plain(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~') return false;
    }
    return text.len > 0 && text.len <= KEY_SENT_MAX;
}

/* With it the other side can tell another attempt from another call. Reading needs none. */
static status add_idempotency_key(const struct http_job *job, str key, struct arena *arena,
                                  struct header_list *list, struct error *reterr)
{
    bool only_reads = str_is(job->request.method, "GET") || str_is(job->request.method, "HEAD");
    if (only_reads || key.len == 0 || has_header(list, "idempotency-key")) return STATUS_OK;
    char digest[SHA256_SIZE * 2 + 1];
    if (!is_plain(key)) {
        uint8_t hash[SHA256_SIZE];
        sha256((bytes){.ptr = (const uint8_t *)key.ptr, .len = key.len}, hash);
        hex_encode(hash, sizeof hash, digest);
        key = str_from(digest);
    }
    char *copy = arena_strdup(arena, key);
    if (!copy) return no_memory(reterr);
    list->items[list->count++] =
        (struct http_header){.name = str_from("Idempotency-Key"), .value = str_from(copy)};
    return STATUS_OK;
}

status http_job_read(json arguments, str key, struct arena *arena, struct http_job *ret_job,
                     struct error *reterr)
{
    *ret_job                 = (struct http_job){};
    struct header_list *list = arena_alloc(arena, sizeof *list);
    if (!list) return no_memory(reterr);
    TRY(read_method(arguments, arena, ret_job, reterr));
    TRY(read_url(arguments, arena, ret_job, reterr));
    TRY(read_headers(json_get_text(arguments, "headers"), arena, list, reterr));
    TRY(add_authentication(json_get_text(arguments, "authentication"), arena, list, reterr));
    TRY(read_body(json_get_text(arguments, "body"), arena, ret_job, list, reterr));
    TRY(add_idempotency_key(ret_job, key, arena, list, reterr));
    TRY(read_output(arguments, ret_job, reterr));
    ret_job->follows_redirects     = json_is_truthy(json_get_text(arguments, "redirect"));
    ret_job->request.redirects_max = ret_job->follows_redirects ? REDIRECTS : 0;
    ret_job->request.headers       = list->items;
    ret_job->request.header_count  = list->count;
    ret_job->request.body_max      = HTTP_JOB_BODY_MAX;
    ret_job->request.allow_private = true; /* as far as the operator's rules do */
    ret_job->request.is_compressed = true;
    return STATUS_OK;
}

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

static int64_t retry_after_of(const struct http_answer *answer)
{
    str value       = {};
    int64_t seconds = 0;
    if (!http_answer_header(answer, "retry-after", &value) || value.len == 0) return 0;
    for (size_t i = 0; i < value.len && i < 9; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9') return 0; /* a date: not worth a parser */
        seconds = seconds * 10 + (value.ptr[i] - '0');
    }
    return seconds * 1000 < RETRY_AFTER_MS_MAX ? seconds * 1000 : RETRY_AFTER_MS_MAX;
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
