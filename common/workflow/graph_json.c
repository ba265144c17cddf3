/* A graph as JSON: {workflow, nodes: [{id, name, kind, detail, parent?, list?, state?}],
 * edges: [{from, to, label?, error?}]}; ids are references, "start" and "end". */
#include "workflow/graph_internal.h"
#include "json/json_write.h"

static void put_edge(struct json_writer *writer, str from, str to, const struct graph_edge *edge)
{
    json_begin_object(writer);
    json_put_text(writer, "from", from);
    json_put_text(writer, "to", to);
    if (edge && edge->label[0]) json_put_text(writer, "label", str_from(edge->label));
    if (edge && edge->is_error) json_put_bool(writer, "error", true);
    json_end_object(writer);
}

static void put_node(struct json_writer *writer, const struct graph *graph,
                     const struct graph_node *node)
{
    const struct task *task = node->task;
    json_begin_object(writer);
    json_put_text(writer, "id", str_from(task->reference));
    json_put_text(writer, "name", str_from(task->name));
    json_put_text(writer, "kind", str_from(graph_kind_name(task->kind)));
    json_put_text(writer, "detail", str_from(node->detail));
    json_put_int(writer, "line", task->line);
    if (task->parent != TASK_NONE) {
        json_put_text(writer, "parent", str_from(graph->workflow->tasks[task->parent].reference));
    }
    if (graph->has_states) {
        json_put_text(writer, "state", str_from(graph_state_name(node->state)));
    }
    json_end_object(writer);
}

static str target_of(const struct graph *graph, const struct graph_edge *edge)
{
    switch (edge->target) {
    case EDGE_END: return str_from("end");
    case EDGE_EXIT: {
        task_index parent = graph->workflow->tasks[edge->from].parent;
        return str_from(graph->workflow->tasks[parent].reference);
    }
    case EDGE_NEXT:
    case EDGE_TASK:
        return edge->to == TASK_NONE ? str_from("end")
                                     : str_from(graph->workflow->tasks[edge->to].reference);
    }
    return str_from("end");
}

void graph_json(const struct graph *graph, struct buf *out)
{
    const struct workflow *workflow = graph->workflow;
    struct json_writer writer       = json_writer_init(out);
    json_begin_object(&writer);
    json_member(&writer, "workflow");
    json_begin_object(&writer);
    json_put_text(&writer, "namespace", str_from(workflow->namespace_));
    json_put_text(&writer, "name", str_from(workflow->name));
    json_put_text(&writer, "version", str_from(workflow->version));
    json_end_object(&writer);
    json_member(&writer, "nodes");
    json_begin_array(&writer);
    for (uint32_t i = 0; i < workflow->task_count; i++) {
        if (graph->nodes[i].is_shown) put_node(&writer, graph, &graph->nodes[i]);
    }
    json_end_array(&writer);
    json_member(&writer, "edges");
    json_begin_array(&writer);
    if (workflow->root.count > 0) {
        put_edge(&writer, str_from("start"),
                 str_from(workflow->tasks[workflow->root.tasks[0]].reference), NULL);
    } else {
        put_edge(&writer, str_from("start"), str_from("end"), NULL);
    }
    for (uint32_t i = 0; i < graph->edge_count; i++) {
        const struct graph_edge *edge = &graph->edges[i];
        put_edge(&writer, str_from(workflow->tasks[edge->from].reference), target_of(graph, edge),
                 edge);
    }
    json_end_array(&writer);
    json_end_object(&writer);
}
