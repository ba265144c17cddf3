#include "tool-adapter/authorization/oauth2.h"

#include "adapter/jwt.h"
#include "base/attr.h"
#include "base/mem.h"
#include "base/private_key.h"
#include "http/http.h"
#include "http/url.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <string.h>

enum {
    URL_MAX        = HTTP_URL_MAX,
    CODE_MAX       = 64, /* bytes of an error's code that are told */
    SECONDS_DIGITS = 9,
};

#define EXCHANGE   "urn:ietf:params:oauth:grant-type:token-exchange"
#define ASSERTION  "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define WELL_KNOWN "/.well-known/openid-configuration"

static str text_at(json object, const char *key)
{
    json value = json_get_text(object, key);
    return json_is(value, JSON_TEXT) ? json_str(value) : (str){};
}

static bool is_url(str text)
{
    return text.len > 0 && memmem(text.ptr, text.len, "://", 3);
}

static str member(const struct oauth2_policy *policy, const char *key)
{
    return text_at(policy->members, key);
}

static str client(const struct oauth2_policy *policy, const char *key)
{
    return text_at(json_get_text(policy->members, "client"), key);
}

/* --- policies ----------------------------------------------------------------------------------
 */

static str grant_of(const struct oauth2_policy *policy)
{
    str grant = member(policy, "grant");
    return grant.len > 0 ? grant : str_from("client_credentials");
}

static str method_of(const struct oauth2_policy *policy)
{
    str method = client(policy, "authentication");
    return method.len > 0 ? method : str_from("client_secret_post");
}

static status missing(struct error *reterr, const struct oauth2_policy *policy, const char *what)
{
    return fail(reterr, STATUS_INVALID_ARGUMENT, "/authentication/%s: %s is missing",
                policy->is_oidc ? "oidc" : "oauth2", what);
}

static status check_grant(const struct oauth2_policy *policy, struct error *reterr)
{
    str grant = grant_of(policy);
    if (str_is(grant, "client_credentials")) {
        return client(policy, "id").len > 0 ? STATUS_OK : missing(reterr, policy, "client.id");
    }
    if (str_is(grant, "password")) {
        return member(policy, "username").len > 0 ? STATUS_OK : missing(reterr, policy, "username");
    }
    if (str_is(grant, "refresh_token") || str_is(grant, EXCHANGE)) {
        json subject = json_get_text(policy->members, "subject");
        return text_at(subject, "token").len > 0 ? STATUS_OK
                                                 : missing(reterr, policy, "subject.token");
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "/authentication: a run cannot use the grant " STR_FMT,
                STR_ARG(str_slice(grant, 0, grant.len < CODE_MAX ? grant.len : CODE_MAX)));
}

/* A ready assertion, or what one is signed with. */
static status check_key(const struct oauth2_policy *policy, struct error *reterr)
{
    str key = client(policy, "key");
    if (client(policy, "assertion").len > 0) return STATUS_OK;
    if (key.len == 0) return missing(reterr, policy, "client.assertion");
    if (private_key_kind(key) != PRIVATE_KEY_NONE) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "the key of the OAuth 2 client is no private key in PEM without a password: RSA of "
                "%d to %d bits, or P-256",
                PRIVATE_KEY_RSA_BITS_MIN, PRIVATE_KEY_RSA_BITS_MAX);
}

static status check_client(const struct oauth2_policy *policy, struct error *reterr)
{
    str method = method_of(policy);
    if (str_is(method, "none")) return STATUS_OK;
    bool has_id = client(policy, "id").len > 0;
    if (!has_id && !str_is(grant_of(policy), "client_credentials")) return STATUS_OK; /* public */
    if (str_is(method, "private_key_jwt")) return check_key(policy, reterr);
    bool is_known = str_is(method, "client_secret_post") || str_is(method, "client_secret_basic") ||
                    str_is(method, "client_secret_jwt");
    if (!is_known) return missing(reterr, policy, "a known client.authentication");
    return client(policy, "secret").len > 0 ? STATUS_OK : missing(reterr, policy, "client.secret");
}

