#include "auth/api_key.h"

#include "cmocka.h"

static struct api_key key_of(uint8_t seed)
{
    uint8_t random[API_KEY_RANDOM];
    for (size_t i = 0; i < sizeof random; i++) random[i] = (uint8_t)(seed + 7 * i);
    struct api_key key = {};
    api_key_make(random, &key);
    return key;
}

static void a_made_key_reads_back(void **)
{
    struct api_key made = key_of(3);
    struct api_key read = {};
    assert_int_equal(strlen(made.text), API_KEY_LEN);
    assert_true(api_key_parse(str_from(made.text), &read));
    assert_string_equal(read.id, made.id);
    assert_true(api_key_matches(&read, made.secret_sha256));
}

static void a_secret_can_be_made_anew(void **)
{
    uint8_t random[API_KEY_RANDOM] = {1, 2, 3};
    struct api_key first           = key_of(3);
    struct api_key second          = {};
    struct api_key read            = {};
    assert_true(api_key_remake(str_from(first.id), random, &second));
    assert_string_equal(second.id, first.id);
    assert_false(api_key_matches(&second, first.secret_sha256));
    assert_true(api_key_parse(str_from(second.text), &read));
    assert_true(api_key_matches(&read, second.secret_sha256));
    assert_false(api_key_remake(str_from("short"), random, &second));
    assert_false(api_key_remake(str_from("not/base62!!"), random, &second));
}

static void another_secret_does_not_match(void **)
{
    struct api_key a = key_of(3);
    struct api_key b = key_of(4);
    assert_false(api_key_matches(&a, b.secret_sha256));
}

static void all_bits_of_the_random_part_count(void **)
{
    uint8_t random[API_KEY_RANDOM] = {};
    struct api_key zero            = {};
    api_key_make(random, &zero);
    for (size_t bit = 0; bit < 256; bit++) {
        random[12 + bit / 8] = (uint8_t)(1U << bit % 8);
        struct api_key key   = {};
        api_key_make(random, &key);
        assert_string_not_equal(key.text, zero.text);
        random[12 + bit / 8] = 0;
    }
}

static void what_has_not_the_form_is_refused(void **)
{
    struct api_key made = key_of(9);
    struct api_key read = {};
    assert_false(api_key_parse(str_from(""), &read));
    assert_false(api_key_parse(str_from("tutti_x_y"), &read));
    for (size_t i = 0; i < API_KEY_LEN; i++) {
        char text[API_KEY_LEN + 1];
        memcpy(text, made.text, sizeof text);
        text[i] = '-';
        assert_false(api_key_parse(str_from(text), &read));
        assert_false(api_key_parse(str_slice(str_from(made.text), 0, i), &read));
    }
}

static void the_key_is_found_in_each_header(void **)
{
    str found = {};
    assert_true(api_key_from_headers(str_from("bearer abc"), str_from("x"), (str){}, &found));
    assert_true(str_is(found, "abc"));
    assert_true(api_key_from_headers(str_from("Basic abc"), str_from("x"), (str){}, &found));
    assert_true(str_is(found, "x"));
    assert_true(api_key_from_headers((str){}, (str){}, str_from("g"), &found));
    assert_true(str_is(found, "g"));
    assert_false(api_key_from_headers(str_from("Bearer "), (str){}, (str){}, &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_made_key_reads_back),
        cmocka_unit_test(a_secret_can_be_made_anew),
        cmocka_unit_test(another_secret_does_not_match),
        cmocka_unit_test(all_bits_of_the_random_part_count),
        cmocka_unit_test(what_has_not_the_form_is_refused),
        cmocka_unit_test(the_key_is_found_in_each_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
