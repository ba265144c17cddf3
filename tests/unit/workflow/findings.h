/* Rows of a text and the one finding it has, for what tests/findings cannot say: catalogs of
 * functions, limits, parts of a reading. */
#ifndef UNIT_WORKFLOW_FINDINGS_H
#define UNIT_WORKFLOW_FINDINGS_H

#include "base/arena.h"
#include "base/buf.h"
#include "cmocka.h"
#include "workflow/workflow.h"

#include <string.h>

/* What a definition begins with; the tasks of a row start at line 3, column 1. */
#define HEAD  "document: { dsl: '1.0.3', namespace: n, name: w, version: '1.0.0' }\n"
#define TASKS HEAD "do:\n"

struct finding_row {
    const char *name;
    const char *text;
    const char *code; /* "V11"; "V43 w" is a warning */
    uint32_t line, column;
    const char *detail; /* a part of it */
    const char *hint;   /* a part of it; "" = none */
};

static inline bool is_warning(const struct finding_row *row)
{
    return row->code[3] == ' ';
}

static inline void print_findings(const struct diagnostics *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct diagnostic *f = &list->items[i];
        print_error("  %u:%u %s %s [%s] fix: %s\n", f->line, f->column, f->code, f->detail,
                    f->pointer, f->hint);
    }
}

/* A definition that has no findings. Owned. */
static inline const struct workflow *read_text(const char *text)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(8 << 20);
    struct diagnostics *list                 = diagnostics_new(arena);
    const struct workflow *workflow          = NULL;
    if (workflow_read(str_from(text), list, &workflow, NULL) != STATUS_OK || list->count > 0) {
        print_findings(list);
        fail_msg("%s", text);
    }
    return workflow;
}

static inline bool finding_is(const struct diagnostic *finding, const struct finding_row *row)
{
    bool has_hint = row->hint[0] ? strstr(finding->hint, row->hint) != NULL : !finding->hint[0];
    return strncmp(finding->code, row->code, 3) == 0 && finding->line == row->line &&
           finding->column == row->column && strstr(finding->detail, row->detail) && has_hint &&
           (finding->severity == SEVERITY_WARNING) == is_warning(row);
}

#endif
