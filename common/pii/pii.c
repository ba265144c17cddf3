#include "pii/pii_internal.h"

#include <stdlib.h>

static const char *const names[PII_KIND_COUNT] = {
    [PII_EMAIL]           = "email",
    [PII_PHONE]           = "phone",
    [PII_SSN]             = "ssn",
    [PII_ITIN]            = "itin",
    [PII_BANK_ROUTING]    = "bank_routing",
    [PII_CARD]            = "card",
    [PII_IBAN]            = "iban",
    [PII_IP]              = "ip",
    [PII_MAC]             = "mac",
    [PII_BIRTH_DATE]      = "birth_date",
    [PII_PASSPORT]        = "passport",
    [PII_SECRET]          = "secret",
    [PII_URL_CREDENTIALS] = "url_credentials",
};

const char *pii_kind_name(enum pii_kind kind)
{
    return names[kind];
}

bool pii_kind_of(str name, enum pii_kind *ret_kind)
{
    for (int i = 0; i < PII_KIND_COUNT; i++) {
        if (!str_is(name, names[i])) continue;
        *ret_kind = (enum pii_kind)i;
        return true;
    }
    return false;
}

/* --- what a byte may belong to -----------------------------------------------------------------
 */

enum trigger {
    TRIGGER_NONE,
    TRIGGER_DIGIT,
    TRIGGER_AT,         /* @ */
    TRIGGER_COLON,      /* : of addresses, and of "token: ..." */
    TRIGGER_EQUALS,     /* = of "token=..." */
    TRIGGER_DASH,       /* - of keys, addresses of machines and private keys */
    TRIGGER_UNDERSCORE, /* _ of keys */
    TRIGGER_K,          /* of AKIA */
    TRIGGER_J,          /* of eyJ */
    TRIGGER_COUNT,
};

static const uint8_t triggers[256] = {
    ['0'] = TRIGGER_DIGIT,  ['1'] = TRIGGER_DIGIT, ['2'] = TRIGGER_DIGIT,
    ['3'] = TRIGGER_DIGIT,  ['4'] = TRIGGER_DIGIT, ['5'] = TRIGGER_DIGIT,
    ['6'] = TRIGGER_DIGIT,  ['7'] = TRIGGER_DIGIT, ['8'] = TRIGGER_DIGIT,
    ['9'] = TRIGGER_DIGIT,  ['@'] = TRIGGER_AT,    [':'] = TRIGGER_COLON,
    ['='] = TRIGGER_EQUALS, ['-'] = TRIGGER_DASH,  ['_'] = TRIGGER_UNDERSCORE,
    ['K'] = TRIGGER_K,      ['J'] = TRIGGER_J,
};

enum { FINDERS_MAX = 9 };

/* The first that finds something wins: the longer and better checked forms stand first. */
struct finder_row {
    pii_finder *find;
    pii_kinds kinds; /* any of them asks for it */
};

