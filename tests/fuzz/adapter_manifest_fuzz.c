/* A manifest from anywhere: read, checked, and what is right played. */
#include "adapter/example.h"
#include "base/attr.h"

enum { ARENA_MAX = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_freep) struct arena *arena          = arena_new(ARENA_MAX);
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    struct diagnostics *list                          = diagnostics_new(arena);
    struct error error                                = {};
    str text                                          = {.ptr = (const char *)data, .len = size};
    if (manifest_read(text, list, &manifest, &error) != STATUS_OK) return 0;
    for (size_t i = 0; i < manifest->action_count; i++) {
        CLEANUP(json_unrefp) json played = json_invalid();
        (void)!example_play(&manifest->actions[i], json_invalid(), arena, &played, &error);
    }
    return 0;
}
