/* `metadata.tutti.limit`: how many jobs of a call, or of all calls of a workflow, that have the
 * same key are at work at once, and how many start in a time. */
#include "workflow/metadata_call.h"

enum { CONCURRENCY_MAX = 1'000'000, RATE_COUNT_MAX = 1'000'000 };
#define PERIOD_MIN_US INT64_C(1'000'000)
#define PERIOD_MAX_US INT64_C(86'400'000'000)

static void concurrency_read(struct reader *reader, json value, void *target)
{
    int64_t number = 0;
    if (integer_read(reader, value, 1, CONCURRENCY_MAX, &number)) {
        *(uint32_t *)target = (uint32_t)number;
    }
}

static void count_read(struct reader *reader, json value, void *target)
{
    int64_t number = 0;
    if (integer_read(reader, value, 1, RATE_COUNT_MAX, &number)) {
        *(uint32_t *)target = (uint32_t)number;
    }
}

static void per_read(struct reader *reader, json value, void *target)
{
    struct duration span = {};
    size_t errors        = reader->list->errors;
    span_read(reader, value, &span);
    if (reader->list->errors != errors) return;
    if (span.computed || span.us < PERIOD_MIN_US || span.us > PERIOD_MAX_US) {
        refuse(reader, "V06", value_place(reader),
               "`per` is a fixed time from 1s to 24h, such as PT1M");
        return;
    }
    *(int64_t *)target = span.us;
}

static const struct field rate_fields[] = {
    {"count", count_read, offsetof(struct limit_rule, rate_count), REQUIRED},
    {"per", per_read, offsetof(struct limit_rule, rate_period_us), REQUIRED},
};
static const struct object_kind rate_kind = {
    .what = "`rate`", .fields = rate_fields, .field_count = ARRAY_LEN(rate_fields)};

static void rate_read(struct reader *reader, json value, void *target)
{
    (void)object_read(reader, &rate_kind, value, target);
}

static const struct field limit_fields[] = {
    {"key", template_expression_read, offsetof(struct limit_rule, key), OPTIONAL},
    {"concurrency", concurrency_read, offsetof(struct limit_rule, concurrency), OPTIONAL},
    {"rate", rate_read, 0, OPTIONAL},
};
static const struct synonym limit_synonyms[] = {
    {"limit", "concurrency"},
    {"max", "concurrency"},
    {"throttle", "rate"},
    {},
};
static const struct object_kind limit_kind = {
    .what        = "`limit`",
    .fields      = limit_fields,
    .field_count = ARRAY_LEN(limit_fields),
    .synonyms    = limit_synonyms,
};

static const struct limit_rule *rule_read(struct reader *reader, json value, bool is_of_workflow)
{
    struct limit_rule *rule = reader_alloc(reader, 1, sizeof *rule);
    size_t errors           = reader->list->errors;
    rule->is_of_workflow    = is_of_workflow;
    if (!object_read(reader, &limit_kind, value, rule)) return NULL;
    bool is_empty = !rule->key && rule->concurrency == 0 && rule->rate_count == 0;
    if (is_empty && reader->list->errors == errors) {
        struct diagnostic *finding = refuse(reader, "V06", value_place(reader),
                                            "`limit` needs `concurrency`, `rate` or `key`");
        hint(reader, finding, "`limit: { key: '${ .customer }', concurrency: 1 }`");
    }
    return rule;
}

void limit_read(struct reader *reader, json value, void *target)
{
    struct task *task = target;
    if (task->kind == TASK_CALL && task->call.by == CALL_JOB) {
        task->call.limit = rule_read(reader, value, false);
        return;
    }
    struct diagnostic *finding =
        refuse(reader, "V30", key_place(reader),
               "`limit` means nothing here: it belongs to a `call` that makes a job");
    hint(reader, finding, task->kind == TASK_FOR ? "`parallel` bounds a `for`" : "put it there");
}

void document_limit_read(struct reader *reader, json value, void *target)
{
    struct workflow *workflow = target;
    workflow->limit           = rule_read(reader, value, true);
}
