/**
 * pictures: the engine `browser`: what a page looks like, or one that is given as HTML.
 *
 *   screenshot  {url, wait_for?, timeout?, width?, height?, scale?, whole?, format?, quality?}
 *   pdf         {url, wait_for?, timeout?, paper?, landscape?, background?, margin?}
 *   template    {html, timeout?, width?, height?, scale?, whole?, format?, quality?}
 *
 * answer {url, file: {base64, mime, size}}, in status 200. `timeout` is in seconds, `margin` in
 * centimetres. Settings of the connection: `contact` (agent.h), `template_hosts`, which pages that
 * are given may load from; without them they load nothing. Pages that cannot be had: page_faults.h.
 *
 * Threads: belongs to the loop.
 */
#ifndef TOOL_ADAPTER_BROWSER_PICTURES_H
#define TOOL_ADAPTER_BROWSER_PICTURES_H

#include "tool-adapter/browser/browser.h"
#include "tool-adapter/connections/engine.h"

/** As a row of a table of engines; `browser` outlives it. */
struct engine pictures_engine(struct browser *browser);

#endif
