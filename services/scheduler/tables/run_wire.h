/** run_wire: a run as the API shows it, made from its rows or from its state. Any thread. */
#ifndef SCHEDULER_RUN_WIRE_H
#define SCHEDULER_RUN_WIRE_H

#include "base/arena.h"
#include "record.pb-c.h"
#include "run.pb-c.h"
#include "scheduler/run/run.h"

enum {
    RUN_WAITS_SHOWN_MAX = 32,
    RUN_ROW_ERROR_MAX   = 512, /* bytes of an error in the row; a longer one is cut to its type */
};

/** What is constant or final comes from the row; this adds what the head knows better while the run
 * is not over. */
void run_wire_add_head(Pb__RunView *view, const Pb__RunHead *head);

/** Fills in everything that the state knows. `is_full`: with input and output. Texts live as long
 * as `arena`. RESOURCE_EXHAUSTED: they do not fit. */
status run_wire_fill(Pb__RunView *view, const struct run *run, bool is_full, struct arena *arena,
                     struct error *reterr);

/** Cuts what does not belong into the row of a run: waits, input, output, a long error. */
status run_wire_to_row(Pb__RunView *view, struct arena *arena, struct error *reterr);

/** The names of these states on the wire. */
Pb__RunStatus run_status_wire(enum run_status state);
bool run_status_wire_is_final(Pb__RunStatus state);

void usage_to_wire(const struct usage *usage, Pb__Usage *ret_usage);
void usage_from_wire(const Pb__Usage *usage, struct usage *ret_usage); /* NULL: nothing was used */

/** Compact JSON in the arena; `value` invalid: empty. RESOURCE_EXHAUSTED: does not fit. */
status json_in(struct arena *arena, json value, ProtobufCBinaryData *ret_text,
               struct error *reterr);

/** The bytes as JSON; empty bytes are JSON_INVALID. Owned. `name` is for the error text.
 * INVALID_ARGUMENT ("invalid_json"), RESOURCE_EXHAUSTED. */
status json_out(ProtobufCBinaryData text, const char *name, json *ret_value, struct error *reterr);

#endif
