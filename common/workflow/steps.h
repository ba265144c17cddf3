/**
 * steps: which outputs `$steps` can name. Internal to this layer.
 *
 * Visible are the tasks of the same list and of the enclosing lists; `output.as` and `export.as`
 * see those of the task's body too. Outputs that no expression names are not kept.
 */
#ifndef WORKFLOW_STEPS_H
#define WORKFLOW_STEPS_H

#include "workflow/reader.h"

/** Marks what `program`, which stands at the reader's place, reads of `$steps`; warns (V21) of a
 * name that it cannot see. */
void steps_used(struct reader *reader, const struct expr *program, const struct program_text *text);

#endif
