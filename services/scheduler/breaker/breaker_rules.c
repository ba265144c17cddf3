#include "scheduler/breaker/breaker_rules.h"

#include "base/attr.h"
#include "scheduler/breaker/target_name.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

enum {
    POINTER_MAX = 1'024,
    DAY_MS      = 86'400'000,
    SECOND_MS   = 1'000,
    LIMIT_MAX   = 1'000'000, /* as of queues */
    TOKENS_MAX  = 1'000'000'000,
};

const struct breaker_rules breaker_rules_default = {
    .common  = {.failures  = BREAKER_FAILURES,
                .window_us = BREAKER_WINDOW_US,
                .open_us   = BREAKER_OPEN_US,
                .successes = BREAKER_SUCCESSES},
    .targets = {.kind = JSON_INVALID},
};

static bool count_from(json value, uint32_t max, uint32_t *ret_count)
{
    int64_t number = 0;
    if (!json_to_int(value, &number) || number < 1 || number > max) return false;
    *ret_count = (uint32_t)number;
    return true;
}

static bool span_from(json value, int64_t *ret_us)
{
    int64_t span_ms = 0;
    if (!config_duration_from(value, &span_ms) || span_ms < 1 || span_ms > DAY_MS) return false;
    *ret_us = span_ms * 1000;
    return true;
}

/* False: the member is known and its value is none. `*ret_known` false: no such member. */
static bool member_from(str name, json value, struct breaker_settings *settings, bool *ret_known)
{
    *ret_known = true;
    if (str_is(name, "failures")) {
        return count_from(value, BREAKER_FAILURES_MAX, &settings->failures);
    }
    if (str_is(name, "successes")) {
        return count_from(value, BREAKER_SUCCESSES_MAX, &settings->successes);
    }
    if (str_is(name, "window")) return span_from(value, &settings->window_us);
    if (str_is(name, "open")) return span_from(value, &settings->open_us);
    *ret_known = false;
    return false;
}

/* --- limits ------------------------------------------------------------------------------------
 */

/* So many in a time. */
static bool rate_from(json value, uint32_t max, uint32_t *ret_count, int64_t *ret_period_us)
{
    int64_t span_ms = 0;
    bool is_fine    = json_is(value, JSON_OBJECT) && json_count(value) == 2 &&
                   count_from(json_get_text(value, "count"), max, ret_count) &&
                   config_duration_from(json_get_text(value, "per"), &span_ms) &&
                   span_ms >= SECOND_MS && span_ms <= DAY_MS;
    *ret_period_us = span_ms * 1000;
    return is_fine;
}

/* As member_from(). */
static bool limit_from(str name, json value, struct target_limit *limit, bool *ret_known)
{
    *ret_known = true;
    if (str_is(name, "concurrency")) return count_from(value, LIMIT_MAX, &limit->concurrency);
    if (str_is(name, "rate")) {
        return rate_from(value, LIMIT_MAX, &limit->rate_count, &limit->rate_period_us);
    }
    if (str_is(name, "tokens")) {
        return rate_from(value, TOKENS_MAX, &limit->token_count, &limit->token_period_us);
    }
    *ret_known = false;
    return false;
}

bool breaker_rules_limit(const struct breaker_rules *rules, str target,
                         struct target_limit *ret_limit)
{
    json own   = json_get(rules->targets, target);
    *ret_limit = (struct target_limit){};
    for (size_t i = 0; i < json_count(own); i++) {
        bool is_known = false;
        (void)limit_from(json_key_at(own, i), json_value_at(own, i), ret_limit, &is_known);
    }
    return ret_limit->concurrency > 0 || ret_limit->rate_count > 0 || ret_limit->token_count > 0;
}

/* --- findings ----------------------------------------------------------------------------------
 */

struct checked {
    const struct config *config;
    struct diagnostics *list;
    struct buf *pointer;
};

