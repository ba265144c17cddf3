/* Numbers of cards, taxpayers and banks. */
#include "base/assert.h"
#include "pii/pii_internal.h"

enum {
    CARD_MIN    = 12, /* digits */
    CARD_MAX    = 19,
    NINE        = 9,
    SERIAL_FROM = 5, /* of nine digits AAAGGSSSS */
};

/* --- words nearby ------------------------------------------------------------------------------
 */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_word_at(str text, size_t at, const char *word)
{
    size_t i = 0;
    for (; word[i]; i++) {
        if (lower(pii_byte(text, at + i)) != word[i]) return false;
    }
    return !pii_is_letter(pii_byte(text, at + i)) && !(at > 0 && pii_is_letter(text.ptr[at - 1]));
}

bool pii_is_near(str text, size_t at, const char *const *words)
{
    for (size_t from = at > PII_NEAR ? at - PII_NEAR : 0; from < at; from++) {
        for (const char *const *word = words; *word; word++) {
            if (lower(text.ptr[from]) == **word && is_word_at(text, from, *word)) return true;
        }
    }
    return false;
}

/* --- groups ------------------------------------------------------------------------------------
 */

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* Takes a group; false: it would be too much. */
static bool read_group(str text, size_t at, size_t count_max, struct pii_digits *digits)
{
    size_t until = at;
    while (pii_is_digit(pii_byte(text, until))) until++;
    size_t len = until - at;
    if (digits->count + len > count_max || digits->group_count == PII_GROUPS_MAX) return false;
    memcpy(digits->digit + digits->count, text.ptr + at, len);
    digits->group_len[digits->group_count]     = len;
    digits->group_until[digits->group_count++] = until;
    digits->count += len;
    digits->until = until;
    return true;
}

bool pii_digits_read(str text, size_t at, const char *separators, size_t count_max,
                     struct pii_digits *ret_digits)
{
    ASSERT(count_max <= PII_DIGITS_MAX);
    *ret_digits = (struct pii_digits){};
    if (!read_group(text, at, count_max, ret_digits)) return false;
    char separator = pii_byte(text, ret_digits->until);
    if (!is_one_of(separator, separators)) return true;
    while (pii_byte(text, ret_digits->until) == separator &&
           pii_is_digit(pii_byte(text, ret_digits->until + 1))) {
        if (!read_group(text, ret_digits->until + 1, count_max, ret_digits)) return true;
        ret_digits->separator = separator;
    }
    return true;
}

/* Says whether a number of digits stands for itself: no letter, digit or part of a decimal beside.
 */
static bool stands_alone(str text, size_t from, size_t until)
{
    if (pii_word_before(text, from) || pii_word_at(text, until)) return false;
    bool is_tail = from > 1 && (text.ptr[from - 1] == '.' || text.ptr[from - 1] == '-') &&
                   pii_is_digit(text.ptr[from - 2]);
    bool goes_on = (pii_byte(text, until) == '.' || pii_byte(text, until) == '-') &&
                   pii_is_digit(pii_byte(text, until + 1));
    return !is_tail && !goes_on;
}

static unsigned value_of(const char *digits, size_t count)
{
    unsigned value = 0;
    for (size_t i = 0; i < count; i++) value = value * 10 + (unsigned)(digits[i] - '0');
    return value;
}

/* --- cards --------------------------------------------------------------------------------------
 */

/* The check digit of ISO/IEC 7812-1, annex B. */
static bool is_luhn(const char *digits, size_t count)
{
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned)(digits[count - 1 - i] - '0');
        if (i % 2 == 1) digit = digit > 4 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return sum % 10 == 0;
}

/* First four digits of the issuers' ranges and how long their numbers are. */
static const struct issuer {
    unsigned from, until; /* inclusive */
    size_t len_min, len_max;
} issuers[] = {
    {4000, 4999, 13, 19},                                             /* Visa: 13, 16, 19 */
    {5100, 5599, 16, 16}, {2221, 2720, 16, 16},                       /* Mastercard */
    {3400, 3499, 15, 15}, {3700, 3799, 15, 15},                       /* American Express */
    {6011, 6011, 16, 19}, {6440, 6599, 16, 19},                       /* Discover */
    {3528, 3589, 16, 19},                                             /* JCB */
    {3000, 3059, 14, 19}, {3600, 3699, 14, 19}, {3800, 3999, 14, 19}, /* Diners Club */
    {6200, 6299, 16, 19},                                             /* UnionPay */
    {5018, 5018, 12, 19}, {5020, 5020, 12, 19}, {5038, 5038, 12, 19},
    {6304, 6304, 12, 19}, {6759, 6763, 12, 19}, /* Maestro */
};

