/**
 * json_mask: hides known texts in values: secrets that somebody else may have put into an answer or
 * an error.
 *
 * Hidden is each text itself and the forms in which it usually travels: in base64 (also as a part
 * of something longer, both alphabets) and percent-encoded, and its lines, if it has several. `***`
 * takes its place. What is shorter than MASK_LEN_MIN is not hidden: it would occur by chance, and
 * what it occurs in would be changed.
 *
 * Not thread-safe while texts are added; constant afterwards.
 */
#ifndef JSON_JSON_MASK_H
#define JSON_JSON_MASK_H

#include "json/json.h"

enum {
    MASK_LEN_MIN   = 8,      /* bytes, as of the log's secrets */
    MASK_LEN_MAX   = 16'384, /* bytes; of a longer one only itself is hidden, in no other form */
    MASK_LINE_MIN  = 16,     /* bytes of a line of a longer text that is hidden alone */
    MASK_LINES_MAX = 1'024,  /* of one mask; more are hidden only with what they are lines of */
    MASK_TEXTS_MAX = 256,    /* of one mask; more are left out */
};

struct json_mask;

struct json_mask *json_mask_new(void); /* owned */
void json_mask_free(struct json_mask *mask);
void json_mask_freep(struct json_mask **mask);

void json_mask_add(struct json_mask *mask, str text);

/** Every text in `value`: of an object the values of its members, at any depth. */
void json_mask_add_all(struct json_mask *mask, json value);

/** `value` with all of them hidden, in keys too; itself if it holds none. Owned. */
json json_mask_apply(const struct json_mask *mask, json value);

#endif
