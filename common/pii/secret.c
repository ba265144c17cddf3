/* Keys: by what they begin with, by their form, or by the word before them. */
#include "pii/pii_internal.h"

#include <math.h>

enum {
    WORD_MAX       = 40,  /* bytes of the name before = or : */
    VALUE_MAX      = 512, /* bytes */
    KEY_MIN        = 16,  /* of a value with high entropy */
    PASSWORD_MIN   = 8,
    PARAMETER_MIN  = 6,
    ACCESS_KEY     = 16, /* behind AKIA */
    TOKEN_PART_MIN = 10,
    PEM_MAX        = 16 << 10,
};

#define ENTROPY_MIN 3.0 /* bits per byte; words of English have about 2.5 at such lengths */

static bool is_key(char c)
{
    return pii_is_letter(c) || pii_is_digit(c) || c == '-' || c == '_';
}

static bool is_value(char c)
{
    return is_key(c) || (c != '\0' && strchr("+/=.~!#$%^&*", c));
}

static size_t end_of(str text, size_t from, bool (*is_part)(char), size_t count_max)
{
    size_t until = from;
    while (until < text.len && until - from < count_max && is_part(text.ptr[until])) until++;
    return until;
}

static bool has_digit(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (pii_is_digit(text.ptr[i])) return true;
    }
    return false;
}

/* Shannon's, of the bytes that occur. */
static double entropy_of(str text)
{
    unsigned counts[256] = {};
    double bits          = 0;
    for (size_t i = 0; i < text.len; i++) counts[(uint8_t)text.ptr[i]]++;
    for (size_t i = 0; i < 256; i++) {
        if (counts[i] == 0) continue;
        double share = (double)counts[i] / (double)text.len;
        bits -= share * log2(share);
    }
    return bits;
}

/* --- name and value ------------------------------------------------------------------------------
 */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Says whether the name ends with `word`, whatever its case and its separators: `apiKey`, `api-key`
 * and `X-API_KEY` end with "apikey". */
static bool ends_with(str name, const char *word)
{
    size_t left = strlen(word);
    for (size_t i = name.len; left > 0; i--) {
        if (i == 0) return false;
        char c = name.ptr[i - 1];
        if (c == '-' || c == '_') continue;
        if (lower(c) != word[--left]) return false;
    }
    return true;
}

static bool ends_with_any(str name, const char *const *words)
{
    for (; *words; words++) {
        if (ends_with(name, *words)) return true;
    }
    return false;
}

/* The name that ends before `at`; `"name" :` too. */
static str name_before(str text, size_t at)
{
    size_t until = at;
    while (until > 0 && at - until < 2 &&
           (text.ptr[until - 1] == ' ' || text.ptr[until - 1] == '"')) {
        until--;
    }
    size_t from = until;
    while (from > 0 && until - from < WORD_MAX && is_key(text.ptr[from - 1])) from--;
    return str_slice(text, from, until);
}

static bool is_parameter(char c)
{
    return c > ' ' && c != '&' && c != '#' && c != '"' && c != '\'' && c != '<' && c != '>';
}

static bool find_parameter(str text, size_t at, str name, struct pii_find *ret_find)
{
    static const char *const names[] = {"token",     "apikey",    "secret", "password",
                                        "signature", "accesskey", "sig",    NULL};
    size_t until                     = end_of(text, at + 1, is_parameter, VALUE_MAX);
    if (until - at - 1 < PARAMETER_MIN || !ends_with_any(name, names)) return false;
    return pii_found(PII_URL_CREDENTIALS, at + 1, until, ret_find);
}

bool pii_find_assigned(const struct pii_place *place, struct pii_find *ret_find)
{
    static const char *const keys[]      = {"secret",    "token",      "apikey",
                                            "accesskey", "privatekey", NULL};
    static const char *const passwords[] = {"password", "passwd", "pwd", "passphrase", NULL};
    str text                             = place->text;
    str name                             = name_before(text, place->at);
    if (name.len == 0) return false;
    char before = name.ptr > text.ptr ? name.ptr[-1] : '\0';
    if (before == '?' || before == '&') return find_parameter(text, place->at, name, ret_find);
    bool is_password = ends_with_any(name, passwords);
    if (!is_password && !ends_with_any(name, keys)) return false;

    size_t from = place->at + 1;
    while (from - place->at < 4 && pii_byte(text, from) != '\0' && strchr(" \"'", text.ptr[from])) {
        from++;
    }
    size_t until = end_of(text, from, is_value, VALUE_MAX);
    str value    = str_slice(text, from, until);
    if (value.len < (is_password ? PASSWORD_MIN : KEY_MIN) || !has_digit(value)) return false;
    if (!is_password && entropy_of(value) < ENTROPY_MIN) return false;
    return pii_found(PII_SECRET, from, until, ret_find);
}

