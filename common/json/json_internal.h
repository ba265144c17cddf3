/*
 * The nodes behind a json value, for this layer and for the evaluator's inner loops.
 *
 * A node begins with its owners. REFS_IMMORTAL is never counted: frozen nodes have it, and a node
 * that would be shared that often stays for ever rather than wrap around.
 */
#ifndef JSON_JSON_INTERNAL_H
#define JSON_JSON_INTERNAL_H

#include "base/assert.h"
#include "base/attr.h"
#include "json/json.h"
#include "json/json_memory.h"

#include <endian.h>
#include <limits.h>
#include <string.h>

#define JSON_REFS_IMMORTAL UINT32_MAX

enum {
    JSON_LINEAR_MAX   = 8,         /* members found by walking; beyond, objects have an index */
    JSON_MEMBERS_MAX  = 1 << 28,   /* of one container: its bytes fit 64 bits many times over */
    JSON_CAPACITY_MIN = 4,         /* members, at the first growth */
    JSON_TEXT_LEN_MAX = INT32_MAX, /* bytes of a text */
    JSON_BLOCK_ALIGN  = 8,
};

struct json_text {
    uint32_t refs;
    uint32_t hash;     /* of the bytes; 0: not computed yet. Frozen texts have it. */
    uint32_t len;      /* bytes */
    uint32_t capacity; /* bytes; or JSON_TEXT_IN_BLOCK and where it begins there */
    char bytes[];      /* capacity + 1, a NUL at `len` */
};

/*
 * Texts that were made together, in one piece of memory, which goes when the last of them goes: the
 * constants of an expression cost one allocation per evaluation, not one each, and so do the parts
 * of a short text. They belong to one thread together.
 */
#define JSON_TEXT_IN_BLOCK (UINT32_C(1) << 31)

struct json_block {
    uint32_t live;  /* texts that have owners, and one more until json_block_unref() */
    uint32_t count; /* texts */
    uint32_t size;  /* bytes, this included; the texts follow, at multiples of JSON_BLOCK_ALIGN */
    uint32_t reserved;
};

struct json_array {
    union {
        uint32_t refs;
        struct json_array *next_dead; /* while json_unref() walks: see value.c */
    };
    uint32_t count;
    uint32_t capacity;
    json items[];
};

struct json_member {
    struct json_text *key;
    json value;
};

/* With a capacity above JSON_LINEAR_MAX the members are followed by an open-addressing table of
 * uint32_t: position + 1, or 0. All keys of such an object have their hash. */
struct json_object {
    union {
        uint32_t refs;
        struct json_object *next_dead;
    };
    uint32_t count;
    uint32_t capacity;
    struct json_member members[];
};

/* --- texts -------------------------------------------------------------------------------------
 */

/** memcpy() for texts, most of which are short: the first bytes at once, and the last ones again.
 */
static inline void json_copy_bytes(char *to, const char *from, size_t len)
{
    if (len > 16) {
        memcpy(to, from, len);
    } else if (len >= 8) {
        uint64_t words[2];
        memcpy(&words[0], from, sizeof words[0]);
        memcpy(&words[1], from + len - sizeof words[1], sizeof words[1]);
        memcpy(to, &words[0], sizeof words[0]);
        memcpy(to + len - sizeof words[1], &words[1], sizeof words[1]);
    } else if (len >= 4) {
        uint32_t words[2];
        memcpy(&words[0], from, sizeof words[0]);
        memcpy(&words[1], from + len - sizeof words[1], sizeof words[1]);
        memcpy(to, &words[0], sizeof words[0]);
        memcpy(to + len - sizeof words[1], &words[1], sizeof words[1]);
    } else if (len >= 2) {
        uint16_t words[2];
        memcpy(&words[0], from, sizeof words[0]);
        memcpy(&words[1], from + len - sizeof words[1], sizeof words[1]);
        memcpy(to, &words[0], sizeof words[0]);
        memcpy(to + len - sizeof words[1], &words[1], sizeof words[1]);
    } else if (len == 1) {
        *to = *from;
    }
}

struct json_text *json_text_node_new(str text);

/** An empty text with room for `capacity` bytes before it grows. Owned. */
json json_text_with_capacity(size_t capacity);
void json_text_node_free(struct json_text *text);

