/* The examples that AWS publishes for Signature Version 4, with S3 and with other services. */
#include "adapter/sigv4.h"

#include "base/attr.h"
#include "base/clock.h"
#include "support/cmocka.h"

#include <stdio.h>
#include <string.h>

enum { ARENA_MAX = 1 << 20, HEADERS = 3, SECOND_US = 1'000'000 };

static const struct sigv4_key s3 = {
    .access_key = {.ptr = "AKIA"
                          "IOSFODNN7EXAMPLE",
                   .len = 20},
    .secret_key = {.ptr = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", .len = 40},
    .service    = {.ptr = "s3", .len = 2},
    .region     = {.ptr = "us-east-1", .len = 9},
};

static int64_t time_of(const char *text)
{
    int64_t us = 0;
    assert_true(time_parse(str_from(text), &us));
    return us;
}

static str header_of(const struct outgoing *outgoing, const char *name)
{
    for (size_t i = 0; i < outgoing->header_count; i++) {
        if (str_is(outgoing->headers[i].name, name)) return outgoing->headers[i].value;
    }
    return (str){};
}

static struct outgoing *outgoing_new(struct arena *arena, const char *method, const char *url,
                                     const char *const headers[HEADERS][2])
{
    struct outgoing *outgoing = arena_alloc(arena, sizeof *outgoing);
    struct error error        = {};
    outgoing->method          = method;
    outgoing->url             = str_from(url);
    for (size_t i = 0; i < HEADERS && headers[i][0]; i++) {
        assert_int_equal(
            outgoing_add_header(outgoing, headers[i][0], str_from(headers[i][1]), &error),
            STATUS_OK);
    }
    return outgoing;
}

static void signs_the_published_requests_of_s3(void **)
{
    static const struct {
        const char *method, *url;
        const char *headers[HEADERS][2];
        const char *body, *signature;
    } rows[] = {
        {"GET",
         "https://examplebucket.s3.amazonaws.com/test.txt",
         {{"Range", "bytes=0-9"}},
         "",
         "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
        {"PUT",
         "https://examplebucket.s3.amazonaws.com/test$file.text",
         {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
         "Welcome to Amazon S3.",
         "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
        {"GET",
         "https://examplebucket.s3.amazonaws.com?lifecycle",
         {},
         "",
         "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
        {"GET",
         "https://examplebucket.s3.amazonaws.com/?prefix=J&max-keys=2",
         {},
         "",
         "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
        struct outgoing *outgoing =
            outgoing_new(arena, rows[i].method, rows[i].url, rows[i].headers);
        struct error error = {};
        assert_int_equal(sigv4_sign(&s3, bytes_from(str_from(rows[i].body)),
                                    time_of("2013-05-24T00:00:00Z"), arena, outgoing, &error),
                         STATUS_OK);
        str value = header_of(outgoing, "Authorization");
        assert_string_equal(strstr(value.ptr, "Signature=") + strlen("Signature="),
                            rows[i].signature);
        assert_int_equal(header_of(outgoing, "x-amz-content-sha256").len, 64);
    }
}

static void signs_the_published_address(void **)
{
    static const struct {
        const char *url;
        int64_t expires_s;
        status code;
    } rows[] = {
        {"https://examplebucket.s3.amazonaws.com/test.txt", 86'400, STATUS_OK},
        {"https://a.test/", SIGV4_EXPIRES_MAX_S, STATUS_OK},
        {"https://a.test/", SIGV4_EXPIRES_MAX_S + 1, STATUS_INVALID_ARGUMENT},
        {"https://a.test/", 0, STATUS_INVALID_ARGUMENT},
        {"ftp://a.test/", 1, STATUS_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
        struct error error                       = {};
        str url                                  = {};
        const struct sigv4_grant grant           = {.method    = str_from("GET"),
                                                    .url       = str_from(rows[i].url),
                                                    .expires_s = rows[i].expires_s};
        assert_int_equal(
            sigv4_presign(&s3, &grant, time_of("2013-05-24T00:00:00Z"), arena, &url, &error),
            rows[i].code);
        if (i > 0) continue;
        assert_non_null(strstr(url.ptr, "&X-Amz-Signature="
                                        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751"
                                        "f604d404"));
    }
}

/* Two ways to write one request are signed alike; what makes another request is not. */
static void one_request_has_one_signature(void **)
{
    static const char *const none[HEADERS][2] = {};
    static const struct {
        const char *a, *b;
        bool is_same;
    } rows[] = {
        {"https://h.test/a%2bb?x=1&y=%41", "https://h.test/a+b?y=A&x=1", true},
        {"https://h.test:443/a", "https://h.test/a", true},
        {"https://h.test:8443/a", "https://h.test/a", false},
        {"https://h.test/a?x", "https://h.test/a?x=", true},
        {"https://h.test/a?x=1&x=2", "https://h.test/a?x=2&x=1", true},
        {"https://h.test/a", "https://h.test/b", false},
        {"https://h.test/a/", "https://h.test/a", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
        struct error error                       = {};
        struct outgoing *a                       = outgoing_new(arena, "GET", rows[i].a, none);
        struct outgoing *b                       = outgoing_new(arena, "GET", rows[i].b, none);
        assert_int_equal(sigv4_sign(&s3, (bytes){}, 0, arena, a, &error), STATUS_OK);
        assert_int_equal(sigv4_sign(&s3, (bytes){}, 0, arena, b, &error), STATUS_OK);
        bool is_same = str_equal(header_of(a, "Authorization"), header_of(b, "Authorization"));
        if (is_same != rows[i].is_same) fail_msg("%s and %s", rows[i].a, rows[i].b);
    }
}

static void other_services_encode_the_path_twice(void **)
{
    static const char *const none[HEADERS][2] = {};
    CLEANUP(arena_freep) struct arena *arena  = arena_new(ARENA_MAX);
    struct sigv4_key other                    = s3;
    struct error error                        = {};
    struct outgoing *a = outgoing_new(arena, "GET", "https://h.test/a b", none);
    struct outgoing *b = outgoing_new(arena, "GET", "https://h.test/a%20b", none);
    struct outgoing *c = outgoing_new(arena, "GET", "https://h.test/a%2520b", none);
    a->url             = b->url; /* a space is in no URL */
    assert_int_equal(sigv4_sign(&s3, (bytes){}, 0, arena, a, &error), STATUS_OK);
    other.service = str_from("execute-api");
    assert_int_equal(sigv4_sign(&other, (bytes){}, 0, arena, b, &error), STATUS_OK);
    other.service = str_from("s3");
    assert_int_equal(sigv4_sign(&other, (bytes){}, 0, arena, c, &error), STATUS_OK);
    assert_false(str_equal(header_of(a, "Authorization"), header_of(b, "Authorization")));
    assert_false(str_equal(header_of(a, "Authorization"), header_of(c, "Authorization")));
}

static void a_token_is_sent_and_signed(void **)
{
    static const char *const none[HEADERS][2] = {};
    CLEANUP(arena_freep) struct arena *arena  = arena_new(ARENA_MAX);
    struct sigv4_key with_token               = s3;
    struct error error                        = {};
    struct outgoing *outgoing                 = outgoing_new(arena, "GET", "https://h.test/", none);
    with_token.session_token                  = str_from("session");
    with_token.is_hidden                      = true;
    assert_int_equal(sigv4_sign(&with_token, (bytes){}, 0, arena, outgoing, &error), STATUS_OK);
    str value = header_of(outgoing, "Authorization");
    assert_non_null(strstr(value.ptr, "x-amz-date;x-amz-security-token, Signature=***"));
    assert_true(str_is(header_of(outgoing, "x-amz-security-token"), "session"));
    assert_true(str_is(header_of(outgoing, "x-amz-date"), "19700101T000000Z"));
}

static void refuses_what_servers_would_read_differently(void **)
{
    static const char *const none[HEADERS][2] = {};
    static const char *const urls[]           = {
                  "https://h.test/a/../b", "https://h.test/.", "https://h.test/a%",
                  "https://h.test/?a=%zz", "no url",           "https://h.test/%2e%2"};
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
        struct outgoing *outgoing                = outgoing_new(arena, "GET", urls[i], none);
        struct error error                       = {};
        assert_int_equal(sigv4_sign(&s3, (bytes){}, 0, arena, outgoing, &error),
                         STATUS_INVALID_ARGUMENT);
    }
}

static void bounds_the_query(void **)
{
    static const char *const none[HEADERS][2] = {};
    CLEANUP(arena_freep) struct arena *arena  = arena_new(ARENA_MAX);
    struct error error                        = {};
    char url[4096]                            = "https://h.test/?";
    for (size_t i = 0; i <= SIGV4_PAIRS_MAX; i++) {
        (void)snprintf(url + strlen(url), sizeof url - strlen(url), "a%zu=1&", i);
    }
    struct outgoing *outgoing = outgoing_new(arena, "GET", url, none);
    assert_int_equal(sigv4_sign(&s3, (bytes){}, SECOND_US, arena, outgoing, &error),
                     STATUS_RESOURCE_EXHAUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_the_published_requests_of_s3),
        cmocka_unit_test(signs_the_published_address),
        cmocka_unit_test(one_request_has_one_signature),
        cmocka_unit_test(other_services_encode_the_path_twice),
        cmocka_unit_test(a_token_is_sent_and_signed),
        cmocka_unit_test(refuses_what_servers_would_read_differently),
        cmocka_unit_test(bounds_the_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
