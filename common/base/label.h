/**
 * label: how people write a label in a word: KEY=VALUE. KEY:VALUE is read as well.
 *
 * The first of the two characters separates, so a value may have both and a key has neither. Pure;
 * any thread.
 */
#ifndef BASE_LABEL_H
#define BASE_LABEL_H

#include "base/str.h"

#include <stdbool.h>

/** Both are parts of `text`. False: nothing separates, or there is no key. */
bool label_read(str text, str *ret_key, str *ret_value);

#endif
