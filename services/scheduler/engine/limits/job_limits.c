/* What a workflow limits, by name: "key:namespace/workflow[/task]:key". */
#include "base/hash.h"
#include "scheduler/engine/limits/engine_limits.h"

/* What does not fit is told apart by its hash. */
static char *name_of(struct engine *engine, const struct workflow *workflow, const char *task,
                     const char *key)
{
    enum { DIGITS = 32 };
    char *full = arena_printf(engine->arena, "key:%s/%s%s:%s", workflow->namespace_, workflow->name,
                              task, key);
    if (!full || strlen(full) <= LIMIT_NAME_MAX) return full;
    uint8_t digest[SHA256_SIZE];
    char text[2 * SHA256_SIZE + 1];
    sha256((bytes){full, strlen(full)}, digest);
    hex_encode(digest, sizeof digest, text);
    return arena_printf(engine->arena, "key:%s/%.*s:%s", workflow->namespace_, DIGITS, text, key);
}

status engine_job_limits(struct engine *engine, const struct live_run *live,
                         const struct event *event, struct open_job *job, struct error *reterr)
{
    const struct limit_rule *rule = event->limit;
    if (!rule) return STATUS_OK;
    const struct workflow *workflow = run_workflow(live->run);
    bool has_key                    = json_is(event->limit_key, JSON_TEXT);
    bool has_numbers                = rule->concurrency > 0 || rule->rate_count > 0;
    const char *task = rule->is_of_workflow ? "" : workflow->tasks[event->task].reference;
    char *key        = text_in(engine->arena, has_key ? json_str(event->limit_key) : (str){});
    char *name       = key ? name_of(engine, workflow, task, key) : NULL;
    if (!name) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    if (has_key) job->limit_key = key;
    if (!has_numbers) return STATUS_OK;
    job->limit_name = name;
    job->limit_rule = (struct queue_limits){.concurrency    = rule->concurrency,
                                            .rate_count     = rule->rate_count,
                                            .rate_period_us = rule->rate_period_us};
    return STATUS_OK;
}
