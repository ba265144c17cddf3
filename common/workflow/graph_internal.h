/** graph_internal: the model between a workflow and the formats. Internal to this layer. */
#ifndef WORKFLOW_GRAPH_INTERNAL_H
#define WORKFLOW_GRAPH_INTERNAL_H

#include "base/arena.h"
#include "workflow/graph.h"

enum {
    GRAPH_LISTS_PER_TASK = 3,
    GRAPH_LINE_MAX       = 44,       /* code points of a line of text */
    GRAPH_ARENA_MAX      = 64 << 20, /* bytes; 4,096 tasks need a few of these */
};

/** A list of tasks in a box, or the outermost one. */
struct graph_list {
    const struct task_list *tasks;
    task_index owner;  /* TASK_NONE: the outermost */
    const char *title; /* "catch"; "" if the box says enough */
    bool is_row;       /* side by side: branches */

    /* Layout. */
    int32_t x, y, width, height; /* x, y: within the owner's content, then absolute */
    int32_t column;              /* width of the tasks, without what stands to the right of them */
    int32_t lanes;
};

struct graph_node {
    const struct task *task;
    bool is_shown;
    enum graph_state state;
    const char *name, *detail; /* one line each; detail may be "" */
    uint32_t list_first, list_count;
    uint32_t edge_first, edge_count; /* those that leave it */

    /* Layout. */
    int32_t x, y, width, height; /* x, y: within its list, then absolute */
    int32_t entries;             /* edges that come in from the side */
};

struct graph_edge {
    task_index from;
    int32_t row; /* of a `switch`: the case; -1 */
    enum graph_target {
        EDGE_NEXT, /* the task below */
        EDGE_TASK, /* another one of the list */
        EDGE_EXIT, /* the end of the list */
        EDGE_END,  /* the end of the run */
    } target;
    task_index to; /* of EDGE_NEXT and EDGE_TASK */
    bool is_error; /* taken after a caught error */
    const char *label;

    int32_t lane, entry; /* layout */
};

struct graph {
    const struct workflow *workflow;
    struct arena *arena; /* borrowed */
    bool has_states;
    struct graph_node *nodes; /* by task index */
    struct graph_list *lists; /* the outermost first; those of a task in a row */
    uint32_t list_count;
    struct graph_edge *edges; /* by the task they leave */
    uint32_t edge_count;
};

/** Makes the model; everything in it lives as long as `arena`. */
struct graph *graph_new(const struct workflow *workflow, const enum graph_state *states,
                        struct arena *arena);

/** "call", "do", ... */
const char *graph_kind_name(enum task_kind kind);

/** The two lines of a task, and of a case of a `switch` (graph_text.c). */
void graph_texts(const struct graph *graph, const struct task *task, struct graph_node *node);
const char *graph_case_text(const struct graph *graph, const struct switch_case *item,
                            json definition);

/** The definition of a task as it was written. */
json graph_definition(const struct workflow *workflow, const struct task *task);

void graph_json(const struct graph *graph, struct buf *out);
void graph_mermaid(const struct graph *graph, struct buf *out);
void graph_layout(struct graph *graph);
void graph_svg(const struct graph *graph, struct buf *out);

#endif
