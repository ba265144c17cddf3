/* Keys in the gateway's cache, with times the test sets. */
#include "cmocka.h"

#include "gateway/api/identity.h"

#include <stdio.h>
#include <string.h>

struct fixture {
    struct identity_cache *cache;
    struct api_key key;
    char header[128];
    struct httpd_field field;
    struct httpd_request request;
    struct identity identity;
    char key_id[API_KEY_ID_LEN + 1];
};

static struct fixture shared;

static void make_key(uint8_t seed, struct api_key *ret_key)
{
    uint8_t random[API_KEY_RANDOM];
    memset(random, seed, sizeof random);
    api_key_make(random, ret_key);
}

static void carry(struct fixture *it, const struct api_key *key)
{
    (void)snprintf(it->header, sizeof it->header, "Bearer %s", key->text);
    it->field   = (struct httpd_field){str_from("authorization"), str_from(it->header)};
    it->request = (struct httpd_request){.fields = &it->field, .field_count = 1};
}

static int begin(void **state)
{
    shared = (struct fixture){.cache = identity_cache_new()};
    make_key(1, &shared.key);
    carry(&shared, &shared.key);
    *state = &shared;
    return 0;
}

static int end(void **state)
{
    struct fixture *it = *state;
    identity_cache_freep(&it->cache);
    return 0;
}

static enum identity_answer check(struct fixture *it, int64_t now_ms, int64_t unix_us)
{
    return identity_check(it->cache, &it->request, now_ms, unix_us, &it->identity, it->key_id);
}

static Pb__ApiKey record_of(struct api_key *key)
{
    static const char *roles[] = {"developer", "approver", "of a newer release"};
    Pb__ApiKey record          = PB__API_KEY__INIT;
    record.id                  = key->id;
    record.name                = "tester";
    record.namespace_          = "acme";
    record.roles               = roles;
    record.n_roles             = ARRAY_LEN(roles);
    record.secret_sha256       = (ProtobufCBinaryData){SHA256_SIZE, key->secret_sha256};
    return record;
}

