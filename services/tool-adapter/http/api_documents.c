#include "tool-adapter/http/api_documents.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "http/url.h"
#include "tool-adapter/http/errand.h"
#include "yaml/yaml.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <string.h>

enum {
    ARENA_MAX   = 1 << 20,
    KEY_MAX     = 64 << 10, /* bytes of an endpoint as JSON */
    DEPTH_MAX   = 100,
    VALUES_MAX  = 2'000'000,
    REDIRECTS   = 5,
    ORIGIN_MAX  = 512,
    DIGEST_SIZE = SHA256_SIZE * 2 + 1,
};

struct api_document_wait {
    struct document *document;
    struct api_document_wait *previous, *next;
    api_document_fn *done;
    void *context;
};

/* One that was asked for. */
struct document {
    struct api_documents *documents;
    char key[DIGEST_SIZE];
    json endpoint; /* the authorization's texts are views of it */
    struct authorization authorization;
    struct arena *arena;
    struct errand *errand; /* under way; NULL: none */
    struct api_document_wait *first;

    json description; /* JSON_INVALID: not there */
    struct buf url;   /* where it came from */
    size_t size;      /* as it came */
    int64_t ends_ms, used_ms;
};

struct api_documents {
    struct http_client *http;
    struct tokens *tokens;
    struct map *documents; /* owned, by key */
    size_t size;
};

/* --- life ------------------------------------------------------------------------------------- */

struct api_documents *api_documents_new(struct http_client *http, struct tokens *tokens)
{
    struct api_documents *documents = mem_new(1, sizeof *documents);
    documents->http                 = http;
    documents->tokens               = tokens;
    documents->documents            = map_new(API_DOCUMENTS_MAX);
    return documents;
}

static void description_drop(struct document *document)
{
    document->documents->size -= document->size;
    document->size = 0;
    json_unref(document->description);
    document->description = json_invalid();
}

static void document_free(struct document *document)
{
    while (document->first) {
        struct api_document_wait *wait = document->first;
        document->first                = wait->next;
        free(wait);
    }
    if (document->errand) errand_cancel(document->errand);
    description_drop(document);
    json_unref(document->endpoint);
    buf_done(&document->url);
    arena_free(document->arena);
    free(document);
}

void api_documents_freep(struct api_documents **ref)
{
    struct api_documents *documents = *ref;
    size_t cursor                   = 0;
    str key;
    void *value;
    if (!documents) return;
    while (map_next(documents->documents, &cursor, &key, &value)) document_free(value);
    map_free(documents->documents);
    free(documents);
    *ref = NULL;
}

/* Another than `kept`; false: all others are being fetched. */
static bool evict_one(struct api_documents *documents, const struct document *kept)
{
    struct document *oldest = NULL;
    size_t cursor           = 0;
    str key;
    void *value;
    while (map_next(documents->documents, &cursor, &key, &value)) {
        struct document *document = value;
        bool is_idle              = !document->errand && !document->first && document != kept;
        if (is_idle && (!oldest || document->used_ms < oldest->used_ms)) oldest = document;
    }
    if (!oldest) return false;
    (void)map_remove(documents->documents, str_from(oldest->key));
    document_free(oldest);
    return true;
}

/* --- the end of a fetch ----------------------------------------------------------------------- */

static void tell_all(struct document *document, status code, const struct error *error)
{
    struct api_document_wait *wait   = document->first;
    CLEANUP(json_unrefp) json view   = json_ref(document->description);
    CLEANUP(buf_done) struct buf url = buf_init(HTTP_URL_MAX);
    size_t size                      = document->size;
    (void)buf_put_str(&url, buf_str(&document->url));
    document->first = NULL;
    while (wait) { /* a callback may ask anew, and `document` may be gone then */
        struct api_document_wait *next = wait->next;
        api_document_fn *done          = wait->done;
        void *context                  = wait->context;
        if (next) next->previous = NULL;
        free(wait);
        done(code, view, buf_str(&url), size, error, context);
        wait = next;
    }
}

