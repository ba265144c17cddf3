/* A description from anywhere: what is made of it is a manifest that lacks nothing but decisions.
 */
#include "adapter/manifest.h"
#include "adapter/openapi.h"
#include "base/assert.h"
#include "base/attr.h"
#include "json/json_text.h"

#include <string.h>

enum { ARENA_MAX = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(json_unrefp) json value                   = json_invalid();
    CLEANUP(buf_done) struct buf out                  = buf_init(MANIFEST_SIZE_MAX);
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    const struct openapi_options options              = {.name = "shop"};
    struct error error                                = {};
    str text                                          = {.ptr = (const char *)data, .len = size};
    if (json_parse(text, NULL, &value, NULL, &error) != STATUS_OK) return 0;
    if (openapi_skeleton(value, &options, &out, &error) != STATUS_OK) return 0;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct diagnostics *list                 = diagnostics_new(arena);
    (void)!manifest_read(buf_str(&out), list, &manifest, &error);
    for (size_t i = 0; i < list->count; i++) {
        const char *code = list->items[i].code; /* of what only a person can add */
        ASSERT(strcmp(code, "M06") == 0 || strcmp(code, "M08") == 0);
    }
    return 0;
}
