/* The tables of the cache of calls: who is told what, what is kept and for how long. */
#include "cmocka.h"

#include "base/buf.h"
#include "scheduler/tables/call_cache.h"

#include <stdio.h>

#define SECOND_US INT64_C(1'000'000)
#define HOUR_US   (3600 * SECOND_US)
#define START_US  INT64_C(1'795'341'600'000'000)

enum { ARENA_MAX_BYTES = 64 << 20, MAP_MAX = 256 << 20, TOLD_MAX = 128 };

struct told {
    char job[ID_LEN + 1];
    enum { TOLD_CALL, TOLD_HIT, TOLD_PROBE } what;
    char value[16];
};

struct bench {
    struct store *store;
    int64_t now_us;
    struct call_cache_limits limits;
    struct call_cache_counts counts; /* of the last step */
    struct told told[TOLD_MAX];      /* since bench_forget() */
    size_t told_count;
    struct id_source ids;
    size_t arena_max; /* bytes of a step; 0: ARENA_MAX_BYTES */
};

static status note(const char *, const Pb__Message *message, struct error *, void *context)
{
    struct bench *bench = context;
    assert_true(bench->told_count < TOLD_MAX);
    struct told *told = &bench->told[bench->told_count++];
    *told             = (struct told){};
    if (message->content_case == PB__MESSAGE__CONTENT_CACHE_PROBE) {
        told->what = TOLD_PROBE;
        (void)snprintf(told->job, sizeof told->job, "%s", message->cache_probe->job);
        return STATUS_OK;
    }
    const Pb__CacheAnswer *answer = message->cache_answer;
    told->what                    = answer->is_hit ? TOLD_HIT : TOLD_CALL;
    (void)snprintf(told->job, sizeof told->job, "%s", answer->job);
    (void)snprintf(told->value, sizeof told->value, "%.*s",
                   (int)(answer->value_json.len < 15 ? answer->value_json.len : 15),
                   (const char *)answer->value_json.data);
    return STATUS_OK;
}

static void bench_init(struct bench *bench)
{
    const struct store_options options = {.size_max = MAP_MAX, .tables = table_names};
    *bench        = (struct bench){.now_us = START_US, .store = store_open_memory(&options)};
    bench->limits = call_cache_limits_of(&bench->limits);
}

static void bench_done(struct bench *bench)
{
    store_close(bench->store);
}

static struct id job_of(struct bench *bench)
{
    return id_next(&bench->ids, bench->now_us / 1000, 0);
}

enum step { STEP_ASK, STEP_END, STEP_ALIVE, STEP_DUE, STEP_CLEAR };

static void step(struct bench *bench, enum step kind, const void *message, void *answer)
{
    struct txn *txn = NULL;
    CLEANUP(arena_freep)
    struct arena *arena = arena_new(bench->arena_max > 0 ? bench->arena_max : ARENA_MAX_BYTES);
    assert_int_equal(txn_begin_write(bench->store, &txn, NULL), STATUS_OK);
    struct call_cache cache = {
        .txn     = txn,
        .arena   = arena,
        .now_us  = bench->now_us,
        .limits  = bench->limits,
        .send    = note,
        .context = bench,
    };
    status code = STATUS_OK;
    switch (kind) {
    case STEP_ASK: code = call_cache_asked(&cache, message, NULL); break;
    case STEP_END: code = call_cache_ended(&cache, message, NULL); break;
    case STEP_ALIVE: code = call_cache_alive(&cache, message, NULL); break;
    case STEP_DUE: code = call_cache_due(&cache, NULL); break;
    case STEP_CLEAR: code = call_cache_clear(&cache, message, answer, NULL); break;
    }
    assert_int_equal(code, STATUS_OK);
    assert_int_equal(txn_commit(txn, NULL), STATUS_OK);
    bench->counts = cache.counts;
}

static void ask_within(struct bench *bench, const char *digest, const char *job, int64_t max_age_us)
{
    Pb__CacheAsk ask = PB__CACHE_ASK__INIT;
    ask.namespace_   = "shop";
    ask.digest       = digest;
    ask.run          = job;
    ask.job          = job;
    ask.max_age_us   = max_age_us;
    step(bench, STEP_ASK, &ask, NULL);
}

static void ask(struct bench *bench, const char *digest, const char *job)
{
    ask_within(bench, digest, job, HOUR_US);
}

