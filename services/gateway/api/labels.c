#include "gateway/api/labels.h"

#include "base/assert.h"
#include "base/label.h"

static struct labels labels_new(struct api_call *call, size_t most)
{
    struct labels labels = {arena_alloc(call->arena, (most + 1) * sizeof(Pb__Label *)), 0};
    ASSERT(labels.items);
    return labels;
}

static void labels_add(struct labels *labels, struct api_call *call, str key, str value)
{
    Pb__Label *label = arena_alloc(call->arena, sizeof *label);
    ASSERT(label);
    pb__label__init(label);
    label->key                     = api_text(call, key);
    label->value                   = api_text(call, value);
    labels->items[labels->count++] = label;
}

struct labels labels_of_body(struct api_call *call, json from)
{
    size_t count         = json_is(from, JSON_OBJECT) ? json_count(from) : 0;
    struct labels labels = labels_new(call, count);
    for (size_t i = 0; i < count; i++) {
        str key = json_key_at(from, i);
        labels_add(&labels, call, key, json_str(json_value_at(from, i)));
    }
    return labels;
}

status labels_of_query(struct api_call *call, struct labels *ret_labels, struct error *reterr)
{
    size_t cursor = 0;
    str text      = {};
    str key       = {};
    str value     = {};
    *ret_labels   = labels_new(call, LABELS_MAX);
    while (api_query_next(call, "label", &cursor, &text)) {
        if (!label_read(text, &key, &value) || ret_labels->count == LABELS_MAX) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "label: `key=value`, at most %d of them",
                        LABELS_MAX);
        }
        labels_add(ret_labels, call, key, value);
    }
    return STATUS_OK;
}
