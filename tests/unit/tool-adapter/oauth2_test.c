/* Policies of OAuth 2 and OpenID Connect: what is asked, and what the answers mean. */
#include "cmocka.h"

#include "http/http.h"
#include "support/keys.h"
#include "tool-adapter/authorization/oauth2.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <string.h>

#define URL "https://id.test/oauth2/token"

static json parsed(const char *text)
{
    json value = json_invalid();
    if (json_parse(str_from(text), NULL, &value, NULL, NULL) != STATUS_OK) fail_msg("%s", text);
    return value;
}

/* --- policies ----------------------------------------------------------------------------------
 */

static const struct policy_row {
    const char *name, *members;
    bool is_oidc;
    const char *missing; /* NULL: complete */
} policies[] = {
    {"no map", "1", false, "a map"},
    {"no authority", "{\"client\":{\"id\":\"c\",\"secret\":\"s\"}}", false, "authority"},
    {"no client", "{\"authority\":\"https://i\"}", false, "client.id"},
    {"no secret", "{\"authority\":\"https://i\",\"client\":{\"id\":\"c\"}}", false,
     "client.secret"},
    {"no secret is needed",
     "{\"authority\":\"https://i\",\"client\":{\"id\":\"c\",\"authentication\":\"none\"}}", false,
     NULL},
    {"no assertion",
     "{\"authority\":\"https://"
     "i\",\"client\":{\"id\":\"c\",\"authentication\":\"private_key_jwt\"}}",
     false, "client.assertion"},
    {"no key",
     "{\"authority\":\"https://i\",\"client\":{\"id\":\"c\",\"key\":\"pem\",\"authentication\":"
     "\"private_key_jwt\"}}",
     false, "no private key in PEM"},
    {"a key",
     "{\"authority\":\"https://i\",\"client\":{\"id\":\"c\",\"key\":\"" P256_PEM_JSON
     "\",\"authentication\":\"private_key_jwt\"}}",
     false, NULL},
    {"an unknown client authentication",
     "{\"authority\":\"https://i\",\"client\":{\"id\":\"c\",\"secret\":\"s\",\"authentication\":"
     "\"magic\"}}",
     false, "client.authentication"},
    {"no user", "{\"authority\":\"https://i\",\"grant\":\"password\"}", false, "username"},
    {"no subject", "{\"authority\":\"https://i\",\"grant\":\"refresh_token\"}", false,
     "subject.token"},
    {"a person is needed", "{\"authority\":\"https://i\",\"grant\":\"authorization_code\"}", false,
     "the grant authorization_code"},
    {"an absolute endpoint needs no authority",
     "{\"endpoints\":{\"token\":\"https://i/t\"},\"client\":{\"id\":\"c\",\"secret\":\"s\"}}",
     false, NULL},
    {"but oidc does",
     "{\"endpoints\":{\"token\":\"https://i/t\"},\"client\":{\"id\":\"c\",\"secret\":\"s\"}}", true,
     "authority"},
    {"complete", "{\"authority\":\"https://i\",\"client\":{\"id\":\"c\",\"secret\":\"s\"}}", true,
     NULL},
};

static void check_policy(void **state)
{
    const struct policy_row *row      = *state;
    CLEANUP(json_unrefp) json members = parsed(row->members);
    struct oauth2_policy policy       = {};
    struct error error                = {};
    status code                       = oauth2_read(members, row->is_oidc, &policy, &error);
    assert_int_equal(code, row->missing ? STATUS_INVALID_ARGUMENT : STATUS_OK);
    if (row->missing && !strstr(error.text, row->missing)) fail_msg("%s", error.text);
}

/* --- endpoints ---------------------------------------------------------------------------------
 */

static const struct endpoint_row {
    const char *name, *members;
    bool is_oidc;
    const char *discovery, *token; /* one of them */
} endpoints[] = {
    {"the default path", "{\"authority\":\"https://i/realms/x/\"}", false, NULL,
     "https://i/realms/x/oauth2/token"},
    {"an own path", "{\"authority\":\"https://i\",\"endpoints\":{\"token\":\"t\"}}", false, NULL,
     "https://i/t"},
    {"a URL of its own", "{\"authority\":\"https://i\",\"endpoints\":{\"token\":\"https://j/t\"}}",
     false, NULL, "https://j/t"},
    {"oidc", "{\"authority\":\"https://i/\"}", true, "https://i/.well-known/openid-configuration",
     NULL},
    {"an authority that is the document",
     "{\"authority\":\"https://i/.well-known/openid-configuration\"}", false,
     "https://i/.well-known/openid-configuration", NULL},
};

