/**
 * event_index: under which keys a listener is found by an event, so that an event for one of a
 * million sleeping runs touches that one.
 *
 * A filter of a `listen` is indexed by its `type`, if that is a plain name, and by the value of one
 * correlation whose `from` is a path such as `.data.order` and whose expectation is known, or of a
 * literal `subject` or `source`. Everything else about it is asked when an event comes that far.
 *
 *     listeners: namespace, type (empty: any), path (empty: none), digest of the value,
 *                run id, slot (u32) -> nothing
 *
 * A type is a plain name if it has no characters that mean something in a regular expression but
 * dots; for events from outside a dot in it is a dot.
 *
 * Pure functions; no threads of its own.
 */
#ifndef SCHEDULER_EVENT_INDEX_H
#define SCHEDULER_EVENT_INDEX_H

#include "scheduler/run/state.h"
#include "scheduler/tables/tables.h"

enum { EVENT_PATH_MAX = 64 /* bytes; a longer one is not indexed */ };

/** Calls `visit` with the key of each filter of an open listener; a key may come twice. */
typedef void listener_key_fn(const struct key *key, void *context);
void listener_keys(const struct run *run, const struct activation *listener, listener_key_fn *visit,
                   void *context);

/** The prefix of all listeners of a type; with a path: of those that ask for its value. */
void listener_type_key(struct key *key, str namespace, str type);
void listener_path_key(struct key *key, str namespace, str type, str path);
/** Of those that expect the value this event has there. False: it has none, and fits nobody. */
bool listener_value_key(struct key *key, str namespace, str type, str path, json event);

struct listener_place {
    struct key_text type, path;
    struct id run;
    uint32_t slot;
};
/** Reads a key of the table; false: damaged. */
bool listener_key_read(bytes raw, struct listener_place *ret_place);

/** The smallest key behind all that begin with `key`. */
void key_step(struct key *key);

/** The type of an event; empty if it has none. A view of it. */
str event_type_of(json event);

/** The types under which a `listen` or a schedule is indexed: calls `visit` with each, "" for any.
 */
void listen_event_types(const struct listen_body *listen, void (*visit)(str type, void *context),
                        void *context);

/** Says whether a listen of the workflow is indexed under any type, or lists the types: calls
 * `visit` with each, "" for any. */
void workflow_event_types(const struct workflow *workflow, void (*visit)(str type, void *context),
                          void *context);

#endif
