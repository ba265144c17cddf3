/**
 * pattern: the text of a step against what a step may look like.
 *
 * Placeholders: {word} up to the next blank, comma or colon, {name} up to the next blank, {text} in
 * single or double quotes, {list} quoted texts with commas between them, {number}, and {duration}
 * such as "10 seconds". Everything else must be there as it is.
 */
#ifndef LANGUAGE_PATTERN_H
#define LANGUAGE_PATTERN_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { MATCH_ARGUMENTS_MAX = 8, MATCH_LIST_MAX = 32 };

struct match {
    str arguments[MATCH_ARGUMENTS_MAX]; /* without quotes */
    size_t count;
};

bool pattern_matches(const char *pattern, str text, struct match *ret_match);

/** The texts of a {list}; how many there are. */
size_t match_list(str list, str *ret_items, size_t capacity);

/** The value of a {number}. */
uint32_t match_number(str number);

/** Microseconds of a {duration}. */
int64_t match_duration_us(str duration);

#endif
