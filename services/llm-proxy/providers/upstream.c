#include "llm-proxy/providers/upstream.h"

#include "base/assert.h"
#include "base/hash.h"
#include "http/url.h"
#include "llm-proxy/chat/embed_text.h"
#include "json/json_text.h"

#include <stdio.h>

enum {
    ANSWER_DEPTH_MAX  = 64,
    ANSWER_VALUES_MAX = 1'000'000,
    SEGMENT_MAX       = 4 << 10, /* bytes */
    NAME_SHOWN_MAX    = 64,      /* bytes */
    ID_BYTES          = 12,      /* of a digest, in an id */
};

/* --- request -----------------------------------------------------------------------------------
 */

static status no_memory(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
}

status upstream_post(const char *url, str body, struct arena *arena, struct http_request *ret_http,
                     struct error *reterr)
{
    char *copy                  = arena_strdup(arena, body);
    struct http_header *headers = arena_alloc(arena, UPSTREAM_HEADERS_MAX * sizeof *headers);
    if (!url || !copy || !headers) return no_memory(reterr);
    headers[0] = (struct http_header){.name  = str_from("Content-Type"),
                                      .value = str_from("application/json")};
    *ret_http  = (struct http_request){
         .method        = str_from("POST"),
         .url           = str_from(url),
         .headers       = headers,
         .header_count  = 1,
         .body          = {.ptr = copy, .len = body.len},
         .body_max      = UPSTREAM_ANSWER_MAX,
         .is_compressed = true,
    };
    return STATUS_OK;
}

status upstream_segment(str model, struct arena *arena, const char **ret_segment,
                        struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(SEGMENT_MAX);
    bool is_segment = model.len > 0 && !str_is(model, ".") && !str_is(model, "..");
    if (!is_segment || !url_encode(&text, model)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`" STR_FMT "` is no name of a model",
                    STR_ARG(str_slice(model, 0, NAME_SHOWN_MAX)));
    }
    *ret_segment = arena_strdup(arena, buf_str(&text));
    return *ret_segment ? STATUS_OK : no_memory(reterr);
}

status upstream_get(const char *url, struct arena *arena, struct http_request *ret_http,
                    struct error *reterr)
{
    struct http_header *headers = arena_alloc(arena, UPSTREAM_HEADERS_MAX * sizeof *headers);
    if (!url || !headers) return no_memory(reterr);
    *ret_http =
        (struct http_request){.url = str_from(url), .headers = headers, .is_compressed = true};
    return STATUS_OK;
}

status upstream_add_header(struct http_request *http, const char *name, str value,
                           struct arena *arena, struct error *reterr)
{
    ASSERT(http->header_count < UPSTREAM_HEADERS_MAX);
    char *copy = arena_strdup(arena, value);
    if (!copy) return no_memory(reterr);
    /* The array is ours: upstream_post() has made it. */
    struct http_header *headers = (struct http_header *)(uintptr_t)http->headers;
    headers[http->header_count++] =
        (struct http_header){.name = str_from(name), .value = {.ptr = copy, .len = value.len}};
    return STATUS_OK;
}

status upstream_add_key(const struct provider_request *what, const char *name,
                        struct http_request *http, struct arena *arena, struct error *reterr)
{
    if (!what->key) return STATUS_OK;
    const char *value = arena_strdup(arena, what->key->value);
    if (what->provider->key_header) name = what->provider->key_header;
    if (!name) {
        name  = "Authorization";
        value = arena_printf(arena, "Bearer " STR_FMT, STR_ARG(what->key->value));
    }
    if (!value) return no_memory(reterr);
    TRY(upstream_add_header(http, name, str_from(value), arena, reterr));
    struct http_header *headers               = (struct http_header *)(uintptr_t)http->headers;
    headers[http->header_count - 1].is_secret = true;
    return STATUS_OK;
}

/* --- answer ------------------------------------------------------------------------------------
 */

