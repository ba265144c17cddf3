/*
 * paths: reading and changing values by keys and by paths.
 *
 * What fails raises jq's message in the machine and returns JSON_INVALID. Values are borrowed and
 * results owned unless a comment says *takes*; a taken value is changed in place where nobody else
 * owns it.
 */
#ifndef EXPR_PATHS_H
#define EXPR_PATHS_H

#include "expr/vm.h"

enum { PATH_DEPTH_MAX = 10'000 /* keys */ };

/* container[key] and container[from:to]. */
json paths_index(struct expr_run *vm, json container, json key);
json paths_slice(struct expr_run *vm, json container, json from, json to);
json paths_slice_key_new(json from, json to); /* {"start": from, "end": to} */
json paths_has(struct expr_run *vm, json container, json key);

json paths_get(struct expr_run *vm, json value, json path);
json paths_set(struct expr_run *vm, json value, json path, json member); /* takes value, member */
json paths_delete(struct expr_run *vm, json value, json paths);          /* takes value */

/* The same for a path of keys that need not be an array. */
struct keys {
    const json *items;
    size_t count;
};

json paths_get_at(struct expr_run *vm, json value, struct keys keys);
json paths_set_at(struct expr_run *vm, json value, struct keys keys, json member);

/* As paths_get_at(), but leaves null there, so that the one who changes it is its only owner. */
json paths_extract(struct expr_run *vm, json *value, struct keys keys);

static inline struct keys keys_of_path(json path)
{
    return (struct keys){.items = path.array->items, .count = path.array->count};
}

/* --- shared by the files of paths --------------------------------------------------------------
 */

/* The window of an array or text of `len` members that a slice means. False: raised. */
bool paths_window(struct expr_run *vm, json from, json to, size_t len, size_t *ret_from,
                  size_t *ret_to);

/* container[key] = member. Takes member; the container stays the caller's. False: raised. */
bool paths_put(struct expr_run *vm, json *container, json key, json member);

/* Position in an array of `len` that a number means; -1 if it is outside. */
int64_t paths_position(json number, size_t len);

bool paths_check(struct expr_run *vm, json path);

#endif
