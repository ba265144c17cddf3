/**
 * world: a run in a glass: the engine core with a clock that is turned by hand, a worker that
 * answers from a script, and a journal in memory.
 *
 * After every command it commits as the loop would (packs the events into an entry) and then proves
 * that nothing but the entries is needed: a second run that replays them must give the same
 * snapshot as the live one, byte for byte, and so must a third one that is read from that snapshot.
 * Any difference, and any refusal where none is expected, ends the process.
 */
#ifndef SUPPORT_SCHEDULER_WORLD_H
#define SUPPORT_SCHEDULER_WORLD_H

#include "base/random.h"
#include "scheduler/run/run.h"

/* How the worker answers the job of a task. */
struct answer {
    const char *task; /* its name; NULL: end of the script */
    uint32_t attempt; /* 0: every one */
    enum answer_kind {
        ANSWER_OK,        /* json = output */
        ANSWER_FAIL,      /* json = error */
        ANSWER_TRANSIENT, /* the same, and a later attempt may succeed */
        ANSWER_NEVER,     /* the job stays open */
        ANSWER_LOST,      /* its lease ends: nobody knows what became of it */
        ANSWER_OK_ONCE,   /* as ANSWER_OK; used up by one answer. Of the first 64 rows only */
        ANSWER_FAIL_ONCE, /* likewise */
        ANSWER_PART,      /* as ANSWER_FAIL_ONCE, and a part is done, which `part` undoes */
        ANSWER_DOUBT,     /* likewise, and nobody knows of the rest */
        ANSWER_ASK,       /* likewise; json = what a person is asked: world_decide() */
    } kind;
    const char *json; /* NULL: null; the error `communication` */
};

struct world_job {
    struct id id;
    const struct task *task;
    char function[64];
    uint32_t attempt;
    int64_t due_us;
    json input, key;
    struct id asks; /* the approval that it waits for; empty: none */
};

struct world_child {
    struct id id;
    uint32_t activation;
    json workflow, input; /* reference; what it is to be started with */
};

enum { WORLD_CHILDREN_MAX = 256 };
enum { WORLD_JOBS_MAX = 4096, WORLD_ENTRIES_MAX = 65'536, WORLD_PAYLOADS_MAX = 4096 };

struct world {
    const struct workflow *workflow;
    struct run *run;    /* the live one */
    struct run *shadow; /* replayed from the journal */
    struct decide_env env;
    struct job_holders holders;
    struct id_source ids;
    struct prng random;
    const struct answer *script; /* NULL: every job completes with null */
    uint64_t used;               /* rows of it that are used up */
    struct usage usage;          /* of every answer */
    const char *undo;            /* JSON: how every completed job says it is undone; NULL: not */
    const char *part;            /* likewise of one that stops half-way */
    enum job_holding holding;    /* of every open job */

    struct event_list events; /* of the last command */
    struct buf calls;   /* a line per job scheduled: its key, "#" for the run's id, its input */
    struct buf history; /* a line per event: "task.started /do/0/a [2/0]" */
    struct buf *entries;
    size_t entry_count;
    char **payloads;
    size_t payload_count;
    struct payload_store store;

    struct world_job *jobs; /* open ones */
    size_t job_count;
    uint32_t jobs_scheduled;
    const struct id *asker; /* the job that asks just now; NULL: none */
    struct buf result;
    struct world_child *children; /* that some task waits for */
    size_t child_count;
    unsigned children_stopped; /* cancelled or terminated by their parent */
    struct id approval;        /* the last one requested */
    struct world_cache *cache; /* world_cache.h; of the first call that asks it; NULL: none has */
    json labels;               /* object: what the run put on itself */
    bool is_unchecked;         /* skip the proofs: for long runs and for measuring */
};

/** Reads a definition: `body` is all of it but `document`, which is added in front. Ends the
 * process if it is not valid. */
void world_init(struct world *world, const char *body);
/** The same with a definition that was read already. Takes `workflow`. */
void world_init_with(struct world *world, const struct workflow *workflow);
void world_done(struct world *world);

/** Starts the run. `input` is JSON; NULL: none. */
void world_start(struct world *world, const char *input);

/** Lets everything happen that can: steps, answers, time, until the run has ended or waits for an
 * event, a person or a job that is never answered. */
void world_play(struct world *world);

/** One thing that can happen, if there is any: steps first, then the cache, then an answer, then
 * time. */
bool world_step(struct world *world);

/** Turns the clock and does what is due. */
void world_pass(struct world *world, int64_t us);

void world_signal(struct world *world, const char *name, const char *data);
status world_decide(struct world *world, bool is_approved, const char *data);
void world_cancel(struct world *world);

/** An attempt of some job was handed back, or cancelled, which had used so many tokens. */
void world_charge(struct world *world, int64_t tokens);

/** Opens the faulted run again, as a loop does: it reads it from the journal first. `patch`: JSON,
 * NULL: none. */
status world_retry(struct world *world, const char *patch);

void world_terminate(struct world *world);
void world_suspend(struct world *world);
void world_resume(struct world *world);

/** The answer of an open child; `json` is its output or error, NULL: none. */
void world_answer_child(struct world *world, size_t index, enum child_outcome outcome,
                        const char *json);

/** What a command's caller does after it: for commands that a test gives by itself. */
void world_commit(struct world *world);

/** Replaces the live run by one rebuilt from the journal, or from a snapshot: a crash. */
void world_crash(struct world *world, bool is_from_snapshot);

/** Erases a copy of the journal (run/erase.h), as the payloads, and proves that it still folds to a
 * run of the same status with as many events. */
void world_prove_erasure(const struct world *world);

/** Gives a copy of the journal other numbers (run/renumber.h), and proves that it folds to the same
 * state, and that the old numbers give the old bytes. */
void world_prove_move(const struct world *world);

/** The output as JSON; "faulted {error}", "cancelled {...}"; "running" or "waiting" as long as it
 * has not ended. A view until the next call. */
const char *world_result(struct world *world);

/** Bytes of all entries. */
size_t world_journal_bytes(const struct world *world);

#endif
