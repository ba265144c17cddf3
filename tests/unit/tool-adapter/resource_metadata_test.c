/* What a 401, the metadata of a resource and that of its authorization server come to. */
#include "cmocka.h"

#include "base/attr.h"
#include "support/keys.h"
#include "tool-adapter/authorization/resource_metadata.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <string.h>

static const char resource[] = "https://tools.example/a/mcp";
static const char issuer[]   = "https://id.example/team";

/* --- challenges ------------------------------------------------------------------------------- */

static void challenges(void **)
{
    static const struct {
        const char *header, *url, *scope;
    } rows[] = {
        {"Bearer resource_metadata=\"https://x/y\", scope=\"a b\"", "https://x/y", "a b"},
        {"bearer realm=x, Resource_Metadata=https", "https", ""},
        {"Digest nonce=\"1\", realm=\"r\", Bearer scope=read", "", "read"},
        {"Digest resource_metadata=\"https://x\"", "", ""},
        {"Bearer", "", ""},
        {"Bearer resource_metadata=\"https://x", "", ""},
        {"=,=", "", ""},
        {"", "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct resource_challenge said = {};
        resource_challenge_read(str_from(rows[i].header), &said);
        assert_true(str_is(said.metadata_url, rows[i].url));
        assert_true(str_is(said.scope, rows[i].scope));
    }
}

/* --- places ----------------------------------------------------------------------------------- */

static void assert_places(bool is_server, const char *of, const char *challenged,
                          const char *const *wanted)
{
    const struct resource_challenge challenge = {.metadata_url = str_from(challenged)};
    CLEANUP(buf_done) struct buf url          = buf_init(RESOURCE_URL_MAX);
    unsigned attempt                          = 0;
    for (;; attempt++) {
        bool is_there = is_server ? server_metadata_url(str_from(of), attempt, &url)
                                  : resource_metadata_url(str_from(of), &challenge, attempt, &url);
        assert_int_equal(is_there, wanted[attempt] != NULL);
        if (!is_there) return;
        assert_true(str_is(buf_str(&url), wanted[attempt]));
    }
}

static void places(void **)
{
    static const char *const of_path[] = {
        "https://tools.example:443/.well-known/oauth-protected-resource/a/mcp",
        "https://tools.example:443/.well-known/oauth-protected-resource", NULL};
    static const char *const of_root[] = {
        "https://tools.example:443/.well-known/oauth-protected-resource", NULL};
    static const char *const said[]      = {"https://x/y", NULL};
    static const char *const none[]      = {NULL};
    static const char *const of_issuer[] = {
        "https://id.example:443/.well-known/oauth-authorization-server/team",
        "https://id.example:443/.well-known/openid-configuration/team",
        "https://id.example/team/.well-known/openid-configuration", NULL};
    static const char *const of_plain[] = {
        "https://id.example:443/.well-known/oauth-authorization-server",
        "https://id.example:443/.well-known/openid-configuration", NULL};
    assert_places(false, resource, "", of_path);
    assert_places(false, "https://tools.example/", "", of_root);
    assert_places(false, resource, "https://x/y", said);
    assert_places(false, "file:///etc/passwd", "", none);
    assert_places(true, issuer, "", of_issuer);
    assert_places(true, "https://id.example/", "", of_plain);
    assert_places(true, "no address", "", none);
}

/* --- the resource ----------------------------------------------------------------------------- */

static void resources(void **)
{
    static const struct {
        const char *document, *issuer;
        status code;
    } rows[] = {
        {"{\"resource\":\"https://tools.example/a/mcp\",\"authorization_servers\":[\"https://"
         "id.example/team\"]}",
         "", STATUS_OK},
        {"{\"resource\":\"https://tools.example\",\"authorization_servers\":[7,\"https://"
         "id.example/team\"]}",
         "", STATUS_OK},
        {"{\"resource\":\"https://tools.example/a/\",\"authorization_servers\":[\"https://"
         "other\",\"https://id.example/team\"]}",
         "https://id.example/team", STATUS_OK},
        {"{\"resource\":\"https://tools.example/a/m\",\"authorization_servers\":[\"https://"
         "id.example/team\"]}",
         "", STATUS_PERMISSION_DENIED},
        {"{\"resource\":\"https://tools.example/b\",\"authorization_servers\":[\"https://"
         "id.example/team\"]}",
         "", STATUS_PERMISSION_DENIED},
        {"{\"resource\":\"http://tools.example/a/mcp\",\"authorization_servers\":[\"https://"
         "id.example/team\"]}",
         "", STATUS_PERMISSION_DENIED},
        {"{\"resource\":\"https://tools.example/a/mcp\",\"authorization_servers\":[\"https://"
         "id.example/team\"]}",
         "https://else", STATUS_PERMISSION_DENIED},
        {"{\"resource\":\"https://tools.example/a/mcp\",\"authorization_servers\":[]}", "",
         STATUS_PERMISSION_DENIED},
        {"{\"authorization_servers\":[\"https://id.example/team\"]}", "", STATUS_PERMISSION_DENIED},
        {"[]", "", STATUS_UNAVAILABLE},
        {"<html>", "", STATUS_UNAVAILABLE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_unrefp) json metadata = json_invalid();
        CLEANUP(json_unrefp) json found    = json_invalid();
        struct error error                 = {};
        status code = resource_metadata_read(str_from(resource), str_from(rows[i].issuer),
                                             str_from(rows[i].document), &metadata, &found, &error);
        assert_int_equal(code, rows[i].code);
        if (code == STATUS_OK) assert_true(str_is(json_str(found), issuer));
        if (code != STATUS_OK) assert_true(error.text[0] != '\0');
    }
}

/* --- the server ------------------------------------------------------------------------------- */

#define SERVER "{\"issuer\":\"https://id.example/team\",\"token_endpoint\":\"https://id.example/t\""

static void servers(void **)
{
    static const struct {
        const char *document, *client, *scope, *policy; /* NULL: refused with */
        status code;
    } rows[] = {
        {SERVER "}", "{\"id\":\"a\",\"secret\":\"s\"}", "",
         "{\"grant\":\"client_credentials\",\"client\":{\"id\":\"a\",\"secret\":\"s\","
         "\"authentication\":\"client_secret_basic\"},"
         "\"endpoints\":{\"token\":\"https://id.example/t\"},\"resource\":\"https://"
         "tools.example\",\"scopes\":[\"all\"]}",
         STATUS_OK},
        {SERVER ",\"token_endpoint_auth_methods_supported\":[\"none\",\"client_secret_post\"]}",
         "{\"id\":\"a\",\"secret\":\"s\"}", "x y",
         "{\"grant\":\"client_credentials\",\"client\":{\"id\":\"a\",\"secret\":\"s\","
         "\"authentication\":\"client_secret_post\"},"
         "\"endpoints\":{\"token\":\"https://id.example/t\"},\"resource\":\"https://"
         "tools.example\",\"scopes\":[\"x y\"]}",
         STATUS_OK},
        {SERVER ",\"grant_types_supported\":[\"client_credentials\"]}",
         "{\"id\":\"a\",\"secret\":\"s\",\"scopes\":[\"own\"]}", "x",
         "{\"grant\":\"client_credentials\",\"client\":{\"id\":\"a\",\"secret\":\"s\","
         "\"authentication\":\"client_secret_basic\"},"
         "\"endpoints\":{\"token\":\"https://id.example/t\"},\"resource\":\"https://"
         "tools.example\",\"scopes\":[\"own\"]}",
         STATUS_OK},
        {SERVER ",\"grant_types_supported\":[\"authorization_code\"]}", "{}", "", NULL,
         STATUS_FAILED_PRECONDITION},
        {SERVER ",\"token_endpoint_auth_methods_supported\":[\"private_key_jwt\"]}", "{}", "", NULL,
         STATUS_FAILED_PRECONDITION},
        {"{\"issuer\":\"https://id.example/team/\",\"token_endpoint\":\"https://id.example/t\"}",
         "{}", "", NULL, STATUS_PERMISSION_DENIED},
        {"{\"token_endpoint\":\"https://id.example/t\"}", "{}", "", NULL, STATUS_PERMISSION_DENIED},
        {"{\"issuer\":\"https://id.example/team\",\"token_endpoint\":\"file:///t\"}", "{}", "",
         NULL, STATUS_UNAVAILABLE},
        {"{\"issuer\":\"https://id.example/team\"}", "{}", "", NULL, STATUS_UNAVAILABLE},
        {"no", "{}", "", NULL, STATUS_UNAVAILABLE},
    };
    CLEANUP(json_unrefp) json metadata = json_invalid();
    assert_int_equal(
        json_parse(
            str_from("{\"resource\":\"https://tools.example\",\"scopes_supported\":[\"all\"]}"),
            NULL, &metadata, NULL, NULL),
        STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_unrefp) json client = json_invalid();
        CLEANUP(json_unrefp) json policy = json_invalid();
        CLEANUP(json_unrefp) json wanted = json_invalid();
        struct error error               = {};
        assert_int_equal(json_parse(str_from(rows[i].client), NULL, &client, NULL, NULL),
                         STATUS_OK);
        status code = server_metadata_read(str_from(issuer), str_from(rows[i].document), client,
                                           metadata, str_from(rows[i].scope), &policy, &error);
        assert_int_equal(code, rows[i].code);
        if (!rows[i].policy) continue;
        assert_int_equal(json_parse(str_from(rows[i].policy), NULL, &wanted, NULL, NULL),
                         STATUS_OK);
        assert_true(json_equal(policy, wanted));
    }
}

