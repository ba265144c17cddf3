/** arenas: a pool of arenas for calls, so that an ordinary call allocates nothing. Any thread. */
#ifndef RPC_ARENAS_H
#define RPC_ARENAS_H

#include "base/arena.h"

#include <pthread.h>

enum {
    ARENAS_KEPT_MAX     = 512,       /* a batch of calls uses as many at once */
    ARENA_KEPT_SIZE_MAX = 256 << 10, /* bytes; a larger one is freed after its call */
    ARENA_SIZE_MAX      = 128 << 20, /* bytes; a message of 18 MiB may need 4 times itself */
};

struct arenas {
    pthread_mutex_t mutex;
    struct arena *kept[ARENAS_KEPT_MAX];
    size_t count;
};

void arenas_init(struct arenas *arenas);
void arenas_done(struct arenas *arenas);

/** An empty arena. Owned: arenas_give(). Ends the process without memory. */
struct arena *arenas_take(struct arenas *arenas);
void arenas_give(struct arenas *arenas, struct arena *arena); /* NULL is fine */

#endif
