/* How people are reached, and who they are at the door of a URL. */
#include "pii/pii_internal.h"

enum {
    LOCAL_MAX  = 64,  /* RFC 5321, 4.5.3.1.1 */
    DOMAIN_MAX = 255, /* 4.5.3.1.2 */
    LABEL_MAX  = 63,
    USER_MAX   = 256, /* user:password */
    PHONE_MIN  = 8,   /* digits behind a plus */
    PHONE_MAX  = 15,  /* E.164 */
    PHONE_LEN  = 32,  /* bytes */
    NANP       = 10,  /* digits */
};

/* --- e-mail ------------------------------------------------------------------------------------
 */

static bool is_local(char c)
{
    return pii_is_letter(c) || pii_is_digit(c) || (c != '\0' && strchr(".!#$%&'*+/=?^_`{|}~-", c));
}

/* Where the domain ends; 0: it is none. Labels, at least two, the last of letters. */
static size_t domain_end(str text, size_t from)
{
    size_t end    = 0;
    size_t label  = from;
    bool is_first = true;
    for (size_t at = from; at - from <= DOMAIN_MAX; at++) {
        char c = pii_byte(text, at);
        if (pii_is_letter(c) || pii_is_digit(c) || c == '-') continue;
        size_t len = at - label;
        if (len == 0 || len > LABEL_MAX || text.ptr[label] == '-') break;
        bool is_top = len >= 2 && pii_is_letter(text.ptr[label]) && text.ptr[at - 1] != '-';
        if (!is_first && is_top) end = at;
        is_first = false;
        label    = at + 1;
        if (c != '.') break;
    }
    return end && !pii_word_at(text, end) ? end : 0;
}

bool pii_find_email(const struct pii_place *place, struct pii_find *ret_find)
{
    str text    = place->text;
    size_t from = place->at;
    while (from > place->floor && place->at - from < LOCAL_MAX && is_local(text.ptr[from - 1])) {
        from--;
    }
    /* What may stand in a name seldom begins one: quotes and brackets of the text around it. */
    while (from < place->at && !pii_is_word(text.ptr[from])) from++;
    if (from == place->at || text.ptr[place->at - 1] == '.') return false;
    size_t until = domain_end(text, place->at + 1);
    return until && pii_found(PII_EMAIL, from, until, ret_find);
}

/* --- URLs ---------------------------------------------------------------------------------------
 */

/* Of scheme://user:password@host; a user alone is a name, often "git". */
bool pii_find_url_user(const struct pii_place *place, struct pii_find *ret_find)
{
    str text       = place->text;
    size_t from    = place->at;
    bool has_colon = false;
    while (from > place->floor && place->at - from < USER_MAX) {
        char c = text.ptr[from - 1];
        if (c == '/' || c <= ' ' || c == '"' || c == '\'' || c == '<' || c == '>') break;
        has_colon |= c == ':';
        from--;
    }
    if (!has_colon || from < 3 || memcmp(text.ptr + from - 3, "://", 3) != 0) return false;
    if (text.ptr[place->at - 1] == ':') return false;
    return pii_found(PII_URL_CREDENTIALS, from, place->at, ret_find);
}

/* --- telephones ---------------------------------------------------------------------------------
 */

struct number {
    char digit[PHONE_MAX + 1];
    size_t count;
    size_t until;
};

/* Digits with at most two signs between them, as numbers are written for people. */
static bool read_number(str text, size_t at, struct number *ret_number)
{
    size_t gap  = 0;
    *ret_number = (struct number){};
    for (size_t from = at; at - from < PHONE_LEN; at++) {
        char c = pii_byte(text, at);
        if (pii_is_digit(c)) {
            if (ret_number->count > PHONE_MAX) return false;
            ret_number->digit[ret_number->count++] = c;
            ret_number->until                      = at + 1;
            gap                                    = 0;
            if (ret_number->count > PHONE_MAX) return false;
        } else if (c == '\0' || !strchr(" -.()/", c) || ++gap > 2) {
            break;
        }
    }
    return true;
}

/* The first digits of what the ITU has given to countries (E.164 list of 2016): of one digit 1 and
 * 7, else two, else three. */
static bool is_country(const char *digits)
{
    static const char *const two =
        "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 "
        "64 65 66 81 82 84 86 90 91 92 93 94 95 98";
    static const char *const three = /* by their first two */
        "21 22 23 24 25 26 29 35 37 38 42 50 59 67 68 69 80 85 87 88 96 97 99";
    char first[] = {digits[0], digits[1], '\0'};
    return digits[0] == '1' || digits[0] == '7' || strstr(two, first) || strstr(three, first);
}

/* Area and exchange begin with 2 to 9, and neither is a service (N11). */
static bool is_nanp(const char *digits)
{
    bool is_service =
        (digits[1] == '1' && digits[2] == '1') || (digits[4] == '1' && digits[5] == '1');
    return digits[0] >= '2' && digits[3] >= '2' && !is_service;
}

static bool find_international(const struct pii_place *place, struct pii_find *ret_find)
{
    struct number number;
    if (!read_number(place->text, place->at, &number)) return false;
    if (number.count < PHONE_MIN || !is_country(number.digit)) return false;
    if (pii_word_at(place->text, number.until)) return false;
    return pii_found(PII_PHONE, place->at - 1, number.until, ret_find);
}

/* 212-555-0123, 1 212 555 0123: the same sign between groups of 3-3-4. */
static bool find_grouped(const struct pii_place *place, struct pii_find *ret_find)
{
    struct pii_digits digits;
    if (!pii_digits_read(place->text, place->at, "-. ", NANP + 1, &digits)) return false;
    size_t lead = digits.count - NANP;
    if (digits.count < NANP || lead > 1 || digits.group_count != 3 + lead) return false;
    const size_t *group = digits.group_len + lead;
    if (group[0] != 3 || group[1] != 3 || (lead && digits.digit[0] != '1')) return false;
    if (!is_nanp(digits.digit + lead) || pii_word_at(place->text, digits.until)) return false;
    if (pii_byte(place->text, digits.until) == digits.separator &&
        pii_is_digit(pii_byte(place->text, digits.until + 1))) {
        return false;
    }
    return pii_found(PII_PHONE, place->at, digits.until, ret_find);
}

/* (212) 555-0123 */
static bool find_bracketed(const struct pii_place *place, struct pii_find *ret_find)
{
    struct number number;
    str text = place->text;
    if (place->run_until - place->at != 3 || pii_byte(text, place->run_until) != ')') return false;
    if (!read_number(text, place->at, &number) || number.count != NANP) return false;
    if (!is_nanp(number.digit) || pii_word_at(text, number.until)) return false;
    return pii_found(PII_PHONE, place->at - 1, number.until, ret_find);
}

bool pii_find_phone(const struct pii_place *place, struct pii_find *ret_find)
{
    char before = place->at > 0 ? place->text.ptr[place->at - 1] : '\0';
    size_t run  = place->run_until - place->at;
    if (before == '+') return find_international(place, ret_find);
    if (before == '(') return find_bracketed(place, ret_find);
    if (place->joint == '\0' || (run != 3 && run != 1)) return false;
    if (pii_word_before(place->text, place->at) || before == '.' || before == '-') return false;
    return find_grouped(place, ret_find);
}
