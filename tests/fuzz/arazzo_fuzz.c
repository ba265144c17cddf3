/* Workflows of Arazzo from anywhere, over a description that has a bit of everything: what is made
 * of them is a manifest that lacks nothing but decisions. */
#include "adapter/arazzo.h"
#include "adapter/manifest.h"
#include "base/assert.h"
#include "base/attr.h"
#include "json/json_text.h"

#include <string.h>

enum { ARENA_MAX = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char description[] =
    "{\"openapi\":\"3.1.0\",\"servers\":[{\"url\":\"https://a.test\"}],\"paths\":{\"/a\":{\"get\":"
    "{\"operationId\":\"a\"},\"put\":{}},\"/b/{c}/d\":{\"post\":{\"operationId\":\"b\"}}}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(json_unrefp) json document                = json_invalid();
    CLEANUP(json_unrefp) json source                  = json_invalid();
    CLEANUP(buf_done) struct buf out                  = buf_init(MANIFEST_SIZE_MAX);
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    struct error error                                = {};
    str text                                          = {.ptr = (const char *)data, .len = size};
    if (json_parse(text, NULL, &document, NULL, &error) != STATUS_OK) return 0;
    if (json_parse(str_from(description), NULL, &source, NULL, &error) != STATUS_OK) return 0;
    const json sources[]                     = {source};
    const struct arazzo_options options      = {.name = "a", .sources = sources, .source_count = 1};
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct diagnostics *list                 = diagnostics_new(arena);
    str urls[ARAZZO_SOURCES_MAX];
    ASSERT(arazzo_sources(document, urls) <= ARAZZO_SOURCES_MAX);
    if (arazzo_skeleton(document, &options, &out, list, &error) != STATUS_OK) return 0;
    list = diagnostics_new(arena);
    (void)!manifest_read(buf_str(&out), list, &manifest, &error);
    for (size_t i = 0; i < list->count; i++) {
        const char *code = list->items[i].code; /* of what only a person can add */
        ASSERT(strcmp(code, "M06") == 0 || strcmp(code, "M08") == 0);
    }
    return 0;
}
