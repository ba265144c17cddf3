/**
 * log: one line per event on standard output: JSON when it is a pipe or file, text on a terminal.
 *
 * Constant message, variable fields. Values are redacted by field name (authorization, api_key,
 * password, secret, token, cookie, also as the last word of a longer name) and by the secret values
 * registered with log_add_secret(), and what log_set_scrub() finds is taken out. A line over
 * LOG_LINE_MAX is cut and says so ("cut":true).
 *
 * {"ts":"2026-11-22T10:00:00.000Z","level":"info","service":"gateway","msg":"job.completed",...}
 *
 * Any thread. Library code never logs an error that it returns.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_AUTO, LOG_JSON, LOG_TEXT };

enum {
    LOG_FIELDS_MAX     = 24,
    LOG_SECRETS_MAX    = 256,
    LOG_SECRET_LEN_MIN = 8,
    LOG_LINE_MAX       = 8192 /* bytes */
};

struct log_field {
    const char *name;
    enum { LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_BOOL, LOG_FIELD_REAL } kind;
    str text;
    int64_t integer;
    double real;
};

#define LOG_STR(key, value)                                                                        \
    ((struct log_field){.name = (key), .kind = LOG_FIELD_STR, .text = (value)})
#define LOG_TEXT_OF(key, value) LOG_STR(key, str_from(value))
#define LOG_INT(key, value)                                                                        \
    ((struct log_field){.name = (key), .kind = LOG_FIELD_INT, .integer = (value)})
#define LOG_BOOLEAN(key, value)                                                                    \
    ((struct log_field){.name = (key), .kind = LOG_FIELD_BOOL, .integer = (value)})
#define LOG_REAL(key, value)                                                                       \
    ((struct log_field){.name = (key), .kind = LOG_FIELD_REAL, .real = (value)})

/** Sets the name that every line carries, the least level and the form. Once, before threads. */
void log_init(const char *service, enum log_level level, enum log_format format);
void log_set_level(enum log_level level);

/** Puts `text` into `out` without what must not be in a log; false, and nothing there, if it may
 * stay as it is. Pure; called by all threads. */
typedef bool log_scrub_fn(str text, struct buf *out);
void log_set_scrub(log_scrub_fn *scrub);

/** Says whether lines of that level are written, for who would prepare one in vain. */
bool log_is_written(enum log_level level);
bool log_level_parse(str text, enum log_level *ret_level);

/** From now on `secret` shows as *** wherever it occurs in a value, and so does each line of one
 * that has several (of 16 bytes at least, as of a key in PEM). Copies; a known one again is
 * fine. Of more than LOG_SECRETS_MAX the oldest are forgotten: secrets that change for ever do not
 * keep the newest ones from being hidden. False, and not protected, if it has fewer than 8 bytes.
 */
bool log_add_secret(str secret);

/** Writes one line: log_write(LOG_INFO, "job.completed", LOG_STR("job", id), LOG_INT("attempt",
 * 2)). Repeats of one message above 10 a second are counted, not written; the count follows. */
void log_fields(enum log_level level, const char *message, const struct log_field *fields,
                size_t count);

/** Writes the counts of repeats that are still due. At the end of the process. */
void log_flush(void);

/* One more macro than attr.h has: fields cannot be counted without it. */
#define log_write(level, message, ...)                                                             \
    log_fields((level), (message), (const struct log_field[]){__VA_ARGS__},                        \
               sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

#endif
