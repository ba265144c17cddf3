/* A name whose answer changes: what counts is the address that is dialled, each time and for each
 * of several. This program's own getaddrinfo() stands in the place of the system's for libcurl,
 * too. */
#include "base/clock.h"
#include "http/plain_names.h"
#include "support/http/client_fixture.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdatomic.h>

enum { ADDRESSES_MAX = NAMES_ADDRESSES_MAX + 1 };

/* What the next question is answered with; asked from libcurl's threads. */
static const char *_Atomic answers[ADDRESSES_MAX];
static _Atomic unsigned questions;

static struct addrinfo *address_new(const char *text, const char *service)
{
    struct addrinfo *one        = calloc(1, sizeof *one + sizeof(struct sockaddr_in));
    struct sockaddr_in *address = (struct sockaddr_in *)(one + 1);
    address->sin_family         = AF_INET;
    address->sin_port           = htons((uint16_t)(service ? strtoul(service, NULL, 10) : 0));
    assert_int_equal(inet_pton(AF_INET, text, &address->sin_addr), 1);
    one->ai_family   = AF_INET;
    one->ai_socktype = SOCK_STREAM;
    one->ai_protocol = IPPROTO_TCP;
    one->ai_addrlen  = sizeof *address;
    one->ai_addr     = (struct sockaddr *)address;
    return one;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret_list)
{
    struct addrinfo **end = ret_list;
    (void)name;
    (void)hints;
    questions++;
    *ret_list = NULL;
    for (size_t i = 0; i < ADDRESSES_MAX && answers[i]; i++) {
        *end = address_new(answers[i], service);
        end  = &(*end)->ai_next;
    }
    return *ret_list ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}

/* One request by a client of its own, which remembers no answer of before. */
static void ask_by(struct fixture *f, const char *path, const char *proxy, struct outcome *outcome)
{
    static const char *const opened[]  = {"127.0.0.0/8", NULL};
    static const char *const plain[]   = {"rebind.test", NULL};
    const struct egress_options egress = {.private_allow = opened, .http_allow = plain};
    CLEANUP(egress_rules_freep) struct egress_rules *rules = NULL;
    assert_int_equal(egress_rules_new(&egress, &rules, NULL), STATUS_OK);
    const struct http_client_options options = {.loop = f->loop, .egress = rules, .calls_max = 4};
    struct http_client *kept                 = f->client;
    char url[1024];
    const struct http_request request = {.url   = str_from(url_of(f, "rebind.test", path, url)),
                                         .proxy = str_from(proxy)};
    f->client                         = new_client(&options);
    const int64_t base_ms             = f->now_ms - clock_mono_ms();
    (void)start(f, "", &request, outcome, false);
    for (int turns = 0; outcome->done_count == 0; turns++) {
        assert_true(turns < TURNS_MAX);
        f->now_ms = base_ms + clock_mono_ms(); /* libcurl goes on to the next address by a timer */
        loop_turn(f->loop, TURN_MS);
    }
    http_client_free(f->client);
    f->client = kept;
}

static void ask_for(struct fixture *f, const char *path, struct outcome *outcome)
{
    ask_by(f, path, "", outcome);
}

static void ask(struct fixture *f, struct outcome *outcome)
{
    ask_for(f, "/ok", outcome);
}

static void changed_answer_is_refused(void **state)
{
    static const char *const later[] = {"10.0.0.1", "169.254.169.254", "192.168.1.1", "0.0.0.0",
                                        "100.64.0.1"};
    struct fixture *f                = *state;
    for (size_t i = 0; i < ARRAY_LEN(later); i++) {
        unsigned asked                             = questions;
        answers[0]                                 = "127.0.0.1"; /* a setting opens it */
        answers[1]                                 = NULL;
        CLEANUP(outcome_done) struct outcome first = {};
        ask(f, &first);
        assert_int_equal(first.http_status, 200);

        unsigned reached                            = hostile_connections(f->server);
        answers[0]                                  = later[i];
        CLEANUP(outcome_done) struct outcome second = {};
        ask(f, &second);
        assert_string_equal(http_failure_name(second.failure), "refused");
        assert_int_equal(second.code, STATUS_PERMISSION_DENIED);
        assert_false(second.was_sent);
        assert_int_equal(hostile_connections(f->server), reached);
        assert_true(questions >= asked + 2);
    }
}

/* The first address does not answer, and libcurl goes on to the next. */
static void each_of_several_is_checked(void **state)
{
    struct fixture *f                            = *state;
    answers[0]                                   = "127.0.0.2";
    answers[1]                                   = "10.0.0.1";
    CLEANUP(outcome_done) struct outcome refused = {};
    ask(f, &refused);
    assert_string_equal(http_failure_name(refused.failure), "refused");
    assert_false(refused.was_sent);

    answers[0]                                   = "10.0.0.1";
    answers[1]                                   = "127.0.0.1";
    CLEANUP(outcome_done) struct outcome reached = {};
    ask(f, &reached);
    assert_int_equal(reached.http_status, 200);

    CLEANUP(outcome_done) struct outcome cut = {};
    ask_for(f, "/cut", &cut);
    assert_string_equal(http_failure_name(cut.failure), "cut");
    assert_null(strstr(cut.error.text, "private address")); /* which was not the reason */
}

