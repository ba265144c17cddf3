/*
 * What the files of the document share; the only header that knows gumbo.
 *
 *   memory.c     what gumbo allocates: bounded, and freed at once
 *   document.c   gumbo's tree becomes ours
 *   text.c       nodes as text and as HTML
 */
#ifndef HTML_HTML_INTERNAL_H
#define HTML_HTML_INTERNAL_H

#include "base/arena.h"
#include "base/map.h"
#include "html/document.h"

#include <gumbo.h>
#include <setjmp.h>

enum {
    MEMORY_CLASSES    = 40, /* sizes are rounded up; one list of free pieces for each */
    NAMES_MAX         = 65'536,
    MEMORY_CLOCK_EACH = 512, /* allocations between two looks at the clock */
};

struct memory_chunk;

/*
 * gumbo's tree is freed by a function that calls itself for every level, and it knows no limits: a
 * few kilobytes of unclosed tags can make gigabytes of nodes. Here all that it takes lies in chunks
 * that go away together, and what exceeds a limit leaves the parser by longjmp(), which nothing in
 * it minds: it holds no resources but this memory.
 */
struct memory {
    struct memory_chunk *chunks;
    char *free_from, *free_to; /* of the newest chunk */
    void *pieces[MEMORY_CLASSES];
    size_t used, used_max; /* bytes of all chunks */
    unsigned until_clock;
    int64_t ends_us;      /* of this thread's CPU time */
    const char *exceeded; /* why it jumped */
    jmp_buf out;
};

void memory_begin(struct memory *memory, size_t used_max, int64_t cpu_ms);
void memory_end(struct memory *memory);
void *memory_take(void *memory, size_t size);     /* gumbo's allocator */
void memory_give_back(void *memory, void *piece); /* gumbo's deallocator */

struct html_document {
    struct arena *texts; /* of nodes, and names and values of attributes */
    struct html_node *nodes;
    size_t node_count, node_capacity;
    struct html_attribute *attributes;
    size_t attribute_count, attribute_capacity;
    uint32_t *elements; /* all of them; behind them the same, name by name */
    uint32_t element_count;
    uint32_t *name_ends; /* by name: where its elements end there */
    struct map *names;   /* of elements that gumbo does not know; values are numbers */
    char **extra_names;  /* owned */
    uint32_t extra_count, extra_capacity;
};

#endif
