/** portability: what other runtimes of the language would ignore, refuse or do differently (notes
 * P01..P07 of docs/reference/diagnostics.md). Internal to this layer. */
#ifndef WORKFLOW_PORTABILITY_H
#define WORKFLOW_PORTABILITY_H

#include "workflow/reader.h"

/** Notes what an expression at hand uses; `source` starts at byte `offset` of the text. */
void portability_of_expression(struct reader *reader, str source, size_t offset, uint32_t used);

/** Notes everything else, after all has been read. */
void portability_check(struct reader *reader);

#endif
