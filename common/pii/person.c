/* When somebody was born, and the number of a passport: forms that mean nothing alone, so a word
 * before them decides. */
#include "pii/pii_internal.h"

enum {
    PASSPORT_MIN        = 6, /* letters and digits */
    PASSPORT_MAX        = 9, /* ICAO Doc 9303-4: nine places */
    PASSPORT_DIGITS_MIN = 4,
    DATE_DIGITS         = 8,
};

static unsigned value_at(const struct pii_digits *digits, size_t group)
{
    unsigned value = 0;
    size_t from    = 0;
    for (size_t i = 0; i < group; i++) from += digits->group_len[i];
    for (size_t i = 0; i < digits->group_len[group]; i++) {
        value = value * 10 + (unsigned)(digits->digit[from + i] - '0');
    }
    return value;
}

static bool is_date(unsigned year, unsigned month, unsigned day)
{
    return year >= 1900 && year <= 2099 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/* 1980-03-12, 12.03.1980, 3/12/1980, 12/3/80 with either order of day and month. */
static bool is_birth_date(const struct pii_digits *digits)
{
    if (digits->group_count != 3) return false;
    unsigned first  = value_at(digits, 0);
    unsigned second = value_at(digits, 1);
    unsigned third  = value_at(digits, 2);
    if (digits->group_len[0] == 4) return is_date(first, second, third);
    if (digits->group_len[0] > 2 || digits->group_len[1] > 2) return false;
    if (digits->group_len[2] != 2 && digits->group_len[2] != 4) return false;
    if (digits->group_len[2] == 2) third += 1900;
    return is_date(third, second, first) || is_date(third, first, second);
}

bool pii_find_birth_date(const struct pii_place *place, struct pii_find *ret_find)
{
    static const char *const words[] = {"born", "birth", "birthday", "dob", "birthdate", NULL};
    struct pii_digits digits;
    size_t run = place->run_until - place->at;
    if (place->joint == '\0' || place->joint == ' ' || (run != 4 && run > 2)) return false;
    if (pii_word_before(place->text, place->at)) return false;
    if (!pii_digits_read(place->text, place->at, "-./", DATE_DIGITS, &digits) ||
        !is_birth_date(&digits)) {
        return false;
    }
    if (!pii_is_near(place->text, place->at, words)) return false;
    return pii_found(PII_BIRTH_DATE, place->at, digits.until, ret_find);
}

bool pii_find_passport(const struct pii_place *place, struct pii_find *ret_find)
{
    static const char *const words[] = {"passport", "passports", NULL};
    str text                         = place->text;
    size_t from                      = place->at;
    size_t until                     = place->at;
    size_t digits                    = 0;
    while (from > place->floor && place->at - from < PASSPORT_MAX && text.ptr[from - 1] >= 'A' &&
           text.ptr[from - 1] <= 'Z') {
        from--;
    }
    for (; until - from <= PASSPORT_MAX; until++) {
        char c = pii_byte(text, until);
        if (!pii_is_digit(c) && !(c >= 'A' && c <= 'Z')) break;
        digits += pii_is_digit(c);
    }
    if (until - from < PASSPORT_MIN || until - from > PASSPORT_MAX) return false;
    if (digits < PASSPORT_DIGITS_MIN || pii_word_before(text, from) || pii_word_at(text, until)) {
        return false;
    }
    return pii_is_near(text, from, words) && pii_found(PII_PASSPORT, from, until, ret_find);
}
