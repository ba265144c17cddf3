/** approval: a `listen` that waits for a person (E3). */
#ifndef SCHEDULER_APPROVAL_H
#define SCHEDULER_APPROVAL_H

#include "scheduler/decide/decide.h"

enum {
    APPROVAL_PAYLOAD_MAX   = 256 << 10, /* bytes of JSON */
    APPROVAL_APPROVERS_MAX = 64,
    APPROVER_MAX           = 320, /* bytes of one */
};

/** Opens the entry of a `listen` that has just started. */
void approval_request(struct decision *decision, struct activation *activation);

#endif
