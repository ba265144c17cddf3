/* Tokens from a server that says what its path says, on a loop whose clock the test sets. */
#include "cmocka.h"

#include "http/url.h"
#include "support/http/outside.h"
#include "tool-adapter/authorization/tokens.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>

enum { TURNS_MAX = 20'000, TURN_MS = 1, WAITS = 3 };

struct fixture {
    struct outside outside;
    int64_t now_ms;
    json members;

    unsigned told;
    status code;
    char token[64];
    char words[ERROR_TEXT_MAX];
};

static int64_t clock_of(void *context)
{
    return ((const struct fixture *)context)->now_ms;
}

static int begin(void **state)
{
    struct fixture *it                = calloc(1, sizeof *it);
    const struct loop_options options = {.clock = clock_of, .clock_context = it};
    it->now_ms                        = 1'000'000;
    outside_begin(&it->outside, &options);
    *state = it;
    return 0;
}

static int end(void **state)
{
    struct fixture *it = *state;
    outside_end(&it->outside);
    json_unref(it->members);
    free(it);
    return 0;
}

/* A path of the server that answers with `text`. */
static void say(const struct fixture *it, const char *text, struct buf *url)
{
    (void)buf_printf(url, "http://127.0.0.1:%u/say?", hostile_port(it->outside.server));
    (void)url_encode(url, str_from(text));
    (void)buf_put_byte(url, '\0');
}

static struct oauth2_policy policy_at(struct fixture *it, const char *member, const char *url,
                                      bool is_oidc)
{
    CLEANUP(buf_done) struct buf text = buf_init(8 << 10);
    (void)buf_printf(&text, "{\"client\":{\"id\":\"c\",\"secret\":\"s\"},");
    if (is_oidc) {
        (void)buf_printf(&text, "\"authority\":\"%s\"}", url);
    } else {
        (void)buf_printf(&text, "\"endpoints\":{\"%s\":\"%s\"}}", member, url);
    }
    struct oauth2_policy policy = {};
    json_unref(it->members);
    assert_int_equal(json_parse(buf_str(&text), NULL, &it->members, NULL, NULL), STATUS_OK);
    assert_int_equal(oauth2_read(it->members, is_oidc, &policy, NULL), STATUS_OK);
    return policy;
}

static struct oauth2_policy policy_of(struct fixture *it, const char *answer)
{
    CLEANUP(buf_done) struct buf url = buf_init(4 << 10);
    say(it, answer, &url);
    return policy_at(it, "token", url.ptr, false);
}

static void on_token(status code, str token, const struct error *error, void *context)
{
    struct fixture *it = context;
    it->told++;
    it->code = code;
    (void)snprintf(it->token, sizeof it->token, STR_FMT, STR_ARG(token));
    (void)snprintf(it->words, sizeof it->words, "%s", error ? error->text : "");
}

static void await_told(struct fixture *it, unsigned count)
{
    for (int turns = 0; it->told < count; turns++) {
        assert_true(turns < TURNS_MAX);
        loop_turn(it->outside.loop, TURN_MS);
    }
    assert_int_equal(it->told, count);
}

static void ask(struct fixture *it, const struct oauth2_policy *policy)
{
    unsigned told = it->told;
    (void)tokens_ask(it->outside.tokens, policy, on_token, it);
    await_told(it, told + 1);
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void one_fetch_serves_all_who_ask(void **state)
{
    struct fixture *it          = *state;
    struct oauth2_policy policy = policy_of(it, "{\"access_token\":\"t\",\"expires_in\":3600}");
    for (unsigned i = 0; i < WAITS; i++) {
        assert_non_null(tokens_ask(it->outside.tokens, &policy, on_token, it));
    }
    await_told(it, WAITS);
    assert_int_equal(it->code, STATUS_OK);
    assert_string_equal(it->token, "t");
    assert_null(tokens_ask(it->outside.tokens, &policy, on_token, it)); /* at once */
    assert_int_equal(it->told, WAITS + 1);
    assert_int_equal(hostile_requests(it->outside.server), 1);
}

static void a_token_is_renewed_before_it_ends(void **state)
{
    struct fixture *it          = *state;
    struct oauth2_policy policy = policy_of(it, "{\"access_token\":\"t\",\"expires_in\":3600}");
    ask(it, &policy);
    it->now_ms += (3600 - OAUTH2_MARGIN_S) * 1000 - 1;
    loop_turn(it->outside.loop, 0);
    ask(it, &policy);
    assert_int_equal(hostile_requests(it->outside.server), 1);
    it->now_ms += 1;
    loop_turn(it->outside.loop, 0);
    ask(it, &policy);
    assert_int_equal(hostile_requests(it->outside.server), 2);
}

/* {client, endpoints}, of which `endpoints` is of the configuration. */
static json members_of(json endpoints)
{
    json client  = json_object_new(2);
    json members = json_object_new(2);
    json_object_put_text(&client, "id", json_text_from("c"));
    json_object_put_text(&client, "secret", json_text_from("s"));
    json_object_put_text(&members, "client", client);
    json_object_put_text(&members, "endpoints", json_ref(endpoints));
    return members;
}

static void a_policy_outlives_the_configuration(void **state)
{
    struct fixture *it               = *state;
    CLEANUP(buf_done) struct buf url = buf_init(4 << 10);
    say(it, "{\"access_token\":\"t\",\"expires_in\":3600}", &url);
    for (unsigned asked = 1; asked <= 2; asked++) {
        json endpoints              = json_object_new(1);
        struct oauth2_policy policy = {};
        json_object_put_text(&endpoints, "token", json_text_from(url.ptr));
        endpoints    = json_freeze(endpoints);
        json members = members_of(endpoints);
        assert_int_equal(oauth2_read(members, false, &policy, NULL), STATUS_OK);
        ask(it, &policy);
        assert_int_equal(hostile_requests(it->outside.server), asked);
        json_unref(members);
        json_thaw_and_free(endpoints);
        it->now_ms += 3600 * 1000;
        loop_turn(it->outside.loop, 0);
    }
}

static void a_refused_token_is_replaced(void **state)
{
    struct fixture *it          = *state;
    struct oauth2_policy policy = policy_of(it, "{\"access_token\":\"t\",\"expires_in\":3600}");
    tokens_refused(it->outside.tokens, &policy,
                   str_from("t")); /* nobody knows it: nothing happens */
    ask(it, &policy);
    tokens_refused(it->outside.tokens, &policy, str_from("older"));
    ask(it, &policy);
    assert_int_equal(hostile_requests(it->outside.server), 1);
    tokens_refused(it->outside.tokens, &policy, str_from("t"));
    ask(it, &policy);
    assert_int_equal(hostile_requests(it->outside.server), 2);
}

static void a_failure_is_told_and_not_remembered(void **state)
{
    struct fixture *it = *state;
    char url[128];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/status/500",
                   hostile_port(it->outside.server));
    struct oauth2_policy policy = policy_at(it, "token", url, false);
    ask(it, &policy);
    assert_int_equal(it->code, STATUS_UNAVAILABLE);
    assert_non_null(strstr(it->words, "500"));
    ask(it, &policy);
    assert_int_equal(hostile_requests(it->outside.server), 2);
}

static void a_refused_address_is_told_at_once(void **state)
{
    struct fixture *it          = *state;
    struct oauth2_policy policy = policy_at(it, "token", "http://10.1.2.3/token", false);
    assert_null(tokens_ask(it->outside.tokens, &policy, on_token, it));
    assert_int_equal(it->told, 1);
    assert_int_equal(it->code, STATUS_PERMISSION_DENIED);
}

static void who_cancels_is_not_told(void **state)
{
    struct fixture *it          = *state;
    struct oauth2_policy policy = policy_of(it, "{\"access_token\":\"t\",\"expires_in\":3600}");
    struct token_wait *waits[WAITS];
    for (unsigned i = 0; i < WAITS; i++) {
        waits[i] = tokens_ask(it->outside.tokens, &policy, on_token, it);
    }
    tokens_cancel(waits[1]);
    tokens_cancel(waits[0]);
    await_told(it, 1);
    struct token_wait *last = tokens_ask(it->outside.tokens, &policy, on_token, it);
    assert_null(last);
    assert_int_equal(hostile_requests(it->outside.server), 1);
}

/* What the first of those who are told does to those behind it. */
struct meddler {
    struct fixture *it;
    const struct oauth2_policy *policy;
    struct token_wait *next, *last;
    bool asks, refuses;
    unsigned told;
};

static void on_meddlers_token(status code, str token, const struct error *error, void *context)
{
    struct meddler *meddler = context;
    struct tokens *tokens   = meddler->it->outside.tokens;
    on_token(code, token, error, meddler->it);
    meddler->told++;
    if (meddler->next) tokens_cancel(meddler->next);
    if (meddler->last) tokens_cancel(meddler->last);
    if (meddler->refuses) tokens_refused(tokens, meddler->policy, token);
    if (meddler->asks) (void)tokens_ask(tokens, meddler->policy, on_token, meddler->it);
    meddler->next = meddler->last = NULL;
    meddler->asks = meddler->refuses = false;
}

static void who_is_told_may_cancel_those_behind(void **state)
{
    struct fixture *it          = *state;
    struct oauth2_policy policy = policy_of(it, "{\"access_token\":\"t\",\"expires_in\":3600}");
    struct meddler meddler      = {.it = it, .policy = &policy};
    (void)tokens_ask(it->outside.tokens, &policy, on_meddlers_token, &meddler);
    meddler.next = tokens_ask(it->outside.tokens, &policy, on_token, it);
    (void)tokens_ask(it->outside.tokens, &policy, on_token, it);
    meddler.last = tokens_ask(it->outside.tokens, &policy, on_token, it);
    await_told(it, 2);
    assert_int_equal(meddler.told, 1);
    assert_string_equal(it->token, "t");
    ask(it, &policy); /* the list is whole */
    assert_int_equal(hostile_requests(it->outside.server), 1);
}

static void who_is_told_may_refuse_and_ask_anew(void **state)
{
    struct fixture *it          = *state;
    struct oauth2_policy policy = policy_of(it, "{\"access_token\":\"t\",\"expires_in\":3600}");
    struct meddler meddler      = {.it = it, .policy = &policy, .refuses = true, .asks = true};
    (void)tokens_ask(it->outside.tokens, &policy, on_meddlers_token, &meddler);
    (void)tokens_ask(it->outside.tokens, &policy, on_token, it);
    await_told(it, 3);
    assert_int_equal(it->code, STATUS_OK);
    assert_string_equal(it->token, "t");
    assert_int_equal(hostile_requests(it->outside.server), 2); /* one for who asked anew */
}

static void a_failure_may_be_asked_about_again(void **state)
{
    struct fixture *it = *state;
    char url[128];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/status/500",
                   hostile_port(it->outside.server));
    struct oauth2_policy policy = policy_at(it, "token", url, false);
    struct meddler meddler      = {.it = it, .policy = &policy, .asks = true};
    (void)tokens_ask(it->outside.tokens, &policy, on_meddlers_token, &meddler);
    meddler.next = tokens_ask(it->outside.tokens, &policy, on_token, it);
    (void)tokens_ask(it->outside.tokens, &policy, on_token, it);
    await_told(it, 3);
    assert_int_equal(it->code, STATUS_UNAVAILABLE);
    assert_int_equal(hostile_requests(it->outside.server), 2);
}

