/* Over a socket: limits of targets as callers set and list them, and as replicas lease them. */
#include "cmocka.h"

#include "base/clock.h"
#include "limit.pb-c.h"
#include "scheduler/breaker/breaker_rules.h"
#include "support/scheduler/rig.h"
#include "json/json_text.h"

#include <stdio.h>

enum { RUNS = 6 };

static const char target[] = "tool:a.test:443";
static const char fetch[] =
    "  - a: {call: http, with: {method: get, endpoint: 'https://a.test/'}}\n";

static const Pb__LimitView *set(struct rig *rig, const char *name, uint32_t concurrency,
                                uint32_t rate_count, status expected, const char *code)
{
    Pb__SetLimit message        = PB__SET_LIMIT__INIT;
    Pb__LimitRule rule          = PB__LIMIT_RULE__INIT;
    rule.concurrency            = concurrency;
    rule.rate_count             = rate_count;
    message.name                = name;
    message.rule                = &rule;
    message.by                  = "test";
    const struct question asked = {.service  = &pb__limits__descriptor,
                                   .method   = "Set",
                                   .message  = &message,
                                   .expected = expected,
                                   .code     = code};
    return rig_ask(rig, &asked);
}

static const Pb__LimitList *list(struct rig *rig, const char *name, const char *prefix,
                                 status expected)
{
    Pb__ListLimits message      = PB__LIST_LIMITS__INIT;
    message.name                = name;
    message.prefix              = prefix;
    const struct question asked = {.service  = &pb__limits__descriptor,
                                   .method   = "List",
                                   .message  = &message,
                                   .expected = expected};
    return rig_ask(rig, &asked);
}

static void test_what_is_set_is_listed(void **)
{
    static const char targets[] = "{\"tool:b.test\": {\"concurrency\": 7}, \"tool:c.test\": {}, "
                                  "\"worker:f\": {\"concurrency\": 2}}";
    struct rig rig              = {.breakers = breaker_rules_default};
    const status got = json_parse(str_from(targets), NULL, &rig.breakers.targets, NULL, NULL);
    assert_int_equal(got, STATUS_OK);
    rig_init(&rig, 1, true);

    (void)set(&rig, "nobody", 1, 0, STATUS_INVALID_ARGUMENT, "input_invalid");
    (void)set(&rig, "tool:A.test:80", 1, 0, STATUS_INVALID_ARGUMENT, "input_invalid");
    (void)set(&rig, "worker:g", 1, 0, STATUS_FAILED_PRECONDITION, "conflict");
    (void)set(&rig, "tool:a.test", 0, 5, STATUS_INVALID_ARGUMENT, NULL); /* 5 in no time */

    const Pb__LimitView *view = set(&rig, "tool:a.test", 3, 0, STATUS_OK, NULL);
    assert_string_equal(view->name, "tool:a.test");
    assert_int_equal(view->rule->concurrency, 3);
    rig_restart(&rig);

    const Pb__LimitList *all = list(&rig, "", "", STATUS_OK);
    static const struct {
        const char *name, *source;
        uint32_t concurrency;
    } rows[] = {{"tool:a.test", "api", 3},
                {"tool:b.test", "configuration", 7},
                {"worker:f", "configuration", 2}};
    assert_int_equal(all->n_limits, ARRAY_LEN(rows));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(all->limits[i]->name, rows[i].name);
        assert_string_equal(all->limits[i]->source, rows[i].source);
        assert_int_equal(all->limits[i]->rule->concurrency, rows[i].concurrency);
        assert_int_equal(all->limits[i]->used, 0);
    }
    assert_int_equal(list(&rig, "", "worker:", STATUS_OK)->n_limits, 1);
    assert_int_equal(list(&rig, "tool:b.test", "", STATUS_OK)->n_limits, 1);
    assert_null(list(&rig, "tool:c.test", "", STATUS_NOT_FOUND));

    /* What is set wins over the configuration, until it is taken back. */
    assert_int_equal(set(&rig, "tool:b.test", 1, 0, STATUS_OK, NULL)->rule->concurrency, 1);
    assert_int_equal(list(&rig, "tool:b.test", "", STATUS_OK)->limits[0]->rule->concurrency, 1);
    (void)set(&rig, "tool:b.test", 0, 0, STATUS_OK, NULL);
    assert_int_equal(list(&rig, "tool:b.test", "", STATUS_OK)->limits[0]->rule->concurrency, 7);
    rig_done(&rig);
    json_unref(rig.breakers.targets);
}

