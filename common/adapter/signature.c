#include "adapter/signature.h"

#include "adapter/credentials.h"
#include "adapter/jwt.h"
#include "adapter/sigv4.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/private_key.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    SECOND_US         = 1'000'000,
    SECOND_MS         = 1'000,
    KEEP_UNTIL_US     = 60 * SECOND_US, /* before its end */
    SIGNED_MAX        = 12 << 20,       /* bytes of a text that is signed */
    HEADER_MAX        = 16 << 10,       /* bytes */
    PRESIGN_EXPIRES_S = 900,
};

static const char hidden[] = "***";

/* Requests are signed when they leave; a dry run leaves when its job was made. */
static int64_t time_us(const struct outgoing_source *source)
{
    return source->now_us > 0 ? source->now_us : scope_now_us(source->scope);
}

static bool is_hidden(const struct secret_source *secrets)
{
    return secrets && secrets->is_hidden;
}

static status too_large(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
}

/* `*ret_value` is owned, a text. */
static status eval_text(const struct formula *formula, json scope, const char *what,
                        json *ret_value, struct error *reterr)
{
    struct error error              = {};
    CLEANUP(json_unrefp) json value = json_invalid();
    status code = formula_eval(formula, scope, scope_now_us(scope), &value, &error);
    if (code != STATUS_OK) return fail(reterr, code, "`%s`: %s", what, error.text);
    if (!json_is(value, JSON_TEXT)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`%s` yields no text", what);
    }
    *ret_value = json_take(&value);
    return STATUS_OK;
}

/* --- jwt -------------------------------------------------------------------------------------- */

static status decode_key(const struct manifest_auth *auth, str secret, struct buf *out,
                         struct error *reterr)
{
    size_t size  = secret.len / 2;
    char *to     = buf_reserve(out, secret.len + 1);
    bool is_good = to != NULL;
    switch (auth->secret_form) {
    case SECRET_TEXT:
    case SECRET_PEM: return buf_put_str(out, secret) ? STATUS_OK : too_large(reterr);
    case SECRET_HEX: is_good = is_good && hex_decode(secret, to, size); break;
    case SECRET_BASE64: is_good = is_good && base64_decode(secret, to, &size); break;
    }
    if (!is_good) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "the secret `%s` is not what its "
                    "`secret_format` says",
                    auth->secret);
    }
    buf_commit(out, size);
    return STATUS_OK;
}

static status claims_new(const struct manifest_auth *auth, json scope, int64_t now_us,
                         json *ret_claims, struct error *reterr)
{
    struct error error               = {};
    CLEANUP(json_unrefp) json given  = json_invalid();
    CLEANUP(json_unrefp) json claims = json_object_new(8);
    json_object_put_text(&claims, "iat", json_int(now_us / SECOND_US));
    json_object_put_text(&claims, "exp", json_int(now_us / SECOND_US + auth->ttl_ms / SECOND_MS));
    status code = auth->claims
                      ? formula_eval(auth->claims, scope, scope_now_us(scope), &given, &error)
                      : STATUS_OK;
    if (code != STATUS_OK) return fail(reterr, code, "`auth.claims`: %s", error.text);
    for (size_t i = 0; i < json_count(given); i++) {
        json_object_put(&claims, json_key_at(given, i), json_ref(json_value_at(given, i)));
    }
    *ret_claims = json_take(&claims);
    return STATUS_OK;
}

static status token_make(const struct manifest_auth *auth, const struct outgoing_source *source,
                         str secret, struct buf *out, struct error *reterr)
{
    CLEANUP(json_unrefp) json header = json_invalid();
    CLEANUP(json_unrefp) json claims = json_invalid();
    CLEANUP(buf_done) struct buf key = buf_init(PRIVATE_KEY_PEM_MAX);
    struct error error               = {};
    if (auth->header) {
        status code =
            formula_eval(auth->header, source->scope, scope_now_us(source->scope), &header, &error);
        if (code != STATUS_OK) return fail(reterr, code, "`auth.header`: %s", error.text);
    }
    TRY(claims_new(auth, source->scope, time_us(source), &claims, reterr));
    TRY(decode_key(auth, secret, &key, reterr));
    const struct jwt jwt = {.algorithm = auth->algorithm,
                            .key       = bytes_from(buf_str(&key)),
                            .header    = header,
                            .claims    = claims};
    status code          = jwt_put(&jwt, out, reterr);
    explicit_bzero(key.ptr, key.len);
    return code;
}

