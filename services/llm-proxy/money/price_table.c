/* Look-ups and costs; price_table_read.c reads documents. */
#include "llm-proxy/money/price_table_internal.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { PICOS_PER_NANO = 1'000, US_PER_MINUTE = 60'000'000, MINUTES_PER_DAY = 24 * 60 };

struct price_table *price_table_new(void)
{
    struct price_table *table = mem_new(1, sizeof *table);
    table->arena              = arena_new(PRICE_ARENA_MAX);
    table->by_name            = map_new(PRICE_MODELS_MAX);
    table->as_of              = "";
    return table;
}

void price_table_free(struct price_table *table)
{
    if (!table) return;
    map_free(table->by_name);
    arena_free(table->arena);
    free(table);
}

const char *price_table_as_of(const struct price_table *table)
{
    return table->as_of;
}

/* --- names -------------------------------------------------------------------------------------
 */

bool price_key(str vendor, str model, struct price_key *ret_key)
{
    if (vendor.len + 1 + model.len > sizeof ret_key->text) return false;
    char *at = ret_key->text;
    for (size_t i = 0; i < vendor.len; i++) *at++ = price_lower(vendor.ptr[i]);
    *at++ = '\x1f';
    for (size_t i = 0; i < model.len; i++) *at++ = price_lower(model.ptr[i]);
    ret_key->len = (size_t)(at - ret_key->text);
    return true;
}

/* Greedy with one step back to the last star, which is enough for stars. */
bool price_fits(str pattern, str text)
{
    size_t p    = 0;
    size_t t    = 0;
    size_t star = SIZE_MAX;
    size_t mark = 0;
    while (t < text.len) {
        bool is_digit = text.ptr[t] >= '0' && text.ptr[t] <= '9';
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.len &&
                   (pattern.ptr[p] == '#' ? is_digit
                                          : pattern.ptr[p] == price_lower(text.ptr[t]))) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') p++;
    return p == pattern.len;
}

const struct model_price *price_table_find(const struct price_table *table, str vendor, str model)
{
    struct price_key key;
    if (!table || !price_key(vendor, model, &key)) return NULL;
    const struct model_price *found = map_get(table->by_name, (str){key.text, key.len});
    size_t longest                  = 0;
    for (uint32_t i = 0; !found && i < table->pattern_count; i++) {
        const struct price_pattern *pattern = &table->patterns[i];
        if (pattern->literals <= longest || !str_is(vendor, pattern->model->vendor)) continue;
        if (price_fits(pattern->text, model)) longest = pattern->literals;
    }
    for (uint32_t i = 0; !found && longest > 0 && i < table->pattern_count; i++) {
        const struct price_pattern *pattern = &table->patterns[i];
        bool is_it = pattern->literals == longest && str_is(vendor, pattern->model->vendor) &&
                     price_fits(pattern->text, model);
        if (is_it) found = pattern->model;
    }
    return found;
}

const char *price_table_vendor_at(const struct price_table *table, str host)
{
    for (uint32_t i = 0; i < table->host_count; i++) {
        if (price_fits(table->hosts[i].pattern, host)) return table->hosts[i].vendor;
    }
    return NULL;
}

void price_table_each(const struct price_table *table, str vendor, price_visit *visit,
                      void *context)
{
    for (uint32_t i = 0; i < table->model_count; i++) {
        if (str_is(vendor, table->models[i]->vendor)) visit(table->models[i], context);
    }
}

/* --- periods -----------------------------------------------------------------------------------
 */

static bool is_open(const struct price_period *period, int64_t now_us)
{
    if (period->from_us > now_us) return false;
    if (period->utc_from_min < 0) return true;
    int32_t minute = (int32_t)(now_us / US_PER_MINUTE % MINUTES_PER_DAY);
    bool is_after  = minute >= period->utc_from_min;
    bool is_before = minute < period->utc_to_min;
    /* From 22:00 to 06:00 goes over midnight. */
    return period->utc_from_min <= period->utc_to_min ? is_after && is_before
                                                      : is_after || is_before;
}

const struct price_period *price_period_at(const struct model_price *model, int64_t now_us)
{
    const struct price_period *best = NULL;
    for (uint32_t i = 0; i < model->period_count; i++) {
        const struct price_period *period = &model->periods[i];
        if (!is_open(period, now_us)) continue;
        bool is_narrow = best && best->utc_from_min >= 0 && period->utc_from_min < 0;
        bool is_better = !best || period->from_us > best->from_us ||
                         (period->from_us == best->from_us && !is_narrow);
        if (is_better) best = period;
    }
    return best;
}