status oauth2_read(json members, bool is_oidc, struct oauth2_policy *ret_policy,
                   struct error *reterr)
{
    const struct oauth2_policy policy = {.is_oidc = is_oidc, .members = members};
    if (!json_is(members, JSON_OBJECT)) return missing(reterr, &policy, "a map of its members");
    str token_url = text_at(json_get_text(members, "endpoints"), "token");
    bool has_url  = !is_oidc && is_url(token_url);
    if (!has_url && member(&policy, "authority").len == 0) {
        return missing(reterr, &policy, "authority");
    }
    TRY(check_grant(&policy, reterr));
    TRY(check_client(&policy, reterr));
    *ret_policy = policy;
    return STATUS_OK;
}

void oauth2_key(const struct oauth2_policy *policy, char ret_key[static OAUTH2_KEY_SIZE])
{
    CLEANUP(buf_done) struct buf text = buf_init(OAUTH2_REQUEST_MAX * 8);
    uint8_t digest[SHA256_SIZE];
    (void)buf_put_byte(&text, policy->is_oidc ? 'i' : 'a');
    (void)json_print(policy->members, JSON_SORTED, &text);
    sha256((bytes){.ptr = text.ptr, .len = text.len}, digest);
    hex_encode(digest, sizeof digest, ret_key);
}

/* --- endpoints ---------------------------------------------------------------------------------
 */

static str without_slash(str url)
{
    while (url.len > 0 && url.ptr[url.len - 1] == '/') url.len--;
    return url;
}

static bool ends_with(str text, const char *end)
{
    size_t len = strlen(end);
    return text.len >= len && memcmp(text.ptr + text.len - len, end, len) == 0;
}

bool oauth2_discovery_url(const struct oauth2_policy *policy, struct buf *out)
{
    str authority    = without_slash(member(policy, "authority"));
    bool is_document = ends_with(authority, WELL_KNOWN);
    if (!policy->is_oidc && !is_document) return false;
    (void)buf_put_str(out, authority);
    if (!is_document) (void)buf_put_text(out, WELL_KNOWN);
    return !out->is_full;
}

status oauth2_token_url(const struct oauth2_policy *policy, struct buf *out, struct error *reterr)
{
    str path = text_at(json_get_text(policy->members, "endpoints"), "token");
    if (path.len == 0) path = str_from("/oauth2/token");
    if (!is_url(path)) {
        (void)buf_put_str(out, without_slash(member(policy, "authority")));
        if (path.ptr[0] != '/') (void)buf_put_byte(out, '/');
    }
    (void)buf_put_str(out, path);
    if (!out->is_full) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "/authentication: the authority is too long");
}

/* True too if the policy names none. */
static bool is_issuer(const struct oauth2_policy *policy, str issuer)
{
    json issuers = json_get_text(policy->members, "issuers");
    if (json_count(issuers) == 0) return true;
    for (size_t i = 0; i < json_count(issuers); i++) {
        json known = json_at(issuers, i);
        if (json_is(known, JSON_TEXT) && str_equal(json_str(known), issuer)) return true;
    }
    return false;
}

static status wrong_issuer(struct error *reterr)
{
    return fail(reterr, STATUS_PERMISSION_DENIED,
                "the issuer of the token is not among /authentication/…/issuers");
}

status oauth2_discovered_url(const struct oauth2_policy *policy, str document, struct buf *out,
                             struct error *reterr)
{
    CLEANUP(json_unrefp) json found = json_invalid();
    str url                         = {};
    if (json_parse(document, NULL, &found, NULL, NULL) == STATUS_OK) {
        url = text_at(found, "token_endpoint");
    }
    if (url.len == 0 || url.len > URL_MAX) {
        return fail(reterr, STATUS_UNAVAILABLE,
                    "the discovery document of the authority names no token_endpoint");
    }
    if (!is_issuer(policy, text_at(found, "issuer"))) return wrong_issuer(reterr);
    (void)buf_put_str(out, url);
    return STATUS_OK;
}

/* --- requests ----------------------------------------------------------------------------------
 */

/* Parameters in either encoding; a name may come several times. */
struct parameters {
    bool is_json;
    struct buf form;
    json object; /* owned */
};

