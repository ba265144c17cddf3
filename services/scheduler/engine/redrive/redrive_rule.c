#include "scheduler/engine/queues/queue_limits.h"
#include "scheduler/engine/redrive/redrive.h"

status redrive_rule_check(const Pb__RedriveRule *rule, uint16_t partitions, struct error *reterr)
{
    const struct queue_limits limits = {.rate_count     = rule->rate_count,
                                        .rate_period_us = rule->rate_period_us};
    if (rule->n_errors > REDRIVE_ERRORS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "redrive.errors: at most %d",
                    REDRIVE_ERRORS_MAX);
    }
    for (size_t i = 0; i < rule->n_errors; i++) {
        size_t length = strlen(rule->errors[i]);
        if (length == 0 || length > REDRIVE_ERROR_TEXT_MAX) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "redrive.errors: texts of 1 to %d bytes",
                        REDRIVE_ERROR_TEXT_MAX);
        }
    }
    if (rule->after_us < 0 || rule->after_us > REDRIVE_AFTER_MAX_US) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "redrive.after: from `0s` to `30d`");
    }
    if (rule->times < 1 || rule->times > REDRIVE_TIMES_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "redrive.times: 1 to %d", REDRIVE_TIMES_MAX);
    }
    struct error why = {};
    status checked   = queue_limits_check(&limits, partitions, &why);
    if (checked == STATUS_OK) return STATUS_OK;
    return fail(reterr, checked, "redrive.%s", why.text);
}

static bool is_class(str error_type, str wanted)
{
    if (str_equal(error_type, wanted)) return true;
    if (error_type.len <= wanted.len) return false;
    size_t at   = error_type.len - wanted.len;
    char before = error_type.ptr[at - 1];
    return (before == '/' || before == ':' || before == '#') &&
           str_equal(str_slice(error_type, at, error_type.len), wanted);
}

bool redrive_rule_means(const Pb__RedriveRule *rule, str error_type)
{
    bool is_meant = rule->n_errors == 0;
    for (size_t i = 0; i < rule->n_errors && !is_meant; i++) {
        is_meant = is_class(error_type, str_from(rule->errors[i]));
    }
    return is_meant;
}
