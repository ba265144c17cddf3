/* What the audit log hears of requests: no secret, no personal data, no query. */
#include "cmocka.h"

#include "tool-adapter/call/writes.h"
#include "json/json_text.h"

enum { ARENA_MAX = 1 << 20 };

static Pb__AuditWrite *only_of(struct writes *writes)
{
    assert_int_equal(writes->count, 1);
    return writes->items[0];
}

static void addresses_keep_what_is_no_secret(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host, *path;
        bool has_mask; /* the secrets are known: `hunter2/x` is one */
    } rows[] = {
        {"https://api.test/repos/a/issues?token=abc#x", "api.test", "/repos/a/issues", true},
        {"https://api.test", "api.test", "", true},
        {"http://api.test:8080/a", "api.test:8080", "/a", false},
        {"https://user:pass@api.test:443/a", "api.test", "/a", false},
        {"https://api.test/bot/hunter2%2Fx/send", "api.test", "/bot/***/send", true},
        {"https://api.test/users/ann%40example.org/mail", "api.test", "/users/***/mail", true},
        {"https://api.test/users/ann@example.org", "api.test", "/users/***", false},
        {"https://api.test/db/0123456789abcdef0123456789", "api.test",
         "/db/0123456789abcdef0123456789", true},
        {"https://hooks.test/T01/0123456789abcdef01234", "hooks.test", "/T01/***", false},
        {"https://hooks.test/T01/0123456789abcdef0123", "hooks.test", "/T01/0123456789abcdef0123",
         false},
        {"https://api.test/a%00b/%ff/%0a", "api.test", "/a%00b/%ff/%0a", true},
        {"no address", "", "", true},
    };
    CLEANUP(json_mask_freep) struct json_mask *mask = json_mask_new();
    json_mask_add(mask, str_from("hunter2/x"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
        struct writes writes                     = {.arena = arena};
        const struct written written             = {.method      = str_from("POST"),
                                                    .url         = str_from(rows[i].url),
                                                    .mask        = rows[i].has_mask ? mask : NULL,
                                                    .http_status = 201,
                                                    .class       = "ok",
                                                    .duration_ms = -1};
        writes_add(&writes, &written);
        const Pb__AuditWrite *write = only_of(&writes);
        assert_string_equal(write->host, rows[i].host);
        assert_string_equal(write->path, rows[i].path);
        assert_int_equal(write->duration_ms, 0);
    }
}

static void methods_that_read_write_nothing(void **state)
{
    (void)state;
    static const char *const reading[] = {"GET", "get", "HEAD", "Options", "TRACE"};
    static const char *const writing[] = {"POST", "PUT", "patch", "DELETE", "GETTER", "PURGE", ""};
    for (size_t i = 0; i < ARRAY_LEN(reading); i++) {
        assert_false(writes_are_made_by(str_from(reading[i])));
    }
    for (size_t i = 0; i < ARRAY_LEN(writing); i++) {
        assert_true(writes_are_made_by(str_from(writing[i])));
    }
}

static void equal_parameters_are_recognised_and_not_told(void **state)
{
    (void)state;
    static const uint8_t key[SHA256_SIZE]    = {7};
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    const struct written written             = {.method = str_from("POST"), .class = "ok"};
    uint8_t first[SHA256_SIZE]               = {};
    for (int i = 0; i < 3; i++) {
        struct writes writes      = {.arena = arena};
        const struct writes_of of = {.function   = "ledger.book",
                                     .connection = "ledger",
                                     .params     = str_from(i == 2 ? "{\"a\":2}" : "{\"a\":1}"),
                                     .key        = key};
        writes_add(&writes, &written);
        writes_name(&writes, &of);
        const Pb__AuditWrite *write = only_of(&writes);
        assert_string_equal(write->function, "ledger.book");
        assert_int_equal(write->params_hmac.len, SHA256_SIZE);
        if (i == 0) memcpy(first, write->params_hmac.data, SHA256_SIZE);
        bool is_same = memcmp(first, write->params_hmac.data, SHA256_SIZE) == 0;
        assert_int_equal(is_same, i != 2);
    }
    struct writes none        = {.arena = arena};
    const struct writes_of of = {.function = "x", .connection = ""};
    writes_add(&none, &written);
    writes_name(&none, &of);
    assert_int_equal(only_of(&none)->params_hmac.len, 0);
}

static void no_more_than_the_limit_is_kept(void **state)
{
    (void)state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct writes writes                     = {.arena = arena};
    const struct written written             = {.method = str_from("PUT"), .class = "ok"};
    for (int i = 0; i < WRITES_MAX + 1; i++) writes_add(&writes, &written);
    assert_int_equal(writes.count, WRITES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_keep_what_is_no_secret),
        cmocka_unit_test(methods_that_read_write_nothing),
        cmocka_unit_test(equal_parameters_are_recognised_and_not_told),
        cmocka_unit_test(no_more_than_the_limit_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