static status parse(str text, json *ret_value, struct error *reterr)
{
    const struct json_limits limits = {
        .depth_max = DEPTH_MAX, .values_max = VALUES_MAX, .allow_duplicate_keys = true};
    CLEANUP(yaml_freep) struct yaml_document *yaml = NULL;
    size_t blank                                   = 0;
    while (blank < text.len && (unsigned char)text.ptr[blank] <= ' ') blank++;
    if (blank < text.len && text.ptr[blank] == '{') {
        return json_parse(text, &limits, ret_value, NULL, reterr);
    }
    if (text.len > YAML_SIZE_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED,
                    "descriptions in YAML may have %d KiB; in JSON %d MiB", YAML_SIZE_MAX >> 10,
                    API_DOCUMENT_SIZE_MAX >> 20);
    }
    TRY(yaml_parse(text, NULL, &yaml, reterr));
    *ret_value = json_ref(yaml_root(yaml));
    return STATUS_OK;
}

static status code_of(int http_status)
{
    if (http_status == 401) return STATUS_UNAUTHENTICATED;
    if (http_status == 403) return STATUS_PERMISSION_DENIED;
    if (http_status == 404 || http_status == 410) return STATUS_NOT_FOUND;
    bool may_pass = http_status == 408 || http_status == 429 || http_status >= 500;
    return may_pass ? STATUS_UNAVAILABLE : STATUS_INVALID_ARGUMENT;
}

static status take(struct document *document, const struct errand_result *result,
                   struct error *reterr)
{
    const struct http_result *http      = result->http;
    CLEANUP(buf_done) struct buf origin = buf_init(ORIGIN_MAX);
    struct url parts                    = {};
    struct error why                    = {};
    if (!http) return fail(reterr, result->code, "%s", result->error.text);
    if (http->code != STATUS_OK) return fail(reterr, http->code, "%s", http->error.text);
    if (url_parse(http->answer.url, &parts)) (void)url_put_origin(&origin, &parts);
    int http_status = http->answer.http_status;
    if (http_status != 200) {
        return fail(reterr, code_of(http_status), "HTTP %d from " STR_FMT, http_status,
                    STR_ARG(buf_str(&origin)));
    }
    status code = parse(http->body, &document->description, &why);
    if (code != STATUS_OK) {
        return fail(reterr, code, "the description from " STR_FMT ": %s", STR_ARG(buf_str(&origin)),
                    why.text);
    }
    document->size = http->body.len;
    document->documents->size += document->size;
    buf_clear(&document->url);
    (void)buf_put_str(&document->url, http->answer.url);
    document->ends_ms = clock_mono_ms() + API_DOCUMENT_KEPT_MS;
    return STATUS_OK;
}

static void on_done(const struct errand_result *result, void *context)
{
    struct document *document       = context;
    struct api_documents *documents = document->documents;
    struct error error              = {};
    document->errand                = NULL;
    status code                     = take(document, result, &error);
    arena_clear(document->arena);
    while (documents->size > API_DOCUMENTS_SIZE_MAX && evict_one(documents, document)) {
    }
    tell_all(document, code, &error);
}

/* --- asking ----------------------------------------------------------------------------------- */

static status prepare(str token, struct http_request *ret_request, void *context, struct error *)
{
    static const struct http_header headers[] = {
        {{"Accept", 6}, {"application/json, application/yaml;q=0.9, */*;q=0.5", 51}, false}};
    const struct document *document = context;
    (void)token;
    *ret_request = (struct http_request){
        .method        = str_from("GET"),
        .url           = json_str(json_get_text(document->endpoint, "uri")),
        .headers       = headers,
        .header_count  = 1,
        .body_max      = API_DOCUMENT_SIZE_MAX,
        .timeouts      = {.total_ms = API_DOCUMENT_FETCH_MS},
        .redirects_max = REDIRECTS,
        .allow_private = true, /* as far as the operator's rules do */
        .is_compressed = true,
    };
    return STATUS_OK;
}

