#include "base/hash.h"
#include "base/random.h"
#include "support/cmocka.h"

#include <string.h>

static bytes bytes_of(const char *text)
{
    return (bytes){.ptr = text, .len = strlen(text)};
}

static void check_hex(const uint8_t digest[static SHA256_SIZE], const char *wanted)
{
    char text[2 * SHA256_SIZE + 1];
    hex_encode(digest, SHA256_SIZE, text);
    assert_string_equal(text, wanted);
}

/* FIPS 180-4 examples. */
static void test_sha256(void **state)
{
    (void)state;
    uint8_t digest[SHA256_SIZE];
    sha256(bytes_of("abc"), digest);
    check_hex(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256((bytes){}, digest);
    check_hex(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    const bytes parts[] = {bytes_of("a"), {}, bytes_of("bc")};
    sha256_parts(parts, ARRAY_LEN(parts), digest);
    check_hex(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_parts(NULL, 0, digest);
    check_hex(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 1321 A.5. */
static void test_md5(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"", "d41d8cd98f00b204e9800998ecf8427e"},
                                           {"abc", "900150983cd24fb0d6963f7d28e17f72"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t digest[MD5_SIZE];
        char text[2 * MD5_SIZE + 1];
        md5(bytes_of(cases[i][0]), digest);
        hex_encode(digest, MD5_SIZE, text);
        assert_string_equal(text, cases[i][1]);
    }
}

/* RFC 4231 test case 2, and an empty key. */
static void test_hmac(void **state)
{
    (void)state;
    uint8_t digest[SHA256_SIZE];
    hmac_sha256(bytes_of("Jefe"), bytes_of("what do ya want for nothing?"), digest);
    check_hex(digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    /* RFC 4231 test case 6: a key longer than a block of the hash. */
    char long_key[131];
    memset(long_key, 0xaa, sizeof long_key);
    hmac_sha256((bytes){long_key, sizeof long_key},
                bytes_of("Test Using Larger Than Block-Size Key - Hash Key First"), digest);
    check_hex(digest, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    hmac_sha256((bytes){}, (bytes){.ptr = ""}, digest);
    check_hex(digest, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_constant_time(void **state)
{
    (void)state;
    assert_true(bytes_equal_constant_time("abc", "abd", 2));
    assert_false(bytes_equal_constant_time("abc", "abd", 3));
    assert_true(bytes_equal_constant_time("a", "b", 0));
}

static void test_hex(void **state)
{
    (void)state;
    uint8_t raw[4] = {1, 2, 3, 4};
    assert_true(hex_decode(str_from("00fFAb10"), raw, 4));
    assert_memory_equal(raw, "\x00\xFF\xAB\x10", 4);
    assert_false(hex_decode(str_from("00ffab1"), raw, 4));
    assert_false(hex_decode(str_from("00ffab1000"), raw, 4));
    assert_false(hex_decode(str_from("00ffab1g"), raw, 4));
    assert_memory_equal(raw, "\x00\xFF\xAB\x10", 4);
    assert_true(hex_decode((str){}, raw, 0));
}

/* RFC 4648 section 10. */
static const struct row {
    const char *data;
    const char *text;
} rows[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xFF\xFE", "//4="},
};

static void test_base64(void **state)
{
    const struct row *row = *state;
    char text[32];
    char data[32];
    size_t size = 99;
    base64_encode(row->data, strlen(row->data), text);
    assert_string_equal(text, row->text);
    assert_int_equal(base64_size(strlen(row->data)), strlen(row->text));
    assert_true(base64_decode(str_from(text), data, &size));
    assert_int_equal(size, strlen(row->data));
    assert_memory_equal(data, row->data, size);
}

static void test_base64_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"Z",    "Zg",   "Zg=",  "Zh==", "Zm9=",     "Z===", "====",
                                        "Zg=a", "Z g=", "Zm9-", "Zm9_", "Zg==Zg==", "=Zg="};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char data[32];
        size_t size = 99;
        if (base64_decode(str_from(texts[i]), data, &size)) fail_msg("%s", texts[i]);
        assert_int_equal(size, 99);
    }
}

static void test_random(void **state)
{
    (void)state;
    uint8_t a[64] = {};
    uint8_t b[64] = {};
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a); /* equal once in 2^512 */
    random_bytes(a, 0);
    assert_true(random_u64() != random_u64());
    /* SplitMix64 from seed 1234567: the reference implementation's first numbers. */
    struct prng prng        = {.state = 1234567};
    const uint64_t wanted[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) assert_true(prng_next(&prng) == wanted[i]);
}

/* Appendix A.4 of RFC 9562. */
static void test_uuid5(void **state)
{
    static const uint8_t dns[UUID_SIZE] = {0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1,
                                           0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8};
    char text[UUID_TEXT_SIZE];
    (void)state;
    uuid5(dns, str_from("www.example.com"), text);
    assert_string_equal(text, "2ed6657d-e927-568b-95e1-2665a8aea6a2");
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 6] = {
        cmocka_unit_test(test_sha256), cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_md5),    cmocka_unit_test(test_uuid5),
        cmocka_unit_test(test_hex),    cmocka_unit_test(test_constant_time),
        cmocka_unit_test(test_random), cmocka_unit_test(test_base64_refused),
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[6 + i] = row_test(rows[i].text, test_base64, &rows[i]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
