/*
 * Dates in UTC and in the C locale, with arithmetic of our own: the C library's would read the time
 * zone of the process.
 */
#include "expr/builtins.h"
#include "expr/dates.h"

#include <math.h>

#include "base/attr.h"

/* Where a 32-bit year still holds; about two billion years. */
#define SECONDS_MAX 6.7e16

static json to_value(const struct date *date, double fraction)
{
    const int64_t fields[] = {date->year,   date->month,  date->day,     date->hour,
                              date->minute, date->second, date->weekday, date->yearday};
    json value             = json_array_new(ARRAY_LEN(fields));
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        bool is_second = &fields[i] == &fields[5];
        json_array_push(&value, is_second && fraction > 0 ? json_real((double)fields[i] + fraction)
                                                          : json_int(fields[i]));
    }
    return value;
}

static bool from_seconds(struct expr_run *vm, json seconds, struct date *ret, double *ret_fraction)
{
    double value = json_number(seconds);
    if (!(fabs(value) < SECONDS_MAX)) {
        (void)vm_raise(vm, "error converting number of seconds since epoch to datetime");
        return false;
    }
    double whole  = floor(value);
    *ret          = date_from_seconds((int64_t)whole);
    *ret_fraction = value - whole;
    return true;
}

/* A "broken down time": up to eight numbers; what is missing is 0. */
static bool from_value(json value, struct date *ret)
{
    int32_t fields[8] = {};
    for (size_t i = 0; i < ARRAY_LEN(fields) && i < json_count(value); i++) {
        json field = json_at(value, i);
        if (!json_is_number(field) || isnan(json_number(field))) return false;
        double number = fmin(fmax(json_number(field), (double)INT32_MIN), (double)INT32_MAX);
        fields[i]     = (int32_t)number;
    }
    *ret = (struct date){.year    = fields[0],
                         .month   = fields[1],
                         .day     = fields[2],
                         .hour    = fields[3],
                         .minute  = fields[4],
                         .second  = fields[5],
                         .weekday = fields[6],
                         .yearday = fields[7]};
    return true;
}

json native_now(struct expr_run *vm, json *args)
{
    (void)args;
    return json_real((double)vm->now_us / 1e6);
}

json native_gmtime(struct expr_run *vm, json *args)
{
    struct date date;
    double fraction = 0;
    if (!json_is_number(args[0])) return vm_raise(vm, "%s() requires numeric inputs", "gmtime");
    if (!from_seconds(vm, args[0], &date, &fraction)) return json_invalid();
    return to_value(&date, fraction);
}

json native_mktime(struct expr_run *vm, json *args)
{
    struct date date;
    if (args[0].kind != JSON_ARRAY) return vm_raise(vm, "mktime requires array inputs");
    if (!from_value(args[0], &date)) return vm_raise(vm, "mktime requires parsed datetime inputs");
    return json_int(date_to_seconds(&date));
}

static json format_date(struct expr_run *vm, json *args, const char *function)
{
    struct date date;
    double fraction = 0;
    if (json_is_number(args[0])) {
        if (!from_seconds(vm, args[0], &date, &fraction)) return json_invalid();
    } else if (args[0].kind != JSON_ARRAY) {
        return vm_raise(vm, "%s/1 requires parsed datetime inputs", function);
    }
    if (args[1].kind != JSON_TEXT) {
        return vm_raise(vm, "%s/1 requires a string format", function);
    }
    if (args[0].kind == JSON_ARRAY && !from_value(args[0], &date)) {
        return vm_raise(vm, "%s/1 requires parsed datetime inputs", function);
    }
    enum { LONGEST = 32 }; /* bytes of one conversion */
    str format = json_str(args[1]);
    if (!vm_spend_bytes(vm, format.len * LONGEST)) return json_invalid();
    CLEANUP(buf_done) struct buf out = buf_init(format.len * LONGEST);
    date_format(&date, format, &out);
    return json_text_lossy(buf_str(&out));
}

json native_strftime(struct expr_run *vm, json *args)
{
    return format_date(vm, args, "strftime");
}

json native_strflocaltime(struct expr_run *vm, json *args)
{
    return format_date(vm, args, "strflocaltime");
}

json native_strptime(struct expr_run *vm, json *args)
{
    if (args[0].kind != JSON_TEXT || args[1].kind != JSON_TEXT) {
        return vm_raise(vm, "strptime/1 requires string inputs and arguments");
    }
    str text   = json_str(args[0]);
    str format = json_str(args[1]);
    if (!vm_spend(vm, (text.len + format.len) / FUEL_BYTES)) return json_invalid();
    struct date date;
    size_t end = 0;
    if (!date_parse(text, format, &date, &end)) {
        str shown = str_slice(text, 0, 200);
        return vm_raise(vm, "date \"" STR_FMT "\" does not match format \"" STR_FMT "\"",
                        STR_ARG(shown), STR_ARG(format));
    }
    json value = to_value(&date, 0);
    if (end < text.len) json_array_push(&value, json_text_new(str_slice(text, end, text.len)));
    return value;
}
