/*
 * A bump allocator over chunks that double in size. Clearing an arena that needed several chunks
 * frees them and remembers their sum, so the next call finds everything in one: an arena that is
 * used again and again settles at one chunk and never allocates.
 *
 * Under the address sanitizer every allocation is followed by a poisoned gap, and all that is not
 * handed out is poisoned, so that fuzzers see a read past the end of an arena's string.
 */
#include "base/arena.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif

#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
enum { GAP = 16 }; /* bytes */
#else
enum { GAP = 0 };
#define ASAN_POISON_MEMORY_REGION(start, size)   ((void)(start), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(start, size) ((void)(start), (void)(size))
#endif

enum {
    CHUNK_SIZE_MIN = 960,     /* bytes; at 1,024 with all heads malloc() begins to tidy up */
    CHUNK_SIZE_MAX = 1 << 20, /* bytes; larger only for a single large allocation */
    PRINTED_MAX    = 256,     /* bytes of a text that is formatted once */
};

struct chunk {
    struct chunk *previous;
    size_t capacity; /* bytes of `data` */
    size_t used;     /* bytes of `data` */
    _Alignas(max_align_t) char data[];
};

struct arena {
    struct chunk *chunk; /* the one that hands out; owned, as are all before it */
    size_t limit;        /* bytes */
    size_t used;         /* bytes, padding between allocations included, gaps not */
    size_t next_size;    /* bytes of the next chunk */
};

struct arena *arena_new(size_t limit)
{
    struct arena *arena = mem_new(1, sizeof *arena);
    arena->limit        = limit;
    arena->next_size    = CHUNK_SIZE_MIN;
    return arena;
}

static void chunks_free(struct chunk *chunk)
{
    while (chunk) {
        struct chunk *previous = chunk->previous;
        ASAN_UNPOISON_MEMORY_REGION(chunk->data, chunk->capacity);
        free(chunk);
        chunk = previous;
    }
}

void arena_free(struct arena *arena)
{
    if (!arena) return;
    chunks_free(arena->chunk);
    free(arena);
}

void arena_freep(struct arena **arena)
{
    arena_free(*arena);
    *arena = NULL;
}

void arena_clear(struct arena *arena)
{
    struct chunk *chunk = arena->chunk;
    arena->used         = 0;
    if (!chunk) return;
    if (!chunk->previous) {
        chunk->used = 0;
        ASAN_POISON_MEMORY_REGION(chunk->data, chunk->capacity);
        return;
    }
    size_t sum = 0;
    for (; chunk; chunk = chunk->previous) sum += chunk->capacity;
    chunks_free(arena->chunk);
    arena->chunk     = NULL;
    arena->next_size = sum;
}

static void chunk_add(struct arena *arena, size_t size)
{
    size_t capacity     = arena->next_size > size ? arena->next_size : size;
    struct chunk *chunk = mem_alloc(sizeof *chunk + capacity);
    *chunk              = (struct chunk){.previous = arena->chunk, .capacity = capacity};
    arena->chunk        = chunk;
    ASAN_POISON_MEMORY_REGION(chunk->data, chunk->capacity);

    arena->next_size = capacity < CHUNK_SIZE_MAX / 2 ? capacity * 2 : CHUNK_SIZE_MAX;
}

void arena_expect(struct arena *arena, size_t size)
{
    const struct chunk *tail = arena->chunk;
    if (size > arena->limit || (tail && tail->capacity - tail->used >= size)) return;
    arena->next_size = size;
    chunk_add(arena, size);
}

/* `alignment` is a power of two. */
static size_t padding(const struct chunk *chunk, size_t alignment)
{
    return -chunk->used & (alignment - 1);
}

/* Returns memory that is not zeroed. */
static void *take(struct arena *arena, size_t size, size_t alignment)
{
    ASSERT(arena->used <= arena->limit);
    size_t left = arena->limit - arena->used;
    size_t pad  = arena->chunk ? padding(arena->chunk, alignment) : 0;
    if (size > left || size > SIZE_MAX - GAP - alignment - sizeof(struct chunk)) return NULL;

    const struct chunk *tail = arena->chunk;
    if (!tail || tail->capacity - tail->used < pad ||
        tail->capacity - tail->used - pad < size + GAP) {
        chunk_add(arena, size + GAP);
        pad = 0;
    }
    if (pad > left - size) return NULL;

    struct chunk *chunk = arena->chunk;
    char *start         = chunk->data + chunk->used + pad;
    chunk->used += pad + size + GAP;
    arena->used += pad + size;
    ASAN_UNPOISON_MEMORY_REGION(start, size);
    return start;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    /* Nothing needs no alignment: zero elements fit even into a full arena. */
    void *memory = take(arena, size, size > 0 ? _Alignof(max_align_t) : 1);
    if (memory && size > 0) memset(memory, 0, size);
    return memory;
}

char *arena_strdup(struct arena *arena, str text)
{
    if (text.len == SIZE_MAX) return NULL;
    char *copy = take(arena, text.len + 1, 1);
    if (!copy) return NULL;
    if (text.len > 0) memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    char printed[PRINTED_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(printed, sizeof printed, format, args);
    va_end(args);
    if (len < 0) return NULL;
    if (len < PRINTED_MAX) return arena_strdup(arena, (str){.ptr = printed, .len = (size_t)len});

    size_t size = (size_t)len + 1;
    char *text  = take(arena, size, 1);
    if (!text) return NULL;
    va_start(args, format);
    (void)vsnprintf(text, size, format, args);
    va_end(args);
    return text;
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}
