/** retry_rule: whether something that failed is tried again, and when. For `catch.retry`, for
 * `metadata.tutti.retry`, and for jobs. */
#ifndef SCHEDULER_RETRY_RULE_H
#define SCHEDULER_RETRY_RULE_H

#include "scheduler/decide/scene.h"

struct retry_choice {
    enum retry_verdict {
        RETRY_AGAIN,   /* at due_us */
        RETRY_REFUSED, /* the rule is not for this error */
        RETRY_SPENT,   /* no attempt or no time is left */
    } verdict;
    int64_t due_us;
};

/** What failed: the attempt (from 1), the end of all attempts (0: none), the least wait. */
struct retry_case {
    uint32_t attempt;
    int64_t until_us;
    int64_t wait_min_us;
};

/** Decides by a rule of the definition. `scene` has `$error`; `.` of its conditions is the input.
 * Fails as scene_eval() does: then that is the error to raise. */
status retry_by_rule(struct scene *scene, const struct retry_rule *rule,
                     const struct retry_case *failed, struct retry_choice *ret_choice,
                     json *ret_error);

/** Decides by a plan whose durations are known. */
struct retry_choice retry_by_plan(const struct decide_env *env, const struct retry_plan *plan,
                                  const struct retry_case *failed);

/** When all attempts must have ended of which the first starts at `start_us`; 0: never. */
status retry_end(struct scene *scene, const struct retry_rule *rule, int64_t start_us,
                 int64_t *ret_until_us, json *ret_error);
/** When the attempt that starts at `start_us` must have ended, by `until_us` at last; 0: never. */
status retry_attempt_end(struct scene *scene, const struct retry_rule *rule, int64_t start_us,
                         int64_t until_us, int64_t *ret_attempt_us, json *ret_error);

/** The rule of its own (E8) by which a task in the engine is entered again; NULL: none. That of a
 * `call` is its job's. */
const struct retry_rule *retry_own_rule(const struct task *task);

#endif
