/**
 * play: one run on a stage (stage.h), with its child runs, in the words of its users: JSON in and
 * out, jobs to answer, time to pass. What the HTTP API would check before it asks an engine is
 * checked here, too.
 *
 * Threads: one. Memory: the play owns everything but what it is said to give away.
 */
#ifndef STAGE_PLAY_H
#define STAGE_PLAY_H

#include "base/id.h"
#include "base/status.h"
#include "workflow/workflow.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

struct play;

struct play_options {
    int64_t now_us; /* Unix time at the start */
    json secrets;   /* borrowed: object of name to value, in every namespace; invalid: none */
};

/** Owned: play_close(). */
status play_open(const struct play_options *options, struct play **ret_play, struct error *reterr);
void play_close(struct play *play); /* NULL is fine */
void play_closep(struct play **play);

/** Registers a workflow, shared; an assistant of the workflow's namespace. INVALID_ARGUMENT. */
status play_put(struct play *play, const struct workflow *workflow, struct error *reterr);
status play_put_assistant(struct play *play, const char *namespace, const char *name,
                          json definition, struct error *reterr);

/** Starts the run; once. It goes as far as it can without time passing, as in all that follow.
 * INVALID_ARGUMENT ("input_invalid"): the input does not fit the workflow's schema. */
status play_start(struct play *play, const struct workflow *workflow, json input,
                  struct error *reterr);

/** FAILED_PRECONDITION: the run has ended. */
status play_signal(struct play *play, const char *name, json data, struct error *reterr);
/** Fills in what a CloudEvent must have. INVALID_ARGUMENT: it has no type. */
status play_publish(struct play *play, json event, struct error *reterr);

/** Decides the oldest open approval; `task`: of the task with this name, NULL: any.
 * FAILED_PRECONDITION: none is open; INVALID_ARGUMENT: the data does not fit the form. */
struct play_decision {
    const char *task, *by, *comment; /* may be NULL */
    bool is_approved;
    json data; /* invalid: none */
};
status play_decide(struct play *play, const struct play_decision *decision, struct error *reterr);

/** "cancel", "terminate", "pause", "resume", "retry", "fail". */
status play_control(struct play *play, const char *verb, struct error *reterr);

/** --- Time --------------------------------------------------------------------------------- */

int64_t play_now_us(const struct play *play);
/** How long until something happens by itself; INT64_MAX: nothing will. */
int64_t play_wait_us(const struct play *play);
status play_pass(struct play *play, int64_t us, struct error *reterr);

/** --- Jobs --------------------------------------------------------------------------------- */

enum { PLAY_TOKEN_MAX = 64 };

struct play_job {
    char *function, *task, *iteration; /* owned, as all below: play_job_done() */
    struct id id;
    json input;
    uint32_t attempt;
    bool is_undo;        /* a compensation calls it */
    bool settles;        /* is to find out what an earlier attempt did: never given away */
    int64_t deadline_us; /* of this attempt; 0: none */
    uint8_t token[PLAY_TOKEN_MAX];
    size_t token_len;
};
void play_job_done(struct play_job *job);

/** Takes the job that is next; `*ret_has` false: none is ready. */
status play_take(struct play *play, struct play_job *ret_job, bool *ret_has, struct error *reterr);

/** FAILED_PRECONDITION: nobody wants the answer any more. `undo`: array of the calls that undo it;
 * invalid: none. */
status play_complete(struct play *play, const struct play_job *job, json output, json undo,
                     struct error *reterr);
status play_fail(struct play *play, const struct play_job *job, json failure, bool is_transient,
                 struct error *reterr);
/** The worker is still at it: at least once an hour. FAILED_PRECONDITION as above. */
status play_beat(struct play *play, const struct play_job *job, struct error *reterr);

/** --- The run ------------------------------------------------------------------------------ */

struct play_view {
    const char *state; /* static: "completed", "waiting", ... */
    bool is_final;
    json output, error; /* owned; invalid: none */
    json labels;        /* owned: object */
    json waiting;       /* owned: array of references of tasks that wait */
    int64_t took_us;    /* from its start to its end, or until now */
};
status play_view(struct play *play, struct play_view *ret_view, struct error *reterr);
void play_view_done(struct play_view *view);

#endif
