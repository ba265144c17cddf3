/** metadata_call: what `metadata.tutti` says of a call. Internal to this layer. */
#ifndef WORKFLOW_METADATA_CALL_H
#define WORKFLOW_METADATA_CALL_H

#include "workflow/task_read.h"

/* Fields of `metadata.tutti` of a task: struct task *. */
void call_queue_read(struct reader *reader, json value, void *target);
void dead_letter_read(struct reader *reader, json value, void *target);
void on_open_read(struct reader *reader, json value, void *target);
void on_exhausted_read(struct reader *reader, json value, void *target);
void cache_read(struct reader *reader, json value, void *target);          /* metadata_cache.c */
void limit_read(struct reader *reader, json value, void *target);          /* metadata_limit.c */
void document_limit_read(struct reader *reader, json value, void *target); /* of the document */

/** The same when the whole task was read: whether its arguments may be what is looked up. */
void cache_finish(struct reader *reader, const struct draft *draft);

#endif
