/* Addresses of machines. */
#include "pii/pii_internal.h"

#include <arpa/inet.h>

enum { IP6_MAX = 45 /* bytes, INET6_ADDRSTRLEN */, MAC_PAIRS = 6 };

/* One part of a dotted address; leading zeros are none. Returns where it ends, 0: it is no part. */
static size_t octet_end(str text, size_t at)
{
    unsigned value = 0;
    size_t from    = at;
    while (pii_is_digit(pii_byte(text, at)) && at - from < 3) {
        value = value * 10 + (unsigned)(text.ptr[at++] - '0');
    }
    bool is_padded = at - from > 1 && text.ptr[from] == '0';
    return at > from && value <= 255 && !is_padded && !pii_is_digit(pii_byte(text, at)) ? at : 0;
}

bool pii_find_ip4(const struct pii_place *place, struct pii_find *ret_find)
{
    str text  = place->text;
    size_t at = place->at;
    if (place->joint != '.' || pii_word_before(text, at)) return false;
    if (at > 0 && text.ptr[at - 1] == '.') return false; /* the end of something longer */
    for (int i = 0; i < 4; i++) {
        if (i > 0 && pii_byte(text, at++) != '.') return false;
        at = octet_end(text, at);
        if (at == 0) return false;
    }
    bool goes_on = pii_byte(text, at) == '.' && pii_is_digit(pii_byte(text, at + 1));
    if (goes_on || pii_word_at(text, at)) return false;
    return pii_found(PII_IP, place->at, at, ret_find);
}

static bool is_ip6(str text)
{
    char copy[IP6_MAX + 1];
    uint8_t address[16];
    if (text.len > IP6_MAX) return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return inet_pton(AF_INET6, copy, address) == 1;
}

/* The whole of hexadecimal digits, colons and dots around the first colon. Two groups at least, one
 * of them with a digit: `abc::def` is a name in more than one language. */
bool pii_find_ip6(const struct pii_place *place, struct pii_find *ret_find)
{
    str text       = place->text;
    size_t from    = place->at;
    size_t until   = place->at;
    unsigned count = 0; /* colons */
    unsigned runs  = 0; /* groups */
    bool has_digit = false;
    while (from > 0 && place->at - from < 5 && pii_is_hex(text.ptr[from - 1])) from--;
    if (pii_word_before(text, from) || (from > 0 && text.ptr[from - 1] == ':')) return false;
    for (until = from; until < text.len && until - from <= IP6_MAX; until++) {
        char c = text.ptr[until];
        if (!pii_is_hex(c) && c != ':' && c != '.') break;
        count += c == ':';
        has_digit |= pii_is_digit(c);
        runs += pii_is_hex(c) && (until == from || !pii_is_hex(text.ptr[until - 1]));
    }
    if (until > from && text.ptr[until - 1] == '.') until--; /* ends a sentence */
    if (count < 2 || runs < 2 || !has_digit || pii_word_at(text, until)) return false;
    if (!is_ip6(str_slice(text, from, until))) return false;
    return pii_found(PII_IP, from, until, ret_find);
}

bool pii_find_mac(const struct pii_place *place, struct pii_find *ret_find)
{
    str text = place->text;
    if (place->at < 2) return false;
    size_t from    = place->at - 2;
    size_t at      = from;
    char separator = text.ptr[place->at];
    for (int i = 0; i < MAC_PAIRS; i++) {
        if (i > 0 && pii_byte(text, at++) != separator) return false;
        if (!pii_is_hex(pii_byte(text, at)) || !pii_is_hex(pii_byte(text, at + 1))) return false;
        at += 2;
    }
    if (pii_word_before(text, from) || pii_word_at(text, at)) return false;
    if (pii_byte(text, at) == separator) return false;
    if (from > 0 && text.ptr[from - 1] == separator) return false;
    return pii_found(PII_MAC, from, at, ret_find);
}
