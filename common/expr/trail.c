#include "base/mem.h"
#include "expr/vm.h"

#include <stdlib.h>

struct trail *trail_new(struct trail *parent, json key)
{
    struct trail *trail = json_node_new(sizeof *trail);
    uint32_t depth      = parent ? parent->depth + 1 : 0;
    *trail              = (struct trail){.refs = 1, .depth = depth, .parent = parent, .key = key};
    return trail;
}

struct trail *trail_ref(struct trail *trail)
{
    if (trail) trail->refs++;
    return trail;
}

void trail_unref(struct trail *trail)
{
    while (trail && --trail->refs == 0) {
        struct trail *parent = trail->parent;
        json_drop(trail->key);
        json_node_free(trail, sizeof *trail);
        trail = parent;
    }
}

json trail_path_new(const struct trail *trail)
{
    struct json_array *path = json_array_node_new(trail->depth);
    path->count             = trail->depth;
    for (; trail->parent; trail = trail->parent) {
        path->items[trail->depth - 1] = json_share(trail->key);
    }
    return (json){.kind = JSON_ARRAY, .array = path};
}
