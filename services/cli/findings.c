#include "cli/findings.h"

#include "cli/print.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>

static const char *severity_name(enum severity severity)
{
    switch (severity) {
    case SEVERITY_ERROR: return "error";
    case SEVERITY_WARNING: return "warning";
    case SEVERITY_NOTE: return "note";
    }
    return "error";
}

/* The line of the finding and a caret under its column. */
static void print_source(FILE *out, str text, uint32_t line, uint32_t column)
{
    size_t from = 0;
    for (uint32_t i = 1; i < line && from < text.len; i++) {
        const char *end = memchr(text.ptr + from, '\n', text.len - from);
        from            = end ? (size_t)(end - text.ptr) + 1 : text.len;
    }
    const char *end = from < text.len ? memchr(text.ptr + from, '\n', text.len - from) : NULL;
    size_t to       = end ? (size_t)(end - text.ptr) : text.len;
    (void)fprintf(out, "    " STR_FMT "\n", STR_ARG(str_slice(text, from, to)));
    if (column > 0) (void)fprintf(out, "    %*s^\n", (int)column - 1, "");
}

void findings_print(FILE *out, const char *file, str text, const struct diagnostics *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct diagnostic *finding = &list->items[i];
        (void)fprintf(out, "%s:%u:%u: %s%s%s: %s\n", file, finding->line, finding->column,
                      severity_name(finding->severity), *finding->code ? " " : "", finding->code,
                      finding->detail);
        if (finding->line > 0) print_source(out, text, finding->line, finding->column);
        if (*finding->hint) (void)fprintf(out, "    fix: %s\n", finding->hint);
    }
    if (list->dropped > 0) (void)fprintf(out, "%s: and %zu more\n", file, list->dropped);
}

static json finding_new(const struct diagnostic *finding)
{
    json object = json_object_new(7);
    json_object_put_text(&object, "code", json_text_from(finding->code));
    json_object_put_text(&object, "severity", json_text_from(severity_name(finding->severity)));
    json_object_put_text(&object, "pointer", json_text_lossy(str_from(finding->pointer)));
    json_object_put_text(&object, "line", json_int(finding->line));
    json_object_put_text(&object, "column", json_int(finding->column));
    json_object_put_text(&object, "detail", json_text_lossy(str_from(finding->detail)));
    json_object_put_text(&object, "hint", json_text_lossy(str_from(finding->hint)));
    return object;
}

json findings_json_new(const struct diagnostics *list)
{
    json items = json_array_new(list->count);
    for (size_t i = 0; i < list->count; i++) json_array_push(&items, finding_new(&list->items[i]));
    return items;
}
