/* API keys over a socket: what is kept, what is refused, and what a namespace sees. */
#include "cmocka.h"

#include "key.pb-c.h"
#include "support/scheduler/rig.h"

#include <stdio.h>
#include <string.h>

static const char *roles_of(bool is_admin)
{
    return is_admin ? "admin" : "viewer";
}

static const void *ask(struct rig *rig, const char *method, const void *message, status expected,
                       const char *code)
{
    const struct question asked = {.service  = &pb__keys__descriptor,
                                   .method   = method,
                                   .message  = message,
                                   .expected = expected,
                                   .code     = code};
    return rig_ask(rig, &asked);
}

struct wanted {
    const char *id, *namespace, *name;
    bool is_admin, expires;
};

/* What is asked for, and the things it points to. */
struct asked {
    Pb__CreateKey message;
    Pb__ApiKey key;
    const char *roles[1];
    uint8_t digest[32];
};

static Pb__CreateKey *fill(struct asked *asked, const struct wanted *wanted)
{
    asked->message           = (Pb__CreateKey)PB__CREATE_KEY__INIT;
    asked->key               = (Pb__ApiKey)PB__API_KEY__INIT;
    asked->message.key       = &asked->key;
    asked->roles[0]          = roles_of(wanted->is_admin);
    asked->key.id            = wanted->id;
    asked->key.name          = wanted->name ? wanted->name : "someone";
    asked->key.namespace_    = wanted->namespace;
    asked->key.roles         = asked->roles;
    asked->key.n_roles       = 1;
    asked->key.expires_us    = wanted->expires ? INT64_MAX : 0;
    asked->key.secret_sha256 = (ProtobufCBinaryData){sizeof asked->digest, asked->digest};
    memset(asked->digest, wanted->id[0], sizeof asked->digest);
    return &asked->message;
}

static const Pb__ApiKey *create(struct rig *rig, const struct wanted *wanted)
{
    struct asked asked;
    return ask(rig, "Create", fill(&asked, wanted), STATUS_OK, NULL);
}

static const Pb__ApiKey *at(struct rig *rig, const char *method, const char *namespace,
                            const char *id, status expected, const char *code)
{
    Pb__KeyAt message  = PB__KEY_AT__INIT;
    message.namespace_ = namespace;
    message.id         = id;
    message.by         = "somebodyelse";
    return ask(rig, method, &message, expected, code);
}

static const Pb__ApiKey *rotate(struct rig *rig, const char *id, int64_t overlap_us,
                                status expected, const char *code)
{
    uint8_t digest[32]    = {9};
    Pb__RotateKey message = PB__ROTATE_KEY__INIT;
    message.namespace_    = "*";
    message.id            = id;
    message.overlap_us    = overlap_us;
    message.secret_sha256 = (ProtobufCBinaryData){sizeof digest, digest};
    return ask(rig, "Rotate", &message, expected, code);
}

static size_t count(struct rig *rig, const char *namespace)
{
    Pb__ListKeys message    = PB__LIST_KEYS__INIT;
    message.namespace_      = namespace;
    const Pb__KeyList *list = ask(rig, "List", &message, STATUS_OK, NULL);
    for (size_t i = 0; i < list->n_keys; i++) assert_int_equal(list->keys[i]->secret_sha256.len, 0);
    return list->n_keys;
}

