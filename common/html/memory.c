/* What gumbo allocates. */
#include "base/assert.h"
#include "base/mem.h"
#include "html/html_internal.h"

#include <stdlib.h>
#include <time.h>

enum {
    CHUNK_SIZE  = 1 << 20, /* bytes */
    STEP        = 16,      /* bytes: sizes up to FINE_MAX are rounded up to a multiple */
    FINE_MAX    = 256,     /* above, to a power of two */
    FINE_COUNT  = FINE_MAX / STEP,
    HEADER_SIZE = 16, /* bytes before a piece: its class; keeps pieces aligned */
};

struct memory_chunk {
    struct memory_chunk *next;
    char data[] __attribute__((aligned(16)));
};

struct header {
    uint64_t class;
    uint64_t reserved;
};
static_assert(sizeof(struct header) == HEADER_SIZE, "pieces stay aligned");

static int64_t cpu_us(void)
{
    struct timespec used = {};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return used.tv_sec * INT64_C(1'000'000) + used.tv_nsec / 1'000;
}

/* The class of a size, and what its pieces measure. */
static unsigned class_of(size_t size, size_t *ret_size)
{
    if (size <= FINE_MAX) {
        unsigned class = size == 0 ? 0 : (unsigned)((size - 1) / STEP);
        *ret_size      = (class + 1) * (size_t)STEP;
        return class;
    }
    unsigned bits = 64 - (unsigned)__builtin_clzll(size - 1);
    *ret_size     = (size_t)1 << bits;
    return FINE_COUNT + bits - 9; /* 512 is the first after FINE_MAX */
}

_Noreturn static void leave(struct memory *memory, const char *why)
{
    memory->exceeded = why;
    longjmp(memory->out, 1);
}

static char *carve(struct memory *memory, size_t size)
{
    if ((size_t)(memory->free_to - memory->free_from) < size) {
        size_t data_size = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        if (data_size > memory->used_max - memory->used) leave(memory, "memory");
        struct memory_chunk *chunk = mem_alloc(sizeof *chunk + data_size);
        chunk->next                = memory->chunks;
        memory->chunks             = chunk;
        memory->used += data_size;
        memory->free_from = chunk->data;
        memory->free_to   = chunk->data + data_size;
    }
    char *piece = memory->free_from;
    memory->free_from += size;
    return piece;
}

void memory_begin(struct memory *memory, size_t used_max, int64_t cpu_ms)
{
    *memory             = (struct memory){.used_max = used_max};
    memory->until_clock = MEMORY_CLOCK_EACH;
    memory->ends_us     = cpu_us() + cpu_ms * 1'000;
}

void memory_end(struct memory *memory)
{
    while (memory->chunks) {
        struct memory_chunk *chunk = memory->chunks;
        memory->chunks             = chunk->next;
        free(chunk);
    }
}

void *memory_take(void *context, size_t size)
{
    struct memory *memory = context;
    if (--memory->until_clock == 0) {
        memory->until_clock = MEMORY_CLOCK_EACH;
        if (cpu_us() > memory->ends_us) leave(memory, "time");
    }
    if (size > memory->used_max) leave(memory, "memory");
    size_t piece_size;
    unsigned class = class_of(size, &piece_size);
    char *piece    = memory->pieces[class];
    if (piece) {
        memcpy(&memory->pieces[class], piece, sizeof(void *));
        return piece;
    }
    struct header header = {.class = class};
    piece                = carve(memory, piece_size + HEADER_SIZE);
    memcpy(piece, &header, sizeof header);
    return piece + HEADER_SIZE;
}

void memory_give_back(void *context, void *piece)
{
    struct memory *memory = context;
    if (!piece) return;
    struct header header;
    memcpy(&header, (char *)piece - HEADER_SIZE, sizeof header);
    memcpy(piece, &memory->pieces[header.class], sizeof(void *));
    memory->pieces[header.class] = piece;
}
