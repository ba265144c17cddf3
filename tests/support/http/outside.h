/* What calls of others need in a test: a client on a loop that the test turns, tokens, and a server
 * that misbehaves. */
#ifndef SUPPORT_HTTP_OUTSIDE_H
#define SUPPORT_HTTP_OUTSIDE_H

#include "http/http.h"
#include "support/hostile.h"
#include "tool-adapter/authorization/tokens.h"

#include "cmocka.h"

struct outside {
    struct hostile *server;
    struct egress_rules *rules;
    struct loop *loop;
    struct http_client *http;
    struct tokens *tokens;
};

/* `options`: of the loop; NULL: the real clock. */
static inline void outside_begin(struct outside *it, const struct loop_options *options)
{
    static const char *const private_allow[] = {"127.0.0.0/8", NULL};
    static const char *const http_allow[]    = {"127.0.0.1", NULL};
    const struct egress_options egress = {.private_allow = private_allow, .http_allow = http_allow};
    it->server                         = hostile_start();
    assert_int_equal(loop_new(options, &it->loop, NULL), STATUS_OK);
    assert_int_equal(egress_rules_new(&egress, &it->rules, NULL), STATUS_OK);
    const struct http_client_options client = {.loop = it->loop, .egress = it->rules};
    assert_int_equal(http_client_new(&client, &it->http, NULL), STATUS_OK);
    it->tokens = tokens_new(it->http, it->loop);
}

static inline void outside_end(struct outside *it)
{
    tokens_freep(&it->tokens);
    http_client_free(it->http);
    egress_rules_free(it->rules);
    loop_free(it->loop);
    hostile_stop(it->server);
}

#endif
