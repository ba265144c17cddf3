/* Keywords about one value: its type, number, text; and those that combine schemas. */
#include "base/utf8.h"
#include "schema/schema_internal.h"
#include "json/json_text.h"

#include <stdio.h>

enum { WORDS_MAX = 200 }; /* bytes of a list of values in a sentence */

/* A list in words: "a string", "a string or null". */
static void put_types(uint32_t types, struct buf *out)
{
    static const struct {
        uint32_t bits;
        const char *name;
    } names[] = {
        {SCHEMA_NULL, "null"},      {SCHEMA_BOOLEAN, "true or false"}, {SCHEMA_STRING, "a string"},
        {SCHEMA_ARRAY, "an array"}, {SCHEMA_OBJECT, "an object"},
    };
    if (types & SCHEMA_NUMBER) {
        (void)buf_put_text(out, "a number");
    } else if (types & SCHEMA_INTEGER) {
        (void)buf_put_text(out, "a whole number");
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!(types & names[i].bits)) continue;
        if (out->len > 0) (void)buf_put_text(out, " or ");
        (void)buf_put_text(out, names[i].name);
    }
}

bool schema_check_type(struct schema_check *check, struct schema_frame *frame,
                       const struct schema_rule *rule)
{
    uint32_t actual = schema_type_of(frame->value);
    if (rule->types & actual) return true;
    if (check->quiet > 0) return false;
    CLEANUP(buf_done) struct buf wanted = buf_init(WORDS_MAX);
    CLEANUP(buf_done) struct buf given  = buf_init(WORDS_MAX);
    put_types(rule->types, &wanted);
    put_types(actual, &given);
    bool is_bool = actual == SCHEMA_BOOLEAN;
    return schema_violated(check, frame->node, rule->keyword, "must be %s, is %s", wanted.ptr,
                           is_bool ? "a boolean" : given.ptr);
}

/* The first values of a list, as JSON, as many as fit. */
static void put_values(json list, struct buf *out)
{
    for (size_t i = 0; i < json_count(list); i++) {
        size_t before = out->len;
        if (i > 0) (void)buf_put_text(out, ", ");
        if (json_print(json_at(list, i), JSON_COMPACT, out)) continue;
        out->len     = before;
        out->is_full = false;
        (void)buf_put_text(out, " ...");
        return;
    }
}

bool schema_check_enum(struct schema_check *check, struct schema_frame *frame,
                       const struct schema_rule *rule)
{
    for (size_t i = 0; i < json_count(rule->value); i++) {
        if (json_equal(frame->value, json_at(rule->value, i))) return true;
    }
    if (check->quiet > 0) return false;
    CLEANUP(buf_done) struct buf words = buf_init(WORDS_MAX);
    put_values(rule->value, &words);
    return schema_violated(check, frame->node, rule->keyword, "must be one of %s",
                           words.len ? words.ptr : "no values at all");
}

bool schema_check_const(struct schema_check *check, struct schema_frame *frame,
                        const struct schema_rule *rule)
{
    if (json_equal(frame->value, rule->value)) return true;
    if (check->quiet > 0) return false;
    CLEANUP(buf_done) struct buf words = buf_init(WORDS_MAX);
    bool fits                          = json_print(rule->value, JSON_COMPACT, &words);
    return schema_violated(check, frame->node, rule->keyword, "must be %s",
                           fits ? words.ptr : "the one value of the schema");
}

/* --- numbers -----------------------------------------------------------------------------------
 */

struct schema_number schema_number_text(json number)
{
    struct schema_number result        = {};
    CLEANUP(buf_done) struct buf words = buf_init(sizeof result.text - 1);
    (void)json_print_number(number, &words);
    if (words.len > 0) memcpy(result.text, words.ptr, words.len);
    return result;
}

static bool bound(struct schema_check *check, const struct schema_frame *frame,
                  const struct schema_rule *rule, bool is_kept, const char *words)
{
    if (is_kept) return true;
    return schema_violated(check, frame->node, rule->keyword, "must be %s %s, is %s", words,
                           schema_number_text(rule->value).text,
                           schema_number_text(frame->value).text);
}

