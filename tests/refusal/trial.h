/**
 * trial: work done in a process of its own, in which the n-th asking for memory is refused.
 *
 * What may become of it is what common/base/mem.h and the libraries' doors promise: the work goes
 * on or is refused with a status, and nothing leaks; or the process ends, and says that there was
 * no memory. Anything else is a finding: a fault of memory, another assertion, a leak, a hang.
 */
#ifndef REFUSAL_TRIAL_H
#define REFUSAL_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TRIAL_SECONDS_MAX = 60, /* then it hangs */
    TRIAL_TEXT_MAX    = 4'000,
};

enum trial_end {
    TRIAL_WENT_ON, /* the work came to its end, with whatever result */
    TRIAL_ENDED,   /* the process ended for want of memory, and said so */
    TRIAL_FINDING,
};

struct trial {
    enum trial_end end;
    bool was_refused;          /* false: nobody asked so often */
    char text[TRIAL_TEXT_MAX]; /* the last that it said */
};

/** Refuses the `nth` asking (0: none) of `work`. The caller has one thread. */
void trial_run(void (*work)(void *context), void *context, uint64_t nth, bool is_lasting,
               struct trial *ret_trial);

/** How often `work` asks, in a process of its own. False: it fails with memory, too, and was
 * printed.
 */
bool trial_count(void (*work)(void *context), void *context, uint64_t *ret_asked);

struct trial_sum {
    uint64_t trials, went_on, ended, findings;
};

/** Refuses each asking of `work`, but at most `count_max` of them (0: no limit), evenly spread;
 * once and for good by turns. Prints findings by `name`. `check`: what must hold after each trial,
 * false: a finding, and it has said why; NULL: nothing. */
void trial_all(const char *name, void (*work)(void *context), bool (*check)(void *context),
               void *context, uint64_t count_max, struct trial_sum *sum);

/** Prints the sum; true if there is no finding, and there was a refusal that ended a process or was
 * survived. */
bool trial_sum_print(const char *name, const struct trial_sum *sum);

#endif
