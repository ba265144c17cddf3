/* A graph as SVG: one file that needs nothing from elsewhere; colours follow the reader's theme. */
#include "workflow/graph_svg.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

static const char style[] =
    "<style>\n"
    "svg{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}\n"
    ".paper{fill:#fff}.box rect,.task rect{fill:#f8fafc;stroke:#94a3b8;stroke-width:1.2}\n"
    ".box rect{fill:#64748b;fill-opacity:.06;stroke:#cbd5e1}.name{font-size:13px;font-weight:600}\n"
    "text{fill:#0f172a}.detail,.row,.list,.chip text,.legend text{font-size:11px}\n"
    ".detail,.list{fill:#64748b}.title{font-size:16px;font-weight:600}\n"
    ".edge{fill:none;stroke:#64748b;stroke-width:1.3}.error{stroke:#dc2626;stroke-dasharray:5 3}\n"
    ".head{fill:#64748b}.head-error,.error-text{fill:#dc2626}.dot{fill:#334155}\n"
    ".ring{fill:none;stroke:#334155;stroke-width:1.5}.line{stroke:#cbd5e1}\n"
    ".empty{fill:none;stroke:#cbd5e1;stroke-dasharray:3 3}\n"
    ".chip rect{fill:#e2e8f0;stroke:none}\n"
    ".skipped>rect{fill:#f4f4f5;stroke:#a1a1aa;stroke-dasharray:4 3}\n"
    ".completed>rect{fill:#dcfce7;stroke:#16a34a}.cancelled>rect{fill:#e4e4e7;stroke:#71717a}\n"
    ".faulted>rect{fill:#fee2e2;stroke:#dc2626}.retrying>rect{fill:#ffedd5;stroke:#ea580c}\n"
    ".waiting>rect{fill:#fef9c3;stroke:#ca8a04}.running>rect{fill:#dbeafe;stroke:#2563eb}\n"
    ".box.skipped>rect,.box.completed>rect,.box.cancelled>rect,.box.faulted>rect,"
    ".box.retrying>rect,.box.waiting>rect,.box.running>rect{fill-opacity:.35}\n"
    "@media (prefers-color-scheme:dark){.paper{fill:#0f172a}text{fill:#e2e8f0}"
    ".task rect{fill:#1e293b;stroke:#64748b}.box rect{stroke:#475569}.detail,.list{fill:#94a3b8}"
    ".edge{stroke:#94a3b8}.head{fill:#94a3b8}.dot{fill:#cbd5e1}.ring{stroke:#cbd5e1}"
    ".chip rect{fill:#334155}.line{stroke:#475569}.error{stroke:#f87171}"
    ".completed>rect{fill:#14532d}.faulted>rect{fill:#7f1d1d}.running>rect{fill:#1e3a8a}"
    ".waiting>rect{fill:#713f12}.retrying>rect{fill:#7c2d12}.cancelled>rect{fill:#3f3f46}"
    ".skipped>rect{fill:#27272a}}\n"
    "</style>\n";

/* --- text ------------------------------------------------------------------------------------- */

/* XML 1.0 has no way to write most control characters, and two others. */
static bool is_character(uint32_t c)
{
    return c >= ' ' && c != 0xFFFE && c != 0xFFFF;
}

static void put_escaped(struct buf *out, const char *text)
{
    str whole = str_from(text);
    for (size_t at = 0; at < whole.len;) {
        size_t from = at;
        uint32_t c  = utf8_next(whole, &at);
        switch (c) {
        case '<': (void)buf_put_text(out, "&lt;"); break;
        case '>': (void)buf_put_text(out, "&gt;"); break;
        case '&': (void)buf_put_text(out, "&amp;"); break;
        case '"': (void)buf_put_text(out, "&quot;"); break;
        default:
            (void)buf_put_str(out, is_character(c) ? str_slice(whole, from, at)
                                                   : str_from("\xEF\xBF\xBD"));
        }
    }
}

static void put_text(struct buf *out, const char *class, int32_t x, int32_t y, const char *anchor,
                     const char *text)
{
    (void)buf_printf(out, "<text class=\"%s\" x=\"%d\" y=\"%d\"%s%s%s>", class, x, y,
                     anchor ? " text-anchor=\"" : "", anchor ? anchor : "", anchor ? "\"" : "");
    put_escaped(out, text);
    (void)buf_put_text(out, "</text>\n");
}