bool upstream_parse(str body, json *ret_body)
{
    const struct json_limits limits = {.depth_max            = ANSWER_DEPTH_MAX,
                                       .values_max           = ANSWER_VALUES_MAX,
                                       .allow_duplicate_keys = true};
    return json_parse(body, &limits, ret_body, NULL, NULL) == STATUS_OK;
}

void upstream_send_error(const struct llm_error *error, llm_sink *sink, void *context)
{
    const struct llm_event event = {.kind = LLM_ERROR, .error = *error};
    const struct llm_event end   = {.kind = LLM_END, .end = END_CUT};
    sink(&event, context);
    sink(&end, context);
}

void upstream_send_malformed(llm_sink *sink, void *context)
{
    const struct llm_error error = {.class       = LLM_ERROR_CONNECT,
                                    .http_status = 200,
                                    .text        = str_from("the upstream's answer is malformed")};
    upstream_send_error(&error, sink, context);
}

bool upstream_send_failure(const struct http_result *result, llm_sink *sink, void *context)
{
    if (result->code == STATUS_OK) return false;
    const struct llm_error error = provider_transfer_error(result);
    upstream_send_error(&error, sink, context);
    return true;
}

void upstream_send_piece(enum llm_event_kind kind, uint32_t choice, uint32_t part, str text,
                         llm_sink *sink, void *context)
{
    if (text.len == 0) return;
    const struct llm_event event = {.kind = kind, .choice = choice, .part = part, .bytes = text};
    sink(&event, context);
}

/* float32, little endian, as in memory. */
static bool put_base64(str text, struct buf *out)
{
    size_t size = 0;
    char *place = text.len / 4 * 3 > out->len_max ? NULL : buf_reserve(out, text.len / 4 * 3 + 1);
    if (!place || !base64_decode(text, place, &size) || size % sizeof(float) != 0) return false;
    buf_commit(out, size);
    return true;
}

static bool put_numbers(json numbers, struct buf *out)
{
    if (!json_is(numbers, JSON_ARRAY)) return false;
    for (size_t i = 0; i < json_count(numbers); i++) {
        json number = json_at(numbers, i);
        if (!json_is_number(number)) return false;
        float value = (float)json_number(number);
        if (!buf_put(out, &value, sizeof value)) return false;
    }
    return true;
}

bool upstream_send_vector(json vector, llm_sink *sink, void *context)
{
    CLEANUP(buf_done) struct buf raw = buf_init(EMBED_DIMENSIONS_MAX * sizeof(float) + 1);
    bool is_text                     = json_is(vector, JSON_TEXT);
    bool is_put = is_text ? put_base64(json_str(vector), &raw) : put_numbers(vector, &raw);
    if (!is_put) return false;
    const struct llm_event event = {.kind = LLM_VECTOR, .bytes = buf_str(&raw)};
    sink(&event, context);
    return raw.len > 0;
}

void upstream_mint_id(str answer, str name, str args, uint32_t choice, uint32_t part,
                      char ret_id[static UPSTREAM_ID_SIZE])
{
    const uint32_t place[] = {choice, part};
    const bytes parts[]    = {
           bytes_from(answer), bytes_from(name), bytes_from(args), {place, sizeof place}};
    uint8_t digest[SHA256_SIZE];
    char text[2 * ID_BYTES + 1];
    sha256_parts(parts, ARRAY_LEN(parts), digest);
    hex_encode(digest, ID_BYTES, text);
    (void)snprintf(ret_id, UPSTREAM_ID_SIZE, "call_%s", text);
}

bool upstream_put_arguments(struct json_writer *w, const char *key, str arguments)
{
    CLEANUP(json_unrefp) json value = json_invalid();
    bool is_empty                   = arguments.len == 0;
    bool is_object = !is_empty && json_parse(arguments, NULL, &value, NULL, NULL) == STATUS_OK &&
                     json_is(value, JSON_OBJECT);
    json_member(w, key);
    if (is_object) {
        json_write_value(w, value);
        return true;
    }
    json_begin_object(w);
    if (!is_empty) json_put_text(w, "_invalid", arguments);
    json_end_object(w);
    return is_empty;
}