static void put(struct parameters *to, const char *name, str value)
{
    if (value.len == 0) return;
    if (to->is_json) {
        json_object_put_text(&to->object, name, json_text_new(value));
        return;
    }
    if (to->form.len > 0) (void)buf_put_byte(&to->form, '&');
    (void)url_encode(&to->form, str_from(name));
    (void)buf_put_byte(&to->form, '=');
    (void)url_encode(&to->form, value);
}

/* Texts with blanks between them, as RFC 6749 has scopes. */
static void put_list(struct parameters *to, const char *name, json list)
{
    CLEANUP(buf_done) struct buf text = buf_init(OAUTH2_REQUEST_MAX);
    for (size_t i = 0; i < json_count(list); i++) {
        json item = json_at(list, i);
        if (!json_is(item, JSON_TEXT)) continue;
        if (text.len > 0) (void)buf_put_byte(&text, ' ');
        (void)buf_put_str(&text, json_str(item));
    }
    put(to, name, buf_str(&text));
}

/* RFC 8693: several audiences are several parameters; in JSON an array. */
static void put_audiences(struct parameters *to, json audiences)
{
    if (to->is_json && json_count(audiences) > 1) {
        json_object_put_text(&to->object, "audience", json_ref(audiences));
        return;
    }
    for (size_t i = 0; i < json_count(audiences); i++) {
        json audience = json_at(audiences, i);
        if (json_is(audience, JSON_TEXT)) put(to, "audience", json_str(audience));
    }
}

static void put_token(struct parameters *to, json token, const char *name, const char *type_name)
{
    put(to, name, text_at(token, "token"));
    put(to, type_name, text_at(token, "type"));
}

static void put_grant(struct parameters *to, const struct oauth2_policy *policy, str refresh_token)
{
    str grant    = grant_of(policy);
    json subject = json_get_text(policy->members, "subject");
    put(to, "grant_type", grant);
    put_list(to, "scope", json_get_text(policy->members, "scopes"));
    put_audiences(to, json_get_text(policy->members, "audiences"));
    put(to, "resource", member(policy, "resource"));
    if (str_is(grant, "password")) {
        put(to, "username", member(policy, "username"));
        put(to, "password", member(policy, "password"));
    } else if (str_is(grant, "refresh_token")) {
        bool is_newer = refresh_token.len > 0;
        put(to, "refresh_token", is_newer ? refresh_token : text_at(subject, "token"));
    } else if (str_is(grant, EXCHANGE)) {
        put_token(to, subject, "subject_token", "subject_token_type");
        put_token(to, json_get_text(policy->members, "actor"), "actor_token", "actor_token_type");
    }
}

/* RFC 6749 2.3.1: both halves are form-encoded before they are joined. */
static void make_basic(const struct oauth2_policy *policy, struct buf *out)
{
    CLEANUP(buf_done) struct buf pair = buf_init(OAUTH2_REQUEST_MAX);
    (void)url_encode(&pair, client(policy, "id"));
    (void)buf_put_byte(&pair, ':');
    (void)url_encode(&pair, client(policy, "secret"));
    size_t size = base64_size(pair.len);
    char *text  = mem_new(size + 1, 1);
    base64_encode(pair.ptr, pair.len, text);
    (void)buf_printf(out, "Basic %s", text);
    free(text);
}

/* RFC 7523: the client signs a statement about itself, with its secret or its own key. It is for
 * the issuer where that is known, else for the endpoint (section 3, item 3). */
