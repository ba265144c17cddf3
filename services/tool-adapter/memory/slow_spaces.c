#include "tool-adapter/memory/slow_spaces.h"

#include "base/assert.h"

#include <stddef.h>

bool slow_spaces_add(struct slow_spaces *spaces, uint32_t id)
{
    ASSERT(id != 0);
    for (size_t i = 0; i < SLOW_SPACES_MAX; i++) {
        uint32_t seen = 0;
        if (atomic_compare_exchange_strong(&spaces->ids[i], &seen, id)) return true;
        if (seen == id) return false;
    }
    return false;
}
