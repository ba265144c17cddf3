/* What reader and outlines share. */
#ifndef LANGUAGE_GHERKIN_INTERNAL_H
#define LANGUAGE_GHERKIN_INTERNAL_H

#include "language/gherkin.h"

/* A scenario or outline while its lines are read. */
struct gherkin_draft {
    struct gherkin_scenario scenario;
    bool is_outline;
    size_t expanded; /* scenarios made of it so far */
};

/** Makes room for one more scenario; NULL past the limit. */
struct gherkin_scenario *gherkin_add(struct gherkin_feature *feature);

/** Adds a scenario per row of `examples`, whose first row names the placeholders. `tags` are those
 * of the examples. */
status gherkin_expand(const struct gherkin_scenario *outline, const struct gherkin_table *examples,
                      struct arena *arena, struct gherkin_feature *feature, struct error *reterr);

/** Fails with "line N: ...". */
PRINTF_LIKE(3, 4)
status gherkin_fail(uint32_t line, struct error *reterr, const char *format, ...);

#endif
