/* log_internal: the parts of the log that decide, without clock and output. */
#ifndef BASE_LOG_INTERNAL_H
#define BASE_LOG_INTERNAL_H

#include "base/log.h"

struct log_secret {
    str text;
    bool has_lines; /* each of them is hidden, too */
};

struct log_record {
    int64_t unix_us;
    enum log_level level;
    const char *service;
    const char *message;
    const struct log_field *fields;
    size_t field_count;
    log_scrub_fn *scrub; /* NULL: texts stay */
};

/** Writes one line with its newline and returns its length. `format` is not LOG_AUTO. */
size_t log_render(const struct log_record *record, enum log_format format,
                  const struct log_secret *secrets, size_t secret_count,
                  char line[static LOG_LINE_MAX]);

enum { LOG_LIMIT_MESSAGES = 64, LOG_LIMIT_PER_WINDOW = 10, LOG_LIMIT_WINDOW_MS = 1000 };

/** Counts the repeats of each message. Zeroed is empty. */
struct log_limit {
    struct log_repeat {
        const char *message; /* static text */
        int64_t start_ms;
        unsigned passed;
        unsigned suppressed;
    } repeats[LOG_LIMIT_MESSAGES];
};

/** Says whether `message` may be written at `now_ms`. */
bool log_limit_pass(struct log_limit *limit, const char *message, int64_t now_ms);

/** Takes out a message whose window has ended with suppressed repeats; false if there is none. */
bool log_limit_due(struct log_limit *limit, int64_t now_ms, const char **ret_message,
                   unsigned *ret_suppressed);

#endif
