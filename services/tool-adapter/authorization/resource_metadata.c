#include "tool-adapter/authorization/resource_metadata.h"

#include "base/attr.h"
#include "base/private_key.h"
#include "http/url.h"
#include "tool-adapter/authorization/challenge.h"
#include "json/json_text.h"

#include <string.h>
#include <strings.h>

#define OF_RESOURCE "/.well-known/oauth-protected-resource"
#define OF_SERVER   "/.well-known/oauth-authorization-server"
#define OF_OPENID   "/.well-known/openid-configuration"

enum { DEPTH_MAX = 16, VALUES_MAX = 5'000 };

static bool is_named(str text, const char *name)
{
    return text.len == strlen(name) && strncasecmp(text.ptr, name, text.len) == 0;
}

static str text_at(json object, const char *key)
{
    json value = json_get_text(object, key);
    return json_is(value, JSON_TEXT) ? json_str(value) : (str){};
}

void resource_challenge_read(str header, struct resource_challenge *ret_challenge)
{
    *ret_challenge = (struct resource_challenge){};
    str scheme     = {};
    for (unsigned i = 0; i < CHALLENGE_PARTS_MAX && challenge_scheme(&header, &scheme); i++) {
        str name  = {};
        str value = {};
        for (unsigned k = 0; k < CHALLENGE_PARTS_MAX; k++) {
            if (challenge_parameter(&header, &name, &value) != CHALLENGE_PARAMETER) break;
            if (!is_named(scheme, "Bearer")) continue;
            if (is_named(name, "resource_metadata")) ret_challenge->metadata_url = value;
            if (is_named(name, "scope")) ret_challenge->scope = value;
        }
    }
}

/* --- places ----------------------------------------------------------------------------------- */

static str without_slash(str path)
{
    while (path.len > 0 && path.ptr[path.len - 1] == '/') path.len--;
    return path;
}

/* The well-known part stands between the host and the path (RFC 8615). */
static bool put_well_known(const struct url *url, const char *well_known, bool has_path,
                           struct buf *out)
{
    return url_put_origin(out, url) && buf_put_text(out, well_known) &&
           (!has_path || buf_put_str(out, without_slash(url->path)));
}

bool resource_metadata_url(str resource, const struct resource_challenge *challenge,
                           unsigned attempt, struct buf *out)
{
    struct url url = {};
    buf_clear(out);
    if (!url_parse(resource, &url)) return false;
    bool has_path = without_slash(url.path).len > 0;
    if (challenge->metadata_url.len > 0) {
        return attempt == 0 && buf_put_str(out, challenge->metadata_url);
    }
    if (attempt == 0) return put_well_known(&url, OF_RESOURCE, true, out);
    return attempt == 1 && has_path && put_well_known(&url, OF_RESOURCE, false, out);
}

bool server_metadata_url(str issuer, unsigned attempt, struct buf *out)
{
    static const char *const places[] = {OF_SERVER, OF_OPENID};
    struct url url                    = {};
    buf_clear(out);
    if (!url_parse(issuer, &url)) return false;
    bool has_path = without_slash(url.path).len > 0;
    if (attempt < ARRAY_LEN(places)) return put_well_known(&url, places[attempt], true, out);
    return attempt == ARRAY_LEN(places) && has_path && buf_put_str(out, without_slash(issuer)) &&
           buf_put_text(out, OF_OPENID);
}

/* --- the resource ----------------------------------------------------------------------------- */

static status read_document(str document, const char *what, json *ret_value, struct error *reterr)
{
    const struct json_limits limits = {
        .depth_max = DEPTH_MAX, .values_max = VALUES_MAX, .allow_duplicate_keys = true};
    CLEANUP(json_unrefp) json value = json_invalid();
    if (json_parse(document, &limits, &value, NULL, NULL) != STATUS_OK ||
        !json_is(value, JSON_OBJECT)) {
        return fail(reterr, STATUS_UNAVAILABLE, "%s is no JSON object", what);
    }
    *ret_value = json_take(&value);
    return STATUS_OK;
}

/* What is named is the server itself, or what it is a part of. */
static bool covers(str named, str resource)
{
    struct url a = {};
    struct url b = {};
    if (!url_parse(named, &a) || !url_parse(resource, &b) || !url_same_origin(&a, &b)) return false;
    str path = without_slash(a.path);
    if (path.len > b.path.len || memcmp(path.ptr, b.path.ptr, path.len) != 0) return false;
    return path.len == b.path.len || b.path.ptr[path.len] == '/';
}

/* A view; JSON_INVALID: it is not there. */
static json issuer_in(json metadata, str issuer)
{
    json list = json_get_text(metadata, "authorization_servers");
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < json_count(list); i++) {
        json one = json_at(list, i);
        if (!json_is(one, JSON_TEXT) || json_str(one).len > RESOURCE_URL_MAX) continue;
        if (issuer.len == 0 || str_equal(json_str(one), issuer)) return one;
    }
    return json_invalid();
}

