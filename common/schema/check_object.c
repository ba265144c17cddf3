/* Keywords about objects. */
#include "base/diagnostic.h"
#include "schema/schema_internal.h"

enum { NEAR_MAX = 64 }; /* names that are compared for "did you mean" */

static int64_t count_of(const struct schema_rule *rule)
{
    int64_t count = 0;
    bool is_whole = json_to_int(rule->value, &count);
    ASSERT(is_whole); /* compiler_check_shape() */
    return count;
}

bool schema_check_max_properties(struct schema_check *check, struct schema_frame *frame,
                                 const struct schema_rule *rule)
{
    int64_t limit = count_of(rule);
    int64_t count = (int64_t)json_count(frame->value);
    if (!json_is(frame->value, JSON_OBJECT) || count <= limit) return true;
    return schema_violated(check, frame->node, rule->keyword,
                           "must have at most %lld member%s, has %lld", (long long)limit,
                           limit == 1 ? "" : "s", (long long)count);
}

bool schema_check_min_properties(struct schema_check *check, struct schema_frame *frame,
                                 const struct schema_rule *rule)
{
    int64_t limit = count_of(rule);
    int64_t count = (int64_t)json_count(frame->value);
    if (!json_is(frame->value, JSON_OBJECT) || count >= limit) return true;
    return schema_violated(check, frame->node, rule->keyword,
                           "must have at least %lld member%s, has %lld", (long long)limit,
                           limit == 1 ? "" : "s", (long long)count);
}

static bool has(json object, str name)
{
    return !json_is(json_get(object, name), JSON_INVALID);
}

bool schema_check_required(struct schema_check *check, struct schema_frame *frame,
                           const struct schema_rule *rule)
{
    if (!json_is(frame->value, JSON_OBJECT)) return true;
    bool is_valid = true;
    for (size_t i = 0; i < json_count(rule->value); i++) {
        str name = json_str(json_at(rule->value, i));
        if (has(frame->value, name)) continue;
        is_valid = schema_violated(check, frame->node, rule->keyword, "must have `" STR_FMT "`",
                                   STR_ARG(name));
    }
    return is_valid;
}

/* The names that one member of `rule` makes necessary. */
static bool has_dependent(struct schema_check *check, const struct schema_frame *frame,
                          const struct schema_rule *rule, size_t index)
{
    str reason    = json_key_at(rule->value, index);
    json names    = json_value_at(rule->value, index);
    bool is_valid = true;
    for (size_t i = 0; i < json_count(names); i++) {
        str name = json_str(json_at(names, i));
        if (has(frame->value, name)) continue;
        is_valid = schema_violated(check, frame->node, rule->keyword,
                                   "must have `" STR_FMT "`, since it has `" STR_FMT "`",
                                   STR_ARG(name), STR_ARG(reason));
    }
    return is_valid;
}

bool schema_check_dependent_required(struct schema_check *check, struct schema_frame *frame,
                                     const struct schema_rule *rule)
{
    if (!json_is(frame->value, JSON_OBJECT)) return true;
    bool is_valid = true;
    for (size_t i = 0; i < json_count(rule->value); i++) {
        if (!has(frame->value, json_key_at(rule->value, i))) continue;
        is_valid &= has_dependent(check, frame, rule, i);
    }
    return is_valid;
}

bool schema_check_properties(struct schema_check *check, struct schema_frame *frame,
                             const struct schema_rule *rule)
{
    if (!json_is(frame->value, JSON_OBJECT)) return true;
    bool is_valid = true;
    for (uint32_t i = 0; i < rule->node_count; i++) {
        size_t index = 0;
        if (!json_find(frame->value, json_key_at(rule->value, i), &index)) continue;
        is_valid &= schema_apply_at(check, rule->nodes[i], frame, index);
        if (check->code != STATUS_OK || (!is_valid && check->quiet > 0)) return false;
        schema_see(frame, index);
    }
    return is_valid;
}

/* Says whether a name matches; false also when the check is over. */
static bool matches(struct schema_check *check, const struct regex *regex, str name)
{
    bool is_found = false;
    status code   = regex_search(regex, name, 0, &is_found, check->reterr);
    if (code != STATUS_OK) check->code = code;
    return code == STATUS_OK && is_found;
}

bool schema_check_pattern_properties(struct schema_check *check, struct schema_frame *frame,
                                     const struct schema_rule *rule)
{
    if (!json_is(frame->value, JSON_OBJECT)) return true;
    bool is_valid = true;
    for (size_t index = 0; index < json_count(frame->value); index++) {
        for (uint32_t i = 0; i < rule->node_count; i++) {
            if (!matches(check, rule->regexes[i], json_key_at(frame->value, index))) continue;
            is_valid &= schema_apply_at(check, rule->nodes[i], frame, index);
            schema_see(frame, index);
        }
        if (check->code != STATUS_OK || (!is_valid && check->quiet > 0)) return false;
    }
    return is_valid;
}

