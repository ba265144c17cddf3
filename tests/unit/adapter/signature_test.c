/* Tokens and signatures in requests: what is sent, what a dry run shows, what is kept. */
#include "adapter/example.h"
#include "adapter/outgoing.h"

#include "base/attr.h"
#include "support/cmocka.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>

enum { ARENA_MAX = 32 << 20, TEXT_MAX = 4 << 10, SECOND_US = 1'000'000 };

#define NOW_US (1'614'265'330LL * SECOND_US)

static const char base[] =
    "manifest: tutti/adapter/v1\n"
    "name: shop\n"
    "version: '1.0.0'\n"
    "title: A shop\n"
    "docs: https://shop.test/docs\n"
    "secrets: {key: {}, id: {optional: true}}\n"
    "auth: %s\n"
    "http: {base_url: 'https://shop.test'}\n"
    "actions:\n"
    "  tell:\n"
    "    summary: Tell it\n"
    "    effect: send\n"
    "    irreversible: it is told\n"
    "    idempotency: {header: webhook-id, value: 'msg_p5jXN8AQM9LWM0D4loKWxJek'}\n"
    "    params: {}\n"
    "    request: {method: POST, path: '/x', body: {test: 2432232314}}\n"
    "    output: {}\n"
    "    example: {params: {}}\n";

/* Any slot has the same value, which is the context. */
static status find(const char *slot, str *ret_value, struct error *reterr, void *context)
{
    if (!context || strcmp(slot, "id") == 0) {
        return fail(reterr, STATUS_NOT_FOUND, "there is none");
    }
    *ret_value = str_from(context);
    return STATUS_OK;
}

struct shop {
    struct arena *arena;
    struct manifest *manifest;
    struct outgoing outgoing;
    struct error error;
};

static void shop_done(struct shop *shop)
{
    manifest_free(shop->manifest);
    arena_free(shop->arena);
}

static void shop_read(struct shop *shop, const char *auth)
{
    char text[TEXT_MAX];
    *shop                    = (struct shop){.arena = arena_new(ARENA_MAX)};
    struct diagnostics *list = diagnostics_new(shop->arena);
    (void)snprintf(text, sizeof text, base, auth);
    if (manifest_read(str_from(text), list, &shop->manifest, &shop->error) != STATUS_OK) {
        fail_msg("%s: %s", auth, shop->error.text);
    }
}

static status render(struct shop *shop, const char *secret, int64_t now_us, struct kept_token *kept)
{
    const struct manifest_action *action = &shop->manifest->actions[0];
    char value[TEXT_MAX];
    (void)snprintf(value, sizeof value, "%s", secret ? secret : "");
    const struct secret_source secrets = {.find = find, .context = secret ? value : NULL};
    CLEANUP(json_unrefp) json scope    = json_invalid();
    TRY(example_scope(action, json_invalid(), shop->arena, &scope, &shop->error));
    const struct outgoing_source source = {.action  = action,
                                           .step    = action->steps,
                                           .scope   = scope,
                                           .secrets = &secrets,
                                           .arena   = shop->arena,
                                           .now_us  = now_us,
                                           .kept    = kept};
    return outgoing_render(&source, &shop->outgoing, &shop->error);
}

static const char *header_of(const struct outgoing *outgoing, const char *name)
{
    for (size_t i = 0; i < outgoing->header_count; i++) {
        if (str_is(outgoing->headers[i].name, name)) return outgoing->headers[i].value.ptr;
    }
    return "";
}