static void put_rect(struct buf *out, int32_t x, int32_t y, int32_t width, int32_t height,
                     int32_t radius)
{
    (void)buf_printf(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"%d\"/>\n", x, y,
                     width, height, radius);
}

/* --- tasks ------------------------------------------------------------------------------------ */

static int32_t radius_of(enum task_kind kind)
{
    return kind == TASK_WAIT || kind == TASK_LISTEN ? 20 : kind == TASK_CALL ? 2 : 8;
}

static void put_rows(struct buf *out, const struct graph *graph, const struct graph_node *node)
{
    for (uint32_t e = node->edge_first; e < node->edge_first + node->edge_count; e++) {
        const struct graph_edge *edge = &graph->edges[e];
        if (edge->row < 0) continue;
        int32_t top = node->y + HEAD + edge->row * ROW;
        (void)buf_printf(out, "<path class=\"line\" d=\"M%d %dh%d\"/>\n", node->x, top,
                         node->width);
        put_text(out, "row", node->x + PAD, top + 15, NULL, edge->label);
    }
}

static void put_node(struct buf *out, const struct graph *graph, const struct graph_node *node)
{
    bool is_box    = node->list_count > 0;
    int32_t middle = node->x + node->width / 2;
    (void)buf_printf(out, "<g class=\"%s%s%s\">", is_box ? "box" : "task", node->state ? " " : "",
                     node->state ? graph_state_name(node->state) : "");
    (void)buf_put_text(out, "<title>");
    put_escaped(out, node->task->reference);
    if (graph->has_states) (void)buf_printf(out, ": %s", graph_state_name(node->state));
    (void)buf_put_text(out, "</title>\n");
    put_rect(out, node->x, node->y, node->width, node->height,
             is_box ? 10 : radius_of(node->task->kind));
    put_text(out, "name", middle, node->y + (node->detail[0] ? 18 : 21), "middle", node->name);
    if (node->detail[0]) put_text(out, "detail", middle, node->y + 34, "middle", node->detail);
    put_rows(out, graph, node);
    (void)buf_put_text(out, "</g>\n");
}

static void put_lists(struct buf *out, const struct graph *graph, const struct graph_node *node)
{
    for (uint32_t i = node->list_first; i < node->list_first + node->list_count; i++) {
        const struct graph_list *list = &graph->lists[i];
        if (list->title[0]) put_text(out, "list", list->x, list->y - 7, NULL, list->title);
        if (list->tasks->count > 0) continue;
        (void)buf_printf(out,
                         "<rect class=\"empty\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
                         "rx=\"6\"/>\n",
                         list->x, list->y, EMPTY_WIDTH, EMPTY_HEIGHT);
    }
}

/* --- edges ------------------------------------------------------------------------------------ */

static const struct graph_list *list_of(const struct graph *graph, task_index index)
{
    const struct task *task = graph->nodes[index].task;
    if (task->parent == TASK_NONE) return &graph->lists[0];
    const struct graph_node *owner = &graph->nodes[task->parent];
    for (uint32_t i = owner->list_first; i < owner->list_first + owner->list_count; i++) {
        const struct task_list *tasks = graph->lists[i].tasks;
        if (task->position < tasks->count && tasks->tasks[task->position] == index) {
            return &graph->lists[i];
        }
    }
    return &graph->lists[0];
}

static void put_path(struct buf *out, bool is_error, const char *path)
{
    (void)buf_printf(out, "<path class=\"edge%s\" marker-end=\"url(#%s)\" d=\"%s\"/>\n",
                     is_error ? " error" : "", is_error ? "arrow-error" : "arrow", path);
}

PRINTF_LIKE(3, 4)
static void put_arrow(struct buf *out, bool is_error, const char *format, ...)
{
    char path[160];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(path, sizeof path, format, args);
    va_end(args);
    put_path(out, is_error, path);
}

