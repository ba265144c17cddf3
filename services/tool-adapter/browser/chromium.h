/**
 * chromium: a browser as a process: started, watched, ended, and its folder removed.
 *
 * It is a child_process with nothing of our environment and no descriptor but its pipes, since it
 * runs what strangers wrote. It has no network of its own either: every name, and every address,
 * leads to a proxy that does not exist, so what is not fetched for it (page_fetch.h) is not fetched
 * at all: docs/adr/0013-the-browser-has-no-network.md.
 *
 * Its files are in a folder of its own, which is locked while we live; those of processes that died
 * are removed when the next browser starts. Limits of the process: no core files, FILE_SIZE_MAX
 * bytes a file, DESCRIPTORS_MAX descriptors; its memory is asked for and compared by whoever owns
 * it. Should we die, its pipe ends and so does it.
 *
 * Threads: belongs to the loop; folders are removed on the pool.
 */
#ifndef TOOL_ADAPTER_BROWSER_CHROMIUM_H
#define TOOL_ADAPTER_BROWSER_CHROMIUM_H

#include "base/status.h"
#include "base/str.h"
#include "loop/loop.h"
#include "loop/work_pool.h"

#include <stdbool.h>
#include <stdint.h>

struct chromium;

struct chromium_options {
    struct loop *loop;                      /* borrowed, as all here; they outlive it */
    struct work_pool *pool;                 /* for what waits for the disk */
    const char *path;                       /* of the program */
    const char *folder;                     /* where its folder is made */
    bool has_sandbox;                       /* false: for tests as root, who cannot use it */
    void (*came)(str piece, void *context); /* what it wrote */
    /* It is over, by itself or by chromium_kill(); exactly once, never from inside a function of
     * this header. `words` are the last that it said to people. */
    void (*ended)(str words, void *context);
    void *context;
};

/** FAILED_PRECONDITION: there is no such program; the text says what to set or install.
 * UNAVAILABLE: it could not be started. Owned: chromium_freep(). */
status chromium_start(const struct chromium_options *options, struct chromium **ret_chromium,
                      struct error *reterr);

/** Says whether there is something to start; as chromium_start(). */
status chromium_check(const char *path, struct error *reterr);

/** What it is to read; false: it does not read, and is ended, or is over. */
bool chromium_write(struct chromium *chromium, str message);

/** Ends all of its processes; `ended` follows. */
void chromium_kill(struct chromium *chromium);

/** Ends what still runs, without `ended`, and has its folder removed. NULL is fine. */
void chromium_freep(struct chromium **chromium);

/** Bytes of memory of a process that belong to it alone; 0: there is none of this id. */
uint64_t chromium_memory_of(int64_t pid);

#endif
