/* The model of a graph: boxes and edges. What leads where is what the engine does: then, cases,
 * catch.then; the order of a list otherwise. */
#include "base/assert.h"
#include "workflow/graph_internal.h"
#include "json/json_pointer.h"

static const char *const state_names[GRAPH_STATE_COUNT] = {
    [GRAPH_NONE] = "none",           [GRAPH_SKIPPED] = "skipped", [GRAPH_COMPLETED] = "completed",
    [GRAPH_CANCELLED] = "cancelled", [GRAPH_FAULTED] = "faulted", [GRAPH_RETRYING] = "retrying",
    [GRAPH_WAITING] = "waiting",     [GRAPH_RUNNING] = "running",
};

static const struct {
    const char *name, *content_type;
    void (*print)(const struct graph *graph, struct buf *out);
} formats[GRAPH_FORMAT_COUNT] = {
    [GRAPH_JSON]    = {"json", "application/json", graph_json},
    [GRAPH_MERMAID] = {"mermaid", "text/vnd.mermaid", graph_mermaid},
    [GRAPH_SVG]     = {"svg", "image/svg+xml", graph_svg},
};

const char *graph_state_name(enum graph_state state)
{
    ASSERT(state < GRAPH_STATE_COUNT);
    return state_names[state];
}

const char *graph_format_name(enum graph_format format)
{
    ASSERT(format < GRAPH_FORMAT_COUNT);
    return formats[format].name;
}

const char *graph_content_type(enum graph_format format)
{
    ASSERT(format < GRAPH_FORMAT_COUNT);
    return formats[format].content_type;
}

bool graph_format_find(str name, enum graph_format *ret_format)
{
    for (enum graph_format format = 0; format < GRAPH_FORMAT_COUNT; format++) {
        if (!str_is(name, formats[format].name)) continue;
        *ret_format = format;
        return true;
    }
    return false;
}

const char *graph_kind_name(enum task_kind kind)
{
    static const char *const names[] = {
        [TASK_CALL] = "call",     [TASK_DO] = "do",
        [TASK_EMIT] = "emit",     [TASK_FOR] = "for",
        [TASK_FORK] = "fork",     [TASK_LISTEN] = "listen",
        [TASK_RAISE] = "raise",   [TASK_RUN] = "run",
        [TASK_SET] = "set",       [TASK_SWITCH] = "switch",
        [TASK_TRY] = "try",       [TASK_WAIT] = "wait",
        [TASK_FUNCTION] = "call", [TASK_EXTENSION] = "extension",
    };
    return (size_t)kind < ARRAY_LEN(names) && names[kind] ? names[kind] : "call";
}

json graph_definition(const struct workflow *workflow, const struct task *task)
{
    return json_pointer_get(workflow->document, str_from(task->reference));
}

/* --- boxes ------------------------------------------------------------------------------------ */

static void list_add(struct graph *graph, const struct task_list *tasks, task_index owner,
                     const char *title)
{
    graph->lists[graph->list_count++] = (struct graph_list){
        .tasks  = tasks,
        .owner  = owner,
        .title  = title,
        .is_row = owner != TASK_NONE && graph->workflow->tasks[owner].kind == TASK_FORK};
}

static void lists_add(struct graph *graph, const struct task *task)
{
    struct graph_node *node = &graph->nodes[task->index];
    node->list_first        = graph->list_count;
    if (task->kind == TASK_DO) {
        list_add(graph, &task->list, task->index, "");
    } else if (task->kind == TASK_FOR) {
        list_add(graph, &task->loop.body, task->index, "");
    } else if (task->kind == TASK_FORK) {
        list_add(graph, &task->fork.branches, task->index, "");
    } else if (task->kind == TASK_LISTEN && task->listen.foreach) {
        list_add(graph, &task->listen.foreach->body, task->index, "for each event");
    } else if (task->kind == TASK_EXTENSION) {
        const struct extension_body *extension = &task->extension;
        if (extension->before.count) list_add(graph, &extension->before, task->index, "before");
        list_add(graph, &extension->body, task->index, "");
        if (extension->after.count) list_add(graph, &extension->after, task->index, "after");
    } else if (task->kind == TASK_TRY) {
        list_add(graph, &task->try_.body, task->index, "");
        if (task->try_.has_handler) list_add(graph, &task->try_.handler, task->index, "catch");
    }
    node->list_count = graph->list_count - node->list_first;
}

