#include "tool-adapter/engine.h"

#include <string.h>

/* "memory.recall" is a function of the module "memory". */
static bool is_of(const char *document, const char *module)
{
    size_t len = strlen(module);
    return document && strncmp(document, module, len) == 0 && document[len] == '.';
}

const struct engine *engine_of(const struct engine *engines, const struct manifest_request *request)
{
    for (const struct engine *one = engines; one->start; one++) {
        if (one->kind != request->kind) continue;
        if (!one->module || is_of(request->document, one->module)) return one;
    }
    return NULL;
}