static void make_assertion(const struct oauth2_policy *policy, str url, int64_t now_s, str nonce,
                           struct buf *out)
{
    CLEANUP(json_unrefp) json header = json_object_new(1);
    CLEANUP(json_unrefp) json claims = json_object_new(6);
    str id                           = client(policy, "id");
    str audience                     = client(policy, "audience");
    str key                          = client(policy, "key");
    str key_id                       = client(policy, "key_id");
    struct error ignored             = {};
    struct jwt jwt                   = {.key = bytes_from(client(policy, "secret"))};
    if (str_is(method_of(policy), "private_key_jwt")) {
        bool is_rsa   = private_key_kind(key) == PRIVATE_KEY_RSA;
        jwt.algorithm = is_rsa ? JWT_RS256 : JWT_ES256;
        jwt.key       = bytes_from(key);
    }
    if (key_id.len > 0) json_object_put_text(&header, "kid", json_text_new(key_id));
    json_object_put_text(&claims, "iss", json_text_new(id));
    json_object_put_text(&claims, "sub", json_text_new(id));
    json_object_put_text(&claims, "aud", json_text_new(audience.len > 0 ? audience : url));
    json_object_put_text(&claims, "jti", json_text_new(nonce));
    json_object_put_text(&claims, "iat", json_int(now_s));
    json_object_put_text(&claims, "exp", json_int(now_s + OAUTH2_ASSERTION_S));
    jwt.header = header;
    jwt.claims = claims;
    if (jwt_put(&jwt, out, &ignored) != STATUS_OK) out->is_full = true;
}

static void put_client(struct parameters *to, const struct oauth2_policy *policy, str url,
                       int64_t now_s, str nonce, struct buf *authorization)
{
    str method    = method_of(policy);
    bool is_keyed = str_is(method, "private_key_jwt");
    bool signs = str_is(method, "client_secret_jwt") || (is_keyed && client(policy, "key").len > 0);
    if (str_is(method, "client_secret_basic")) {
        make_basic(policy, authorization);
        return;
    }
    put(to, "client_id", client(policy, "id"));
    if (str_is(method, "client_secret_post")) put(to, "client_secret", client(policy, "secret"));
    if (!signs && !is_keyed) return;
    CLEANUP(buf_done) struct buf assertion = buf_init(OAUTH2_REQUEST_MAX);
    if (signs) {
        make_assertion(policy, url, now_s, nonce, &assertion);
    } else {
        (void)buf_put_str(&assertion, client(policy, "assertion"));
    }
    if (assertion.is_full) to->form.is_full = true;
    put(to, "client_assertion_type", str_from(ASSERTION));
    put(to, "client_assertion", buf_str(&assertion));
}

void oauth2_request_done(struct oauth2_request *request)
{
    buf_done(&request->body);
    buf_done(&request->authorization);
}

status oauth2_request_make(const struct oauth2_policy *policy, str url, str refresh_token,
                           int64_t now_s, str nonce, struct oauth2_request *ret_request,
                           struct error *reterr)
{
    str encoding         = text_at(json_get_text(policy->members, "request"), "encoding");
    bool is_json         = str_is(encoding, "application/json");
    struct parameters to = {
        .is_json = is_json, .form = buf_init(OAUTH2_REQUEST_MAX), .object = json_object_new(8)};
    *ret_request = (struct oauth2_request){
        .body          = buf_init(OAUTH2_REQUEST_MAX),
        .authorization = buf_init(OAUTH2_REQUEST_MAX),
        .content_type  = is_json ? "application/json" : "application/x-www-form-urlencoded"};
    put_grant(&to, policy, refresh_token);
    put_client(&to, policy, url, now_s, nonce, &ret_request->authorization);
    if (is_json) {
        (void)json_print(to.object, JSON_COMPACT, &ret_request->body);
    } else {
        (void)buf_put_str(&ret_request->body, buf_str(&to.form));
    }
    bool is_full =
        to.form.is_full || ret_request->body.is_full || ret_request->authorization.is_full;
    buf_done(&to.form);
    json_unref(to.object);
    if (!is_full) return STATUS_OK;
    oauth2_request_done(ret_request);
    return fail(reterr, STATUS_INVALID_ARGUMENT, "/authentication: the policy is too large");
}

/* --- answers -----------------------------------------------------------------------------------
 */

void oauth2_token_done(struct oauth2_token *token)
{
    free((char *)(uintptr_t)token->access_token.ptr);
    free((char *)(uintptr_t)token->refresh_token.ptr);
    *token = (struct oauth2_token){};
}