/* By what the client proves itself, if it could by both. */
static void keys(void **)
{
#define METHODS(list)    SERVER ",\"token_endpoint_auth_methods_supported\":[" list "]"
#define KEY              "\"private_key_jwt\""
#define POST             "\"client_secret_post\""
#define ALGORITHMS(list) ",\"token_endpoint_auth_signing_alg_values_supported\":[" list "]"
    static const struct {
        const char *document;
        bool has_secret;
        const char *method; /* NULL: refused */
    } rows[] = {
        {SERVER "}", true, "private_key_jwt"},
        {METHODS(POST "," KEY) "}", true, "private_key_jwt"},
        {METHODS(KEY) ALGORITHMS("\"RS256\",\"ES256\"") "}", false, "private_key_jwt"},
        {METHODS(KEY) ALGORITHMS("\"RS256\"") "}", false, NULL},
        {METHODS(POST "," KEY) ALGORITHMS("\"RS256\"") "}", true, "client_secret_post"},
        {METHODS(POST) "}", true, "client_secret_post"},
        {METHODS(POST) "}", false, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_unrefp) json client   = json_object_new(3);
        CLEANUP(json_unrefp) json metadata = json_object_new(1);
        CLEANUP(json_unrefp) json policy   = json_invalid();
        bool is_keyed = rows[i].method && strcmp(rows[i].method, "private_key_jwt") == 0;
        json_object_put_text(&client, "id", json_text_from("a"));
        json_object_put_text(&client, "key", json_text_from(P256_PEM));
        json_object_put_text(&metadata, "resource", json_text_from(resource));
        if (rows[i].has_secret) json_object_put_text(&client, "secret", json_text_from("s"));
        status code = server_metadata_read(str_from(issuer), str_from(rows[i].document), client,
                                           metadata, (str){}, &policy, NULL);
        assert_int_equal(code, rows[i].method ? STATUS_OK : STATUS_FAILED_PRECONDITION);
        if (!rows[i].method) continue;
        json proof = json_get_text(policy, "client");
        assert_true(str_is(json_str(json_get_text(proof, "authentication")), rows[i].method));
        assert_int_equal(json_get_text(proof, "key").kind, is_keyed ? JSON_TEXT : JSON_INVALID);
        assert_int_equal(json_get_text(proof, "secret").kind, is_keyed ? JSON_INVALID : JSON_TEXT);
        if (is_keyed) assert_true(str_is(json_str(json_get_text(proof, "audience")), issuer));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(challenges), cmocka_unit_test(places), cmocka_unit_test(resources),
        cmocka_unit_test(servers),    cmocka_unit_test(keys),
    };
    return cmocka_run_group_tests_name("resource_metadata", tests, NULL, NULL);
}
