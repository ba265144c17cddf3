#include "tool-adapter/authorization/tokens.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "json/json_text.h"

#include <stdlib.h>
#include <string.h>

enum { NONCE_BYTES = 16 };

struct token_wait {
    struct entry *entry;
    uint64_t round; /* of the fetch that it waits for */
    struct token_wait *previous, *next;
    token_fn *done;
    void *context;
};

/* A policy that was asked for. */
struct entry {
    struct tokens *tokens;
    char key[OAUTH2_KEY_SIZE];
    struct oauth2_policy policy; /* `members` is its own copy: it outlives the configuration */
    int64_t used_ms;

    struct oauth2_token token; /* access_token empty: none */
    int64_t ends_ms;
    str refresh_token; /* owned; a newer one than the policy's; empty: none */
    char *endpoint;    /* owned; from the discovery document; NULL: not known */
    int64_t endpoint_ends_ms;

    struct http_call *call; /* of the fetch under way; NULL: none */
    uint64_t round;         /* of the fetch under way, or the next */
    bool is_telling;        /* of one that has ended */
    struct token_wait *first, *last;
};

struct tokens {
    struct http_client *http;
    struct loop *loop;
    struct map *entries; /* owned entries, by key */
};

struct tokens *tokens_new(struct http_client *http, struct loop *loop)
{
    struct tokens *tokens = mem_new(1, sizeof *tokens);
    *tokens = (struct tokens){.http = http, .loop = loop, .entries = map_new(TOKENS_MAX)};
    return tokens;
}

static void entry_free(struct entry *entry)
{
    while (entry->first) {
        struct token_wait *wait = entry->first;
        entry->first            = wait->next;
        free(wait);
    }
    if (entry->call) http_call_cancel(entry->call);
    oauth2_token_done(&entry->token);
    free((char *)(uintptr_t)entry->refresh_token.ptr);
    free(entry->endpoint);
    json_unref(entry->policy.members);
    free(entry);
}

void tokens_free(struct tokens *tokens)
{
    if (!tokens) return;
    size_t cursor = 0;
    str key;
    void *value;
    while (map_next(tokens->entries, &cursor, &key, &value)) entry_free(value);
    map_free(tokens->entries);
    free(tokens);
}

void tokens_freep(struct tokens **tokens)
{
    tokens_free(*tokens);
    *tokens = NULL;
}

/* --- entries -----------------------------------------------------------------------------------
 */

static void evict_one(struct tokens *tokens)
{
    struct entry *oldest = NULL;
    size_t cursor        = 0;
    str key;
    void *value;
    while (map_next(tokens->entries, &cursor, &key, &value)) {
        struct entry *entry = value;
        bool is_idle        = !entry->call && !entry->first && !entry->is_telling;
        if (is_idle && (!oldest || entry->used_ms < oldest->used_ms)) oldest = entry;
    }
    if (!oldest) return;
    (void)map_remove(tokens->entries, str_from(oldest->key));
    entry_free(oldest);
}

/* NULL: all of them are being fetched. */
static struct entry *entry_of(struct tokens *tokens, const struct oauth2_policy *policy, bool makes)
{
    char key[OAUTH2_KEY_SIZE];
    oauth2_key(policy, key);
    struct entry *entry = map_get(tokens->entries, str_from(key));
    if (entry || !makes) return entry;
    if (map_count(tokens->entries) == TOKENS_MAX) evict_one(tokens);
    if (map_count(tokens->entries) == TOKENS_MAX) return NULL;
    entry  = mem_new(1, sizeof *entry);
    *entry = (struct entry){
        .tokens = tokens,
        .policy = {.is_oidc = policy->is_oidc, .members = json_copy_new(policy->members)}};
    memcpy(entry->key, key, sizeof key);
    (void)map_put(tokens->entries, str_from(key), entry);
    return entry;
}

static void forget_token(struct entry *entry)
{
    /* It may serve to renew; a token that is thrown away takes its refresh token along. */
    oauth2_token_done(&entry->token);
    entry->ends_ms = 0;
}

