/**
 * supervisor: starts programs, restarts those that die, and ends them all.
 *
 * A program that dies is started again after a pause that doubles from 100 ms to 5 s while it keeps
 * dying young. What it says goes to a file. Nothing of ours runs between fork and exec: programs
 * are spawned (posix_spawn), with every other descriptor closed on exec.
 *
 * Threads: a supervisor belongs to the thread that runs it; SIGCHLD, SIGTERM and SIGINT must be
 * blocked before (process_block_signals() and supervisor_block_children()).
 */
#ifndef CLI_SUPERVISOR_H
#define CLI_SUPERVISOR_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROGRAMS_MAX = 8, PROGRAM_ARGUMENTS_MAX = 64, PROGRAM_PATH_MAX = 4096 };

struct program {
    const char *name;                           /* "scheduler" */
    char path[PROGRAM_PATH_MAX];                /* of the executable */
    char *arguments[PROGRAM_ARGUMENTS_MAX + 2]; /* owned; [0] is the path; ends with NULL */
    int argument_count;
    char log[PROGRAM_PATH_MAX]; /* its output is appended here */
    pid_t pid;                  /* 0: not running */
    int64_t started_ms;
    int64_t restart_ms; /* when it is started again; 0: it runs or has ended for good */
    int64_t pause_ms;   /* before the next restart */
    uint32_t restarts;
    int exit_code; /* of its last end; signals: 128 + number */
};

struct supervisor {
    struct program programs[PROGRAMS_MAX];
    size_t count;
    bool is_stopping;
    const struct program *refused; /* ended because of its configuration: it is not started again */
    /* Says that something happened: "restarted", "stopped"; NULL: silent. */
    void (*say)(const struct program *program, const char *what, void *context);
    void *context;
};

status supervisor_block_children(struct error *reterr);

/** Adds an argument; the text is copied. */
void program_add(struct program *program, const char *argument);

/** Starts one program. UNAVAILABLE. */
status supervisor_start(struct supervisor *supervisor, struct program *program,
                        struct error *reterr);

/** One round: waits up to `wait_ms` for a signal, takes note of ends, restarts what is due. Returns
 * false once SIGTERM or SIGINT came. */
bool supervisor_turn(struct supervisor *supervisor, int64_t wait_ms);

/** Ends all programs, the first one first: SIGTERM, then SIGKILL to who is left after `grace_ms`,
 * or at a second SIGTERM or SIGINT to us. Returns true if all ended by themselves with exit code 0.
 */
bool supervisor_stop(struct supervisor *supervisor, int64_t grace_ms);

void supervisor_done(struct supervisor *supervisor);

#endif
