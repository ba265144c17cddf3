#include "json/json_map.h"

#include "base/mem.h"
#include "json/json_internal.h"

#include <stdlib.h>

/* A container on the way down. */
struct frame {
    json source;     /* a view */
    str key;         /* of the member it is in */
    json result;     /* owned; JSON_INVALID as long as nothing has changed */
    size_t position; /* of the next member */
};

struct frames {
    struct frame *items;
    size_t count, capacity;
};

static void push(struct frames *frames, str key, json container)
{
    if (frames->count == frames->capacity) {
        frames->capacity = frames->capacity ? frames->capacity * 2 : 16;
        frames->items    = mem_resize(frames->items, frames->capacity, sizeof *frames->items);
    }
    frames->items[frames->count++] =
        (struct frame){.source = container, .key = key, .result = json_invalid()};
}

/* Puts a changed member in its place; takes it. */
static void replace(struct frame *frame, size_t index, json member)
{
    if (json_is(frame->result, JSON_INVALID)) frame->result = json_ref(frame->source);
    if (json_is(frame->source, JSON_ARRAY)) {
        json_array_set(&frame->result, index, member);
    } else {
        json_object_put_key(&frame->result, json_key_value_at(frame->source, index), member);
    }
}

static bool is_asked_for(json value)
{
    return json_is(value, JSON_TEXT) || json_is(value, JSON_INT) || json_is(value, JSON_REAL) ||
           json_is_container(value);
}

static json member_of(const struct frame *frame, size_t index)
{
    bool is_array = json_is(frame->source, JSON_ARRAY);
    return is_array ? json_at(frame->source, index) : json_value_at(frame->source, index);
}

static str key_of(const struct frame *frame, size_t index)
{
    return json_is(frame->source, JSON_ARRAY) ? frame->key : json_key_at(frame->source, index);
}

json json_map_values(json value, json_map_fn *map, void *context)
{
    struct frames frames = {};
    json changed         = json_invalid(); /* what the member that ended last has become */
    if (is_asked_for(value)) changed = map((str){}, value, context);
    if (!json_is(changed, JSON_INVALID)) return changed;
    if (!json_is_container(value)) return json_ref(value);
    push(&frames, (str){}, value);
    while (frames.count > 0) {
        struct frame *frame = &frames.items[frames.count - 1];
        if (!json_is(changed, JSON_INVALID)) {
            replace(frame, frame->position - 1, json_take(&changed));
        }
        if (frame->position == json_count(frame->source)) {
            changed = frame->result;
            frames.count--;
            continue;
        }
        str key     = key_of(frame, frame->position);
        json member = member_of(frame, frame->position++);
        if (is_asked_for(member)) changed = map(key, member, context);
        bool is_open = json_is_container(member) && json_is(changed, JSON_INVALID);
        if (is_open) push(&frames, key, member);
    }
    free(frames.items);
    return json_is(changed, JSON_INVALID) ? json_ref(value) : changed;
}
