/**
 * lifecycle: what happens to a run as CloudEvents: the 16 life-cycle types of the specification,
 * its two status-changed types, and those of tutti (docs/reference/lifecycle-events.md).
 *
 * One journal event gives none, one or several. Their ids follow from run and sequence, so they are
 * the same whenever they are made. Works on live events only: fields that are fresh (event.h) must
 * be there.
 */
#ifndef SCHEDULER_LIFECYCLE_H
#define SCHEDULER_LIFECYCLE_H

#include "base/buf.h"
#include "scheduler/run/state.h"

enum { LIFECYCLE_OUTPUT_MAX = 32 << 10 /* bytes of an output that is sent along */ };

/** A CloudEvent. Texts live during the visit. */
struct lifecycle {
    str id;
    const char *type;
    str source, subject;
    int64_t time_us;
    str iteration; /* empty: not within a loop */
    str data;      /* JSON */
};

typedef status lifecycle_fn(const struct lifecycle *event, struct error *reterr, void *context);

/** Calls `visit` for each; stops at the first status that is not OK and returns it. */
status lifecycle_visit(const struct run *run, const struct event *event, lifecycle_fn *visit,
                       void *context, struct error *reterr);

/** Fresh fields that only lifecycles need, before the event is applied: `iteration`, and `key` of a
 * `listen` that completes (its correlation keys). */
void lifecycle_note(const struct run *run, struct event *event);

#endif