/* False: it is over already, and the document may be gone. */
static bool fetch(struct document *document)
{
    const struct errand_options options = {.http          = document->documents->http,
                                           .tokens        = document->documents->tokens,
                                           .authorization = &document->authorization,
                                           .arena         = document->arena,
                                           .prepare       = prepare,
                                           .done          = on_done,
                                           .context       = document};
    description_drop(document);
    struct errand *errand = errand_start(&options);
    if (errand) document->errand = errand;
    return errand != NULL;
}

static status key_of(json endpoint, char key[static DIGEST_SIZE], struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(KEY_MAX);
    uint8_t digest[SHA256_SIZE];
    if (!json_is(json_get_text(endpoint, "uri"), JSON_TEXT)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "its address must be a text");
    }
    if (!json_print(endpoint, JSON_SORTED, &text)) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "its address is too long");
    }
    sha256(bytes_from(buf_str(&text)), digest);
    hex_encode(digest, sizeof digest, key);
    return STATUS_OK;
}

static status document_of(struct api_documents *documents, json endpoint,
                          struct document **ret_document, struct error *reterr)
{
    struct authorization authorization = {};
    char key[DIGEST_SIZE];
    TRY(key_of(endpoint, key, reterr));
    *ret_document = map_get(documents->documents, str_from(key));
    if (*ret_document) return STATUS_OK;
    TRY(authorization_read(json_get_text(endpoint, "authentication"), &authorization, reterr));
    if (map_count(documents->documents) == API_DOCUMENTS_MAX && !evict_one(documents, NULL)) {
        return fail(reterr, STATUS_UNAVAILABLE, "too many descriptions are being fetched");
    }
    struct document *document = mem_new(1, sizeof *document);
    *document                 = (struct document){.documents     = documents,
                                                  .endpoint      = json_ref(endpoint),
                                                  .authorization = authorization,
                                                  .arena         = arena_new(ARENA_MAX),
                                                  .url           = buf_init(HTTP_URL_MAX)};
    ASSERT(document->arena);
    memcpy(document->key, key, sizeof key);
    (void)map_put(documents->documents, str_from(key), document);
    *ret_document = document;
    return STATUS_OK;
}

/* Behind the document: it may be over before it is begun, and `wait` gone. */
static struct api_document_wait *wait_for(struct document *document, api_document_fn *done,
                                          void *context)
{
    struct api_document_wait *wait = mem_new(1, sizeof *wait);
    wait->document                 = document;
    wait->next                     = document->first;
    wait->done                     = done;
    wait->context                  = context;
    if (wait->next) wait->next->previous = wait;
    document->first = wait;
    return wait;
}

struct api_document_wait *api_documents_ask(struct api_documents *documents, json endpoint,
                                            api_document_fn *done, void *context)
{
    struct document *document = NULL;
    struct error error        = {};
    int64_t now_ms            = clock_mono_ms();
    status code               = document_of(documents, endpoint, &document, &error);
    if (code != STATUS_OK) {
        done(code, json_invalid(), (str){}, 0, &error, context);
        return NULL;
    }
    document->used_ms = now_ms;
    bool is_there     = !json_is(document->description, JSON_INVALID);
    if (is_there && now_ms < document->ends_ms) {
        CLEANUP(json_unrefp) json view = json_ref(document->description);
        done(STATUS_OK, view, buf_str(&document->url), document->size, &error, context);
        return NULL;
    }
    struct api_document_wait *wait = wait_for(document, done, context);
    if (document->errand) return wait;
    return fetch(document) ? wait : NULL;
}

void api_documents_cancel(struct api_document_wait *wait)
{
    if (wait->next) wait->next->previous = wait->previous;
    *(wait->previous ? &wait->previous->next : &wait->document->first) = wait->next;
    free(wait);
}
