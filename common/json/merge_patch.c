/* Merge patches (RFC 7396), without recursion. */
#include "base/mem.h"
#include "json/json_internal.h"
#include "json/json_pointer.h"

#include <stdlib.h>

/* One object of the patch, and what becomes of the target's value there. */
struct level {
    json patch;      /* a view */
    json result;     /* owned */
    size_t position; /* of the patch's next member */
};

struct merge {
    struct level *levels; /* owned */
    size_t depth;
    size_t capacity;
};

static void merge_done(struct merge *merge)
{
    free(merge->levels);
}

static void push(struct merge *merge, json patch, json target)
{
    enum { DEPTH_MIN = 8 };
    if (merge->depth == merge->capacity) {
        merge->capacity = merge->capacity ? merge->capacity * 2 : DEPTH_MIN;
        merge->levels   = mem_resize(merge->levels, merge->capacity, sizeof *merge->levels);
    }
    bool is_object = target.kind == JSON_OBJECT;
    merge->levels[merge->depth++] =
        (struct level){.patch = patch, .result = is_object ? json_ref(target) : json_object_new(0)};
}

/* Ends the innermost object and puts it into the one around it. */
static json pop(struct merge *merge)
{
    json result = merge->levels[--merge->depth].result;
    if (merge->depth == 0) return result;
    struct level *outer = &merge->levels[merge->depth - 1];
    json_object_put_key(&outer->result, json_key_value_at(outer->patch, outer->position - 1),
                        result);
    return json_invalid();
}

json json_merge_patch_new(json target, json patch)
{
    if (patch.kind != JSON_OBJECT) return json_ref(patch);

    CLEANUP(merge_done) struct merge merge = {};
    push(&merge, patch, target);
    for (;;) {
        struct level *level = &merge.levels[merge.depth - 1];
        if (level->position == json_count(level->patch)) {
            json result = pop(&merge);
            if (result.kind != JSON_INVALID) return result;
            continue;
        }
        size_t i  = level->position++;
        str name  = json_key_at(level->patch, i);
        json next = json_value_at(level->patch, i);
        if (next.kind == JSON_NULL) {
            (void)json_object_remove(&level->result, name); /* it may not be there */
        } else if (next.kind == JSON_OBJECT) {
            push(&merge, next, json_get(level->result, name));
        } else {
            json_object_put_key(&level->result, json_key_value_at(level->patch, i), json_ref(next));
        }
    }
}
