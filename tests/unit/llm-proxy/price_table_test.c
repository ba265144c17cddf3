/* Prices: every model of the public table, names and patterns, periods, tiers, and costs that are
 * exact to the nano-dollar for whatever counters come. */
#include "llm-proxy/money/price_table.h"

#include "base/clock.h"
#include "base/random.h"
#include "cmocka.h"
#include "json/json_text.h"

extern const unsigned char prices_json[];
extern const size_t prices_json_size;

enum { CASES = 20'000 };

#define DAY_US INT64_C(86'400'000'000)

static struct price_table *table_of(const char *json_text)
{
    CLEANUP(json_unrefp) json document = json_invalid();
    struct price_table *table          = price_table_new();
    struct error error                 = {};
    if (json_parse(str_from(json_text), NULL, &document, NULL, &error) != STATUS_OK ||
        price_table_add_document(table, document, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    return table;
}

static const struct model_price *find(const struct price_table *table, const char *vendor,
                                      const char *model)
{
    return price_table_find(table, str_from(vendor), str_from(model));
}

/* --- numbers -----------------------------------------------------------------------------------
 */

static void decimals_are_exact(void **)
{
    static const struct {
        const char *text;
        int64_t pieces, picos;
    } good[] = {
        {"0", 1'000'000, 0},         {"2.50", 1'000'000, 2'500'000},
        {"0.000001", 1'000'000, 1},  {"15", 1'000'000, 15'000'000},
        {"0.1", 1'000'000, 100'000}, {"12", 1'000, 12'000'000'000},
        {"0.000000001", 1'000, 1},   {"007", 1'000'000, 7'000'000},
    };
    static const char *const bad[] = {"",
                                      ".",
                                      ".5",
                                      "5.",
                                      "-1",
                                      "1e3",
                                      "1,5",
                                      " 1",
                                      "+1",
                                      "1.2.3",
                                      "0.0000001",
                                      "0x1",
                                      "9223372036854775807",
                                      "99999999999999999999"};
    int64_t picos                  = 0;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(price_parse(str_from(good[i].text), good[i].pieces, &picos));
        assert_int_equal(picos, good[i].picos);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (price_parse(str_from(bad[i]), 1'000'000, &picos)) fail_msg("%s", bad[i]);
    }
}

/* --- the public table --------------------------------------------------------------------------
 */

/* Each model is found by its id and each of its plain names, and costs what the document says. */
static void every_public_model_has_its_price(void **)
{
    CLEANUP(json_unrefp) json document = json_invalid();
    struct price_table *table          = price_table_new();
    struct error error                 = {};
    assert_int_equal(price_table_add_public(table, &error), STATUS_OK);
    assert_int_equal(json_parse((str){(const char *)prices_json, prices_json_size}, NULL, &document,
                                NULL, &error),
                     STATUS_OK);
    assert_int_equal(strlen(price_table_as_of(table)), sizeof "2026-08-21" - 1);
    json models = json_get_text(document, "models");
    assert_true(json_count(models) > 900);
    for (size_t i = 0; i < json_count(models); i++) {
        json entry = json_at(models, i);
        str vendor = json_str(json_get_text(entry, "provider"));
        str id     = json_str(json_get_text(entry, "id"));
        json first = json_at(json_get_text(entry, "prices"), 0);
        json input = json_get_text(json_get_text(first, "usd_per_mtok"), "input");
        const struct model_price *model = price_table_find(table, vendor, id);
        int64_t picos                   = -1;
        if (!model) fail_msg("no price for " STR_FMT, STR_ARG(id));
        if (!str_is(id, model->id)) fail_msg(STR_FMT " is %s", STR_ARG(id), model->id);
        if (json_is(input, JSON_TEXT)) {
            assert_true(price_parse(json_str(input), 1'000'000, &picos));
        }
        assert_int_equal(model->periods[0].rates.picos[PRICE_INPUT], picos);
    }
    /* A few, by heart. */
    struct llm_usage used           = llm_usage_unknown();
    int64_t nanos                   = 0;
    used.input_tokens               = 272'000;
    used.output_tokens              = 1;
    const struct model_price *model = find(table, "openai", "GPT-5.4-2026-03-05");
    assert_string_equal(model->id, "gpt-5.4");
    assert_true(price_cost(model, &used, clock_unix_us(), &nanos));
    assert_int_equal(nanos, 272'000 * 2'500 + 15'000);
    used.input_tokens = 272'001; /* now every token is dearer, those of the answer too */
    assert_true(price_cost(model, &used, clock_unix_us(), &nanos));
    assert_int_equal(nanos, INT64_C(272'001) * 5'000 + 22'500);
    assert_null(find(table, "openai", "no-such-model"));
    assert_null(find(table, "nobody", "gpt-5.4"));
    assert_string_equal(price_table_vendor_at(table, str_from("api.openai.com")), "openai");
    assert_string_equal(price_table_vendor_at(table, str_from("mine.openai.azure.com")), "azure");
    assert_null(price_table_vendor_at(table, str_from("api.openai.com.evil.example")));
    assert_null(price_table_vendor_at(table, str_from("127.0.0.1")));
    price_table_free(table);
}

/* --- names -------------------------------------------------------------------------------------
 */

static void the_longest_pattern_wins(void **)
{
    struct price_table *table = table_of(
        "{\"models\":["
        "{\"provider\":\"v\",\"id\":\"a\",\"match\":[\"a*\"],\"prices\":[{\"input\":\"1\"}]},"
        "{\"provider\":\"v\",\"id\":\"a-mini\",\"match\":[\"a-mini*\",\"*mini*\"],\"prices\":[{"
        "\"input\":\"2\"}]},"
        "{\"provider\":\"v\",\"id\":\"dated\",\"match\":[\"a-mini-####\"],\"prices\":[{\"input\":"
        "\"3\"}]},"
        "{\"provider\":\"w\",\"id\":\"a-mini-2026\",\"prices\":[{\"input\":\"4\"}]}]}");
    static const struct {
        const char *model, *id;
    } rows[] = {{"a", "a"},
                {"A-1", "a"},
                {"a-mini", "a-mini"},
                {"a-mini-x", "a-mini"},
                {"a-mini-2026", "dated"},
                {"a-mini-202x", "a-mini"},
                {"x-MINI-y", "a-mini"},
                {"b", NULL},
                {"", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct model_price *found = find(table, "v", rows[i].model);
        if (!rows[i].id != !found) fail_msg("%s", rows[i].model);
        if (found) assert_string_equal(found->id, rows[i].id);
    }
    price_table_free(table);
}

/* --- periods -----------------------------------------------------------------------------------
 */

static int64_t input_at(const struct model_price *model, const char *time)
{
    int64_t now_us = 0;
    assert_true(time_parse(str_from(time), &now_us));
    const struct price_period *period = price_period_at(model, now_us);
    return period ? period->rates.picos[PRICE_INPUT] : -1;
}

static void the_newest_period_that_has_begun_holds(void **)
{
    struct price_table *table =
        table_of("{\"models\":[{\"provider\":\"v\",\"id\":\"m\",\"prices\":["
                 "{\"from\":\"2026-09-01\",\"input\":\"0.000002\"},"
                 "{\"from\":\"2026-01-01\",\"input\":\"0.000001\"},"
                 "{\"from\":\"2026-01-01\",\"utc_from\":\"22:00\",\"utc_to\":\"06:30\",\"input\":"
                 "\"0.000003\"}]}]}");
    const struct model_price *model = find(table, "v", "m");
    assert_int_equal(input_at(model, "2025-12-31T23:59:59Z"), -1);
    assert_int_equal(input_at(model, "2026-01-01T06:29:59Z"), 3);
    assert_int_equal(input_at(model, "2026-01-01T06:30:00Z"), 1);
    assert_int_equal(input_at(model, "2026-01-01T21:59:59Z"), 1);
    assert_int_equal(input_at(model, "2026-01-01T22:00:00Z"), 3);
    assert_int_equal(input_at(model, "2026-08-31T23:59:59Z"), 3);
    assert_int_equal(input_at(model, "2026-09-01T00:00:00Z"), 2);
    struct llm_usage used = llm_usage_unknown();
    int64_t nanos         = 0;
    used.input_tokens     = 1;
    used.output_tokens    = 0;
    assert_false(price_cost(model, &used, 0, &nanos));
    price_table_free(table);
}

/* --- costs -------------------------------------------------------------------------------------
 */

#define WHOLE                                                                                      \
    "\"input\":\"2\",\"output\":\"10\",\"cache_read\":\"0.2\",\"cache_write\":\"2.5\","            \
    "\"cache_write_1h\":\"4\",\"input_audio\":\"32\",\"output_audio\":\"64\",\"cache_read_"        \
    "audio\":"                                                                                     \
    "\"0.4\""

static void what_has_no_price_is_unknown(void **)
{
    struct price_table *table = table_of(
        "{\"models\":["
        "{\"provider\":\"v\",\"id\":\"bare\",\"prices\":[{\"input\":\"2\",\"output\":\"10\"}]},"
        "{\"provider\":\"anthropic\",\"id\":\"bare\",\"prices\":[{\"input\":\"2\",\"output\":"
        "\"10\"}]},"
        "{\"provider\":\"v\",\"id\":\"sonar\",\"prices\":[{\"input\":\"1\",\"output\":\"1\",\"usd_"
        "per_1k\":{\"requests\":\"5\",\"searches\":\"10\"}}]}]}");
    const struct model_price *bare   = find(table, "v", "bare");
    const struct model_price *claude = find(table, "anthropic", "bare");
    const struct model_price *sonar  = find(table, "v", "sonar");
    const struct llm_usage none      = {100, 10, -1, -1, -1, -1, -1, -1, -1, -1};
    int64_t nanos                    = 0;
    struct llm_usage used            = none;
    used.cached_tokens               = 50; /* costs what input costs */
    assert_true(price_cost(bare, &used, 0, &nanos));
    assert_int_equal(nanos, 100 * 2'000 + 10 * 10'000);
    used.cache_write_tokens = 1;
    assert_false(price_cost(bare, &used, 0, &nanos));
    assert_false(price_cost(claude, &used, 0, &nanos));
    used                       = none;
    used.cache_write_tokens    = 20;
    used.cache_write_1h_tokens = 20;
    assert_false(price_cost(bare, &used, 0, &nanos));
    assert_true(price_cost(claude, &used, 0, &nanos)); /* twice the input, there alone */
    assert_int_equal(nanos, 80 * 2'000 + 20 * 4'000 + 10 * 10'000);
    used                    = none;
    used.input_audio_tokens = 1;
    assert_false(price_cost(bare, &used, 0, &nanos));
    used                     = none;
    used.output_audio_tokens = 1;
    assert_false(price_cost(bare, &used, 0, &nanos));
    used          = none;
    used.searches = 1;
    assert_false(price_cost(bare, &used, 0, &nanos));
    assert_true(price_cost(sonar, &used, 0, &nanos));
    assert_int_equal(nanos, 110 * 1'000 + 5'000'000 + 10'000'000);
    used              = none;
    used.input_tokens = -1;
    assert_false(price_cost(bare, &used, 0, &nanos));
    price_table_free(table);
}

/* What the same counters cost, counted token by token in another way. */
static int64_t reference(const struct llm_usage *used, const int64_t *picos)
{
    __int128 sum     = 0;
    int64_t rest     = used->input_tokens;
    int64_t read     = used->cached_tokens < rest ? used->cached_tokens : rest;
    int64_t sounding = used->cached_audio_tokens < read ? used->cached_audio_tokens : read;
    rest -= read;
    sum += (__int128)sounding * picos[PRICE_CACHE_READ_AUDIO];
    sum += (__int128)(read - sounding) * picos[PRICE_CACHE_READ];
    int64_t written = used->cache_write_tokens < rest ? used->cache_write_tokens : rest;
    int64_t hour    = used->cache_write_1h_tokens < written ? used->cache_write_1h_tokens : written;
    rest -= written;
    sum += (__int128)hour * picos[PRICE_CACHE_WRITE_1H];
    sum += (__int128)(written - hour) * picos[PRICE_CACHE_WRITE];
    int64_t audio = used->input_audio_tokens - sounding;
    if (audio < 0) audio = 0;
    if (audio > rest) audio = rest;
    sum +=
        (__int128)audio * picos[PRICE_INPUT_AUDIO] + (__int128)(rest - audio) * picos[PRICE_INPUT];
    int64_t spoken = used->output_audio_tokens < used->output_tokens ? used->output_audio_tokens
                                                                     : used->output_tokens;
    sum += (__int128)spoken * picos[PRICE_OUTPUT_AUDIO];
    sum += (__int128)(used->output_tokens - spoken) * picos[PRICE_OUTPUT];
    return (int64_t)((2 * sum + 1'000) / 2'000); /* half up */
}

static int64_t below(struct prng *prng, uint64_t bound)
{
    return (int64_t)(prng_next(prng) % bound);
}

static void random_counters_cost_what_their_tokens_cost(void **)
{
    struct price_table *table =
        table_of("{\"models\":[{\"provider\":\"v\",\"id\":\"m\",\"prices\":[{" WHOLE "}]}]}");
    const struct model_price *model = find(table, "v", "m");
    struct prng prng                = {.state = 6};
    for (int i = 0; i < CASES; i++) {
        uint64_t most         = i % 2 ? 20 : 2'000'000;
        struct llm_usage used = {
            .input_tokens          = below(&prng, most),
            .output_tokens         = below(&prng, most),
            .cached_tokens         = below(&prng, most),
            .cache_write_tokens    = below(&prng, most),
            .cache_write_1h_tokens = below(&prng, most),
            .reasoning_tokens      = below(&prng, most), /* a part of the output: no price */
            .input_audio_tokens    = below(&prng, most),
            .output_audio_tokens   = below(&prng, most),
            .cached_audio_tokens   = below(&prng, most),
            .searches              = -1,
        };
        int64_t nanos = -1;
        assert_true(price_cost(model, &used, 0, &nanos));
        assert_int_equal(nanos, reference(&used, model->periods[0].rates.picos));

        /* Nothing costs more than its dearest token. */
        int64_t input  = 0;
        int64_t output = 0;
        assert_true(price_dearest(model, 0, &input, &output));
        int64_t most_nanos =
            (used.input_tokens * input + used.output_tokens * output + 999) / 1'000;
        assert_true(nanos <= most_nanos);
    }
    price_table_free(table);
}

static void a_bound_is_not_above_itself(void **)
{
    struct price_table *table = table_of(
        "{\"models\":[{\"provider\":\"v\",\"id\":\"m\",\"prices\":[{\"input\":\"1\",\"output\":"
        "\"1\",\"above\":[{\"input_tokens\":100,\"input\":\"2\"},{\"input_tokens\":200,\"output\":"
        "\"5\"}]}]}]}");
    const struct model_price *model = find(table, "v", "m");
    static const struct {
        int64_t input, nanos;
    } rows[] = {{100, 101'000}, {101, 203'000}, {200, 401'000}, {201, 206'000}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct llm_usage used = llm_usage_unknown();
        int64_t nanos         = 0;
        used.input_tokens     = rows[i].input;
        used.output_tokens    = 1;
        used.cached_tokens    = 0;
        assert_true(price_cost(model, &used, 0, &nanos));
        assert_int_equal(nanos, rows[i].nanos);
    }
    price_table_free(table);
}

/* --- mistakes ----------------------------------------------------------------------------------
 */

static const struct {
    const char *price, *text;
} wrong[] = {
    {"{}", "input"},
    {"[]", "1 to"},
    {"7", "map"},
    {"{\"input\":0.25}", "decimal"},
    {"{\"input\":\"0.0000001\"}", "decimal"},
    {"{\"input\":\"1\",\"outptu\":\"2\"}", "outptu"},
    {"{\"input\":\"1\",\"from\":\"soon\"}", "date"},
    {"{\"input\":\"1\",\"from\":\"2026-13-01\"}", "date"},
    {"{\"input\":\"1\",\"utc_from\":\"06:00\"}", "times"},
    {"{\"input\":\"1\",\"utc_from\":\"06:00\",\"utc_to\":\"24:00\"}", "times"},
    {"{\"input\":\"1\",\"above\":{}}", "above"},
    {"{\"input\":\"1\",\"above\":[{\"input_tokens\":5},{\"input_tokens\":5}]}", "grow"},
    {"{\"input\":\"1\",\"above\":[{\"usd_per_mtok\":{}}]}", "input_tokens"},
};

static void mistakes_are_named(void **)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        CLEANUP(json_unrefp) json value = json_invalid();
        struct price_table *table       = price_table_new();
        struct error error              = {};
        assert_int_equal(json_parse(str_from(wrong[i].price), NULL, &value, NULL, &error),
                         STATUS_OK);
        if (price_table_add(table, str_from("v"), str_from("m"), value, &error) !=
                STATUS_INVALID_ARGUMENT ||
            !strstr(error.text, wrong[i].text)) {
            fail_msg("%s: %s", wrong[i].price, error.text);
        }
        price_table_free(table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals_are_exact),
        cmocka_unit_test(every_public_model_has_its_price),
        cmocka_unit_test(the_longest_pattern_wins),
        cmocka_unit_test(the_newest_period_that_has_begun_holds),
        cmocka_unit_test(what_has_no_price_is_unknown),
        cmocka_unit_test(random_counters_cost_what_their_tokens_cost),
        cmocka_unit_test(a_bound_is_not_above_itself),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
