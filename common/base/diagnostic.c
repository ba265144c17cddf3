#include "base/diagnostic.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    TEXT_MAX    = 1024, /* bytes of a detail or hint; longer ones are cut */
    NAME_MAX    = 64,   /* bytes of a name or word that is compared */
    EDITS_SHARE = 3,    /* a near name differs in at most 1/3 of the word */
};

struct diagnostics *diagnostics_new(struct arena *arena)
{
    struct diagnostics *list = arena_alloc(arena, sizeof *list);
    ASSERT(list != NULL); /* an arena too small for its own findings is a wrong limit */
    list->arena = arena;
    return list;
}

/* A full arena must not hide that there was a finding. */
static const char *kept(struct arena *arena, str text, const char *otherwise)
{
    const char *copy = arena_strdup(arena, text);
    return copy ? copy : otherwise;
}

PRINTF_LIKE(2, 0)
static const char *formatted(struct arena *arena, const char *format, va_list args)
{
    char text[TEXT_MAX];
    int len = vsnprintf(text, sizeof text, format, args);
    ASSERT(len >= 0);
    return kept(arena, str_from(text), "no memory left to say more");
}

struct diagnostic *diagnostics_add(struct diagnostics *list, const char *code,
                                   enum severity severity, str pointer, uint32_t line,
                                   uint32_t column, const char *format, ...)
{
    if (severity == SEVERITY_ERROR) list->errors++;
    if (list->count == DIAGNOSTICS_MAX) {
        list->dropped++;
        return NULL;
    }
    va_list args;
    va_start(args, format);
    const char *detail = formatted(list->arena, format, args);
    va_end(args);

    struct diagnostic *finding = &list->items[list->count++];
    *finding                   = (struct diagnostic){
                          .code     = code,
                          .severity = severity,
                          .pointer  = kept(list->arena, pointer, ""),
                          .line     = line,
                          .column   = column,
                          .detail   = detail,
                          .hint     = "",
    };
    return finding;
}

void diagnostic_hint(struct diagnostics *list, struct diagnostic *finding, const char *format, ...)
{
    if (!finding) return;
    va_list args;
    va_start(args, format);
    finding->hint = formatted(list->arena, format, args);
    va_end(args);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, changes and swaps of neighbours between two short words. */
static size_t edits_between(str a, str b)
{
    size_t rows[3][NAME_MAX + 1]; /* row i of the usual table is rows[i % 3] */
    for (size_t j = 0; j <= b.len; j++) rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        const size_t *above = rows[(i - 1) % 3];
        size_t *row         = rows[i % 3];
        row[0]              = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = above[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);
            row[j]        = least(change, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1]) {
                row[j] = least(row[j], rows[(i - 2) % 3][j - 2] + 1);
            }
        }
    }
    return rows[a.len % 3][b.len];
}

const char *nearest_name(str word, const char *const *names, size_t count)
{
    if (word.len > NAME_MAX) return NULL;
    const char *nearest = NULL;
    size_t edits_best   = word.len / EDITS_SHARE + 1;
    for (size_t i = 0; i < count; i++) {
        str name = str_from(names[i]);
        if (name.len > NAME_MAX) continue;
        size_t edits = edits_between(word, name);
        if (edits >= edits_best) continue;
        edits_best = edits;
        nearest    = names[i];
    }
    return nearest;
}
