#include "scheduler/run/event_match.h"

#include "base/assert.h"
#include "base/mem.h"
#include "expr/regex.h"
#include "yaml/yaml.h"
#include "json/json_text.h"

enum { SHAPE_DEPTH_MAX = YAML_DEPTH_MAX + 1 };

/* --- attributes --------------------------------------------------------------------------------
 */

static bool literal_matches(const struct event_attribute *attribute, json value)
{
    if (value.kind == JSON_INVALID) return false;
    if (json_equal(attribute->literal, value)) return true;
    bool matches = false;
    return attribute->pattern && json_is(value, JSON_TEXT) &&
           regex_matches(attribute->pattern, json_str(value), &matches, NULL) == STATUS_OK &&
           matches;
}

bool event_filter_could_match(const struct event_filter *filter, json event)
{
    for (uint32_t i = 0; i < filter->attribute_count; i++) {
        const struct event_attribute *attribute = &filter->attributes[i];
        if (attribute->expr || attribute->shape) continue;
        if (!literal_matches(attribute, json_get_text(event, attribute->name))) return false;
    }
    return true;
}

bool event_strategy_could_match(const struct event_strategy *strategy, json event)
{
    for (uint32_t i = 0; i < strategy->filter_count; i++) {
        if (event_filter_could_match(&strategy->filters[i], event)) return true;
    }
    return strategy->mode == LISTEN_ANY && strategy->filter_count == 0;
}

static bool expression_matches(const struct event_eval *eval, const struct expression *expression,
                               json value)
{
    CLEANUP(json_unrefp) json result = json_invalid();
    if (!eval->eval(expression, value, &result, eval->context)) return false;
    return json_is_bool(result) ? json_is_truthy(result) : json_equal(result, value);
}

/* A map or list of a filter beside the value at the same place of the event. */
struct pair {
    const struct template *shape;
    json value;
    uint32_t next;
};

static bool is_container(const struct template *template)
{
    return template->kind == TEMPLATE_ARRAY || template->kind == TEMPLATE_OBJECT;
}

static bool pair_begin(struct pair *pair, const struct template *shape, json value)
{
    *pair         = (struct pair){.shape = shape, .value = value};
    bool is_array = shape->kind == TEMPLATE_ARRAY;
    return json_is(value, is_array ? JSON_ARRAY : JSON_OBJECT) && json_count(value) == shape->count;
}

static json pair_value(const struct pair *pair, uint32_t at)
{
    if (pair->shape->kind == TEMPLATE_ARRAY) return json_at(pair->value, at);
    return json_get(pair->value, json_str(json_at(pair->shape->keys, at)));
}

/* Depth comes from the definition, so pairs wait on a stack of our own. */
static bool shape_matches(const struct event_eval *eval, const struct template *shape, json value)
{
    struct pair stack[SHAPE_DEPTH_MAX];
    size_t depth = 0;
    if (!pair_begin(&stack[depth++], shape, value)) return false;
    while (depth > 0) {
        struct pair *pair = &stack[depth - 1];
        if (pair->next == pair->shape->count) {
            depth--;
            continue;
        }
        uint32_t at                   = pair->next++;
        const struct template *member = pair->shape->items[at];
        json theirs                   = pair_value(pair, at);
        if (theirs.kind == JSON_INVALID) return false;
        if (is_container(member)) {
            ASSERT(depth < SHAPE_DEPTH_MAX);
            if (!pair_begin(&stack[depth++], member, theirs)) return false;
        } else if (member->kind == TEMPLATE_EXPRESSION) {
            if (!expression_matches(eval, member->expression, theirs)) return false;
        } else if (!json_equal(member->constant, theirs)) {
            return false;
        }
    }
    return true;
}

static bool attribute_matches(const struct event_eval *eval,
                              const struct event_attribute *attribute, json event)
{
    json value = json_get_text(event, attribute->name);
    if (attribute->expr) return expression_matches(eval, attribute->expr, value);
    if (attribute->shape) return shape_matches(eval, attribute->shape, value);
    return literal_matches(attribute, value);
}

/* --- correlations ------------------------------------------------------------------------------
 */

uint32_t listening_base(const struct event_strategy *to)
{
    return to->filter_count > 0 ? to->filter_count : 1; /* what takes every event is number 0 */
}

/* NULL: the one filter of an `any` that has none. */
static const struct event_filter *filter_at(const struct listening *listening, uint32_t number)
{
    uint32_t base = listening_base(listening->to);
    if (number >= base) return &listening->until->filters[number - base];
    return listening->to->filter_count > 0 ? &listening->to->filters[number] : NULL;
}

