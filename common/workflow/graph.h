/**
 * graph: a workflow as a picture: nodes and edges as JSON, Mermaid's flowchart, or SVG.
 *
 * Tasks with lists of their own (do, for, fork, try, listen with foreach) are boxes around them.
 * Whatever the definition says is text: it is escaped for the format, cut to a line, and nothing of
 * it is interpreted. With the states of a run, tasks are coloured by them.
 *
 * Pure; may be called from any thread. Limits: GRAPH_SIZE_MAX bytes of output.
 */
#ifndef WORKFLOW_GRAPH_H
#define WORKFLOW_GRAPH_H

#include "base/buf.h"
#include "workflow/workflow.h"

enum { GRAPH_SIZE_MAX = 8 << 20 /* bytes: what 4,096 tasks take, and their double */ };

enum graph_format { GRAPH_JSON, GRAPH_MERMAID, GRAPH_SVG, GRAPH_FORMAT_COUNT };

/** What became of a task in a run: of its newest execution, unless another one is still open. */
enum graph_state {
    GRAPH_NONE, /* it has not been reached */
    GRAPH_SKIPPED,
    GRAPH_COMPLETED,
    GRAPH_CANCELLED,
    GRAPH_FAULTED,
    GRAPH_RETRYING,
    GRAPH_WAITING,
    GRAPH_RUNNING,
    GRAPH_STATE_COUNT,
};

/** "completed", ...; "none". */
const char *graph_state_name(enum graph_state state);

/** "json", "mermaid", "svg". */
const char *graph_format_name(enum graph_format format);

/** The format of a name; false if it is none. */
bool graph_format_find(str name, enum graph_format *ret_format);

/** "application/json", "text/vnd.mermaid", "image/svg+xml". */
const char *graph_content_type(enum graph_format format);

/**
 * Writes the graph. `states` has an entry per task (workflow->task_count), or is NULL: no run.
 * RESOURCE_EXHAUSTED: `out` is too small.
 */
status graph_print(const struct workflow *workflow, enum graph_format format,
                   const enum graph_state *states, struct buf *out, struct error *reterr);

#endif
