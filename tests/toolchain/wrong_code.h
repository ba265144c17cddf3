/* wrong_code: the smallest program that gcc 12.2 compiles wrongly as it did the engine's timers:
 * docs/adr/0008-a-wrong-optimisation-of-gcc-12.md. */
#ifndef TOOLCHAIN_WRONG_CODE_H
#define TOOLCHAIN_WRONG_CODE_H

#include <stdbool.h>

struct thing {
    enum state { STATE_PENDING, STATE_RUNNING, STATE_WAITING, STATE_ENDED } state;
    unsigned jobs;
    long due;
};

/** Pure, which a compiler finds out by itself when it sees the whole program. */
__attribute__((pure)) bool has_more(const struct thing *thing);

/** When a running thing has something to do; 0: never. */
long next_due(const struct thing *thing, long now);

#endif
