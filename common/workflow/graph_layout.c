/*
 * Where the boxes of a graph stand, in pixels. A list is a column of tasks, the branches of a fork
 * a row; a box is as large as what is in it. Edges that do not lead straight down run in lanes to
 * the right of their column: from the right side of one task into the right side of another.
 *
 * A task's index is above its owner's. So sizes are found from the last task to the first, and
 * places from the first to the last, without recursion.
 */
#include "base/assert.h"
#include "base/utf8.h"
#include "workflow/graph_svg.h"

int32_t graph_text_width(const char *text, int32_t tenths_per_em)
{
    static const char narrow[] = "ijlt|.,:;'!()[]{} fI/\\";
    static const char wide[]   = "mwMW@%";
    int64_t units              = 0; /* hundredths of an em */
    str whole                  = str_from(text);
    for (size_t at = 0; at < whole.len;) {
        uint32_t c = utf8_next(whole, &at);
        if (c >= 0x1100) {
            units += 105; /* scripts whose characters are square */
        } else if (c < 0x80 && strchr(narrow, (int)c)) {
            units += 34;
        } else if (c < 0x80 && strchr(wide, (int)c)) {
            units += 92;
        } else {
            units += c >= 'A' && c <= 'Z' ? 70 : 59;
        }
    }
    return (int32_t)(units * tenths_per_em / 1000) + 1;
}

