/** catalog: what `call` can name. Internal to this layer. */
#ifndef WORKFLOW_CATALOG_H
#define WORKFLOW_CATALOG_H

#include "workflow/compile.h"

/** A function that can be called. */
struct function {
    const char *name;      /* "llm.chat" */
    const char *queue;     /* of its jobs */
    bool is_cataloged;     /* a catalog function: the job default applies (E8) */
    bool needs_with;       /* `with` must be given */
    field_read *with_read; /* const struct template ** */
    enum {
        FUNCTION_EXECUTED,
        FUNCTION_AWAITED, /* registered with a warning; a run that gets there faults */
        FUNCTION_REFUSED, /* its form is checked, then it is refused */
    } state;
};

/** Resolves the text of `call` at hand; NULL after a finding (V05, V13, V14). */
const struct function *function_resolve(struct reader *reader, str call);

/** The input schema of a function. */
struct arguments {
    const char *function;
    json source;
    const struct schema *schema;
};
const struct arguments *arguments_compile(struct reader *reader, const char *function,
                                          const char *source);

/** Checks `value`, the arguments at hand; what an expression hides is left out (V14). */
void arguments_check(struct reader *reader, const struct arguments *arguments, json value);

/* The `with` of each. */
void http_with_read(struct reader *reader, json value, void *target); /* call_http.c */
void chat_with_read(struct reader *reader, json value, void *target); /* call_chat.c */
void openapi_with_read(struct reader *reader, json value, void *target);
void grpc_with_read(struct reader *reader, json value, void *target);
void asyncapi_with_read(struct reader *reader, json value, void *target);
void a2a_with_read(struct reader *reader, json value, void *target);
void mcp_with_read(struct reader *reader, json value, void *target);

/* Fields that HTTP calls have in common: const struct template ** (call_http.c). */
void call_output_read(struct reader *reader, json value, void *target);
void call_redirect_read(struct reader *reader, json value, void *target);

#endif
