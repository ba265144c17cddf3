/**
 * slow_spaces: of which spaces the log has said that they have outgrown exact search.
 *
 * Each once while the process lives, and no more than SLOW_SPACES_MAX of them: where there are that
 * many, one more tells nobody anything.
 *
 * Threads: any number. Zeroed: none yet.
 */
#ifndef TOOL_ADAPTER_MEMORY_SLOW_SPACES_H
#define TOOL_ADAPTER_MEMORY_SLOW_SPACES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SLOW_SPACES_MAX = 64 };

struct slow_spaces {
    _Atomic uint32_t ids[SLOW_SPACES_MAX]; /* 0: free */
};

/** True: it is to be said now. `id`: of a struct memory_space; never 0. */
bool slow_spaces_add(struct slow_spaces *spaces, uint32_t id);

#endif
