#include "tool-adapter/authorization/authorization.h"

#include "base/buf.h"
#include "base/hash.h"
#include "http/url.h"
#include "tool-adapter/authorization/digest.h"

#include <strings.h>

enum { CREDENTIALS_MAX = 8 << 10 /* bytes of user and password */ };

static str text_at(json object, const char *key)
{
    json value = json_get_text(object, key);
    return json_is(value, JSON_TEXT) ? json_str(value) : (str){};
}

/* --- reading -----------------------------------------------------------------------------------
 */

static status read_password(json members, const char *kind, struct authorization *to,
                            struct error *reterr)
{
    to->username = text_at(members, "username");
    to->password = text_at(members, "password");
    if (to->username.len > 0 && json_is(json_get_text(members, "password"), JSON_TEXT)) {
        return STATUS_OK;
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "/authentication/%s: `username` and `password` are texts", kind);
}

static status read_bearer(json members, struct authorization *to, struct error *reterr)
{
    to->token = json_is(members, JSON_TEXT) ? json_str(members) : text_at(members, "token");
    if (to->token.len > 0) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "/authentication/bearer: `token` is a text");
}

status authorization_read(json authentication, struct authorization *ret_authorization,
                          struct error *reterr)
{
    struct authorization *to = ret_authorization;
    *to                      = (struct authorization){};
    if (!json_is(authentication, JSON_OBJECT)) return STATUS_OK;
    json basic      = json_get_text(authentication, "basic");
    json bearer     = json_get_text(authentication, "bearer");
    json digest     = json_get_text(authentication, "digest");
    json oauth2     = json_get_text(authentication, "oauth2");
    json oidc       = json_get_text(authentication, "oidc");
    to->placeholder = text_at(authentication, "placeholder");
    if (!json_is(basic, JSON_INVALID)) {
        to->kind = AUTHORIZATION_BASIC;
        return read_password(basic, "basic", to, reterr);
    }
    if (!json_is(digest, JSON_INVALID)) {
        to->kind = AUTHORIZATION_DIGEST;
        return read_password(digest, "digest", to, reterr);
    }
    if (!json_is(bearer, JSON_INVALID)) {
        to->kind = AUTHORIZATION_BEARER;
        return read_bearer(bearer, to, reterr);
    }
    to->kind     = AUTHORIZATION_TOKEN;
    bool is_oidc = !json_is(oidc, JSON_INVALID);
    if (is_oidc || !json_is(oauth2, JSON_INVALID)) {
        return oauth2_read(is_oidc ? oidc : oauth2, is_oidc, &to->policy, reterr);
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "/authentication: basic, bearer, digest, oauth2 or oidc");
}

/* --- headers -----------------------------------------------------------------------------------
 */

static status no_memory(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the credentials are too large");
}

/* RFC 7617: the base64 of user, colon, password. */
static status basic_header(const struct authorization *authorization, struct arena *arena,
                           str *ret_value, struct error *reterr)
{
    static const char prefix[]        = "Basic ";
    CLEANUP(buf_done) struct buf pair = buf_init(CREDENTIALS_MAX);
    (void)buf_put_str(&pair, authorization->username);
    (void)buf_put_byte(&pair, ':');
    (void)buf_put_str(&pair, authorization->password);
    size_t size = sizeof prefix - 1 + base64_size(pair.len);
    char *value = pair.is_full ? NULL : arena_alloc(arena, size + 1);
    if (!value) return no_memory(reterr);
    memcpy(value, prefix, sizeof prefix - 1);
    base64_encode(pair.ptr, pair.len, value + sizeof prefix - 1);
    *ret_value = (str){.ptr = value, .len = size};
    return STATUS_OK;
}

size_t authorization_replace(const struct http_header *headers, size_t count, str value,
                             struct http_header *ret_headers)
{
    static const char name[] = "Authorization";
    size_t kept              = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_old = headers[i].name.len == sizeof name - 1 &&
                      strncasecmp(headers[i].name.ptr, name, sizeof name - 1) == 0;
        if (!is_old || value.len == 0) ret_headers[kept++] = headers[i];
    }
    if (value.len == 0) return kept;
    ret_headers[kept++] =
        (struct http_header){.name = str_from(name), .value = value, .is_secret = true};
    return kept;
}

status authorization_header(const struct authorization *authorization, str token,
                            struct arena *arena, str *ret_value, struct error *reterr)
{
    *ret_value = (str){};
    switch (authorization->kind) {
    case AUTHORIZATION_NONE:
    case AUTHORIZATION_DIGEST: return STATUS_OK;
    case AUTHORIZATION_BASIC: return basic_header(authorization, arena, ret_value, reterr);
    case AUTHORIZATION_BEARER: token = authorization->token; break;
    case AUTHORIZATION_TOKEN: break;
    }
    const char *value = arena_printf(arena, "Bearer " STR_FMT, STR_ARG(token));
    if (!value) return no_memory(reterr);
    *ret_value = str_from(value);
    return STATUS_OK;
}

/* The strongest challenge of all WWW-Authenticate headers. */
static bool find_challenge(const struct http_answer *answer, struct digest_challenge *ret_challenge)
{
    static const char name[] = "WWW-Authenticate";
    bool is_found            = false;
    for (size_t i = 0; i < answer->header_count; i++) {
        const struct http_header *header  = &answer->headers[i];
        struct digest_challenge challenge = {};
        bool is_named                     = header->name.len == sizeof name - 1 &&
                        strncasecmp(header->name.ptr, name, sizeof name - 1) == 0;
        if (!is_named || !digest_challenge_read(header->value, &challenge)) continue;
        if (!is_found || challenge.algorithm > ret_challenge->algorithm) {
            *ret_challenge = challenge;
            is_found       = true;
        }
    }
    return is_found;
}

/* Path and query, as libcurl sends them. */
static const char *sent_uri(str url, struct arena *arena)
{
    struct url parts = {};
    if (!url_parse(url, &parts)) return NULL;
    const char *path = arena_printf(arena, STR_FMT "%s" STR_FMT, STR_ARG(parts.path),
                                    parts.query.len > 0 ? "?" : "", STR_ARG(parts.query));
    return path && *path != '/' ? arena_printf(arena, "/%s", path) : path;
}

status authorization_answer(const struct authorization *authorization,
                            const struct http_request *request, const struct http_answer *answer,
                            str cnonce, struct arena *arena, str *ret_value, struct error *reterr)
{
    struct digest_challenge challenge = {};
    CLEANUP(buf_done) struct buf text = buf_init(DIGEST_HEADER_MAX);
    if (!find_challenge(answer, &challenge)) {
        return fail(reterr, STATUS_NOT_FOUND, "no challenge that can be answered");
    }
    const char *uri = sent_uri(request->url, arena);
    if (!uri) return no_memory(reterr);
    const struct digest_request asked = {.method   = request->method,
                                         .uri      = str_from(uri),
                                         .username = authorization->username,
                                         .password = authorization->password,
                                         .cnonce   = cnonce};
    if (!digest_answer(&challenge, &asked, &text)) return no_memory(reterr);
    char *value = arena_strdup(arena, buf_str(&text));
    if (!value) return no_memory(reterr);
    *ret_value = str_from(value);
    return STATUS_OK;
}

/* --- hiding ------------------------------------------------------------------------------------
 */

void authorization_hide(const struct authorization *authorization, str token,
                        struct json_mask *mask)
{
    json_mask_add(mask, authorization->password);
    json_mask_add(mask, authorization->token);
    json_mask_add(mask, token);
}
