/* payload_index: finds what was added, under any number of others. */
#include "scheduler/run/payload.h"

#include "cmocka.h"

#include <stdio.h>

enum { MANY = 5000 };

static void hash_of(uint32_t number, uint8_t hash[static PAYLOAD_HASH_SIZE])
{
    char text[16];
    int length = snprintf(text, sizeof text, "%u", number);
    payload_hash((str){text, (size_t)length}, hash);
}

static void an_empty_index_knows_nothing(void **state)
{
    (void)state;
    struct payload_index index = {};
    uint8_t hash[PAYLOAD_HASH_SIZE];
    hash_of(1, hash);
    assert_int_equal(payload_find(&index, hash), 0);
    payload_index_done(&index);
}

static void every_content_keeps_its_number(void **state)
{
    (void)state;
    struct payload_index index = {};
    uint8_t hash[PAYLOAD_HASH_SIZE];
    for (uint32_t i = 1; i <= MANY; i++) {
        hash_of(i, hash);
        payload_add(&index, hash, i);
        payload_add(&index, hash, i + MANY); /* the first number stays */
    }
    assert_int_equal(index.count, MANY);
    for (uint32_t i = 1; i <= MANY; i++) {
        hash_of(i, hash);
        assert_int_equal(payload_find(&index, hash), i);
        hash_of(i + MANY, hash);
        assert_int_equal(payload_find(&index, hash), 0);
    }
    payload_index_done(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_index_knows_nothing),
        cmocka_unit_test(every_content_keeps_its_number),
    };
    return cmocka_run_group_tests_name("payload", tests, NULL, NULL);
}
