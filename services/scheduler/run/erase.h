/**
 * erase: what people have put into a run goes, and how the run went stays.
 *
 * Texts become empty, numbers 0, true becomes false; names of members, the number of items and what
 * is null stay, so that the events still fold to a state. Of an error `type` and `status` stay.
 *
 * Pure functions on bytes; what is no JSON or no entry is DATA_LOSS.
 */
#ifndef SCHEDULER_ERASE_H
#define SCHEDULER_ERASE_H

#include "base/buf.h"
#include "base/status.h"

/** Appends the text of a JSON value without its contents. `is_error`: it is one. */
status erase_json(str text, bool is_error, struct buf *out, struct error *reterr);

/** Appends a journal entry whose values stand in it without their contents. Those in payloads are
 * left to the caller (entry_scan()). RESOURCE_EXHAUSTED: `out` is full. */
status erase_entry(bytes entry, struct buf *out, struct error *reterr);

#endif
