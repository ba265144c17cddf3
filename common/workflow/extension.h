/**
 * extension: what `use.extensions` puts around tasks. Internal to this layer.
 *
 * An extension is written once and read anew for every task that it is for, since its expressions
 * stand at another place each time.
 */
#ifndef WORKFLOW_EXTENSION_H
#define WORKFLOW_EXTENSION_H

#include "workflow/task_read.h"

struct extension {
    struct extension *next; /* in the order of their declaration */
    const char *name;
    const char *pointer;
    const char *kind; /* "call", "composite", "all", ... */
    json value;
    bool is_used;
};

/** `use.extensions`: a list of `name: extension`. */
void extensions_read(struct reader *reader, json value, void *target);

/** Says whether an extension is for tasks of this form ("call", "do", ...), and marks it used. */
bool extension_is_for(struct extension *extension, const char *form);

/** Makes `wrapper` the extension's: reads `when`, and notes its lists. The body is the caller's to
 * fill: a place for one task. */
void extension_open(struct reader *reader, struct draft *wrapper,
                    const struct extension *extension);

/** Reads those that are for no task, and warns of them (V43). */
void extensions_finish(struct reader *reader);

#endif