static void expectation_put(json *expects, uint32_t filter, uint32_t correlation, json value)
{
    json row = json_ref(json_at(*expects, filter));
    json_array_set(&row, correlation, value);
    json_array_set(expects, filter, row);
}

/* The first value of a name is what all filters of the listener expect from now on. */
static void expectation_spread(const struct listening *listening, json *expects, const char *name,
                               json value)
{
    for (uint32_t i = 0; i < json_count(*expects); i++) {
        const struct event_filter *filter = filter_at(listening, i);
        for (uint32_t j = 0; filter && j < filter->correlation_count; j++) {
            const struct event_correlation *other = &filter->correlations[j];
            if (other->expect || strcmp(other->name, name) != 0) continue;
            expectation_put(expects, i, j, json_ref(value));
        }
    }
}

static bool correlations_match(const struct listening *listening, json event, uint32_t number,
                               json *expects)
{
    const struct event_filter *filter = filter_at(listening, number);
    const struct event_eval *eval     = &listening->eval;
    for (uint32_t i = 0; filter && i < filter->correlation_count; i++) {
        const struct event_correlation *correlation = &filter->correlations[i];
        CLEANUP(json_unrefp) json value             = json_invalid();
        if (!eval->eval(correlation->from, event, &value, eval->context)) return false;
        json expected = json_at(json_at(*expects, number), i);
        if (!correlation->expect && json_is(expected, JSON_NULL)) {
            if (json_is(value, JSON_NULL)) return false;
            expectation_spread(listening, expects, correlation->name, value);
        } else if (!json_equal(expected, value)) {
            return false;
        }
    }
    return true;
}

/* --- listeners ---------------------------------------------------------------------------------
 */

static bool has_matched(const struct listening *listening, uint32_t number)
{
    for (size_t i = 0; i < json_count(listening->matched); i++) {
        if (json_equal(json_at(listening->matched, i), json_int(number))) return true;
    }
    return false;
}

static bool filter_takes(const struct listening *listening, json event, uint32_t number,
                         json *ret_expects)
{
    const struct event_filter *filter = filter_at(listening, number);
    for (uint32_t i = 0; filter && i < filter->attribute_count; i++) {
        if (!attribute_matches(&listening->eval, &filter->attributes[i], event)) return false;
    }
    *ret_expects = json_invalid();
    if (!filter || filter->correlation_count == 0) return true;
    json expects = json_ref(listening->expects);
    if (!correlations_match(listening, event, number, &expects)) {
        json_unref(expects);
        return false;
    }
    if (json_equal(expects, listening->expects)) {
        json_unref(expects);
    } else {
        *ret_expects = expects;
    }
    return true;
}

static bool strategy_takes(const struct listening *listening, const struct event_strategy *strategy,
                           uint32_t base, json event, uint32_t *ret_filter, json *ret_expects)
{
    uint32_t count = strategy->filter_count;
    if (strategy->mode == LISTEN_ANY && count == 0) {
        *ret_filter  = base;
        *ret_expects = json_invalid();
        return true;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (strategy->mode == LISTEN_ALL && has_matched(listening, base + i)) continue;
        if (!filter_takes(listening, event, base + i, ret_expects)) continue;
        *ret_filter = base + i;
        return true;
    }
    return false;
}

bool listening_takes(const struct listening *listening, json event, uint32_t *ret_filter,
                     json *ret_expects)
{
    uint32_t base = listening_base(listening->to);
    if (listening->until &&
        strategy_takes(listening, listening->until, base, event, ret_filter, ret_expects)) {
        return true;
    }
    return strategy_takes(listening, listening->to, 0, event, ret_filter, ret_expects);
}

static bool strategy_is_met(const struct listening *listening,
                            const struct event_strategy *strategy, uint32_t base)
{
    uint32_t count = strategy->filter_count;
    if (strategy->mode == LISTEN_ALL) {
        for (uint32_t i = 0; i < count; i++) {
            if (!has_matched(listening, base + i)) return false;
        }
        return true;
    }
    for (uint32_t i = 0; i < (count > 0 ? count : 1); i++) {
        if (has_matched(listening, base + i)) return true;
    }
    return false;
}

bool listening_is_over(const struct listening *listening)
{
    uint32_t base = listening_base(listening->to);
    if (listening->until && strategy_is_met(listening, listening->until, base)) return true;
    return !listening->is_endless && strategy_is_met(listening, listening->to, 0);
}
