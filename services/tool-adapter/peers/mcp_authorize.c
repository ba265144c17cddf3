#include "tool-adapter/peers/mcp_authorize.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "tool-adapter/authorization/resource_metadata.h"
#include "tool-adapter/peers/mcp_session.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HTTP_UNAUTHORIZED = 401,
    KEY_TEXT_MAX      = 64 << 10, /* bytes that a key is made of */
    KEY_SIZE          = SHA256_SIZE * 2 + 1,
};

/* Under way. */
struct mcp_discovery {
    struct mcp_call *call;
    struct http_call *http;
    struct resource_challenge challenge; /* in the call's arena */
    json resource;                       /* metadata; owned; JSON_INVALID: not read yet */
    json issuer;                         /* owned; a text */
    unsigned attempt;                    /* at the place of the document that is looked for */
    struct buf url;
};

static void discovery_free(struct mcp_discovery *discovery)
{
    discovery->call->discovery = NULL;
    json_unref(discovery->resource);
    json_unref(discovery->issuer);
    buf_done(&discovery->url);
    free(discovery);
}

/* --- what is remembered ----------------------------------------------------------------------- */

static bool make_key(const struct mcp_call *call, char ret_key[static KEY_SIZE])
{
    CLEANUP(buf_done) struct buf text = buf_init(KEY_TEXT_MAX);
    uint8_t hash[SHA256_SIZE];
    bool is_whole = json_print(call->request.client, JSON_SORTED, &text) &&
                    buf_put_str(&text, mcp_call_address(call)) &&
                    buf_put_byte(&text, call->request.keeps_private_out ? '0' : '1') &&
                    buf_put_str(&text, call->request.proxy);
    if (!is_whole) return false;
    sha256((bytes){text.ptr, text.len}, hash);
    hex_encode(hash, sizeof hash, ret_key);
    return true;
}

void mcp_policies_free(struct map *policies)
{
    size_t cursor = 0;
    void *policy  = NULL;
    while (map_next(policies, &cursor, NULL, &policy)) {
        json_unref(*(json *)policy);
        free(policy);
    }
    map_free(policies);
}

static void forget(struct mcp_client *client, const char *key)
{
    json *policy = map_remove(client->policies, str_from(key));
    if (policy) json_unref(*policy);
    free(policy);
}

static void remember(const struct mcp_call *call, json policy)
{
    struct mcp_client *client = call->client;
    char key[KEY_SIZE];
    if (!make_key(call, key)) return;
    forget(client, key);
    if (map_count(client->policies) == MCP_POLICIES_MAX) { /* found out again when they are asked */
        mcp_policies_free(client->policies);
        client->policies = map_new(MCP_POLICIES_MAX);
    }
    json *kept = mem_new(1, sizeof *kept);
    *kept      = json_ref(policy);
    (void)map_put(client->policies, str_from(key), kept);
}

/* The call proves itself by it from now on. */
static status use(struct mcp_call *call, json policy, struct error *reterr)
{
    json authentication = json_object_new(1);
    json endpoint       = json_object_new(2);
    json_object_put_text(&authentication, "oauth2", json_ref(policy));
    json_object_put_text(&endpoint, "uri", json_ref(json_get_text(call->request.endpoint, "uri")));
    json_object_put_text(&endpoint, "authentication", authentication);
    json_unref(call->endpoint);
    call->endpoint         = endpoint;
    call->request.endpoint = endpoint;
    return authorization_read(json_get_text(endpoint, "authentication"), &call->authorization,
                              reterr);
}

bool mcp_authorize_known(struct mcp_call *call)
{
    char key[KEY_SIZE];
    if (!json_is(call->request.client, JSON_OBJECT) || !make_key(call, key)) return false;
    const json *policy = map_get(call->client->policies, str_from(key));
    return policy && use(call, *policy, NULL) == STATUS_OK;
}

/* --- finding out ------------------------------------------------------------------------------ */

static void finish(struct mcp_discovery *discovery, status code, json policy, const char *why)
{
    struct mcp_call *call = discovery->call;
    struct error error    = {};
    discovery_free(discovery);
    if (code == STATUS_OK) {
        remember(call, policy);
        code = use(call, policy, &error);
        why  = error.text;
    }
    if (code != STATUS_OK) {
        mcp_call_fail(call, code, false, why);
    } else if (call->shared) { /* a session is of one who proves himself alike */
        call->sessions--;
        call->session[0] = '\0';
        mcp_session_leave(call);
        mcp_call_introduce(call, call->version);
    } else {
        mcp_call_send(call, call->step);
    }
}

static void seek(struct mcp_discovery *discovery);

static status read_resource(struct mcp_discovery *discovery, str body, struct error *reterr)
{
    const struct mcp_call *call = discovery->call;
    json issuer                 = json_get_text(call->request.client, "issuer");
    str wanted                  = json_is(issuer, JSON_TEXT) ? json_str(issuer) : (str){};
    TRY(resource_metadata_read(mcp_call_address(call), wanted, body, &discovery->resource,
                               &discovery->issuer, reterr));
    discovery->attempt = 0;
    return STATUS_OK;
}