/* Whether a boolean beside the limit says that the limit itself is not allowed. */
static bool is_exclusive(const struct schema_frame *frame, enum keyword keyword)
{
    const struct schema_rule *rule = schema_rule_of(frame->node, keyword);
    return rule && json_is(rule->value, JSON_TRUE);
}

bool schema_check_maximum(struct schema_check *check, struct schema_frame *frame,
                          const struct schema_rule *rule)
{
    if (!json_is_number(frame->value)) return true;
    if (is_exclusive(frame, KEYWORD_EXCLUDES_MAXIMUM)) {
        return schema_check_exclusive_maximum(check, frame, rule);
    }
    return bound(check, frame, rule, json_compare(frame->value, rule->value) <= 0, "at most");
}

bool schema_check_exclusive_maximum(struct schema_check *check, struct schema_frame *frame,
                                    const struct schema_rule *rule)
{
    if (!json_is_number(frame->value)) return true;
    return bound(check, frame, rule, json_compare(frame->value, rule->value) < 0, "less than");
}

bool schema_check_minimum(struct schema_check *check, struct schema_frame *frame,
                          const struct schema_rule *rule)
{
    if (!json_is_number(frame->value)) return true;
    if (is_exclusive(frame, KEYWORD_EXCLUDES_MINIMUM)) {
        return schema_check_exclusive_minimum(check, frame, rule);
    }
    return bound(check, frame, rule, json_compare(frame->value, rule->value) >= 0, "at least");
}

bool schema_check_exclusive_minimum(struct schema_check *check, struct schema_frame *frame,
                                    const struct schema_rule *rule)
{
    if (!json_is_number(frame->value)) return true;
    return bound(check, frame, rule, json_compare(frame->value, rule->value) > 0, "more than");
}

/* A number as an integer times a power of ten. */
struct decimal {
    uint64_t mantissa;
    int exponent;
};

static struct decimal decimal_of(json number)
{
    struct decimal decimal   = {};
    struct schema_number own = schema_number_text(number);
    bool is_fraction         = false;
    int shift                = 0;
    const char *at           = own.text;
    for (; *at && *at != 'e'; at++) {
        if (*at == '.') is_fraction = true;
        if (*at < '0' || *at > '9') continue;
        if (decimal.mantissa > (UINT64_MAX - 9) / 10) { /* only zeros follow 17 digits */
            decimal.exponent += !is_fraction;
            continue;
        }
        decimal.mantissa = decimal.mantissa * 10 + (uint64_t)(*at - '0');
        decimal.exponent -= is_fraction;
    }
    if (*at == 'e') (void)sscanf(at + 1, "%d", &shift); // NOLINT(cert-err34-c): our own digits
    decimal.exponent += shift;
    return decimal;
}

/* base^exponent mod modulus; all below 2^64. */
static uint64_t power_mod(uint64_t base, int exponent, uint64_t modulus)
{
    unsigned __int128 result = 1 % modulus;
    unsigned __int128 square = base % modulus;
    for (unsigned rest = (unsigned)exponent; rest > 0; rest /= 2) {
        if (rest & 1) result = result * square % modulus;
        square = square * square % modulus;
    }
    return (uint64_t)result;
}

bool schema_is_multiple(json number, json divisor)
{
    enum { SHIFT_MAX = 19 }; /* 10^19 times 64 bits fit 128 bits */
    struct decimal a = decimal_of(number);
    struct decimal b = decimal_of(divisor);
    if (a.mantissa == 0) return true;
    if (b.mantissa == 0) return false; /* it was too small for a double */
    int shift = a.exponent - b.exponent;
    if (shift >= 0) {
        unsigned __int128 factor = power_mod(10, shift, b.mantissa);
        return a.mantissa % b.mantissa * factor % b.mantissa == 0;
    }
    if (-shift > SHIFT_MAX) {
        /* More places than a has digits: only its zeros at the end could make up for it. */
        while (a.mantissa % 10 == 0 && shift < 0) {
            a.mantissa /= 10;
            shift++;
        }
        if (-shift > SHIFT_MAX) return false;
    }
    unsigned __int128 whole = b.mantissa;
    for (; shift < 0; shift++) whole *= 10;
    return a.mantissa % whole == 0;
}

