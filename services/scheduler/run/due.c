#include "scheduler/run/due.h"

static int64_t earlier(int64_t a_us, int64_t b_us)
{
    return b_us != 0 && b_us < a_us ? b_us : a_us; /* 0: none */
}

int64_t activation_due(const struct activation *activation)
{
    if (activation->state == TASK_UNDOING) return NO_DUE_US; /* undoing takes the time it takes */
    int64_t due_us = earlier(NO_DUE_US, activation->deadline_us);
    if (activation->state == TASK_WAITING || activation->state == TASK_RETRYING) {
        due_us = earlier(due_us, activation->due_us);
    }
    if (activation->state != TASK_RETRYING) {
        due_us = earlier(due_us, activation->attempt_deadline_us);
    }
    return due_us;
}

void due_note(struct run *run, const struct activation *activation)
{
    if (!run->is_due_known) return;
    int64_t due_us = activation_due(activation);
    if (due_us < run->due_us) run->due_us = due_us;
}

static int64_t due_find(const struct run *run)
{
    int64_t due_us = run->is_ending ? NO_DUE_US : earlier(NO_DUE_US, run->deadline_us);
    for (uint32_t i = 0; i < run->activations.count; i++) {
        const struct activation *activation = run_activation(run, i);
        if (activation) due_us = earlier(due_us, activation_due(activation));
    }
    /* The oldest event comes first. */
    if (run->buffer_count > 0) {
        due_us = earlier(due_us, run->buffer[0].received_us + RUN_BUFFERED_AGE_US);
    }
    return due_us;
}

void due_refresh(struct run *run)
{
    if (run->is_due_known) return;
    run->due_us       = due_find(run);
    run->is_due_known = true;
}

int64_t run_next_due(const struct run *run)
{
    if (run->status == RUN_DRAFT) return earlier(NO_DUE_US, run->expires_us);
    if (run->status != RUN_RUNNING || run->is_suspended) return NO_DUE_US;
    return run->is_due_known ? run->due_us : due_find(run);
}
