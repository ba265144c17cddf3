/** money: amounts in nano-dollars (int64: up to nine billion dollars) and their decimal text. */
#ifndef BASE_MONEY_H
#define BASE_MONEY_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { MONEY_TEXT_MAX = 24 /* characters of the longest amount */ };

/** Appends the exact amount in dollars without needless zeros: "0.00125", "3", "-1.5". */
bool money_print(int64_t usd_nanos, struct buf *out);

/** Reads a decimal number of dollars, not negative, with at most 9 digits after the point. */
bool money_parse(str text, int64_t *ret_usd_nanos);

#endif
