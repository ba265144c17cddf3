/**
 * example: an action played on its example, without a network: what would be sent, what its output
 * and its undo would be. For the linter, `tutti adapter render` and contract tests.
 */
#ifndef ADAPTER_EXAMPLE_H
#define ADAPTER_EXAMPLE_H

#include "adapter/outgoing.h"

/** Any secret of a dry run is `***`. */
extern const struct secret_source example_secrets;

/** The scope of an action with its example: parameters (or `params` in their place), what `before`
 * read, outputs of steps. Owned. Statuses of scope_new(). */
status example_scope(const struct manifest_action *action, json params, struct arena *arena,
                     json *ret_scope, struct error *reterr);

/**
 * The action on its example as a value: {function, requests: [{step, method, url, headers, body}],
 * output?, compensate?: [{action, with}]}. `output` and `compensate` are there if the example says
 * what the answer or output is. Owned. Statuses of scope_new() and outgoing_render().
 */
status example_play(const struct manifest_action *action, json params, struct arena *arena,
                    json *ret_played, struct error *reterr);

#endif