/** SipHash with a key of this process, never 0: names chosen by an attacker do not collide. */
uint32_t json_hash(str text);

static inline uint32_t json_text_hash(struct json_text *text)
{
    if (text->hash == 0) text->hash = json_hash((str){.ptr = text->bytes, .len = text->len});
    return text->hash;
}

static inline json json_from_text(struct json_text *text)
{
    return (json){.kind = JSON_TEXT, .text = text};
}

static inline str json_text_view(const struct json_text *text)
{
    return (str){.ptr = text->bytes, .len = text->len};
}

static inline void json_text_node_ref(struct json_text *text)
{
    if (text->refs != JSON_REFS_IMMORTAL) text->refs++;
}

static inline struct json_text *json_block_text(struct json_block *block, uint32_t offset)
{
    return (struct json_text *)(void *)((char *)block + offset);
}

/** One of its texts has lost its last owner. */
static inline void json_block_drop(struct json_block *block)
{
    if (--block->live == 0) json_node_free(block, block->size);
}

/** json_text_node_free(), inline. */
static inline void json_text_node_bury(struct json_text *text)
{
    if (text->capacity & JSON_TEXT_IN_BLOCK) {
        uint32_t offset = text->capacity & ~JSON_TEXT_IN_BLOCK;
        json_block_drop((struct json_block *)(void *)((char *)text - offset));
    } else {
        json_node_free(text, sizeof *text + text->capacity + 1);
    }
}

static inline void json_text_node_unref(struct json_text *text)
{
    if (text->refs == JSON_REFS_IMMORTAL) return;
    if (--text->refs == 0) json_text_node_free(text);
}

/* Bytes of a text in a block. */
static inline size_t json_size_in_block(size_t len)
{
    size_t size = sizeof(struct json_text) + len + 1;
    return (size + JSON_BLOCK_ALIGN - 1) / JSON_BLOCK_ALIGN * JSON_BLOCK_ALIGN;
}

/** Writes a text of one owner into the block, which has room for it there. */
static inline struct json_text *json_block_put(struct json_block *block, uint32_t offset, str text)
{
    struct json_text *node = json_block_text(block, offset);
    node->refs             = 1;
    node->hash             = 0;
    node->len              = (uint32_t)text.len;
    node->capacity         = JSON_TEXT_IN_BLOCK | offset;
    json_copy_bytes(node->bytes, text.ptr, text.len);
    node->bytes[text.len] = '\0';
    return node;
}

/** Short texts that are made one after the other, some of them in each block. All of them have
 * owners until json_batch_done(). */
struct json_batch {
    struct json_block *block; /* or NULL: {} is an empty batch */
    uint32_t used;            /* bytes */
    uint32_t count;           /* texts in the block */
};

enum { JSON_BATCH_SIZE = 184 /* bytes of a block: what a text that is kept may keep, too */ };

/** json_batch_text() where the block has no room. */
json json_batch_other(struct json_batch *batch, str text);
void json_batch_done(struct json_batch *batch);

/** As json_text_new(). */
static inline json json_batch_text(struct json_batch *batch, str text)
{
    size_t size = json_size_in_block(text.len);
    if (!batch->block || batch->used + size > JSON_BATCH_SIZE) return json_batch_other(batch, text);
    struct json_text *node = json_block_put(batch->block, batch->used, text);
    batch->used += (uint32_t)size;
    batch->count++;
    return json_from_text(node);
}

/** An image of `texts`, to be copied: it counts for no meter. free() it. `ret_offsets` gets where
 * in the block each begins. */
struct json_block *json_block_image(const json *texts, size_t count, uint32_t *ret_offsets);

/** A block with one owner for each text, the caller, until json_block_unref(). */
struct json_block *json_block_copy(const struct json_block *image);
void json_block_unref(struct json_block *block);

/** json_text_append(), inline where there is room. */
static inline void json_text_extend(json *text, str more)
{
    struct json_text *node = text->text;
    bool is_mine           = node->refs == 1 && (node->capacity & JSON_TEXT_IN_BLOCK) == 0;
    if (is_mine && more.len > 0 && node->len + more.len <= node->capacity) {
        memcpy(node->bytes + node->len, more.ptr, more.len);
        node->len += (uint32_t)more.len;
        node->bytes[node->len] = '\0';
        node->hash             = 0;
    } else {
        json_text_append(text, more);
    }
}

