/**
 * event_match: which events a listener takes. A listener is one or two strategies of the language
 * (`to`, and the `until` of an `any`), what its correlations expect, and which filters have had an
 * event. Nothing here knows a run: a `listen` uses it, and so may a schedule that starts runs.
 *
 * Filters are numbered through: those of `to` first, those of `until` from listening_base() on. An
 * event that both would take is one of `until`: it ends the listening and is in no output.
 *
 * Attributes (A25): an expression that yields a boolean decides, any other result is compared; a
 * literal matches if it is equal, a text also as an anchored regular expression. A map or list with
 * expressions in it has to have the same members as the event's, each compared that way. A filter
 * that fails takes nothing.
 *
 * Correlations (A26): what `from` yields of the event must be equal to what is expected. Without
 * `expect` the first value that an event brings becomes the expectation, for all correlations of
 * that name; null is no value.
 *
 * Pure functions; no threads of its own.
 */
#ifndef SCHEDULER_EVENT_MATCH_H
#define SCHEDULER_EVENT_MATCH_H

#include "workflow/workflow.h"

/** How expressions of filters are evaluated, with `.` = `input`. `*ret_value` is owned; false: the
 * expression failed. */
struct event_eval {
    bool (*eval)(const struct expression *expression, json input, json *ret_value, void *context);
    void *context;
};

/** Borrowed. */
struct listening {
    const struct event_strategy *to;
    const struct event_strategy *until; /* NULL: none */
    bool is_endless; /* `to` is an `any` that only something else ends: it is never met */
    json expects;    /* a row per filter, with a value per correlation; invalid: no correlations */
    json matched;    /* array of the filters that have had an event; invalid: none */
    struct event_eval eval;
};

/** The number of the first filter of `until`. */
uint32_t listening_base(const struct event_strategy *to);

/** Says whether the literals of a filter, or of any filter, would let an event pass: what
 * expressions and correlations say is known only to who listens. */
bool event_filter_could_match(const struct event_filter *filter, json event);
bool event_strategy_could_match(const struct event_strategy *strategy, json event);

/** Says whether the listener takes the event, by which filter, and what it expects from then on
 * (owned; JSON_INVALID: as before). `all` takes one event per filter. */
bool listening_takes(const struct listening *listening, json event, uint32_t *ret_filter,
                     json *ret_expects);

/** Says whether it has had all it waits for, or what ends it. An `all` of nothing has. */
bool listening_is_over(const struct listening *listening);

#endif
