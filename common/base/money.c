#include "base/money.h"

enum { NANOS_DIGITS = 9 };

static const uint64_t NANOS_PER_USD = 1'000'000'000;

bool money_print(int64_t usd_nanos, struct buf *out)
{
    /* The negative of INT64_MIN does not fit an int64. */
    uint64_t amount = usd_nanos < 0 ? -(uint64_t)usd_nanos : (uint64_t)usd_nanos;
    if (usd_nanos < 0) (void)buf_put_byte(out, '-');
    (void)buf_put_number(out, amount / NANOS_PER_USD);
    uint64_t rest = amount % NANOS_PER_USD;
    if (rest == 0) return !out->is_full;
    size_t digits                   = NANOS_DIGITS;
    char fraction[NANOS_DIGITS + 1] = ".";
    for (; rest % 10 == 0; rest /= 10) digits--;
    for (size_t i = digits; i > 0; i--, rest /= 10) fraction[i] = (char)('0' + rest % 10);
    return buf_put(out, fraction, digits + 1);
}

bool money_parse(str text, int64_t *ret_usd_nanos)
{
    int64_t nanos = 0;
    int fraction  = -1; /* digits after the point; -1: no point yet */
    size_t digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '.' && fraction < 0 && digits > 0) {
            fraction = 0;
            continue;
        }
        if (c < '0' || c > '9' || fraction == NANOS_DIGITS) return false;
        if (__builtin_mul_overflow(nanos, 10, &nanos)) return false;
        if (__builtin_add_overflow(nanos, c - '0', &nanos)) return false;
        digits++;
        if (fraction >= 0) fraction++;
    }
    if (digits == 0 || fraction == 0) return false;
    for (int i = fraction < 0 ? 0 : fraction; i < NANOS_DIGITS; i++) {
        if (__builtin_mul_overflow(nanos, 10, &nanos)) return false;
    }
    *ret_usd_nanos = nanos;
    return true;
}
