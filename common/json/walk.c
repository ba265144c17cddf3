/* A walk over a tree with its stack on the heap, once it is deeper than JSON_WALK_INLINE. */
#include "base/mem.h"
#include "json/json_internal.h"

#include <stdlib.h>

struct json_level *json_walk_push(struct json_walk *walk, json container)
{
    ASSERT(json_is_container(container));
    if (walk->depth == walk->capacity) {
        bool is_inline        = walk->levels == walk->first;
        size_t size           = walk->capacity * 2;
        struct json_level *to = mem_resize(is_inline ? NULL : walk->levels, size, sizeof *to);
        if (is_inline) memcpy(to, walk->first, sizeof walk->first);
        walk->levels   = to;
        walk->capacity = size;
    }
    struct json_level *level = &walk->levels[walk->depth++];
    level->container         = container;
    level->other             = json_invalid();
    level->order             = NULL;
    level->other_order       = NULL;
    level->position          = 0;
    return level;
}

void json_walk_pop(struct json_walk *walk)
{
    ASSERT(walk->depth > 0);
    struct json_level *level = &walk->levels[--walk->depth];
    if (level->order) free(level->order);
    if (level->other_order) free(level->other_order);
}

void json_walk_done(struct json_walk *walk)
{
    while (walk->depth > 0) json_walk_pop(walk);
    if (walk->levels != walk->first) free(walk->levels);
}
