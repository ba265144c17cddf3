/* Over a socket: keys of providers are set and removed by those who may speak for all namespaces.
 */
#include "cmocka.h"

#include "provider_key.pb-c.h"
#include "support/scheduler/rig.h"

static void put(struct rig *rig, const char *namespace, status expected)
{
    Pb__ProviderKey key         = PB__PROVIDER_KEY__INIT;
    key.provider                = "shop";
    key.secret                  = "shop-key";
    const struct question asked = {.service   = &pb__provider_keys__descriptor,
                                   .method    = "Put",
                                   .message   = &key,
                                   .namespace = namespace,
                                   .expected  = expected};
    (void)rig_ask(rig, &asked);
}

static void drop(struct rig *rig, const char *namespace, status expected)
{
    Pb__DeleteProviderKey message = PB__DELETE_PROVIDER_KEY__INIT;
    message.provider              = "shop";
    const struct question asked   = {.service   = &pb__provider_keys__descriptor,
                                     .method    = "Delete",
                                     .message   = &message,
                                     .namespace = namespace,
                                     .expected  = expected};
    (void)rig_ask(rig, &asked);
}

static size_t count(struct rig *rig)
{
    const Pb__ListProviderKeys message = PB__LIST_PROVIDER_KEYS__INIT;
    const struct question asked        = {
               .service = &pb__provider_keys__descriptor, .method = "List", .message = &message};
    const Pb__ProviderKeyList *list = rig_ask(rig, &asked);
    return list->n_keys;
}

static void test_a_namespace_does_not_change_the_keys_of_all(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    put(&rig, "team", STATUS_PERMISSION_DENIED);
    assert_int_equal(count(&rig), 0);
    put(&rig, "*", STATUS_OK);
    drop(&rig, "team", STATUS_PERMISSION_DENIED);
    drop(&rig, "default", STATUS_PERMISSION_DENIED);
    assert_int_equal(count(&rig), 1);
    drop(&rig, "*", STATUS_OK);
    assert_int_equal(count(&rig), 0);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_namespace_does_not_change_the_keys_of_all),
    };
    return cmocka_run_group_tests_name("provider_key_service", tests, NULL, NULL);
}
