/**
 * price_table: what models cost, and what a call has cost.
 *
 * A table has models of vendors, by id, other names and patterns; a model has one or more periods:
 * from a date on, or between two times of the day; a period has a price per kind of token, and
 * others for requests with more input than a bound. All amounts are integers: pico-dollars per
 * token or piece. A cost is rounded once, half up, to nano-dollars.
 *
 * What is not known is not guessed: a counter that was used and has no price makes the cost
 * unknown, never 0. Two exceptions, as vendors have them: without `cache_read` such tokens cost
 * what input costs, and at Anthropic a write for an hour costs twice the input.
 *
 * Threads: a table is made by one thread and then only read.
 */
#ifndef LLM_PROXY_PRICE_TABLE_H
#define LLM_PROXY_PRICE_TABLE_H

#include "base/arena.h"
#include "base/status.h"
#include "llm-proxy/stream/event.h"
#include "json/json.h"

enum {
    PRICE_MODELS_MAX  = 20'000, /* names and patterns of a table */
    PRICE_PERIODS_MAX = 16,     /* of a model */
    PRICE_TIERS_MAX   = 8,      /* of a period */
    PRICE_NAME_MAX    = 255,    /* bytes of a name */
};

enum price_kind {
    PRICE_INPUT,
    PRICE_OUTPUT,
    PRICE_CACHE_READ,
    PRICE_CACHE_WRITE,
    PRICE_CACHE_WRITE_1H,
    PRICE_INPUT_AUDIO,
    PRICE_OUTPUT_AUDIO,
    PRICE_CACHE_READ_AUDIO,
    PRICE_REQUESTS, /* these two per piece */
    PRICE_SEARCHES,
    PRICE_KIND_COUNT,
};

struct price_rates {
    int64_t picos[PRICE_KIND_COUNT]; /* -1: there is none */
};

struct price_tier {
    int64_t above_tokens; /* holds for requests with more input tokens, cached ones included */
    struct price_rates rates;
};

struct price_period {
    int64_t from_us;                  /* 0: always */
    int32_t utc_from_min, utc_to_min; /* of the day; the end is outside. -1: all day */
    struct price_rates rates;
    struct price_tier tiers[PRICE_TIERS_MAX]; /* by their bound */
    uint32_t tier_count;
};

struct model_price {
    const char *vendor;
    const char *id;
    const struct price_period *periods;
    uint32_t period_count;
    int64_t context; /* tokens; 0: not said */
};

struct price_table;

struct price_table *price_table_new(void); /* owned */
void price_table_free(struct price_table *table);

/** The public prices that come with the program. */
status price_table_add_public(struct price_table *table, struct error *reterr);

/** When those were read from their sources: "2026-08-21"; "" without them. */
const char *price_table_as_of(const struct price_table *table);

/** The same from a document in the form of prices.json. INVALID_ARGUMENT says what is wrong. */
status price_table_add_document(struct price_table *table, json document, struct error *reterr);

/** One model: `value` is a price, or a list of them. Replaces what has this name. `id` may be a
 * pattern: `*` is any text, `#` one digit. INVALID_ARGUMENT as above. */
status price_table_add(struct price_table *table, str vendor, str id, json value,
                       struct error *reterr);

/** The price of a model: by its id or another of its names, else by the longest pattern that fits;
 * letters of either case. NULL: there is none, or no table. */
const struct model_price *price_table_find(const struct price_table *table, str vendor, str model);

/** Whose API is at `host`; NULL: nobody's that is known. */
const char *price_table_vendor_at(const struct price_table *table, str host);

/** Visits the models of a vendor by their ids, no patterns. */
typedef void price_visit(const struct model_price *model, void *context);
void price_table_each(const struct price_table *table, str vendor, price_visit *visit,
                      void *context);

/** The period that holds at a time; NULL: none has begun. */
const struct price_period *price_period_at(const struct model_price *model, int64_t now_us);

/** What one request cost, in nano-dollars. False: not known. */
bool price_cost(const struct model_price *model, const struct llm_usage *usage, int64_t now_us,
                int64_t *ret_nanos);

/** The dearest token of input and of output that a request may be charged for at a time, in
 * pico-dollars. False: there is no price then. */
bool price_dearest(const struct model_price *model, int64_t now_us, int64_t *ret_input,
                   int64_t *ret_output);

/** A decimal text of dollars per `pieces` (a power of ten up to 10^6) as pico-dollars a piece.
 * False: it is none, has digits below a pico-dollar, or is too large. */
bool price_parse(str text, int64_t pieces, int64_t *ret_picos);

#endif
