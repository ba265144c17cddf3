/**
 * event_frames: events of a run as frames of an event stream, and which of them a client wants.
 */
#ifndef GATEWAY_EVENT_FRAMES_H
#define GATEWAY_EVENT_FRAMES_H

#include "base/buf.h"
#include "run.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

enum { EVENT_GROUPS_ALL = 0x3ff };

/** Reads "run,task,progress" into a bit per group; false if a word is no group. */
bool event_groups_parse(str text, unsigned *ret_groups);

/** Says whether events of `type` belong to `groups`. Types of no known group always do. */
bool event_is_wanted(unsigned groups, const char *type);

/** Reads the id of an event: its number, perhaps with "~..." after it. */
bool event_position_parse(str text, uint64_t *ret_position);

void event_frame_print(const Pb__HistoryEvent *event, struct buf *out);
void event_frame_job_progress(const Pb__JobProgress *job, struct buf *out);
void event_frame_progress(uint32_t permille, const char *phase, struct buf *out);

#endif
