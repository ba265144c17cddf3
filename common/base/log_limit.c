#include "base/log_internal.h"

static bool has_ended(const struct log_repeat *repeat, int64_t now_ms)
{
    return now_ms - repeat->start_ms >= LOG_LIMIT_WINDOW_MS;
}

/* Returns the entry of `message`, else one that nobody needs any more, else NULL. */
static struct log_repeat *find(struct log_limit *limit, const char *message, int64_t now_ms)
{
    struct log_repeat *unused = NULL;
    for (size_t i = 0; i < LOG_LIMIT_MESSAGES; i++) {
        struct log_repeat *repeat = &limit->repeats[i];
        if (repeat->message && strcmp(repeat->message, message) == 0) return repeat;
        bool is_unused = !repeat->message || (has_ended(repeat, now_ms) && repeat->suppressed == 0);
        if (is_unused && !unused) unused = repeat;
    }
    return unused;
}

bool log_limit_pass(struct log_limit *limit, const char *message, int64_t now_ms)
{
    struct log_repeat *repeat = find(limit, message, now_ms);
    if (!repeat) return true; /* too many different ones: rather too much than too little */

    bool is_known = repeat->message && strcmp(repeat->message, message) == 0;
    if (!is_known || has_ended(repeat, now_ms)) {
        unsigned suppressed = is_known ? repeat->suppressed : 0;
        *repeat =
            (struct log_repeat){.message = message, .start_ms = now_ms, .suppressed = suppressed};
    }
    if (repeat->passed == LOG_LIMIT_PER_WINDOW) {
        repeat->suppressed++;
        return false;
    }
    repeat->passed++;
    return true;
}

bool log_limit_due(struct log_limit *limit, int64_t now_ms, const char **ret_message,
                   unsigned *ret_suppressed)
{
    for (size_t i = 0; i < LOG_LIMIT_MESSAGES; i++) {
        struct log_repeat *repeat = &limit->repeats[i];
        if (repeat->suppressed == 0 || !has_ended(repeat, now_ms)) continue;
        *ret_message       = repeat->message;
        *ret_suppressed    = repeat->suppressed;
        repeat->suppressed = 0;
        return true;
    }
    return false;
}
