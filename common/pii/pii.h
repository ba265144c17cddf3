/**
 * pii: finds what must not leave: addresses of people, numbers of theirs, and keys of ours.
 *
 * One pass over the text. It stops only at bytes that stand in every find (`@`, digits, `:` and a
 * few more); there a form is looked for to both sides and then checked: a card number by its
 * issuer's lengths and its check digit, an account number by its country's length and modulus. So
 * clean text costs one table look-up per byte, and a number that merely looks like one is left.
 *
 *     email            ann@example.org
 *     phone            +49 30 901820, (212) 555-0123: a country's prefix, or North American groups
 *     ssn              078-05-1120; nine digits in a row only beside "ssn" or "social security"
 *     itin             900-70-0000; not looked for unless asked
 *     bank_routing     nine digits with a checksum (ABA); not looked for unless asked
 *     card             12 to 19 digits, in groups or not: an issuer's prefix and length, Luhn
 *     iban             country, length, modulus 97
 *     ip               1.2.3.4, 2001:db8::1
 *     mac              00:1b:44:11:3a:b7
 *     birth_date       a date beside "born", "birth", "dob"
 *     passport         six to nine letters and digits beside "passport"
 *     secret           keys with a known prefix, JSON web tokens, private keys, and high entropy
 *                      beside "secret", "token", "api_key", "password"
 *     url_credentials  user:password@ of a URL, and values of query parameters named like tokens
 *
 * What it does not do: understand names, postal addresses or languages. It finds forms.
 *
 * A stream keeps PII_TAIL bytes back and looks again when more has come: no find but a private key
 * is longer.
 *
 * Pure; any thread.
 */
#ifndef PII_PII_H
#define PII_PII_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum pii_kind {
    PII_EMAIL,
    PII_PHONE,
    PII_SSN,
    PII_ITIN,
    PII_BANK_ROUTING,
    PII_CARD,
    PII_IBAN,
    PII_IP,
    PII_MAC,
    PII_BIRTH_DATE,
    PII_PASSPORT,
    PII_SECRET,
    PII_URL_CREDENTIALS,
    PII_KIND_COUNT,
};

enum { PII_TAIL = 512 /* bytes */ };

/** A set of kinds: one bit each. */
typedef uint32_t pii_kinds;

#define PII_BIT(kind) (UINT32_C(1) << (kind))

enum {
    PII_ALL     = (1 << PII_KIND_COUNT) - 1,
    PII_DEFAULT = PII_ALL & ~(1 << PII_ITIN | 1 << PII_BANK_ROUTING),
};

/** "birth_date"; static. */
const char *pii_kind_name(enum pii_kind kind);
bool pii_kind_of(str name, enum pii_kind *ret_kind);

struct pii_find {
    enum pii_kind kind;
    size_t from, until; /* bytes of the text */
};

/** Set `text` and `kinds`; the rest is the scan's. */
struct pii_scan {
    str text;
    pii_kinds kinds;
    size_t at;    /* looks on here */
    size_t floor; /* before it everything was given out */
};

/** The next find, in the order of the text, none overlapping another. False: there is no more. */
bool pii_next(struct pii_scan *scan, struct pii_find *ret_find);

/** The kinds that occur in a text. */
pii_kinds pii_kinds_in(str text, pii_kinds kinds);

#endif
