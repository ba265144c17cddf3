/**
 * service_token: the access token of a connection whose manifest says `auth: oauth2`, for one
 * request: taken from those that are shared (tokens.h), or waited for.
 *
 * Threads: belongs to the loop.
 */
#ifndef TOOL_ADAPTER_SERVICE_TOKEN_H
#define TOOL_ADAPTER_SERVICE_TOKEN_H

#include "adapter/manifest.h"
#include "adapter/scope.h"
#include "loop/loop.h"
#include "tool-adapter/authorization/tokens.h"

/** Zeroed at first, but for what is set by the caller: the first six. */
struct service_token {
    struct tokens *tokens; /* borrowed, as the next */
    struct loop *loop;
    int64_t until_ms; /* on clock_mono_ms(); it is there by then, or never */
    str proxy;        /* as of http.h; empty: none */
    /* `code` OK: `text` holds. From the loop, never from inside service_token_get(). */
    void (*done)(status code, const struct error *error, void *context);
    void *context;

    char *text;      /* owned; NULL: none yet */
    json members;    /* of the policy; owned */
    bool is_renewed; /* a first one was refused */
    bool is_asking;  /* inside service_token_get() */
    struct oauth2_policy policy;
    struct token_wait *wait;
    struct loop_timer patience;
    status code; /* of what was there at once, with the next */
    struct error error;
};

/**
 * OK with a `text`: it is there; without one: `done` will come. FAILED_PRECONDITION: a secret is
 * not set; INVALID_ARGUMENT: the manifest's expressions yield no policy; UNAUTHENTICATED: the token
 * endpoint refuses; others as of tokens_ask().
 */
status service_token_get(struct service_token *token, const struct manifest_action *action,
                         const struct manifest_auth *auth, json scope,
                         const struct secret_source *secrets, struct error *reterr);

/** The service has refused the token. True: that was the first time, so another one may be got. */
bool service_token_refused(struct service_token *token);

/** `done` comes no more. */
void service_token_done(struct service_token *token);

#endif