void kept_token_done(struct kept_token *token)
{
    if (token->text) explicit_bzero(token->text, strlen(token->text));
    free(token->text);
    *token = (struct kept_token){};
}

static status add_jwt(const struct manifest_auth *auth, const struct outgoing_source *source,
                      str secret, struct outgoing *outgoing, struct error *reterr)
{
    CLEANUP(buf_done) struct buf made = buf_init(JWT_MAX);
    struct kept_token *kept           = source->kept;
    int64_t now_us                    = time_us(source);
    bool is_kept = kept && kept->text && now_us < kept->ends_us - KEEP_UNTIL_US;
    if (is_hidden(source->secrets)) {
        (void)buf_put_text(&made, hidden);
    } else if (is_kept) {
        (void)buf_put_text(&made, kept->text);
    } else {
        TRY(token_make(auth, source, secret, &made, reterr));
    }
    const char *prefix = auth->prefix ? auth->prefix : "Bearer";
    const char *value  = arena_printf(source->arena, "%s%s" STR_FMT, prefix, prefix[0] ? " " : "",
                                      STR_ARG(buf_str(&made)));
    if (!value) return too_large(reterr);
    if (kept && !is_kept && !is_hidden(source->secrets)) {
        kept_token_done(kept);
        *kept = (struct kept_token){.text    = buf_take(&made),
                                    .ends_us = now_us + auth->ttl_ms * SECOND_MS};
    }
    return outgoing_add_header(outgoing, "Authorization", str_from(value), reterr);
}

/* --- sigv4 ------------------------------------------------------------------------------------ */

struct named_key {
    struct sigv4_key key;
    json service, region; /* owned */
};

static void named_key_done(struct named_key *named)
{
    json_unref(named->service);
    json_unref(named->region);
}

static status key_of(const struct manifest_auth *auth, const struct manifest *manifest,
                     const struct secret_source *secrets, json scope, struct named_key *ret_named,
                     bool *ret_has, struct error *reterr)
{
    struct sigv4_key *key = &ret_named->key;
    bool has_secret       = false;
    bool has_token        = false;
    TRY(eval_text(auth->service, scope, "auth.service", &ret_named->service, reterr));
    TRY(eval_text(auth->region, scope, "auth.region", &ret_named->region, reterr));
    TRY(credentials_secret(manifest, auth->access_key, secrets, &key->access_key, ret_has, reterr));
    TRY(credentials_secret(manifest, auth->secret_key, secrets, &key->secret_key, &has_secret,
                           reterr));
    if (auth->session_token) {
        TRY(credentials_secret(manifest, auth->session_token, secrets, &key->session_token,
                               &has_token, reterr));
    }
    key->service   = json_str(ret_named->service);
    key->region    = json_str(ret_named->region);
    key->is_hidden = is_hidden(secrets);
    *ret_has       = *ret_has && has_secret;
    return STATUS_OK;
}

static status add_sigv4(const struct manifest_auth *auth, const struct outgoing_source *source,
                        struct outgoing *outgoing, struct error *reterr)
{
    CLEANUP(named_key_done)
    struct named_key named = {.service = json_invalid(), .region = json_invalid()};
    bool has_key           = false;
    str body               = outgoing->blob ? source->blob : outgoing->body;
    TRY(key_of(auth, source->action->manifest, source->secrets, source->scope, &named, &has_key,
               reterr));
    if (!has_key) return STATUS_OK;
    return sigv4_sign(&named.key, bytes_from(body), time_us(source), source->arena, outgoing,
                      reterr);
}

static status presign(const struct sigv4_key *key, json scope, json request, struct arena *arena,
                      str *ret_url, struct error *reterr)
{
    json url          = json_get_text(request, "url");
    json method       = json_get_text(request, "method");
    int64_t expires_s = PRESIGN_EXPIRES_S;
    json expires      = json_get_text(request, "expires");
    if (!json_is(url, JSON_TEXT) ||
        (!json_is(expires, JSON_INVALID) && !json_to_int(expires, &expires_s))) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "`presign` needs {url, method?, expires? in seconds}");
    }
    str verb = json_is(method, JSON_TEXT) ? json_str(method) : str_from("GET");
    const struct sigv4_grant grant = {.method = verb, .url = json_str(url), .expires_s = expires_s};
    return sigv4_presign(key, &grant, scope_now_us(scope), arena, ret_url, reterr);
}

