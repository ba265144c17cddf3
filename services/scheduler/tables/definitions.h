/**
 * definitions: the compiled workflows of a process, shared by all its threads.
 *
 * Two caches over the tables: by digest, for runs, which are pinned to one; and by reference
 * ("namespace/name" or "namespace/name:version"), for starts. A definition is compiled once,
 * outside of the lock, by whoever needs it first.
 *
 * Threads: any. One mutex guards both maps; no work but look-ups happens under it.
 * Limits: DEFINITIONS_MAX compiled ones; beyond that the caches begin anew (runs keep their own
 * references).
 */
#ifndef SCHEDULER_DEFINITIONS_H
#define SCHEDULER_DEFINITIONS_H

#include "base/status.h"
#include "base/str.h"
#include "store/store.h"
#include "workflow/workflow.h"

enum { DEFINITIONS_MAX = 2'048 };

struct definitions;

/** Owned: definitions_free(). */
struct definitions *definitions_new(void);

/** The system partition belongs to another process, whose registrations are not heard of here: from
 * now on names are looked up each time. Before other threads use it. */
void definitions_forget_names(struct definitions *definitions);
void definitions_free(struct definitions *definitions);
void definitions_freep(struct definitions **definitions);

/**
 * The workflow with this digest, from the cache or from TABLE_DEFINITIONS of the store that `txn`
 * reads. A new reference: workflow_unref(). DATA_LOSS: it is not there or does not compile.
 */
status definitions_get(struct definitions *definitions, struct txn *txn, bytes digest,
                       const struct workflow **ret_workflow, struct error *reterr);

/** The same of a definition that comes from outside, as another store kept it. INVALID_ARGUMENT: it
 * does not compile, or is another one than `digest` says. Nothing is written. */
status definitions_take(struct definitions *definitions, str source, bytes digest,
                        const struct workflow **ret_workflow, struct error *reterr);

/** Which workflow a start means. */
struct workflow_name {
    str namespace;
    str name;
    str version; /* empty: the newest release */
};

enum { WORKFLOW_REFERENCE_MAX = 255 /* bytes */ };

/**
 * Reads "[namespace/]name[:version]"; views of `text`. `namespace`: of the request; "*" or empty:
 * `text` decides, "default" if it does not. INVALID_ARGUMENT; code "namespace_mismatch" if the text
 * names another namespace than the request.
 */
status workflow_name_read(str text, str namespace, struct workflow_name *ret_name,
                          struct error *reterr);

/**
 * Resolves a name in the store of the system partition. A new reference. NOT_FOUND: no such
 * workflow, or no such version.
 */
status definitions_resolve(struct definitions *definitions, struct store *system_store,
                           const struct workflow_name *name, const struct workflow **ret_workflow,
                           struct error *reterr);

/** The same within a transaction of the system partition, such as its engine's own: nothing is
 * remembered by name, since it may be undone. */
status definitions_resolve_within(struct definitions *definitions, struct txn *txn,
                                  const struct workflow_name *name,
                                  const struct workflow **ret_workflow, struct error *reterr);

/** A version was registered: what was resolved before may be outdated. */
void definitions_changed(struct definitions *definitions);

/** Writes the source under its digest, if it is not there. */
status definition_keep(struct txn *txn, const struct workflow *workflow, struct error *reterr);

#endif