static const struct price_rates *rates_for(const struct price_period *period, int64_t input_tokens)
{
    const struct price_rates *rates = &period->rates;
    for (uint32_t i = 0; i < period->tier_count; i++) {
        if (input_tokens > period->tiers[i].above_tokens) rates = &period->tiers[i].rates;
    }
    return rates;
}

/* --- cost --------------------------------------------------------------------------------------
 */

struct amount {
    int64_t count;
    enum price_kind kind;
};

static int64_t part_of(int64_t counter, int64_t whole)
{
    int64_t part = counter > 0 ? counter : 0;
    return part < whole ? part : whole;
}

/* How many of each kind: every token once. */
static void split(const struct llm_usage *usage, int64_t amounts[static PRICE_KIND_COUNT])
{
    int64_t input        = usage->input_tokens;
    int64_t cached       = part_of(usage->cached_tokens, input);
    int64_t written      = part_of(usage->cache_write_tokens, input - cached);
    int64_t hour         = part_of(usage->cache_write_1h_tokens, written);
    int64_t cached_audio = part_of(usage->cached_audio_tokens, cached);
    int64_t audio  = part_of(usage->input_audio_tokens - cached_audio, input - cached - written);
    int64_t spoken = part_of(usage->output_audio_tokens, usage->output_tokens);

    amounts[PRICE_INPUT]            = input - cached - written - audio;
    amounts[PRICE_OUTPUT]           = usage->output_tokens - spoken;
    amounts[PRICE_CACHE_READ]       = cached - cached_audio;
    amounts[PRICE_CACHE_WRITE]      = written - hour;
    amounts[PRICE_CACHE_WRITE_1H]   = hour;
    amounts[PRICE_INPUT_AUDIO]      = audio;
    amounts[PRICE_OUTPUT_AUDIO]     = spoken;
    amounts[PRICE_CACHE_READ_AUDIO] = cached_audio;
    amounts[PRICE_REQUESTS]         = 1;
    amounts[PRICE_SEARCHES]         = usage->searches > 0 ? usage->searches : 0;
}

/* -1: none. */
static int64_t rate_of(const struct model_price *model, const struct price_rates *rates,
                       enum price_kind kind)
{
    int64_t picos = rates->picos[kind];
    int64_t input = rates->picos[PRICE_INPUT];
    if (picos >= 0) return picos;
    if (kind == PRICE_REQUESTS) return 0; /* nobody charges for requests but who says so */
    if (kind == PRICE_CACHE_READ) return input;
    bool is_double = kind == PRICE_CACHE_WRITE_1H && strcmp(model->vendor, "anthropic") == 0;
    if (is_double && input >= 0 && input <= INT64_MAX / 2) return 2 * input;
    return -1;
}

bool price_cost(const struct model_price *model, const struct llm_usage *usage, int64_t now_us,
                int64_t *ret_nanos)
{
    const struct price_period *period = price_period_at(model, now_us);
    int64_t amounts[PRICE_KIND_COUNT];
    int64_t picos = 0;
    if (!period || usage->input_tokens < 0 || usage->output_tokens < 0) return false;
    const struct price_rates *rates = rates_for(period, usage->input_tokens);
    split(usage, amounts);
    /* Counters come from outside: a sum that does not fit is unknown, not wrapped. */
    for (enum price_kind kind = 0; kind < PRICE_KIND_COUNT; kind++) {
        int64_t part = 0;
        int64_t rate = rate_of(model, rates, kind);
        if (amounts[kind] == 0) continue;
        if (rate < 0 || __builtin_mul_overflow(amounts[kind], rate, &part) ||
            __builtin_add_overflow(picos, part, &picos)) {
            return false;
        }
    }
    *ret_nanos = picos / PICOS_PER_NANO + (picos % PICOS_PER_NANO >= PICOS_PER_NANO / 2);
    return true;
}

static void raise_to(const struct model_price *model, const struct price_rates *rates,
                     int64_t *input, int64_t *output)
{
    for (enum price_kind kind = 0; kind < PRICE_REQUESTS; kind++) {
        int64_t rate   = rate_of(model, rates, kind);
        bool is_output = kind == PRICE_OUTPUT || kind == PRICE_OUTPUT_AUDIO;
        int64_t *most  = is_output ? output : input;
        if (rate > *most) *most = rate;
    }
}

bool price_dearest(const struct model_price *model, int64_t now_us, int64_t *ret_input,
                   int64_t *ret_output)
{
    const struct price_period *period = price_period_at(model, now_us);
    if (!period) return false;
    *ret_input  = 0;
    *ret_output = 0;
    raise_to(model, &period->rates, ret_input, ret_output);
    for (uint32_t i = 0; i < period->tier_count; i++) {
        raise_to(model, &period->tiers[i].rates, ret_input, ret_output);
    }
    return true;
}