static const struct finder_row rows[TRIGGER_COUNT][FINDERS_MAX] = {
    [TRIGGER_DIGIT]  = {{pii_find_iban, PII_BIT(PII_IBAN)},
                        {pii_find_card, PII_BIT(PII_CARD)},
                        {pii_find_ip4, PII_BIT(PII_IP)},
                        {pii_find_ssn, PII_BIT(PII_SSN)},
                        {pii_find_itin, PII_BIT(PII_ITIN)},
                        {pii_find_phone, PII_BIT(PII_PHONE)},
                        {pii_find_birth_date, PII_BIT(PII_BIRTH_DATE)},
                        {pii_find_passport, PII_BIT(PII_PASSPORT)},
                        {pii_find_bank_routing, PII_BIT(PII_BANK_ROUTING)}},
    [TRIGGER_AT]     = {{pii_find_url_user, PII_BIT(PII_URL_CREDENTIALS)},
                        {pii_find_email, PII_BIT(PII_EMAIL)}},
    [TRIGGER_COLON]  = {{pii_find_mac, PII_BIT(PII_MAC)},
                        {pii_find_ip6, PII_BIT(PII_IP)},
                        {pii_find_assigned, PII_BIT(PII_SECRET)}},
    [TRIGGER_EQUALS] = {{pii_find_assigned, PII_BIT(PII_SECRET) | PII_BIT(PII_URL_CREDENTIALS)}},
    [TRIGGER_DASH]   = {{pii_find_mac, PII_BIT(PII_MAC)},
                        {pii_find_prefixed, PII_BIT(PII_SECRET)},
                        {pii_find_pem, PII_BIT(PII_SECRET)}},
    [TRIGGER_UNDERSCORE] = {{pii_find_prefixed, PII_BIT(PII_SECRET)}},
    [TRIGGER_K]          = {{pii_find_access_key, PII_BIT(PII_SECRET)}},
    [TRIGGER_J]          = {{pii_find_token, PII_BIT(PII_SECRET)}},
};

/* --- the pass ----------------------------------------------------------------------------------
 */

static size_t next_trigger(str text, size_t at)
{
    for (; at + 8 <= text.len;
         at += 8) { /* eight look-ups that wait for each other only at the end */
        const uint8_t *c = (const uint8_t *)text.ptr + at;
        uint8_t any      = triggers[c[0]] | triggers[c[1]] | triggers[c[2]] | triggers[c[3]] |
                      triggers[c[4]] | triggers[c[5]] | triggers[c[6]] | triggers[c[7]];
        if (any) break;
    }
    while (at < text.len && triggers[(uint8_t)text.ptr[at]] == TRIGGER_NONE) at++;
    return at;
}

static size_t run_end(str text, size_t at)
{
    while (at < text.len && pii_is_digit(text.ptr[at])) at++;
    return at;
}

/* Most runs of digits stand alone, which most of the finders know from this at once. */
static char joint_of(str text, size_t run_until)
{
    char c = pii_byte(text, run_until);
    if (c != ' ' && c != '-' && c != '.' && c != '/') return '\0';
    return pii_is_digit(pii_byte(text, run_until + 1)) ? c : '\0';
}

/* Whether a find is there that is wanted; a finder may yield another of its kinds. */
static bool look(const struct pii_scan *scan, const struct pii_place *place,
                 const struct finder_row *row, struct pii_find *ret_find)
{
    if (!(row->kinds & scan->kinds) || !row->find(place, ret_find)) return false;
    return ret_find->from >= scan->floor && (PII_BIT(ret_find->kind) & scan->kinds);
}

bool pii_next(struct pii_scan *scan, struct pii_find *ret_find)
{
    for (;;) {
        size_t at = next_trigger(scan->text, scan->at);
        if (at >= scan->text.len) return false;
        enum trigger trigger = triggers[(uint8_t)scan->text.ptr[at]];
        size_t behind        = trigger == TRIGGER_DIGIT ? run_end(scan->text, at) : at;

        const struct pii_place place = {
            .text      = scan->text,
            .floor     = scan->floor,
            .at        = at,
            .run_until = behind,
            .joint     = behind > at ? joint_of(scan->text, behind) : '\0',
        };
        for (const struct finder_row *row = rows[trigger];
             row < rows[trigger] + FINDERS_MAX && row->find; row++) {
            if (!look(scan, &place, row, ret_find)) continue;
            scan->at = scan->floor = ret_find->until;
            return true;
        }
        scan->at = behind > at ? behind : at + 1;
    }
}

pii_kinds pii_kinds_in(str text, pii_kinds kinds)
{
    struct pii_scan scan  = {.text = text, .kinds = kinds};
    struct pii_find find  = {};
    pii_kinds found_kinds = 0;
    while (pii_next(&scan, &find)) found_kinds |= PII_BIT(find.kind);
    return found_kinds;
}