/* --- known beginnings
 * ----------------------------------------------------------------------------- */

/* Each ends with the byte that stops the scan, or has one in the middle. */
static const struct prefix {
    const char *text;
    size_t stop;    /* index of that byte */
    size_t len_min; /* bytes behind it */
} prefixes[] = {
    {"ghp_", 3, 30},     {"gho_", 3, 30},        {"ghu_", 3, 30},     {"ghs_", 3, 30},
    {"ghr_", 3, 30},     {"github_pat_", 6, 22}, {"sk_live_", 2, 16}, {"sk_test_", 2, 16},
    {"rk_live_", 2, 16}, {"rk_test_", 2, 16},    {"xoxa-", 4, 10},    {"xoxb-", 4, 10},
    {"xoxe-", 4, 10},    {"xoxo-", 4, 10},       {"xoxp-", 4, 10},    {"xoxr-", 4, 10},
    {"xoxs-", 4, 10},    {"xapp-", 4, 10},       {"sk-", 2, 20},      {"glpat-", 5, 20},
    {"npm_", 3, 30},     {"hf_", 2, 30},
};

bool pii_find_prefixed(const struct pii_place *place, struct pii_find *ret_find)
{
    str text = place->text;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        const struct prefix *one = &prefixes[i];
        if (place->at < one->stop || text.ptr[place->at] != one->text[one->stop]) continue;
        if (text.ptr[place->at - 1] != one->text[one->stop - 1]) continue;
        size_t from = place->at - one->stop;
        if (!str_starts_with(str_slice(text, from, text.len), str_from(one->text))) continue;
        if (from > 0 && is_key(text.ptr[from - 1])) continue;
        size_t size  = strlen(one->text);
        size_t until = end_of(text, from + size, is_key, VALUE_MAX);
        str rest     = str_slice(text, from + size, until);
        if (rest.len < one->len_min || !has_digit(rest)) continue;
        return pii_found(PII_SECRET, from, until, ret_find);
    }
    return false;
}

static bool is_upper_or_digit(char c)
{
    return (c >= 'A' && c <= 'Z') || pii_is_digit(c);
}

/* AKIA and sixteen more: an access key of AWS. */
bool pii_find_access_key(const struct pii_place *place, struct pii_find *ret_find)
{
    str text = place->text;
    if (place->at < 1 || pii_word_before(text, place->at - 1)) return false;
    size_t from = place->at - 1;
    if (!str_starts_with(str_slice(text, from, text.len), str_from("AKIA"))) return false;
    size_t until = end_of(text, from + 4, is_upper_or_digit, ACCESS_KEY + 1);
    if (until - from - 4 != ACCESS_KEY || pii_word_at(text, until)) return false;
    return pii_found(PII_SECRET, from, until, ret_find);
}

/* eyJ...: three parts of base64url, the first of which is a JSON object (RFC 7519). */
bool pii_find_token(const struct pii_place *place, struct pii_find *ret_find)
{
    str text = place->text;
    if (place->at < 2 || memcmp(text.ptr + place->at - 2, "eyJ", 3) != 0) return false;
    size_t from = place->at - 2;
    size_t at   = from;
    if (from > 0 && is_key(text.ptr[from - 1])) return false;
    for (int part = 0; part < 3; part++) {
        if (part > 0 && pii_byte(text, at++) != '.') return false;
        size_t until = end_of(text, at, is_key, text.len);
        if (until - at < TOKEN_PART_MIN) return false;
        at = until;
    }
    return pii_found(PII_SECRET, from, at, ret_find);
}

/* --- private keys
 * ----------------------------------------------------------------------------------- */

#define DASHES "-----"

/* From the first line to the last; to the end of what there is if it was cut. */
bool pii_find_pem(const struct pii_place *place, struct pii_find *ret_find)
{
    static const char begin[]   = DASHES "BEGIN ";
    static const char private[] = "PRIVATE KEY" DASHES;
    static const char end[]     = DASHES "END ";
    str rest                    = str_slice(place->text, place->at, place->at + PEM_MAX);
    if (!str_starts_with(rest, str_from(begin))) return false;
    const char *label =
        memmem(rest.ptr, rest.len < 64 ? rest.len : 64, private, sizeof private - 1);
    if (!label) return false;
    size_t body      = (size_t)(label - rest.ptr) + sizeof private - 1;
    const char *last = memmem(rest.ptr + body, rest.len - body, end, sizeof end - 1);
    size_t until     = rest.len;
    if (last) {
        size_t at         = (size_t)(last - rest.ptr) + sizeof end - 1;
        const char *close = memmem(rest.ptr + at, rest.len - at, DASHES, sizeof DASHES - 1);
        if (close) until = (size_t)(close - rest.ptr) + sizeof DASHES - 1;
    }
    return pii_found(PII_SECRET, place->at, place->at + until, ret_find);
}