status resource_metadata_read(str resource, str issuer, str document, json *ret_metadata,
                              json *ret_issuer, struct error *reterr)
{
    CLEANUP(json_unrefp) json metadata = json_invalid();
    TRY(read_document(document, "the metadata of the server", &metadata, reterr));
    if (!covers(text_at(metadata, "resource"), resource)) {
        return fail(reterr, STATUS_PERMISSION_DENIED,
                    "the metadata of the server is that of another resource");
    }
    json found = issuer_in(metadata, issuer);
    if (!json_is(found, JSON_TEXT)) {
        return fail(reterr, STATUS_PERMISSION_DENIED,
                    issuer.len > 0 ? "the server does not name the `issuer` of the connection"
                                   : "the server names no authorization server");
    }
    *ret_issuer   = json_ref(found);
    *ret_metadata = json_take(&metadata);
    return STATUS_OK;
}

/* --- the authorization server ----------------------------------------------------------------- */

/* A list that is not there says nothing. */
static bool offers(json metadata, const char *key, const char *wanted, bool is_default)
{
    json list = json_get_text(metadata, key);
    if (!json_is(list, JSON_ARRAY)) return is_default;
    for (size_t i = 0; i < json_count(list); i++) {
        json one = json_at(list, i);
        if (json_is(one, JSON_TEXT) && str_is(json_str(one), wanted)) return true;
    }
    return false;
}

/* Of servers that say which they take. */
static bool takes_key(json metadata, str key)
{
    bool is_rsa = private_key_kind(key) == PRIVATE_KEY_RSA;
    return offers(metadata, "token_endpoint_auth_methods_supported", "private_key_jwt", true) &&
           offers(metadata, "token_endpoint_auth_signing_alg_values_supported",
                  is_rsa ? "RS256" : "ES256", true);
}

/* NULL: none that can be used. A key goes before a secret, which leaves the house; without a list
 * secrets are basic (RFC 8414, section 2). */
static const char *method_of(json metadata, json client)
{
    static const char *const methods[] = {"client_secret_basic", "client_secret_post"};
    str key                            = text_at(client, "key");
    if (key.len > 0 && takes_key(metadata, key)) return "private_key_jwt";
    bool has_secret = text_at(client, "secret").len > 0;
    for (size_t i = 0; has_secret && i < ARRAY_LEN(methods); i++) {
        if (offers(metadata, "token_endpoint_auth_methods_supported", methods[i], i == 0)) {
            return methods[i];
        }
    }
    return NULL;
}

/* Owned. */
static json scopes_new(json client, json resource_metadata, str scope)
{
    json own = json_get_text(client, "scopes");
    if (json_is(own, JSON_ARRAY)) return json_ref(own);
    if (scope.len == 0) return json_ref(json_get_text(resource_metadata, "scopes_supported"));
    json scopes = json_array_new(1);
    json_array_push(&scopes, json_text_lossy(scope)); /* with blanks between them, as it is sent */
    return scopes;
}

/* What it proves itself by, and nothing else of it. Owned. */
static json proof_new(json client, const char *method, json metadata)
{
    json proof     = json_object_new(5);
    json key_id    = json_get_text(client, "key_id");
    bool has_key   = strcmp(method, "private_key_jwt") == 0;
    const char *by = has_key ? "key" : "secret";
    json_object_put_text(&proof, "id", json_ref(json_get_text(client, "id")));
    json_object_put_text(&proof, by, json_ref(json_get_text(client, by)));
    json_object_put_text(&proof, "authentication", json_text_from(method));
    if (!has_key) return proof;
    json_object_put_text(&proof, "audience", json_ref(json_get_text(metadata, "issuer")));
    if (json_is(key_id, JSON_TEXT)) json_object_put_text(&proof, "key_id", json_ref(key_id));
    return proof;
}

static json policy_new(json client, const char *method, json metadata, json resource_metadata,
                       str scope)
{
    json policy    = json_object_new(6);
    json endpoints = json_object_new(1);
    json scopes    = scopes_new(client, resource_metadata, scope);
    json_object_put_text(&endpoints, "token", json_ref(json_get_text(metadata, "token_endpoint")));
    json_object_put_text(&policy, "grant", json_text_from("client_credentials"));
    json_object_put_text(&policy, "client", proof_new(client, method, metadata));
    json_object_put_text(&policy, "endpoints", endpoints);
    json_object_put_text(&policy, "resource",
                         json_ref(json_get_text(resource_metadata, "resource")));
    if (json_is(scopes, JSON_ARRAY) && json_count(scopes) <= RESOURCE_SCOPES_MAX) {
        json_object_put_text(&policy, "scopes", json_ref(scopes));
    }
    json_unref(scopes);
    return policy;
}

status server_metadata_read(str issuer, str document, json client, json resource_metadata,
                            str scope, json *ret_policy, struct error *reterr)
{
    CLEANUP(json_unrefp) json metadata = json_invalid();
    struct url url                     = {};
    TRY(read_document(document, "the metadata of the authorization server", &metadata, reterr));
    if (!str_equal(text_at(metadata, "issuer"), issuer)) {
        return fail(reterr, STATUS_PERMISSION_DENIED,
                    "the metadata of the authorization server is that of another issuer");
    }
    if (!url_parse(text_at(metadata, "token_endpoint"), &url)) {
        return fail(reterr, STATUS_UNAVAILABLE, "the authorization server has no token_endpoint");
    }
    const char *method = method_of(metadata, client);
    if (!method || !offers(metadata, "grant_types_supported", "client_credentials", true)) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "the authorization server takes no client_credentials with %s",
                    text_at(client, "key").len > 0 ? "a key of this kind" : "a secret");
    }
    *ret_policy = policy_new(client, method, metadata, resource_metadata, scope);
    return STATUS_OK;
}
