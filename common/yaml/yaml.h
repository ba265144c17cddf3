/**
 * yaml: YAML 1.2 documents to json values, with the place of every node.
 *
 * Core schema rules decide what a plain scalar is, so `on`, `yes`, `no`, `off` are texts and 0o17
 * is 15. One document per file; an empty one is null. Anchors, aliases and merge keys (`<<`) are
 * read, where the format has them; an alias bomb, a duplicate key, a key that is no scalar, a
 * foreign tag, infinities and NUL are refused. JSON is YAML here too.
 *
 * A document is immutable; all threads may read it if its values are frozen.
 */
#ifndef YAML_YAML_H
#define YAML_YAML_H

#include "base/diagnostic.h"
#include "base/status.h"
#include "json/json.h"

#include <stdint.h>

enum {
    YAML_SIZE_MAX  = 512 << 10, /* bytes: a workflow definition */
    YAML_DEPTH_MAX = 64,
    YAML_NODES_MAX = 100'000, /* after aliases are expanded */
};

/** How a scalar was written: where in the file an offset in its text is, depends on it. */
enum yaml_style {
    YAML_PLAIN,
    YAML_SINGLE_QUOTED,
    YAML_DOUBLE_QUOTED,
    YAML_LITERAL,
    YAML_FOLDED,
    YAML_NOT_SCALAR, /* a map, a list, or an alias */
};

struct yaml_place {
    uint32_t line;   /* from 1 */
    uint32_t column; /* from 1, in code points */
    enum yaml_style style;
};

struct yaml_document;

/**
 * Parses `text` (borrowed for the call). Owned: yaml_document_free(). Findings (code V01) go to
 * `list` (may be NULL), the first also to `reterr`; fails with INVALID_ARGUMENT if there is one.
 */
status yaml_parse(str text, struct diagnostics *list, struct yaml_document **ret_document,
                  struct error *reterr);
/** The same for a format in which everything is written out: anchors, aliases and merge keys are
 * findings, too, all of them. */
status yaml_parse_written_out(str text, struct diagnostics *list,
                              struct yaml_document **ret_document, struct error *reterr);
/** Not yaml_free(): libyaml has a function of that name, and calls it for its own memory. */
void yaml_document_free(struct yaml_document *document);
void yaml_freep(struct yaml_document **document);

/** View of the root value; lives as long as the document (json_ref() to keep it). */
json yaml_root(const struct yaml_document *document);

/** The place of the value at `pointer`; the nearest enclosing one if there is none; of its key
 * instead with yaml_key_place(). */
struct yaml_place yaml_place_of(const struct yaml_document *document, str pointer);
struct yaml_place yaml_key_place(const struct yaml_document *document, str pointer);

/** The place of byte `offset` within the text at `pointer`, also behind escapes and folded lines;
 * the value's own place if it is no text. */
struct yaml_place yaml_place_in(const struct yaml_document *document, str pointer, size_t offset);

#endif
