/* Retry policies in a definition. */
#include "workflow/compile.h"
#include "workflow/use.h"

#include <math.h>

enum { MULTIPLIER_MAX = 1'000, PERCENT = 100 };

static void empty_read(struct reader *reader, json value, void *)
{
    static const struct object_kind kind = {.what = "`constant`"};
    (void)object_read(reader, &kind, value, NULL);
}

static void multiplier_read(struct reader *reader, json value, void *target)
{
    uint32_t *percent = target;
    double multiplier = json_is_number(value) ? json_number(value) : 0;
    if (!(multiplier >= 1 && multiplier <= MULTIPLIER_MAX)) {
        refuse(reader, "V06", value_place(reader), "`multiplier` is a number from 1 to %d",
               MULTIPLIER_MAX);
        return;
    }
    *percent = (uint32_t)lround(multiplier * PERCENT);
}

static const struct field exponential_fields[] = {
    {"multiplier", multiplier_read, offsetof(struct retry_rule, multiplier_percent), OPTIONAL},
    {"maxDelay", span_read, offsetof(struct retry_rule, delay_max), OPTIONAL},
};
static const struct synonym exponential_synonyms[] = {
    {"factor", "multiplier"},
    {"base", "multiplier"},
    {"max", "maxDelay"},
    {"max_delay", "maxDelay"},
    {},
};
static const struct object_kind exponential_kind = {
    .what        = "`exponential`",
    .fields      = exponential_fields,
    .field_count = ARRAY_LEN(exponential_fields),
    .synonyms    = exponential_synonyms,
};

static void exponential_read(struct reader *reader, json value, void *target)
{
    struct retry_rule *rule = target;
    rule->backoff           = BACKOFF_EXPONENTIAL;
    (void)object_read(reader, &exponential_kind, value, rule);
}

static const struct field linear_fields[] = {
    {"increment", span_read, offsetof(struct retry_rule, increment), OPTIONAL},
};
static const struct object_kind linear_kind = {
    .what = "`linear`", .fields = linear_fields, .field_count = ARRAY_LEN(linear_fields)};

static void linear_read(struct reader *reader, json value, void *target)
{
    struct retry_rule *rule = target;
    rule->backoff           = BACKOFF_LINEAR;
    (void)object_read(reader, &linear_kind, value, rule);
}

static const struct field backoff_fields[] = {
    {"constant", empty_read, 0, OPTIONAL},
    {"exponential", exponential_read, 0, OPTIONAL},
    {"linear", linear_read, 0, OPTIONAL},
};
static const struct object_kind backoff_kind = {
    .what = "`backoff`", .fields = backoff_fields, .field_count = ARRAY_LEN(backoff_fields)};

static void backoff_read(struct reader *reader, json value, void *target)
{
    if (object_read(reader, &backoff_kind, value, target) && json_count(value) != 1) {
        struct diagnostic *finding =
            refuse(reader, "V06", value_place(reader),
                   "`backoff` needs exactly one of `constant`, `exponential`, `linear`");
        hint(reader, finding, "`backoff: { exponential: {} }`");
    }
}

static void count_read(struct reader *reader, json value, void *target)
{
    int64_t count;
    if (integer_read(reader, value, 0, UINT32_MAX - 1, &count)) {
        *(uint32_t *)target = (uint32_t)count;
    }
}

static const struct field attempt_fields[] = {
    {"count", count_read, offsetof(struct retry_rule, retries_max), OPTIONAL},
    {"duration", span_read, offsetof(struct retry_rule, attempt_duration), OPTIONAL},
};
static const struct synonym attempt_synonyms[] = {
    {"max", "count"},
    {"timeout", "duration"},
    {},
};
static const struct object_kind attempt_kind = {
    .what        = "`limit.attempt`",
    .fields      = attempt_fields,
    .field_count = ARRAY_LEN(attempt_fields),
    .synonyms    = attempt_synonyms,
};

static void attempt_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &attempt_kind, value, target);
}

static const struct field limit_fields[] = {
    {"attempt", attempt_read, 0, OPTIONAL},
    {"duration", span_read, offsetof(struct retry_rule, total_duration), OPTIONAL},
};
static const struct synonym limit_synonyms[] = {
    {"count", "attempt: { count: … }"},
    {"attempts", "attempt: { count: … }"},
    {},
};
static const struct object_kind limit_kind = {
    .what        = "`limit`",
    .fields      = limit_fields,
    .field_count = ARRAY_LEN(limit_fields),
    .synonyms    = limit_synonyms,
};

static void limit_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &limit_kind, value, target);
}

static const struct field jitter_fields[] = {
    {"from", span_read, offsetof(struct retry_rule, jitter_from), REQUIRED},
    {"to", span_read, offsetof(struct retry_rule, jitter_to), REQUIRED},
};
static const struct object_kind jitter_kind = {
    .what = "`jitter`", .fields = jitter_fields, .field_count = ARRAY_LEN(jitter_fields)};

static void jitter_read(struct reader *reader, json value, void *target)
{
    const struct retry_rule *rule = target;
    (void)object_read(reader, &jitter_kind, value, target);
    bool is_fixed = !rule->jitter_from.computed && !rule->jitter_to.computed;
    if (is_fixed && rule->jitter_from.us > rule->jitter_to.us) {
        struct diagnostic *finding =
            refuse(reader, "V07", value_place(reader), "`jitter.from` is longer than `jitter.to`");
        hint(reader, finding, "swap the two");
    }
}

static const struct field policy_fields[] = {
    {"when", expression_read, offsetof(struct retry_rule, when), OPTIONAL},
    {"exceptWhen", expression_read, offsetof(struct retry_rule, except_when), OPTIONAL},
    {"delay", span_read, offsetof(struct retry_rule, delay), OPTIONAL},
    {"backoff", backoff_read, 0, OPTIONAL},
    {"limit", limit_read, 0, OPTIONAL},
    {"jitter", jitter_read, 0, OPTIONAL},
};
static const struct synonym policy_synonyms[] = {
    {"attempts", "limit: { attempt: { count: … } }"},
    {"count", "limit: { attempt: { count: … } }"},
    {"maxAttempts", "limit: { attempt: { count: … } }"},
    {"interval", "delay"},
    {"maxDelay", "backoff: { exponential: { maxDelay: … } }"},
    {"multiplier", "backoff: { exponential: { multiplier: … } }"},
    {},
};
static const struct object_kind policy_kind = {
    .what        = "a retry policy",
    .fields      = policy_fields,
    .field_count = ARRAY_LEN(policy_fields),
    .synonyms    = policy_synonyms,
};

void retry_policy_read(struct reader *reader, json value, void *target)
{
    const struct retry_rule **result = target;
    struct retry_rule *rule          = reader_alloc(reader, 1, sizeof *rule);
    rule->multiplier_percent         = 2 * PERCENT;
    rule->retries_max                = UINT32_MAX;
    if (object_read(reader, &policy_kind, value, rule)) *result = rule;
}

void retry_read(struct reader *reader, json value, void *target)
{
    if (!json_is(value, JSON_TEXT)) {
        retry_policy_read(reader, value, target);
        return;
    }
    struct definition *definition = definition_find(reader, DEFINITION_RETRY, json_str(value));
    if (definition) definition_read(reader, definition, retry_policy_read, target);
}