/* --- replicas ----------------------------------------------------------------------------------
 */

static const Pb__LimitLease *lease(struct rig *rig, const char *holder, const char *name,
                                   uint32_t want, uint32_t held, status expected)
{
    Pb__LeaseLimits message     = PB__LEASE_LIMITS__INIT;
    Pb__LimitWant wanted        = PB__LIMIT_WANT__INIT;
    Pb__LimitWant *wants[]      = {&wanted};
    wanted.name                 = name;
    wanted.want                 = want;
    wanted.held                 = held;
    message.holder              = holder;
    message.limits              = wants;
    message.n_limits            = 1;
    const struct question asked = {.service  = &pb__limits__descriptor,
                                   .method   = "Lease",
                                   .message  = &message,
                                   .expected = expected};
    const Pb__LeasedLimits *got = rig_ask(rig, &asked);
    if (!got) return NULL;
    assert_int_equal(got->n_limits, 1);
    assert_string_equal(got->limits[0]->name, name);
    return got->limits[0];
}

static void test_replicas_share_a_limit(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    assert_null(lease(&rig, "", "llm:x", 1, 0, STATUS_INVALID_ARGUMENT));
    assert_null(lease(&rig, "one", "x", 1, 0, STATUS_INVALID_ARGUMENT));
    assert_false(lease(&rig, "one", "llm:x", 1, 0, STATUS_OK)->is_limited);

    (void)set(&rig, "llm:x", 3, 0, STATUS_OK, NULL);
    const Pb__LimitLease *first = lease(&rig, "one", "llm:x", 2, 0, STATUS_OK);
    assert_true(first->is_limited);
    assert_int_equal(first->granted, 2);
    assert_int_equal(lease(&rig, "two", "llm:x", 2, 0, STATUS_OK)->granted, 1);
    assert_int_equal(lease(&rig, "two", "llm:x", 1, 1, STATUS_OK)->granted, 0);
    assert_int_equal(list(&rig, "llm:x", "", STATUS_OK)->limits[0]->used, 3);

    rig_restart(&rig); /* who has how many is known again */
    assert_int_equal(lease(&rig, "two", "llm:x", 1, 1, STATUS_OK)->granted, 0);
    assert_int_equal(lease(&rig, "one", "llm:x", 0, 1, STATUS_OK)->granted, 0); /* one is over */
    assert_int_equal(lease(&rig, "two", "llm:x", 2, 1, STATUS_OK)->granted, 1);
    rig_done(&rig);
}

/* A limit of a provider's key: who asks brings its rule along. */
struct brought {
    uint32_t a_minute, parallel, want, held, unused, spent;
};

static const Pb__LimitLease *lease_brought(struct rig *rig, const char *holder,
                                           struct brought brought, status expected)
{
    Pb__LeaseLimits message     = PB__LEASE_LIMITS__INIT;
    Pb__LimitRule rule          = PB__LIMIT_RULE__INIT;
    Pb__LimitWant wanted        = PB__LIMIT_WANT__INIT;
    Pb__LimitWant *wants[]      = {&wanted};
    rule.rate_count             = brought.a_minute;
    rule.rate_period_us         = brought.a_minute > 0 ? 60'000'000 : 0;
    rule.concurrency            = brought.parallel;
    wanted.name                 = "llmkey:openai/one:x";
    wanted.rule                 = &rule;
    wanted.want                 = brought.want;
    wanted.held                 = brought.held;
    wanted.unused               = brought.unused;
    wanted.spent                = brought.spent;
    message.holder              = holder;
    message.limits              = wants;
    message.n_limits            = 1;
    const struct question asked = {.service  = &pb__limits__descriptor,
                                   .method   = "Lease",
                                   .message  = &message,
                                   .expected = expected};
    const Pb__LeasedLimits *got = rig_ask(rig, &asked);
    return got ? got->limits[0] : NULL;
}

