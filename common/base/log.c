#include "base/log.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log_internal.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The one mutable global of the project besides the crash handler: everybody logs to one place. */
static struct log_sink {
    _Atomic(enum log_level) level;
    pthread_mutex_t mutex; /* guards all below */
    const char *service;
    enum log_format format;
    log_scrub_fn *scrub; /* NULL: none */
    struct log_secret secrets[LOG_SECRETS_MAX];
    char *copies[LOG_SECRETS_MAX]; /* owned: what they are views of */
    size_t secret_count;
    size_t next_secret; /* takes the place of the oldest */
    struct log_limit limit;
} sink = {.level = LOG_INFO, .mutex = PTHREAD_MUTEX_INITIALIZER, .service = "tutti"};

static void lock(void)
{
    int failed = pthread_mutex_lock(&sink.mutex);
    ASSERT(failed == 0);
}

static void unlock(void)
{
    int failed = pthread_mutex_unlock(&sink.mutex);
    ASSERT(failed == 0);
}

void log_init(const char *service, enum log_level level, enum log_format format)
{
    lock();
    sink.service = service;
    sink.format  = format;
    unlock();
    log_set_level(level);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&sink.level, level, memory_order_relaxed);
}

void log_set_scrub(log_scrub_fn *scrub)
{
    lock();
    sink.scrub = scrub;
    unlock();
}

bool log_is_written(enum log_level level)
{
    return level >= atomic_load_explicit(&sink.level, memory_order_relaxed);
}

bool log_level_parse(str text, enum log_level *ret_level)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!str_is(text, names[i])) continue;
        *ret_level = (enum log_level)i;
        return true;
    }
    return false;
}

bool log_add_secret(str secret)
{
    if (secret.len < LOG_SECRET_LEN_MIN) return false;
    lock();
    size_t at = 0;
    while (at < sink.secret_count && !str_equal(sink.secrets[at].text, secret)) at++;
    if (at == sink.secret_count) {
        size_t place = sink.next_secret;
        if (sink.secret_count < LOG_SECRETS_MAX) sink.secret_count++;
        sink.next_secret = (place + 1) % LOG_SECRETS_MAX;
        free(sink.copies[place]);
        sink.copies[place]  = mem_dup(secret.ptr, secret.len);
        sink.secrets[place] = (struct log_secret){
            .text      = {.ptr = sink.copies[place], .len = secret.len},
            .has_lines = memchr(secret.ptr, '\n', secret.len) != NULL,
        };
    }
    unlock();
    return true;
}

/* A line that cannot be written is lost: there is nobody left to tell. */
static void write_line(const char *line, size_t len)
{
    while (len > 0) {
        ssize_t written = write(STDOUT_FILENO, line, len);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;
        line += written;
        len -= (size_t)written;
    }
}

/* Under the mutex, so that lines of threads do not mix. */
static void write_record(enum log_level level, const char *message, const struct log_field *fields,
                         size_t count)
{
    if (sink.format == LOG_AUTO) sink.format = isatty(STDOUT_FILENO) ? LOG_TEXT : LOG_JSON;
    struct log_record record = {
        .unix_us     = clock_unix_us(),
        .level       = level,
        .service     = sink.service,
        .message     = message,
        .fields      = fields,
        .field_count = count,
        .scrub       = sink.scrub,
    };
    char line[LOG_LINE_MAX];
    size_t len = log_render(&record, sink.format, sink.secrets, sink.secret_count, line);
    write_line(line, len);
}

static void write_due(int64_t now_ms)
{
    const char *message;
    unsigned suppressed;
    while (log_limit_due(&sink.limit, now_ms, &message, &suppressed)) {
        struct log_field fields[] = {LOG_TEXT_OF("of", message), LOG_INT("count", suppressed)};
        write_record(LOG_WARN, "log.suppressed", fields, sizeof fields / sizeof fields[0]);
    }
}

void log_fields(enum log_level level, const char *message, const struct log_field *fields,
                size_t count)
{
    ASSERT(count <= LOG_FIELDS_MAX);
    if (level < atomic_load_explicit(&sink.level, memory_order_relaxed)) return;

    int64_t now_ms = clock_mono_ms();
    lock();
    write_due(now_ms);
    if (log_limit_pass(&sink.limit, message, now_ms)) write_record(level, message, fields, count);
    unlock();
}

void log_flush(void)
{
    lock();
    write_due(INT64_MAX);
    unlock();
}
