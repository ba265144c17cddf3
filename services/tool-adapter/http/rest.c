#include "tool-adapter/http/rest.h"

#include "adapter/scope.h"
#include "base/clock.h"
#include "http/http_date.h"
#include "json/json_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MAX_MS = 86'400'000, SECOND_MS = 1'000, SECOND_US = 1'000'000, DIGITS_MAX = 32 };

/* What is read from: the answer's headers, and what time it was there. */
struct reading {
    json headers;
    int64_t now_us;
};

static bool header_of(const struct reading *reading, const char *name, str *ret_value)
{
    json value = json_get_text(reading->headers, name);
    if (!json_is(value, JSON_TEXT) || json_str(value).len == 0) return false;
    *ret_value = json_str(value);
    return true;
}

/* A number of a header; texts of JSON values end with a NUL. */
static bool number_of(str text, double *ret_number)
{
    char *end = NULL;
    if (text.len == 0 || text.len > DIGITS_MAX) return false;
    *ret_number = strtod(text.ptr, &end);
    return end == text.ptr + text.len && isfinite(*ret_number);
}

static int64_t clamp_ms(double wait_ms)
{
    if (!(wait_ms > 0)) return 0;
    return wait_ms < WAIT_MAX_MS ? (int64_t)ceil(wait_ms) : WAIT_MAX_MS;
}

/* A time or a wait in `format`; 0 if it is neither. */
static int64_t wait_of(const struct reading *reading, str text, const char *format)
{
    double number   = 0;
    int64_t time_us = 0;
    int64_t date_s  = 0;
    double now_ms   = (double)reading->now_us / SECOND_MS;
    if (!format) format = "delta_seconds";
    if (strcmp(format, "iso8601") == 0) {
        if (!time_parse(text, &time_us)) return 0;
        return clamp_ms((double)time_us / SECOND_MS - now_ms);
    }
    if (!number_of(text, &number)) {
        if (!http_date_read(text, &date_s)) return 0;
        return clamp_ms((double)date_s * SECOND_MS - now_ms);
    }
    if (strcmp(format, "epoch_seconds") == 0) return clamp_ms(number * SECOND_MS - now_ms);
    if (strcmp(format, "epoch_ms") == 0) return clamp_ms(number - now_ms);
    return clamp_ms(number * SECOND_MS);
}

static int64_t wait_of_value(const struct reading *reading, const struct rate_limit *limit,
                             json scope)
{
    CLEANUP(json_unrefp) json value = json_invalid();
    CLEANUP(json_unrefp) json text  = json_invalid();
    if (!limit->retry_after_value) return 0;
    if (formula_eval(limit->retry_after_value, scope, scope_now_us(scope), &value, NULL) !=
        STATUS_OK) {
        return 0;
    }
    if (json_is(value, JSON_TEXT)) {
        return wait_of(reading, json_str(value), limit->retry_after_format);
    }
    if (!json_is_number(value)) return 0;
    text = json_to_text_new(value);
    return wait_of(reading, json_str(text), limit->retry_after_format);
}

int64_t rest_of(const struct rate_limit *limit, json scope, int64_t now_us)
{
    json response          = json_get_text(scope, "response");
    struct reading reading = {.headers = json_get_text(response, "headers"), .now_us = now_us};
    str value              = {};
    int64_t date_s         = 0;
    int64_t status_code    = 0;
    double left            = 1;
    if (header_of(&reading, "date", &value) && http_date_read(value, &date_s)) {
        reading.now_us = date_s * SECOND_US;
    }
    (void)json_to_int(json_get_text(response, "status"), &status_code);
    int64_t wait_ms    = wait_of_value(&reading, limit, scope);
    bool says_later    = status_code >= 300;
    const char *header = limit->retry_after ? limit->retry_after : "retry-after";
    if (wait_ms == 0 && says_later && header_of(&reading, header, &value)) {
        wait_ms = wait_of(&reading, value, limit->retry_after_format);
    }
    if (wait_ms > 0 || !limit->remaining || !limit->reset) return wait_ms;
    bool is_spent = header_of(&reading, limit->remaining, &value) && number_of(value, &left) &&
                    left <= 0 && header_of(&reading, limit->reset, &value);
    return is_spent ? wait_of(&reading, value, limit->reset_format) : 0;
}
