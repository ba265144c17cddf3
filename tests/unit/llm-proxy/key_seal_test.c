/* What was sealed opens with the same master secret, for the same provider, unchanged; and not
 * else. */
#include "llm-proxy/keys/key_seal.h"

#include "cmocka.h"

#include <string.h>

#define MASTER "0123456789abcdef0123456789abcdef"

enum { ARENA_MAX = 1 << 20, SEALED_MAX = 256 };

struct world {
    struct key_seal *seal;
    struct arena *arena;
    uint8_t sealed[SEALED_MAX];
    size_t size;
    char print[KEY_FINGERPRINT_SIZE];
};

static const char key[] = "sk-0123456789";

static void begin(struct world *world)
{
    *world = (struct world){.seal = key_seal_new(str_from(MASTER)), .arena = arena_new(ARENA_MAX)};
    world->size = strlen(key) + SEAL_OVERHEAD;
    key_seal_fingerprint(world->seal, str_from(key), world->print);
    assert_true(key_seal_close(world->seal, str_from("shop"), str_from(key), world->sealed));
}

static void end(struct world *world)
{
    key_seal_freep(&world->seal);
    key_seal_freep(&world->seal);
    arena_free(world->arena);
}

static status open_as(struct world *world, const char *provider, size_t size, str *ret_value)
{
    return key_seal_open(world->seal, str_from(provider), str_from(world->print),
                         (bytes){world->sealed, size}, world->arena, ret_value, NULL);
}

static void test_opens(void **)
{
    struct world world;
    uint8_t again[SEALED_MAX];
    str value = {};
    begin(&world);
    assert_int_equal(open_as(&world, "shop", world.size, &value), STATUS_OK);
    assert_true(str_is(value, key));
    assert_null(memmem(world.sealed, world.size, key, strlen(key)));
    assert_true(key_seal_close(world.seal, str_from("shop"), str_from(key), again));
    assert_memory_not_equal(world.sealed, again, world.size);
    assert_int_equal(strlen(world.print), KEY_FINGERPRINT_SIZE - 1);
    end(&world);
}

static void test_stays_shut(void **)
{
    struct world world;
    str value = {};
    begin(&world);
    assert_int_equal(open_as(&world, "shop2", world.size, &value), STATUS_INVALID_ARGUMENT);
    for (size_t size = 0; size < world.size; size++) {
        assert_int_equal(open_as(&world, "shop", size, &value), STATUS_INVALID_ARGUMENT);
    }
    for (size_t i = 0; i < world.size; i++) {
        world.sealed[i] ^= 1;
        assert_int_equal(open_as(&world, "shop", world.size, &value), STATUS_INVALID_ARGUMENT);
        world.sealed[i] ^= 1;
    }
    world.print[0] = world.print[0] == '0' ? '1' : '0';
    assert_int_equal(open_as(&world, "shop", world.size, &value), STATUS_INVALID_ARGUMENT);
    end(&world);
}

static void test_other_master(void **)
{
    struct world world;
    char print[KEY_FINGERPRINT_SIZE];
    str value = {};
    begin(&world);
    key_seal_freep(&world.seal);
    world.seal = key_seal_new(str_from("another master secret of 32 bytes."));
    assert_int_equal(open_as(&world, "shop", world.size, &value), STATUS_INVALID_ARGUMENT);
    key_seal_fingerprint(world.seal, str_from(key), print);
    assert_string_not_equal(print, world.print);
    end(&world);
}

static void test_master(void **)
{
    assert_int_equal(key_seal_check((str){}, NULL), STATUS_OK);
    assert_int_equal(key_seal_check(str_from(MASTER), NULL), STATUS_OK);
    assert_int_equal(key_seal_check(str_slice(str_from(MASTER), 1, 32), NULL),
                     STATUS_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens),
        cmocka_unit_test(test_stays_shut),
        cmocka_unit_test(test_other_master),
        cmocka_unit_test(test_master),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