/* --- owners, inline: json_ref() and json_unref() for inner loops -------------------------------
 */

/* The counter of a node; it is the first field of all three. */
static inline uint32_t *json_refs_of(json value)
{
    static_assert(offsetof(struct json_text, refs) == 0);
    return &value.text->refs;
}

static inline json json_share(json value)
{
    if (value.kind < JSON_TEXT) return value;
    uint32_t *refs = json_refs_of(value);
    if (*refs != JSON_REFS_IMMORTAL) ++*refs;
    return value;
}

/** The last owner of `value`, a node, has gone. */
void json_bury(json value);

static inline void json_drop(json value)
{
    if (value.kind < JSON_TEXT) return;
    uint32_t *refs = json_refs_of(value);
    if (*refs != JSON_REFS_IMMORTAL && --*refs == 0) json_bury(value);
}

/* --- containers --------------------------------------------------------------------------------
 */

/** Makes the caller the only owner of the container, and returns the place of a member there is:
 * valid until the container changes. What it holds may be replaced. */
json *json_array_slot(json *array, size_t index);
json *json_object_slot(json *object, size_t index);

/** json_array_push(), inline where there is room. */
static inline void json_array_append(json *array, json value)
{
    struct json_array *node = array->array;
    if (node->refs == 1 && node->count < node->capacity) {
        node->items[node->count++] = value;
    } else {
        json_array_push(array, value);
    }
}

struct json_array *json_array_node_new(size_t capacity);
size_t json_array_size(const struct json_array *array);

struct json_object *json_object_node_new(size_t capacity);
size_t json_object_size(const struct json_object *object);

/** Appends a member that is not there yet and returns true; false, taking nothing, if it is there.
 * Takes both. There is room, and nobody else owns the object. */
bool json_object_node_add(struct json_object *object, struct json_text *key, json value);

/** The same for a member that is not there, as the caller knows. */
void json_object_node_append(struct json_object *object, struct json_text *key, json value);

/** Makes the caller the only owner of an object with room for `more` members. */
void json_object_make_room(json *object, size_t more);

enum { JSON_NO_MEMBER = -1 };

/* Keys are short: the first bytes at once, and the last ones again, spare a call of memcmp(). */
static inline bool json_same_4(const char *a, const char *b, size_t len)
{
    uint32_t words[4];
    memcpy(&words[0], a, sizeof words[0]);
    memcpy(&words[1], b, sizeof words[1]);
    memcpy(&words[2], a + len - sizeof words[2], sizeof words[2]);
    memcpy(&words[3], b + len - sizeof words[3], sizeof words[3]);
    return words[0] == words[1] && words[2] == words[3];
}

static inline bool json_same_8(const char *a, const char *b, size_t len)
{
    uint64_t words[4];
    memcpy(&words[0], a, sizeof words[0]);
    memcpy(&words[1], b, sizeof words[1]);
    memcpy(&words[2], a + len - sizeof words[2], sizeof words[2]);
    memcpy(&words[3], b + len - sizeof words[3], sizeof words[3]);
    return words[0] == words[1] && words[2] == words[3];
}

static inline bool json_same(const char *a, const char *b, size_t len)
{
    if (len > 16) return memcmp(a, b, len) == 0;
    if (len >= 8) return json_same_8(a, b, len);
    if (len >= 4) return json_same_4(a, b, len);
    size_t i = 0;
    while (i < len && a[i] == b[i]) i++;
    return i == len;
}

static inline bool json_is_key(const struct json_text *text, str key)
{
    return text->len == key.len && json_same(text->bytes, key.ptr, key.len);
}

/** Position of the key in an object of more than JSON_LINEAR_MAX members. */
int64_t json_object_find_hashed(const struct json_object *object, str key, uint32_t hash);

/** Position of `key`, or JSON_NO_MEMBER. `node` is the text that `key` views, or NULL: with it the
 * hash is computed once only. */
