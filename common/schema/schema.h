/**
 * schema: JSON Schema, compiled once, many documents checked.
 *
 * A schema is of 2020-12, unless its `$schema` names 2019-09, draft-07, draft-06 or draft-04, with
 * http or https, with or without `#`. `$schema` holds for the schema that it stands in, with all
 * that is inside; a document that is referred to and has none is of the dialect that refers to it.
 * A meta-schema among the documents of the options may be named as well: it is of the dialect that
 * its own `$schema` names, with the vocabularies that it lists. Any other is UNIMPLEMENTED.
 *
 * Compiled schemas are immutable and may be used by many threads. A keyword of the standard that is
 * not supported yet is refused when compiling (code UNIMPLEMENTED), never ignored.
 */
#ifndef SCHEMA_SCHEMA_H
#define SCHEMA_SCHEMA_H

#include "base/arena.h"
#include "base/diagnostic.h"
#include "base/status.h"
#include "json/json.h"

enum {
    SCHEMA_ERRORS_MAX = 20,
    SCHEMA_DEPTH_MAX  = 128,       /* schemas within schemas, as a document leads through them */
    SCHEMA_NODES_MAX  = 20'000,    /* subschemas, of all documents that are referred to */
    SCHEMA_STEPS_MAX  = 2'000'000, /* subschemas applied in one check: alternatives multiply */
};

struct schema;

/** Other documents that $ref may name, by absolute URI, all in memory. NULL-terminated by uri. */
struct schema_document {
    const char *uri;
    json value;
};

struct schema_options {
    const char *uri;                         /* of `source`: what its references are relative to */
    const struct schema_document *documents; /* NULL: none */
    bool assert_formats;                     /* `format` refuses; default: only css-selector */
    const char *const *passed_formats;       /* that check nothing then; NULL-terminated, or NULL */

    /* Asked for a document that is not among `documents`, by its absolute URI, without fragment;
     * a view, JSON_INVALID: there is none. NULL: nobody is asked. */
    json (*find)(str uri, void *context);
    void *context;
};

/** Compiles `source` (shared, not copied). Owned: schema_free(). On failure the findings, with
 * pointers into `source`, are in `list` (may be NULL). */
status schema_compile(json source, const struct schema_options *options, struct diagnostics *list,
                      struct schema **ret_schema, struct error *reterr);
void schema_free(struct schema *schema);
void schema_freep(struct schema **schema);

/** One violation. Texts live as long as the arena given to schema_check(). */
struct schema_error {
    const char *pointer;        /* in the document: "/assistants/0/name" */
    const char *keyword;        /* static: "minLength" */
    const char *schema_pointer; /* in the schema */
    const char *sentence;       /* "must have at least 3 characters, has 1" */
    const char *member;         /* that must not be there; NULL: it is about the value itself */
};

struct schema_errors {
    struct schema_error items[SCHEMA_ERRORS_MAX];
    size_t count;
    size_t dropped;
};

/**
 * Checks `value`. OK; INVALID_ARGUMENT with the violations in `ret_errors` (may be NULL) and the
 * first in `reterr`; RESOURCE_EXHAUSTED (depth, regular expression limit).
 */
status schema_check(const struct schema *schema, json value, struct arena *arena,
                    struct schema_errors *ret_errors, struct error *reterr);

#endif
