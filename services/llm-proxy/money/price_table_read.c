#include "base/assert.h"
#include "base/attr.h"
#include "base/clock.h"
#include "llm-proxy/money/price_table_internal.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>

enum {
    MTOK     = 1'000'000,
    PER_1K   = 1'000,
    DECIMALS = 12, /* a dollar has 10^12 pico-dollars */
    TIME_MAX = 32,
};

/* CMake makes it of prices.json. */
extern const unsigned char prices_json[];
extern const size_t prices_json_size;

static const char *const kind_names[PRICE_KIND_COUNT] = {
    [PRICE_INPUT]            = "input",
    [PRICE_OUTPUT]           = "output",
    [PRICE_CACHE_READ]       = "cache_read",
    [PRICE_CACHE_WRITE]      = "cache_write",
    [PRICE_CACHE_WRITE_1H]   = "cache_write_1h",
    [PRICE_INPUT_AUDIO]      = "input_audio",
    [PRICE_OUTPUT_AUDIO]     = "output_audio",
    [PRICE_CACHE_READ_AUDIO] = "cache_read_audio",
    [PRICE_REQUESTS]         = "requests",
    [PRICE_SEARCHES]         = "searches",
};

/* --- numbers -----------------------------------------------------------------------------------
 */

bool price_parse(str text, int64_t pieces, int64_t *ret_picos)
{
    int64_t value = 0;
    int fraction  = -1;
    int room      = DECIMALS;
    for (int64_t p = pieces; p > 1; p /= 10) room--;
    if (text.len == 0 || room < 0) return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '.' && fraction < 0 && i > 0) {
            fraction = 0;
            continue;
        }
        if (c < '0' || c > '9' || fraction == room) return false;
        if (__builtin_mul_overflow(value, 10, &value)) return false;
        if (__builtin_add_overflow(value, c - '0', &value)) return false;
        if (fraction >= 0) fraction++;
    }
    if (fraction == 0) return false;
    for (int i = fraction < 0 ? 0 : fraction; i < room; i++) {
        if (__builtin_mul_overflow(value, 10, &value)) return false;
    }
    *ret_picos = value;
    return true;
}

/* "2026-09-01": midnight, UTC. */
static bool read_date(json value, int64_t *ret_us)
{
    char text[TIME_MAX];
    if (!json_is(value, JSON_TEXT) || json_str(value).len != sizeof "2026-09-01" - 1) return false;
    (void)snprintf(text, sizeof text, STR_FMT "T00:00:00Z", STR_ARG(json_str(value)));
    return time_parse(str_from(text), ret_us);
}

/* "16:30" */
static bool read_minute(json value, int32_t *ret_minute)
{
    str text = json_is(value, JSON_TEXT) ? json_str(value) : (str){};
    if (text.len != 5 || text.ptr[2] != ':') return false;
    for (size_t i = 0; i < text.len; i++) {
        if (i != 2 && (text.ptr[i] < '0' || text.ptr[i] > '9')) return false;
    }
    int32_t hour   = (text.ptr[0] - '0') * 10 + (text.ptr[1] - '0');
    int32_t minute = (text.ptr[3] - '0') * 10 + (text.ptr[4] - '0');
    *ret_minute    = hour * 60 + minute;
    return hour < 24 && minute < 60;
}

/* --- a period ----------------------------------------------------------------------------------
 */

static bool is_kind(str name, enum price_kind from, enum price_kind until)
{
    for (enum price_kind kind = from; kind < until; kind++) {
        if (str_is(name, kind_names[kind])) return true;
    }
    return false;
}

static status read_rates(json from, enum price_kind first, enum price_kind until, int64_t pieces,
                         struct price_rates *rates, struct error *reterr)
{
    for (enum price_kind kind = first; kind < until; kind++) {
        json value = json_get_text(from, kind_names[kind]);
        if (json_is(value, JSON_INVALID)) continue;
        bool is_text = json_is(value, JSON_TEXT);
        if (is_text && price_parse(json_str(value), pieces, &rates->picos[kind])) continue;
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "`%s` is no decimal text such as \"0.25\", with at most %d decimals",
                    kind_names[kind], pieces == MTOK ? 6 : 9);
    }
    return STATUS_OK;
}

/* Rates stand in `usd_per_mtok` and `usd_per_1k`, or those of tokens beside the other members. */
static status read_all_rates(json from, struct price_rates *rates, struct error *reterr)
{
    json mtok = json_get_text(from, "usd_per_mtok");
    json per  = json_get_text(from, "usd_per_1k");
    json flat = json_is(mtok, JSON_INVALID) ? from : mtok;
    TRY(read_rates(flat, PRICE_INPUT, PRICE_REQUESTS, MTOK, rates, reterr));
    return read_rates(per, PRICE_REQUESTS, PRICE_KIND_COUNT, PER_1K, rates, reterr);
}

