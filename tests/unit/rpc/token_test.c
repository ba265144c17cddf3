#include "cmocka.h"
#include "rpc/token.h"

static const uint8_t key_one[32] = "the first secret of all of them";
static const uint8_t key_two[32] = "the second secret, after it was";

enum { NOW_MS = 1'800'000'000 };

static struct identity *identity(uint32_t id, const uint8_t *key, uint32_t other_id,
                                 const uint8_t *other)
{
    const struct rpc_identity from = {
        .service      = str_from("gateway"),
        .secrets      = {{id, {key, 32}}, {other_id, {other, other ? 32 : 0}}},
        .secret_count = other ? 2 : 1,
    };
    struct identity *made = NULL;
    struct error error    = {};
    assert_int_equal(identity_new(&from, &made, &error), STATUS_OK);
    return made;
}

struct message {
    uint8_t data[BATCH_HEADER_SIZE + TOKEN_SIZE_MAX + FRAME_HEADER_SIZE];
    size_t size;
};

static struct message signed_message(const struct identity *signer, uint64_t sender,
                                     uint64_t sequence, int64_t unix_ms)
{
    struct message message           = {};
    size_t size                      = token_size(signer);
    const struct batch_header header = {
        .class = RPC_FAST, .count = 1, .sender = sender, .auth_size = (uint16_t)size};
    batch_header_encode(&header, message.data);
    uint8_t *frame = message.data + BATCH_HEADER_SIZE + size;
    frame_header_encode(&(struct frame){.call_id = 1}, frame);
    message.size = BATCH_HEADER_SIZE + size + FRAME_HEADER_SIZE;
    token_write(signer, message.data, (bytes){frame, FRAME_HEADER_SIZE}, sequence, unix_ms,
                message.data + BATCH_HEADER_SIZE);
    return message;
}

static status check(struct token_guard *guard, const struct identity *checker,
                    const struct message *message)
{
    struct batch_header header;
    struct error error = {};
    str service        = {};
    bytes data         = {message->data, message->size};
    assert_int_equal(batch_header_decode(data, &header, &error), STATUS_OK);
    status code = token_check(guard, checker, data, &header, NOW_MS, &service, &error);
    if (code == STATUS_OK) assert_true(str_is(service, "gateway"));
    return code;
}

static void a_token_is_accepted_once(void **)
{
    struct token_guard *guard = token_guard_new();
    struct identity *both     = identity(1, key_one, 0, NULL);
    struct message message    = signed_message(both, 9, 1, NOW_MS);
    assert_int_equal(check(guard, both, &message), STATUS_OK);
    assert_int_equal(check(guard, both, &message), STATUS_UNAUTHENTICATED);
    message = signed_message(both, 9, 2, NOW_MS);
    assert_int_equal(check(guard, both, &message), STATUS_OK);
    message = signed_message(both, 10, 1, NOW_MS); /* another process counts for itself */
    assert_int_equal(check(guard, both, &message), STATUS_OK);
    identity_free(both);
    token_guard_free(guard);
}

static void messages_may_overtake_each_other(void **)
{
    struct token_guard *guard = token_guard_new();
    struct identity *both     = identity(1, key_one, 0, NULL);
    const uint64_t order[]    = {5, 3, 4, 1, TOKEN_WINDOW, 2, TOKEN_WINDOW + 5};
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        struct message message = signed_message(both, 9, order[i], NOW_MS);
        assert_int_equal(check(guard, both, &message), STATUS_OK);
    }
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        struct message message = signed_message(both, 9, order[i], NOW_MS);
        assert_int_equal(check(guard, both, &message), STATUS_UNAUTHENTICATED);
    }
    struct message message = signed_message(both, 9, 6, NOW_MS); /* the oldest still remembered */
    assert_int_equal(check(guard, both, &message), STATUS_OK);
    message = signed_message(both, 9, UINT64_C(1) << 40, NOW_MS); /* far ahead: all is forgotten */
    assert_int_equal(check(guard, both, &message), STATUS_OK);
    message = signed_message(both, 9, 7, NOW_MS);
    assert_int_equal(check(guard, both, &message), STATUS_UNAUTHENTICATED);
    identity_free(both);
    token_guard_free(guard);
}

static void clocks_may_differ_by_a_minute(void **)
{
    static const struct {
        int64_t offset_ms;
        status code;
    } rows[] = {
        {RPC_CLOCK_SKEW_MS, STATUS_OK},
        {-RPC_CLOCK_SKEW_MS, STATUS_OK},
        {RPC_CLOCK_SKEW_MS + 1, STATUS_UNAUTHENTICATED},
        {-RPC_CLOCK_SKEW_MS - 1, STATUS_UNAUTHENTICATED},
    };
    struct token_guard *guard = token_guard_new();
    struct identity *both     = identity(1, key_one, 0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct message message = signed_message(both, 9, i + 1, NOW_MS + rows[i].offset_ms);
        assert_int_equal(check(guard, both, &message), rows[i].code);
    }
    identity_free(both);
    token_guard_free(guard);
}

