#include "pii/scrub.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "json/json_map.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TEXT_MAX   = 64 << 20,   /* bytes of one text */
    HASH_BYTES = 6,          /* shown of a hash */
    NUMBER_MIN = 10'000'000, /* no shorter one is somebody's */
    NUMBER_MAX = 24,         /* bytes of a number */
};

struct scrub {
    struct scrub_options options;
    pii_kinds found;
    struct map *numbers; /* value with its kind before it to number, as a pointer */
    size_t counts[PII_KIND_COUNT];
};

static const char *const names[PII_MODE_COUNT] = {
    [PII_ALLOW] = "allow", [PII_MASK] = "mask", [PII_HASH] = "hash", [PII_BLOCK] = "block"};

const char *pii_mode_name(enum pii_mode mode)
{
    return names[mode];
}

bool pii_mode_of(str name, enum pii_mode *ret_mode)
{
    for (int i = 0; i < PII_MODE_COUNT; i++) {
        if (!str_is(name, names[i])) continue;
        *ret_mode = (enum pii_mode)i;
        return true;
    }
    return false;
}

struct scrub *scrub_new(const struct scrub_options *options)
{
    ASSERT(options->mode != PII_HASH || options->key.len >= SCRUB_KEY_MIN);
    struct scrub *scrub = mem_new(1, sizeof *scrub);
    scrub->options      = *options;
    if (options->mode == PII_MASK) scrub->numbers = map_new(SCRUB_VALUES_MAX);
    return scrub;
}

void scrub_freep(struct scrub **ref)
{
    struct scrub *scrub = *ref;
    if (!scrub) return;
    map_free(scrub->numbers);
    free(scrub);
    *ref = NULL;
}

pii_kinds scrub_found(const struct scrub *scrub)
{
    return scrub->found;
}

/* --- what stands instead -------------------------------------------------------------------------
 */

static void put_name(enum pii_kind kind, struct buf *out)
{
    (void)buf_put_byte(out, '[');
    for (const char *c = pii_kind_name(kind); *c; c++) {
        (void)buf_put_byte(out, *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c);
    }
}

/* The number of a value among those of its kind, from 1. */
static uint64_t number_of(struct scrub *scrub, enum pii_kind kind, str value)
{
    CLEANUP(buf_done) struct buf key = buf_init(value.len + 1);
    (void)buf_put_byte(&key, (char)kind);
    (void)buf_put_str(&key, value);
    uintptr_t known = (uintptr_t)map_get(scrub->numbers, buf_str(&key));
    if (known) return known;
    size_t number = scrub->counts[kind] + 1;
    if (!map_put(scrub->numbers, buf_str(&key), (void *)number)) return 0;
    scrub->counts[kind] = number;
    return number;
}

static void put_hash(const struct scrub *scrub, str value, struct buf *out)
{
    uint8_t digest[SHA256_SIZE];
    char text[HASH_BYTES * 2 + 1];
    hmac_sha256(scrub->options.key, bytes_from(value), digest);
    hex_encode(digest, HASH_BYTES, text);
    (void)buf_put_text(out, text);
}

static void put_instead(struct scrub *scrub, enum pii_kind kind, str value, struct buf *out)
{
    put_name(kind, out);
    (void)buf_put_byte(out, '_');
    if (scrub->options.mode == PII_HASH) {
        put_hash(scrub, value, out);
    } else {
        (void)buf_put_number(out, number_of(scrub, kind, value));
    }
    (void)buf_put_byte(out, ']');
}

/* --- texts and values ----------------------------------------------------------------------------
 */

bool scrub_text(struct scrub *scrub, str text, struct buf *out)
{
    bool changes         = scrub->options.mode == PII_MASK || scrub->options.mode == PII_HASH;
    struct pii_scan scan = {.text = text, .kinds = scrub->options.kinds};
    struct pii_find find = {};
    size_t done          = 0;
    if (scrub->options.mode == PII_ALLOW) return buf_put_str(out, text);
    while (pii_next(&scan, &find)) {
        scrub->found |= PII_BIT(find.kind);
        if (!changes) continue;
        (void)buf_put_str(out, str_slice(text, done, find.from));
        put_instead(scrub, find.kind, str_slice(text, find.from, find.until), out);
        done = find.until;
    }
    return buf_put_str(out, str_slice(text, done, text.len)) && !out->is_full;
}

bool pii_hide(str text, pii_kinds kinds, struct buf *out)
{
    struct pii_scan scan = {.text = text, .kinds = kinds};
    struct pii_find find = {};
    size_t done          = 0;
    while (pii_next(&scan, &find)) {
        (void)buf_put_str(out, str_slice(text, done, find.from));
        put_name(find.kind, out);
        (void)buf_put_byte(out, ']');
        done = find.until;
    }
    if (done == 0) return false;
    (void)buf_put_str(out, str_slice(text, done, text.len));
    return true;
}

bool pii_hide_in_log(str text, struct buf *out)
{
    return pii_hide(text, PII_DEFAULT & ~(PII_BIT(PII_IP) | PII_BIT(PII_MAC)), out);
}

/* JSON_INVALID: it may leave. */
static json leave_text(struct scrub *scrub, str text)
{
    struct pii_scan scan = {.text = text, .kinds = scrub->options.kinds};
    struct pii_find find = {};
    if (!pii_next(&scan, &find)) return json_invalid();
    CLEANUP(buf_done) struct buf out = buf_init(TEXT_MAX);
    if (!scrub_text(scrub, text, &out)) return json_text_from("***"); /* not let through unseen */
    return scrub->options.mode == PII_BLOCK ? json_invalid() : json_text_new(buf_str(&out));
}

json scrub_leaf(struct scrub *scrub, json leaf)
{
    char digits[NUMBER_MAX];
    if (scrub->options.mode == PII_ALLOW) return json_invalid();
    if (json_is(leaf, JSON_TEXT)) return leave_text(scrub, json_str(leaf));
    if (!json_is(leaf, JSON_INT) || leaf.integer < NUMBER_MIN) return json_invalid();
    (void)snprintf(digits, sizeof digits, "%" PRId64, leaf.integer);
    return leave_text(scrub, str_from(digits));
}

static json map_leaf(str, json leaf, void *context)
{
    return scrub_leaf(context, leaf);
}

json scrub_json(struct scrub *scrub, json value)
{
    if (scrub->options.mode == PII_ALLOW) return json_ref(value);
    return json_map_values(value, map_leaf, scrub);
}

void pii_kinds_print(pii_kinds kinds, struct buf *out)
{
    const char *between = "";
    for (int i = 0; i < PII_KIND_COUNT; i++) {
        if (!(kinds & PII_BIT(i))) continue;
        (void)buf_printf(out, "%s%s", between, pii_kind_name((enum pii_kind)i));
        between = ", ";
    }
}
