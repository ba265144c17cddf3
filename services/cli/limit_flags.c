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
    return put_count_per("rate", text, w);
}

bool put_count_per(const char *member, const char *text, struct json_writer *w)
{
    int64_t count = 0;
    if (!limit_is_none(text) && !number_read(text, '/', &count)) return false;
    json_member(w, member);
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

/* Behind what stands there from `begin` on; nothing, if there is no such rate. */
static void add_count_per(json rate, const char *of, size_t begin, struct buf *out)
{
    int64_t number = 0;
    str per        = member(rate, "per", "");
    if (!json_to_int(json_get_text(rate, "count"), &number)) return;
    (void)buf_printf(out, "%s%" PRId64 "%s/" STR_FMT, out->len > begin ? ", " : "", number, of,
                     STR_ARG(per));
}

void limit_text_put(json limit, struct buf *out)
{
    json concurrency = json_get_text(limit, "concurrency");
    size_t begin     = out->len;
    int64_t number   = 0;
    if (json_to_int(concurrency, &number)) {
        (void)buf_printf(out, "%" PRId64 " at once", number);
    }
    add_count_per(json_get_text(limit, "rate"), "", begin, out);
    add_count_per(json_get_text(limit, "tokens"), " tokens", begin, out);
}
