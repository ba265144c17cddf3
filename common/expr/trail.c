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
    json path = json_array_new(trail->depth);
    for (uint32_t i = 0; i < trail->depth; i++) json_array_push(&path, json_null());
    for (uint32_t i = trail->depth; i > 0; i--, trail = trail->parent) {
        json_array_set(&path, i - 1, json_share(trail->key));
    }
    return path;
}
