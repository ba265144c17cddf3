#include "pii/pii.h"

#include "base/buf.h"

#include "cmocka.h"

enum { TEXT_MAX = 4096 };

/* "kind:value kind:value" of all finds. */
static void find_all(str text, pii_kinds kinds, struct buf *out)
{
    struct pii_scan scan = {.text = text, .kinds = kinds};
    struct pii_find find = {};
    size_t last          = 0;
    while (pii_next(&scan, &find)) {
        assert_true(find.from >= last && find.from < find.until && find.until <= text.len);
        last = find.until;
        (void)buf_printf(out, "%s%s:" STR_FMT, out->len ? " | " : "", pii_kind_name(find.kind),
                         STR_ARG(str_slice(text, find.from, find.until)));
    }
}

struct row {
    const char *text, *finds;
};

static void check(const struct row *rows, size_t count, pii_kinds kinds)
{
    for (size_t i = 0; i < count; i++) {
        CLEANUP(buf_done) struct buf found = buf_init(TEXT_MAX);
        find_all(str_from(rows[i].text), kinds, &found);
        if (!str_is(buf_str(&found), rows[i].finds)) {
            print_error("%s\n  finds  %s\n  wanted %s\n", rows[i].text, found.ptr ? found.ptr : "",
                        rows[i].finds);
        }
        assert_true(str_is(buf_str(&found), rows[i].finds));
    }
}

#define CHECK(rows, kinds) check(rows, sizeof(rows) / sizeof *(rows), kinds)

static void test_people_are_reached(void **)
{
    static const struct row rows[] = {
        {"write to ann@example.org.", "email:ann@example.org"},
        {"<Ann.O'Hara+news@mail.example.co.uk>", "email:Ann.O'Hara+news@mail.example.co.uk"},
        {"'bob@example.org'", "email:bob@example.org"},
        {"mailto:x_1@a-b.example", "email:x_1@a-b.example"},
        {"a@b.example,c@d.example", "email:a@b.example | email:c@d.example"},
        {"@home and user@localhost and a.@b.example", ""},
        {"x@y.z and x@-y.example and x@y..example", ""},
        {"v1@2.0.3 and foo@1.2.3", ""},
        {"call +49 30 901820 now", "phone:+49 30 901820"},
        {"+1 (212) 555-0123", "phone:+1 (212) 555-0123"},
        {"tel:+442079460000", "phone:+442079460000"},
        {"(212) 555-0123, 212-555-0123, 1-212-555-0123, 212.555.0123",
         "phone:(212) 555-0123 | phone:212-555-0123 | phone:1-212-555-0123 | phone:212.555.0123"},
        {"+999 1234567 is Nobody's, +1 23 too short", "phone:+999 1234567"},
        {"+210 0000000000 +2", "phone:+210 0000000000"},
        {"112-555-0123 and 211-555-0123 and 212-111-0123 and 212-5-0123", ""},
        {"2026-11-22T10:20:30 and 1.2.3 and 10,000,000", ""},
    };
    CHECK(rows, PII_DEFAULT);
}

static void test_numbers_are_checked(void **)
{
    static const struct row rows[] = {
        {"4111 1111 1111 1111", "card:4111 1111 1111 1111"},
        {"4111-1111-1111-1111.", "card:4111-1111-1111-1111"},
        {"card 378282246310005", "card:378282246310005"},
        {"3782 822463 10005", "card:3782 822463 10005"},
        {"5555555555554444 6011111111111117 3530111333300000",
         "card:5555555555554444 | card:6011111111111117 | card:3530111333300000"},
        {"4111 1111 1111 1111 5105 1051 0510 5100 12",
         "card:4111 1111 1111 1111 | card:5105 1051 0510 5100"},
        {"4111 1111 1111 1112", ""},
        {"9111 1111 1111 1111 and 41111111111111111111111", ""},
        {"4111-1111 1111-1111", ""},
        {"0.4111111111111111 and x4111111111111111", ""},
        {"078-05-1120 or 078 05 1120", "ssn:078-05-1120 | ssn:078 05 1120"},
        {"000-12-3456 666-12-3456 900-12-3456 123-00-4567 123-45-0000", ""},
        {"SSN: 078051120", "ssn:078051120"},
        {"order 078051120", ""},
        {"DE89 3704 0044 0532 0130 00", "iban:DE89 3704 0044 0532 0130 00"},
        {"GB82WEST12345698765432,", "iban:GB82WEST12345698765432"},
        {"NO9386011117947", "iban:NO9386011117947"},
        {"DE89370400440532013001 and ZZ89370400440532013000 and XDE89370400440532013000", ""},
    };
    CHECK(rows, PII_DEFAULT);
}

static void test_some_are_asked_for(void **)
{
    static const struct row rows[] = {
        {"900-70-0000 900-69-0000", "itin:900-70-0000"},
        {"routing 021000021 and 021000022 and 991000021", "bank_routing:021000021"},
    };
    CHECK(rows, PII_ALL);
    static const struct row none[] = {{"900-70-0000 021000021", ""}};
    CHECK(none, PII_DEFAULT);
}

