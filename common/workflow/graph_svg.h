/** graph_svg: measures that layout and drawing share, in pixels. Internal to this layer. */
#ifndef WORKFLOW_GRAPH_SVG_H
#define WORKFLOW_GRAPH_SVG_H

#include "workflow/graph_internal.h"

enum {
    MARGIN         = 20,
    TITLE          = 34, /* the workflow's name */
    DOT            = 16, /* where it starts and ends */
    GAP            = 30, /* between tasks, with room for an arrow */
    BETWEEN        = 46, /* between the lists of a box */
    PAD            = 14,
    HEAD           = 44, /* two lines of text */
    ROW            = 22, /* a case of a switch */
    CHIP           = 46, /* "end", "exit" */
    CHIP_HEIGHT    = 18,
    LANE           = 14,
    ENTRY          = 7,
    LANES_MAX      = 64,
    NODE_WIDTH_MIN = 110,
    EMPTY_WIDTH    = 90,
    EMPTY_HEIGHT   = 26,
    TEXT_NAME      = 130, /* tenths of a pixel: 13 px */
    TEXT_SMALL     = 110,
    LEGEND         = 34,
};

/** The width of a text, as far as one can tell without its font: rather too wide. */
int32_t graph_text_width(const char *text, int32_t tenths_per_em);

/** Where an edge leaves its task and enters another one, below the top of these. */
int32_t graph_port(const struct graph *graph, const struct graph_edge *edge);
int32_t graph_entry(const struct graph *graph, const struct graph_edge *edge);

/** Says whether an edge ends at a mark of its own: "end", "exit", or nothing more in the list. */
bool graph_edge_has_chip(const struct graph_edge *edge);

#endif