static bool is_issued(const struct pii_digits *digits)
{
    unsigned first = value_of(digits->digit, 4);
    for (size_t i = 0; i < sizeof issuers / sizeof *issuers; i++) {
        const struct issuer *one = &issuers[i];
        if (first < one->from || first > one->until) continue;
        return digits->count >= one->len_min && digits->count <= one->len_max;
    }
    return false;
}

static void drop_group(struct pii_digits *digits)
{
    digits->group_count--;
    digits->count -= digits->group_len[digits->group_count];
    digits->until = digits->group_until[digits->group_count - 1];
}

/* Groups of something else may follow: the most digits that are a card's number are. */
bool pii_find_card(const struct pii_place *place, struct pii_find *ret_find)
{
    struct pii_digits digits;
    size_t run             = place->run_until - place->at;
    const char *separators = run == 4 ? " -" : ""; /* groups begin with four */
    if (run < CARD_MIN && (run != 4 || place->joint == '\0')) return false;
    if (!pii_digits_read(place->text, place->at, separators, CARD_MAX, &digits)) return false;
    for (; digits.count >= CARD_MIN; drop_group(&digits)) {
        bool is_card = is_issued(&digits) && is_luhn(digits.digit, digits.count) &&
                       stands_alone(place->text, place->at, digits.until);
        if (is_card) return pii_found(PII_CARD, place->at, digits.until, ret_find);
        if (digits.group_count == 1) break;
    }
    return false;
}

/* --- taxpayers -----------------------------------------------------------------------------------
 */

/* Nine digits as 3-2-4 or in one row. */
static bool read_nine(const struct pii_place *place, struct pii_digits *digits)
{
    size_t run = place->run_until - place->at;
    if (run != NINE && (run != 3 || place->joint == '\0')) return false;
    if (!pii_digits_read(place->text, place->at, "- ", NINE, digits)) return false;
    if (digits->count != NINE || !stands_alone(place->text, place->at, digits->until)) return false;
    return run == NINE || (digits->group_count == 3 && digits->group_len[1] == 2);
}

bool pii_find_ssn(const struct pii_place *place, struct pii_find *ret_find)
{
    static const char *const words[] = {"ssn", "social", NULL};
    struct pii_digits digits;
    if (!read_nine(place, &digits)) return false;
    unsigned area   = value_of(digits.digit, 3);
    unsigned group  = value_of(digits.digit + 3, 2);
    unsigned serial = value_of(digits.digit + SERIAL_FROM, 4);
    if (area == 0 || area == 666 || area >= 900 || group == 0 || serial == 0) return false;
    if (digits.group_count == 1 && !pii_is_near(place->text, place->at, words)) return false;
    return pii_found(PII_SSN, place->at, digits.until, ret_find);
}

/* Ranges of the fourth and fifth digit: Internal Revenue Manual 3.21.263. */
static bool is_itin_group(unsigned group)
{
    return (group >= 50 && group <= 65) || (group >= 70 && group <= 88) ||
           (group >= 90 && group <= 92) || (group >= 94 && group <= 99);
}

bool pii_find_itin(const struct pii_place *place, struct pii_find *ret_find)
{
    struct pii_digits digits;
    if (!read_nine(place, &digits) || digits.digit[0] != '9') return false;
    if (!is_itin_group(value_of(digits.digit + 3, 2))) return false;
    return pii_found(PII_ITIN, place->at, digits.until, ret_find);
}

/* --- banks
 * ---------------------------------------------------------------------------------------- */

/* The prefixes and the checksum of the American Bankers Association. */
static bool is_routing(const char *digits)
{
    static const unsigned weights[NINE] = {3, 7, 1, 3, 7, 1, 3, 7, 1};
    unsigned prefix                     = value_of(digits, 2);
    unsigned sum                        = 0;
    if (prefix > 12 && !(prefix >= 21 && prefix <= 32) && !(prefix >= 61 && prefix <= 72) &&
        prefix != 80) {
        return false;
    }
    for (size_t i = 0; i < NINE; i++) sum += weights[i] * (unsigned)(digits[i] - '0');
    return sum > 0 && sum % 10 == 0;
}

bool pii_find_bank_routing(const struct pii_place *place, struct pii_find *ret_find)
{
    if (place->run_until - place->at != NINE) return false;
    if (!stands_alone(place->text, place->at, place->run_until)) return false;
    if (!is_routing(place->text.ptr + place->at)) return false;
    return pii_found(PII_BANK_ROUTING, place->at, place->run_until, ret_find);
}
