/* The other half of wrong_code.c: what its compiler must not see. */
#include "wrong_code.h"

#include <stdio.h>

bool has_more(const struct thing *thing)
{
    return thing->jobs > 1;
}

int main(void)
{
    enum { DUE = 5'000, NOW = 10 };
    const struct thing waiting = {.state = STATE_RUNNING, .due = DUE};
    long due                   = next_due(&waiting, NOW);
    (void)printf("%ld, expected %d\n", due, (int)DUE);
    return due == DUE ? 0 : 1;
}