/* `value` NULL: without one. */
static void end_as(struct bench *bench, const char *digest, const char *job, const char *value,
                   const char *function)
{
    Pb__CacheEnd end = PB__CACHE_END__INIT;
    end.namespace_   = "shop";
    end.digest       = digest;
    end.job          = job;
    end.function     = function;
    end.workflow     = "w";
    end.max_age_us   = HOUR_US;
    if (value) {
        end.has_value       = true;
        end.value_json.len  = strlen(value);
        end.value_json.data = (uint8_t *)(uintptr_t)value;
    }
    step(bench, STEP_END, &end, NULL);
}

static void end(struct bench *bench, const char *digest, const char *job, const char *value)
{
    end_as(bench, digest, job, value, "f:1.0.0");
}

static void due(struct bench *bench)
{
    step(bench, STEP_DUE, NULL, NULL);
}

/* One message, to that job; and none besides. */
static void assert_told(struct bench *bench, const char *job, int what, const char *value)
{
    assert_int_equal(bench->told_count, 1);
    assert_string_equal(bench->told[0].job, job);
    assert_int_equal(bench->told[0].what, what);
    if (value) assert_string_equal(bench->told[0].value, value);
    bench->told_count = 0;
}

static void assert_silent(struct bench *bench)
{
    assert_int_equal(bench->told_count, 0);
}

static Pb__CacheTotals totals_of(struct bench *bench, const char *namespace)
{
    Pb__CacheTotals totals                   = PB__CACHE_TOTALS__INIT;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX_BYTES);
    CLEANUP(txn_abortp) struct txn *txn      = NULL;
    assert_int_equal(txn_begin_read(bench->store, &txn, NULL), STATUS_OK);
    assert_int_equal(call_cache_stats(txn, str_from(namespace), arena, &totals, NULL), STATUS_OK);
    return totals;
}

static uint64_t rows_of(struct bench *bench, enum table table)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    uint64_t count                      = 0;
    assert_int_equal(txn_begin_read(bench->store, &txn, NULL), STATUS_OK);
    assert_int_equal(txn_count(txn, table, &count, NULL), STATUS_OK);
    return count;
}

static int64_t next_due(struct bench *bench)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    int64_t due_us                      = 0;
    assert_int_equal(txn_begin_read(bench->store, &txn, NULL), STATUS_OK);
    assert_int_equal(call_cache_next_due(txn, &due_us, NULL), STATUS_OK);
    return due_us;
}

/* --- one call ----------------------------------------------------------------------------------
 */

static void test_the_first_calls_and_the_second_finds(void **)
{
    struct bench bench;
    bench_init(&bench);
    const struct id a = job_of(&bench);
    const struct id b = job_of(&bench);
    ask(&bench, "d", a.text);
    assert_told(&bench, a.text, TOLD_CALL, NULL);
    end(&bench, "d", a.text, "{\"n\":1}");
    assert_silent(&bench);
    assert_int_equal(rows_of(&bench, TABLE_CALL_CACHE_CALLERS), 0);
    ask(&bench, "d", b.text);
    assert_told(&bench, b.text, TOLD_HIT, "{\"n\":1}");
    const Pb__CacheTotals totals = totals_of(&bench, "shop");
    assert_int_equal(totals.hits, 1);
    assert_int_equal(totals.misses, 1);
    assert_int_equal(totals.entries, 1);
    assert_int_equal(totals.bytes, 7);
    assert_int_equal(totals_of(&bench, "*").entries, 1);
    assert_int_equal(totals_of(&bench, "other").entries, 0);
    bench_done(&bench);
}

static void test_an_answer_grows_old(void **)
{
    struct bench bench;
    bench_init(&bench);
    const struct id a = job_of(&bench);
    ask(&bench, "d", a.text);
    end(&bench, "d", a.text, "1");
    bench.told_count = 0;
    assert_int_equal(next_due(&bench), START_US + HOUR_US);

    bench.now_us += 5 * SECOND_US;
    const struct id b = job_of(&bench);
    ask_within(&bench, "d", b.text, 5 * SECOND_US); /* it wants a younger one */
    assert_told(&bench, b.text, TOLD_CALL, NULL);
    end(&bench, "d", b.text, NULL);
    ask_within(&bench, "d", b.text, 5 * SECOND_US + 1);
    assert_told(&bench, b.text, TOLD_HIT, "1");

    bench.now_us = START_US + HOUR_US; /* its time is over, though nobody has swept yet */
    ask_within(&bench, "d", b.text, 10 * HOUR_US);
    assert_told(&bench, b.text, TOLD_CALL, NULL);
    due(&bench);
    assert_int_equal(bench.counts.expired, 1);
    assert_int_equal(rows_of(&bench, TABLE_CALL_CACHE), 0);
    assert_int_equal(totals_of(&bench, "shop").bytes, 0);
    end(&bench, "d", b.text, NULL);
    assert_int_equal(rows_of(&bench, TABLE_CALL_CACHE_ORDER), 0);
    assert_int_equal(next_due(&bench), INT64_MAX);
    bench_done(&bench);
}