bool schema_check_multiple_of(struct schema_check *check, struct schema_frame *frame,
                              const struct schema_rule *rule)
{
    if (!json_is_number(frame->value) || schema_is_multiple(frame->value, rule->value)) return true;
    return schema_violated(check, frame->node, rule->keyword, "must be a multiple of %s, is %s",
                           schema_number_text(rule->value).text,
                           schema_number_text(frame->value).text);
}

/* --- texts -------------------------------------------------------------------------------------
 */

static int64_t count_of(const struct schema_rule *rule)
{
    int64_t count = 0;
    bool is_whole = json_to_int(rule->value, &count);
    ASSERT(is_whole); /* compiler_check_shape() */
    return count;
}

static const char *plural(int64_t count)
{
    return count == 1 ? "" : "s";
}

bool schema_check_max_length(struct schema_check *check, struct schema_frame *frame,
                             const struct schema_rule *rule)
{
    if (!json_is(frame->value, JSON_TEXT)) return true;
    int64_t limit  = count_of(rule);
    int64_t length = (int64_t)utf8_length(json_str(frame->value));
    if (length <= limit) return true;
    return schema_violated(check, frame->node, rule->keyword,
                           "must have at most %lld character%s, has %lld", (long long)limit,
                           plural(limit), (long long)length);
}

bool schema_check_min_length(struct schema_check *check, struct schema_frame *frame,
                             const struct schema_rule *rule)
{
    if (!json_is(frame->value, JSON_TEXT)) return true;
    int64_t limit  = count_of(rule);
    int64_t length = (int64_t)utf8_length(json_str(frame->value));
    if (length >= limit) return true;
    return schema_violated(check, frame->node, rule->keyword,
                           "must have at least %lld character%s, has %lld", (long long)limit,
                           plural(limit), (long long)length);
}

bool schema_check_pattern(struct schema_check *check, struct schema_frame *frame,
                          const struct schema_rule *rule)
{
    if (!json_is(frame->value, JSON_TEXT)) return true;
    bool is_found = false;
    status code =
        regex_search(rule->regexes[0], json_str(frame->value), 0, &is_found, check->reterr);
    if (code != STATUS_OK) {
        check->code = code;
        return false;
    }
    if (is_found) return true;
    return schema_violated(check, frame->node, rule->keyword, "must match the pattern %s",
                           json_str(rule->value).ptr);
}

bool schema_check_format(struct schema_check *check, struct schema_frame *frame,
                         const struct schema_rule *rule)
{
    if (!rule->format || !json_is(frame->value, JSON_TEXT)) return true;
    if (rule->format->check(json_str(frame->value))) return true;
    return schema_violated(check, frame->node, rule->keyword, "%s", rule->format->sentence);
}

/* --- combinations ------------------------------------------------------------------------------
 */

bool schema_check_ref(struct schema_check *check, struct schema_frame *frame,
                      const struct schema_rule *rule)
{
    return schema_apply(check, rule->nodes[0], frame->value, &frame->seen);
}

bool schema_check_dynamic_ref(struct schema_check *check, struct schema_frame *frame,
                              const struct schema_rule *rule)
{
    const struct schema_node *target = rule->nodes[0];
    const struct schema_scope *scope = rule->dynamic_anchor ? check->scope : NULL;
    for (; scope; scope = scope->outer) { /* the outermost counts, so the walk goes on */
        const struct schema_anchor *anchor = scope->resource->dynamic_anchors;
        for (; anchor; anchor = anchor->next) {
            if (strcmp(anchor->name, rule->dynamic_anchor) == 0) target = anchor->node;
        }
    }
    return schema_apply(check, target, frame->value, &frame->seen);
}

bool schema_check_all_of(struct schema_check *check, struct schema_frame *frame,
                         const struct schema_rule *rule)
{
    bool is_valid = true;
    for (uint32_t i = 0; i < rule->node_count; i++) {
        is_valid &= schema_apply(check, rule->nodes[i], frame->value, &frame->seen);
        if (!is_valid && check->quiet > 0) return false;
    }
    return is_valid;
}

/* How many alternatives hold; for `anyOf` the first is enough unless somebody asks what was seen.
 */
