#include "cli/adapter_source.h"

#include "adapter/builtin.h"
#include "cli/findings.h"
#include "cli/print.h"

#include <stdio.h>

void adapter_source_done(struct adapter_source *source)
{
    manifest_free(source->manifest);
    buf_done(&source->text);
}

/* False: it is no manifest, and that has been said. */
static bool read_text(struct adapter_source *source, struct arena *arena, bool is_quiet)
{
    struct error error = {};
    source->list       = diagnostics_new(arena);
    if (manifest_read(buf_str(&source->text), source->list, &source->manifest, &error) ==
        STATUS_OK) {
        return true;
    }
    if (!is_quiet) findings_print(stderr, source->path, buf_str(&source->text), source->list);
    if (source->list->errors == 0) (void)fprintf(stderr, "tutti: %s\n", error.text);
    return false;
}

bool adapter_source_read(struct adapter_source *source, const char *path, struct arena *arena,
                         bool is_quiet)
{
    struct error error = {};
    *source            = (struct adapter_source){.path = path, .text = buf_init(MANIFEST_SIZE_MAX)};
    if (read_whole_file(path, &source->text, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return false;
    }
    return read_text(source, arena, is_quiet);
}

bool adapter_source_builtin(struct adapter_source *source, const char *name, struct arena *arena)
{
    str text = builtin_manifest_text(str_from(name));
    *source  = (struct adapter_source){.path = name, .text = buf_init(MANIFEST_SIZE_MAX)};
    if (text.len == 0) {
        (void)fprintf(stderr, "tutti: there is no adapter `%s`; `tutti adapter list`\n", name);
        return false;
    }
    (void)buf_put_str(&source->text, text);
    return read_text(source, arena, false);
}