/* --- by a proxy: what it dials is not seen here ----------------------------------------------- */

static void assert_refused(struct fixture *f, const char *proxy, const char *why)
{
    unsigned reached                             = hostile_connections(f->server);
    CLEANUP(outcome_done) struct outcome outcome = {};
    ask_by(f, "/ok", proxy, &outcome);
    assert_string_equal(http_failure_name(outcome.failure), "refused");
    assert_non_null(strstr(outcome.error.text, why));
    assert_false(outcome.was_sent);
    assert_int_equal(hostile_connections(f->server), reached);
}

static void all_addresses_of_the_target_are_checked(void **state)
{
    struct fixture *f = *state;
    char proxy[64];
    struct url url;
    char room[1024];
    assert_true(url_parse(str_from(url_of(f, "127.0.0.1", "/", room)), &url));
    (void)snprintf(proxy, sizeof proxy, "http://u:p@127.0.0.1:%u/", url.port);

    answers[0]                                   = "127.0.0.1";
    answers[1]                                   = NULL;
    CLEANUP(outcome_done) struct outcome reached = {};
    ask_by(f, "/ok", proxy, &reached);
    assert_int_equal(reached.code, STATUS_OK);
    assert_true(reached.was_sent);

    answers[1] = "10.0.0.1"; /* it could be that one */
    assert_refused(f, proxy, "private address");
    answers[0] = "169.254.169.254";
    answers[1] = NULL;
    assert_refused(f, proxy, "metadata address");

    answers[0]                                  = NULL;
    CLEANUP(outcome_done) struct outcome nobody = {};
    ask_by(f, "/ok", proxy, &nobody);
    assert_string_equal(http_failure_name(nobody.failure), "dns");
}

static void the_last_address_of_many_is_checked(void **state)
{
    struct fixture *f = *state;
    char proxy[64];
    struct url url;
    char room[1024];
    assert_true(url_parse(str_from(url_of(f, "127.0.0.1", "/", room)), &url));
    (void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", url.port);

    for (size_t i = 0; i < NAMES_ADDRESSES_MAX; i++) answers[i] = "127.0.0.1";
    CLEANUP(outcome_done) struct outcome reached = {};
    ask_by(f, "/ok", proxy, &reached);
    assert_int_equal(reached.code, STATUS_OK);
    answers[NAMES_ADDRESSES_MAX - 1] = "10.0.0.1";
    assert_refused(f, proxy, "private address");
    answers[NAMES_ADDRESSES_MAX - 1] = "127.0.0.1";
    answers[NAMES_ADDRESSES_MAX]     = "127.0.0.1"; /* whichever it is: nobody has looked at it */
    assert_refused(f, proxy, "has more than 32 addresses");

    CLEANUP(outcome_done) struct outcome direct = {}; /* what is dialled is checked then */
    ask(f, &direct);
    assert_int_equal(direct.http_status, 200);
    for (size_t i = 0; i < ADDRESSES_MAX; i++) answers[i] = NULL;
}

static void the_proxy_is_checked_too(void **state)
{
    answers[0] = "127.0.0.1";
    answers[1] = NULL;
    assert_refused(*state, "http://10.0.0.1:3128", "the proxy has a private address");
    assert_refused(*state, "http://169.254.169.254", "the proxy has a metadata address");
}

static void proxies_are_urls(void **state)
{
    static const char *const fine[] = {"http://proxy", "http://proxy:3128", "http://a:b%40c@proxy/",
                                       "http://a@proxy:80", "http://[::1]:3128"};
    static const char *const wrong[] = {"",
                                        "proxy:3128",
                                        "https://proxy",
                                        "socks5://proxy",
                                        "http://proxy/path",
                                        "http://proxy?q",
                                        "http://a:%0d%0a@proxy",
                                        "http://a:%zz@proxy",
                                        "http://a%00:b@proxy"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        struct error error = {};
        if (http_proxy_check(str_from(fine[i]), &error) != STATUS_OK) fail_msg("%s", error.text);
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct error error = {};
        if (http_proxy_check(str_from(wrong[i]), &error) == STATUS_OK) fail_msg("%s", wrong[i]);
        assert_non_null(strstr(error.text, "http://[user:password@]host[:port]"));
    }
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 16);
    char longer[HTTP_PROXY_MAX + 2];
    memset(longer, 'a', sizeof longer - 1);
    memcpy(longer, "http://", strlen("http://"));
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(http_proxy_check(str_from(longer), NULL), STATUS_INVALID_ARGUMENT);
    assert_true(str_is(http_proxy_password(str_from("http://a:b%40c@proxy"), arena), "b@c"));
    assert_true(str_is(http_proxy_password(str_from("http://proxy"), arena), ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(changed_answer_is_refused),
        WITH_FIXTURE(each_of_several_is_checked),
        WITH_FIXTURE(all_addresses_of_the_target_are_checked),
        WITH_FIXTURE(the_last_address_of_many_is_checked),
        WITH_FIXTURE(the_proxy_is_checked_too),
        cmocka_unit_test(proxies_are_urls),
    };
    int failed   = cmocka_run_group_tests_name("rebinding", tests, NULL, NULL);
    goes_by_curl = true;
    return failed + cmocka_run_group_tests_name("rebinding by libcurl", tests, NULL, NULL);
}
