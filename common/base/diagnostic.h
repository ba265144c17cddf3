/**
 * diagnostic: findings about a text that somebody wrote: where, what, and how to mend it.
 *
 * Readers of YAML, expressions, schemas, workflows and configuration add to one list, so that all
 * findings of a document are reported at once. At most DIAGNOSTICS_MAX are kept; more are counted.
 */
#ifndef BASE_DIAGNOSTIC_H
#define BASE_DIAGNOSTIC_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { DIAGNOSTICS_MAX = 100 };

enum severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_NOTE };

struct diagnostic {
    const char *code; /* static: "V11"; "" if the kind of text has no codes */
    enum severity severity;
    const char *pointer; /* JSON pointer of the value; "" is the whole document */
    uint32_t line;       /* from 1; 0: unknown */
    uint32_t column;     /* from 1, in code points; 0: unknown */
    const char *detail;  /* what is wrong, in one sentence */
    const char *hint;    /* the fix; "" if there is none to offer */
};

/** All texts of a list live as long as `arena`. */
struct diagnostics {
    struct arena *arena; /* borrowed */
    struct diagnostic items[DIAGNOSTICS_MAX];
    size_t count;
    size_t dropped;
    size_t errors; /* of severity error, dropped ones included */
};

struct diagnostics *diagnostics_new(struct arena *arena); /* lives as long as `arena` */

/** Adds a finding and returns it, so that the caller may set more; NULL if the list is full.
 * `pointer` is copied. */
PRINTF_LIKE(7, 8)
struct diagnostic *diagnostics_add(struct diagnostics *list, const char *code,
                                   enum severity severity, str pointer, uint32_t line,
                                   uint32_t column, const char *format, ...);

/** Sets the hint of a finding; `finding` may be NULL. */
PRINTF_LIKE(3, 4)
void diagnostic_hint(struct diagnostics *list, struct diagnostic *finding, const char *format, ...);

/** Returns the name of `names` (`count` of them) nearest to `word`, or NULL if none is near:
 * at most a third of its length in edits. For "did you mean". */
const char *nearest_name(str word, const char *const *names, size_t count);

#endif