/* --- the end of a fetch ------------------------------------------------------------------------
 */

/* A callback may ask anew, which waits for the next round; cancel others that wait; say that the
 * token is refused, which those behind it are told all the same; or ask for so many others that
 * this entry would be the one to go. */
static void tell_all(struct entry *entry, status code, const struct error *error)
{
    str token         = entry->token.access_token;
    char *copy        = mem_dup(token.len > 0 ? token.ptr : "", token.len);
    uint64_t round    = entry->round++;
    entry->is_telling = true;
    while (entry->first && entry->first->round == round) {
        struct token_wait *wait = entry->first;
        token_fn *done          = wait->done;
        void *context           = wait->context;
        tokens_cancel(wait);
        done(code, (str){.ptr = copy, .len = token.len}, error, context);
    }
    entry->is_telling = false;
    free(copy);
}

static void keep_token(struct entry *entry, struct oauth2_token *token)
{
    forget_token(entry);
    if (token->refresh_token.len > 0) {
        free((char *)(uintptr_t)entry->refresh_token.ptr);
        entry->refresh_token = token->refresh_token;
        token->refresh_token = (str){};
    }
    entry->token   = *token;
    entry->ends_ms = loop_now_ms(entry->tokens->loop) + token->lives_s * 1'000;
}

static void on_token(const struct http_result *http, void *context)
{
    struct entry *entry       = context;
    struct oauth2_token token = {};
    struct error error        = http->error;
    status code               = http->code;
    entry->call               = NULL;
    if (code == STATUS_OK) {
        code = oauth2_answer_read(&entry->policy, http->answer.http_status, http->body, &token,
                                  &error);
    }
    if (code != STATUS_OK) {
        if (code == STATUS_UNAUTHENTICATED && entry->refresh_token.len > 0) {
            /* The policy's own one may still be good. */
            free((char *)(uintptr_t)entry->refresh_token.ptr);
            entry->refresh_token = (str){};
        }
        tell_all(entry, code, &error);
        return;
    }
    keep_token(entry, &token);
    tell_all(entry, STATUS_OK, NULL);
}

/* --- fetching ----------------------------------------------------------------------------------
 */

static str text_or_empty(json value)
{
    return json_is(value, JSON_TEXT) ? json_str(value) : (str){};
}

static status send(struct entry *entry, const struct http_request *request,
                   void (*on_done)(const struct http_result *, void *), struct error *reterr)
{
    struct http_request full            = *request;
    const struct http_handlers handlers = {.on_done = on_done, .context = entry};
    full.timeouts.total_ms              = TOKENS_FETCH_MS;
    full.body_max                       = OAUTH2_ANSWER_MAX;
    /* As far as the operator's rules do; not of an address that a stranger has named. */
    full.allow_private =
        !json_is_truthy(json_get_text(entry->policy.members, OAUTH2_KEEPS_PRIVATE_OUT));
    full.is_compressed = true;
    full.proxy         = text_or_empty(json_get_text(entry->policy.members, OAUTH2_PROXY));
    return http_call_start(entry->tokens->http, &full, &handlers, &entry->call, reterr);
}

static status post(struct entry *entry, str url, struct error *reterr)
{
    struct oauth2_request made = {};
    uint8_t raw[NONCE_BYTES];
    char nonce[NONCE_BYTES * 2 + 1];
    random_bytes(raw, sizeof raw);
    hex_encode(raw, sizeof raw, nonce);
    TRY(oauth2_request_make(&entry->policy, url, entry->refresh_token, clock_unix_us() / 1'000'000,
                            str_from(nonce), &made, reterr));
    const struct http_header headers[] = {
        {.name = str_from("Content-Type"), .value = str_from(made.content_type)},
        {.name = str_from("Accept"), .value = str_from("application/json")},
        {.name      = str_from("Authorization"),
         .value     = buf_str(&made.authorization),
         .is_secret = true}};
    const struct http_request request = {.method       = str_from("POST"),
                                         .url          = url,
                                         .headers      = headers,
                                         .header_count = made.authorization.len > 0 ? 3 : 2,
                                         .body = {.ptr = made.body.ptr, .len = made.body.len}};
    status code                       = send(entry, &request, on_token, reterr);
    oauth2_request_done(&made);
    return code;
}