/* Asks for as many other tokens as are remembered. */
static void on_crowded_token(status code, str token, const struct error *error, void *context)
{
    struct fixture *it = context;
    on_token(code, token, error, it);
    for (int i = 0; i < TOKENS_MAX; i++) {
        CLEANUP(buf_done) struct buf text = buf_init(1 << 10);
        CLEANUP(json_unrefp) json members = json_invalid();
        struct oauth2_policy policy       = {};
        (void)buf_printf(&text,
                         "{\"client\":{\"id\":\"c%d\",\"secret\":\"s\"},\"endpoints\":{"
                         "\"token\":\"http://10.1.2.3/\"}}",
                         i);
        assert_int_equal(json_parse(buf_str(&text), NULL, &members, NULL, NULL), STATUS_OK);
        assert_int_equal(oauth2_read(members, false, &policy, NULL), STATUS_OK);
        assert_null(tokens_ask(it->outside.tokens, &policy, on_token, it)); /* refused at once */
    }
}

static void who_is_told_last_may_crowd_the_others_out(void **state)
{
    struct fixture *it          = *state;
    struct oauth2_policy policy = policy_of(it, "{\"access_token\":\"t\",\"expires_in\":3600}");
    (void)tokens_ask(it->outside.tokens, &policy, on_crowded_token, it);
    await_told(it, 1 + TOKENS_MAX);
    assert_int_equal(it->code, STATUS_PERMISSION_DENIED);
    ask(it, &policy);
    assert_string_equal(it->token, "t");
}

