/**
 * folder: where a browser keeps its files, for as long as it runs.
 *
 * Named `tutti-browser-XXXXXX` and locked (flock) by the process that made it. Removing blocks, so
 * it is the work of a pool, where also folders are removed that nobody locks any more: those of
 * processes that were killed.
 *
 * Threads: belongs to the loop of the pool.
 */
#ifndef TOOL_ADAPTER_BROWSER_FOLDER_H
#define TOOL_ADAPTER_BROWSER_FOLDER_H

#include "base/status.h"
#include "loop/work_pool.h"

enum { FOLDER_PATH_MAX = 512 /* bytes */ };

struct browser_folder;

/** Makes one in `parent`. UNAVAILABLE: it cannot be made. */
status browser_folder_new(const char *parent, struct browser_folder **ret_folder,
                          struct error *reterr);

const char *browser_folder_path(const struct browser_folder *folder);

/** Takes it, and removes it and the leftovers beside it. NULL is fine. */
void browser_folder_remove(struct browser_folder *folder, struct work_pool *pool);

#endif
