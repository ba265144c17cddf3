/* Account numbers of ISO 13616. */
#include "pii/pii_internal.h"

enum { IBAN_MAX = 34, IBAN_MIN = 15, MODULUS = 97 };

/* Lengths by country: SWIFT's registry of formats. */
static const struct country {
    char name[2];
    uint8_t len;
} countries[] = {
    {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22},
    {"BH", 22}, {"BI", 27}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24},
    {"DE", 22}, {"DJ", 27}, {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18},
    {"FK", 18}, {"FO", 18}, {"FR", 27}, {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27},
    {"GT", 28}, {"HR", 21}, {"HU", 28}, {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27},
    {"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28}, {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20},
    {"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22}, {"MK", 19}, {"MN", 20}, {"MR", 27},
    {"MT", 31}, {"MU", 30}, {"NI", 28}, {"NL", 18}, {"NO", 15}, {"OM", 23}, {"PK", 24}, {"PL", 28},
    {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"RU", 33}, {"SA", 24}, {"SC", 31},
    {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"SO", 23}, {"ST", 25}, {"SV", 28},
    {"TL", 23}, {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20}, {"YE", 30},
};

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static size_t len_of(const char *country)
{
    for (size_t i = 0; i < sizeof countries / sizeof *countries; i++) {
        if (memcmp(countries[i].name, country, 2) == 0) return countries[i].len;
    }
    return 0;
}

/* Takes `count` letters and digits with single spaces between; returns where they end, 0: there are
 * fewer. */
static size_t take(str text, size_t from, size_t count, char ret_letters[static IBAN_MAX])
{
    size_t at    = from;
    size_t taken = 0;
    while (taken < count) {
        char c = pii_byte(text, at);
        if (c == ' ' && taken > 0 && pii_byte(text, at - 1) != ' ') {
            at++;
            continue;
        }
        if (!is_upper(c) && !pii_is_digit(c)) return 0;
        ret_letters[taken++] = c;
        at++;
    }
    return at;
}

/* ISO 7064, MOD 97-10: the first four go to the end, a letter counts as two digits. */
static bool is_right(const char *letters, size_t count)
{
    unsigned rest = 0;
    for (size_t i = 0; i < count; i++) {
        char c = letters[(i + 4) % count];
        rest =
            is_upper(c) ? rest * 100 + (unsigned)(c - 'A' + 10) : rest * 10 + (unsigned)(c - '0');
        rest %= MODULUS;
    }
    return rest == 1;
}

bool pii_find_iban(const struct pii_place *place, struct pii_find *ret_find)
{
    char letters[IBAN_MAX];
    str text = place->text;
    if (place->at < 2 || place->run_until - place->at < 2) return false;
    size_t from = place->at - 2;
    if (!is_upper(text.ptr[from]) || !is_upper(text.ptr[from + 1])) return false;
    size_t len = len_of(text.ptr + from);
    if (len == 0 || pii_word_before(text, from)) return false;
    size_t until = take(text, from, len, letters);
    if (until == 0 || pii_word_at(text, until) || !is_right(letters, len)) return false;
    return pii_found(PII_IBAN, from, until, ret_find);
}
