/** utf8: checking and walking UTF-8 (RFC 3629: no surrogates, no overlong forms, <= U+10FFFF). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { UTF8_BYTES_MAX = 4 };

/** Returns the length of the valid prefix; equals `text.len` if all of it is valid. */
size_t utf8_valid_prefix(str text);

/** Decodes the character at `*offset` of valid text and moves past it. */
uint32_t utf8_next(str text, size_t *offset);

/** Writes `code_point` and returns its bytes. Surrogates and out of range become U+FFFD. */
size_t utf8_encode(uint32_t code_point, char ret_bytes[static UTF8_BYTES_MAX]);

/** Counts the code points of valid text. */
size_t utf8_length(str text);

#endif