static status check_members(json from, const char *const *names, size_t count, struct error *reterr)
{
    if (!json_is(from, JSON_OBJECT)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "a price is a map such as { input: \"0.25\", output: \"2\" }");
    }
    for (size_t i = 0; i < json_count(from); i++) {
        str key       = json_key_at(from, i);
        bool is_known = is_kind(key, PRICE_INPUT, PRICE_REQUESTS);
        for (size_t n = 0; n < count; n++) is_known = is_known || str_is(key, names[n]);
        if (is_known) continue;
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`" STR_FMT "` is not known here",
                    STR_ARG(key));
    }
    return STATUS_OK;
}

static status read_tiers(json above, struct price_period *period, struct error *reterr)
{
    static const char *const members[] = {"input_tokens", "usd_per_mtok", "usd_per_1k"};
    int64_t before                     = -1;
    if (json_is(above, JSON_INVALID)) return STATUS_OK;
    if (!json_is(above, JSON_ARRAY) || json_count(above) > PRICE_TIERS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`above` is a list of at most %d",
                    PRICE_TIERS_MAX);
    }
    for (size_t i = 0; i < json_count(above); i++) {
        json one                = json_at(above, i);
        struct price_tier *tier = &period->tiers[period->tier_count];
        TRY(check_members(one, members, ARRAY_LEN(members), reterr));
        tier->rates = period->rates; /* what it does not say stays */
        if (!json_to_int(json_get_text(one, "input_tokens"), &tier->above_tokens) ||
            tier->above_tokens <= before) {
            return fail(reterr, STATUS_INVALID_ARGUMENT,
                        "`input_tokens` of `above` are whole numbers that grow");
        }
        TRY(read_all_rates(one, &tier->rates, reterr));
        before = tier->above_tokens;
        period->tier_count++;
    }
    return STATUS_OK;
}

static status read_period(json value, struct price_period *period, struct error *reterr)
{
    static const char *const members[] = {"from",         "utc_from",   "utc_to",
                                          "usd_per_mtok", "usd_per_1k", "above"};
    json from                          = json_get_text(value, "from");
    json begins                        = json_get_text(value, "utc_from");
    json ends                          = json_get_text(value, "utc_to");
    bool has_times = !json_is(begins, JSON_INVALID) || !json_is(ends, JSON_INVALID);
    *period        = (struct price_period){.utc_from_min = -1, .utc_to_min = -1};
    memset(&period->rates, 0xff, sizeof period->rates); /* -1 each */
    TRY(check_members(value, members, ARRAY_LEN(members), reterr));
    if (!json_is(from, JSON_INVALID) && !read_date(from, &period->from_us)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`from` is a date such as \"2026-09-01\"");
    }
    if (has_times &&
        !(read_minute(begins, &period->utc_from_min) && read_minute(ends, &period->utc_to_min))) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "`utc_from` and `utc_to` are two times such as \"16:30\"");
    }
    TRY(read_all_rates(value, &period->rates, reterr));
    if (period->rates.picos[PRICE_INPUT] < 0 && period->rates.picos[PRICE_OUTPUT] < 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "a price says `input`, `output` or both");
    }
    return read_tiers(json_get_text(value, "above"), period, reterr);
}

/* --- a model -----------------------------------------------------------------------------------
 */

static bool is_pattern(str name)
{
    return memchr(name.ptr, '*', name.len) || memchr(name.ptr, '#', name.len);
}

static status add_pattern(struct price_table *table, str name, struct model_price *model,
                          struct error *reterr)
{
    char *text = arena_strdup(table->arena, name);
    if (!text || table->pattern_count == PRICE_PATTERNS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "over %d patterns", PRICE_PATTERNS_MAX);
    }
    struct price_pattern *pattern = &table->patterns[table->pattern_count++];
    *pattern = (struct price_pattern){.text = {text, name.len}, .model = model, .literals = 1};
    for (size_t i = 0; i < name.len; i++) {
        text[i] = price_lower(text[i]);
        pattern->literals += text[i] != '*';
    }
    return STATUS_OK;
}

static status add_name(struct price_table *table, str name, struct model_price *model, bool wins,
                       struct error *reterr)
{
    struct price_key key;
    if (name.len == 0 || name.len > PRICE_NAME_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "names have 1 to %d bytes", PRICE_NAME_MAX);
    }
    if (is_pattern(name)) return add_pattern(table, name, model, reterr);
    if (!price_key(str_from(model->vendor), name, &key)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "names have 1 to %d bytes", PRICE_NAME_MAX);
    }
    str text = {key.text, key.len};
    if (map_get(table->by_name, text)) {
        if (!wins) return STATUS_OK;
        (void)map_remove(table->by_name, text);
    }
    if (map_put(table->by_name, text, model)) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "over %d names", PRICE_MODELS_MAX);
}