static void check_endpoint(void **state)
{
    const struct endpoint_row *row    = *state;
    CLEANUP(json_unrefp) json members = parsed(row->members);
    const struct oauth2_policy policy = {.is_oidc = row->is_oidc, .members = members};
    CLEANUP(buf_done) struct buf url  = buf_init(HTTP_URL_MAX);
    assert_int_equal(oauth2_discovery_url(&policy, &url), row->discovery != NULL);
    if (!row->discovery) assert_int_equal(oauth2_token_url(&policy, &url, NULL), STATUS_OK);
    assert_true(str_is(buf_str(&url), row->discovery ? row->discovery : row->token));
}

static const struct document_row {
    const char *name, *document;
    status code;
} documents[] = {
    {"a document", "{\"issuer\":\"https://i\",\"token_endpoint\":\"" URL "\"}", STATUS_OK},
    {"of another issuer", "{\"issuer\":\"https://evil\",\"token_endpoint\":\"" URL "\"}",
     STATUS_PERMISSION_DENIED},
    {"without endpoint", "{\"issuer\":\"https://i\"}", STATUS_UNAVAILABLE},
    {"no document", "<html>", STATUS_UNAVAILABLE},
};

static void check_document(void **state)
{
    const struct document_row *row    = *state;
    CLEANUP(json_unrefp) json members = parsed("{\"issuers\":[\"https://i\"]}");
    const struct oauth2_policy policy = {.is_oidc = true, .members = members};
    CLEANUP(buf_done) struct buf url  = buf_init(HTTP_URL_MAX);
    assert_int_equal(oauth2_discovered_url(&policy, str_from(row->document), &url, NULL),
                     row->code);
    if (row->code == STATUS_OK) assert_true(str_is(buf_str(&url), URL));
}

/* --- requests ----------------------------------------------------------------------------------
 */

#define CLIENT "\"client\":{\"id\":\"the client\",\"secret\":\"s&t\""

static const struct request_row {
    const char *name, *members, *refresh;
    const char *body, *authorization;
} requests[] = {
    {"client_credentials", "{" CLIENT "},\"scopes\":[\"a\",\"b c\"],\"audiences\":[\"x\",\"y\"]}",
     "",
     "grant_type=client_credentials&scope=a%20b%20c&audience=x&audience=y&client_id=the%20client&"
     "client_secret=s%26t",
     ""},
    {"in JSON",
     "{" CLIENT "},\"audiences\":[\"x\",\"y\"],\"request\":{\"encoding\":\"application/json\"}}",
     "",
     "{\"grant_type\":\"client_credentials\",\"audience\":[\"x\",\"y\"],\"client_id\":\"the "
     "client\",\"client_secret\":\"s&t\"}",
     ""},
    {"client_secret_basic, encoded twice",
     "{" CLIENT ",\"authentication\":\"client_secret_basic\"}}", "",
     "grant_type=client_credentials",
     /* printf 'the%20client:s%26t' | base64 */
     "Basic dGhlJTIwY2xpZW50OnMlMjZ0"},
    {"password", "{\"grant\":\"password\",\"username\":\"ann\",\"password\":\"p w\"}", "",
     "grant_type=password&username=ann&password=p%20w", ""},
    {"refresh_token", "{\"grant\":\"refresh_token\",\"subject\":{\"token\":\"r1\",\"type\":\"t\"}}",
     "", "grant_type=refresh_token&refresh_token=r1", ""},
    {"a newer refresh token",
     "{\"grant\":\"refresh_token\",\"subject\":{\"token\":\"r1\",\"type\":\"t\"}}", "r2",
     "grant_type=refresh_token&refresh_token=r2", ""},
    {"token exchange",
     "{\"grant\":\"urn:ietf:params:oauth:grant-type:token-exchange\",\"subject\":{\"token\":\"s\","
     "\"type\":\"urn:x\"},\"actor\":{\"token\":\"a\",\"type\":\"urn:y\"}}",
     "",
     "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=s&"
     "subject_token_type=urn%3Ax&actor_token=a&actor_token_type=urn%3Ay",
     ""},
    {"private_key_jwt",
     "{\"client\":{\"id\":\"c\",\"assertion\":\"a.b.c\",\"authentication\":\"private_key_jwt\"}}",
     "",
     "grant_type=client_credentials&client_id=c&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%"
     "3Aclient-assertion-type%3Ajwt-bearer&client_assertion=a.b.c",
     ""},
    {"a public client", "{\"client\":{\"id\":\"c\",\"authentication\":\"none\"}}", "",
     "grant_type=client_credentials&client_id=c", ""},
};

