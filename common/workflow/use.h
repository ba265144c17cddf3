/**
 * use: what the document declares under `use`, by kind and name. Internal to this layer.
 *
 * A policy is compiled where it is used, because the variables of its expressions are those of that
 * place (`$error` may have another name in each catch). One that nobody uses is compiled once at
 * the end, so that its mistakes are found too.
 */
#ifndef WORKFLOW_USE_H
#define WORKFLOW_USE_H

#include "workflow/reader.h"

enum definition_kind {
    DEFINITION_AUTHENTICATION,
    DEFINITION_ERROR,
    DEFINITION_FUNCTION,
    DEFINITION_RETRY,
    DEFINITION_TIMEOUT,
    DEFINITION_KIND_COUNT,
};

struct definition {
    struct definition *next;
    enum definition_kind kind;
    str name;
    json value;
    char *pointer;
    bool is_used;
};

/** `use` of the document. */
void use_read(struct reader *reader, json value, void *target);

/** The definition named by the text at hand; NULL after a finding (V13). */
struct definition *definition_find(struct reader *reader, enum definition_kind kind, str name);

/** The same without a finding, and without marking it used. */
struct definition *definition_peek(struct reader *reader, enum definition_kind kind, str name);

/** Reads the definition with `read` as if it stood at hand. */
void definition_read(struct reader *reader, struct definition *definition, field_read *read,
                     void *target);

/** Reads what nobody used, and warns of it (V43). */
void definitions_finish(struct reader *reader);

/* The readers of the inline forms. */
void authentication_policy_read(struct reader *reader, json value, void *target);
void error_inline_read(struct reader *reader, json value, void *target);
void retry_policy_read(struct reader *reader, json value, void *target);
void timeout_inline_read(struct reader *reader, json value, void *target);

#endif
