/** json_pointer: RFC 6901. */
#ifndef JSON_JSON_POINTER_H
#define JSON_JSON_POINTER_H

#include "base/buf.h"
#include "json/json.h"

/** View of the value at `pointer` ("" is `root`, "/do/0/name"); JSON_INVALID if there is none or it
 * is no pointer. */
json json_pointer_get(json root, str pointer);

/** Appends "/" and the escaped name (~ becomes ~0, / becomes ~1), or the index. */
bool json_pointer_add(struct buf *pointer, str name);
bool json_pointer_add_index(struct buf *pointer, size_t index);

/** RFC 7396: returns `target` changed by `patch`. Owned; borrows both. */
json json_merge_patch_new(json target, json patch);

#endif
