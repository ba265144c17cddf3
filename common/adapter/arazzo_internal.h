/* arazzo_internal: runtime expressions and conditions of Arazzo as jq. */
#ifndef ADAPTER_ARAZZO_INTERNAL_H
#define ADAPTER_ARAZZO_INTERNAL_H

#include "adapter/arazzo.h"
#include "adapter/openapi_internal.h"
#include "base/arena.h"

/* What a runtime expression may name. */
struct arazzo_scope {
    json inputs; /* JSON Schema properties of the workflow */
    json steps;  /* the list; those before `step_count` are done */
    size_t step_count;
    struct arena *arena;
};

/* Each returns text in the arena. INVALID_ARGUMENT: it is none, or names what is not there;
 * UNIMPLEMENTED: manifests have nothing that means it. */

/* `$steps.find.outputs.id`: (.steps.find["id"]) */
status arazzo_expression(const struct arazzo_scope *scope, str text, const char **ret_jq,
                         struct error *reterr);

/* A text as manifests have them: with `=` in front if it is computed, whole or in part
 * ("id: {$inputs.id}"). */
status arazzo_text(const struct arazzo_scope *scope, str text, const char **ret_formula,
                   struct error *reterr);

/* A criterion of type simple, regex (with its context): what is true of an answer. */
status arazzo_condition(const struct arazzo_scope *scope, str condition, const char **ret_jq,
                        struct error *reterr);
status arazzo_regex(const struct arazzo_scope *scope, str context, str pattern, const char **ret_jq,
                    struct error *reterr);

/* A step, and the description that it calls under this name. */
struct arazzo_called {
    json description;
    str name;
    json step;
};

/* Sets the first four members of the operation. `*ret_below` is the member of the step that says
 * which. INVALID_ARGUMENT: of another description; NOT_FOUND. */
status arazzo_find(const struct arazzo_called *called, const char **ret_below,
                   struct operation *ret_operation, struct error *reterr);

/* What is being turned into a manifest. */
struct skeleton {
    json root;
    const struct arazzo_options *options;
    struct import import; /* of the source whose operations are called */
    json main;            /* that source's entry */
    struct diagnostics *list;
    struct buf pointer;  /* where it is being read */
    struct arena *arena; /* of one workflow */
    struct arazzo_scope scope;
    struct operation *operation; /* scratch */
};

/* A finding at the place that is read, or at a member of that (`below`; empty: none). */
PRINTF_LIKE(4, 5)
void skeleton_say(struct skeleton *skeleton, enum severity severity, const char *below,
                  const char *format, ...);
void skeleton_leave_out(struct skeleton *skeleton, const char *below, const char *indent,
                        const char *why);
void skeleton_complain(struct skeleton *skeleton, const char *below, const char *indent,
                       status code, const struct error *why);

size_t skeleton_enter(struct skeleton *skeleton, const char *name);
size_t skeleton_enter_index(struct skeleton *skeleton, size_t index);
void skeleton_leave(struct skeleton *skeleton, size_t back);

bool skeleton_put_value(struct skeleton *skeleton, const char *below, const char *indent,
                        const char *head, json value);

/* Sets the operation that a step calls. */
status skeleton_find(const struct skeleton *skeleton, json step, const char **ret_below,
                     struct error *reterr);
void skeleton_put_step(struct skeleton *skeleton, json workflow, json step);

#endif