static void check_request(void **state)
{
    const struct request_row *row                              = *state;
    CLEANUP(json_unrefp) json members                          = parsed(row->members);
    const struct oauth2_policy policy                          = {.members = members};
    CLEANUP(oauth2_request_done) struct oauth2_request request = {};
    assert_int_equal(oauth2_request_make(&policy, str_from(URL), str_from(row->refresh), 1'000,
                                         str_from("nonce"), &request, NULL),
                     STATUS_OK);
    (void)buf_put_byte(&request.body, '\0');
    assert_string_equal(request.body.ptr, row->body);
    assert_true(str_is(buf_str(&request.authorization), row->authorization));
    assert_string_equal(request.content_type, row->body[0] == '{'
                                                  ? "application/json"
                                                  : "application/x-www-form-urlencoded");
}

static void a_client_signs_for_itself(void **)
{
    CLEANUP(json_unrefp)
    json members =
        parsed("{\"client\":{\"id\":\"c\",\"secret\":\"0123456789abcdef\",\"key\":\"" P256_PEM_JSON
               "\",\"authentication\":\"client_secret_jwt\"}}"); /* not by the key */
    const struct oauth2_policy policy                          = {.members = members};
    CLEANUP(oauth2_request_done) struct oauth2_request request = {};
    assert_int_equal(
        oauth2_request_make(&policy, str_from(URL), (str){}, 1'000, str_from("n"), &request, NULL),
        STATUS_OK);
    (void)buf_put_byte(&request.body, '\0');
    assert_non_null(strstr(request.body.ptr,
                           "&client_assertion="
                           "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJjIiwic3ViIjo"
                           "iYyIsImF1ZCI6Imh0dHBzOi8vaWQudGVzdC9vYXV0aDIvdG9rZW4iLCJqdGk"
                           "iOiJuIiwiaWF0IjoxMDAwLCJleHAiOjEwNjB9.gf3A-02ZvDWR-Ob8qTHee4"
                           "6N1E2sSX22GOGb42NHwXc"));
    assert_null(strstr(request.body.ptr, "0123456789abcdef"));
}

/* {"alg":"ES256","typ":"JWT","kid":"k1"} and
 * {"iss":"c","sub":"c","aud":"https://id.test","jti":"n","iat":1000,"exp":1060}: for the issuer, if
 * that is known. */
static void a_client_signs_with_its_key(void **)
{
    CLEANUP(json_unrefp)
    json members                      = parsed("{\"client\":{\"id\":\"c\",\"key\":\"" P256_PEM_JSON
                                               "\",\"key_id\":\"k1\",\"audience\":\"https://"
                                                                    "id.test\",\"authentication\":\"private_key_jwt\"}}");
    const struct oauth2_policy policy = {.members = members};
    CLEANUP(oauth2_request_done) struct oauth2_request request = {};
    assert_int_equal(
        oauth2_request_make(&policy, str_from(URL), (str){}, 1'000, str_from("n"), &request, NULL),
        STATUS_OK);
    (void)buf_put_byte(&request.body, '\0');
    assert_non_null(strstr(request.body.ptr,
                           "&client_assertion=eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImsxIn0."
                           "eyJpc3MiOiJjIiwic3ViIjoiYyIsImF1ZCI6Imh0dHBzOi8vaWQudGVzdCIsImp0aSI6Im4"
                           "iLCJpYXQiOjEwMDAsImV4cCI6MTA2MH0."));
    assert_null(strstr(request.body.ptr, "PRIVATE"));
}

static void a_request_has_its_size(void **)
{
    char *secret = malloc(OAUTH2_REQUEST_MAX + 1);
    memset(secret, 's', OAUTH2_REQUEST_MAX);
    secret[OAUTH2_REQUEST_MAX]        = '\0';
    CLEANUP(json_unrefp) json members = json_object_new(1);
    json client                       = json_object_new(2);
    json_object_put_text(&client, "id", json_text_from("c"));
    json_object_put_text(&client, "secret", json_text_from(secret));
    json_object_put_text(&members, "client", client);
    free(secret);
    const struct oauth2_policy policy = {.members = members};
    struct oauth2_request request     = {};
    assert_int_equal(
        oauth2_request_make(&policy, str_from(URL), (str){}, 1'000, str_from("n"), &request, NULL),
        STATUS_INVALID_ARGUMENT);
}

/* --- answers -----------------------------------------------------------------------------------
 */

static const struct answer_row {
    const char *name;
    int http_status;
    const char *body;
    status code;
    int64_t lives_s;
    const char *words; /* of the error */
} answers[] = {
    {"a token", 200, "{\"access_token\":\"t\",\"expires_in\":3600}", STATUS_OK, 3540, NULL},
    {"a short one", 200, "{\"access_token\":\"t\",\"expires_in\":60}", STATUS_OK, 30, NULL},
    {"seconds as a text", 200, "{\"access_token\":\"t\",\"expires_in\":\"600\"}", STATUS_OK, 540,
     NULL},
    {"seconds that are none", 200, "{\"access_token\":\"t\",\"expires_in\":\"soon\"}", STATUS_OK,
     OAUTH2_UNKNOWN_S, NULL},
    {"it does not say when it ends", 200, "{\"access_token\":\"t\"}", STATUS_OK, OAUTH2_UNKNOWN_S,
     NULL},
    {"refused", 401, "{\"error\":\"invalid_client\",\"error_description\":\"secret told\"}",
     STATUS_UNAUTHENTICATED, 0, "401: invalid_client"},
    {"refused with a strange code", 400, "{\"error\":\"<script>\"}", STATUS_UNAUTHENTICATED, 0,
     "refused with 400"},
    {"refused without JSON", 403, "no", STATUS_UNAUTHENTICATED, 0, "refused with 403"},
    {"busy", 429, "{}", STATUS_UNAVAILABLE, 0, "429"},
    {"broken", 500, "{}", STATUS_UNAVAILABLE, 0, "500"},
    {"no token", 200, "{\"token\":\"t\"}", STATUS_UNAVAILABLE, 0, "no access_token"},
    {"no JSON", 200, "<html>", STATUS_UNAVAILABLE, 0, "no access_token"},
    /* {"iss":"https://i"} and {"iss":"https://evil"} */
    {"of a known issuer", 200, "{\"access_token\":\"h.eyJpc3MiOiJodHRwczovL2kifQ.s\"}", STATUS_OK,
     OAUTH2_UNKNOWN_S, NULL},
    {"of another issuer", 200, "{\"access_token\":\"h.eyJpc3MiOiJodHRwczovL2V2aWwifQ.s\"}",
     STATUS_PERMISSION_DENIED, 0, "issuer"},
    {"a JWT that is none", 200, "{\"access_token\":\"a.b.c\"}", STATUS_OK, OAUTH2_UNKNOWN_S, NULL},
};

static void check_answer(void **state)
{
    const struct answer_row *row                         = *state;
    CLEANUP(json_unrefp) json members                    = parsed("{\"issuers\":[\"https://i\"]}");
    const struct oauth2_policy policy                    = {.members = members};
    CLEANUP(oauth2_token_done) struct oauth2_token token = {};
    struct error error                                   = {};
    assert_int_equal(
        oauth2_answer_read(&policy, row->http_status, str_from(row->body), &token, &error),
        row->code);
    assert_int_equal(token.lives_s, row->lives_s);
    if (row->words && !strstr(error.text, row->words)) fail_msg("%s", error.text);
    assert_null(strstr(error.text, "secret told"));
}

static void keys_tell_policies_apart(void **)
{
    CLEANUP(json_unrefp) json one   = parsed("{\"authority\":\"a\",\"grant\":\"g\"}");
    CLEANUP(json_unrefp) json same  = parsed("{\"grant\":\"g\",\"authority\":\"a\"}");
    CLEANUP(json_unrefp) json other = parsed("{\"authority\":\"a\",\"grant\":\"h\"}");
    char a[OAUTH2_KEY_SIZE];
    char b[OAUTH2_KEY_SIZE];
    char c[OAUTH2_KEY_SIZE];
    char d[OAUTH2_KEY_SIZE];
    oauth2_key(&(struct oauth2_policy){.members = one}, a);
    oauth2_key(&(struct oauth2_policy){.members = same}, b);
    oauth2_key(&(struct oauth2_policy){.members = other}, c);
    oauth2_key(&(struct oauth2_policy){.members = one, .is_oidc = true}, d);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    assert_string_not_equal(a, d);
}

int main(void)
{
    struct CMUnitTest tests[64];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        tests[count++] = row_test(policies[i].name, check_policy, &policies[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
        tests[count++] = row_test(endpoints[i].name, check_endpoint, &endpoints[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
        tests[count++] = row_test(documents[i].name, check_document, &documents[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        tests[count++] = row_test(requests[i].name, check_request, &requests[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        tests[count++] = row_test(answers[i].name, check_answer, &answers[i]);
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_client_signs_for_itself);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_client_signs_with_its_key);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_request_has_its_size);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(keys_tell_policies_apart);
    return _cmocka_run_group_tests("oauth2", tests, count, NULL, NULL);
}