static void check_breaker(const struct checked *checked, json breaker)
{
    struct breaker_settings settings = breaker_settings_default;
    size_t length                    = checked->pointer->len;
    for (size_t i = 0; i < json_count(breaker); i++) {
        bool is_known = false;
        str name      = json_key_at(breaker, i);
        if (member_from(name, json_value_at(breaker, i), &settings, &is_known)) continue;
        (void)json_pointer_add(checked->pointer, name);
        config_found(checked->config, checked->list, buf_str(checked->pointer),
                     is_known ? "counts from 1 to 100, times up to a day, such as `60s`"
                              : "`failures`, `window`, `open`, `successes`",
                     is_known ? "this is no setting of a breaker"
                              : "a breaker has no such setting");
        checked->pointer->len = length;
    }
}

static void check_target(const struct checked *checked, str name, json target)
{
    size_t length = checked->pointer->len;
    if (!target_name_is_valid(name)) {
        config_found(checked->config, checked->list, buf_str(checked->pointer),
                     "`tool:HOST:PORT`, `tool:CONNECTION`, `llm:PROVIDER`, `llm:PROVIDER/MODEL` or "
                     "`worker:FUNCTION`",
                     "this names no target");
        return;
    }
    for (size_t i = 0; i < json_count(target); i++) {
        struct target_limit limit = {};
        bool is_limit             = false;
        bool is_fine              = str_is(json_key_at(target, i), "breaker") &&
                       json_is(json_value_at(target, i), JSON_OBJECT);
        bool is_set =
            limit_from(json_key_at(target, i), json_value_at(target, i), &limit, &is_limit);
        bool is_of_tokens = is_set && limit.token_count > 0;
        if (is_set && (!is_of_tokens || str_starts_with(name, str_from("llm:")))) continue;
        (void)json_pointer_add(checked->pointer, json_key_at(target, i));
        if (is_fine) {
            check_breaker(checked, json_value_at(target, i));
        } else if (is_limit) {
            config_found(checked->config, checked->list, buf_str(checked->pointer),
                         is_of_tokens ? "`llm:PROVIDER` and `llm:PROVIDER/MODEL` have"
                                      : "`concurrency: 4`, `rate: {count: 100, per: 1m}`, "
                                        "`tokens: {count: 90000, per: 1m}`; per from 1s to 24h",
                         is_of_tokens ? "this target has no limit of tokens" : "this is no limit");
        } else {
            config_found(checked->config, checked->list, buf_str(checked->pointer),
                         "`breaker: {failures, window, open, successes}`, `concurrency`, `rate`, "
                         "`tokens`",
                         "a target has no such setting");
        }
        checked->pointer->len = length;
    }
}

void breaker_rules_check(const struct breaker_rules *rules, const struct config *config,
                         struct diagnostics *list)
{
    static const char root[]             = "/limits/targets";
    CLEANUP(buf_done) struct buf pointer = buf_init(POINTER_MAX);
    const struct checked checked         = {config, list, &pointer};
    for (size_t i = 0; i < json_count(rules->targets); i++) {
        json target = json_value_at(rules->targets, i);
        buf_clear(&pointer);
        (void)buf_put_text(&pointer, root);
        (void)json_pointer_add(&pointer, json_key_at(rules->targets, i));
        bool is_map = json_is(target, JSON_OBJECT) || json_is(target, JSON_NULL);
        if (is_map) {
            check_target(&checked, json_key_at(rules->targets, i), target);
        } else {
            config_found(config, list, buf_str(&pointer), "`{breaker: {failures: 10}}`",
                         "a target has a map of settings");
        }
    }
}

/* --- settings ----------------------------------------------------------------------------------
 */

struct breaker_settings breaker_rules_of(const struct breaker_rules *rules, str target)
{
    struct breaker_settings settings = rules->common;
    json breaker                     = json_get_text(json_get(rules->targets, target), "breaker");
    for (size_t i = 0; i < json_count(breaker); i++) {
        bool is_known = false;
        (void)member_from(json_key_at(breaker, i), json_value_at(breaker, i), &settings, &is_known);
    }
    return settings;
}

bool breaker_rules_allow(const struct breaker_rules *rules, str target)
{
    return !target_name_is_worker(target) || json_get(rules->targets, target).kind != JSON_INVALID;
}
