#include "wrong_code.h"

#include <limits.h>

static enum state state_shown(const struct thing *thing)
{
    bool moves = thing->jobs > 0 || has_more(thing);
    return thing->state == STATE_RUNNING && !moves ? STATE_WAITING : thing->state;
}

static bool is_final(enum state state)
{
    return state >= STATE_ENDED;
}

static long due_of(const struct thing *thing)
{
    return thing->state == STATE_RUNNING ? thing->due : LONG_MAX;
}

/* gcc 12.2 takes the state that is shown for the one that is stored, and so never asks due_of(). */
long next_due(const struct thing *thing, long now)
{
    long due = is_final(state_shown(thing)) ? LONG_MAX : due_of(thing);
    if (has_more(thing)) {
        due = now;
    } else if (due <= now) {
        due = now + 1;
    }
    return due == LONG_MAX ? 0 : due;
}