static void test_replicas_share_what_they_bring_along(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    assert_null(lease_brought(&rig, "one", (struct brought){}, STATUS_INVALID_ARGUMENT));
    assert_null(lease_brought(&rig, "one", (struct brought){.a_minute = 1, .parallel = 1},
                              STATUS_INVALID_ARGUMENT));
    assert_null(lease_brought(&rig, "one", (struct brought){.a_minute = 1, .spent = 1'000'001},
                              STATUS_INVALID_ARGUMENT));

    /* One start comes back in a minute: none does while this runs. */
    const struct brought three = {.a_minute = 3, .want = 2};
    assert_int_equal(lease_brought(&rig, "one", three, STATUS_OK)->granted, 2);
    assert_int_equal(lease_brought(&rig, "two", three, STATUS_OK)->granted, 1);
    const Pb__LimitLease *none = lease_brought(&rig, "two", three, STATUS_OK);
    assert_true(none->is_limited && none->granted == 0 && none->retry_us > 0);
    rig_restart(&rig);
    assert_int_equal(lease_brought(&rig, "two", three, STATUS_OK)->granted, 0);
    const struct brought back = {.a_minute = 3, .unused = 1};
    assert_int_equal(lease_brought(&rig, "one", back, STATUS_OK)->retry_us, 0);
    assert_int_equal(lease_brought(&rig, "two", three, STATUS_OK)->granted, 1);
    const struct brought spent = {.a_minute = 3, .spent = 5};
    int64_t opens_us           = lease_brought(&rig, "one", three, STATUS_OK)->retry_us;
    assert_true(lease_brought(&rig, "one", spent, STATUS_OK)->retry_us > opens_us);
    rig_done(&rig);
}

static void test_replicas_share_places_they_bring_along(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    const struct brought one  = {.parallel = 1, .want = 1};
    const struct brought over = {.parallel = 1};
    assert_int_equal(lease_brought(&rig, "one", one, STATUS_OK)->granted, 1);
    assert_int_equal(lease_brought(&rig, "two", one, STATUS_OK)->granted, 0);
    assert_int_equal(lease_brought(&rig, "one", over, STATUS_OK)->granted, 0);
    assert_int_equal(lease_brought(&rig, "two", one, STATUS_OK)->granted, 1);
    rig_done(&rig);
}

/* --- tokens ------------------------------------------------------------------------------------
 */