static void put_chip(struct buf *out, const struct graph *graph, const struct graph_edge *edge)
{
    const struct graph_node *node = &graph->nodes[edge->from];
    const struct graph_list *list = list_of(graph, edge->from);
    const char *word              = edge->target == EDGE_END                             ? "end"
                                    : edge->target == EDGE_EXIT || edge->to == TASK_NONE ? "exit"
                                                                                         : "";
    if (list->owner == TASK_NONE) word = "end";
    int32_t x = list->x + list->column + LANE;
    int32_t y = node->y + graph_port(graph, edge);
    if (list->is_row) {
        x = node->x + (node->width - CHIP) / 2;
        y = node->y + node->height + LANE + CHIP_HEIGHT / 2;
        put_arrow(out, edge->is_error, "M%d %dV%d", x + CHIP / 2, node->y + node->height,
                  y - CHIP_HEIGHT / 2);
    } else {
        put_arrow(out, edge->is_error, "M%d %dH%d", node->x + node->width, y, x);
    }
    (void)buf_put_text(out, "<g class=\"chip\">");
    put_rect(out, x, y - CHIP_HEIGHT / 2, CHIP, CHIP_HEIGHT, CHIP_HEIGHT / 2);
    put_text(out, "word", x + CHIP / 2, y + 4, "middle", word);
    (void)buf_put_text(out, "</g>\n");
}

static void put_lane(struct buf *out, const struct graph *graph, const struct graph_edge *edge,
                     bool has_chips)
{
    const struct graph_node *from = &graph->nodes[edge->from];
    const struct graph_node *to   = &graph->nodes[edge->to];
    const struct graph_list *list = list_of(graph, edge->from);
    int32_t y1                    = from->y + graph_port(graph, edge);
    int32_t y2                    = to->y + graph_entry(graph, edge);
    int32_t lane = list->x + list->column + (has_chips ? CHIP + LANE : 0) + (edge->lane + 1) * LANE;
    int32_t turn = y2 > y1 ? 6 : -6;
    if (y2 - y1 < 12 && y1 - y2 < 12) turn = 0;
    put_arrow(out, edge->is_error, "M%d %dH%dQ%d %d %d %dV%dQ%d %d %d %dH%d", from->x + from->width,
              y1, lane - 6, lane, y1, lane, y1 + turn, y2 - turn, lane, y2, lane - 6, y2,
              to->x + to->width);
    if (edge->row < 0 && edge->label[0]) {
        put_text(out, edge->is_error ? "row error-text" : "row", from->x + from->width + 4, y1 - 4,
                 NULL, edge->label);
    }
}

static bool list_has_chips(const struct graph_list *list)
{
    int32_t lanes = list->lanes ? (list->lanes + 1) * LANE : 0;
    return list->width - list->column - lanes > 0;
}

static void put_edge(struct buf *out, const struct graph *graph, const struct graph_edge *edge)
{
    const struct graph_node *from = &graph->nodes[edge->from];
    if (edge->target == EDGE_NEXT && edge->to != TASK_NONE) {
        const struct graph_node *to = &graph->nodes[edge->to];
        put_arrow(out, edge->is_error, "M%d %dV%d", from->x + from->width / 2,
                  from->y + from->height, to->y);
    } else if (edge->target == EDGE_NEXT && edge->row < 0) {
        const struct graph_list *root = &graph->lists[0];
        put_arrow(out, edge->is_error, "M%d %dV%d", from->x + from->width / 2,
                  from->y + from->height, root->y + root->height + GAP);
    } else if (graph_edge_has_chip(edge)) {
        put_chip(out, graph, edge);
    } else {
        put_lane(out, graph, edge, list_has_chips(list_of(graph, edge->from)));
    }
}

/* From the body of a `try` to what it does about errors. */
static void put_catch(struct buf *out, const struct graph *graph, const struct graph_node *node)
{
    if (node->task->kind != TASK_TRY || node->list_count < 2 || !node->is_shown) return;
    const struct graph_list *body    = &graph->lists[node->list_first];
    const struct graph_list *handler = body + 1;
    int32_t y                        = handler->y + 12;
    put_arrow(out, true, "M%d %dH%d", body->x + body->width + 4, y, handler->x - 4);
    put_text(out, "row error-text", body->x + body->width + 8, y - 5, NULL, "error");
}

/* --- the whole -------------------------------------------------------------------------------- */