static void on_discovered(const struct http_result *http, void *context)
{
    struct entry *entry              = context;
    struct error error               = http->error;
    status code                      = http->code;
    CLEANUP(buf_done) struct buf url = buf_init(HTTP_URL_MAX);
    entry->call                      = NULL;
    if (code == STATUS_OK && http->answer.http_status != 200) {
        code = fail(&error, STATUS_UNAVAILABLE, "the authority's discovery answered with %d",
                    http->answer.http_status);
    }
    if (code == STATUS_OK) {
        code = oauth2_discovered_url(&entry->policy, http->body, &url, &error);
    }
    if (code == STATUS_OK) {
        free(entry->endpoint);
        entry->endpoint         = mem_dup(url.ptr, url.len);
        entry->endpoint_ends_ms = loop_now_ms(entry->tokens->loop) + OAUTH2_DISCOVERY_MS;
        code                    = post(entry, str_from(entry->endpoint), &error);
    }
    if (code != STATUS_OK) tell_all(entry, code, &error);
}

static status fetch(struct entry *entry, struct error *reterr)
{
    CLEANUP(buf_done) struct buf url = buf_init(HTTP_URL_MAX);
    if (entry->endpoint && loop_now_ms(entry->tokens->loop) < entry->endpoint_ends_ms) {
        return post(entry, str_from(entry->endpoint), reterr);
    }
    if (oauth2_discovery_url(&entry->policy, &url)) {
        const struct http_request request = {.url           = buf_str(&url),
                                             .redirects_max = HTTP_REDIRECTS_MAX};
        return send(entry, &request, on_discovered, reterr);
    }
    buf_clear(&url);
    TRY(oauth2_token_url(&entry->policy, &url, reterr));
    return post(entry, buf_str(&url), reterr);
}

/* --- asking ------------------------------------------------------------------------------------
 */

static struct token_wait *wait_new(struct entry *entry, token_fn *done, void *context)
{
    struct token_wait *wait = mem_new(1, sizeof *wait);
    wait->entry             = entry;
    wait->round             = entry->round;
    wait->previous          = entry->last;
    wait->done              = done;
    wait->context           = context;
    if (entry->last) {
        entry->last->next = wait;
    } else {
        entry->first = wait;
    }
    entry->last = wait;
    return wait;
}

struct token_wait *tokens_ask(struct tokens *tokens, const struct oauth2_policy *policy,
                              token_fn *done, void *context)
{
    struct error error  = {};
    struct entry *entry = entry_of(tokens, policy, true);
    if (!entry) {
        status code = fail(&error, STATUS_RESOURCE_EXHAUSTED,
                           "more than %d tokens are being fetched", TOKENS_MAX);
        done(code, (str){}, &error, context);
        return NULL;
    }
    entry->used_ms = loop_now_ms(tokens->loop);
    if (entry->token.access_token.len > 0 && entry->used_ms < entry->ends_ms) {
        done(STATUS_OK, entry->token.access_token, NULL, context);
        return NULL;
    }
    if (!entry->call) {
        status code = fetch(entry, &error);
        if (code != STATUS_OK) {
            done(code, (str){}, &error, context);
            return NULL;
        }
    }
    return wait_new(entry, done, context);
}

void tokens_cancel(struct token_wait *wait)
{
    struct entry *entry = wait->entry;
    if (wait->previous) {
        wait->previous->next = wait->next;
    } else {
        entry->first = wait->next;
    }
    if (wait->next) {
        wait->next->previous = wait->previous;
    } else {
        entry->last = wait->previous;
    }
    free(wait);
}

void tokens_refused(struct tokens *tokens, const struct oauth2_policy *policy, str token)
{
    struct entry *entry = entry_of(tokens, policy, false);
    if (!entry || !str_equal(entry->token.access_token, token)) return;
    forget_token(entry);
}
