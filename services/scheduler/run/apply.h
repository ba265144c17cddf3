/* apply: the parts of run_apply(), by the noun that an event is about. Each folds one event into
 * the state or says DATA_LOSS; each fills in the resolved fields of the event (event.h). */
#ifndef SCHEDULER_APPLY_H
#define SCHEDULER_APPLY_H

#include "scheduler/run/state.h"

/** The journal makes no sense here: `return damaged(reterr, event, "no such scope");` */
status damaged(struct error *reterr, const struct event *event, const char *what);

/** Changes the state of a task by the table. */
status apply_input(struct activation *activation, enum task_input input, const struct event *event,
                   struct error *reterr);

/** What must be closed by events of its own before its task may end: its job, approval, lists. */
status apply_check_closed(const struct run *run, const struct activation *activation,
                          const struct event *event, struct error *reterr);

status apply_task_started(struct run *run, struct event *event, struct error *reterr);
status apply_task_skipped(struct run *run, struct event *event, struct error *reterr);

/** The attempt that an event of `kind` about the job of `activation` is of, before it is applied;
 * 0: it tells none. */
uint32_t event_attempt(const struct activation *activation, enum event_kind kind);

/** Adds what a job or a child run has cost to the run, and to the agents around its task. */
void apply_usage(struct run *run, const struct activation *activation, const struct usage *usage);

/* Of an open activation. */
status apply_task(struct run *run, struct activation *activation, struct event *event,
                  struct error *reterr);
status apply_job(struct run *run, struct activation *activation, struct event *event,
                 struct error *reterr);
status apply_approval(struct run *run, struct activation *activation, struct event *event,
                      struct error *reterr);
status apply_child(struct run *run, struct activation *activation, struct event *event,
                   struct error *reterr);
status apply_taken(struct run *run, struct activation *activation, struct event *event,
                   struct error *reterr);

status apply_closed(const struct run *run, struct activation *activation, struct event *event,
                    struct error *reterr);
status apply_item(struct run *run, struct activation *activation, struct event *event,
                  struct error *reterr);
status apply_compensation(struct run *run, struct activation *activation, struct event *event,
                          struct error *reterr);
/** How undoing begins, and a compensation. */
status apply_undo(struct run *run, struct event *event, struct error *reterr);

status apply_emitted(const struct run *run, struct activation *activation, struct event *event,
                     struct error *reterr);
status apply_cache(struct run *run, struct activation *activation, struct event *event,
                   struct error *reterr);
status apply_agent(struct run *run, struct activation *activation, struct event *event,
                   struct error *reterr);

status apply_signal(struct run *run, struct event *event, struct error *reterr);
status apply_expired(struct run *run, struct event *event, struct error *reterr);

#endif
