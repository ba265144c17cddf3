/**
 * tokens: access tokens of OAuth 2 and OpenID Connect, fetched when they are needed.
 *
 * Equal policies (with equal credentials) share a token. One fetch at a time per policy: whoever
 * asks meanwhile waits for it. A token is renewed a minute before it ends, and thrown away when a
 * service refuses it. Tokens exist in memory only.
 *
 * Every request passes the egress guard of the HTTP client. What failed is not remembered: the next
 * one who asks tries again.
 *
 * Threads: belongs to the loop of its HTTP client.
 */
#ifndef TOOL_ADAPTER_TOKENS_H
#define TOOL_ADAPTER_TOKENS_H

#include "http/http.h"
#include "tool-adapter/authorization/oauth2.h"

enum {
    TOKENS_MAX      = 1'000, /* policies that are remembered; the one unused longest goes */
    TOKENS_FETCH_MS = 30'000,
};

struct tokens;
struct token_wait;

struct tokens *tokens_new(struct http_client *http, struct loop *loop); /* borrowed; owned */
void tokens_free(struct tokens *tokens);                                /* nobody is told */
void tokens_freep(struct tokens **tokens);

/** `code` OK: `token` is a view for the call. Else as oauth2.h says, or as the HTTP client. */
typedef void token_fn(status code, str token, const struct error *error, void *context);

/** Gets the policy's token. `done` is called once: before this returns, which is then with NULL, or
 * later. `policy->members` must live until then. */
struct token_wait *tokens_ask(struct tokens *tokens, const struct oauth2_policy *policy,
                              token_fn *done, void *context);

/** `done` is not called any more. The fetch goes on: its token may be of use to others. */
void tokens_cancel(struct token_wait *wait);

/** A service refused `token`: the next one who asks gets another. */
void tokens_refused(struct tokens *tokens, const struct oauth2_policy *policy, str token);

#endif