static status make_model(struct price_table *table, str vendor, str id, json prices,
                         struct model_price **ret_model, struct error *reterr)
{
    size_t count                 = json_is(prices, JSON_ARRAY) ? json_count(prices) : 1;
    struct model_price *model    = arena_alloc(table->arena, sizeof *model);
    struct price_period *periods = NULL;
    if (count == 0 || count > PRICE_PERIODS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "a model has 1 to %d prices",
                    PRICE_PERIODS_MAX);
    }
    periods = arena_alloc(table->arena, count * sizeof *periods);
    if (!model || !periods || table->model_count == PRICE_MODELS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "too many models");
    }
    for (size_t i = 0; i < count; i++) {
        json one = json_is(prices, JSON_ARRAY) ? json_at(prices, i) : prices;
        TRY(read_period(one, &periods[i], reterr));
    }
    *model = (struct model_price){.vendor       = arena_strdup(table->arena, vendor),
                                  .id           = arena_strdup(table->arena, id),
                                  .periods      = periods,
                                  .period_count = (uint32_t)count};
    if (!model->vendor || !model->id) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "too many models");
    }
    *ret_model = model;
    return STATUS_OK;
}

status price_table_add(struct price_table *table, str vendor, str id, json value,
                       struct error *reterr)
{
    struct model_price *model = NULL;
    TRY(make_model(table, vendor, id, value, &model, reterr));
    TRY(add_name(table, id, model, true, reterr));
    if (!is_pattern(id)) table->models[table->model_count++] = model;
    return STATUS_OK;
}

/* --- a document --------------------------------------------------------------------------------
 */

static status add_model(struct price_table *table, json entry, struct error *reterr)
{
    json vendor               = json_get_text(entry, "provider");
    json id                   = json_get_text(entry, "id");
    json match                = json_get_text(entry, "match");
    struct model_price *model = NULL;
    if (!json_is(vendor, JSON_TEXT) || !json_is(id, JSON_TEXT)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "a model has a provider and an id");
    }
    TRY(make_model(table, json_str(vendor), json_str(id), json_get_text(entry, "prices"), &model,
                   reterr));
    (void)json_to_int(json_get_text(entry, "context"), &model->context);
    TRY(add_name(table, json_str(id), model, true, reterr));
    table->models[table->model_count++] = model;
    for (size_t i = 0; json_is(match, JSON_ARRAY) && i < json_count(match); i++) {
        json name = json_at(match, i);
        if (!json_is(name, JSON_TEXT)) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "`match` is a list of texts");
        }
        TRY(add_name(table, json_str(name), model, false, reterr));
    }
    return STATUS_OK;
}

static status add_hosts(struct price_table *table, json hosts, struct error *reterr)
{
    for (size_t i = 0; json_is(hosts, JSON_OBJECT) && i < json_count(hosts); i++) {
        json list = json_value_at(hosts, i);
        for (size_t n = 0; json_is(list, JSON_ARRAY) && n < json_count(list); n++) {
            str host = json_is(json_at(list, n), JSON_TEXT) ? json_str(json_at(list, n)) : (str){};
            char *text   = arena_strdup(table->arena, host);
            char *vendor = arena_strdup(table->arena, json_key_at(hosts, i));
            if (!text || !vendor || host.len == 0 || table->host_count == PRICE_HOSTS_MAX) {
                return fail(reterr, STATUS_INVALID_ARGUMENT, "`hosts` are at most %d texts",
                            PRICE_HOSTS_MAX);
            }
            table->hosts[table->host_count++] =
                (struct price_host){.pattern = {text, host.len}, .vendor = vendor};
        }
    }
    return STATUS_OK;
}

status price_table_add_document(struct price_table *table, json document, struct error *reterr)
{
    json models = json_get_text(document, "models");
    json as_of  = json_get_text(document, "as_of");
    if (!json_is(models, JSON_ARRAY)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`models` is a list");
    }
    TRY(add_hosts(table, json_get_text(document, "hosts"), reterr));
    for (size_t i = 0; i < json_count(models); i++) {
        struct error why = {};
        status added     = add_model(table, json_at(models, i), &why);
        if (added != STATUS_OK) return fail(reterr, added, "/models/%zu: %s", i, why.text);
    }
    if (json_is(as_of, JSON_TEXT)) {
        const char *text = arena_strdup(table->arena, json_str(as_of));
        if (text) table->as_of = text;
    }
    return STATUS_OK;
}

status price_table_add_public(struct price_table *table, struct error *reterr)
{
    CLEANUP(json_unrefp) json document = json_invalid();
    str text                           = {(const char *)prices_json, prices_json_size};
    TRY(json_parse(text, NULL, &document, NULL, reterr));
    return price_table_add_document(table, document, reterr);
}