static const Pb__LimitView *set_tokens(struct rig *rig, const char *name, uint32_t tokens,
                                       status expected)
{
    Pb__SetLimit message        = PB__SET_LIMIT__INIT;
    Pb__LimitRule rule          = PB__LIMIT_RULE__INIT;
    rule.token_count            = tokens;
    rule.token_period_us        = INT64_C(3'600'000'000);
    message.name                = name;
    message.rule                = &rule;
    message.by                  = "test";
    const struct question asked = {.service  = &pb__limits__descriptor,
                                   .method   = "Set",
                                   .message  = &message,
                                   .expected = expected};
    return rig_ask(rig, &asked);
}

static const Pb__LimitLease *lease_tokens(struct rig *rig, const char *name, Pb__LimitWant wanted,
                                          status expected)
{
    Pb__LeaseLimits message = PB__LEASE_LIMITS__INIT;
    Pb__LimitWant *wants[]  = {&wanted};
    wanted.base      = (ProtobufCMessage)PROTOBUF_C_MESSAGE_INIT(&pb__limit_want__descriptor);
    wanted.name      = name;
    message.holder   = "one";
    message.limits   = wants;
    message.n_limits = 1;
    const struct question asked = {.service  = &pb__limits__descriptor,
                                   .method   = "Lease",
                                   .message  = &message,
                                   .expected = expected};
    const Pb__LeasedLimits *got = rig_ask(rig, &asked);
    return got ? got->limits[0] : NULL;
}

struct both {
    uint32_t starts, tokens; /* wanted; granted */
};

/* As an llm-proxy asks for calls of a model that need a start and tokens. */
static struct both lease_both(struct rig *rig, struct both wanted, uint32_t held, uint32_t unused)
{
    Pb__LimitWant calls         = PB__LIMIT_WANT__INIT;
    Pb__LimitWant tokens        = PB__LIMIT_WANT__INIT;
    Pb__LimitWant *wants[]      = {&calls, &tokens};
    Pb__LeaseLimits message     = PB__LEASE_LIMITS__INIT;
    calls.name                  = "llm:x/m";
    calls.want                  = wanted.starts;
    calls.held                  = held;
    calls.unused                = unused;
    tokens.name                 = "tokens:llm:x/m";
    tokens.want                 = wanted.tokens;
    tokens.least                = wanted.tokens;
    message.holder              = "one";
    message.limits              = wants;
    message.n_limits            = ARRAY_LEN(wants);
    const struct question asked = {
        .service = &pb__limits__descriptor, .method = "Lease", .message = &message};
    const Pb__LeasedLimits *got = rig_ask(rig, &asked);
    assert_int_equal(got->n_limits, ARRAY_LEN(wants));
    return (struct both){got->limits[0]->granted, got->limits[1]->granted};
}

/* Of two starts an hour each is there until a call is made with it. */
static void test_a_start_without_tokens_is_not_taken(void **)
{
    struct rig rig              = {};
    Pb__SetLimit message        = PB__SET_LIMIT__INIT;
    Pb__LimitRule rule          = PB__LIMIT_RULE__INIT;
    rule.rate_count             = 2;
    rule.rate_period_us         = INT64_C(3'600'000'000);
    rule.token_count            = 1'000;
    rule.token_period_us        = INT64_C(3'600'000'000);
    message.name                = "llm:x/m";
    message.rule                = &rule;
    message.by                  = "test";
    const struct question asked = {
        .service = &pb__limits__descriptor, .method = "Set", .message = &message};
    rig_init(&rig, 1, true);
    (void)rig_ask(&rig, &asked);
    struct both got = lease_both(&rig, (struct both){1, 900}, 0, 0);
    assert_true(got.starts == 1 && got.tokens == 900);
    for (int i = 0; i < 3; i++) {
        got = lease_both(&rig, (struct both){1, 900}, 1, 0);
        assert_true(got.starts == 0 && got.tokens == 0);
    }
    got = lease_both(&rig, (struct both){1, 50}, 1, 0);
    assert_true(got.starts == 1 && got.tokens == 50);
    got = lease_both(&rig, (struct both){1, 1}, 2, 0);
    assert_int_equal(got.starts, 0);
    (void)lease_both(&rig, (struct both){}, 0, 1); /* both are over, and one was not made */
    assert_int_equal(lease_both(&rig, (struct both){2, 1}, 0, 0).starts, 1);
    rig_restart(&rig);
    (void)lease_both(&rig, (struct both){}, 0, 1);
    assert_int_equal(lease_both(&rig, (struct both){2, 1}, 0, 0).starts, 1);
    rig_done(&rig);
}

/* An hour's worth: none comes back that this test could see, but for a permit or two. */
static void test_tokens_are_leased_whole_and_settled(void **)
{
    static const char tokens[] = "tokens:llm:x/m";
    struct rig rig             = {};
    rig_init(&rig, 1, true);
    (void)set_tokens(&rig, "tool:a.test", 5, STATUS_INVALID_ARGUMENT);
    (void)set_tokens(&rig, "llm:x", 1'000'000'001, STATUS_INVALID_ARGUMENT);
    assert_null(
        lease_tokens(&rig, "tokens:tool:a", (Pb__LimitWant){.want = 1}, STATUS_INVALID_ARGUMENT));
    assert_null(lease_tokens(&rig, tokens, (Pb__LimitWant){.want = 1, .least = 2},
                             STATUS_INVALID_ARGUMENT));
    assert_false(lease_tokens(&rig, tokens, (Pb__LimitWant){.want = 1}, STATUS_OK)->is_limited);

    const Pb__LimitView *view = set_tokens(&rig, "llm:x/m", 1'000, STATUS_OK);
    assert_string_equal(view->name, "llm:x/m");
    assert_int_equal(view->rule->token_count, 1'000);
    assert_int_equal(view->tokens_used, 0);
    const Pb__LimitWant some = {.want = 900, .least = 600};
    assert_int_equal(lease_tokens(&rig, tokens, some, STATUS_OK)->granted, 900);
    const Pb__LimitLease *none = lease_tokens(&rig, tokens, some, STATUS_OK);
    assert_true(none->is_limited && none->granted == 0 && none->retry_us > clock_unix_us());
    assert_in_range(list(&rig, "llm:x/m", "", STATUS_OK)->limits[0]->tokens_used, 890, 900);

    rig_restart(&rig); /* what was taken stays so */
    assert_int_equal(lease_tokens(&rig, tokens, some, STATUS_OK)->granted, 0);
    const Pb__LimitWant back = {.want = 500, .least = 400, .unused = 400};
    assert_int_equal(lease_tokens(&rig, tokens, back, STATUS_OK)->granted, 500);
    const Pb__LimitWant owed = {.spent = 3'000};
    (void)lease_tokens(&rig, tokens, owed, STATUS_OK);
    int64_t opens_us = lease_tokens(&rig, tokens, some, STATUS_OK)->retry_us;
    assert_true(opens_us >
                clock_unix_us() + INT64_C(9'000'000'000)); /* owed: more than two hours */

    const Pb__LimitList *all = list(&rig, "", "", STATUS_OK); /* one row, that of the target */
    assert_int_equal(all->n_limits, 1);
    assert_string_equal(all->limits[0]->name, "llm:x/m");
    assert_string_equal(all->limits[0]->source, "api");
    assert_int_equal(all->limits[0]->rule->token_count, 1'000);
    (void)set(&rig, "llm:x/m", 0, 0, STATUS_OK, NULL);
    assert_false(lease_tokens(&rig, tokens, some, STATUS_OK)->is_limited);
    assert_null(list(&rig, "llm:x/m", "", STATUS_NOT_FOUND));
    rig_done(&rig);
}

/* More tokens than a bucket holds permits: each stands for several, to nobody's profit. */
static void test_many_tokens_are_counted_in_lumps(void **)
{
    enum { MANY = 900'000'000, UNIT = 900, PER_MS = MANY / 3'600'000 };
    struct rig rig = {};
    rig_init(&rig, 1, true);
    assert_int_equal(set_tokens(&rig, "llm:x", MANY, STATUS_OK)->rule->token_count, MANY);
    int64_t begun_ms        = clock_mono_ms();
    const Pb__LimitWant one = {.want = UNIT + 1, .least = UNIT + 1};
    assert_int_equal(lease_tokens(&rig, "tokens:llm:x", one, STATUS_OK)->granted, 2 * UNIT);
    const Pb__LimitWant all = {.want = MANY, .least = MANY - 3 * UNIT, .unused = UNIT - 1};
    uint32_t granted        = lease_tokens(&rig, "tokens:llm:x", all, STATUS_OK)->granted;
    int64_t come            = (clock_mono_ms() - begun_ms + 1) * PER_MS; /* meanwhile, at most */
    assert_true(granted > MANY - 3 * UNIT && granted <= MANY - 2 * UNIT + UNIT + come);
    rig_done(&rig);
}

static void test_tokens_are_configured(void **)
{
    static const char targets[] = "{\"llm:x\": {\"tokens\": {\"count\": 70, \"per\": \"1h\"}, "
                                  "\"concurrency\": 3}}";
    struct rig rig              = {.breakers = breaker_rules_default};
    const status got = json_parse(str_from(targets), NULL, &rig.breakers.targets, NULL, NULL);
    assert_int_equal(got, STATUS_OK);
    rig_init(&rig, 1, true);
    const Pb__LimitWant some = {.want = 60, .least = 60};
    assert_int_equal(list(&rig, "llm:x", "", STATUS_OK)->limits[0]->rule->token_count, 70);
    assert_int_equal(lease_tokens(&rig, "tokens:llm:x", some, STATUS_OK)->granted, 60);
    const Pb__LimitView *view = list(&rig, "llm:x", "", STATUS_OK)->limits[0];
    assert_int_equal(view->tokens_used, 60);
    assert_int_equal(view->rule->concurrency, 3);
    assert_string_equal(view->source, "configuration");
    rig_restart(&rig);
    assert_int_equal(lease_tokens(&rig, "tokens:llm:x", some, STATUS_OK)->granted, 0);

    /* What is set holds instead, all of it. */
    (void)set(&rig, "llm:x", 2, 0, STATUS_OK, NULL);
    assert_false(lease_tokens(&rig, "tokens:llm:x", some, STATUS_OK)->is_limited);
    view = list(&rig, "llm:x", "", STATUS_OK)->limits[0];
    assert_int_equal(view->rule->token_count, 0);
    assert_int_equal(view->rule->concurrency, 2);
    rig_done(&rig);
    json_unref(rig.breakers.targets);
}

static json targets_of(const char *text)
{
    json targets = json_invalid();
    assert_int_equal(json_parse(str_from(text), NULL, &targets, NULL, NULL), STATUS_OK);
    return targets;
}

/* The configuration says something else after a restart: what was taken of a day is no day's wait
 * of one whose bucket fills in a minute; and what is owed of the same stays owed. */
static void test_what_was_taken_is_a_share_of_what_is_configured(void **)
{
    static const char by_day[]    = "{\"llm:x\": {\"tokens\": {\"count\": 100, \"per\": \"24h\"}}}";
    static const char by_minute[] = "{\"llm:x\": {\"tokens\": {\"count\": 10, \"per\": \"1m\"}}}";
    const Pb__LimitWant all       = {.want = 100, .least = 100};
    const Pb__LimitWant owed      = {.spent = 200};
    const Pb__LimitWant one       = {.want = 1, .least = 1};
    struct rig rig                = {.breakers = breaker_rules_default};
    rig.breakers.targets          = targets_of(by_day);
    rig_init(&rig, 1, true);
    assert_int_equal(lease_tokens(&rig, "tokens:llm:x", all, STATUS_OK)->granted, 100);
    (void)lease_tokens(&rig, "tokens:llm:x", owed, STATUS_OK);
    rig_restart(&rig);
    int64_t opens_us = lease_tokens(&rig, "tokens:llm:x", one, STATUS_OK)->retry_us;
    assert_true(opens_us > clock_unix_us() + INT64_C(100'000'000'000)); /* more than a day */

    rig_stop(&rig);
    json_unref(rig.breakers.targets);
    rig.breakers.targets = targets_of(by_minute);
    rig_resume(&rig);
    opens_us = lease_tokens(&rig, "tokens:llm:x", one, STATUS_OK)->retry_us;
    assert_true(opens_us < clock_unix_us() + INT64_C(60'000'000));
    rig_done(&rig);
    json_unref(rig.breakers.targets);
}

/* --- who waits ---------------------------------------------------------------------------------
 */

static const Pb__LimitView *limit_when(struct rig *rig, uint64_t used, uint64_t waiting)
{
    int64_t until_ms = clock_mono_ms() + RIG_WAIT_MS;
    for (;;) {
        const Pb__LimitView *view = list(rig, target, "", STATUS_OK)->limits[0];
        if (view->used == used && view->waiting == waiting) return view;
        if (clock_mono_ms() > until_ms) {
            fail_msg("%llu used, %llu waiting", (unsigned long long)view->used,
                     (unsigned long long)view->waiting);
        }
        rig_forget(rig);
        rig_pause();
    }
}

static void test_who_waits_is_counted_in_all_partitions(void **)
{
    struct rig rig = {};
    unsigned of[2] = {};
    rig_init(&rig, 2, true);
    rig_put(&rig, "fetch", fetch);
    (void)set(&rig, target, 1, 0, STATUS_OK, NULL);
    for (int i = 0; i < RUNS; i++) {
        char client_id[16];
        Pb__StartRun start = PB__START_RUN__INIT;
        (void)snprintf(client_id, sizeof client_id, "run-%d", i);
        start.workflow  = "fetch";
        start.client_id = client_id;
        of[id_partition(str_from(rig_start_as(&rig, &start)))]++;
    }
    assert_true(of[0] > 0 && of[1] > 0);
    const Pb__LeasedJob *job = rig_lease_any(&rig, "tools");
    while (!job) {
        rig_pause();
        job = rig_lease_any(&rig, "tools");
    }
    assert_true(limit_when(&rig, 1, RUNS - 1)->shut);
    assert_null(rig_lease_any(&rig, "tools"));
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_set_is_listed),
        cmocka_unit_test(test_replicas_share_a_limit),
        cmocka_unit_test(test_replicas_share_what_they_bring_along),
        cmocka_unit_test(test_replicas_share_places_they_bring_along),
        cmocka_unit_test(test_a_start_without_tokens_is_not_taken),
        cmocka_unit_test(test_tokens_are_leased_whole_and_settled),
        cmocka_unit_test(test_many_tokens_are_counted_in_lumps),
        cmocka_unit_test(test_tokens_are_configured),
        cmocka_unit_test(test_what_was_taken_is_a_share_of_what_is_configured),
        cmocka_unit_test(test_who_waits_is_counted_in_all_partitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
