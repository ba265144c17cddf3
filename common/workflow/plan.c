#include "workflow/plan.h"

#include "json/json_text.h"

#include <stdio.h>

#define SECOND_US INT64_C(1'000'000)

enum { SPAN_MAX = 64 /* bytes of a duration as text */ };

/* --- times ------------------------------------------------------------------------------------ */

/* P1DT2H3M4.5S */
static json span_new(int64_t us)
{
    char text[SPAN_MAX];
    int64_t seconds = us / SECOND_US;
    int days        = (int)(seconds / 86'400);
    int hours       = (int)(seconds / 3'600 % 24);
    int minutes     = (int)(seconds / 60 % 60);
    int len         = snprintf(text, sizeof text, "P");
    if (days) len += snprintf(text + len, sizeof text - (size_t)len, "%dD", days);
    if (us % (86'400 * SECOND_US) == 0 && days) return json_text_from(text);
    len += snprintf(text + len, sizeof text - (size_t)len, "T");
    if (hours) len += snprintf(text + len, sizeof text - (size_t)len, "%dH", hours);
    if (minutes) len += snprintf(text + len, sizeof text - (size_t)len, "%dM", minutes);
    int64_t rest_ms = us / 1'000 % 60'000;
    if (rest_ms % 1'000) {
        (void)snprintf(text + len, sizeof text - (size_t)len, "%d.%03dS", (int)(rest_ms / 1'000),
                       (int)(rest_ms % 1'000));
    } else if (rest_ms || (!days && !hours && !minutes)) {
        (void)snprintf(text + len, sizeof text - (size_t)len, "%dS", (int)(rest_ms / 1'000));
    }
    return json_text_from(text);
}

static bool is_given(const struct duration *duration)
{
    return duration->us > 0 || duration->computed;
}

static json duration_new(const struct duration *duration)
{
    if (!duration->computed) return span_new(duration->us);
    const struct expression *expression = duration->computed->expression;
    if (!expression) return json_null();
    char text[512];
    (void)snprintf(text, sizeof text, "${%.500s}", expression->source);
    return json_text_lossy(str_from(text));
}

static void put_duration(json *object, const char *key, const struct duration *duration)
{
    if (is_given(duration)) json_object_put_text(object, key, duration_new(duration));
}

/* --- retries ---------------------------------------------------------------------------------- */

static const char *backoff_name(int backoff)
{
    static const char *const names[] = {[BACKOFF_CONSTANT]    = "constant",
                                        [BACKOFF_LINEAR]      = "linear",
                                        [BACKOFF_EXPONENTIAL] = "exponential"};
    return names[backoff];
}

static void put_attempts(json *object, uint32_t retries_max)
{
    if (retries_max == UINT32_MAX) return;
    json_object_put_text(object, "attempts", json_int((int64_t)retries_max + 1));
}

static void put_backoff(json *object, int backoff, uint32_t multiplier_percent)
{
    json_object_put_text(object, "backoff", json_text_from(backoff_name(backoff)));
    if (backoff != BACKOFF_EXPONENTIAL) return;
    json_object_put_text(object, "multiplier", json_real((double)multiplier_percent / 100));
}

static json rule_new(const char *by, const struct retry_rule *rule)
{
    json object = json_object_new(8);
    json_object_put_text(&object, "by", json_text_from(by));
    put_attempts(&object, rule->retries_max);
    json_object_put_text(&object, "delay", duration_new(&rule->delay));
    put_backoff(&object, (int)rule->backoff, rule->multiplier_percent);
    put_duration(&object, "increment", &rule->increment);
    put_duration(&object, "max_delay", &rule->delay_max);
    put_duration(&object, "jitter_from", &rule->jitter_from);
    put_duration(&object, "jitter_to", &rule->jitter_to);
    put_duration(&object, "total", &rule->total_duration);
    return object;
}

static json default_new(const char *by, const struct retry_plan *plan)
{
    json object = json_object_new(8);
    if (by) json_object_put_text(&object, "by", json_text_from(by));
    put_attempts(&object, plan->retries_max);
    json_object_put_text(&object, "delay", span_new(plan->delay_us));
    put_backoff(&object, plan->backoff, plan->multiplier_percent);
    if (plan->delay_max_us) {
        json_object_put_text(&object, "max_delay", span_new(plan->delay_max_us));
    }
    json_object_put_text(&object, "jitter_to", span_new(plan->jitter_to_us));
    json_object_put_text(&object, "errors", json_text_from("transient"));
    return object;
}

static json nobody_new(const char *by)
{
    json object = json_object_new(2);
    json_object_put_text(&object, "by", json_text_from(by));
    json_object_put_text(&object, "attempts", json_int(1));
    return object;
}

/* The `try` directly around a task, if it repeats what is in it. */
static const struct try_body *try_around(const struct workflow *workflow, const struct task *task)
{
    if (task->parent == TASK_NONE) return NULL;
    const struct task *owner = &workflow->tasks[task->parent];
    if (owner->kind != TASK_TRY || !owner->try_.retry) return NULL;
    const struct task_list *body = &owner->try_.body;
    bool is_in = task->position < body->count && body->tasks[task->position] == task->index;
    return is_in ? &owner->try_ : NULL;
}

static json retry_new(const struct workflow *workflow, const struct task *task,
                      const struct plan_defaults *defaults)
{
    if (task->has_own_retry) {
        return task->retry ? rule_new("task", task->retry) : nobody_new("nobody");
    }
    const struct try_body *around = try_around(workflow, task);
    if (around) return rule_new("try", around->retry);
    if (!task->call.has_default_retry) return nobody_new("nobody");
    return default_new("default", defaults->retry ? defaults->retry : &retry_job_default);
}

/* --- jobs ------------------------------------------------------------------------------------- */

static int64_t timeout_us(const struct plan_defaults *defaults)
{
    return defaults->timeout_us ? defaults->timeout_us : PLAN_TIMEOUT_US;
}

/* An attempt ends by the default, or earlier where its policy says so. */
static json attempt_timeout_new(const struct task *task, const struct plan_defaults *defaults)
{
    int64_t limit_us = timeout_us(defaults);
    if (task->retry && task->retry->attempt_duration.computed) {
        return duration_new(&task->retry->attempt_duration);
    }
    int64_t own_us = task->retry ? task->retry->attempt_duration.us : 0;
    return span_new(own_us > 0 && own_us < limit_us ? own_us : limit_us);
}

static json job_new(const struct workflow *workflow, const struct task *task,
                    const struct plan_defaults *defaults)
{
    json job = json_object_new(6);
    json_object_put_text(&job, "task", json_text_from(task->reference));
    json_object_put_text(&job, "function", json_text_from(task->call.function));
    json_object_put_text(&job, "queue", json_text_from(task->call.queue));
    json_object_put_text(&job, "timeout", attempt_timeout_new(task, defaults));
    json_object_put_text(&job, "retry", retry_new(workflow, task, defaults));
    return job;
}

static json defaults_new(const struct plan_defaults *defaults)
{
    int64_t heartbeat_us = defaults->heartbeat_us ? defaults->heartbeat_us : PLAN_HEARTBEAT_US;
    json object          = json_object_new(3);
    json_object_put_text(&object, "retry",
                         default_new(NULL, defaults->retry ? defaults->retry : &retry_job_default));
    json_object_put_text(&object, "timeout", span_new(timeout_us(defaults)));
    json_object_put_text(&object, "heartbeat_timeout", span_new(heartbeat_us));
    return object;
}

json plan_new(const struct workflow *workflow, const struct plan_defaults *defaults)
{
    json jobs     = json_array_new(workflow->task_count);
    json timeouts = json_array_new(0);
    for (uint32_t i = 0; i < workflow->task_count; i++) {
        const struct task *task = &workflow->tasks[i];
        if (task->kind == TASK_CALL && task->call.queue) {
            json_array_push(&jobs, job_new(workflow, task, defaults));
        }
        if (!is_given(&task->timeout)) continue;
        json timeout = json_object_new(2);
        json_object_put_text(&timeout, "task", json_text_from(task->reference));
        json_object_put_text(&timeout, "after", duration_new(&task->timeout));
        json_array_push(&timeouts, timeout);
    }
    json plan = json_object_new(5);
    json_object_put_text(&plan, "tasks", json_int(workflow->task_count));
    put_duration(&plan, "timeout", &workflow->timeout);
    json_object_put_text(&plan, "defaults", defaults_new(defaults));
    json_object_put_text(&plan, "jobs", jobs);
    json_object_put_text(&plan, "timeouts", timeouts);
    return plan;
}
