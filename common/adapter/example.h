/**
 * example: an action played on its example, without a network: what would be sent, what its output
 * and its undo would be. For the linter, `tutti adapter render` and contract tests.
 */
#ifndef ADAPTER_EXAMPLE_H
#define ADAPTER_EXAMPLE_H

#include "adapter/outgoing.h"

/** Any secret of a dry run is `***`. */
extern const struct secret_source example_secrets;

/**
 * The scope of an action with its example: parameters, settings, what `before` read, outputs of
 * steps, the answer. `given` is a map whose members {params, config, before, steps, response,
 * output} stand in place of the example's; JSON_INVALID: none. With a `response` or `steps` of
 * one's own the example's `output` does not count. Owned. Statuses of scope_new().
 */
status example_scope(const struct manifest_action *action, json given, struct arena *arena,
                     json *ret_scope, struct error *reterr);

/** What would be sent in `scope`: [{step?, method, url, headers, body?}]; steps whose condition
 * does not hold and requests of engines are left out. `connection`: its name, for errors; NULL: it
 * is not known. Owned. Statuses of outgoing_render(). */
status example_requests(const struct manifest_action *action, json scope, const char *connection,
                        struct arena *arena, json *ret_requests, struct error *reterr);

/**
 * The action on its example as a value: {function, before?: {action, with}, requests: [{step,
 * method, url, headers, body}], lookup: [{action, with}], output?, compensate?: [{action, with}],
 * compensate_steps?: likewise}. `output` and `compensate` are there if the example says what the
 * answer or output is. Owned.
 * Statuses of scope_new() and outgoing_render().
 */
status example_play(const struct manifest_action *action, json given, struct arena *arena,
                    json *ret_played, struct error *reterr);

#endif
