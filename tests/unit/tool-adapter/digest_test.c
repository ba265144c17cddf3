/* Digest authentication against the examples of its RFCs, and challenges that are hard to read. */
#include "cmocka.h"

#include "base/attr.h"
#include "tool-adapter/authorization/digest.h"

#include <string.h>

#define RFC7616                                                                                    \
    "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", "                                    \
    "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "                                     \
    "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""

static const struct answer {
    const char *name, *challenge, *password, *cnonce;
    const char *parts[6]; /* of the answer */
} answers[] = {
    {"RFC 7616, MD5",
     "Digest algorithm=MD5, " RFC7616,
     "Circle of Life",
     "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
     {"response=\"8ca523f5e9506fed4657c9700eebdbec\"", "algorithm=MD5,", "qop=auth, nc=00000001",
      "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"", "username=\"Mufasa\""}},
    {"RFC 7616, SHA-256",
     "Digest " RFC7616 ", algorithm=SHA-256",
     "Circle of Life",
     "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
     {"response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"",
      "algorithm=SHA-256,"}},
    {"the stronger of two wins",
     "Digest algorithm=MD5, " RFC7616 ", Digest algorithm=SHA-256, " RFC7616,
     "Circle of Life",
     "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
     {"response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\""}},
    {"RFC 2617",
     "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", "
     "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
     "Circle Of Life",
     "0a4f113b",
     {"response=\"6629fae49393a05397450978507c4ef1\""}},
    {"RFC 2069, without qop",
     "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"",
     "Circle Of Life",
     "0a4f113b",
     {"response=\"670fd8c2df070c60b045671b8b24ff02\""}},
    {"behind another scheme",
     "Basic realm=\"a, b\", Negotiate, DIGEST nonce=n, realm=r, qop=auth",
     "p",
     "c",
     {"nonce=\"n\"", "realm=\"r\""}},
    {"with escapes",
     "Digest realm=\"a \\\"b\\\"\", nonce=\"n\"",
     "p",
     "c",
     {"realm=\"a \\\"b\\\"\""}},
};

static void check_answer(void **state)
{
    const struct answer *row            = *state;
    struct digest_challenge challenge   = {};
    CLEANUP(buf_done) struct buf out    = buf_init(DIGEST_HEADER_MAX);
    const struct digest_request request = {.method   = str_from("GET"),
                                           .uri      = str_from("/dir/index.html"),
                                           .username = str_from("Mufasa"),
                                           .password = str_from(row->password),
                                           .cnonce   = str_from(row->cnonce)};
    assert_true(digest_challenge_read(str_from(row->challenge), &challenge));
    assert_true(digest_answer(&challenge, &request, &out));
    (void)buf_put_byte(&out, '\0');
    for (size_t i = 0; i < ARRAY_LEN(row->parts) && row->parts[i]; i++) {
        if (!strstr(out.ptr, row->parts[i])) fail_msg("no %s in %s", row->parts[i], out.ptr);
    }
}

static const struct refused {
    const char *name, *challenge;
} refused[] = {
    {"nothing", ""},
    {"another scheme", "Basic realm=\"r\""},
    {"no nonce", "Digest realm=\"r\""},
    {"auth-int alone", "Digest nonce=n, realm=r, qop=auth-int"},
    {"an unknown algorithm", "Digest nonce=n, algorithm=SHA-512-256"},
    {"a quote that does not end", "Digest nonce=\"n"},
    {"an escape at the end", "Digest nonce=\"n\\"},
    {"no value", "Digest nonce="},
    {"only commas", ",,,,"},
    {"bytes that are no token", "\x01\x02"},
};

static void check_refused(void **state)
{
    const struct refused *row         = *state;
    struct digest_challenge challenge = {};
    assert_false(digest_challenge_read(str_from(row->challenge), &challenge));
}

static void a_session_hashes_twice(void **)
{
    /* md5(md5(Mufasa:r:p):n:c) for HA1; checked with: printf ... | md5sum */
    struct digest_challenge challenge   = {};
    CLEANUP(buf_done) struct buf out    = buf_init(DIGEST_HEADER_MAX);
    const struct digest_request request = {.method   = str_from("GET"),
                                           .uri      = str_from("/"),
                                           .username = str_from("Mufasa"),
                                           .password = str_from("p"),
                                           .cnonce   = str_from("c")};
    assert_true(digest_challenge_read(
        str_from("Digest nonce=n, realm=r, qop=auth, algorithm=MD5-sess, stale=TRUE"), &challenge));
    assert_true(challenge.is_session && challenge.is_stale);
    assert_true(digest_answer(&challenge, &request, &out));
    (void)buf_put_byte(&out, '\0');
    assert_non_null(strstr(out.ptr, "algorithm=MD5-sess"));
    assert_non_null(strstr(out.ptr, "response=\"116d72042b1af15756be6d603b36e7e7\""));
}

static void a_user_is_escaped_and_a_header_has_its_size(void **)
{
    struct digest_challenge challenge   = {};
    CLEANUP(buf_done) struct buf out    = buf_init(DIGEST_HEADER_MAX);
    CLEANUP(buf_done) struct buf small  = buf_init(20);
    const struct digest_request request = {.method   = str_from("GET"),
                                           .uri      = str_from("/"),
                                           .username = str_from("a\"b\\c"),
                                           .password = str_from("p"),
                                           .cnonce   = str_from("c")};
    assert_true(digest_challenge_read(str_from("Digest nonce=n, realm=r"), &challenge));
    assert_true(digest_answer(&challenge, &request, &out));
    (void)buf_put_byte(&out, '\0');
    assert_non_null(strstr(out.ptr, "username=\"a\\\"b\\\\c\""));
    assert_false(digest_answer(&challenge, &request, &small));
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(answers) + ARRAY_LEN(refused) + 2];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        tests[count++] = row_test(answers[i].name, check_answer, &answers[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        tests[count++] = row_test(refused[i].name, check_refused, &refused[i]);
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_session_hashes_twice);
    tests[count++] =
        (struct CMUnitTest)cmocka_unit_test(a_user_is_escaped_and_a_header_has_its_size);
    return _cmocka_run_group_tests("digest", tests, count, NULL, NULL);
}