/* --- edges ------------------------------------------------------------------------------------ */

/* Where the edges of a task are collected; `list` is the one it stands in. Around an extended task
 * stand the boxes of its extensions, and the edges are the outermost's. */
struct origin {
    struct graph *graph;
    const struct graph_list *list;
    const struct task *task; /* the box */
    const struct task *says; /* the task in it, which says where to go */
};

static const struct task *extended(const struct workflow *workflow, const struct task *task)
{
    while (task->kind == TASK_EXTENSION && task->extension.body.count > 0) {
        task = &workflow->tasks[task->extension.body.tasks[0]];
    }
    return task;
}

static struct graph_edge *edge_add(const struct origin *origin, struct flow flow)
{
    struct graph *graph         = origin->graph;
    const struct task_list *all = origin->list->tasks;
    uint32_t position           = origin->task->position;
    bool is_outermost           = origin->list->owner == TASK_NONE;
    struct graph_edge *edge     = &graph->edges[graph->edge_count];
    *edge =
        (struct graph_edge){.from = origin->task->index, .row = -1, .to = TASK_NONE, .label = ""};
    if (flow.kind == FLOW_END || (flow.kind == FLOW_EXIT && is_outermost)) {
        edge->target = EDGE_END;
    } else if (flow.kind == FLOW_EXIT) {
        edge->target = EDGE_EXIT;
    } else {
        uint32_t to  = flow.kind == FLOW_GOTO ? flow.position : position + 1;
        edge->target = to == position + 1 ? EDGE_NEXT : EDGE_TASK;
        if (to < all->count) edge->to = all->tasks[to];
        /* Behind the last task a list is over, which its box shows without an edge. */
        if (to >= all->count && !is_outermost) return NULL;
    }
    graph->edge_count++;
    return edge;
}

static void case_edges_add(const struct origin *origin)
{
    const struct task *task = origin->says;
    json cases       = json_get_text(graph_definition(origin->graph->workflow, task), "switch");
    bool has_default = false;
    for (uint32_t i = 0; i < task->choice.case_count; i++) {
        const struct switch_case *item = &task->choice.cases[i];
        struct graph_edge *edge        = edge_add(origin, item->then);
        has_default                    = has_default || !item->when;
        if (!edge) continue;
        if (origin->task == task) edge->row = (int32_t)i;
        edge->label = graph_case_text(origin->graph, item, json_value_at(json_at(cases, i), 0));
        /* Every case has a port of its own, so none leaves the box below. */
        bool has_port = edge->row >= 0 && edge->to != TASK_NONE;
        if (edge->target == EDGE_NEXT && has_port) edge->target = EDGE_TASK;
    }
    if (!has_default) (void)edge_add(origin, task->then);
}

static void edges_add(struct graph *graph, const struct graph_list *list, const struct task *box)
{
    static const struct flow and_then = {.kind = FLOW_CONTINUE};
    const struct task *task           = extended(graph->workflow, box);
    const struct origin origin        = {.graph = graph, .list = list, .task = box, .says = task};
    struct graph_node *node           = &graph->nodes[box->index];
    node->edge_first                  = graph->edge_count;
    if (list->owner != TASK_NONE && graph->workflow->tasks[list->owner].kind == TASK_EXTENSION &&
        list->tasks == &graph->workflow->tasks[list->owner].extension.body) {
        return; /* the box around it has them */
    }
    if (list->is_row) {
        if (task->then.kind == FLOW_END) (void)edge_add(&origin, task->then);
    } else if (task->kind == TASK_SWITCH) {
        case_edges_add(&origin);
    } else if (task->kind == TASK_RAISE) {
        if (task->condition) (void)edge_add(&origin, and_then);
    } else {
        (void)edge_add(&origin, task->then);
        if (task->kind == TASK_TRY && task->try_.has_then) {
            struct graph_edge *edge = edge_add(&origin, task->try_.then);
            if (edge) edge->is_error = true;
            if (edge) edge->label = "caught";
        }
    }
    node->edge_count = graph->edge_count - node->edge_first;
}

