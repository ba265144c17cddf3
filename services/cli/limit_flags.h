/** limit_flags: `--concurrency` and `--rate`, and how limits are shown. */
#ifndef CLI_LIMIT_FLAGS_H
#define CLI_LIMIT_FLAGS_H

#include "base/buf.h"
#include "json/json_write.h"

/** Says whether the text takes a limit away: "none". */
bool limit_is_none(const char *text);

/** Writes the member `rate` of `10/1m`, or of `none`. False: it is neither. */
bool put_rate(const char *text, struct json_writer *w);

/** The same of another member. */
bool put_count_per(const char *member, const char *text, struct json_writer *w);

/** Writes the members `concurrency` and `rate` of what was given (NULL: nothing) and counts them.
 * False: that is no limit. */
bool limit_put(const char *concurrency, const char *rate, struct json_writer *w, size_t *count);

/** Appends "4 at once, 100/1m, 90000 tokens/1m"; nothing without a limit. */
void limit_text_put(json limit, struct buf *out);

#endif
