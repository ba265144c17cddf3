/**
 * modules: the engines behind `builtin`, with the threads and the store they work on.
 *
 * `documents` is in every process, and so is what embeds texts. `memory` is where
 * `tools.memory.path` says: its folder has one owner, which alone leases the queue `tools.memory`.
 *
 * Threads: start and stop around the loop's life; the rest is the loop's.
 */
#ifndef TOOL_ADAPTER_MODULES_H
#define TOOL_ADAPTER_MODULES_H

#include "loop/loop.h"
#include "tool-adapter/connections/config.h"
#include "tool-adapter/connections/engine.h"
#include "tool-adapter/embedding/embed_params.h"

enum {
    MODULES_ENGINES_MAX      = 2,
    MODULES_DOCUMENT_THREADS = 2,
    MODULES_MEMORY_THREADS   = 16, /* most of them wait for a model */
    MODULES_EMBED_THREADS    = 8,  /* all of them do */
};

struct modules;

/** Makes the folder of the memory if it is not there. FAILED_PRECONDITION: another process has it.
 * Owned: modules_stopp(). */
status modules_start(const struct options *options, struct loop *loop, struct modules **ret_modules,
                     struct error *reterr);

/** Waits for what runs. After the loop was joined, and before whoever called is freed. */
void modules_stopp(struct modules **modules);

/** Engines, at most MODULES_ENGINES_MAX; returns how many. They live as long as the modules. */
size_t modules_engines(struct modules *modules, struct engine ret_engines[MODULES_ENGINES_MAX]);

/** Who embeds texts; it lives as long as the modules. */
struct embed_desk *modules_embed_desk(struct modules *modules);

#endif