static void a_fetch_goes_on_for_the_next_one(void **state)
{
    struct fixture *it          = *state;
    struct oauth2_policy policy = policy_of(it, "{\"access_token\":\"t\",\"expires_in\":3600}");
    tokens_cancel(tokens_ask(it->outside.tokens, &policy, on_token, it));
    ask(it, &policy);
    assert_int_equal(it->told, 1);
    assert_int_equal(hostile_requests(it->outside.server), 1);
}

static void the_end_may_come_during_a_fetch(void **state)
{
    struct fixture *it          = *state;
    struct oauth2_policy policy = policy_of(it, "{\"access_token\":\"t\"}");
    (void)tokens_ask(it->outside.tokens, &policy, on_token, it);
    tokens_freep(&it->outside.tokens);
    loop_turn(it->outside.loop, 0);
    assert_int_equal(it->told, 0);
}

/* A policy for oidc whose discovery document is what the server says. What is appended to the
 * authority becomes the end of a text in it. */
static void an_endpoint_is_discovered_once(void **state)
{
    struct fixture *it                    = *state;
    CLEANUP(buf_done) struct buf endpoint = buf_init(4 << 10);
    CLEANUP(buf_done) struct buf document = buf_init(8 << 10);
    CLEANUP(buf_done) struct buf url      = buf_init(8 << 10);
    say(it, "{\"access_token\":\"t\",\"expires_in\":3600}", &endpoint);
    (void)buf_printf(&document, "{\"token_endpoint\":\"%s\"}%c", endpoint.ptr, '\0');
    say(it, document.ptr, &url);
    url.len--;
    (void)buf_printf(&url, "&end=/.well-known/openid-configuration%c", '\0');
    struct oauth2_policy policy = policy_at(it, "", url.ptr, true);
    ask(it, &policy);
    assert_string_equal(it->token, "t");
    assert_int_equal(hostile_requests(it->outside.server), 2);
    tokens_refused(it->outside.tokens, &policy, str_from("t"));
    ask(it, &policy);
    assert_int_equal(hostile_requests(it->outside.server), 3);
}

#define FIXTURE_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(one_fetch_serves_all_who_ask),
        FIXTURE_TEST(a_token_is_renewed_before_it_ends),
        FIXTURE_TEST(a_policy_outlives_the_configuration),
        FIXTURE_TEST(a_refused_token_is_replaced),
        FIXTURE_TEST(a_failure_is_told_and_not_remembered),
        FIXTURE_TEST(a_refused_address_is_told_at_once),
        FIXTURE_TEST(who_cancels_is_not_told),
        FIXTURE_TEST(who_is_told_may_cancel_those_behind),
        FIXTURE_TEST(who_is_told_may_refuse_and_ask_anew),
        FIXTURE_TEST(a_failure_may_be_asked_about_again),
        FIXTURE_TEST(who_is_told_last_may_crowd_the_others_out),
        FIXTURE_TEST(a_fetch_goes_on_for_the_next_one),
        FIXTURE_TEST(the_end_may_come_during_a_fetch),
        FIXTURE_TEST(an_endpoint_is_discovered_once),
    };
    return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
