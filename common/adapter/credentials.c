#include "adapter/credentials.h"

#include "adapter/signature.h"
#include "base/buf.h"
#include "base/hash.h"
#include "http/url.h"

enum { CREDENTIALS_MAX = 16 << 10 /* bytes */ };

const struct manifest_auth *credentials_of(const struct manifest_action *action,
                                           const struct manifest_step *step)
{
    if (step->has_auth) return &step->auth;
    return action->has_auth ? &action->auth : &action->manifest->auth;
}

static bool is_optional(const struct manifest *manifest, const char *slot)
{
    for (size_t i = 0; i < manifest->secret_count; i++) {
        if (strcmp(manifest->secrets[i].name, slot) == 0) return manifest->secrets[i].is_optional;
    }
    return false;
}

status credentials_secret(const struct manifest *manifest, const char *slot,
                          const struct secret_source *secrets, str *ret_value, bool *ret_has,
                          struct error *reterr)
{
    struct error error = {};
    status code =
        secrets ? secrets->find(slot, ret_value, &error, secrets->context) : STATUS_NOT_FOUND;
    *ret_has = code == STATUS_OK;
    if (code == STATUS_OK || (code == STATUS_NOT_FOUND && is_optional(manifest, slot))) {
        return STATUS_OK;
    }
    return fail(reterr, STATUS_FAILED_PRECONDITION, "the connection lacks the secret `%s`%s%s",
                slot, error.text[0] ? ": " : "", error.text);
}

static status add_text_header(struct outgoing *outgoing, const char *name, const char *prefix,
                              str secret, struct arena *arena, struct error *reterr)
{
    bool has_prefix   = prefix && prefix[0];
    const char *value = arena_printf(arena, "%s%s" STR_FMT, has_prefix ? prefix : "",
                                     has_prefix ? " " : "", STR_ARG(secret));
    if (!value) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    return outgoing_add_header(outgoing, name, str_from(value), reterr);
}

static status add_basic(const struct manifest_auth *auth, json scope, str password,
                        struct arena *arena, struct outgoing *outgoing, struct error *reterr)
{
    CLEANUP(json_unrefp) json user    = json_invalid();
    CLEANUP(buf_done) struct buf pair = buf_init(CREDENTIALS_MAX);
    CLEANUP(buf_done) struct buf text = buf_init(2 * CREDENTIALS_MAX);
    TRY(formula_eval(auth->user, scope, scope_now_us(scope), &user, reterr));
    if (!json_is(user, JSON_TEXT)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`auth.user` yields no text");
    }
    (void)buf_put_str(&pair, json_str(user));
    (void)buf_put_byte(&pair, ':');
    (void)buf_put_str(&pair, password);
    size_t len = base64_size(pair.len);
    char *to   = buf_reserve(&text, len + 1);
    if (pair.is_full || !to) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the secret is too long");
    }
    base64_encode(pair.ptr, pair.len, to);
    return add_text_header(outgoing, "Authorization", "Basic", (str){.ptr = to, .len = len}, arena,
                           reterr);
}

/* `{secret}` in the address becomes the secret. */
static status put_in_path(str secret, struct arena *arena, struct outgoing *outgoing,
                          struct error *reterr)
{
    static const char mark[] = "{secret}";
    const char *at           = memmem(outgoing->url.ptr, outgoing->url.len, mark, sizeof mark - 1);
    outgoing->has_secret_url = true;
    if (!at) return STATUS_OK;
    size_t before   = (size_t)(at - outgoing->url.ptr);
    str rest        = str_slice(outgoing->url, before + sizeof mark - 1, outgoing->url.len);
    const char *url = arena_printf(arena, STR_FMT STR_FMT STR_FMT, (int)before, outgoing->url.ptr,
                                   STR_ARG(secret), STR_ARG(rest));
    if (!url) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    outgoing->url = str_from(url);
    return STATUS_OK;
}

static status put_in_query(const char *name, str secret, struct arena *arena,
                           struct outgoing *outgoing, struct error *reterr)
{
    CLEANUP(buf_done) struct buf url = buf_init(OUTGOING_URL_MAX);
    (void)buf_put_str(&url, outgoing->url);
    (void)url_add_query(&url, str_from(name), secret);
    char *copy               = url.is_full ? NULL : arena_strdup(arena, buf_str(&url));
    outgoing->has_secret_url = true;
    if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the address is too long");
    outgoing->url = (str){.ptr = copy, .len = url.len};
    return STATUS_OK;
}

/* An address with `{secret}` in it is no URL yet: it must go on where the base ends. */
static bool is_at_home(enum auth_kind kind, str base_url, const struct outgoing *outgoing)
{
    struct url base;
    struct url there;
    if (kind == AUTH_PATH) {
        str rest = str_slice(outgoing->url, base_url.len, outgoing->url.len);
        return str_starts_with(outgoing->url, base_url) &&
               (rest.len == 0 || rest.ptr[0] == '/' || rest.ptr[0] == '?');
    }
    return url_parse(base_url, &base) && url_parse(outgoing->url, &there) &&
           url_same_origin(&base, &there);
}

static status add_access_token(const struct outgoing_source *source, struct outgoing *outgoing,
                               struct error *reterr)
{
    str token = source->access_token;
    if (source->secrets && source->secrets->is_hidden) token = str_from("***");
    if (token.len == 0) {
        return fail(reterr, STATUS_FAILED_PRECONDITION, "no token has been fetched yet");
    }
    return add_text_header(outgoing, "Authorization", "Bearer", token, source->arena, reterr);
}

/* Puts a secret where the kind of `auth` says. */
static status put_secret(const struct manifest_auth *auth, const struct outgoing_source *source,
                         str secret, struct outgoing *outgoing, struct error *reterr)
{
    struct arena *arena = source->arena;
    switch (auth->kind) {
    case AUTH_BEARER:
        return add_text_header(outgoing, "Authorization", auth->prefix, secret, arena, reterr);
    case AUTH_BASIC: return add_basic(auth, source->scope, secret, arena, outgoing, reterr);
    case AUTH_HEADER:
        return add_text_header(outgoing, auth->name, auth->prefix, secret, arena, reterr);
    case AUTH_QUERY: return put_in_query(auth->name, secret, arena, outgoing, reterr);
    case AUTH_PATH: return put_in_path(secret, arena, outgoing, reterr);
    case AUTH_OAUTH2: return add_access_token(source, outgoing, reterr);
    case AUTH_JWT:
    case AUTH_SIGV4:
    case AUTH_HMAC: return signature_add(auth, source, outgoing, reterr);
    case AUTH_NONE: break;
    }
    return STATUS_OK;
}

status credentials_add(const struct outgoing_source *source, str base_url,
                       struct outgoing *outgoing, struct error *reterr)
{
    const struct manifest_action *action = source->action;
    const struct manifest_auth *auth     = credentials_of(action, source->step);
    str secret                           = {};
    bool has_secret                      = false;
    bool is_secret_sent                  = auth->kind != AUTH_NONE && auth->kind != AUTH_HMAC;
    if (auth->kind == AUTH_NONE) return STATUS_OK;
    if (is_secret_sent && !is_at_home(auth->kind, base_url, outgoing)) return STATUS_OK;
    bool is_put = auth->kind != AUTH_JWT && auth->kind != AUTH_HMAC;
    if (auth->secret && is_put) {
        TRY(credentials_secret(action->manifest, auth->secret, source->secrets, &secret,
                               &has_secret, reterr));
        if (!has_secret) return STATUS_OK;
    }
    return put_secret(auth, source, secret, outgoing, reterr);
}
