#include "tool-adapter/connections/retired.h"

#include "base/mem.h"

#include <stdlib.h>

enum { SWEEP_MS = 1'000 /* between looks for toolboxes that are not used any more */ };

struct one {
    struct toolbox *toolbox;
    struct one *next;
};

struct retired {
    struct loop *loop;
    struct one *first;
    struct loop_timer sweep;
};

static void drop(struct retired *retired, bool is_end)
{
    struct one **at = &retired->first;
    while (*at) {
        struct one *one = *at;
        if (!is_end && !toolbox_is_idle(one->toolbox)) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        toolbox_unref(one->toolbox);
        free(one);
    }
}

static void set_sweep(struct retired *retired)
{
    loop_timer_set(retired->loop, &retired->sweep, loop_now_ms(retired->loop) + SWEEP_MS);
}

/* By the loop's timer, so that no call is on the stack. */
static void on_sweep(void *context)
{
    struct retired *retired = context;
    drop(retired, false);
    if (retired->first) set_sweep(retired);
}

struct retired *retired_new(struct loop *loop)
{
    struct retired *retired = mem_new(1, sizeof *retired);
    retired->loop           = loop;
    retired->sweep          = (struct loop_timer){.fire = on_sweep, .context = retired};
    return retired;
}

void retired_freep(struct retired **ref)
{
    struct retired *retired = *ref;
    if (!retired) return;
    loop_timer_clear(retired->loop, &retired->sweep);
    drop(retired, true);
    free(retired);
    *ref = NULL;
}

void retired_add(struct retired *retired, struct toolbox *toolbox)
{
    struct one *one = mem_new(1, sizeof *one);
    *one            = (struct one){.toolbox = toolbox, .next = retired->first};
    retired->first  = one;
    set_sweep(retired);
}
