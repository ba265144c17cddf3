#include "rpc/arenas.h"

#include "base/assert.h"

void arenas_init(struct arenas *arenas)
{
    arenas->count = 0;
    (void)pthread_mutex_init(&arenas->mutex, NULL);
}

void arenas_done(struct arenas *arenas)
{
    while (arenas->count > 0) arena_free(arenas->kept[--arenas->count]);
    (void)pthread_mutex_destroy(&arenas->mutex);
}

struct arena *arenas_take(struct arenas *arenas)
{
    struct arena *arena = NULL;
    (void)pthread_mutex_lock(&arenas->mutex);
    if (arenas->count > 0) arena = arenas->kept[--arenas->count];
    (void)pthread_mutex_unlock(&arenas->mutex);
    if (arena) return arena;

    arena = arena_new(ARENA_SIZE_MAX);
    return arena;
}

void arenas_give(struct arenas *arenas, struct arena *arena)
{
    if (!arena) return;
    if (arena_used(arena) <= ARENA_KEPT_SIZE_MAX) {
        arena_clear(arena);
        (void)pthread_mutex_lock(&arenas->mutex);
        if (arenas->count < ARENAS_KEPT_MAX) {
            arenas->kept[arenas->count++] = arena;
            arena                         = NULL;
        }
        (void)pthread_mutex_unlock(&arenas->mutex);
    }
    arena_free(arena);
}
