/** catalog: what `call` names. Internal to this layer; function_catalog.h is for all. */
#ifndef WORKFLOW_CATALOG_H
#define WORKFLOW_CATALOG_H

#include "workflow/compile.h"
#include "workflow/function_catalog.h"

struct borrowed_task; /* task_read.h */

/** A function that can be called. */
struct function {
    const char *name;         /* "llm.chat" */
    const char *queue;        /* of its jobs */
    bool is_cataloged;        /* a catalog function: the job default applies (E8) */
    bool needs_with;          /* `with` must be given */
    field_read *with_read;    /* const struct template ** */
    const char *summary;      /* of a built-in one, for lists */
    const char *input_schema; /* JSON text of a built-in one; NULL: `with_read` knows */

    enum {
        FUNCTION_EXECUTED,
        FUNCTION_REFUSED, /* its form is checked, then it is refused */
    } state;
    enum call_by by;

    /* Set when it is resolved: */
    const struct function_description *description; /* NULL: a call of the language itself */
    const struct arguments *arguments;              /* NULL: no schema */
    const struct schema *output_schema;             /* NULL: none */
    const struct borrowed_task *task;               /* of a function that is a task; NULL: a job */
    bool is_own_worker; /* `worker.<name>`: a job for a user's own worker */
    bool is_linked;     /* in a document at a URL; no `task`: the document is not there yet */
};

/** Those that need no registration (builtin.c). */
extern const struct function builtin_functions[];
extern const size_t builtin_count;

/**
 * Resolves the text at hand ("llm.chat", "slack.send_message:1@default"); NULL after a finding
 * (V05, V13, V14). A function of the catalog is pinned: it comes out the same whenever the stored
 * workflow is read again. The same text gives the same function.
 */
const struct function *function_resolve(struct reader *reader, str call);

/** The name that an author of `name` probably meant; NULL: none is near. */
const char *nearest_function(struct reader *reader, str name);

/** Says whether the language itself has a call of this name ("http"). */
bool function_is_language(str name);

/** Reads a declared function that nobody calls, so that its mistakes are found. */
void function_check(struct reader *reader, struct definition *definition);

/** Makes the task at hand a TASK_FUNCTION with the task that `function` names (call_function.c). */
void function_expand(struct reader *reader, const struct function *function);

/** The `with` of what takes any map. */
void any_with_read(struct reader *reader, json value, void *target);

/* --- functions in documents (catalogs_read.c) ------------------------------------------------- */

/** `use.catalogs`. */
void catalogs_read(struct reader *reader, json value, void *target);

/** Warns (V43) of catalogs that nobody uses. */
void catalogs_finish(struct reader *reader);

/** A catalog of `use.catalogs`; empty: `default`. NULL: it is not declared there. */
struct own_catalog *catalog_find(struct reader *reader, str name);

/** There is no such catalog (V13). */
void catalog_refuse(struct reader *reader, str name);

/** The function that the value at hand names; NULL after a finding. */
const struct function *function_of_catalog(struct reader *reader, struct own_catalog *catalog,
                                           const struct function_selector *selector);

/** The function at a URL, which may be relative in a document. NULL after a finding. */
const struct function *function_at_url(struct reader *reader, str reference);

/** A function that was resolved before. */
struct resolved {
    struct resolved *next;
    str call;
    struct function function;
};

/** The input schema of a function. */
struct arguments {
    const char *function;
    json source;
    const struct schema *schema;
    bool is_closed; /* what it does not name is refused */
};
const struct arguments *arguments_compile(struct reader *reader, const char *function,
                                          const char *source);
/** The same of a frozen value that lives as long as the workflow, and has been compiled before. */
const struct arguments *arguments_of(struct reader *reader, const char *function, json source);

/** Checks `value`, the arguments at hand; what an expression hides is left out (V14). */
void arguments_check(struct reader *reader, const struct arguments *arguments, json value);

/* The `with` of each. */
void http_with_read(struct reader *reader, json value, void *target);  /* call_http.c */
void chat_with_read(struct reader *reader, json value, void *target);  /* call_chat.c */
void agent_with_read(struct reader *reader, json value, void *target); /* call_agent.c */
void openapi_with_read(struct reader *reader, json value, void *target);
void grpc_with_read(struct reader *reader, json value, void *target);
void asyncapi_with_read(struct reader *reader, json value, void *target);
void a2a_with_read(struct reader *reader, json value, void *target);
void mcp_with_read(struct reader *reader, json value, void *target);
void function_with_read(struct reader *reader, json value, void *target); /* of the catalog */

extern const char chat_input_schema[];
extern const char agent_input_schema[];
extern const char embed_input_schema[];
extern const char assistant_list_input_schema[];
extern const char variant_input_schema[], compensate_input_schema[];

/* Fields that HTTP calls have in common: const struct template ** (call_http.c). */
void call_output_read(struct reader *reader, json value, void *target);
void call_redirect_read(struct reader *reader, json value, void *target);
void variant_with_read(struct reader *reader, json value, void *target);    /* call_variant.c */
void compensate_with_read(struct reader *reader, json value, void *target); /* undo_read.c */

#endif
