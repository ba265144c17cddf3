/**
 * key: keys made of several parts, which sort by the first part, then by the second, and so on.
 *
 * Integers are big-endian. Ids are their 16 bytes. Text is escaped and ended, so that no text runs
 * into the next part and "a" sorts before "ab":
 *
 *     0x00 in the text   0x00 0xff
 *     end of the text    0x00 0x01
 *     end of a digest    0x00 0x02   the part is the (escaped) SHA-256 of the text
 *
 * Text that would take more than KEY_TEXT_MAX bytes is replaced by its SHA-256: it can still be
 * found, but neither read back nor listed in order.
 *
 * A key that outgrows STORE_KEY_MAX stays as it was and is marked full. Only part lists that are
 * too long can do that, which is a bug; key_bytes() asserts that it is not.
 *
 * Not thread-safe; plain values, nothing to free.
 */
#ifndef STORE_KEY_H
#define STORE_KEY_H

#include "base/id.h"
#include "base/str.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

enum { KEY_TEXT_MAX = 255 /* bytes, escaped, without its end */ };

struct key {
    size_t len;
    bool is_full;
    uint8_t data[STORE_KEY_MAX];
};

/** Empties a key, new or used; the parts follow in their order. */
void key_begin(struct key *key);

void key_put_u8(struct key *key, uint8_t value);
void key_put_u16(struct key *key, uint16_t value);
void key_put_u32(struct key *key, uint32_t value);
void key_put_u64(struct key *key, uint64_t value);

/** A generated id (id.h), which must be valid. */
void key_put_id(struct key *key, str id);

/** Any text of any length. */
void key_put_text(struct key *key, str text);

/** A view of the key, or of its parts so far as a prefix; valid until it changes. Not empty. */
bytes key_bytes(const struct key *key);

/** One key of one integer, which is the most frequent kind. */
struct key_u64 {
    uint8_t data[8];
};
struct key_u64 key_of_u64(uint64_t value);
static inline bytes key_u64_bytes(const struct key_u64 *key)
{
    return (bytes){.ptr = key->data, .len = sizeof key->data};
}

/**
 * Reading a key back, part by part. Each function takes one part off the front of `*rest` and says
 * whether it was there and well-formed; on false nothing has changed. Keys come from disk: check.
 * A key is read completely when `rest->len` is 0.
 */
bool key_take_u8(bytes *rest, uint8_t *ret_value);
bool key_take_u16(bytes *rest, uint16_t *ret_value);
bool key_take_u32(bytes *rest, uint32_t *ret_value);
bool key_take_u64(bytes *rest, uint64_t *ret_value);
bool key_take_id(bytes *rest, struct id *ret_id);

/** A text part, unescaped; `is_digest`: these are the 32 bytes of its SHA-256. */
struct key_text {
    size_t len;
    bool is_digest;
    char data[KEY_TEXT_MAX];
};
bool key_take_text(bytes *rest, struct key_text *ret_text);

#endif