static void put_head(struct buf *out, const struct graph *graph, int32_t width, int32_t height)
{
    const struct workflow *workflow = graph->workflow;
    (void)buf_printf(out,
                     "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"%d\" "
                     "height=\"%d\" viewBox=\"0 0 %d %d\">\n<title>",
                     width, height, width, height);
    put_escaped(out, workflow->name);
    (void)buf_put_text(out, "</title>\n");
    (void)buf_put_text(out, style);
    static const char *const markers[] = {"arrow", "head", "arrow-error", "head-error"};
    (void)buf_put_text(out, "<defs>");
    for (size_t i = 0; i < ARRAY_LEN(markers); i += 2) {
        (void)buf_printf(out,
                         "<marker id=\"%s\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" "
                         "markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">"
                         "<path class=\"%s\" d=\"M0 0L8 4L0 8z\"/></marker>",
                         markers[i], markers[i + 1]);
    }
    (void)buf_put_text(out, "</defs>\n");
    (void)buf_printf(out, "<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n", width, height);
    (void)buf_printf(out, "<text class=\"title\" x=\"%d\" y=\"%d\">", MARGIN, MARGIN + 14);
    put_escaped(out, workflow->name);
    (void)buf_put_byte(out, ' ');
    put_escaped(out, workflow->version);
    (void)buf_put_text(out, "</text>\n");
}

static void put_ends(struct buf *out, const struct graph_list *root)
{
    bool is_empty  = root->tasks->count == 0;
    int32_t middle = root->x + (is_empty ? root->width : root->column) / 2;
    int32_t first  = root->y - GAP - DOT / 2;
    int32_t last   = root->y + root->height + GAP + DOT / 2;
    (void)buf_printf(out, "<circle class=\"dot\" cx=\"%d\" cy=\"%d\" r=\"7\"/>\n", middle, first);
    put_arrow(out, false, "M%d %dV%d", middle, first + 7, is_empty ? last - DOT / 2 : root->y);
    (void)buf_printf(out,
                     "<circle class=\"ring\" cx=\"%d\" cy=\"%d\" r=\"8\"/>"
                     "<circle class=\"dot\" cx=\"%d\" cy=\"%d\" r=\"4\"/>\n",
                     middle, last, middle, last);
}

static int32_t put_legend(struct buf *out, int32_t y)
{
    int32_t x = MARGIN;
    (void)buf_put_text(out, "<g class=\"legend\">\n");
    for (enum graph_state state = GRAPH_NONE + 1; state < GRAPH_STATE_COUNT; state++) {
        const char *name = graph_state_name(state);
        (void)buf_printf(out, "<g class=\"task %s\">", name);
        put_rect(out, x, y, 14, 12, 3);
        put_text(out, "word", x + 19, y + 10, NULL, name);
        (void)buf_put_text(out, "</g>\n");
        x += 19 + graph_text_width(name, TEXT_SMALL) + PAD;
    }
    (void)buf_put_text(out, "</g>\n");
    return x;
}

/* The legend's width does not depend on where it is; its text goes nowhere. */
static int32_t legend_width(void)
{
    struct buf nowhere = buf_init(0);
    int32_t width      = put_legend(&nowhere, 0);
    buf_done(&nowhere);
    return width;
}

void graph_svg(const struct graph *graph, struct buf *out)
{
    const struct graph_list *root = &graph->lists[0];
    int32_t title                 = graph_text_width(graph->workflow->name, TEXT_NAME * 5 / 4) +
                    graph_text_width(graph->workflow->version, TEXT_NAME * 5 / 4) + 2 * MARGIN;
    int32_t width  = root->x + root->width + MARGIN;
    int32_t bottom = root->y + root->height + GAP + DOT + MARGIN;
    int32_t legend = graph->has_states ? legend_width() + MARGIN : 0;
    if (width < title) width = title;
    if (width < legend) width = legend;
    put_head(out, graph, width, bottom + (graph->has_states ? LEGEND : 0));
    put_ends(out, root);
    for (uint32_t i = 0; i < graph->workflow->task_count; i++) {
        if (!graph->nodes[i].is_shown) continue;
        put_node(out, graph, &graph->nodes[i]);
        put_lists(out, graph, &graph->nodes[i]);
    }
    for (uint32_t i = 0; i < graph->edge_count; i++) put_edge(out, graph, &graph->edges[i]);
    for (uint32_t i = 0; i < graph->workflow->task_count; i++) {
        put_catch(out, graph, &graph->nodes[i]);
    }
    if (graph->has_states) (void)put_legend(out, bottom);
    (void)buf_put_text(out, "</svg>\n");
}
