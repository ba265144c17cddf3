#include "cmocka.h"

#include "scheduler/engine/jobs/lease_token.h"

static const struct lease_key key   = {.data = {1, 2, 3}};
static const struct lease_key other = {.data = {1, 2, 4}};

static struct lease make_lease(void)
{
    return (struct lease){
        .job = {"01JD0000000000000000000000"}, .number = 7, .expires_us = 1'700'000'000'000'000};
}

static bytes bytes_of(const struct lease_token *token)
{
    return (bytes){token->data, sizeof token->data};
}

static void test_a_token_says_what_was_signed(void **)
{
    const struct lease signed_lease = make_lease();
    struct lease_token token        = lease_sign(&signed_lease, &key);
    struct lease read               = {};
    assert_true(lease_verify(bytes_of(&token), &key, &read));
    assert_string_equal(read.job.text, signed_lease.job.text);
    assert_int_equal(read.number, 7);
    assert_int_equal(read.expires_us, signed_lease.expires_us);
    assert_false(lease_verify(bytes_of(&token), &other, &read));
}

static void test_every_bit_counts(void **)
{
    const struct lease signed_lease = make_lease();
    struct lease_token token        = lease_sign(&signed_lease, &key);
    struct lease read               = {};
    for (size_t bit = 0; bit < 8 * sizeof token.data; bit++) {
        token.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(lease_verify(bytes_of(&token), &key, &read));
        token.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(lease_verify(bytes_of(&token), &key, &read));
}

static void test_what_was_signed_here_is_known_again(void **)
{
    const struct lease signed_lease = make_lease();
    const struct lease_token token  = lease_sign(&signed_lease, &key);
    const struct lease_token none   = {};
    struct lease_token given        = token;
    assert_true(lease_is_signed(&token, 7, bytes_of(&given)));
    assert_false(lease_is_signed(&token, 8, bytes_of(&given)));
    assert_false(lease_is_signed(&token, 7, (bytes){given.data, sizeof given.data - 1}));
    assert_false(lease_is_signed(&none, 0, bytes_of(&none)));
    for (size_t bit = 0; bit < 8 * sizeof given.data; bit++) {
        given.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(lease_is_signed(&token, 7, bytes_of(&given)));
        given.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void test_other_sizes_are_none(void **)
{
    const struct lease signed_lease      = make_lease();
    struct lease_token token             = lease_sign(&signed_lease, &key);
    struct lease read                    = {};
    uint8_t longer[LEASE_TOKEN_SIZE + 1] = {};
    memcpy(longer, token.data, sizeof token.data);
    for (size_t size = 0; size <= sizeof longer; size++) {
        bool is_whole = size == LEASE_TOKEN_SIZE;
        assert_int_equal(lease_verify((bytes){longer, size}, &key, &read), is_whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_token_says_what_was_signed),
        cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_what_was_signed_here_is_known_again),
        cmocka_unit_test(test_other_sizes_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
