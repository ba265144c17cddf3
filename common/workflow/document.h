/** document: the outermost table of a definition. Internal to this layer. */
#ifndef WORKFLOW_DOCUMENT_H
#define WORKFLOW_DOCUMENT_H

#include "workflow/reader.h"

/** Reads everything but the tasks, which are only noted: tasks_read() comes after. */
void document_read(struct reader *reader, json root);

/** `schedule`: struct schedule * (schedule_read.c). */
void schedule_read(struct reader *reader, json value, void *target);

#endif