/* What is not allowed deserves its own words, since it is mostly a slip of the pen. */
static bool unknown_member(struct schema_check *check, const struct schema_frame *frame,
                           const struct schema_rule *rule, size_t index)
{
    if (check->quiet > 0) return false;
    const struct schema_rule *known = schema_rule_of(frame->node, KEYWORD_PROPERTIES);
    const char *names[NEAR_MAX];
    size_t count = 0;
    for (size_t i = 0; known && i < json_count(known->value) && count < NEAR_MAX; i++) {
        names[count++] = json_key_at(known->value, i).ptr;
    }
    str name         = json_key_at(frame->value, index);
    const char *near = nearest_name(name, names, count);
    size_t at        = check->errors->count;
    (void)schema_violated(check, frame->node, rule->keyword, "must not have `" STR_FMT "`%s%s%s",
                          STR_ARG(name), near ? "; did you mean `" : "", near ? near : "",
                          near ? "`?" : "");
    if (check->errors->count > at) {
        check->errors->items[at].member = arena_strdup(check->arena, name);
    }
    return false;
}

/* Applies the rest's schema to one member. */
static bool apply_rest(struct schema_check *check, struct schema_frame *frame,
                       const struct schema_rule *rule, size_t index)
{
    schema_see(frame, index);
    if (json_is(rule->value, JSON_FALSE)) return unknown_member(check, frame, rule, index);
    return schema_apply_at(check, rule->nodes[0], frame, index);
}

static bool is_named(struct schema_check *check, const struct schema_frame *frame, str name)
{
    const struct schema_rule *known    = schema_rule_of(frame->node, KEYWORD_PROPERTIES);
    const struct schema_rule *patterns = schema_rule_of(frame->node, KEYWORD_PATTERN_PROPERTIES);
    if (known && has(known->value, name)) return true;
    for (uint32_t i = 0; patterns && i < patterns->node_count; i++) {
        if (matches(check, patterns->regexes[i], name)) return true;
    }
    return false;
}

bool schema_check_additional_properties(struct schema_check *check, struct schema_frame *frame,
                                        const struct schema_rule *rule)
{
    if (!json_is(frame->value, JSON_OBJECT)) return true;
    bool is_valid = true;
    for (size_t index = 0; index < json_count(frame->value); index++) {
        if (is_named(check, frame, json_key_at(frame->value, index))) continue;
        is_valid &= apply_rest(check, frame, rule, index);
        if (check->code != STATUS_OK || (!is_valid && check->quiet > 0)) return false;
    }
    return is_valid;
}

bool schema_check_unevaluated_properties(struct schema_check *check, struct schema_frame *frame,
                                         const struct schema_rule *rule)
{
    if (!json_is(frame->value, JSON_OBJECT)) return true;
    bool is_valid = true;
    for (size_t index = 0; index < json_count(frame->value); index++) {
        if (frame->seen.flags[index]) continue;
        is_valid &= apply_rest(check, frame, rule, index);
        if (check->code != STATUS_OK || (!is_valid && check->quiet > 0)) return false;
    }
    return is_valid;
}

bool schema_check_property_names(struct schema_check *check, struct schema_frame *frame,
                                 const struct schema_rule *rule)
{
    if (!json_is(frame->value, JSON_OBJECT)) return true;
    bool is_valid = true;
    for (size_t index = 0; index < json_count(frame->value); index++) {
        json name = json_key_value_at(frame->value, index);
        if (schema_try(check, rule->nodes[0], name, NULL)) continue;
        if (check->code != STATUS_OK || check->quiet > 0) return false;
        is_valid = schema_violated(check, frame->node, rule->keyword,
                                   "must not have a member of the name `" STR_FMT "`",
                                   STR_ARG(json_str(name)));
    }
    return is_valid;
}

/* Also for `dependencies`, which holds lists of names beside schemas. */
bool schema_check_dependent_schemas(struct schema_check *check, struct schema_frame *frame,
                                    const struct schema_rule *rule)
{
    if (!json_is(frame->value, JSON_OBJECT)) return true;
    bool is_valid = true;
    for (uint32_t i = 0; i < rule->node_count; i++) {
        if (!has(frame->value, json_key_at(rule->value, i))) continue;
        is_valid &= rule->nodes[i] ? schema_apply(check, rule->nodes[i], frame->value, &frame->seen)
                                   : has_dependent(check, frame, rule, i);
        if (!is_valid && check->quiet > 0) return false;
    }
    return is_valid;
}