status signature_presign(const struct manifest *manifest, const struct secret_source *secrets,
                         json scope, json request, struct arena *arena, json *ret_text,
                         struct error *reterr)
{
    CLEANUP(named_key_done)
    struct named_key named = {.service = json_invalid(), .region = json_invalid()};
    bool has_key           = false;
    str url                = {};
    if (manifest->auth.kind != AUTH_SIGV4) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`presign` needs `auth: {type: sigv4}`");
    }
    TRY(key_of(&manifest->auth, manifest, secrets, scope, &named, &has_key, reterr));
    if (!has_key) {
        return fail(reterr, STATUS_FAILED_PRECONDITION, "`presign` needs the access key");
    }
    TRY(presign(&named.key, scope, request, arena, &url, reterr));
    *ret_text = json_text_new(url);
    return STATUS_OK;
}

/* --- hmac ------------------------------------------------------------------------------------- */

/* What a signature is made over, and what its headers may show. */
struct message {
    json id; /* a text */
    str body;
    int64_t time_s;
};

/* The scope with `request`: {method, url, body, time, id}. Owned. */
static json signed_scope_new(const struct outgoing_source *source, const struct outgoing *outgoing,
                             const struct message *message)
{
    json request = json_object_new(5);
    json scope   = json_ref(source->scope);
    json_object_put_text(&request, "method", json_text_from(outgoing->method));
    json_object_put_text(&request, "url", json_text_lossy(outgoing->url));
    json_object_put_text(&request, "body", json_text_lossy(message->body));
    json_object_put_text(&request, "time", json_int(message->time_s));
    json_object_put_text(&request, "id", json_ref(message->id));
    scope_put(&scope, "request", request);
    return scope;
}

/* The header that the action sends already, else the digest of the job's key. */
static json id_new(const struct outgoing_source *source, const struct outgoing *outgoing)
{
    for (size_t i = 0; i < outgoing->header_count; i++) {
        if (str_is(outgoing->headers[i].name, "webhook-id")) {
            return json_text_new(outgoing->headers[i].value);
        }
    }
    json key = json_get_text(source->scope, "idempotency_key");
    uint8_t digest[SHA256_SIZE];
    char text[2 * SHA256_SIZE + 1];
    sha256(bytes_from(json_is(key, JSON_TEXT) ? json_str(key) : (str){}), digest);
    hex_encode(digest, sizeof digest, text);
    return json_text_from(text);
}

static status over_new(const struct manifest_auth *auth, const struct outgoing_source *source,
                       const struct outgoing *outgoing, const struct message *message,
                       struct buf *out, struct error *reterr)
{
    if (auth->is_standard) {
        bool fits = buf_printf(out, STR_FMT ".%" PRId64 ".", STR_ARG(json_str(message->id)),
                               message->time_s) &&
                    buf_put_str(out, message->body);
        return fits ? STATUS_OK : too_large(reterr);
    }
    CLEANUP(json_unrefp) json scope = signed_scope_new(source, outgoing, message);
    CLEANUP(json_unrefp) json text  = json_invalid();
    TRY(eval_text(auth->over, scope, "auth.over", &text, reterr));
    return buf_put_str(out, json_str(text)) ? STATUS_OK : too_large(reterr);
}

/* Appends `template` with {signature}, {time} and {id} in it replaced. */
static status put_template(str template, str signature, const struct message *message,
                           struct buf *out, struct error *reterr)
{
    for (size_t i = 0; i < template.len;) {
        str rest = str_slice(template, i, template.len);
        if (str_starts_with(rest, str_from("{signature}"))) {
            (void)buf_put_str(out, signature);
            i += strlen("{signature}");
        } else if (str_starts_with(rest, str_from("{time}"))) {
            (void)buf_printf(out, "%" PRId64, message->time_s);
            i += strlen("{time}");
        } else if (str_starts_with(rest, str_from("{id}"))) {
            (void)buf_put_str(out, json_str(message->id));
            i += strlen("{id}");
        } else {
            (void)buf_put_byte(out, rest.ptr[0]);
            i++;
        }
    }
    return out->is_full ? too_large(reterr) : STATUS_OK;
}

static status add_template(const char *name, str template, str signature,
                           const struct message *message, struct arena *arena,
                           struct outgoing *outgoing, struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(HEADER_MAX);
    TRY(put_template(template, signature, message, &text, reterr));
    const char *value = arena_strdup(arena, buf_str(&text));
    if (!value) return too_large(reterr);
    return outgoing_add_header(outgoing, name, str_from(value), reterr);
}

