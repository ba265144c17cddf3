#include "refusal.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

/* What gives memory below us. */
#ifdef REFUSAL_ABOVE_SANITIZER
#define BELOW(name) __interceptor_##name
#else
#define BELOW(name) __libc_##name
#endif
void *BELOW(malloc)(size_t size);
void *BELOW(calloc)(size_t count, size_t size);
void *BELOW(realloc)(void *memory, size_t size);
void *BELOW(memalign)(size_t alignment, size_t size);

/* The functions below have no place for a context of ours. */
static struct {
    atomic_bool is_counting;
    atomic_uint_fast64_t asked;
    uint64_t nth;
    bool is_lasting;
} now;

void refusal_begin(uint64_t nth, bool is_lasting)
{
    now.nth        = nth;
    now.is_lasting = is_lasting;
    atomic_store(&now.asked, 0);
    atomic_store(&now.is_counting, true);
}

void refusal_pause(void)
{
    atomic_store(&now.is_counting, false);
}

void refusal_resume(void)
{
    atomic_store(&now.is_counting, true);
}

uint64_t refusal_end(void)
{
    atomic_store(&now.is_counting, false);
    return atomic_load(&now.asked);
}

static bool is_refused(void)
{
    if (!atomic_load_explicit(&now.is_counting, memory_order_acquire)) return false;
    uint64_t number = atomic_fetch_add(&now.asked, 1) + 1;
    bool is         = now.nth > 0 && (number == now.nth || (now.is_lasting && number > now.nth));
    if (is) errno = ENOMEM;
    return is;
}

/* --- in place of the C library's ---------------------------------------------------------------
 */

void *malloc(size_t size)
{
    return is_refused() ? NULL : BELOW(malloc)(size);
}

void *calloc(size_t count, size_t size)
{
    return is_refused() ? NULL : BELOW(calloc)(count, size);
}

void *realloc(void *memory, size_t size)
{
    return is_refused() ? NULL : BELOW(realloc)(memory, size);
}

void *reallocarray(void *memory, size_t count, size_t size)
{
    size_t product = 0;
    if (__builtin_mul_overflow(count, size, &product)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(memory, product);
}

void *memalign(size_t alignment, size_t size)
{
    return is_refused() ? NULL : BELOW(memalign)(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **ret_memory, size_t alignment, size_t size)
{
    void *memory = memalign(alignment, size);
    if (!memory) return ENOMEM;
    *ret_memory = memory;
    return 0;
}
