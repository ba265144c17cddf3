/**
 * job_key: under which idempotency key a task calls the outside (E7).
 *
 *     default   <run><reference>/<iteration>/<pass>      "01J...XYZ/do/0/mail/-/1"
 *     own       <own><reference>[/<iteration>][/<pass>]  pass from the second on
 *
 * The iteration is "2/0" inside of loops, "-" outside. The pass counts how often the list has
 * jumped back, for the task's own list and those around it, outermost first and without leading
 * ones: "1", "3", "2.1". It also grows when the task faulted although its job had completed, and
 * when it was undone.
 *
 *     undo      <key of what is undone>/undo/<n>          n counts the calls of a compensation; the
 *                                                       key of a child run is its id, and that of
 *                                                       an event is one of its own
 *
 * If the workflow names a list, one key for each item of what is sent, the key is that list as a
 * JSON text, each of its keys made as above.
 */
#ifndef SCHEDULER_JOB_KEY_H
#define SCHEDULER_JOB_KEY_H

#include "base/buf.h"
#include "scheduler/run/place.h"
#include "scheduler/run/state.h"

enum {
    REFERENCE_MAX      = 8192, /* bytes: 64 levels of names */
    JOB_KEY_OWN_MAX    = 512,  /* bytes of what the workflow names, of each in a list */
    JOB_KEY_ITEMS_MAX  = 1024, /* of a list */
    ITERATION_TEXT_MAX = 1024, /* bytes: indexes of up to RUN_DEPTH_MAX loops */
};

/** Appends the indexes of the loops around a task in `scope`, "2/0"; nothing outside of loops. */
void iteration_put(const struct run *run, const struct scope *scope, struct buf *out);
/** As a text; JSON_INVALID outside of loops. Owned. */
json iteration_new(const struct run *run, const struct scope *scope);

/** Appends the reference of the task `reference` in a list of `place`, open or not: that of the
 * definition, but where agents are around it, it says where in their conversations it stands:
 * "/do/0/agent/turns/1/tools/0", and "/do/0/agent/turns/1/tools/0/call/find/do/1/ask" for what a
 * function of `use.functions` does there. Returns whether there is an agent. */
bool reference_at_put(const struct run *run, const struct place *place, const char *reference,
                      struct buf *out);
/** The same of a task at work. */
bool reference_put(const struct run *run, const struct activation *activation, struct buf *out);
/** As a text, owned; JSON_INVALID: it is that of the definition. */
json reference_new(const struct run *run, const struct activation *activation);

/** Says whether its key does not follow from the state: the workflow names one, or it is a child
 * run, or an event, that may have to be undone. */
bool task_has_own_key(const struct task *task);

/** The task's key; `own` is what the workflow names, a text or a list of them (JSON_INVALID: the
 * default one). A text, owned. */
json job_key_new(const struct run *run, const struct activation *activation, json own);

/** Says whether an answer of this call was refused before, so that it asks anew. */
bool job_was_refused(const struct run *run, const struct activation *activation);

/** The raw output of a job that completed under `key` in an earlier attempt of a try around
 * `activation`; a view, JSON_INVALID if there is none. */
json remembered_output(const struct run *run, const struct activation *activation, json key);

/* For apply: what a later attempt has to know. Nothing happens outside of a try with retry. */
void remember_output(struct run *run, const struct activation *activation, json output);
void remember_rejection(struct run *run, const struct activation *activation);

/** The task `reference` in `scope` was undone: what a later attempt calls there is a new pass. */
void remember_undone(struct run *run, const struct scope *scope, const char *reference);

#endif
