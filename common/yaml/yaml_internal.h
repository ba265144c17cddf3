/* What the files of this layer share. The only header that knows libyaml. */
#ifndef YAML_YAML_INTERNAL_H
#define YAML_YAML_INTERNAL_H

#include "yaml/yaml.h"

#include <yaml.h>

/* The place of one value. The children of a container lie side by side, in its members' order; an
 * alias has the place of its `*name` and the children of its anchor. */
struct yaml_node {
    uint32_t line;
    uint32_t column;
    uint32_t index;    /* of its first character in the source */
    uint32_t key_line; /* 0: it has no key */
    uint32_t key_column;
    uint32_t children; /* index of the first */
    enum yaml_style style;
};

struct yaml_document {
    json root; /* owned */
    struct yaml_node root_node;
    struct yaml_node *nodes; /* owned */
    size_t node_count;
    size_t node_capacity;
    char *source; /* owned; for yaml_place_in() */
    size_t source_len;
    uint32_t *offsets; /* owned: the byte at which every YAML_STRIDE-th character begins */
};

enum { YAML_STRIDE = 256 /* characters; so finding one takes few steps, however long its line */ };

/* Where findings go, and whether there was one. */
struct yaml_report {
    struct diagnostics *list; /* borrowed; may be NULL */
    str source;
    struct error first; /* the text of the first finding */
    bool has_error;
    bool is_written_out; /* anchors, aliases and merge keys are findings */
};

/** Adds a finding with a hint ("": none). Line and column from 1. */
PRINTF_LIKE(6, 7)
void yaml_found(struct yaml_report *report, str pointer, uint32_t line, uint32_t column,
                const char *hint, const char *format, ...);

/** Adds what libyaml has to say, in words that help. It reads ahead of its events, so the
 * pointer is that of the document. */
void yaml_explain(struct yaml_report *report, const yaml_parser_t *parser);

/** The start of the line (from 1) in `source`, up to its end; empty beyond the last. */
str yaml_line(str source, uint32_t line);

/** Replaces the escaped surrogate pairs of a JSON document, in place; returns the new length. */
size_t yaml_join_surrogates(char *text, size_t len);

enum yaml_resolved {
    YAML_RESOLVED,
    YAML_FOREIGN_TAG,
    YAML_TAG_MISMATCH, /* !!int on a text */
    YAML_NOT_FINITE,   /* .inf, .nan */
    YAML_HAS_NUL,
};

/** The value of a scalar by the core schema and its tag. `*ret_value` is owned. */
enum yaml_resolved yaml_resolve(const yaml_event_t *scalar, json *ret_value);

/** Reads the events of one document into `document`. False after a finding that ended it. */
bool yaml_build(yaml_parser_t *parser, struct yaml_report *report, struct yaml_document *document);

#endif
