/**
 * once: what a new attempt of a call that changes something does first, so that the change happens
 * once; and what is kept for it.
 *
 * A job keeps a checkpoint (worker.h), a map:
 *
 *     before    what the action's `before` read in the first attempt
 *     sending   the step whose request has left, or was about to ("-": the only request); kept for
 *               actions that nothing makes repeatable
 *     steps     outputs of finished steps, by id
 *
 * Pure.
 */
#ifndef TOOL_ADAPTER_ONCE_H
#define TOOL_ADAPTER_ONCE_H

#include "adapter/scope.h"

/** How earlier attempts have ended; the worst of them (proto/job.proto, PreviousAttempt). */
enum previous_attempt {
    ATTEMPT_NONE,
    ATTEMPT_FAILED,
    ATTEMPT_LOST,
    ATTEMPT_UNKNOWN,
};

struct once_case {
    const struct manifest_action *action;
    json scope;
    json checkpoint; /* JSON_INVALID: none */
    enum previous_attempt previous;
    bool is_asked; /* somebody answers for it that it is done again, if nothing helps */
    int64_t created_us, now_us;
};

enum once_verdict {
    ONCE_SEND,    /* nothing was done, or doing it again does no harm */
    ONCE_LOOK_UP, /* first see whether it is there (`lookup`) */
    ONCE_COMPARE, /* first read again and compare (`skip_when`) */
    ONCE_REFUSE,  /* nobody knows, and nothing helps: `unknown-outcome` */
};

enum once_verdict once_decide(const struct once_case *known);

/** Says whether an attempt before may have done it, as far as the checkpoint tells. */
bool once_is_open(const struct once_case *known);

/** Says whether another attempt may follow one of which nobody knows what it did. */
bool once_may_repeat(const struct once_case *known);

/** Says whether the checkpoint must say that a request leaves. */
bool once_marks_sending(const struct manifest_action *action, json scope);

/** Says whether one of the finished `steps` may have changed something: any but GET and HEAD. */
bool once_has_changed(const struct manifest_action *action, json steps);

/** The checkpoint with what a request of `step` (NULL: the only one) adds. Owned. */
json once_sending_new(json checkpoint, const char *step, json steps, bool marks);
json once_progress_new(json checkpoint, json progress); /* takes `progress` */
json once_before_new(json checkpoint, json before);

#endif