static inline int64_t json_object_find(const struct json_object *object, str key,
                                       struct json_text *node)
{
    if (key.len == 0) key.ptr = ""; /* which may be NULL */
    if (object->capacity > JSON_LINEAR_MAX) {
        uint32_t hash = node ? json_text_hash(node) : json_hash(key);
        return json_object_find_hashed(object, key, hash);
    }
    const struct json_member *end = object->members + object->count;
    for (const struct json_member *member = object->members; member < end; member++) {
        if (json_is_key(member->key, key)) return member - object->members;
    }
    return JSON_NO_MEMBER;
}

/** Positions of the members in the order of their keys' code points. free() it. */
uint32_t *json_object_order(const struct json_object *object);

/* --- walking without recursion -----------------------------------------------------------------
 */

enum { JSON_WALK_INLINE = 32 }; /* levels that need no memory */

struct json_level {
    json container; /* a view */
    json other;     /* what it is compared with */
    uint32_t *order;
    uint32_t *other_order;
    size_t position; /* of the next member */
};

struct json_walk {
    struct json_level *levels;
    size_t depth;
    size_t capacity;
    struct json_level first[JSON_WALK_INLINE];
};

static inline void json_walk_init(struct json_walk *walk)
{
    walk->levels   = walk->first;
    walk->depth    = 0;
    walk->capacity = JSON_WALK_INLINE;
}

struct json_level *json_walk_push(struct json_walk *walk, json container);
void json_walk_pop(struct json_walk *walk);

/** CLEANUP form. */
void json_walk_done(struct json_walk *walk);

static inline struct json_level *json_walk_top(struct json_walk *walk)
{
    return walk->depth ? &walk->levels[walk->depth - 1] : NULL;
}

static inline bool json_is_container(json value)
{
    return value.kind >= JSON_ARRAY;
}

static inline size_t json_container_count(json container)
{
    return container.kind == JSON_ARRAY ? container.array->count : container.object->count;
}

static inline json json_container_value(json container, size_t position)
{
    return container.kind == JSON_ARRAY ? container.array->items[position]
                                        : container.object->members[position].value;
}

/* --- numbers as text ---------------------------------------------------------------------------
 */

enum { JSON_NUMBER_SIZE = 40 }; /* bytes: a sign and 32 digits, or 17 digits and an exponent */

/** Reads the number that starts at `at` and returns its end; NULL: `*ret_fault` is where it stops
 * being one. */
const char *json_number_read(const char *at, const char *end, json *ret_number,
                             const char **ret_fault);

/** Writes the number, which is not NaN, and returns its bytes. */
size_t json_number_format(json number, char text[static JSON_NUMBER_SIZE]);

/** Eight bytes at once, as they were copied: a bit for each that ends a run of plain characters in
 * a JSON text (quote, backslash, control) or is DEL; 0: none does. The first one is right, those
 * behind it may be too many. */
static inline uint64_t json_specials(uint64_t word)
{
    const uint64_t ones     = 0x0101010101010101;
    const uint64_t highs    = 0x8080808080808080;
    uint64_t quote          = word ^ (ones * '"');
    uint64_t backslash      = word ^ (ones * '\\');
    uint64_t delete_sign    = word ^ (ones * 0x7f);
    uint64_t below_space    = (word - ones * ' ') & ~word;
    uint64_t is_quote       = (quote - ones) & ~quote;
    uint64_t is_backslash   = (backslash - ones) & ~backslash;
    uint64_t is_delete_sign = (delete_sign - ones) & ~delete_sign;
    return (below_space | is_quote | is_backslash | is_delete_sign) & highs;
}

/** Says how many plain characters `text` has from `at` on. `*high` collects their bits. */
static inline size_t json_plain_len(const char *at, const char *end, uint64_t *high)
{
    const char *from = at;
    while (end - at >= (ptrdiff_t)sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        word              = le64toh(word); /* the first byte is the lowest */
        uint64_t specials = json_specials(word);
        if (specials) {
            int bits = __builtin_ctzll(specials) & ~7; /* of the plain ones before it */
            *high |= word & ((UINT64_C(1) << bits) - 1);
            return (size_t)(at - from) + (size_t)bits / 8;
        }
        *high |= word;
        at += sizeof word;
    }
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= ' ' && *at != 0x7f) {
        *high |= (unsigned char)*at++;
    }
    return (size_t)(at - from);
}

#endif