static void test_who_was_refused_one_wants_a_newer_one(void **)
{
    struct bench bench;
    bench_init(&bench);
    const struct id a = job_of(&bench);
    const struct id b = job_of(&bench);
    ask(&bench, "d", a.text);
    end(&bench, "d", a.text, "1");
    bench.told_count    = 0;
    Pb__CacheAsk newer  = PB__CACHE_ASK__INIT;
    newer.namespace_    = "shop";
    newer.digest        = "d";
    newer.run           = b.text;
    newer.job           = b.text;
    newer.max_age_us    = HOUR_US;
    newer.newer_than_us = bench.now_us;
    step(&bench, STEP_ASK, &newer, NULL);
    assert_told(&bench, b.text, TOLD_CALL, NULL);
    bench.now_us++;
    end(&bench, "d", b.text, "2");
    step(&bench, STEP_ASK, &newer, NULL);
    assert_told(&bench, b.text, TOLD_HIT, "2");
    assert_int_equal(totals_of(&bench, "shop").entries, 1); /* in the place of the old one */
    bench_done(&bench);
}

/* --- many callers ------------------------------------------------------------------------------
 */

static void test_others_wait_and_are_told(void **)
{
    struct bench bench;
    bench_init(&bench);
    struct id jobs[4];
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        jobs[i] = job_of(&bench);
        ask(&bench, "d", jobs[i].text);
    }
    assert_told(&bench, jobs[0].text, TOLD_CALL, NULL);
    ask(&bench, "d", jobs[2].text); /* the same question again is the same one */
    ask(&bench, "d", jobs[0].text);
    assert_told(&bench, jobs[0].text, TOLD_CALL, NULL);
    end(&bench, "d", jobs[1].text, NULL); /* it does not wait any more */
    assert_silent(&bench);

    end(&bench, "d", jobs[0].text, NULL); /* errors are not kept: the next one */
    assert_told(&bench, jobs[2].text, TOLD_CALL, NULL);
    end(&bench, "d", jobs[0].text, NULL); /* again: nothing */
    assert_silent(&bench);
    end(&bench, "d", jobs[2].text, "2");
    assert_told(&bench, jobs[3].text, TOLD_HIT, "2");
    assert_int_equal(bench.counts.joined, 1);
    assert_int_equal(rows_of(&bench, TABLE_CALL_CACHE_CALLERS), 0);
    bench_done(&bench);
}

static void test_many_are_told_in_steps(void **)
{
    enum { MANY = 2 * CALL_CACHE_TOLD_MAX + 10 };
    struct bench bench;
    bench_init(&bench);
    const struct id first = job_of(&bench);
    ask(&bench, "d", first.text);
    for (int i = 0; i < MANY; i++) {
        const struct id job = job_of(&bench);
        ask(&bench, "d", job.text);
    }
    bench.told_count = 0;
    end(&bench, "d", first.text, "1");
    assert_int_equal(bench.told_count, CALL_CACHE_TOLD_MAX);
    assert_int_equal(next_due(&bench), bench.now_us);
    const struct id late = job_of(&bench); /* who asks now does not stand behind them */
    bench.told_count     = 0;
    ask(&bench, "d", late.text);
    assert_told(&bench, late.text, TOLD_HIT, "1");
    due(&bench);
    assert_int_equal(bench.told_count, CALL_CACHE_TOLD_MAX);
    bench.told_count = 0;
    due(&bench);
    assert_int_equal(bench.told_count, 10);
    assert_int_equal(rows_of(&bench, TABLE_CALL_CACHE_CALLERS), 0);
    assert_int_equal(next_due(&bench), bench.now_us + HOUR_US);
    bench_done(&bench);
}