static int32_t max32(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* --- sizes ------------------------------------------------------------------------------------ */

int32_t graph_port(const struct graph *graph, const struct graph_edge *edge)
{
    const struct graph_node *node = &graph->nodes[edge->from];
    if (edge->row >= 0) return HEAD + edge->row * ROW + ROW / 2;
    return node->list_count > 0 ? HEAD / 2 : node->height / 2;
}

/* One below the other, above the middle, where an edge leaves. */
int32_t graph_entry(const struct graph *graph, const struct graph_edge *edge)
{
    int32_t lowest = graph->nodes[edge->to].height / 2 - ENTRY;
    int32_t place  = ENTRY + edge->entry * ENTRY;
    return place < lowest ? place : max32(lowest, ENTRY);
}

static bool is_in_lane(const struct graph_edge *edge)
{
    return edge->target == EDGE_TASK && edge->to != TASK_NONE;
}

/* Gives the edges of a column their lanes: each takes the first one that is free along its way. */
static void lanes_assign(struct graph *graph, struct graph_list *list)
{
    int32_t free_from[LANES_MAX]; /* the lane is free below */
    int32_t count = 0;
    list->lanes   = 0;
    for (uint32_t i = 0; i < list->tasks->count; i++) {
        const struct graph_node *node = &graph->nodes[list->tasks->tasks[i]];
        for (uint32_t e = node->edge_first; e < node->edge_first + node->edge_count; e++) {
            struct graph_edge *edge = &graph->edges[e];
            if (!is_in_lane(edge)) continue;
            edge->entry  = graph->nodes[edge->to].entries++;
            int32_t from = node->y + graph_port(graph, edge);
            int32_t to   = graph->nodes[edge->to].y + graph_entry(graph, edge);
            int32_t top  = from < to ? from : to;
            int32_t end  = from < to ? to : from;
            int32_t lane = 0;
            while (lane < count && free_from[lane] >= top) lane++;
            if (lane == LANES_MAX) lane = LANES_MAX - 1; /* they share the last one */
            if (lane == count) free_from[count++] = INT32_MIN;
            free_from[lane] = max32(free_from[lane], end + LANE);
            edge->lane      = lane;
        }
    }
    list->lanes = count;
}

static bool has_chip(const struct graph *graph, const struct graph_list *list)
{
    for (uint32_t i = 0; i < list->tasks->count; i++) {
        const struct graph_node *node = &graph->nodes[list->tasks->tasks[i]];
        for (uint32_t e = node->edge_first; e < node->edge_first + node->edge_count; e++) {
            if (graph_edge_has_chip(&graph->edges[e])) return true;
        }
    }
    return false;
}

bool graph_edge_has_chip(const struct graph_edge *edge)
{
    return edge->target == EDGE_EXIT || edge->target == EDGE_END ||
           (edge->target != EDGE_NEXT && edge->to == TASK_NONE) ||
           (edge->row >= 0 && edge->to == TASK_NONE);
}

static void column_size(struct graph *graph, struct graph_list *list)
{
    int32_t y = 0;
    for (uint32_t i = 0; i < list->tasks->count; i++) {
        struct graph_node *node = &graph->nodes[list->tasks->tasks[i]];
        node->y                 = y;
        y += node->height + GAP;
        list->column = max32(list->column, node->width);
    }
    for (uint32_t i = 0; i < list->tasks->count; i++) {
        struct graph_node *node = &graph->nodes[list->tasks->tasks[i]];
        node->x                 = (list->column - node->width) / 2;
    }
    lanes_assign(graph, list);
    list->height = y - GAP;
    list->width  = list->column + (has_chip(graph, list) ? CHIP + LANE : 0) +
                  (list->lanes ? (list->lanes + 1) * LANE : 0);
}

static void row_size(struct graph *graph, struct graph_list *list)
{
    int32_t x = 0;
    for (uint32_t i = 0; i < list->tasks->count; i++) {
        struct graph_node *node = &graph->nodes[list->tasks->tasks[i]];
        node->x                 = x;
        x += node->width + GAP;
        list->height = max32(list->height, node->height);
    }
    list->width = x - GAP;
    if (has_chip(graph, list)) list->height += CHIP / 2 + LANE;
}

static void list_size(struct graph *graph, struct graph_list *list)
{
    if (list->tasks->count == 0) {
        list->width  = EMPTY_WIDTH;
        list->height = EMPTY_HEIGHT;
    } else if (list->is_row) {
        row_size(graph, list);
    } else {
        column_size(graph, list);
    }
}

static int32_t rows_width(const struct graph *graph, const struct graph_node *node)
{
    int32_t width = 0;
    for (uint32_t e = node->edge_first; e < node->edge_first + node->edge_count; e++) {
        width = max32(width, graph_text_width(graph->edges[e].label, TEXT_SMALL));
    }
    return width;
}

static void leaf_size(const struct graph *graph, struct graph_node *node)
{
    int32_t width =
        max32(graph_text_width(node->name, TEXT_NAME), graph_text_width(node->detail, TEXT_SMALL));
    node->height = node->detail[0] ? HEAD : HEAD - ROW / 2;
    if (node->task->kind == TASK_SWITCH) {
        width = max32(width, rows_width(graph, node));
        node->height += (int32_t)node->task->choice.case_count * ROW + PAD / 2;
    }
    node->width = max32(width + 2 * PAD, NODE_WIDTH_MIN);
}

/* The lists of a box stand side by side: a body and its catch. */
static void box_size(struct graph *graph, struct graph_node *node)
{
    int32_t x      = 0;
    int32_t height = 0;
    for (uint32_t i = node->list_first; i < node->list_first + node->list_count; i++) {
        struct graph_list *list = &graph->lists[i];
        int32_t title           = list->title[0] ? ROW : 0;
        list_size(graph, list);
        list->x = x;
        list->y = title;
        x += max32(list->width, graph_text_width(list->title, TEXT_SMALL)) + BETWEEN;
        height = max32(height, title + list->height);
    }
    int32_t text =
        max32(graph_text_width(node->name, TEXT_NAME), graph_text_width(node->detail, TEXT_SMALL));
    node->width  = max32(x - BETWEEN, text) + 2 * PAD;
    node->height = HEAD + PAD / 2 + height + PAD;
}

/* --- places ----------------------------------------------------------------------------------- */

/* Makes the places of a list's tasks absolute. */
static void list_place(struct graph *graph, const struct graph_list *list)
{
    for (uint32_t i = 0; i < list->tasks->count; i++) {
        struct graph_node *node = &graph->nodes[list->tasks->tasks[i]];
        node->x += list->x;
        node->y += list->y;
    }
}

static void lists_place(struct graph *graph, const struct graph_node *node)
{
    int32_t width = 0; /* of the content, which stands in the middle */
    for (uint32_t i = node->list_first; i < node->list_first + node->list_count; i++) {
        width = graph->lists[i].x + graph->lists[i].width;
    }
    for (uint32_t i = node->list_first; i < node->list_first + node->list_count; i++) {
        struct graph_list *list = &graph->lists[i];
        list->x += node->x + (node->width - width) / 2;
        list->y += node->y + HEAD + PAD / 2;
        list_place(graph, list);
    }
}

void graph_layout(struct graph *graph)
{
    for (uint32_t i = graph->workflow->task_count; i > 0; i--) {
        struct graph_node *node = &graph->nodes[i - 1];
        if (node->list_count > 0) {
            box_size(graph, node);
        } else {
            leaf_size(graph, node);
        }
    }
    struct graph_list *root = &graph->lists[0];
    list_size(graph, root);
    root->x = MARGIN;
    root->y = MARGIN + TITLE + DOT + GAP;
    list_place(graph, root);
    for (uint32_t i = 0; i < graph->workflow->task_count; i++) lists_place(graph, &graph->nodes[i]);
}
