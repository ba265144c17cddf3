/**
 * toolbox: what can be called: adapters, their connections, and the functions that they make.
 *
 * Adapters are the manifests that tutti brings and those of `tools.adapters_dir`, where a file with
 * the name of a built-in one takes its place. A faulty manifest disables itself only: it is logged
 * with every finding, and no function of it is registered. A connection that cannot be read is a
 * mistake in the configuration, as any other.
 *
 * Immutable once made; counted, so that what runs keeps what it began with. Values that calls make
 * share parts of it and end before it: also those on the stack of whoever gives a reference back,
 * so the last one is given back where no call is (toolbox_is_idle()). The count belongs to one
 * thread (the loop), or to the one that sets up before the loop runs.
 */
#ifndef TOOL_ADAPTER_TOOLBOX_H
#define TOOL_ADAPTER_TOOLBOX_H

#include "tool-adapter/connections/connection.h"

enum {
    TOOLBOX_ADAPTERS_MAX  = 256,
    TOOLBOX_FUNCTIONS_MAX = 1'024, /* of one registration */
};

struct toolbox;

struct toolbox_options {
    const char *adapters_dir;    /* NULL: built-in adapters only */
    json connections;            /* the section; a view for the call, as the next */
    const struct config *config; /* for places and secrets */
    uint64_t generation;         /* another one each time it is made anew */
};

/** Owned by one reference: toolbox_unref(). Findings in the configuration go to `list`; its faulty
 * manifests are only logged. NOT_FOUND: the folder cannot be read. */
status toolbox_new(const struct toolbox_options *options, struct diagnostics *list,
                   struct toolbox **ret_toolbox, struct error *reterr);
struct toolbox *toolbox_ref(struct toolbox *toolbox);
void toolbox_unref(struct toolbox *toolbox);
void toolbox_unrefp(struct toolbox **toolbox);

/** Says whether the caller's reference is the last one. */
bool toolbox_is_idle(const struct toolbox *toolbox);

/** Manifests of the folder that cannot be used. */
size_t toolbox_faults(const struct toolbox *toolbox);

/** Descriptions of all its functions as JSON (workflow/function_catalog.h); NULL-terminated, as
 * long as it lives. */
const char *const *toolbox_functions(const struct toolbox *toolbox);

/** One after the other; NULL beyond the end. */
const struct connection *toolbox_connection(const struct toolbox *toolbox, size_t index);

/** A call by its name, and who makes it. */
struct tool {
    const struct manifest_action *action;
    const struct connection *connection;
    uint64_t generation; /* of the toolbox: what was kept of an earlier one may be another's */
};

/**
 * What `function` ("github.create_issue") of the major version `major` (0: any) means with the
 * connection of this name (empty: that of the adapter's name) for runs of `namespace`. A connection
 * whose adapter implements the same interface takes the call over. NOT_FOUND: no such function
 * here, or not in this version; another replica may have it. FAILED_PRECONDITION: the connection is
 * not there, lacks a secret, or is one of another adapter. PERMISSION_DENIED: it is not for this
 * namespace.
 */
struct tool_question {
    str function, connection, namespace;
    uint32_t major;
};
status toolbox_find(const struct toolbox *toolbox, const struct tool_question *question,
                    struct tool *ret_tool, struct error *reterr);

/** A connection by its name, for runs of `namespace`. NOT_FOUND: it is not there; the others as
 * above. */
status toolbox_connect(const struct toolbox *toolbox, str name, str namespace,
                       const struct connection **ret_connection, struct error *reterr);

#endif
