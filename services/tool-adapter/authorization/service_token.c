#include "tool-adapter/authorization/service_token.h"

#include "adapter/credentials.h"
#include "base/clock.h"
#include "base/mem.h"
#include "json/json_text.h"

#include <stdlib.h>

/* --- the policy --------------------------------------------------------------------------------
 */

static status put_formula(json *map, const char *name, const struct formula *formula,
                          const char *what, json scope, struct error *reterr)
{
    json value         = json_invalid();
    struct error error = {};
    status code        = formula_eval(formula, scope, scope_now_us(scope), &value, &error);
    if (code != STATUS_OK) return fail(reterr, code, "`auth.%s`: %s", what, error.text);
    if (!json_is(value, JSON_TEXT)) {
        json_unref(value);
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`auth.%s` yields no text", what);
    }
    json_object_put_text(map, name, value);
    return STATUS_OK;
}

static status put_secret(json *map, const char *name, const struct manifest *manifest,
                         const char *slot, const struct secret_source *secrets,
                         struct error *reterr)
{
    str value = {};
    bool has  = false;
    TRY(credentials_secret(manifest, slot, secrets, &value, &has, reterr));
    if (has) json_object_put_text(map, name, json_text_new(value));
    return STATUS_OK;
}

/* By what the client proves itself. */
static status put_client(json *client, const struct manifest *manifest,
                         const struct manifest_auth *auth, json scope,
                         const struct secret_source *secrets, struct error *reterr)
{
    const char *method = auth->is_posted ? "client_secret_post" : "client_secret_basic";
    if (auth->client_key) method = "private_key_jwt";
    json_object_put_text(client, "authentication", json_text_from(method));
    if (!auth->client_key) {
        return put_secret(client, "secret", manifest, auth->client_secret, secrets, reterr);
    }
    if (auth->client_key_id) {
        TRY(put_formula(client, "key_id", auth->client_key_id, "client_key_id", scope, reterr));
    }
    return put_secret(client, "key", manifest, auth->client_key, secrets, reterr);
}

/* Tokens outlive the toolbox whose manifests and settings the parts of a policy come from. */
static status copy(json members, json *ret_copy, struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(OAUTH2_REQUEST_MAX);
    if (!json_print(members, JSON_COMPACT, &text)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`auth` is too large");
    }
    return json_parse(buf_str(&text), NULL, ret_copy, NULL, reterr);
}

/* As the policies of the language (oauth2.h). `*ret_members` is owned. */
static status members_new(const struct manifest *manifest, const struct manifest_auth *auth,
                          json scope, const struct secret_source *secrets, json *ret_members,
                          struct error *reterr)
{
    CLEANUP(json_unrefp) json members   = json_object_new(5);
    CLEANUP(json_unrefp) json client    = json_object_new(3);
    CLEANUP(json_unrefp) json endpoints = json_object_new(1);
    CLEANUP(json_unrefp) json subject   = json_object_new(1);
    TRY(put_formula(&endpoints, "token", auth->token_url, "token_url", scope, reterr));
    TRY(put_formula(&client, "id", auth->client_id, "client_id", scope, reterr));
    TRY(put_client(&client, manifest, auth, scope, secrets, reterr));
    if (auth->refresh_token) {
        TRY(put_secret(&subject, "token", manifest, auth->refresh_token, secrets, reterr));
        json_object_put_text(&members, "subject", json_take(&subject));
    }
    json_object_put_text(
        &members, "grant",
        json_text_from(auth->refresh_token ? "refresh_token" : "client_credentials"));
    json_object_put_text(&members, "client", json_take(&client));
    json_object_put_text(&members, "endpoints", json_take(&endpoints));
    if (json_is(auth->scopes, JSON_ARRAY)) {
        json_object_put_text(&members, "scopes", json_ref(auth->scopes));
    }
    return copy(members, ret_members, reterr);
}

/* --- the token ---------------------------------------------------------------------------------
 */

static void take(struct service_token *token, status code, str text)
{
    free(token->text);
    token->text = code == STATUS_OK ? mem_dup(text.ptr, text.len) : NULL;
}

static void on_token(status code, str text, const struct error *error, void *context)
{
    struct service_token *token = context;
    const struct error none     = {};
    take(token, code, text);
    token->wait = NULL;
    if (token->is_asking) {
        token->code  = code;
        token->error = error ? *error : none;
        return;
    }
    loop_timer_clear(token->loop, &token->patience);
    token->done(code, error ? error : &none, token->context);
}

static void on_patience(void *context)
{
    struct service_token *token = context;
    struct error error          = {};
    status code = fail(&error, STATUS_DEADLINE_EXCEEDED, "the token endpoint took too long");
    tokens_cancel(token->wait);
    token->wait = NULL;
    token->done(code, &error, token->context);
}

status service_token_get(struct service_token *token, const struct manifest_action *action,
                         const struct manifest_auth *auth, json scope,
                         const struct secret_source *secrets, struct error *reterr)
{
    if (!token->tokens) return fail(reterr, STATUS_UNIMPLEMENTED, "no tokens can be fetched here");
    json_unref(token->members);
    token->members = json_invalid();
    TRY(members_new(action->manifest, auth, scope, secrets, &token->members, reterr));
    if (token->proxy.len > 0) {
        json_object_put_text(&token->members, OAUTH2_PROXY, json_text_new(token->proxy));
    }
    TRY(oauth2_read(token->members, false, &token->policy, reterr));
    token->is_asking = true;
    token->wait      = tokens_ask(token->tokens, &token->policy, on_token, token);
    token->is_asking = false;
    if (!token->wait) {
        if (token->code == STATUS_OK) return STATUS_OK;
        return fail(reterr, token->code, "%s", token->error.text);
    }
    int64_t left_ms = token->until_ms - clock_mono_ms();
    token->patience = (struct loop_timer){.fire = on_patience, .context = token};
    loop_timer_set(token->loop, &token->patience,
                   loop_now_ms(token->loop) + (left_ms > 0 ? left_ms : 0));
    return STATUS_OK;
}

bool service_token_refused(struct service_token *token)
{
    if (!token->text) return false;
    tokens_refused(token->tokens, &token->policy, str_from(token->text));
    bool is_first = !token->is_renewed;
    free(token->text);
    token->text       = NULL;
    token->is_renewed = true;
    return is_first;
}

void service_token_done(struct service_token *token)
{
    if (token->wait) tokens_cancel(token->wait);
    if (token->loop) loop_timer_clear(token->loop, &token->patience);
    json_unref(token->members);
    free(token->text);
    *token = (struct service_token){};
}
