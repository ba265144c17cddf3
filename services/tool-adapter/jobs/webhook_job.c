#include "tool-adapter/jobs/webhook_job.h"

#include "base/buf.h"
#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { HEADERS_MAX = 12, SIGNED_MAX = 4 << 20 /* bytes */, ANSWER_MAX = 64 << 10 };

static status text_of(json input, const char *name, str *ret_text, struct error *reterr)
{
    json value = json_get_text(input, name);
    if (!json_is(value, JSON_TEXT)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "webhook.deliver: `%s` is missing", name);
    }
    *ret_text = json_str(value);
    return STATUS_OK;
}

/* "v1," and the signature. */
static status sign(str secret, str id, str timestamp, str body, struct arena *arena,
                   str *ret_signature, struct error *reterr)
{
    uint8_t key[WEBHOOK_SECRET_MAX];
    uint8_t digest[SHA256_SIZE];
    size_t key_size                   = 0;
    CLEANUP(buf_done) struct buf text = buf_init(SIGNED_MAX);
    if (secret.len > 4 * WEBHOOK_SECRET_MAX / 3 || !base64_decode(secret, key, &key_size)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "webhook.deliver: the secret is no base64");
    }
    (void)buf_put_str(&text, id);
    (void)buf_put_byte(&text, '.');
    (void)buf_put_str(&text, timestamp);
    (void)buf_put_byte(&text, '.');
    (void)buf_put_str(&text, body);
    hmac_sha256((bytes){key, key_size}, bytes_from(buf_str(&text)), digest);
    explicit_bzero(key, sizeof key);
    char *signature = arena_alloc(arena, base64_size(SHA256_SIZE) + 4);
    if (!signature || text.is_full) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "webhook.deliver: the event is too large");
    }
    (void)snprintf(signature, sizeof "v1,", "v1,");
    base64_encode(digest, SHA256_SIZE, signature + 3);
    *ret_signature = (str){signature, base64_size(SHA256_SIZE) + 3};
    return STATUS_OK;
}

static status put_attributes(json input, struct http_header *headers, size_t *count,
                             struct error *reterr)
{
    static const char *const names[][2] = {
        {"id", "ce-id"},           {"type", "ce-type"}, {"source", "ce-source"},
        {"subject", "ce-subject"}, {"time", "ce-time"},
    };
    headers[(*count)++] = (struct http_header){str_from("ce-specversion"), str_from("1.0"), false};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        str value = {};
        TRY(text_of(input, names[i][0], &value, reterr));
        headers[(*count)++] = (struct http_header){str_from(names[i][1]), value, false};
    }
    json iteration = json_get_text(input, "iteration");
    if (json_is(iteration, JSON_TEXT)) {
        headers[(*count)++] =
            (struct http_header){str_from("ce-iteration"), json_str(iteration), false};
    }
    return STATUS_OK;
}

status webhook_job_read(json input, int64_t now_us, struct arena *arena, struct http_job *ret_job,
                        struct error *reterr)
{
    str url       = {};
    str secret    = {};
    str id        = {};
    str body      = {};
    str signature = {};
    TRY(text_of(input, "url", &url, reterr));
    TRY(text_of(input, "secret", &secret, reterr));
    TRY(text_of(input, "id", &id, reterr));
    TRY(text_of(input, "data", &body, reterr));
    const char *stamp           = arena_printf(arena, "%" PRId64, now_us / 1'000'000);
    struct http_header *headers = arena_alloc(arena, HEADERS_MAX * sizeof *headers);
    if (!stamp || !headers) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    TRY(sign(secret, id, str_from(stamp), body, arena, &signature, reterr));

    size_t count = 0;
    headers[count++] =
        (struct http_header){str_from("content-type"), str_from("application/json"), false};
    headers[count++] = (struct http_header){str_from("webhook-id"), id, false};
    headers[count++] = (struct http_header){str_from("webhook-timestamp"), str_from(stamp), false};
    headers[count++] = (struct http_header){str_from("webhook-signature"), signature, false};
    TRY(put_attributes(input, headers, &count, reterr));
    *ret_job = (struct http_job){
        .request = {.method        = str_from("POST"),
                    .url           = url,
                    .headers       = headers,
                    .header_count  = count,
                    .body          = bytes_from(body),
                    .body_max      = ANSWER_MAX,
                    .timeouts      = {.total_ms = WEBHOOK_TIMEOUT_MS},
                    .allow_private = true}, /* those that the operator allows */
    };
    return STATUS_OK;
}

void webhook_job_finish(const struct http_result *http, struct http_job_result *ret_result)
{
    int status_code = http->answer.http_status;
    bool is_ok      = http->code == STATUS_OK && status_code >= 200 && status_code < 300;
    *ret_result     = (struct http_job_result){.is_ok = is_ok, .value = json_null()};
    if (is_ok) return;
    char detail[ERROR_TEXT_MAX + 64];
    if (http->code == STATUS_OK) {
        (void)snprintf(detail, sizeof detail, "the target answered %d", status_code);
    } else {
        (void)snprintf(detail, sizeof detail, "%s", http->error.text);
    }
    ret_result->value =
        error_new(ERROR_COMMUNICATION, http->code == STATUS_OK ? (uint32_t)status_code : 0,
                  str_from(detail), (str){});
}