static void take_server(struct mcp_discovery *discovery, str body)
{
    const struct mcp_request *request = &discovery->call->request;
    CLEANUP(json_unrefp) json policy  = json_invalid();
    struct error error                = {};
    status code =
        server_metadata_read(json_str(discovery->issuer), body, request->client,
                             discovery->resource, discovery->challenge.scope, &policy, &error);
    if (code == STATUS_OK && request->keeps_private_out) {
        json_object_put_text(&policy, OAUTH2_KEEPS_PRIVATE_OUT, json_bool(true));
    }
    if (code == STATUS_OK && request->proxy.len > 0) {
        json_object_put_text(&policy, OAUTH2_PROXY, json_text_new(request->proxy));
    }
    finish(discovery, code, policy, error.text);
}

/* A document that is not there may be at another place. */
static void on_document(const struct http_result *http, void *context)
{
    struct mcp_discovery *discovery = context;
    struct error error              = http->error;
    discovery->http                 = NULL;
    if (http->code != STATUS_OK) {
        finish(discovery, http->code, json_invalid(), error.text);
    } else if (http->answer.http_status != 200) {
        discovery->attempt++;
        seek(discovery);
    } else if (json_is(discovery->resource, JSON_OBJECT)) {
        take_server(discovery, http->body);
    } else if (read_resource(discovery, http->body, &error) == STATUS_OK) {
        seek(discovery);
    } else {
        finish(discovery, STATUS_PERMISSION_DENIED, json_invalid(), error.text);
    }
}

static bool next_url(struct mcp_discovery *discovery)
{
    if (json_is(discovery->resource, JSON_OBJECT)) {
        return server_metadata_url(json_str(discovery->issuer), discovery->attempt,
                                   &discovery->url);
    }
    return resource_metadata_url(mcp_call_address(discovery->call), &discovery->challenge,
                                 discovery->attempt, &discovery->url);
}

static void seek(struct mcp_discovery *discovery)
{
    const struct mcp_call *call         = discovery->call;
    const struct http_handlers handlers = {.on_done = on_document, .context = discovery};
    struct error error                  = {};
    if (!next_url(discovery)) {
        finish(discovery, STATUS_UNAUTHENTICATED, json_invalid(),
               json_is(discovery->resource, JSON_OBJECT)
                   ? "the authorization server has no metadata: give the connection a token_url"
                   : "the server refuses calls without a token, and has no metadata that says "
                     "where one is to be had");
        return;
    }
    int64_t left_ms = call->request.until_ms - clock_mono_ms(); /* whoever asks waits no longer */
    if (left_ms <= 0) {
        finish(discovery, STATUS_DEADLINE_EXCEEDED, json_invalid(), "no time is left for it");
        return;
    }
    if (left_ms > MCP_DISCOVERY_MS) left_ms = MCP_DISCOVERY_MS;
    const struct http_request request = {.url           = buf_str(&discovery->url),
                                         .redirects_max = HTTP_REDIRECTS_MAX,
                                         .body_max      = RESOURCE_METADATA_SIZE_MAX,
                                         .timeouts      = {.total_ms = left_ms},
                                         .allow_private = !call->request.keeps_private_out,
                                         .proxy         = call->request.proxy,
                                         .is_compressed = true};
    status code =
        http_call_start(call->client->http, &request, &handlers, &discovery->http, &error);
    if (code != STATUS_OK) finish(discovery, code, json_invalid(), error.text);
}

void mcp_authorize_note(struct mcp_call *call, const struct http_answer *answer)
{
    str value = {};
    if (answer->http_status != HTTP_UNAUTHORIZED || call->has_discovered) return;
    if (!http_answer_header(answer, "www-authenticate", &value)) return;
    const char *copy = arena_strdup(call->arena, value);
    if (copy) call->challenge = str_from(copy);
}

bool mcp_authorize(struct mcp_call *call)
{
    char key[KEY_SIZE];
    bool may = call->http_status == HTTP_UNAUTHORIZED && !call->has_discovered &&
               json_is(call->request.client, JSON_OBJECT);
    if (!may) return false;
    call->has_discovered = true;
    if (make_key(call, key)) forget(call->client, key);
    struct mcp_discovery *discovery = mem_new(1, sizeof *discovery);
    discovery->call                 = call;
    discovery->url                  = buf_init(RESOURCE_URL_MAX);
    resource_challenge_read(call->challenge, &discovery->challenge);
    call->discovery = discovery;
    seek(discovery);
    return true;
}

void mcp_authorize_cancel(struct mcp_call *call)
{
    struct mcp_discovery *discovery = call->discovery;
    if (!discovery) return;
    if (discovery->http) http_call_cancel(discovery->http);
    discovery_free(discovery);
}
