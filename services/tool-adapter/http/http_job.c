#include "tool-adapter/http/http_job.h"

#include "base/buf.h"
#include "base/hash.h"
#include "http/multipart.h"
#include "http/url.h"
#include "tool-adapter/http/form_data.h"
#include "json/json_text.h"

#include <strings.h>

enum {
    URL_SIZE_MAX  = HTTP_URL_MAX,
    BODY_SENT_MAX = HTTP_BODY_SENT_MAX,
    KEY_SENT_MAX  = 255, /* bytes of an Idempotency-Key; a longer one goes as its SHA-256 */
    REDIRECTS     = 5,
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

/* NULL: there is none of that name. */
static struct http_header *find_header(struct header_list *list, const char *name)
{
    str wanted = str_from(name);
    for (size_t i = 0; i < list->count; i++) {
        str have   = list->items[i].name;
        bool is_it = have.len == wanted.len && strncasecmp(have.ptr, wanted.ptr, have.len) == 0;
        if (is_it) return &list->items[i];
    }
    return NULL;
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

/* "application/x-www-form-urlencoded; ...". */
static bool is_form(str type)
{
    static const char form[] = "application/x-www-form-urlencoded";
    const size_t len         = sizeof form - 1;
    return type.len >= len && strncasecmp(type.ptr, form, len) == 0;
}

static bool put_pair(struct buf *form, str name, json value)
{
    CLEANUP(json_unrefp) json text = json_invalid();
    if (json_is(value, JSON_NULL)) return true;
    text = json_is(value, JSON_TEXT) ? json_ref(value) : json_to_text_new(value);
    if (form->len > 0) (void)buf_put_byte(form, '&');
    (void)url_encode(form, name);
    (void)buf_put_byte(form, '=');
    return url_encode(form, json_str(text));
}

/* A map as a form: a list repeats its name, null is left out, anything deeper goes as JSON. */
static bool put_form(struct buf *form, json body)
{
    for (size_t i = 0; i < json_count(body); i++) {
        str name    = json_key_at(body, i);
        json value  = json_value_at(body, i);
        bool is_set = true;
        if (!json_is(value, JSON_ARRAY)) is_set = put_pair(form, name, value);
        for (size_t k = 0; json_is(value, JSON_ARRAY) && k < json_count(value); k++) {
            is_set = is_set && put_pair(form, name, json_at(value, k));
        }
        if (!is_set) return false;
    }
    return true;
}

/* What is no text, as `type` says; it may say more of it then. */
static status put_body(json body, const struct file_set *files, struct arena *arena,
                       struct http_header *type, struct buf *out, struct error *reterr)
{
    bool is_map = json_is(body, JSON_OBJECT) && type;
    if (is_map && multipart_is_form(type->value)) {
        char written[FORM_DATA_TYPE_SIZE];
        TRY(form_data_write(body, files, out, written, reterr));
        char *copy = arena_strdup(arena, str_from(written));
        if (!copy) return no_memory(reterr);
        type->value = str_from(copy);
        return STATUS_OK;
    }
    bool is_made =
        is_map && is_form(type->value) ? put_form(out, body) : json_print(body, JSON_COMPACT, out);
    return is_made ? STATUS_OK : no_memory(reterr);
}

static status read_body(json body, const struct file_set *files, struct arena *arena,
                        struct http_job *job, struct header_list *list, struct error *reterr)
{
    struct http_header *header = find_header(list, "content-type");
    const char *type           = "text/plain; charset=utf-8";
    if (json_is(body, JSON_INVALID)) return STATUS_OK;
    if (json_is(body, JSON_TEXT)) {
        str text          = json_str(body);
        job->request.body = (bytes){.ptr = text.ptr, .len = text.len};
    } else {
        CLEANUP(buf_done) struct buf text = buf_init(BODY_SENT_MAX);
        TRY(put_body(body, files, arena, header, &text, reterr));
        char *copy = arena_strdup(arena, buf_str(&text));
        if (!copy) return no_memory(reterr);
        job->request.body = (bytes){.ptr = copy, .len = text.len};
        type              = "application/json";
    }
    if (header) return STATUS_OK;
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
    if (only_reads || key.len == 0 || find_header(list, "idempotency-key")) return STATUS_OK;
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

size_t http_job_files(json arguments, str ret_ids[FILE_SET_MAX + 1])
{
    static const char name[] = "content-type";
    json headers             = json_get_text(arguments, "headers");
    for (size_t i = 0; json_is(headers, JSON_OBJECT) && i < json_count(headers); i++) {
        str key    = json_key_at(headers, i);
        json value = json_value_at(headers, i);
        bool is_it = key.len == sizeof name - 1 && strncasecmp(key.ptr, name, key.len) == 0;
        if (!is_it || !json_is(value, JSON_TEXT) || !multipart_is_form(json_str(value))) continue;
        return form_data_files(json_get_text(arguments, "body"), ret_ids);
    }
    return 0;
}

status http_job_read(json arguments, str key, const struct file_set *files, struct arena *arena,
                     struct http_job *ret_job, struct error *reterr)
{
    *ret_job                 = (struct http_job){};
    struct header_list *list = arena_alloc(arena, sizeof *list);
    if (!list) return no_memory(reterr);
    TRY(read_method(arguments, arena, ret_job, reterr));
    TRY(read_url(arguments, arena, ret_job, reterr));
    TRY(read_headers(json_get_text(arguments, "headers"), arena, list, reterr));
    TRY(read_body(json_get_text(arguments, "body"), files, arena, ret_job, list, reterr));
    TRY(add_idempotency_key(ret_job, key, arena, list, reterr));
    TRY(read_output(arguments, ret_job, reterr));
    ret_job->follows_redirects     = json_is_truthy(json_get_text(arguments, "redirect"));
    ret_job->request.redirects_max = ret_job->follows_redirects ? REDIRECTS : 0;
    ret_job->headers               = list->items;
    ret_job->request.headers       = list->items;
    ret_job->request.header_count  = list->count;
    ret_job->request.body_max      = HTTP_JOB_BODY_MAX;
    ret_job->request.allow_private = true; /* as far as the operator's rules do */
    ret_job->request.is_compressed = true;
    return STATUS_OK;
}