static void the_secret_before_is_good_for_a_while(void **state)
{
    struct fixture *it             = *state;
    struct api_key after           = {};
    uint8_t random[API_KEY_RANDOM] = {9};
    assert_true(api_key_remake(str_from(it->key.id), random, &after));
    Pb__ApiKey record        = record_of(&after);
    record.previous_sha256   = (ProtobufCBinaryData){SHA256_SIZE, it->key.secret_sha256};
    record.previous_until_us = 1'000;
    identity_learn(it->cache, it->key.id, &record, 1'000);
    assert_int_equal(check(it, 1'000, 999), IDENTITY_KNOWN);
    assert_int_equal(check(it, 1'000, 1'000), IDENTITY_REFUSED);
    carry(it, &after);
    assert_int_equal(check(it, 1'000, 1'000), IDENTITY_KNOWN);
    carry(it, &it->key);
}

static void what_is_forgotten_is_asked_again(void **state)
{
    struct fixture *it = *state;
    Pb__ApiKey record  = record_of(&it->key);
    identity_forget(it->cache, it->key.id);
    identity_learn(it->cache, it->key.id, &record, 1'000);
    assert_int_equal(check(it, 1'000, 0), IDENTITY_KNOWN);
    identity_forget(it->cache, it->key.id);
    assert_int_equal(check(it, 1'000, 0), IDENTITY_ASK);
}

static void what_is_known_lasts_five_seconds(void **state)
{
    struct fixture *it = *state;
    Pb__ApiKey record  = record_of(&it->key);
    assert_int_equal(check(it, 1'000, 0), IDENTITY_ASK);
    assert_string_equal(it->key_id, it->key.id);
    identity_learn(it->cache, it->key.id, &record, 1'000);
    assert_int_equal(check(it, 1'000, 0), IDENTITY_KNOWN);
    assert_string_equal(it->identity.key_id, it->key.id);
    assert_string_equal(it->identity.name, "tester");
    assert_string_equal(it->identity.namespace_, "acme");
    assert_int_equal(it->identity.roles, 1 << 1 | 1 << 3);
    assert_int_equal(check(it, 1'000 + IDENTITY_KEPT_MS - 1, 0), IDENTITY_KNOWN);
    assert_int_equal(check(it, 1'000 + IDENTITY_KEPT_MS, 0), IDENTITY_ASK);
}

static void a_revoked_key_is_refused_once_it_is_asked_for_again(void **state)
{
    struct fixture *it = *state;
    Pb__ApiKey record  = record_of(&it->key);
    identity_learn(it->cache, it->key.id, &record, 1'000);
    record.revoked = true;
    identity_learn(it->cache, it->key.id, &record, 1'000 + IDENTITY_KEPT_MS);
    assert_int_equal(check(it, 1'000 + IDENTITY_KEPT_MS, 0), IDENTITY_REFUSED);
}

static void an_answer_that_was_overtaken_changes_nothing(void **state)
{
    struct fixture *it = *state;
    Pb__ApiKey record  = record_of(&it->key);
    record.revoked     = true;
    identity_learn(it->cache, it->key.id, &record, 2'000);
    record.revoked = false;
    identity_learn(it->cache, it->key.id, &record, 1'999); /* asked before, answered after */
    assert_int_equal(check(it, 2'000, 0), IDENTITY_REFUSED);
    identity_learn(it->cache, it->key.id, &record, 2'001);
    assert_int_equal(check(it, 2'001, 0), IDENTITY_KNOWN);
}

static void an_expired_key_is_refused_to_the_microsecond(void **state)
{
    struct fixture *it = *state;
    Pb__ApiKey record  = record_of(&it->key);
    record.expires_us  = 5'000'000;
    identity_learn(it->cache, it->key.id, &record, 0);
    assert_int_equal(check(it, 0, 4'999'999), IDENTITY_KNOWN);
    assert_int_equal(check(it, 0, 5'000'000), IDENTITY_REFUSED);
}

static void another_secret_is_refused_without_a_question(void **state)
{
    struct fixture *it = *state;
    Pb__ApiKey record  = record_of(&it->key);
    identity_learn(it->cache, it->key.id, &record, 0);
    struct api_key other        = it->key;
    other.text[API_KEY_LEN - 1] = other.text[API_KEY_LEN - 1] == '0' ? '1' : '0';
    carry(it, &other);
    assert_int_equal(check(it, 0, 0), IDENTITY_REFUSED);
}

static void unknown_keys_are_remembered_too(void **state)
{
    struct fixture *it = *state;
    identity_learn(it->cache, it->key.id, NULL, 0);
    assert_int_equal(check(it, 1, 0), IDENTITY_REFUSED);
    assert_int_equal(check(it, IDENTITY_KEPT_MS, 0), IDENTITY_ASK);
}

static void records_that_cannot_be_are_refused(void **state)
{
    struct fixture *it = *state;
    char long_name[128];
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    Pb__ApiKey record               = record_of(&it->key);
    record.namespace_               = long_name; /* cut, it might be another tenant's */
    identity_learn(it->cache, it->key.id, &record, 0);
    assert_int_equal(check(it, 0, 0), IDENTITY_REFUSED);
    record                   = record_of(&it->key);
    record.secret_sha256.len = 31;
    identity_learn(it->cache, it->key.id, &record, 0);
    assert_int_equal(check(it, 0, 0), IDENTITY_REFUSED);
}

static void no_header_no_question(void **state)
{
    struct fixture *it      = *state;
    it->request.field_count = 0;
    assert_int_equal(check(it, 0, 0), IDENTITY_REFUSED);
    it->request.field_count = 1;
    it->field.value         = str_from("Bearer tutti_short");
    assert_int_equal(check(it, 0, 0), IDENTITY_REFUSED);
}

/* A stream of guesses may empty the cache, and may not break it. */
static void a_full_cache_begins_anew(void **state)
{
    struct fixture *it = *state;
    Pb__ApiKey record  = record_of(&it->key);
    identity_learn(it->cache, it->key.id, &record, 0);
    for (int i = 0; i < IDENTITY_COUNT_MAX - 1; i++) {
        char id[API_KEY_ID_LEN + 1];
        (void)snprintf(id, sizeof id, "guess%07d", i);
        identity_learn(it->cache, id, NULL, 0);
    }
    assert_int_equal(check(it, 0, 0), IDENTITY_KNOWN);
    identity_learn(it->cache, "one-too-many", NULL, 0);
    assert_int_equal(check(it, 0, 0), IDENTITY_ASK);
    identity_learn(it->cache, it->key.id, &record, 0);
    assert_int_equal(check(it, 0, 0), IDENTITY_KNOWN);
}

static void labels_are_copied_up_to_their_limits(void **state)
{
    struct fixture *it = *state;
    Pb__ApiKey record  = record_of(&it->key);
    Pb__Label label    = PB__LABEL__INIT;
    label.key          = "team";
    label.value        = "leads";
    Pb__Label *labels[IDENTITY_LABELS_MAX + 1];
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) labels[i] = &label;
    record.labels   = labels;
    record.n_labels = ARRAY_LEN(labels);
    identity_learn(it->cache, it->key.id, &record, 0);
    char copies[IDENTITY_LABELS_MAX][IDENTITY_LABEL_MAX + 1];
    assert_int_equal(identity_labels(it->cache, it->key.id, copies, IDENTITY_LABELS_MAX),
                     IDENTITY_LABELS_MAX);
    assert_string_equal(copies[0], "team:leads");
    assert_int_equal(identity_labels(it->cache, it->key.id, copies, 2), 2);
    assert_int_equal(identity_labels(it->cache, "nobody", copies, 2), 0);
}

#define FIXTURE_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(the_secret_before_is_good_for_a_while),
        FIXTURE_TEST(what_is_forgotten_is_asked_again),
        FIXTURE_TEST(what_is_known_lasts_five_seconds),
        FIXTURE_TEST(a_revoked_key_is_refused_once_it_is_asked_for_again),
        FIXTURE_TEST(an_answer_that_was_overtaken_changes_nothing),
        FIXTURE_TEST(an_expired_key_is_refused_to_the_microsecond),
        FIXTURE_TEST(another_secret_is_refused_without_a_question),
        FIXTURE_TEST(unknown_keys_are_remembered_too),
        FIXTURE_TEST(records_that_cannot_be_are_refused),
        FIXTURE_TEST(no_header_no_question),
        FIXTURE_TEST(a_full_cache_begins_anew),
        FIXTURE_TEST(labels_are_copied_up_to_their_limits),
    };
    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