static void test_the_answer_goes_while_it_is_told(void **)
{
    enum { MANY = CALL_CACHE_TOLD_MAX + 2 };
    struct bench bench;
    bench_init(&bench);
    const struct id first = job_of(&bench);
    ask(&bench, "d", first.text);
    for (int i = 0; i < MANY; i++) {
        const struct id job = job_of(&bench);
        ask(&bench, "d", job.text);
    }
    end(&bench, "d", first.text, "1");
    Pb__ClearCache all      = PB__CLEAR_CACHE__INIT;
    Pb__ClearedCache answer = PB__CLEARED_CACHE__INIT;
    all.namespace_          = "shop";
    step(&bench, STEP_CLEAR, &all, &answer);
    assert_int_equal(answer.entries, 1);
    bench.told_count = 0;
    due(&bench); /* one of those left calls, the other one waits */
    assert_int_equal(bench.told_count, 1);
    assert_int_equal(bench.told[0].what, TOLD_CALL);
    struct told leads = bench.told[0];
    bench.told_count  = 0;
    end(&bench, "d", leads.job, "2");
    assert_int_equal(bench.told_count, 1);
    assert_int_equal(bench.told[0].what, TOLD_HIT);
    bench_done(&bench);
}

static void test_who_leads_is_looked_after(void **)
{
    struct bench bench;
    bench_init(&bench);
    const struct id a = job_of(&bench);
    const struct id b = job_of(&bench);
    ask(&bench, "d", a.text);
    ask(&bench, "d", b.text);
    bench.told_count = 0;
    due(&bench);
    assert_silent(&bench);

    bench.now_us = next_due(&bench);
    assert_int_equal(bench.now_us, START_US + CALL_CACHE_PROBE_US);
    due(&bench);
    assert_told(&bench, a.text, TOLD_PROBE, NULL);
    Pb__CacheAlive alive = PB__CACHE_ALIVE__INIT;
    alive.namespace_     = "shop";
    alive.digest         = "d";
    alive.job            = a.text;
    step(&bench, STEP_ALIVE, &alive, NULL);

    bench.now_us = next_due(&bench);
    due(&bench);
    assert_told(&bench, a.text, TOLD_PROBE, NULL); /* and this time it says nothing */
    bench.now_us = next_due(&bench);
    due(&bench);
    assert_told(&bench, b.text, TOLD_CALL, NULL);
    step(&bench, STEP_ALIVE, &alive, NULL); /* too late: it leads no more */
    end(&bench, "d", a.text, "1");          /* but its answer is one */
    assert_silent(&bench);
    const struct id c = job_of(&bench);
    ask(&bench, "d", c.text);
    assert_told(&bench, c.text, TOLD_HIT, "1");
    end(&bench, "d", b.text, "2");
    assert_int_equal(rows_of(&bench, TABLE_CALL_CACHE_CALLERS), 0);
    bench_done(&bench);
}

/* --- limits ------------------------------------------------------------------------------------
 */

static void keep(struct bench *bench, const char *digest, const char *value)
{
    const struct id job = job_of(bench);
    ask(bench, digest, job.text);
    end(bench, digest, job.text, value);
    bench->told_count = 0;
    bench->now_us++;
}

static bool is_kept(struct bench *bench, const char *digest)
{
    const struct id job = job_of(bench);
    ask(bench, digest, job.text);
    assert_int_equal(bench->told_count, 1);
    bool is_hit = bench->told[0].what == TOLD_HIT;
    if (!is_hit) end(bench, digest, job.text, NULL);
    bench->told_count = 0;
    return is_hit;
}

static void test_the_oldest_goes_when_there_are_too_many(void **)
{
    struct bench bench;
    bench_init(&bench);
    bench.limits.entries_max = 2;
    keep(&bench, "a", "1");
    keep(&bench, "b", "2");
    keep(&bench, "a", "3"); /* now the younger one */
    keep(&bench, "c", "4");
    assert_true(is_kept(&bench, "a"));
    assert_false(is_kept(&bench, "b"));
    assert_true(is_kept(&bench, "c"));
    assert_int_equal(totals_of(&bench, "shop").entries, 2);
    assert_int_equal(rows_of(&bench, TABLE_CALL_CACHE_ORDER), 4);
    bench_done(&bench);
}

