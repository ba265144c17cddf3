#include "scheduler/run/place.h"

struct place place_of(const struct scope *scope)
{
    return (struct place){
        .scope = scope->slot,
        .owner = scope->owner,
        .kind  = scope->kind,
        .index = scope->index,
    };
}

json steps_overlay(json outer, json inner)
{
    if (inner.kind == JSON_INVALID) return outer;
    if (outer.kind == JSON_INVALID) return inner;
    json both = json_ref(outer);
    for (size_t i = 0; i < json_count(inner); i++) {
        json_object_put_key(&both, json_key_value_at(inner, i), json_ref(json_value_at(inner, i)));
    }
    json_unref(outer);
    json_unref(inner);
    return both;
}