static bool has_header(const struct outgoing *outgoing, const char *name)
{
    for (size_t i = 0; i < outgoing->header_count; i++) {
        if (str_is(outgoing->headers[i].name, name)) return true;
    }
    return false;
}

static status add_signature(const struct manifest_auth *auth, str signature,
                            const struct message *message, struct arena *arena,
                            struct outgoing *outgoing, struct error *reterr)
{
    static const char *const standard[][2] = {{"webhook-id", "{id}"},
                                              {"webhook-timestamp", "{time}"},
                                              {"webhook-signature", "v1,{signature}"}};
    for (size_t i = 0; auth->is_standard && i < ARRAY_LEN(standard); i++) {
        if (has_header(outgoing, standard[i][0])) continue;
        TRY(add_template(standard[i][0], str_from(standard[i][1]), signature, message, arena,
                         outgoing, reterr));
    }
    for (size_t i = 0; i < json_count(auth->headers); i++) {
        TRY(add_template(json_key_at(auth->headers, i).ptr,
                         json_str(json_value_at(auth->headers, i)), signature, message, arena,
                         outgoing, reterr));
    }
    return STATUS_OK;
}

/* A key of Standard Webhooks is base64 behind "whsec_"; any other is its text. */
static status webhook_key(const struct manifest_auth *auth, str secret, struct buf *out,
                          struct error *reterr)
{
    const str mark = str_from("whsec_");
    size_t size    = 0;
    if (!auth->is_standard) return buf_put_str(out, secret) ? STATUS_OK : too_large(reterr);
    if (str_starts_with(secret, mark)) secret = str_slice(secret, mark.len, secret.len);
    char *to = buf_reserve(out, secret.len + 1);
    if (!to || !base64_decode(secret, to, &size)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the secret `%s` is no `whsec_` and base64",
                    auth->secret);
    }
    buf_commit(out, size);
    return STATUS_OK;
}

static status sign_message(const struct manifest_auth *auth, const struct outgoing_source *source,
                           str secret, const struct message *message,
                           const struct outgoing *outgoing, struct buf *out, struct error *reterr)
{
    CLEANUP(buf_done) struct buf key  = buf_init(HEADER_MAX);
    CLEANUP(buf_done) struct buf over = buf_init(SIGNED_MAX);
    uint8_t digest[SHA256_SIZE];
    char text[2 * SHA256_SIZE + 1];
    TRY(over_new(auth, source, outgoing, message, &over, reterr));
    if (is_hidden(source->secrets)) {
        return buf_put_text(out, hidden) ? STATUS_OK : too_large(reterr);
    }
    TRY(webhook_key(auth, secret, &key, reterr));
    hmac_sha256(bytes_from(buf_str(&key)), bytes_from(buf_str(&over)), digest);
    explicit_bzero(key.ptr, key.len);
    if (auth->is_base64) {
        base64_encode(digest, sizeof digest, text);
    } else {
        hex_encode(digest, sizeof digest, text);
    }
    return buf_put_text(out, text) ? STATUS_OK : too_large(reterr);
}

static status add_hmac(const struct manifest_auth *auth, const struct outgoing_source *source,
                       str secret, struct outgoing *outgoing, struct error *reterr)
{
    CLEANUP(json_unrefp) json id           = id_new(source, outgoing);
    CLEANUP(buf_done) struct buf signature = buf_init(HEADER_MAX);
    str body                               = outgoing->blob ? source->blob : outgoing->body;
    const struct message message = {.id = id, .body = body, .time_s = time_us(source) / SECOND_US};
    TRY(sign_message(auth, source, secret, &message, outgoing, &signature, reterr));
    return add_signature(auth, buf_str(&signature), &message, source->arena, outgoing, reterr);
}

/* --- the whole -------------------------------------------------------------------------------- */

status signature_add(const struct manifest_auth *auth, const struct outgoing_source *source,
                     struct outgoing *outgoing, struct error *reterr)
{
    str secret      = {};
    bool has_secret = false;
    if (auth->kind == AUTH_SIGV4) return add_sigv4(auth, source, outgoing, reterr);
    TRY(credentials_secret(source->action->manifest, auth->secret, source->secrets, &secret,
                           &has_secret, reterr));
    if (!has_secret) return STATUS_OK;
    if (auth->kind == AUTH_JWT) return add_jwt(auth, source, secret, outgoing, reterr);
    return add_hmac(auth, source, secret, outgoing, reterr);
}
