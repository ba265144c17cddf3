/** assistant_store: assistants in the tables of the system partition. A version is never changed;
 * labels belong to the assistant. Functions read in a transaction of the caller's. */
#ifndef SCHEDULER_ASSISTANT_STORE_H
#define SCHEDULER_ASSISTANT_STORE_H

#include "assistant.pb-c.h"
#include "scheduler/run/assistant.h"
#include "scheduler/tables/record.h"

enum {
    ASSISTANTS_MAX         = 10'000, /* of a namespace, looked at for one list */
    ASSISTANT_VERSIONS_MAX = 1'000,  /* shown of one name */
};

/** One version, with labels; version 0: the newest. Lives as long as `arena`. NOT_FOUND (code
 * "not_found"). */
status assistant_get(struct txn *txn, str namespace, const struct assistant_name *name,
                     struct arena *arena, Pb__AssistantView **ret_view, struct error *reterr);

/** Says whether a record has all of these labels. */
bool assistant_has_labels(const Pb__AssistantRecord *record, Pb__Label *const *labels,
                          size_t count);

/** The definition of a view as a value; owned. */
status assistant_definition(const Pb__AssistantView *view, json *ret_definition,
                            struct error *reterr);

/** The system partition as a source for decisions. */
struct assistant_tables {
    struct store *store; /* a transaction is opened for each look-up, unless there is one: */
    struct txn *txn;     /* of the system partition's own engine; else NULL */
};
struct assistant_source assistant_source_of(struct assistant_tables *tables);

#endif
