/**
 * frames: the events of a durable stream as they are sent and kept: with ids.
 *
 * An id is <stream>:<sequence>, counted from 1, in a line in front of the event's own. Google's SDK
 * takes events for JSON from "data:" to their end, so in that protocol the id follows as a block of
 * its own, which readers of event streams take for the id of what they have got.
 */
#ifndef LLM_PROXY_ANSWERS_FRAMES_H
#define LLM_PROXY_ANSWERS_FRAMES_H

#include "base/buf.h"
#include "llm.pb-c.h"

/** The sequence of the frame that ends an interrupted stream. */
#define FRAMES_LAST_SEQUENCE ((uint64_t)INT64_MAX)

/** The first event of `events`, with its empty line; all, if there is none. */
str frames_first(str events);

/** Appends one with its id. */
void frames_put(Pb__LlmOperation operation, const char *stream, uint64_t sequence, str event,
                struct buf *out);

/** Where in `frames` what follows the first `sequence` ones begins. Those that are not there are
 * taken for read, but never the last one of an interrupted stream, whose sequence is
 * FRAMES_LAST_SEQUENCE. */
size_t frames_behind(Pb__LlmOperation operation, str frames, uint64_t sequence,
                     bool is_interrupted);

#endif
