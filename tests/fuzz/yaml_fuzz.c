/* Any bytes as YAML: a document or a finding with a place; all places can be asked for. */
#include "base/arena.h"
#include "base/assert.h"
#include "yaml/yaml.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_MAX = 4 << 20, POINTER_MAX = 64 << 10, OUT_MAX = 16 << 20, MEMBERS_MAX = 50 };

static void ask(const struct yaml_document *document, str pointer, str lines)
{
    json value              = json_pointer_get(yaml_root(document), pointer);
    struct yaml_place place = yaml_place_of(document, pointer);
    ASSERT(place.line >= 1);
    ASSERT(place.column >= 1);
    ASSERT(place.line <= lines.len + 1);
    (void)yaml_key_place(document, pointer);
    size_t len = json_is(value, JSON_TEXT) ? json_str(value).len : 0;
    for (size_t i = 0; i <= len && i < MEMBERS_MAX; i++) {
        ASSERT(yaml_place_in(document, pointer, i).line >= place.line);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text                                           = {.ptr = (const char *)data, .len = size};
    CLEANUP(arena_freep) struct arena *arena           = arena_new(ARENA_MAX);
    struct diagnostics *list                           = diagnostics_new(arena);
    CLEANUP(yaml_freep) struct yaml_document *document = NULL;
    if (yaml_parse(text, list, &document, NULL) != STATUS_OK) {
        ASSERT(list->errors > 0);
        ASSERT(list->items[0].line >= 1);
        ASSERT(list->items[0].column >= 1);
        return 0;
    }
    ASSERT(list->errors == 0);
    json root                            = yaml_root(document);
    CLEANUP(buf_done) struct buf pointer = buf_init(POINTER_MAX);
    ask(document, (str){}, text);
    for (size_t i = 0; i < json_count(root) && i < MEMBERS_MAX; i++) {
        buf_clear(&pointer);
        bool is_object = json_is(root, JSON_OBJECT);
        if (is_object) (void)json_pointer_add(&pointer, json_key_at(root, i));
        if (!is_object) (void)json_pointer_add_index(&pointer, i);
        if (!pointer.is_full) ask(document, buf_str(&pointer), text);
    }
    CLEANUP(buf_done) struct buf out = buf_init(OUT_MAX);
    (void)json_print(root, JSON_SORTED, &out);
    return 0;
}