/* The example of the Standard Webhooks specification; its body has a space that ours has not. */
static void signs_messages(void **)
{
    static const struct {
        const char *auth, *secret, *header, *value;
    } rows[] = {
        {"{type: hmac, preset: standard, secret: key}", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
         "webhook-timestamp", "1614265330"},
        {"{type: hmac, preset: standard, secret: key}", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
         "webhook-signature", "v1,Vif40peJBP7Iyl0XGmu61n4MwdrcHov5CFREBpE0svs="},
        {"{type: hmac, secret: key, over: '=\"v0:\\(.request.time):\" + .request.body',"
         " headers: {X-Time: '{time}', X-Sig: 'v0={signature}'}}",
         "k", "X-Sig", "v0=2b57517284ac9b76bd5aa041c5b13de446385b74d048e45dea48b6273e4c8e40"},
        {"{type: hmac, secret: key, over: '=.request.method + .request.url', encoding: base64,"
         " headers: {X-Sig: '{signature}', X-Id: '{id}'}}",
         "k", "X-Sig", "dSVhnxyzFkbz1jVXqKttqRycWvDyUyA76VmMneCa4t8="},
        {"{type: hmac, secret: key, over: '=.request.id', headers: {X-Id: '{id}', X-S: 's'}}", "k",
         "X-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(shop_done) struct shop shop = {};
        shop_read(&shop, rows[i].auth);
        assert_int_equal(render(&shop, rows[i].secret, NOW_US, NULL), STATUS_OK);
        assert_string_equal(header_of(&shop.outgoing, rows[i].header), rows[i].value);
    }
}

static void refuses_wrong_keys(void **)
{
    static const struct {
        const char *auth, *secret;
        status code;
    } rows[] = {
        {"{type: hmac, preset: standard, secret: key}", "whsec_!", STATUS_INVALID_ARGUMENT},
        {"{type: hmac, preset: standard, secret: key}", NULL, STATUS_FAILED_PRECONDITION},
        {"{type: jwt, alg: RS256, secret: key}", "k", STATUS_INVALID_ARGUMENT},
        {"{type: jwt, alg: HS256, secret: key, secret_format: hex}", "xy", STATUS_INVALID_ARGUMENT},
        {"{type: jwt, alg: HS256, secret: key, secret_format: base64}", "*",
         STATUS_INVALID_ARGUMENT},
        {"{type: jwt, alg: HS256, secret: key}", NULL, STATUS_FAILED_PRECONDITION},
        {"{type: sigv4, service: s3, region: eu, access_key: key, secret_key: key}", NULL,
         STATUS_FAILED_PRECONDITION},
        {"{type: oauth2, grant: client_credentials, token_url: 'https://t.test', client_id: a,"
         " client_secret: key}",
         "k", STATUS_FAILED_PRECONDITION},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(shop_done) struct shop shop = {};
        shop_read(&shop, rows[i].auth);
        status code = render(&shop, rows[i].secret, NOW_US, NULL);
        if (code != rows[i].code) fail_msg("row %zu: %s", i, shop.error.text);
    }
}

static void a_token_is_kept_until_a_minute_before_its_end(void **)
{
    CLEANUP(shop_done) struct shop shop             = {};
    CLEANUP(kept_token_done) struct kept_token kept = {};
    char first[TEXT_MAX];
    shop_read(&shop, "{type: jwt, alg: HS256, secret: key, ttl: 5m, claims: {iss: me}}");
    assert_int_equal(render(&shop, "k", NOW_US, &kept), STATUS_OK);
    (void)snprintf(first, sizeof first, "%s", header_of(&shop.outgoing, "Authorization"));
    assert_non_null(strstr(first, "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."));
    assert_int_equal(kept.ends_us, NOW_US + 300LL * SECOND_US);

    assert_int_equal(render(&shop, "k", NOW_US + 239LL * SECOND_US, &kept), STATUS_OK);
    assert_string_equal(header_of(&shop.outgoing, "Authorization"), first);
    assert_int_equal(render(&shop, "k", NOW_US + 240LL * SECOND_US, &kept), STATUS_OK);
    assert_string_not_equal(header_of(&shop.outgoing, "Authorization"), first);
}

/* Neither a secret nor what was made with one stands in a dry run. */
static void dry_runs_show_stars(void **)
{
    static const struct {
        const char *auth, *header, *end;
    } rows[] = {
        {"{type: jwt, alg: RS256, secret: key}", "Authorization", "Bearer ***"},
        {"{type: jwt, alg: HS256, secret: key, prefix: Ghost}", "Authorization", "Ghost ***"},
        {"{type: sigv4, service: s3, region: eu, access_key: key, secret_key: key}",
         "Authorization", "Signature=***"},
        {"{type: hmac, preset: standard, secret: key}", "webhook-signature", "v1,***"},
        {"{type: oauth2, grant: client_credentials, token_url: 'https://t.test', client_id: a,"
         " client_secret: key}",
         "Authorization", "Bearer ***"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(shop_done) struct shop shop = {};
        CLEANUP(json_unrefp) json played    = json_invalid();
        shop_read(&shop, rows[i].auth);
        assert_int_equal(example_play(&shop.manifest->actions[0], json_invalid(), shop.arena,
                                      &played, &shop.error),
                         STATUS_OK);
        json headers = json_get_text(json_at(json_get_text(played, "requests"), 0), "headers");
        str value    = json_str(json_get_text(headers, rows[i].header));
        str end      = str_slice(value, value.len - strlen(rows[i].end), value.len);
        assert_true(str_is(end, rows[i].end));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_messages),
        cmocka_unit_test(refuses_wrong_keys),
        cmocka_unit_test(a_token_is_kept_until_a_minute_before_its_end),
        cmocka_unit_test(dry_runs_show_stars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
