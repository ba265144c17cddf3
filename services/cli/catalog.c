#include "cli/catalog.h"

#include "base/arena.h"
#include "cli/print.h"
#include "yaml/yaml.h"

#include <stdio.h>

enum { ARENA_MAX = 32 << 20, FILE_MAX = YAML_SIZE_MAX + 1 /* bytes */ };

json catalog_without_builtin(json items)
{
    json list = json_array_new(json_count(items));
    for (size_t i = 0; i < json_count(items); i++) {
        json item = json_at(items, i);
        json name = json_get_text(item, "name");
        if (json_is(name, JSON_TEXT) && function_is_builtin(json_str(name))) continue;
        json_array_push(&list, json_ref(item));
    }
    return list;
}

static status read_items(json value, const struct function_catalog **ret_catalog,
                         struct error *reterr)
{
    json items = json_get_text(value, "items");
    CLEANUP(json_unrefp)
    json own = catalog_without_builtin(json_is(value, JSON_ARRAY) ? value : items);
    return function_catalog_new(NULL, own, ret_catalog, reterr);
}

status catalog_items_read(const char *file, json *ret_items, struct error *reterr)
{
    CLEANUP(buf_done) struct buf text              = buf_init(FILE_MAX);
    CLEANUP(arena_freep) struct arena *arena       = arena_new(ARENA_MAX);
    CLEANUP(yaml_freep) struct yaml_document *yaml = NULL;
    struct diagnostics *list                       = diagnostics_new(arena);
    struct error why                               = {};
    TRY(read_whole_file(file, &text, reterr));
    status parsed = yaml_parse(buf_str(&text), list, &yaml, &why);
    if (parsed != STATUS_OK) {
        return fail(reterr, parsed, "%s:%u: %s", file, list->count ? list->items[0].line : 0,
                    list->count ? list->items[0].detail : why.text);
    }
    json root  = yaml_root(yaml);
    *ret_items = json_ref(json_is(root, JSON_ARRAY) ? root : json_get_text(root, "items"));
    return STATUS_OK;
}

status catalog_read_file(const char *file, const struct function_catalog **ret_catalog,
                         struct error *reterr)
{
    CLEANUP(json_unrefp) json items = json_invalid();
    struct error why                = {};
    TRY(catalog_items_read(file, &items, reterr));
    status read = read_items(items, ret_catalog, &why);
    return read == STATUS_OK ? read : fail(reterr, read, "%s: %s", file, why.text);
}

enum cli_exit catalog_ask(struct api *api, const struct function_catalog **ret_catalog)
{
    CLEANUP(api_answer_done) struct api_answer answer = {};
    struct error why                                  = {};
    const struct api_call call                        = {.method = "GET", .path = "/v1/tools"};
    enum cli_exit code                                = api_call(api, &call, &answer);
    if (code != CLI_OK) return code;
    if (read_items(answer.value, ret_catalog, &why) == STATUS_OK) return CLI_OK;
    (void)fprintf(stderr, "tutti: /v1/tools: %s\n", why.text);
    return CLI_UNREACHABLE;
}