static void test_the_oldest_goes_when_they_are_too_large(void **)
{
    struct bench bench;
    bench_init(&bench);
    bench.limits.bytes_max = 10;
    keep(&bench, "a", "1234");
    keep(&bench, "b", "5678");
    keep(&bench, "c", "123456");
    assert_false(is_kept(&bench, "a"));
    assert_true(is_kept(&bench, "b"));
    assert_true(is_kept(&bench, "c"));
    assert_int_equal(totals_of(&bench, "shop").bytes, 10);
    bench_done(&bench);
}

static void test_what_is_too_large_is_not_kept_and_all_call(void **)
{
    struct bench bench;
    bench_init(&bench);
    const struct id a = job_of(&bench);
    const struct id b = job_of(&bench);
    const struct id c = job_of(&bench);
    ask(&bench, "d", a.text);
    ask(&bench, "d", b.text);
    ask(&bench, "d", c.text);
    bench.told_count   = 0;
    Pb__CacheEnd ended = PB__CACHE_END__INIT;
    ended.namespace_   = "shop";
    ended.digest       = "d";
    ended.job          = a.text;
    ended.is_too_large = true;
    step(&bench, STEP_END, &ended, NULL);
    assert_int_equal(bench.told_count, 2);
    assert_int_equal(bench.told[0].what, TOLD_CALL);
    assert_int_equal(bench.told[1].what, TOLD_CALL);
    assert_int_equal(bench.counts.refused, 1);
    assert_int_equal(rows_of(&bench, TABLE_CALL_CACHE_CALLERS), 0);
    bench_done(&bench);
}

static void test_limits_have_defaults(void **)
{
    const struct call_cache_limits none = {};
    const struct call_cache_limits full = call_cache_limits_of(&none);
    assert_int_equal(full.entries_max, CALL_CACHE_ENTRIES_DEFAULT);
    assert_int_equal(full.bytes_max, CALL_CACHE_BYTES_DEFAULT);
    assert_int_equal(full.value_bytes_max, CALL_CACHE_VALUE_DEFAULT);
    const struct call_cache_limits small = {.bytes_max = 10};
    assert_int_equal(call_cache_limits_of(&small).value_bytes_max, 10);
}

/* --- clearing ----------------------------------------------------------------------------------
 */

static uint64_t clear(struct bench *bench, const char *namespace, const char *prefix,
                      const char *function, const char *workflow)
{
    Pb__ClearCache wanted   = PB__CLEAR_CACHE__INIT;
    Pb__ClearedCache answer = PB__CLEARED_CACHE__INIT;
    wanted.namespace_       = namespace;
    wanted.prefix           = prefix;
    wanted.function         = function;
    wanted.workflow         = workflow;
    step(bench, STEP_CLEAR, &wanted, &answer);
    assert_false(answer.has_more);
    assert_int_equal(answer.bytes, answer.entries); /* each is one byte here */
    return answer.entries;
}

/* Entries of that many bytes each, whose calls have ended. */
static void keep_many(struct bench *bench, unsigned count, size_t size)
{
    CLEANUP(buf_done) struct buf value = buf_init(size + 1);
    while (value.len < size) (void)buf_put_byte(&value, '1');
    for (unsigned i = 0; i < count; i++) {
        char digest[16];
        struct id job = job_of(bench);
        (void)snprintf(digest, sizeof digest, "d%u", i);
        ask(bench, digest, job.text);
        end(bench, digest, job.text, value.ptr);
        bench->told_count = 0;
    }
}

/* However large the values are: what is deleted is not read. */
static void test_values_are_not_read_to_be_deleted(void **)
{
    enum { COUNT = 40, SIZE = 200'000, SMALL = 64 << 10 };
    static const enum step ways[] = {STEP_CLEAR, STEP_DUE};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct bench bench;
        Pb__ClearCache wanted   = PB__CLEAR_CACHE__INIT;
        Pb__ClearedCache answer = PB__CLEARED_CACHE__INIT;
        wanted.namespace_       = "shop";
        bench_init(&bench);
        keep_many(&bench, COUNT, SIZE);
        bench.arena_max = SMALL;
        bench.now_us += ways[i] == STEP_DUE ? 2 * HOUR_US : 0;
        step(&bench, ways[i], &wanted, &answer);
        assert_int_equal(bench.counts.cleared + bench.counts.expired, COUNT);
        if (ways[i] == STEP_CLEAR) assert_int_equal(answer.bytes, COUNT * SIZE);
        bench_done(&bench);
    }
}

