/*
 * A graph as a flowchart of Mermaid. Names of nodes are ours (t0, t1, ...), so that only labels
 * hold foreign text; there every character that means something to Mermaid or HTML is written by
 * number.
 */
#include "base/utf8.h"
#include "workflow/graph_internal.h"

enum { DEPTH_MAX = 64, INDENT = 2 };

static void put_label(struct buf *out, const char *text)
{
    str whole = str_from(text);
    for (size_t at = 0; at < whole.len;) {
        size_t from  = at;
        uint32_t c   = utf8_next(whole, &at);
        bool is_safe = c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                       (c >= 'a' && c <= 'z') || (c && strchr(" .,:/-_+=()!?$'|*", (int)c));
        if (is_safe) {
            (void)buf_put_str(out, str_slice(whole, from, at));
        } else {
            (void)buf_printf(out, "#%u;", c);
        }
    }
}

/* The brackets around a label say what kind a task is. */
static void shape_of(enum task_kind kind, const char **open, const char **close)
{
    static const struct {
        const char *open, *close;
    } shapes[] = {
        [TASK_EMIT] = {"[/", "/]"}, [TASK_LISTEN] = {"[\\", "\\]"}, [TASK_RAISE] = {"{{", "}}"},
        [TASK_SWITCH] = {"{", "}"}, [TASK_WAIT] = {"([", "])"},     [TASK_CALL] = {"[[", "]]"},
    };
    bool is_known = (size_t)kind < ARRAY_LEN(shapes) && shapes[kind].open;
    *open         = is_known ? shapes[kind].open : "[";
    *close        = is_known ? shapes[kind].close : "]";
}

static void put_texts(struct buf *out, const struct graph_node *node)
{
    (void)buf_put_byte(out, '"');
    put_label(out, node->name);
    if (node->detail[0]) {
        (void)buf_put_text(out, "<br/>");
        put_label(out, node->detail);
    }
    (void)buf_put_byte(out, '"');
}

static void indent(struct buf *out, size_t depth)
{
    for (size_t i = 0; i < (depth + 1) * INDENT; i++) (void)buf_put_byte(out, ' ');
}

/* A list whose tasks are being written. */
struct frame {
    uint32_t list;      /* in graph->lists */
    uint32_t list_last; /* of the same owner */
    uint32_t position;
    bool has_title;
};

static void list_open(const struct graph *graph, struct buf *out, struct frame *frame, size_t depth)
{
    const struct graph_list *list = &graph->lists[frame->list];
    frame->position               = 0;
    frame->has_title              = list->title[0] != '\0';
    if (frame->has_title) {
        indent(out, depth);
        (void)buf_printf(out, "subgraph l%u [\"%s\"]\n", frame->list, list->title);
    }
    if (list->tasks->count == 0) {
        indent(out, depth);
        (void)buf_printf(out, "n%u[\" \"]\n", frame->list); /* a box must hold something */
    }
}

static void node_put(const struct graph *graph, struct buf *out, const struct graph_node *node,
                     size_t depth)
{
    indent(out, depth);
    if (node->list_count > 0) {
        (void)buf_printf(out, "subgraph t%u [", node->task->index);
        put_texts(out, node);
        (void)buf_put_text(out, "]\n");
        indent(out, depth + 1);
        (void)buf_printf(out, "direction %s\n",
                         graph->lists[node->list_first].is_row ? "LR" : "TB");
        return;
    }
    const char *open;
    const char *close;
    shape_of(node->task->kind, &open, &close);
    (void)buf_printf(out, "t%u%s", node->task->index, open);
    put_texts(out, node);
    (void)buf_printf(out, "%s\n", close);
}

/* Closes the list at hand; true if its owner has another one, which is then open. */
static bool list_close(const struct graph *graph, struct buf *out, struct frame *frame,
                       size_t depth)
{
    if (frame->has_title) {
        indent(out, depth);
        (void)buf_put_text(out, "end\n");
    }
    if (frame->list == frame->list_last) return false;
    frame->list++;
    list_open(graph, out, frame, depth);
    return true;
}

