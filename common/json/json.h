/**
 * json: the one value type of the suite, for documents, expressions, schemas and services.
 *
 * A value is 16 bytes and travels like a number. Null, booleans and numbers are in it; texts,
 * arrays and objects are counted nodes on the heap, shared instead of copied. What is shared is
 * never changed: a change of a node that has more than one owner copies that node first (one level;
 * its members stay shared).
 *
 * Integers are exact over the whole range of int64; they never pass through a double. A number in a
 * text with a fraction, an exponent or beyond int64 is a double. Objects keep the order in which
 * their members were set. Texts are valid UTF-8, may hold NUL, and are followed by one.
 *
 * Ownership. A function borrows its arguments unless it says *takes*. A value that a function
 * returns is owned if its name ends in _new, _copy, _ref, _take or it parses; what json_get(),
 * json_at() and the iterators return is a view, valid until the container changes or goes away.
 *
 * Threads: a node belongs to one thread; counters are not atomic. A value given to json_freeze()
 * belongs to nobody, is never changed or freed by counting, and may be read by all threads.
 *
 * Memory: constructors do not fail. Small nodes that are freed wait in their thread for the next of
 * their size, 128 KiB at most. A meter (below) counts what a thread's values take and says
 * when that is too much; code that builds values of unbounded size looks at it as it goes.
 */
#ifndef JSON_JSON_H
#define JSON_JSON_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_kind {
    JSON_INVALID, /* no value: what a failed look-up returns; never inside a container */
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_INT,  /* int64 */
    JSON_REAL, /* double; may be NaN or infinite while an expression computes, never in a text */
    JSON_TEXT,
    JSON_ARRAY,
    JSON_OBJECT,
};

typedef struct json {
    enum json_kind kind;
    uint32_t reserved; /* 0 */
    union {
        int64_t integer;
        double real;
        struct json_text *text; /* the three kinds of nodes: see json_internal.h */
        struct json_array *array;
        struct json_object *object;
    };
} json;

/* --- making ------------------------------------------------------------------------------------
 */

static inline json json_invalid(void)
{
    return (json){};
}

static inline json json_null(void)
{
    return (json){.kind = JSON_NULL};
}

static inline json json_bool(bool value)
{
    return (json){.kind = value ? JSON_TRUE : JSON_FALSE};
}

static inline json json_int(int64_t value)
{
    return (json){.kind = JSON_INT, .integer = value};
}

static inline json json_real(double value)
{
    return (json){.kind = JSON_REAL, .real = value};
}

/** Copies `text`, which must be valid UTF-8 (else: json_text_lossy()). Owned. */
json json_text_new(str text);
json json_text_from(const char *text);

/** The same for any bytes: what is not UTF-8 becomes U+FFFD. */
json json_text_lossy(str raw);

/** An empty container with room for `capacity` members before it grows. Owned. */
json json_array_new(size_t capacity);
json json_object_new(size_t capacity);

/* --- ownership ---------------------------------------------------------------------------------
 */

/** One more owner of `value`. */
json json_ref(json value);

/** One owner less; frees at the last one, without recursion, whatever the depth. */
void json_unref(json value);

/** CLEANUP form. */
void json_unrefp(json *value);

/** Hands `*value` over and leaves JSON_INVALID behind. */
json json_take(json *value);

/** Makes the whole tree immortal and immutable, so that threads may share it. Constants only: the
 * memory comes back by json_thaw_and_free() alone. */
json json_freeze(json value);
void json_thaw_and_free(json value);

/* --- looking -----------------------------------------------------------------------------------
 */

static inline bool json_is(json value, enum json_kind kind)
{
    return value.kind == kind;
}

static inline bool json_is_bool(json value)
{
    return value.kind == JSON_TRUE || value.kind == JSON_FALSE;
}

static inline bool json_is_number(json value)
{
    return value.kind == JSON_INT || value.kind == JSON_REAL;
}

/** The condition of the workflow language: all but null, false and "no value" is true. */
static inline bool json_is_truthy(json value)
{
    return value.kind > JSON_FALSE;
}

/** "null", "boolean", "number", "string", "array", "object"; "invalid" for no value. */
const char *json_kind_name(json value);

/** The bytes of a text. A view of the node. Asserts that it is one. */
str json_str(json text);

/** The number as a double; an int64 beyond 2^53 is rounded. Asserts that it is one. */
double json_number(json number);

/** The number as an int64, if it is a whole one in range. */
bool json_to_int(json number, int64_t *ret_value);

/** Members of an array or object; code points of a text are utf8_length(). */
size_t json_count(json container);

/** View of the member at `index`; JSON_INVALID beyond the end or if `array` is no array. */
json json_at(json array, size_t index);

/** View of a member; JSON_INVALID if there is none or `object` is no object. */
json json_get(json object, str key);
json json_get_text(json object, const char *key);
/** The same by a text value: keys that one parse shares are found without comparing bytes. */
json json_get_key(json object, json key);

/** Position of a member among the others; false if there is none or `object` is no object. */
bool json_find(json object, str key, size_t *ret_index);

/** Members of an object in their order. Views. */
str json_key_at(json object, size_t index);
json json_key_value_at(json object, size_t index); /* the key as a text value; a view */
json json_value_at(json object, size_t index);

/** Deep equality; numbers by value (1 equals 1.0, exactly also beyond 2^53). No recursion. */
bool json_equal(json a, json b);

/** jq's order: null < false < true < numbers < texts (by code point) < arrays < objects (first by
 * their sorted keys, then by value key by key). < 0, 0, > 0. */
int json_compare(json a, json b);

/** json_compare() in at most `*steps` steps (one per value compared), which are subtracted; false,
 * and no order, if they run out. For trees that share so much that their size is astronomical. */
bool json_compare_within(json a, json b, uint64_t *steps, int *ret_order);

/* --- changing: `container` is owned by the caller and stays so; `value` is taken -------------- */

void json_array_push(json *array, json value);
void json_array_set(json *array, size_t index, json value); /* index < json_count() */
void json_array_truncate(json *array, size_t count);
void json_array_remove(json *array, size_t from, size_t to);

/** Sets or replaces a member; a replaced one keeps its place. The key is copied. */
void json_object_put(json *object, str key, json value);
void json_object_put_text(json *object, const char *key, json value);
/** The same with a key that is a text value: shares it instead of copying. Borrows `key`. */
void json_object_put_key(json *object, json key, json value);
bool json_object_remove(json *object, str key);

/** Appends to a text in place if nobody else owns it. `*text` is owned by the caller. */
void json_text_append(json *text, str more);

/* --- memory ------------------------------------------------------------------------------------
 */

/**
 * Counts the bytes of nodes made and freed by this thread while it is entered. Soft: allocation
 * goes on, `is_exceeded` stays set. Who is about to make something large asks json_meter_allows()
 * first.
 */
struct json_meter {
    int64_t used;  /* bytes; may fall below 0 when values made before are freed */
    int64_t limit; /* bytes */
    bool is_exceeded;
};

/** Enters `next` (NULL: none) for this thread and returns the one before it, to be restored. */
struct json_meter *json_meter_enter(struct json_meter *next);

/** Says whether `size` more bytes fit the meter in force; if not, it counts as exceeded. */
bool json_meter_allows(size_t size);

#endif