/* The list that a task stands in; NULL if the picture does not show it: compensations, and what is
 * in them. */
static const struct graph_list *list_of(const struct graph *graph, const struct task *task)
{
    uint32_t first = 0;
    uint32_t count = 1;
    if (task->parent != TASK_NONE && !graph->nodes[task->parent].is_shown) return NULL;
    if (task->parent != TASK_NONE) {
        first = graph->nodes[task->parent].list_first;
        count = graph->nodes[task->parent].list_count;
    }
    for (uint32_t i = first; i < first + count; i++) {
        const struct task_list *tasks = graph->lists[i].tasks;
        bool is_in = task->position < tasks->count && tasks->tasks[task->position] == task->index;
        if (is_in) return &graph->lists[i];
    }
    return NULL;
}

static uint32_t edges_max(const struct workflow *workflow)
{
    uint32_t count = 2 * workflow->task_count;
    for (uint32_t i = 0; i < workflow->task_count; i++) {
        const struct task *says = extended(workflow, &workflow->tasks[i]);
        if (says->kind == TASK_SWITCH) count += says->choice.case_count;
    }
    return count;
}

static void *alloc(struct arena *arena, size_t count, size_t size)
{
    void *memory = arena_alloc(arena, (count + 1) * size);
    ASSERT(memory != NULL); /* GRAPH_ARENA_MAX is above what WORKFLOW_TASKS_MAX tasks need */
    return memory;
}

struct graph *graph_new(const struct workflow *workflow, const enum graph_state *states,
                        struct arena *arena)
{
    uint32_t count      = workflow->task_count;
    size_t lists        = 1 + (size_t)count * GRAPH_LISTS_PER_TASK;
    struct graph *graph = alloc(arena, 1, sizeof *graph);
    *graph              = (struct graph){
                     .workflow   = workflow,
                     .arena      = arena,
                     .has_states = states != NULL,
                     .nodes      = alloc(arena, count, sizeof *graph->nodes),
                     .lists      = alloc(arena, lists, sizeof *graph->lists),
                     .edges      = alloc(arena, edges_max(workflow), sizeof *graph->edges),
    };
    list_add(graph, &workflow->root, TASK_NONE, "");
    for (uint32_t i = 0; i < count; i++) {
        const struct task *task = &workflow->tasks[i];
        graph->nodes[i]         = (struct graph_node){.task = task, .name = "", .detail = ""};
        if (states) graph->nodes[i].state = states[i];
        graph_texts(graph, task, &graph->nodes[i]);
        lists_add(graph, task);
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct graph_list *list = list_of(graph, &workflow->tasks[i]);
        if (!list) continue;
        graph->nodes[i].is_shown = true;
        edges_add(graph, list, &workflow->tasks[i]);
    }
    return graph;
}

status graph_print(const struct workflow *workflow, enum graph_format format,
                   const enum graph_state *states, struct buf *out, struct error *reterr)
{
    ASSERT(format < GRAPH_FORMAT_COUNT);
    CLEANUP(arena_freep) struct arena *arena = arena_new(GRAPH_ARENA_MAX);
    struct graph *graph                      = graph_new(workflow, states, arena);
    if (format == GRAPH_SVG) graph_layout(graph);
    formats[format].print(graph, out);
    if (out->is_full) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the graph is larger than %zu bytes",
                    out->len_max);
    }
    return STATUS_OK;
}