static void keys_outlive_a_restart(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    const Pb__ApiKey *made =
        create(&rig, &(struct wanted){.id = "aaaaaaaaaaaa", .namespace = "acme"});
    assert_true(made->created_us > 0);
    assert_int_equal(made->secret_sha256.len, 32);
    (void)create(&rig, &(struct wanted){.id = "bbbbbbbbbbbb", .namespace = "other"});
    (void)at(&rig, "Revoke", "*", "bbbbbbbbbbbb", STATUS_OK, NULL);
    const Pb__ApiKey *turned = rotate(&rig, "aaaaaaaaaaaa", 3'600'000'000, STATUS_OK, NULL);
    assert_true(turned->previous_until_us > turned->rotated_us);
    rig_restart(&rig);
    assert_int_equal(count(&rig, "*"), 2);
    assert_int_equal(count(&rig, "acme"), 1);
    const Pb__ApiKey *gone = at(&rig, "Get", "*", "bbbbbbbbbbbb", STATUS_OK, NULL);
    assert_true(gone->revoked && gone->revoked_us > 0);
    assert_string_equal(gone->revoked_by, "somebodyelse");
    (void)rotate(&rig, "bbbbbbbbbbbb", 0, STATUS_FAILED_PRECONDITION, "key_revoked");
    turned = rotate(&rig, "aaaaaaaaaaaa", 0, STATUS_OK, NULL);
    assert_int_equal(turned->previous_sha256.len, 0);
    rig_done(&rig);
}

static void another_namespace_sees_nothing(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    (void)create(&rig, &(struct wanted){.id = "aaaaaaaaaaaa", .namespace = "acme"});
    (void)create(&rig, &(struct wanted){.id = "bbbbbbbbbbbb", .namespace = "*"});
    (void)at(&rig, "Get", "acme", "aaaaaaaaaaaa", STATUS_OK, NULL);
    (void)at(&rig, "Get", "other", "aaaaaaaaaaaa", STATUS_NOT_FOUND, "not_found");
    (void)at(&rig, "Get", "acme", "bbbbbbbbbbbb", STATUS_NOT_FOUND, "not_found");
    (void)at(&rig, "Revoke", "acme", "bbbbbbbbbbbb", STATUS_NOT_FOUND, "not_found");
    (void)at(&rig, "Revoke", "*", "cccccccccccc", STATUS_NOT_FOUND, "not_found");
    (void)at(&rig, "Get", "*", "", STATUS_NOT_FOUND, "not_found");
    rig_done(&rig);
}

static void the_last_admin_stays(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    (void)create(&rig, &(struct wanted){.id = "aaaaaaaaaaaa", .namespace = "*", .is_admin = true});
    (void)create(&rig,
                 &(struct wanted){.id = "bbbbbbbbbbbb", .namespace = "acme", .is_admin = true});
    (void)create(&rig,
                 &(struct wanted){
                     .id = "cccccccccccc", .namespace = "*", .is_admin = true, .expires = true});
    (void)at(&rig, "Revoke", "*", "aaaaaaaaaaaa", STATUS_FAILED_PRECONDITION, "last_admin_key");
    (void)create(&rig, &(struct wanted){.id = "dddddddddddd", .namespace = "*", .is_admin = true});
    (void)at(&rig, "Revoke", "*", "aaaaaaaaaaaa", STATUS_OK, NULL);
    (void)at(&rig, "Revoke", "*", "aaaaaaaaaaaa", STATUS_OK, NULL);
    (void)at(&rig, "Revoke", "*", "dddddddddddd", STATUS_FAILED_PRECONDITION, "last_admin_key");
    (void)at(&rig, "Revoke", "*", "bbbbbbbbbbbb", STATUS_OK, NULL);
    rig_done(&rig);
}

static void what_is_no_key_is_refused(void **)
{
    struct rig rig = {};
    struct asked asked;
    const struct wanted good = {.id = "aaaaaaaaaaaa", .namespace = "acme"};
    rig_init(&rig, 1, false);
    fill(&asked, &good)->key->id = "short";
    (void)ask(&rig, "Create", &asked.message, STATUS_INVALID_ARGUMENT, NULL);
    fill(&asked, &good)->key->name = "";
    (void)ask(&rig, "Create", &asked.message, STATUS_INVALID_ARGUMENT, NULL);
    fill(&asked, &good)->key->namespace_ = "No";
    (void)ask(&rig, "Create", &asked.message, STATUS_INVALID_ARGUMENT, NULL);
    fill(&asked, &good)->key->n_roles = 0;
    (void)ask(&rig, "Create", &asked.message, STATUS_INVALID_ARGUMENT, NULL);
    fill(&asked, &good)->key->roles[0] = "god";
    (void)ask(&rig, "Create", &asked.message, STATUS_INVALID_ARGUMENT, NULL);
    fill(&asked, &good)->key->secret_sha256.len = 3;
    (void)ask(&rig, "Create", &asked.message, STATUS_INVALID_ARGUMENT, NULL);
    fill(&asked, &good)->key = NULL;
    (void)ask(&rig, "Create", &asked.message, STATUS_INVALID_ARGUMENT, NULL);
    assert_int_equal(count(&rig, "*"), 0);
    (void)ask(&rig, "Create", fill(&asked, &good), STATUS_OK, NULL);
    (void)ask(&rig, "Create", fill(&asked, &good), STATUS_ALREADY_EXISTS, "already_exists");
    (void)rotate(&rig, "aaaaaaaaaaaa", -1, STATUS_INVALID_ARGUMENT, NULL);
    (void)rotate(&rig, "aaaaaaaaaaaa", INT64_MAX, STATUS_INVALID_ARGUMENT, NULL);
    rig_done(&rig);
}

static void a_key_and_its_budget_are_made_together(void **)
{
    struct rig rig = {};
    struct asked asked;
    const struct wanted good = {.id = "aaaaaaaaaaaa", .namespace = "acme"};
    Pb__PutBudget budget     = PB__PUT_BUDGET__INIT;
    rig_init(&rig, 1, true);
    budget.name                 = "key-a";
    budget.spec_json            = rig_bytes("{\"scope\":{\"key\":\"aaaaaaaaaaaa\"}}");
    fill(&asked, &good)->budget = &budget;
    (void)ask(&rig, "Create", &asked.message, STATUS_INVALID_ARGUMENT, "input_invalid");
    budget.spec_json = rig_bytes("{\"scope\":{\"key\":\"bbbbbbbbbbbb\"},\"usd\":1}");
    (void)ask(&rig, "Create", &asked.message, STATUS_INVALID_ARGUMENT, NULL);
    assert_int_equal(count(&rig, "*"), 0);
    budget.spec_json       = rig_bytes("{\"scope\":{\"key\":\"aaaaaaaaaaaa\"},\"usd\":1}");
    const Pb__ApiKey *made = ask(&rig, "Create", &asked.message, STATUS_OK, NULL);
    assert_string_equal(made->budget, "key-a");

    /* The name is taken by a budget of another key: there is no key either. */
    asked.key.id     = "bbbbbbbbbbbb";
    budget.spec_json = rig_bytes("{\"scope\":{\"key\":\"bbbbbbbbbbbb\"},\"usd\":1}");
    (void)ask(&rig, "Create", &asked.message, STATUS_FAILED_PRECONDITION, "conflict");
    rig_restart(&rig);
    assert_int_equal(count(&rig, "*"), 1);
    asked.key.namespace_ = "*";
    (void)ask(&rig, "Create", &asked.message, STATUS_INVALID_ARGUMENT, NULL);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_outlive_a_restart),
        cmocka_unit_test(another_namespace_sees_nothing),
        cmocka_unit_test(the_last_admin_stays),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(a_key_and_its_budget_are_made_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
