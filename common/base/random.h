/** random: unpredictable bytes from the kernel, for keys, tokens and ids. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/** Fills `buffer`; never fails (getrandom(2) on an initialised pool cannot). */
void random_bytes(void *buffer, size_t size);
uint64_t random_u64(void);

/**
 * A small generator for jitter and load balancing, seeded by the caller, so that a simulation
 * replays it (SplitMix64, Steele, Lea and Flood 2014). Never for secrets.
 */
struct prng {
    uint64_t state;
};
uint64_t prng_next(struct prng *prng);

#endif
