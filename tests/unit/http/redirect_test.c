/* The guard against private addresses, and redirects. */
#include "support/http/client_fixture.h"

static void name_of_a_private_address_is_refused(void **state)
{
    struct fixture *f = *state;
    char url[1024];
    CLEANUP(outcome_done) struct outcome outcome = {};
    const struct http_handlers handlers          = {.on_done = on_done, .context = &outcome};
    const struct http_request request = {.url = str_from(url_of(f, "localhost", "/ok", url))};
    assert_int_equal(http_call_start(f->client, &request, &handlers, NULL, NULL), STATUS_OK);
    turn_until_done(f, &outcome);
    assert_string_equal(http_failure_name(outcome.failure), "refused");
    assert_int_equal(outcome.code, STATUS_PERMISSION_DENIED);
    assert_false(outcome.was_sent);
    assert_non_null(strstr(outcome.error.text, "loopback"));
    assert_int_equal(hostile_connections(f->server), 0);
}

static void pooled_connection_is_checked_again(void **state)
{
    struct fixture *f = *state;
    char url[1024];
    const struct http_request local = {.url = str_from(url_of(f, "localhost", "/ok", url))};
    CLEANUP(outcome_done) struct outcome allowed = {};
    get(f, "", &local, &allowed);
    assert_int_equal(allowed.http_status, 200);

    CLEANUP(outcome_done) struct outcome outcome = {};
    const struct http_handlers handlers          = {.on_done = on_done, .context = &outcome};
    assert_int_equal(http_call_start(f->client, &local, &handlers, NULL, NULL), STATUS_OK);
    turn_until_done(f, &outcome);
    assert_string_equal(http_failure_name(outcome.failure), "refused");
    assert_false(outcome.was_sent);
    assert_int_equal(hostile_requests(f->server), 1);
}

static const struct http_header secrets[] = {
    {.name = {"Authorization", 13}, .value = {"Bearer s3cret", 13}},
    {.name = {"X-Api-Key", 9}, .value = {"s3cret", 6}, .is_secret = true},
    {.name = {"X-Plain", 7}, .value = {"stays", 5}},
};

static void same_origin_keeps_credentials(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {};
    const struct http_request request = {.headers = secrets, .header_count = 3, .redirects_max = 1};
    get(f, "/to?/echo", &request, &outcome);
    assert_int_equal(outcome.http_status, 200);
    assert_non_null(strstr(outcome.body.ptr, "Authorization: Bearer s3cret"));
    assert_non_null(strstr(outcome.body.ptr, "X-Api-Key: s3cret"));
    assert_non_null(strstr(outcome.url.ptr, "/echo"));
}

static void other_origin_gets_no_credentials(void **state)
{
    struct fixture *f = *state;
    char url[1024];
    char path[1100];
    CLEANUP(outcome_done) struct outcome outcome = {};
    const struct http_request request = {.headers = secrets, .header_count = 3, .redirects_max = 1};
    (void)snprintf(path, sizeof path, "/to?%s", url_of(f, "localhost", "/echo", url));
    get(f, path, &request, &outcome);
    assert_int_equal(outcome.http_status, 200);
    assert_null(strstr(outcome.body.ptr, "s3cret"));
    assert_non_null(strstr(outcome.body.ptr, "X-Plain: stays"));
}

static void writes_are_redirected_at_home_only(void **state)
{
    struct fixture *f = *state;
    char url[1024];
    char path[1100];
    const struct http_request request = {.body = {"data", 4}, .redirects_max = 3};

    CLEANUP(outcome_done) struct outcome home = {};
    get(f, "/to?/post", &request, &home);
    assert_int_equal(home.http_status, 200);
    assert_string_equal(home.body.ptr, "data");

    CLEANUP(outcome_done) struct outcome away = {};
    (void)snprintf(path, sizeof path, "/to?%s", url_of(f, "localhost", "/post", url));
    get(f, path, &request, &away);
    assert_int_equal(away.http_status, 307);
    assert_string_equal(away.body.ptr, "moved");

    CLEANUP(outcome_done) struct outcome other = {};
    get(f, "/see?/ok", &request, &other);
    assert_int_equal(other.http_status, 303);
}

/* What a query of a search says is as secret as what is written. */
static void bodies_of_reading_stay_at_home_too(void **state)
{
    struct fixture *f = *state;
    char url[1024];
    char path[1100];
    const struct http_request request = {
        .method = {"GET", 3}, .body = {"data", 4}, .redirects_max = 1};

    CLEANUP(outcome_done) struct outcome home = {};
    get(f, "/to?/post", &request, &home);
    assert_int_equal(home.http_status, 200);
    assert_string_equal(home.body.ptr, "data");

    CLEANUP(outcome_done) struct outcome away = {};
    (void)snprintf(path, sizeof path, "/to?%s", url_of(f, "localhost", "/post", url));
    get(f, path, &request, &away);
    assert_int_equal(away.http_status, 307);
    assert_string_equal(away.body.ptr, "moved");
}

static void redirects_need_permission(void **state)
{
    struct fixture *f                            = *state;
    CLEANUP(outcome_done) struct outcome outcome = {};
    get(f, "/to?/ok", &(struct http_request){}, &outcome);
    assert_int_equal(outcome.code, STATUS_OK);
    assert_int_equal(outcome.http_status, 307);

    static const char *const hosts[]          = {"127.0.0.1", NULL};
    CLEANUP(outcome_done) struct outcome away = {};
    char url[1024];
    char path[1100];
    (void)snprintf(path, sizeof path, "/see?%s", url_of(f, "localhost", "/ok", url));
    get(f, path, &(struct http_request){.redirects_max = 1, .hosts = hosts}, &away);
    assert_string_equal(http_failure_name(away.failure), "refused");
}

int main(void)
{
    if (http_init(NULL) != STATUS_OK) return 1;
    const struct CMUnitTest plain[] = {
        WITH_FIXTURE(name_of_a_private_address_is_refused),
        WITH_FIXTURE(pooled_connection_is_checked_again),
        WITH_FIXTURE(same_origin_keeps_credentials),
        WITH_FIXTURE(other_origin_gets_no_credentials),
        WITH_FIXTURE(writes_are_redirected_at_home_only),
        WITH_FIXTURE(bodies_of_reading_stay_at_home_too),
        WITH_FIXTURE(redirects_need_permission),
    };
    return cmocka_run_group_tests_name("redirect", plain, NULL, NULL);
}