/* RFC 6749 5.2: a word such as invalid_client; anything else is not told. */
static str code_of(json answer)
{
    str code = text_at(answer, "error");
    if (code.len > CODE_MAX) return (str){};
    for (size_t i = 0; i < code.len; i++) {
        bool good = (code.ptr[i] >= 'a' && code.ptr[i] <= 'z') || code.ptr[i] == '_';
        if (!good) return (str){};
    }
    return code;
}

/* A number, or digits in a text as some endpoints send it; -1: not said. */
static int64_t seconds_of(json value)
{
    int64_t seconds = 0;
    if (json_is(value, JSON_INT) && value.integer >= 0 && value.integer < INT32_MAX) {
        return value.integer;
    }
    if (!json_is(value, JSON_TEXT)) return -1;
    str text = json_str(value);
    if (text.len == 0 || text.len > SECONDS_DIGITS) return -1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return -1;
        seconds = seconds * 10 + (text.ptr[i] - '0');
    }
    return seconds;
}

static int64_t lifetime_of(json answer)
{
    int64_t seconds = seconds_of(json_get_text(answer, "expires_in"));
    if (seconds < 0) return OAUTH2_UNKNOWN_S;
    return seconds > 2 * OAUTH2_MARGIN_S ? seconds - OAUTH2_MARGIN_S : seconds / 2;
}

/* The claim `iss` of a token that is a JWT; empty: it is none, or says nothing. Copied into `out`.
 */
static str issuer_of(str token, struct buf *out)
{
    const char *first  = memchr(token.ptr, '.', token.len);
    size_t from        = first ? (size_t)(first - token.ptr) + 1 : token.len;
    const char *second = memchr(token.ptr + from, '.', token.len - from);
    if (!second) return (str){};
    CLEANUP(buf_done) struct buf text = buf_init(OAUTH2_TOKEN_MAX + 4);
    for (const char *c = token.ptr + from; c < second; c++) {
        (void)buf_put_byte(&text, *c == '-' ? '+' : *c == '_' ? '/' : *c);
    }
    while (text.len % 4 != 0) (void)buf_put_byte(&text, '=');
    char *decoded                    = mem_new(text.len + 1, 1);
    size_t size                      = 0;
    CLEANUP(json_unrefp) json claims = json_invalid();
    if (base64_decode(buf_str(&text), decoded, &size)) {
        (void)json_parse((str){.ptr = decoded, .len = size}, NULL, &claims, NULL, NULL);
    }
    free(decoded);
    (void)buf_put_str(out, text_at(claims, "iss"));
    return buf_str(out);
}

static status check_issuer(const struct oauth2_policy *policy, str token, struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(OAUTH2_TOKEN_MAX);
    str issuer                        = issuer_of(token, &text);
    return issuer.len == 0 || is_issuer(policy, issuer) ? STATUS_OK : wrong_issuer(reterr);
}

static str dup_text(str text)
{
    if (text.len == 0) return (str){};
    return (str){.ptr = mem_dup(text.ptr, text.len), .len = text.len};
}

status oauth2_answer_read(const struct oauth2_policy *policy, int http_status, str body,
                          struct oauth2_token *ret_token, struct error *reterr)
{
    CLEANUP(json_unrefp) json answer = json_invalid();
    (void)json_parse(body, NULL, &answer, NULL, NULL);
    str token = text_at(answer, "access_token");
    if (http_status >= 400 && http_status < 500 && http_status != 408 && http_status != 429) {
        str code = code_of(answer);
        return fail(reterr, STATUS_UNAUTHENTICATED, "the token endpoint refused with %d%s" STR_FMT,
                    http_status, code.len > 0 ? ": " : "", STR_ARG(code));
    }
    if (http_status != 200 || token.len == 0 || token.len > OAUTH2_TOKEN_MAX) {
        return fail(reterr, STATUS_UNAVAILABLE,
                    "the token endpoint answered with %d and no access_token", http_status);
    }
    TRY(check_issuer(policy, token, reterr));
    *ret_token = (struct oauth2_token){
        .access_token  = dup_text(token),
        .refresh_token = dup_text(text_at(answer, "refresh_token")),
        .lives_s       = lifetime_of(answer),
    };
    return STATUS_OK;
}
