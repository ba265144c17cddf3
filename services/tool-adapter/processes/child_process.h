/**
 * child_process: a program that is somebody else's, as a process: started, written to, read from,
 * stopped.
 *
 * It is started by posix_spawn (a fork would take NNG's threads and locks along), in a process
 * group of its own, with nothing of our environment and no descriptor but three pipes: its input
 * and output, and what it says to people. Limits are those of prlimit(2); no core files. When it
 * ends, what is left of its group is killed. A process that leaves its group (setsid) is out of
 * reach, and loses its pipes.
 *
 * Threads: belongs to the loop. No callback comes from inside a function of this header.
 */
#ifndef TOOL_ADAPTER_CHILD_PROCESS_H
#define TOOL_ADAPTER_CHILD_PROCESS_H

#include "base/status.h"
#include "base/str.h"
#include "loop/loop.h"

#include <stdint.h>

enum { CHILD_STOP_MS = 2'000 /* between SIGTERM and SIGKILL */ };

struct child_process;

struct child_process_options {
    struct loop *loop;              /* borrowed; the texts are needed while it starts only */
    const char *path;               /* of the program, absolute */
    const char *const *arguments;   /* with its own name first; NULL-terminated, as the next */
    const char *const *environment; /* NAME=VALUE: all that it gets */
    const char *folder;             /* where it runs */
    int pipes_at;           /* the descriptor that it reads; it writes to the next one, and its
                             * standard input and output are nothing. 0: they are the pipes */
    uint64_t memory_max;    /* bytes of data (RLIMIT_DATA); 0: no limit, as the next */
    uint64_t file_size_max; /* bytes of a file that it writes */
    uint64_t descriptors_max;
    size_t unread_max; /* bytes that may wait for it to read them */
    void (*came)(str piece, void *context);
    void (*said)(str piece, void *context); /* on its standard error */
    /* It is over, by itself or because it was ended; exactly once. `status` as of waitpid(2). */
    void (*ended)(int status, void *context);
    void *context;
};

/** FAILED_PRECONDITION: there is no such program or folder, or it may not be started; UNAVAILABLE.
 * Owned: child_process_freep(). */
status child_process_start(const struct child_process_options *options,
                           struct child_process **ret_child, struct error *reterr);

int64_t child_process_id(const struct child_process *child);

/** What it is to read; false: it is over, its input is closed, or too much waits already. */
bool child_process_write(struct child_process *child, str message);

/** Closes its input and sends SIGTERM to its group, and SIGKILL after CHILD_STOP_MS. */
void child_process_stop(struct child_process *child);

/** Ends its group at once. */
void child_process_kill(struct child_process *child);

/** Waits until it is over or `until_ms` on clock_mono_ms() has come; for the end of a service, when
 * no loop runs any more. */
void child_process_wait(const struct child_process *child, int64_t until_ms);

/** Ends what still runs, without `ended`. NULL is fine. */
void child_process_freep(struct child_process **child);

#endif
