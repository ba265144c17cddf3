#include "http/http_date.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum { DATE_LEN = 29 /* bytes of "Sun, 06 Nov 1994 08:49:37 GMT" */ };

/* 1 to 12; 0: no month. */
static int month_of(const char *name)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++) {
        if (memcmp(name, names + 3 * i, 3) == 0) return i + 1;
    }
    return 0;
}

bool http_date_read(str text, int64_t *ret_unix_s)
{
    static const char form[] = "aaa, 00 aaa 0000 00:00:00 GMT";
    if (text.len != DATE_LEN) return false;
    for (size_t i = 0; i < DATE_LEN; i++) {
        char c = text.ptr[i];
        if (form[i] == 'a' && !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) return false;
        if (form[i] == '0' && !(c >= '0' && c <= '9')) return false;
        if (form[i] != 'a' && form[i] != '0' && c != form[i]) return false;
    }
    char iso[TIME_TEXT_SIZE];
    int64_t unix_us = 0;
    (void)snprintf(iso, sizeof iso, "%.4s-%02d-%.2sT%.8sZ", text.ptr + 12, month_of(text.ptr + 8),
                   text.ptr + 5, text.ptr + 17);
    if (!time_parse(str_from(iso), &unix_us)) return false;
    *ret_unix_s = unix_us / 1'000'000;
    return true;
}
