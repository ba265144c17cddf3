/* Keywords about arrays. */
#include "base/mem.h"
#include "schema/schema_internal.h"

#include <stdlib.h>

static int64_t count_of(const struct schema_rule *rule)
{
    int64_t count = 0;
    bool is_whole = json_to_int(rule->value, &count);
    ASSERT(is_whole); /* compiler_check_shape() */
    return count;
}

static size_t prefix_of(const struct schema_node *node)
{
    const struct schema_rule *prefix = schema_rule_of(node, KEYWORD_PREFIX_ITEMS);
    return prefix ? prefix->node_count : 0;
}

bool schema_check_max_items(struct schema_check *check, struct schema_frame *frame,
                            const struct schema_rule *rule)
{
    int64_t limit = count_of(rule);
    int64_t count = (int64_t)json_count(frame->value);
    if (!json_is(frame->value, JSON_ARRAY) || count <= limit) return true;
    return schema_violated(check, frame->node, rule->keyword,
                           "must have at most %lld item%s, has %lld", (long long)limit,
                           limit == 1 ? "" : "s", (long long)count);
}

bool schema_check_min_items(struct schema_check *check, struct schema_frame *frame,
                            const struct schema_rule *rule)
{
    int64_t limit = count_of(rule);
    int64_t count = (int64_t)json_count(frame->value);
    if (!json_is(frame->value, JSON_ARRAY) || count >= limit) return true;
    return schema_violated(check, frame->node, rule->keyword,
                           "must have at least %lld item%s, has %lld", (long long)limit,
                           limit == 1 ? "" : "s", (long long)count);
}

/* Sorted, equal items stand side by side: n log n for lists that somebody sends us. */
struct item {
    json value;
    size_t index;
};

static int item_compare(const void *a, const void *b)
{
    const struct item *left  = a;
    const struct item *right = b;
    int order                = json_compare(left->value, right->value);
    return order != 0 ? order : (left->index > right->index) - (left->index < right->index);
}

bool schema_check_unique_items(struct schema_check *check, struct schema_frame *frame,
                               const struct schema_rule *rule)
{
    size_t count = json_count(frame->value);
    if (!json_is(frame->value, JSON_ARRAY) || !json_is(rule->value, JSON_TRUE) || count < 2) {
        return true;
    }
    struct item *items = mem_new(count, sizeof *items);
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct item){.value = json_at(frame->value, i), .index = i};
    }
    qsort(items, count, sizeof *items, item_compare);
    size_t first  = 0;
    size_t second = 0;
    for (size_t i = 1; i < count && second == 0; i++) {
        if (json_compare(items[i - 1].value, items[i].value) != 0) continue;
        first  = items[i - 1].index;
        second = items[i].index;
    }
    free(items);
    if (second == 0) return true;
    return schema_violated(check, frame->node, rule->keyword,
                           "must not have equal items; items %zu and %zu are", first, second);
}

bool schema_check_prefix_items(struct schema_check *check, struct schema_frame *frame,
                               const struct schema_rule *rule)
{
    if (!json_is(frame->value, JSON_ARRAY)) return true;
    bool is_valid = true;
    for (size_t i = 0; i < rule->node_count && i < json_count(frame->value); i++) {
        is_valid &= schema_apply_at(check, rule->nodes[i], frame, i);
        if (!is_valid && check->quiet > 0) return false;
        schema_see(frame, i);
    }
    return is_valid;
}

bool schema_check_items(struct schema_check *check, struct schema_frame *frame,
                        const struct schema_rule *rule)
{
    if (!json_is(frame->value, JSON_ARRAY)) return true;
    bool is_valid = true;
    for (size_t i = prefix_of(frame->node); i < json_count(frame->value); i++) {
        is_valid &= schema_apply_at(check, rule->nodes[0], frame, i);
        if (check->code != STATUS_OK || (!is_valid && check->quiet > 0)) return false;
        schema_see(frame, i);
    }
    return is_valid;
}

/* Without a list of its first items, `items` is for all of them. */
bool schema_check_additional_items(struct schema_check *check, struct schema_frame *frame,
                                   const struct schema_rule *rule)
{
    return prefix_of(frame->node) == 0 || schema_check_items(check, frame, rule);
}

bool schema_check_contains(struct schema_check *check, struct schema_frame *frame,
                           const struct schema_rule *rule)
{
    if (!json_is(frame->value, JSON_ARRAY)) return true;
    const struct schema_rule *least = schema_rule_of(frame->node, KEYWORD_MIN_CONTAINS);
    const struct schema_rule *most  = schema_rule_of(frame->node, KEYWORD_MAX_CONTAINS);
    int64_t minimum                 = least ? count_of(least) : 1;
    int64_t maximum                 = most ? count_of(most) : INT64_MAX;
    int64_t count                   = 0;
    for (size_t i = 0; i < json_count(frame->value); i++) {
        if (!schema_try(check, rule->nodes[0], json_at(frame->value, i), NULL)) continue;
        if (frame->node->dialect->contains_is_seen) schema_see(frame, i);
        count++;
    }
    if (check->code != STATUS_OK) return false;
    if (count < minimum) {
        return schema_violated(check, frame->node, least ? KEYWORD_MIN_CONTAINS : rule->keyword,
                               "must contain at least %lld item%s of a kind, has %lld",
                               (long long)minimum, minimum == 1 ? "" : "s", (long long)count);
    }
    if (count > maximum) {
        return schema_violated(check, frame->node, KEYWORD_MAX_CONTAINS,
                               "must contain at most %lld item%s of a kind, has %lld",
                               (long long)maximum, maximum == 1 ? "" : "s", (long long)count);
    }
    return true;
}

bool schema_check_unevaluated_items(struct schema_check *check, struct schema_frame *frame,
                                    const struct schema_rule *rule)
{
    if (!json_is(frame->value, JSON_ARRAY)) return true;
    bool is_valid = true;
    for (size_t i = 0; i < json_count(frame->value); i++) {
        if (frame->seen.flags[i]) continue;
        is_valid &= schema_apply_at(check, rule->nodes[0], frame, i);
        if (check->code != STATUS_OK || (!is_valid && check->quiet > 0)) return false;
        schema_see(frame, i);
    }
    return is_valid;
}
