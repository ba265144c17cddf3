/* Parts of what a batch has cost: whatever the weights, they add up. */
#include "llm-proxy/call/embed_share.h"

#include "base/random.h"
#include "cmocka.h"

enum { ROUNDS = 2'000, PARTS_MAX = 64 };

static void parts_add_up(void **)
{
    struct prng prng = {.state = 7};
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t weights[PARTS_MAX];
        Pb__Usage whole      = PB__USAGE__INIT;
        Pb__Usage sum        = PB__USAGE__INIT;
        size_t count         = 1 + prng_next(&prng) % PARTS_MAX;
        whole.input_tokens   = (int64_t)(prng_next(&prng) % 1'000'000);
        whole.cost_usd_nanos = (int64_t)(prng_next(&prng) % INT64_C(1'000'000'000'000));
        whole.calls          = 1;
        for (size_t i = 0; i < count; i++) {
            weights[i] = round % 5 == 0 ? 0 : prng_next(&prng) % 10'000;
        }
        struct embed_share share = embed_share_begin(&whole, weights, count);
        for (size_t i = 0; i < count; i++) {
            Pb__Usage part = embed_share_next(&share, weights[i]);
            assert_true(part.input_tokens >= 0 && part.cost_usd_nanos >= 0);
            embed_usage_add(&sum, &part);
        }
        assert_int_equal(sum.input_tokens, whole.input_tokens);
        assert_int_equal(sum.cost_usd_nanos, whole.cost_usd_nanos);
    }
}

static void parts_follow_the_weights(void **)
{
    static const uint64_t weights[] = {1, 1, 2, 0};
    static const int64_t parts[]    = {2, 3, 5, 0}; /* of 10: nobody is off by a whole one */
    Pb__Usage whole                 = PB__USAGE__INIT;
    whole.input_tokens              = 10;
    whole.calls                     = 1;
    whole.cost_source               = PB__COST_SOURCE__COST_SOURCE_UNKNOWN;
    struct embed_share share        = embed_share_begin(&whole, weights, 4);
    for (int i = 0; i < 4; i++) {
        Pb__Usage part = embed_share_next(&share, weights[i]);
        assert_int_equal(part.input_tokens, parts[i]);
        assert_int_equal(part.calls, 1);
        assert_int_equal(part.cost_source, PB__COST_SOURCE__COST_SOURCE_UNKNOWN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_add_up),
        cmocka_unit_test(parts_follow_the_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
