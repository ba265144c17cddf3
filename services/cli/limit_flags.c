#include "cli/limit_flags.h"

#include "cli/print.h"

#include <inttypes.h>
#include <stdlib.h>

bool limit_is_none(const char *text)
{
    return str_is(str_from(text), "none");
}

/* A positive number up to `end`. */
static bool number_read(const char *text, char end, int64_t *ret_number)
{
    char *stop       = NULL;
    long long number = strtoll(text, &stop, 10);
    *ret_number      = number;
    return stop != text && *stop == end && number > 0 && number < INT64_MAX;
}

bool put_rate(const char *text, struct json_writer *w)
{
    int64_t count = 0;
    if (!limit_is_none(text) && !number_read(text, '/', &count)) return false;
    json_member(w, "rate");
    if (limit_is_none(text)) {
        json_write_value(w, json_null());
        return true;
    }
    json_begin_object(w);
    json_put_int(w, "count", count);
    json_put_text(w, "per", str_from(strchr(text, '/') + 1));
    json_end_object(w);
    return true;
}

bool limit_put(const char *concurrency, const char *rate, struct json_writer *w, size_t *count)
{
    int64_t number = 0;
    if (concurrency && limit_is_none(concurrency)) {
        json_member(w, "concurrency");
        json_write_value(w, json_null());
    } else if (concurrency) {
        if (!number_read(concurrency, '\0', &number)) return false;
        json_put_int(w, "concurrency", number);
    }
    if (rate && !put_rate(rate, w)) return false;
    if (concurrency) ++*count;
    if (rate) ++*count;
    return true;
}

void limit_text_put(json limit, struct buf *out)
{
    json concurrency = json_get_text(limit, "concurrency");
    json rate        = json_get_text(limit, "rate");
    int64_t number   = 0;
    bool is_first    = true;
    if (json_to_int(concurrency, &number)) {
        (void)buf_printf(out, "%" PRId64 " at once", number);
        is_first = false;
    }
    if (!json_to_int(json_get_text(rate, "count"), &number)) return;
    str per = member(rate, "per", "");
    (void)buf_printf(out, "%s%" PRId64 "/" STR_FMT, is_first ? "" : ", ", number, STR_ARG(per));
}
