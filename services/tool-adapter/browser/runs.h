/**
 * runs: the engine `browser: run`: steps on a page (steps.h).
 *
 *   {steps, timeout?, width?, height?, dialogs?: dismiss | accept}
 *
 * answer {url, data, images}, in status 200: where the page is in the end, what the steps
 * extracted, and files {base64, mime, size} of their pictures. `timeout` is in seconds. Settings of
 * the connection: `contact` (agent.h), `secret_hosts` (steps.h). A step that cannot be done is an
 * answer with the status 422, other faults as of page_faults.h; but once a page that something was
 * done on has sent something, by a method that is not safe, they are failures of which nobody knows
 * what was done.
 *
 * Threads: belongs to the loop.
 */
#ifndef TOOL_ADAPTER_BROWSER_RUNS_H
#define TOOL_ADAPTER_BROWSER_RUNS_H

#include "tool-adapter/browser/browser.h"
#include "tool-adapter/connections/engine.h"

/** As a row of a table of engines, before that of pictures.h; `browser` outlives it. */
struct engine runs_engine(struct browser *browser);

#endif