static void test_a_request_clears_so_many(void **)
{
    struct bench bench;
    Pb__ClearCache wanted   = PB__CLEAR_CACHE__INIT;
    Pb__ClearedCache answer = PB__CLEARED_CACHE__INIT;
    wanted.namespace_       = "*";
    bench_init(&bench);
    keep_many(&bench, CALL_CACHE_CLEARED_MAX + 1, 1);
    step(&bench, STEP_CLEAR, &wanted, &answer);
    assert_int_equal(answer.entries, CALL_CACHE_CLEARED_MAX);
    assert_true(answer.has_more);
    answer = (Pb__ClearedCache)PB__CLEARED_CACHE__INIT;
    step(&bench, STEP_CLEAR, &wanted, &answer);
    assert_int_equal(answer.entries, 1);
    assert_false(answer.has_more);
    bench_done(&bench);
}

static void test_a_part_is_cleared(void **)
{
    static const struct {
        const char *namespace, *prefix, *function, *workflow;
        uint64_t deleted;
    } rows[] = {
        {"other", "", "", "", 0},
        {"shop", "db.", "", "", 0},
        {"shop", "", "web", "", 0},
        {"shop", "", "web.page", "x", 0},
        {"shop", "web.page:2", "", "", 1},
        {"shop", "", "web.page", "w", 1},
        {"shop", "", "web.pages:1.0.0", "", 1},
        {"*", "w", "", "w", 1},
        {"shop", "", "", "", 0},
    };
    static const char *const functions[] = {"web.page:1.0.0", "web.page:2.0.0", "web.pages:1.0.0",
                                            "worker.price"};
    struct bench bench;
    bench_init(&bench);
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        const struct id job = job_of(&bench);
        ask(&bench, functions[i], job.text);
        end_as(&bench, functions[i], job.text, "1", functions[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(
            clear(&bench, rows[i].namespace, rows[i].prefix, rows[i].function, rows[i].workflow),
            rows[i].deleted);
    }
    assert_int_equal(rows_of(&bench, TABLE_CALL_CACHE_ORDER), 0);
    assert_int_equal(totals_of(&bench, "shop").entries, 0);
    bench_done(&bench);
}

/* --- hostile -----------------------------------------------------------------------------------
 */

static void test_what_makes_no_sense_is_ignored(void **)
{
    struct bench bench;
    bench_init(&bench);
    const struct id a = job_of(&bench);
    ask(&bench, "d", "no id");
    ask(&bench, "", a.text);
    end(&bench, "d", "no id", "1");
    end(&bench, "", a.text, "1");
    Pb__CacheAlive alive = PB__CACHE_ALIVE__INIT;
    step(&bench, STEP_ALIVE, &alive, NULL);
    assert_silent(&bench);
    assert_int_equal(rows_of(&bench, TABLE_CALL_CACHE), 0);
    assert_int_equal(rows_of(&bench, TABLE_CALL_CACHE_CALLERS), 0);
    end(&bench, "d", a.text, NULL); /* of nobody */
    assert_silent(&bench);
    bench_done(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_calls_and_the_second_finds),
        cmocka_unit_test(test_an_answer_grows_old),
        cmocka_unit_test(test_who_was_refused_one_wants_a_newer_one),
        cmocka_unit_test(test_others_wait_and_are_told),
        cmocka_unit_test(test_many_are_told_in_steps),
        cmocka_unit_test(test_the_answer_goes_while_it_is_told),
        cmocka_unit_test(test_who_leads_is_looked_after),
        cmocka_unit_test(test_the_oldest_goes_when_there_are_too_many),
        cmocka_unit_test(test_the_oldest_goes_when_they_are_too_large),
        cmocka_unit_test(test_what_is_too_large_is_not_kept_and_all_call),
        cmocka_unit_test(test_limits_have_defaults),
        cmocka_unit_test(test_a_part_is_cleared),
        cmocka_unit_test(test_values_are_not_read_to_be_deleted),
        cmocka_unit_test(test_a_request_clears_so_many),
        cmocka_unit_test(test_what_makes_no_sense_is_ignored),
    };
    return cmocka_run_group_tests_name("call_cache", tests, NULL, NULL);
}
