/* What the finders share. Each is called at a byte that occurs in its form, and looks to both
 * sides. A find begins at `floor` or behind it. */
#ifndef PII_PII_INTERNAL_H
#define PII_PII_INTERNAL_H

#include "pii/pii.h"

/* Where a finder looks. */
struct pii_place {
    str text;
    size_t floor;
    size_t at;        /* the byte that stopped the scan */
    size_t run_until; /* behind the run of digits that begins at `at`; `at` if it is none */
    char joint;       /* what joins the run to more digits: space - . / ; NUL: nothing does */
};

typedef bool pii_finder(const struct pii_place *place, struct pii_find *ret_find);

/* contact.c */
pii_finder pii_find_email, pii_find_phone, pii_find_url_user;
/* number.c */
pii_finder pii_find_card, pii_find_ssn, pii_find_itin, pii_find_bank_routing;
/* iban.c */
pii_finder pii_find_iban;
/* network.c */
pii_finder pii_find_ip4, pii_find_ip6, pii_find_mac;
/* person.c */
pii_finder pii_find_birth_date, pii_find_passport;
/* secret.c */
pii_finder pii_find_assigned, pii_find_prefixed, pii_find_pem, pii_find_access_key, pii_find_token;

/* --- bytes ------------------------------------------------------------------------------------ */

static inline bool pii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool pii_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Of a word, also of one in another script: what stands inside of a word is no find. */
static inline bool pii_is_word(char c)
{
    return pii_is_digit(c) || pii_is_letter(c) || c == '_' || (unsigned char)c >= 0x80;
}

static inline bool pii_is_hex(char c)
{
    return pii_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The byte at `i`; NUL beyond the end. */
static inline char pii_byte(str text, size_t i)
{
    return i < text.len ? text.ptr[i] : '\0';
}

static inline bool pii_word_before(str text, size_t i)
{
    return i > 0 && pii_is_word(text.ptr[i - 1]);
}

static inline bool pii_word_at(str text, size_t i)
{
    return i < text.len && pii_is_word(text.ptr[i]);
}

/* Gives a find out. */
static inline bool pii_found(enum pii_kind kind, size_t from, size_t until,
                             struct pii_find *ret_find)
{
    *ret_find = (struct pii_find){.kind = kind, .from = from, .until = until};
    return true;
}

/* Says whether one of `words` (lower case, ends with NULL) stands in the PII_NEAR bytes before
 * `at`, as a word of its own. number.c */
enum { PII_NEAR = 32 };
bool pii_is_near(str text, size_t at, const char *const *words);

/* --- digits in groups ---------------------------------------------------------------------------
 */

enum { PII_DIGITS_MAX = 20, PII_GROUPS_MAX = 8 };

/* Digits from `at` on, in groups with the same single separator between. number.c */
struct pii_digits {
    char digit[PII_DIGITS_MAX]; /* '0'..'9' */
    size_t count;
    size_t group_len[PII_GROUPS_MAX];
    size_t group_until[PII_GROUPS_MAX]; /* in the text */
    size_t group_count;
    char separator; /* NUL: one group */
    size_t until;
};

/* As many groups as one of `separators` joins and `count_max` digits hold; false: not even one. */
bool pii_digits_read(str text, size_t at, const char *separators, size_t count_max,
                     struct pii_digits *ret_digits);

#endif