static void two_secrets_are_valid_during_a_rotation(void **)
{
    struct token_guard *guard = token_guard_new();
    struct identity *old      = identity(1, key_one, 0, NULL);
    struct identity *new      = identity(2, key_two, 0, NULL);
    struct identity *rotating = identity(2, key_two, 1, key_one);
    struct message message    = signed_message(old, 9, 1, NOW_MS);
    assert_int_equal(check(guard, rotating, &message), STATUS_OK);
    message = signed_message(rotating, 9, 2, NOW_MS);
    assert_int_equal(check(guard, new, &message), STATUS_OK);
    message = signed_message(old, 9, 3, NOW_MS);
    assert_int_equal(check(guard, new, &message), STATUS_UNAUTHENTICATED);
    identity_free(old);
    identity_free(new);
    identity_free(rotating);
    token_guard_free(guard);
}

/* Every bit of the message is covered: header, block and frames. */
static void a_changed_message_is_refused(void **)
{
    struct token_guard *guard = token_guard_new();
    struct identity *both     = identity(1, key_one, 0, NULL);
    struct message message    = signed_message(both, 9, 1, NOW_MS);
    for (size_t i = 4; i < message.size; i++) {
        if (i == 4 || i == 5 || i == 18 || i == 19 || (i >= 24 && i < 32)) {
            continue; /* refused, or read differently, by the header's own checks */
        }
        message.data[i] ^= 1;
        assert_int_equal(check(guard, both, &message), STATUS_UNAUTHENTICATED);
        message.data[i] ^= 1;
    }
    assert_int_equal(check(guard, both, &message), STATUS_OK);
    identity_free(both);
    token_guard_free(guard);
}

static void a_missing_token_is_refused(void **)
{
    struct token_guard *guard      = token_guard_new();
    struct identity *both          = identity(1, key_one, 0, NULL);
    const struct rpc_identity none = {};
    struct identity *nobody        = NULL;
    assert_int_equal(identity_new(&none, &nobody, NULL), STATUS_OK);
    assert_false(identity_has_secret(nobody));
    assert_int_equal(token_size(nobody), 0);
    struct message message = signed_message(nobody, 9, 1, NOW_MS);
    assert_int_equal(check(guard, both, &message), STATUS_UNAUTHENTICATED);
    identity_free(both);
    identity_free(nobody);
    token_guard_free(guard);
}

static void many_senders_are_remembered_and_no_more(void **)
{
    struct token_guard *guard = token_guard_new();
    struct identity *both     = identity(1, key_one, 0, NULL);
    for (uint64_t sender = 1; sender <= TOKEN_SENDERS_MAX; sender++) {
        struct message message = signed_message(both, sender, 1, NOW_MS);
        assert_int_equal(check(guard, both, &message), STATUS_OK);
    }
    struct message message = signed_message(both, TOKEN_SENDERS_MAX + 1, 1, NOW_MS);
    assert_int_equal(check(guard, both, &message), STATUS_UNAUTHENTICATED);
    identity_free(both);
    token_guard_free(guard);
}

static void sizes_of_secrets_and_names_are_checked(void **)
{
    struct rpc_identity from = {
        .service      = str_from("gateway"),
        .secrets      = {{1, {key_one, RPC_SECRET_SIZE_MIN - 1}}},
        .secret_count = 1,
    };
    struct identity *made = NULL;
    assert_int_equal(identity_new(&from, &made, NULL), STATUS_INVALID_ARGUMENT);
    from.secrets[0].key.len = RPC_SECRET_SIZE_MAX + 1;
    assert_int_equal(identity_new(&from, &made, NULL), STATUS_INVALID_ARGUMENT);
    from.secrets[0].key.len = RPC_SECRET_SIZE_MIN;
    from.secret_count       = RPC_SECRETS_MAX + 1;
    assert_int_equal(identity_new(&from, &made, NULL), STATUS_INVALID_ARGUMENT);
    from.secret_count = 1;
    from.service      = str_from("a-service-with-a-name-of-over-32-bytes");
    assert_int_equal(identity_new(&from, &made, NULL), STATUS_INVALID_ARGUMENT);
    from.service = str_from("");
    assert_int_equal(identity_new(&from, &made, NULL), STATUS_INVALID_ARGUMENT);
    assert_null(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_accepted_once),
        cmocka_unit_test(messages_may_overtake_each_other),
        cmocka_unit_test(clocks_may_differ_by_a_minute),
        cmocka_unit_test(two_secrets_are_valid_during_a_rotation),
        cmocka_unit_test(a_changed_message_is_refused),
        cmocka_unit_test(a_missing_token_is_refused),
        cmocka_unit_test(many_senders_are_remembered_and_no_more),
        cmocka_unit_test(sizes_of_secrets_and_names_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