static void boxes_put(const struct graph *graph, struct buf *out)
{
    struct frame stack[DEPTH_MAX + 1];
    size_t depth = 1;
    stack[0]     = (struct frame){};
    list_open(graph, out, &stack[0], 0);
    while (depth > 0) {
        struct frame *frame           = &stack[depth - 1];
        const struct graph_list *list = &graph->lists[frame->list];
        if (frame->position == list->tasks->count) {
            if (list_close(graph, out, frame, depth - 1)) continue;
            depth--;
            if (depth > 0) {
                indent(out, depth - 1);
                (void)buf_put_text(out, "end\n");
            }
            continue;
        }
        const struct graph_node *node = &graph->nodes[list->tasks->tasks[frame->position++]];
        node_put(graph, out, node, depth - 1);
        if (node->list_count == 0 || depth > DEPTH_MAX) continue;
        stack[depth] = (struct frame){.list      = node->list_first,
                                      .list_last = node->list_first + node->list_count - 1};
        list_open(graph, out, &stack[depth], depth);
        depth++;
    }
}

static void edge_put(struct buf *out, const struct graph_edge *edge)
{
    (void)buf_printf(out, "  t%u %s", edge->from, edge->is_error ? "-.->" : "-->");
    if (edge->label[0]) {
        (void)buf_put_text(out, "|\"");
        put_label(out, edge->label);
        (void)buf_put_text(out, "\"|");
    }
    if (edge->target == EDGE_EXIT) {
        (void)buf_printf(out, " x%u((\"exit\"))\n", edge->from);
    } else if (edge->target == EDGE_END || edge->to == TASK_NONE) {
        (void)buf_put_text(out, " finish\n");
    } else {
        (void)buf_printf(out, " t%u\n", edge->to);
    }
}

/* Between the body of a `try` and what it does about errors. */
static void catch_put(struct buf *out, const struct graph_node *node)
{
    const struct task *task = node->task;
    if (task->kind != TASK_TRY || node->list_count < 2 || !node->is_shown) return;
    if (task->try_.body.count == 0) return;
    (void)buf_printf(out, "  t%u -.->|error| l%u\n",
                     task->try_.body.tasks[task->try_.body.count - 1], node->list_first + 1);
}

static void states_put(const struct graph *graph, struct buf *out)
{
    static const struct {
        enum graph_state state;
        const char *style;
    } styles[] = {
        {GRAPH_SKIPPED, "fill:#f4f4f5,stroke:#a1a1aa,stroke-dasharray:4 3,color:#52525b"},
        {GRAPH_COMPLETED, "fill:#dcfce7,stroke:#16a34a,color:#14532d"},
        {GRAPH_CANCELLED, "fill:#e4e4e7,stroke:#71717a,color:#3f3f46"},
        {GRAPH_FAULTED, "fill:#fee2e2,stroke:#dc2626,color:#7f1d1d"},
        {GRAPH_RETRYING, "fill:#ffedd5,stroke:#ea580c,color:#7c2d12"},
        {GRAPH_WAITING, "fill:#fef9c3,stroke:#ca8a04,color:#713f12"},
        {GRAPH_RUNNING, "fill:#dbeafe,stroke:#2563eb,color:#1e3a8a"},
    };
    for (size_t i = 0; i < ARRAY_LEN(styles); i++) {
        (void)buf_printf(out, "  classDef %s %s\n", graph_state_name(styles[i].state),
                         styles[i].style);
    }
    for (uint32_t i = 0; i < graph->workflow->task_count; i++) {
        enum graph_state state = graph->nodes[i].state;
        if (state != GRAPH_NONE) {
            (void)buf_printf(out, "  class t%u %s\n", i, graph_state_name(state));
        }
    }
}

void graph_mermaid(const struct graph *graph, struct buf *out)
{
    const struct task_list *root = &graph->workflow->root;
    (void)buf_put_text(out, "flowchart TB\n  start((\" \"))\n  finish(((\" \")))\n");
    boxes_put(graph, out);
    if (root->count > 0) {
        (void)buf_printf(out, "  start --> t%u\n", root->tasks[0]);
    } else {
        (void)buf_put_text(out, "  start --> n0\n  n0 --> finish\n");
    }
    for (uint32_t i = 0; i < graph->edge_count; i++) edge_put(out, &graph->edges[i]);
    for (uint32_t i = 0; i < graph->workflow->task_count; i++) catch_put(out, &graph->nodes[i]);
    if (graph->has_states) states_put(graph, out);
}
