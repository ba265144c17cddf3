/**
 * reads: which members of its input a program reads by name, such as `.order.id`.
 *
 * For checks of programs against what is known of their input. Only what is certain is told: paths
 * of literal keys from the input on, also behind pipes, in conditions, and by variables that stand
 * for a path (`.order as $o | $o.id`). What a function of the program's own, an element of a list
 * or an assignment does is passed over. So what is told is read as often as the program gets there;
 * what is not told may be read, too.
 *
 * Pure: any thread. Depth: that of the tree, which the parser bounds (PARSE_HEIGHT_MAX).
 */
#ifndef EXPR_READS_H
#define EXPR_READS_H

#include "base/str.h"

#include <stddef.h>

enum { EXPR_READ_DEPTH_MAX = 16 /* keys of a path; longer ones are passed over */ };

/** The member `keys[count - 1]` of what the keys before it lead to. Lasts for the call only. */
struct expr_read {
    const str *keys;
    size_t count;  /* >= 1 */
    size_t offset; /* of the last key, bytes from the start of the source */
};

/** Calls `visit` for each, in the order in which they are written: of `.a.b` first for `.a`. Of a
 * `source` that does not compile: for none. */
void expr_reads(str source, void (*visit)(const struct expr_read *read, void *context),
                void *context);

#endif