static uint32_t count_valid(struct schema_check *check, struct schema_frame *frame,
                            const struct schema_rule *rule, uint32_t enough)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < rule->node_count && count < enough; i++) {
        count += schema_try(check, rule->nodes[i], frame->value, &frame->seen);
    }
    return count;
}

/* With one alternative for values of this type, its own violations say more than "none matches". */
static const struct schema_node *only_alternative(const struct schema_frame *frame,
                                                  const struct schema_rule *rule)
{
    const struct schema_node *found = NULL;
    for (uint32_t i = 0; i < rule->node_count; i++) {
        const struct schema_node *node = rule->nodes[i];
        for (const struct schema_rule *ref = schema_rule_of(node, KEYWORD_REF); ref; ref = NULL) {
            node = ref->nodes[0];
        }
        const struct schema_rule *type = schema_rule_of(node, KEYWORD_TYPE);
        if (json_is_bool(node->value)) continue;
        if (type && !(type->types & schema_type_of(frame->value))) continue;
        if (found) return NULL;
        found = rule->nodes[i];
    }
    return found;
}

/* "`keys`, or `from` and `to`", if the alternatives are nothing but members that must be there. */
static bool put_needed(const struct schema_frame *frame, const struct schema_rule *rule,
                       struct buf *out)
{
    bool is_so = json_is(frame->value, JSON_OBJECT);
    for (uint32_t i = 0; is_so && i < rule->node_count; i++) {
        const struct schema_rule *needed = schema_rule_of(rule->nodes[i], KEYWORD_REQUIRED);
        is_so = needed && rule->nodes[i]->rule_count == 1 && json_count(needed->value) > 0;
        for (size_t k = 0; is_so && k < json_count(needed->value); k++) {
            str name = json_str(json_at(needed->value, k));
            (void)buf_printf(out, "%s`" STR_FMT "`",
                             k > 0   ? " and "
                             : i > 0 ? ", or "
                                     : "",
                             STR_ARG(name));
        }
    }
    return is_so && !out->is_full;
}

static bool none_holds(struct schema_check *check, const struct schema_frame *frame,
                       const struct schema_rule *rule)
{
    if (check->quiet > 0) return false;
    const struct schema_node *only = only_alternative(frame, rule);
    if (only) return schema_apply(check, only, frame->value, NULL);
    CLEANUP(buf_done) struct buf needed = buf_init(WORDS_MAX);
    if (put_needed(frame, rule, &needed)) {
        return schema_violated(check, frame->node, rule->keyword, "must have " STR_FMT,
                               STR_ARG(buf_str(&needed)));
    }
    return schema_violated(check, frame->node, rule->keyword,
                           "must match one of the %u alternatives, matches none", rule->node_count);
}

bool schema_check_any_of(struct schema_check *check, struct schema_frame *frame,
                         const struct schema_rule *rule)
{
    uint32_t enough = frame->seen.flags ? UINT32_MAX : 1;
    if (count_valid(check, frame, rule, enough) > 0) return true;
    return none_holds(check, frame, rule);
}

bool schema_check_one_of(struct schema_check *check, struct schema_frame *frame,
                         const struct schema_rule *rule)
{
    uint32_t count = count_valid(check, frame, rule, 2);
    if (count == 1) return true;
    if (count == 0) return none_holds(check, frame, rule);
    return schema_violated(check, frame->node, rule->keyword,
                           "must match exactly one of the %u alternatives, matches several",
                           rule->node_count);
}

bool schema_check_not(struct schema_check *check, struct schema_frame *frame,
                      const struct schema_rule *rule)
{
    if (!schema_try(check, rule->nodes[0], frame->value, NULL)) return check->code == STATUS_OK;
    return schema_violated(check, frame->node, rule->keyword, "matches what the schema rules out");
}

bool schema_check_if(struct schema_check *check, struct schema_frame *frame,
                     const struct schema_rule *rule)
{
    bool holds = schema_try(check, rule->nodes[0], frame->value, &frame->seen);
    const struct schema_rule *branch =
        schema_rule_of(frame->node, holds ? KEYWORD_THEN : KEYWORD_ELSE);
    return !branch || schema_apply(check, branch->nodes[0], frame->value, &frame->seen);
}
