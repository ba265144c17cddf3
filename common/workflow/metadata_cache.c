/* `metadata.tutti.cache`: how long the answer of a call is kept for others (E16). */
#include "workflow/catalog.h"
#include "workflow/metadata_call.h"

/* Calls that change nothing: of a worker that nobody describes, its author says so by `cache`. */
static bool only_reads(const struct function *function)
{
    static const char *const models[] = {"llm.chat", "llm.embed"};
    if (function->is_own_worker) return true;
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        if (strcmp(function->name, models[i]) == 0) return true;
    }
    return function->description && function->description->effect == EFFECT_READ;
}

/* Says why nothing of this task can be kept; false: it can. */
static bool refuse_task(struct reader *reader, const struct draft *draft)
{
    const struct function *function = draft->function;
    bool is_job = draft->task.kind == TASK_CALL && draft->task.call.by == CALL_JOB;
    if (!is_job) {
        refuse(reader, "V30", key_place(reader),
               "`cache` means nothing here: it belongs to a `call` that makes a job");
        return true;
    }
    if (only_reads(function)) return false;
    struct diagnostic *finding = refuse(
        reader, "V30", key_place(reader),
        "`cache` is for functions that only read; `%s` may change something", function->name);
    if (function->description) {
        hint(reader, finding, "its effect is `%s`: leave `cache` out",
             effect_name(function->description->effect));
    } else {
        hint(reader, finding, "a function of effect read, `llm.chat`, `llm.embed` or `worker.…`");
    }
    return true;
}

static void max_age_read(struct reader *reader, json value, void *target)
{
    struct duration *max_age = target;
    size_t errors            = reader->list->errors;
    span_read(reader, value, max_age);
    bool is_nothing = !max_age->computed && max_age->us <= 0;
    if (is_nothing && reader->list->errors == errors) {
        refuse(reader, "V06", value_place(reader), "`maxAge` is above 0");
    }
}

static const struct field cache_fields[] = {
    {"maxAge", max_age_read, offsetof(struct cache_rule, max_age), REQUIRED},
    {"key", template_expression_read, offsetof(struct cache_rule, key), OPTIONAL},
};
static const struct synonym cache_synonyms[] = {
    {"ttl", "maxAge"},
    {"max_age", "maxAge"},
    {"expires", "maxAge"},
    {},
};
static const struct object_kind cache_kind = {
    .what        = "`cache`",
    .fields      = cache_fields,
    .field_count = ARRAY_LEN(cache_fields),
    .synonyms    = cache_synonyms,
};

void cache_read(struct reader *reader, json value, void *target)
{
    struct task *task = target;
    if (task->kind == TASK_CALL && !reader->draft->function) return; /* which has a finding */
    if (refuse_task(reader, reader->draft)) return;
    struct cache_rule *rule = reader_alloc(reader, 1, sizeof *rule);
    if (!object_read(reader, &cache_kind, value, rule)) return;
    task->call.cache           = rule;
    reader->draft->cache_place = key_place(reader);
}

/* What is stored of secrets is `***`, so calls with different ones would look equal. */
void cache_finish(struct reader *reader, const struct draft *draft)
{
    const struct task *task = &draft->task;
    if (task->kind != TASK_CALL || !task->call.cache) return;
    if (!task->sends_secrets || task->call.cache->key) return;
    struct diagnostic *finding =
        refuse(reader, "V30", draft->cache_place,
               "`cache` needs `key` here: the arguments hold secrets, which are no part of it");
    hint(reader, finding, "`key: ${ … }` with all that the answer depends on");
}
