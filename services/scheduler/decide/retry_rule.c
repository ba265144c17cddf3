#include "scheduler/decide/retry_rule.h"

#include "scheduler/decide/decide.h"

struct retry_choice retry_by_plan(const struct decide_env *env, const struct retry_plan *plan,
                                  const struct retry_case *failed)
{
    int64_t wait_us = retry_delay_us(plan, failed->attempt, prng_next(env->random));
    if (wait_us == RETRY_NEVER) return (struct retry_choice){.verdict = RETRY_SPENT};
    if (wait_us < failed->wait_min_us) wait_us = failed->wait_min_us;

    int64_t due_us = decide_after(env, wait_us);
    if (failed->until_us != 0 && due_us >= failed->until_us) {
        return (struct retry_choice){.verdict = RETRY_SPENT};
    }
    return (struct retry_choice){.verdict = RETRY_AGAIN, .due_us = due_us};
}

static status applies(struct scene *scene, const struct retry_rule *rule, bool *ret_applies,
                      json *ret_error)
{
    *ret_applies = true;
    if (rule->when) TRY(scene_test(scene, rule->when, scene->input, ret_applies, ret_error));
    if (!*ret_applies || !rule->except_when) return STATUS_OK;
    bool is_excepted = false;
    TRY(scene_test(scene, rule->except_when, scene->input, &is_excepted, ret_error));
    *ret_applies = !is_excepted;
    return STATUS_OK;
}

static status plan_of(struct scene *scene, const struct retry_rule *rule,
                      struct retry_plan *ret_plan, json *ret_error)
{
    *ret_plan = (struct retry_plan){
        .backoff            = (int)rule->backoff,
        .multiplier_percent = rule->multiplier_percent,
        .retries_max        = rule->retries_max,
    };
    TRY(scene_duration(scene, &rule->delay, &ret_plan->delay_us, ret_error));
    TRY(scene_duration(scene, &rule->increment, &ret_plan->increment_us, ret_error));
    TRY(scene_duration(scene, &rule->delay_max, &ret_plan->delay_max_us, ret_error));
    TRY(scene_duration(scene, &rule->jitter_from, &ret_plan->jitter_from_us, ret_error));
    return scene_duration(scene, &rule->jitter_to, &ret_plan->jitter_to_us, ret_error);
}

status retry_by_rule(struct scene *scene, const struct retry_rule *rule,
                     const struct retry_case *failed, struct retry_choice *ret_choice,
                     json *ret_error)
{
    bool does_apply = false;
    TRY(applies(scene, rule, &does_apply, ret_error));
    if (!does_apply) {
        *ret_choice = (struct retry_choice){.verdict = RETRY_REFUSED};
        return STATUS_OK;
    }
    struct retry_plan plan = {};
    TRY(plan_of(scene, rule, &plan, ret_error));
    *ret_choice = retry_by_plan(scene->env, &plan, failed);
    return STATUS_OK;
}

/* 0: the rule names no such time. */
static int64_t after(int64_t start_us, int64_t duration_us)
{
    const struct decide_env from_start = {.now_us = start_us};
    return duration_us ? decide_after(&from_start, duration_us) : 0;
}

status retry_end(struct scene *scene, const struct retry_rule *rule, int64_t start_us,
                 int64_t *ret_until_us, json *ret_error)
{
    int64_t total_us = 0;
    TRY(scene_duration(scene, &rule->total_duration, &total_us, ret_error));
    *ret_until_us = after(start_us, total_us);
    return STATUS_OK;
}

status retry_attempt_end(struct scene *scene, const struct retry_rule *rule, int64_t start_us,
                         int64_t until_us, int64_t *ret_attempt_us, json *ret_error)
{
    int64_t attempt_us = 0;
    TRY(scene_duration(scene, &rule->attempt_duration, &attempt_us, ret_error));
    int64_t end_us  = after(start_us, attempt_us);
    bool is_earlier = until_us != 0 && (end_us == 0 || until_us < end_us);
    *ret_attempt_us = is_earlier ? until_us : end_us;
    return STATUS_OK;
}

const struct retry_rule *retry_own_rule(const struct task *task)
{
    if (task->kind == TASK_CALL || !task->has_own_retry) return NULL;
    return task->retry;
}