static void test_machines_have_addresses(void **)
{
    static const struct row rows[] = {
        {"from 192.0.2.1.", "ip:192.0.2.1"},
        {"http://192.0.2.1:8080/", "ip:192.0.2.1"},
        {"256.1.1.1 and 1.2.3 and 1.2.3.4.5 and 01.2.3.4 and v1.2.3.4", ""},
        {"[2001:db8::1]:80", "ip:2001:db8::1"},
        {"fe80::1, 2001:0db8:0000:0000:0000:ff00:0042:8329",
         "ip:fe80::1 | ip:2001:0db8:0000:0000:0000:ff00:0042:8329"},
        {"::ffff:192.0.2.1", "ip:::ffff:192.0.2.1"},
        {"abc::def std::vector 10:20:30 a:1:b :: 12:ab", ""},
        {"00:1b:44:11:3a:b7", "mac:00:1b:44:11:3a:b7"},
        {"AA-BB-CC-DD-EE-FF", "mac:AA-BB-CC-DD-EE-FF"},
        {"00:1b:44:11:3a and 00:1b-44:11:3a:b7 and 00:1b:44:11:3a:b7:c8", ""},
    };
    CHECK(rows, PII_DEFAULT);
}

static void test_words_decide(void **)
{
    static const struct row rows[] = {
        {"born 1980-03-12", "birth_date:1980-03-12"},
        {"Date of birth: 12.03.1980", "birth_date:12.03.1980"},
        {"DOB 3/12/80", "birth_date:3/12/80"},
        {"DOB 13/13/1980, born 1880-03-12, reborn", ""},
        {"reborn 1980-03-12", ""},
        {"on 1980-03-12", ""},
        {"passport C01X00T47", "passport:C01X00T47"},
        {"Passport no. 123456789", "passport:123456789"},
        {"passport ABCDEF12 and passport c01x00t47", ""},
        {"part C01X00T47", ""},
    };
    CHECK(rows, PII_DEFAULT);
}

static void test_keys_are_secret(void **)
{
    static const struct row rows[] = {
        {"ghp"
         "_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xYz",
         "secret:ghp"
         "_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xYz"},
        {"token xoxb"
         "-123456789012-abc",
         "secret:xoxb"
         "-123456789012-abc"},
        {"sk"
         "-proj-abcdefghijklmnop1234",
         "secret:sk"
         "-proj-abcdefghijklmnop1234"},
        {"sk-learn and risk-taking-behaviour-in-2026-x", ""},
        {"AKIA"
         "IOSFODNN7EXAMPLE",
         "secret:AKIA"
         "IOSFODNN7EXAMPLE"},
        {"AKIA"
         "IOSFODNN7EXAMPLEX and XAKIA"
         "IOSFODNN7EXAMPLE",
         ""},
        {"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4",
         "secret:eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4"},
        {"eyJhbGciOiJIUzI1NiJ9.short", ""},
        {"API_KEY=a8f5f167f44f4964e6c998dee827110c", "secret:a8f5f167f44f4964e6c998dee827110c"},
        {"\"clientSecret\": \"x7Kp2Lm9Qw4Rt8Yz\"", "secret:x7Kp2Lm9Qw4Rt8Yz"},
        {"password: hunter22x", "secret:hunter22x"},
        {"password: forgotten? token: see the manual, secret=aaaaaaaaaaaaaaaa1", ""},
        {"https://ann:s3cret@example.org/", "url_credentials:ann:s3cret"},
        {"https://git@example.org/", "email:git@example.org"},
        {"/x?access_token=abcdef123&x=1", "url_credentials:abcdef123"},
        {"/x?page_token=1", ""},
        {"-----BEGIN RSA"
         " PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\nrest",
         "secret:-----BEGIN RSA"
         " PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----"},
        {"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", ""},
    };
    CHECK(rows, PII_DEFAULT);
}

/* What is found does not depend on what stands before, but for words that belong to it. */
static void test_place_does_not_matter(void **)
{
    static const char text[] =
        "a 078-05-1120 b ann@example.org c 192.0.2.1 d 4111 1111 1111 1111 e";
    for (size_t lead = 0; lead < 70; lead++) {
        CLEANUP(buf_done) struct buf whole = buf_init(TEXT_MAX);
        CLEANUP(buf_done) struct buf found = buf_init(TEXT_MAX);
        for (size_t i = 0; i < lead; i++) (void)buf_put_byte(&whole, i % 5 ? 'x' : ' ');
        (void)buf_put_byte(&whole, ' ');
        (void)buf_put_text(&whole, text);
        find_all(buf_str(&whole), PII_DEFAULT, &found);
        assert_string_equal(found.ptr, "ssn:078-05-1120 | email:ann@example.org | ip:192.0.2.1 | "
                                       "card:4111 1111 1111 1111");
    }
}

static void test_kinds_are_named(void **)
{
    enum pii_kind kind = PII_EMAIL;
    for (int i = 0; i < PII_KIND_COUNT; i++) {
        assert_true(pii_kind_of(str_from(pii_kind_name((enum pii_kind)i)), &kind));
        assert_int_equal(kind, i);
    }
    assert_false(pii_kind_of(str_from("name"), &kind));
    assert_int_equal(pii_kinds_in(str_from("ann@example.org, 192.0.2.1"), PII_DEFAULT),
                     PII_BIT(PII_EMAIL) | PII_BIT(PII_IP));
    assert_int_equal(pii_kinds_in(str_from("ann@example.org"), PII_BIT(PII_IP)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_people_are_reached),
        cmocka_unit_test(test_numbers_are_checked),
        cmocka_unit_test(test_some_are_asked_for),
        cmocka_unit_test(test_machines_have_addresses),
        cmocka_unit_test(test_words_decide),
        cmocka_unit_test(test_keys_are_secret),
        cmocka_unit_test(test_place_does_not_matter),
        cmocka_unit_test(test_kinds_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
