#include "tool-adapter/connections/engine.h"

#include <string.h>

/* "memory.recall" is a function of the module "memory"; a module may be all of one. */
static bool is_of(const char *document, const char *module)
{
    size_t len = strlen(module);
    return document && strncmp(document, module, len) == 0 &&
           (document[len] == '.' || document[len] == '\0');
}

const struct engine *engine_of(const struct engine *engines, const struct manifest_request *request)
{
    for (const struct engine *one = engines; one->start; one++) {
        if (one->kind != request->kind) continue;
        if (!one->module || is_of(request->document, one->module)) return one;
    }
    return NULL;
}

json engine_response_new(int http_status, str retry_after, json body)
{
    json response = json_object_new(3);
    json headers  = json_object_new(1);
    if (retry_after.len > 0) {
        json_object_put_text(&headers, "retry-after", json_text_lossy(retry_after));
    }
    json_object_put_text(&response, "status", json_int(http_status));
    json_object_put_text(&response, "headers", headers);
    json_object_put_text(&response, "body", body);
    return response;
}
